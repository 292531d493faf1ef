"""Samples, classes, size and format of a data set, counted from its files, in the words of the papers' tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from datamodules import sources
from datamodules.sources import DataError

SAMPLED = 100  # recordings whose events are read to see the camera's size; the others are only counted


def _mnist(name: str) -> dict[str, str]:
    from datamodules.mnist import parse_idx

    source = sources.SOURCES[name]
    arrays = [parse_idx(sources.read(source, file.path), file.path) for file in source.files]
    return _images([a for a in arrays if a.ndim > 1], [a for a in arrays if a.ndim == 1], channels=1)


def _cifar10(name: str) -> dict[str, str]:
    from datamodules import cifar10_images

    read = cifar10_images.subset_images if name.endswith("subset") else cifar10_images.near_complete_images
    splits = [read(split) for split in ("train", "test")]
    return _images([images.transpose(0, 2, 3, 1) for images, _ in splits], [labels for _, labels in splits], channels=3)


def _images(images: list[np.ndarray], labels: list[np.ndarray], channels: int) -> dict[str, str]:
    """``images``: [N, rows, columns] or [N, rows, columns, colours] a split."""
    height, width = images[0].shape[1:3]
    colours = images[0].shape[3] if images[0].ndim == 4 else 1
    if colours != channels or len({i.shape[1:] for i in images}) > 1:
        raise DataError(f"images of {sorted({i.shape[1:] for i in images})} where {channels} channels are expected")
    return {
        **_counted(labels),
        "size": f"{width}x{height} pixels",
        "format": {1: "Grayscale", 3: "RGB"}[colours],
    }


def _counted(labels: list[np.ndarray]) -> dict[str, str]:
    joined = np.concatenate(labels)
    return {"samples": f"{len(joined):,}", "classes": str(len(np.unique(joined)))}


def _events(name: str) -> dict[str, str]:
    """Recordings of an event camera: only some are read, all are counted."""
    from datamodules import recordings

    sources.check(name)
    read_split = {
        "dvs-gesture": recordings.dvs_gesture,
        "dvs-gesture-clips": recordings.dvs_clips,
        "nmnist-7": recordings.nmnist_7,
    }.get(name, recordings.nmnist)
    # both splits of the clips are the same ten
    splits = ["train"] if name == "dvs-gesture-clips" else ["train", "test"]
    labels = []
    extent = np.zeros(2, int)
    fields = set()
    for split in splits:
        split_recordings = read_split(sources.folder(name), split)
        if len(split_recordings) != sources.SOURCES[name].samples[split]:
            raise DataError(
                f"{name} {split} has {len(split_recordings):,} recordings where the set has "
                f"{sources.SOURCES[name].samples[split]:,}"
            )
        targets = getattr(split_recordings.dataset, "targets", None)
        labels.append(
            np.array([split_recordings[i][1] for i in range(len(split_recordings))] if targets is None else targets)
        )
        for i in np.linspace(0, len(split_recordings) - 1, min(SAMPLED, len(split_recordings))).round().astype(int):
            events, _ = split_recordings[i]
            fields |= set(events.dtype.names or ())
            extent = np.maximum(extent, [events["x"].max() + 1, events["y"].max() + 1])
    form = "DVS format" if {"x", "y", "t", "p"} <= fields else "columns " + ", ".join(sorted(fields))
    return {**_counted(labels), "size": f"{extent[0]}x{extent[1]} pixels", "format": form}


def _spikes(name: str) -> dict[str, str]:
    """Spike trains in HDF5: times and units of each recording."""
    import h5py

    sources.check(name)
    labels = []
    forms = set()
    for path in sorted(sources.folder(name).glob("[!.]*.h5")):
        with h5py.File(path, "r") as file:
            labels.append(file["labels"][:])
            forms |= set(file["spikes"])
    counted = _counted(labels)
    expected = sum(sources.SOURCES[name].samples.values())
    if sum(map(len, labels)) != expected:
        raise DataError(f"{name} has {counted['samples']} recordings where the set has {expected:,}")
    return {**counted, "format": "Spike times" if {"times", "units"} <= forms else ", ".join(sorted(forms))}


COUNTING: dict[str, Callable[[str], dict[str, str]]] = {
    "mnist": _mnist,
    **dict.fromkeys(("cifar10", "cifar10-subset"), _cifar10),
    **dict.fromkeys(("nmnist", "nmnist-subset", "nmnist-7", "nmnist-standin"), _events),
    **dict.fromkeys(("dvs-gesture", "dvs-gesture-clips"), _events),
    **dict.fromkeys(("shd", "ssc", "spoken-digits-standin"), _spikes),
}


def count(name: str) -> dict[str, str]:
    """``samples``, ``classes``, ``format`` and, for images and event cameras, ``size`` of data set ``name``. Raises
    ``DataError``."""
    if missing := sources.missing(name):
        raise DataError(
            f"{sources.SOURCES[name].title}: {len(missing)} of its files are not here; python -m bench data status"
        )
    return COUNTING[name](name)
