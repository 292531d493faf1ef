"""Reads CIFAR10's files: the original archive, WebP files with 1,000 images each, or the PNGs of the subset.

Archive and WebP files give the same arrays, bit by bit: both leave out the images that the WebP files lack.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import tarfile
from typing import Any

import numpy as np

from datamodules import sources
from datamodules.sources import DataError

ROWS = 25  # of images in a mosaic
COLUMNS = 40
SIDE = 32  # pixels
MISSING = "missing.csv"

Images = tuple[np.ndarray, np.ndarray]  # uint8 [N, 3, 32, 32], int64 [N]


class _Plain(pickle.Unpickler):
    """Unpickles arrays, lists and strings; nothing in the file can call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # its name when the archive was made
        if (module, name) in (
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong there")


def near_complete_images(split: str) -> Images:
    """Images and labels of ``split`` but for the omitted ones, from the archive where it is there."""
    preferred = sources.form("cifar10") == sources.SOURCES["cifar10"].files
    return archive_images(split) if preferred else mosaic_images(split)


def archive_images(split: str) -> Images:
    """Images and labels of ``split`` but for the omitted ones, from the original archive."""
    source = sources.SOURCES["cifar10"]
    names = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
    content = sources.read(source, source.files[0].path)
    images = []
    labels = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for name in names:
                member = archive.extractfile(f"cifar-10-batches-py/{name}")
                assert member is not None
                batch = _Plain(io.BytesIO(member.read()), encoding="bytes").load()
                images.append(batch[b"data"].reshape(-1, 3, SIDE, SIDE))
                labels += batch[b"labels"]
    except (tarfile.TarError, EOFError, KeyError, ValueError, AssertionError, pickle.UnpicklingError) as error:
        raise DataError(
            f"{source.title}: {source.files[0].path} is not the Python version of CIFAR10 ({error})"
        ) from None
    return _without_omitted(split, np.concatenate(images), np.array(labels, np.int64))


def mosaic_images(split: str) -> Images:
    """Images and labels of ``split`` but for the omitted ones, from the WebP files and the two lists beside them."""
    source = sources.SOURCES["cifar10"]
    paths = [file.path for file in source.alternative if file.path.startswith(f"sheets/{split}_")]
    _check_missing(split)
    labels = np.array(json.loads(sources.read(source, f"{split}_labels.json")), np.int64)
    if len(labels) != len(paths) * ROWS * COLUMNS:
        raise DataError(
            f"{source.title}: {split}_labels.json has {len(labels):,} labels, the {len(paths)} files of the split have"
            f" {len(paths) * ROWS * COLUMNS:,} images"
        )
    images = np.empty((len(paths), ROWS * COLUMNS, 3, SIDE, SIDE), np.uint8)
    for number, path in enumerate(paths):
        images[number] = _mosaic(path)
    flat = images.reshape(-1, 3, SIDE, SIDE)
    black = np.flatnonzero(~flat.any((1, 2, 3))).tolist()
    if black != sorted(source.omitted.get(split, ())):
        raise DataError(
            f"{source.title}: {len(black)} images of {split} are black, and not the"
            f" {len(source.omitted.get(split, ()))} that {MISSING} names"
        )
    return _without_omitted(split, flat, labels)


def _check_missing(split: str) -> None:
    """Raise ``DataError`` unless missing.csv names the images that the source's record leaves out."""
    source = sources.SOURCES["cifar10"]
    text = sources.read(source, MISSING).decode()
    try:
        places = sorted(int(row["index"]) for row in csv.DictReader(io.StringIO(text)) if row["split"] == split)
    except (KeyError, ValueError, TypeError):
        raise DataError(f"{source.title}: {MISSING} is not a list with the columns split and index") from None
    if places != sorted(source.omitted.get(split, ())):
        raise DataError(f"{source.title}: {MISSING} names other images of {split} than those that the suite leaves out")


def _mosaic(path: str) -> np.ndarray:
    """The images of one file: uint8 [1000, 3, 32, 32]."""
    from PIL import Image

    source = sources.SOURCES["cifar10"]
    content = sources.read(source, path)
    try:
        picture = Image.open(io.BytesIO(content))
        pixels = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DataError(f"{source.title}: {path} cannot be decoded ({error})") from None
    if pixels.shape != (ROWS * SIDE, COLUMNS * SIDE, 3):
        raise DataError(
            f"{source.title}: {path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, {COLUMNS} x {ROWS} images have"
            f" {COLUMNS * SIDE} x {ROWS * SIDE}"
        )
    return pixels.reshape(ROWS, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, SIDE, SIDE)


def _without_omitted(split: str, images: np.ndarray, labels: np.ndarray) -> Images:
    places = [place for place in sources.SOURCES["cifar10"].omitted.get(split, ()) if place < len(images)]
    return np.delete(images, places, 0), np.delete(labels, places)


def check(name: str, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Raise ``DataError`` unless images and labels are those of the source's record."""
    source = sources.SOURCES[name]
    expected = source.samples[split]
    if len(images) != expected or len(labels) != expected or images.dtype != np.uint8:
        raise DataError(
            f"{name} {split} has {len(images):,} images and {len(labels):,} labels where the set has {expected:,}"
        )
    if labels.min() < 0 or labels.max() > 9:
        raise DataError(f"{name} {split} has labels {labels.min()}..{labels.max()}, the set's are 0..9")
    md5 = hashlib.md5(np.ascontiguousarray(images).data)
    md5.update(labels.data)
    if source.content and md5.hexdigest() != source.content[split]:
        raise DataError(
            f"{name} {split} has other images or labels (md5 {md5.hexdigest()}) than those of this suite's results"
            f" (md5 {source.content[split]} in datamodules/sources/records.py): a result of them is another data set's"
        )


def problems() -> list[str]:
    """What is wrong with the images of each form of CIFAR10 that is here, and where two forms disagree."""
    source = sources.SOURCES["cifar10"]
    readers = {source.files: archive_images, source.alternative: mosaic_images}
    here = [readers[files] for files in sources.forms_here("cifar10")]
    found = []
    for split in source.samples:
        try:
            read = [reader(split) for reader in here]
            different = _different(*read) if len(read) > 1 else ""
            if different:
                raise DataError(f"{source.title}: archive and sheets/ disagree in {different} of {split}")
            check("cifar10", split, *read[0])
        except DataError as error:
            found.append(str(error))
    return found


def _different(first: Images, second: Images) -> str:
    """In how many images or labels two readings differ, and in which first; empty where they are equal."""
    if len(first[0]) != len(second[0]):
        return f"the number of images ({len(first[0]):,} and {len(second[0]):,})"
    unequal = np.flatnonzero((first[0] != second[0]).any((1, 2, 3)) | (first[1] != second[1]))
    return f"{len(unequal):,} images or labels, first at place {unequal[0]:,}," if len(unequal) else ""


def subset_images(split: str) -> Images:
    """The first 4,000 training images: the last 1,000 of them are the test split."""
    from PIL import Image

    source = sources.SOURCES["cifar10-subset"]
    labels = np.array(json.loads(sources.read(source, "train_labels.json")), np.int64)
    numbers = [0, 1, 2] if split == "train" else [3]
    rows = [
        np.asarray(Image.open(io.BytesIO(sources.read(source, f"lossless/cifar10_batch_{k}.png")))) for k in numbers
    ]
    images = np.concatenate([row.reshape(-1, SIDE, SIDE, 3) for row in rows]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), labels[numbers[0] * 1000 : (numbers[-1] + 1) * 1000]
