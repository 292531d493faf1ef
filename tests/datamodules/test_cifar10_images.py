"""CIFAR10's archive and its WebP files are one set: the same images in the same order, or one message says why not."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datamodules
from datamodules import cache, cifar10_images, contents, sources
from datamodules.census import count
from datamodules.sources import DataError, File
from tests.datamodules.tiny_sets import cifar_archive

COUNTS = {"train": 2000, "test": 1000}
OMITTED = {"train": (3, 1500), "test": (7,)}
ARCHIVE = "cifar-10-python.tar.gz"
Pictures = dict[str, np.ndarray]  # uint8 [N, 3, 32, 32] by split
Files = dict[str, bytes]  # content by path


def pictures() -> Pictures:
    """Images of one colour each, none of them black."""
    rng = np.random.default_rng(0)
    colours = {split: rng.integers(1, 256, (n, 3, 1, 1), dtype=np.uint8) for split, n in COUNTS.items()}
    return {split: np.broadcast_to(c, (len(c), 3, 32, 32)).copy() for split, c in colours.items()}


def labels(split: str) -> list[int]:
    return [i % 10 for i in range(COUNTS[split])]


def webp(images: np.ndarray) -> bytes:
    """A file of 40 images a row."""
    rows = len(images) // 40
    pixels = images.reshape(rows, 40, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(rows * 32, 1280, 3)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, method=0)
    return out.getvalue()


def mosaics(images: Pictures) -> Files:
    """The WebP files and lists, with black images at the omitted places."""
    files = {"missing.csv": "split,index\n"}
    for split, places in OMITTED.items():
        files["missing.csv"] += "".join(f"{split},{place}\n" for place in places)
        files[f"{split}_labels.json"] = json.dumps(labels(split))
    black = {split: array.copy() for split, array in images.items()}
    for split, places in OMITTED.items():
        black[split][list(places)] = 0
    pages = {f"sheets/train_{k:02}.webp": webp(black["train"][1000 * k : 1000 * (k + 1)]) for k in range(2)}
    return {**pages, "sheets/test_00.webp": webp(black["test"]), **{path: t.encode() for path, t in files.items()}}


@pytest.fixture(scope="module")
def files() -> Files:
    return mosaics(pictures())


def archive(images: Pictures) -> Files:
    train, test = ((images[split].reshape(COUNTS[split], -1), labels(split)) for split in ("train", "test"))
    return cifar_archive(train, test)


def put(files: Files) -> None:
    for path, content in files.items():
        place = sources.folder("cifar10") / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def record(monkeypatch: pytest.MonkeyPatch, webp_files: Files, archived: Files | None = None, **changes) -> None:
    """Make these files the originals of the source, but for 3 of their 3,000 images."""

    def known(files: Files) -> tuple[File, ...]:
        return tuple(File(p, len(content), hashlib.md5(content).hexdigest()) for p, content in files.items())

    source = sources.SOURCES["cifar10"]
    changes = {
        "files": known(archived) if archived else source.files,
        "alternative": known(webp_files),
        "samples": {split: n - len(OMITTED[split]) for split, n in COUNTS.items()},
        "omitted": OMITTED,
        "content": {},
        "mirrors": (),
        **changes,
    }
    monkeypatch.setitem(sources.SOURCES, "cifar10", replace(source, **changes))


def test_both_forms_give_the_same_images_without_the_omitted_ones(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    archived = archive(pictures())
    record(monkeypatch, files, archived)
    put(files)
    put(archived)
    for split, images in pictures().items():
        expected = np.delete(images, OMITTED[split], 0)
        for read in (cifar10_images.mosaic_images, cifar10_images.archive_images):
            found, classes = read(split)
            assert np.array_equal(found, expected)
            assert classes.tolist() == np.delete(labels(split), OMITTED[split]).tolist()
    assert sources.verify("cifar10") == contents.problems("cifar10") == []


def test_the_archive_is_preferred_and_the_webp_files_serve_without_it(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    archived = archive(pictures())
    record(monkeypatch, files, archived)
    assert [file.path for file in sources.missing("cifar10")] == [ARCHIVE]
    put(files)
    assert sources.missing("cifar10") == []
    assert sources.form("cifar10") == sources.SOURCES["cifar10"].alternative
    assert count("cifar10") == {"samples": "2,997", "classes": "10", "size": "32x32 pixels", "format": "RGB"}
    put(archived)
    assert sources.form("cifar10") == sources.SOURCES["cifar10"].files


def test_the_webp_files_are_packed_for_training(places: Path, monkeypatch: pytest.MonkeyPatch, files: Files) -> None:
    record(monkeypatch, files)
    put(files)
    data = datamodules.build("cifar10", {"steps": 1}, 500, 0)
    assert [len(y) for _, y in data.test_batches()] == [500, 499]  # type: ignore[attr-defined]


def test_status_and_fetch_know_the_webp_files(places: Path, monkeypatch: pytest.MonkeyPatch, files: Files) -> None:
    record(monkeypatch, files, mirrors=("http://localhost:1/",))
    put(files)
    state = sources.status("cifar10")
    assert (state["state"], state["kind"], state["omitted"]) == ("present", "near-complete", "3 of 3,000")
    assert state["problems"] == state["mirrors"] == [] and len(state["files"]) == len(files)
    said: list[str] = []
    sources.fetch("cifar10", said.append)
    assert said == [f"CIFAR10: complete in {sources.folder('cifar10')}"]


def test_a_damaged_webp_file_is_named_and_its_only_mirror_is_the_archives(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    record(monkeypatch, files, mirrors=("http://localhost:1/",))
    put({**files, "sheets/train_01.webp": files["sheets/train_01.webp"][:-100]})
    (problem,) = sources.status("cifar10")["problems"]
    assert "train_01.webp" in problem and "truncated" in problem
    assert sources.status("cifar10")["mirrors"] == [f"http://localhost:1/{ARCHIVE}"]
    with pytest.raises(DataError, match=f"{ARCHIVE} could not be downloaded"):
        sources.fetch("cifar10", print)


def shorter(files: Files) -> Files:
    return {**files, "sheets/train_01.webp": webp(pictures()["train"][:960])}


def cut_off(files: Files) -> Files:
    return {**files, "sheets/train_01.webp": files["sheets/train_01.webp"][:-100]}


def other_places(files: Files) -> Files:
    return {**files, "missing.csv": files["missing.csv"].replace(b"1500", b"2500")}


def no_list(files: Files) -> Files:
    return {**files, "missing.csv": b"images\n3\n"}


def fewer_labels(files: Files) -> Files:
    return {**files, "train_labels.json": json.dumps(labels("train")[:-1]).encode()}


def no_black_image(files: Files) -> Files:
    return {**files, "sheets/train_00.webp": webp(pictures()["train"][:1000])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shorter, "train_01.webp has 1280 x 768 pixels, 40 x 25 images have 1280 x 800"),
        (cut_off, "train_01.webp cannot be decoded"),
        (other_places, "missing.csv names other images of train"),
        (no_list, "missing.csv is not a list with the columns split and index"),
        (fewer_labels, "train_labels.json has 1,999 labels, the 2 files of the split have 2,000 images"),
        (no_black_image, "1 images of train are black, and not the 2"),
    ],
)
def test_files_that_do_not_fit_together_are_one_message_and_nothing_is_packed(
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Files,
    change: Callable[[Files], Files],
    message: str,
) -> None:
    changed = change(files)
    record(monkeypatch, changed)  # with their md5, as if a record were wrong
    put(changed)
    with pytest.raises(DataError, match=message):
        datamodules.build("cifar10", {}, 10, 0).setup()
    assert not [path for path in cache.folder().iterdir() if path.is_file()]
    assert any(message in problem for problem in contents.problems("cifar10"))


def test_without_its_list_of_missing_images_the_set_is_not_read(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    record(monkeypatch, files)
    put(files)
    (sources.folder("cifar10") / "missing.csv").unlink()
    assert [file.path for file in sources.missing("cifar10")] == ["missing.csv"]
    with pytest.raises(DataError, match=r"cannot read .*missing\.csv"):
        datamodules.build("cifar10", {}, 10, 0).setup()


def test_archive_and_webp_files_that_disagree_are_one_message(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    images = pictures()
    images["test"][9, 0, 0, 0] ^= 1
    archived = archive(images)
    record(monkeypatch, files, archived)
    put(files)
    put(archived)
    assert sources.verify("cifar10") == []
    (problem,) = contents.problems("cifar10")
    assert "archive and sheets/ disagree in 1 images or labels, first at place 8, of test" in problem


def test_other_images_than_those_of_the_results_are_refused_whatever_form_they_have(
    places: Path, monkeypatch: pytest.MonkeyPatch, files: Files
) -> None:
    record(monkeypatch, files, content={"train": "0", "test": "0"})
    put(files)
    with pytest.raises(DataError, match="train has other images or labels"):
        datamodules.build("cifar10", {}, 10, 0).setup()


def test_the_identity_of_the_set_is_that_of_its_samples() -> None:
    source = sources.SOURCES["cifar10"]
    assert replace(source, alternative=()).identity == source.identity
    assert replace(source, content={**source.content, "test": "0"}).identity != source.identity
    assert source.worst_case() == 0.25 and source.shortage("test") == "25 of 10,000"
    assert len(source.omitted["train"]) == 86 and source.samples == {"train": 50_000 - 86, "test": 10_000 - 25}
