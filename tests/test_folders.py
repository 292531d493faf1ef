"""Folders that a group shares, or that others linked: files have the rights of the umask, and links stay."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import paths
from bench.ledger import provenance, store
from bench.ledger.store import Line
from datamodules import files
from lightning_modules.scan import kernels
from sweeps.storage import connect

LINE = Line("0123456789ab", "accuracy", "xor", "lif", 0, "laptop", "delayed-xor", value=77.5)


def _ledger() -> Path:
    store.append([LINE])
    store.append([replace(LINE, seed=1)])
    store.sort()
    return store.folder() / "xor.csv"


def _environments() -> Path:
    provenance.environment("cpu", 1)
    return paths.results() / "environments.csv"


def _page() -> Path:
    store.write(paths.results() / "README.md", "text")
    return paths.results() / "README.md"


def _kernel() -> Path:
    kernels.folder.cache_clear()
    kernels._load.cache_clear()
    kernels.load("value = 1\n", "a test")
    (file,) = kernels.folder().glob("scan_*.py")
    return file


def _sqlite() -> Path:
    connect(f"sqlite:///{paths.home()}/queue.db")
    return paths.home() / "queue.db"


def _journal() -> Path:
    connect(f"journal:///{paths.home()}/queue.journal")
    return paths.home() / "queue.journal"


MAKERS = {f.__name__[1:]: f for f in (_ledger, _environments, _page, _kernel, _sqlite, _journal)}


@pytest.fixture
def shared(places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Home and results of a group: setgid, writable by it."""
    monkeypatch.setenv("BENCH_KERNELS", str(places / "home" / "kernels"))
    for name in ("home", "results"):
        (places / name).mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(places / name, -1, 4321)
        (places / name).chmod(0o2775)
    yield places
    kernels.folder.cache_clear()
    kernels._load.cache_clear()


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o077, 0o600), (0o022, 0o644), (0o027, 0o640)])
def test_a_created_file_has_the_rights_of_the_umask_and_the_folders_group(
    shared: Path, umask: Callable[[int], int], name: str, mask: int, mode: int
) -> None:
    umask(mask)
    made = MAKERS[name]().stat()
    assert oct(stat.S_IMODE(made.st_mode)) == oct(mode)
    assert made.st_gid == (shared / "home").stat().st_gid


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_a_replaced_file_keeps_its_rights_and_its_group(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x.csv"
    path.write_text("old")
    path.chmod(mode)
    if os.getuid() == 0:
        os.chown(path, -1, 1234)
    group = path.stat().st_gid
    files.write_atomically(path, b"new")
    assert (path.read_text(), oct(stat.S_IMODE(path.stat().st_mode))) == ("new", oct(mode))
    assert path.stat().st_gid == group and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["{tmp}/other/xor.csv", "../../other/xor.csv", "{tmp}/chain.csv"])
def test_a_ledger_file_that_is_a_link_is_written_through(places: Path, target: str) -> None:
    other = places / "other" / "xor.csv"
    other.parent.mkdir()
    (places / "chain.csv").symlink_to(other)
    link = store.folder() / "xor.csv"
    link.parent.mkdir(parents=True)
    link.symlink_to(target.format(tmp=places))
    store.append([replace(LINE, seed=2), LINE])  # into a file that is not there yet
    store.append([replace(LINE, seed=1)])
    store.sort()
    assert link.is_symlink() and not other.is_symlink()
    assert [line.seed for line in store.read()] == [line.seed for line in store.read_file(other)] == [0, 1, 2]
    weights = replace(LINE, checkpoint_sha256="new")
    store.append([weights])  # takes the place of the line of other weights
    assert link.is_symlink() and weights in store.read_file(other) and LINE not in store.read_file(other)


def test_a_kernel_of_another_user_that_cannot_be_read_is_replaced(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _kernel()
    read = Path.read_text

    def refuse(self: Path, *arguments, **options) -> str:
        if self.name == path.name:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self, *arguments, **options)

    before = path.stat().st_ino
    monkeypatch.setattr(Path, "read_text", refuse)
    assert _kernel().stat().st_ino != before
