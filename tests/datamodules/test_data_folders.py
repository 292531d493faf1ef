"""Data folders as people have them: read-only, with files of file managers, linked, or one step beside."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import cache, sources
from datamodules.locks import LockError
from datamodules.sources import DataError, download, local
from datamodules.sources.records import MNIST
from tests.datamodules import tiny_sets

JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", "._00001.bin", "._0.npy")


@pytest.fixture
def cameras(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny N-MNIST and DVS Gesture."""
    rng = np.random.default_rng(2)
    sizes = {"train": 12, "test": 4}
    for name, archives, side in (
        ("nmnist", tiny_sets.nmnist_archives, 34),
        ("dvs-gesture", tiny_sets.dvs_archives, 128),
    ):
        splits = [
            [(tiny_sets.camera(rng, side, 900, 310_000), i % 10) for i in range(count)] for count in sizes.values()
        ]
        tiny_sets.install(name, archives(*splits), sizes, monkeypatch)


def read_afresh(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    for entry in cache.entries():
        entry.path.unlink()
    return tiny_sets.everything(tiny_sets.batches(name).test_batches())


def same(a: tuple[torch.Tensor, torch.Tensor], b: tuple[torch.Tensor, torch.Tensor]) -> bool:
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("nmnist", (".", "Train", "Test/0")),
        ("dvs-gesture", (".", "ibmGestureTest", "ibmGestureTest/user01_fluorescent")),
    ],
)
def test_files_of_file_managers_change_nothing(
    cameras: None, monkeypatch: pytest.MonkeyPatch, name: str, folders: tuple[str, ...]
) -> None:
    before = read_afresh(name)
    for folder in folders:
        for junk in JUNK:
            (sources.folder(name) / folder / junk).write_bytes(b"\0\5\26\7")
    assert sources.verify(name) == [] and sources.missing(name) == []
    monkeypatch.setattr(download, "locked", lambda *_: pytest.fail("it is complete"))
    sources.fetch(name, lambda text: None)
    assert same(read_afresh(name), before)


def test_an_archive_that_held_such_files_when_they_counted_is_still_complete(cameras: None) -> None:
    folder = sources.folder("nmnist")
    (folder / "Train" / ".DS_Store").write_bytes(b"old")
    marker = local.marker(folder / "train.zip")
    count, size, md5 = local.digest(folder / "Train", junk=True)
    assert count == local.digest(folder / "Train")[0] + 1
    marker.write_text(
        f'{{"md5": "{sources.SOURCES["nmnist"].files[0].md5}", "content": {{"Train": [{count}, {size}, "{md5}"]}}}}'
    )
    assert sources.verify("nmnist") == []


def test_a_linked_folder_of_a_class_is_read_and_a_link_to_nothing_is_named(cameras: None, tmp_path: Path) -> None:
    before = read_afresh("nmnist")
    inside = sources.folder("nmnist") / "Test" / "1"
    shutil.move(inside, tmp_path / "one")
    inside.symlink_to(tmp_path / "one")
    assert sources.verify("nmnist") == []
    assert same(read_afresh("nmnist"), before)
    (file,) = inside.glob("*.bin")
    file.rename(tmp_path / "gone.bin")
    file.symlink_to(tmp_path / "never.bin")
    (reason,) = sources.verify("nmnist")
    assert reason == f"{file} is a link to {tmp_path / 'never.bin'}, which is not there"


@pytest.mark.parametrize("kind", ["file", "folder", "archive"])
def test_a_link_to_nothing_in_the_place_of_data_is_named(cameras: None, kind: str) -> None:
    folder = sources.folder("nmnist")
    path = folder / {"file": "Train/0/00001.bin", "folder": "Train", "archive": "train.zip"}[kind]
    if kind == "folder":
        shutil.rmtree(path)
    else:
        path.unlink()
    if kind == "archive":
        local.marker(path).unlink()
    path.symlink_to("nowhere")
    assert f"{path} is a link to nowhere, which is not there" in sources.verify("nmnist")[0]
    with pytest.raises(DataError, match="is a link to nowhere"):
        sources.check("nmnist")


@pytest.mark.parametrize("name", ["nmnist", "dvs-gesture"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_read_only_folder_serves_while_it_is_complete(
    cameras: None, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise LockError(number, os.strerror(number), str(path))

    monkeypatch.setattr(download, "locked", refuse)
    lines: list[str] = []
    sources.fetch(name, lines.append)
    assert lines == [f"{sources.SOURCES[name].title}: complete in {sources.folder(name)}"]
    next(sources.folder(name).rglob("*.[bn][ip][ny]")).unlink()
    with pytest.raises(DataError, match="get the right to write there or set BENCH_DATA"):
        sources.fetch(name, lines.append)


def put_mnist(folder: str, ending: str = ".gz") -> Callable[[Path], tuple[Path, Path]]:
    """Files of MNIST's names in ``folder``; the first, and where it is expected."""

    def put(data: Path) -> tuple[Path, Path]:
        for file in MNIST.files:
            path = data / folder / Path(file.path).name.replace(".gz", ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        first = Path(MNIST.files[0].path)
        return data / folder / first.name.replace(".gz", ending), data / "mnist" / first

    return put


def put_spikes(folder: str) -> Callable[[Path], tuple[Path, Path]]:
    def put(data: Path) -> tuple[Path, Path]:
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / "shd_train.h5").write_bytes(b"")
        return data / folder / "shd_train.h5", data / "SHD" / "shd_train.h5.zip"

    return put


@pytest.mark.parametrize(
    ("name", "put"),
    [
        ("mnist", put_mnist("MNIST/raw")),  # torchvision with root=data
        ("mnist", put_mnist("mnist/MNIST/raw")),  # torchvision with root=data/mnist
        ("mnist", put_mnist("mnist")),
        ("mnist", put_mnist("raw")),  # BENCH_DATA is the set's own folder
        ("mnist", put_mnist(".")),
        ("mnist", put_mnist("mnist/raw", "")),  # unpacked
        ("mnist", put_mnist("MNIST/raw", "")),
        ("shd", put_spikes("SHD")),
        ("shd", put_spikes("shd")),
        ("shd", put_spikes(".")),
    ],
)
def test_data_one_step_beside_is_named_with_the_place_where_it_is_expected(
    places: Path, name: str, put: Callable[[Path], tuple[Path, Path]]
) -> None:
    found, expected = put(places / "data")
    text = sources.status(name)["nearby"]
    assert f"found {found}" in text and expected.name in text
    assert str(expected.parent) in text
    with pytest.raises(DataError) as error:
        sources.check(name)
    assert text in str(error.value)


def test_the_folder_of_another_set_is_not_taken_for_a_misplaced_one(places: Path) -> None:
    (places / "data" / "nmnist" / "Train").mkdir(parents=True)  # of nmnist-subset
    assert sources.status("nmnist")["nearby"] == ""
    assert sources.status("mnist")["nearby"] == ""
