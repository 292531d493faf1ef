"""An archive is unpacked completely and safely, or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from datamodules import sources
from datamodules.sources import DataError, File
from datamodules.sources import unpack as unpacking
from tests.conftest import ROOT
from tests.datamodules.tiny_sets import tarred, zipped
from tests.datamodules.toy_source import fetch, offer


def link(info: tarfile.TarInfo) -> None:
    info.type = tarfile.SYMTYPE
    info.linkname = "/etc"
    info.size = 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("toy.zip", zipped({"Train/0/1.bin": b"1", "../evil": b"x"}), "points outside"),
        ("toy.zip", zipped({"Train/0/1.bin": b"1", "Train/../../evil": b"x"}), "points outside"),
        ("toy.zip", zipped({"/evil": b"x", "Train/0/1.bin": b"1"}), "points outside"),
        ("toy.zip", zipped({"Train\\..\\..\\evil": b"x", "Train/0/1.bin": b"1"}), "points outside"),
        ("toy.tar.gz", tarred({"Train/0/1.bin": b"1", "../evil": b"x"}), "points outside"),
        ("toy.tar.gz", tarred({"Train/link": b""}, link), "neither file nor folder"),
        ("toy.zip", zipped({"Test/0/1.bin": b"1"}), "does not hold Train"),
        ("toy.zip", b"no archive", "damaged"),
        ("toy.zip", zipped({"Train/0/1.bin": b"1" * 500})[:-20], "damaged"),
        ("toy.tar.gz", tarred({"Train/0/1.bin": os.urandom(50_000)})[:30_000], "damaged"),
    ],
)
def test_dangerous_damaged_and_foreign_archives_leave_nothing(
    places: Path, name: str, content: bytes, message: str
) -> None:
    target = places / "data" / "toy"
    target.mkdir(parents=True)
    (target / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        unpacking.unpack(target / name, File(name, None, "md5", unpacks=("Train",)))
    assert [path.name for path in target.iterdir()] == [name]
    assert not list(places.rglob("evil"))


def test_an_archive_without_what_is_read_from_it_is_refused_before_anything_changes(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tarred({"Test/1.bin": b"1"})
    (places / "whole.tar.gz").write_bytes(content)
    offer(monkeypatch, f"file://{places}/whole.tar.gz", content=content, unpacks=("Train",))
    with pytest.raises(DataError, match="damaged|does not hold Train"):
        fetch()
    assert sources.status("toy")["state"] == "missing"


def test_unpacked_files_that_changed_are_found_and_repaired(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = zipped({"Train/0/1.bin": b"1" * 10, "Train/0/2.bin": b"2" * 10, "toy.h5": b"h5"})
    file_path = offer(monkeypatch, content=content, unpacks=("Train", "toy.h5"))
    file_path.parent.mkdir(parents=True)
    file_path.write_bytes(content)
    fetch()
    for path, damage in (("Train/0/1.bin", b"x" * 10), ("Train/0/3.bin", b"new"), ("toy.h5", b"H5")):
        (file_path.parent / path).write_bytes(damage)
        assert "truncated, damaged or changed" in sources.verify("toy")[0]
        with pytest.raises(DataError, match="data fetch toy"):
            sources.check("toy")
        fetch()
        assert sources.verify("toy") == []
    (file_path.parent / "toy.h5").write_bytes(b"h")
    assert sources.missing("toy"), "a size that differs is seen without reading"


def test_a_disk_that_fills_while_unpacking_is_one_message_and_leaves_nothing(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped({"Train/0/1.bin": b"1" * 10})
    file_path = offer(monkeypatch, content=content, unpacks=("Train",))
    file_path.parent.mkdir(parents=True)
    file_path.write_bytes(content)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("datamodules.sources.unpack.shutil.copyfileobj", full)
        with pytest.raises(DataError, match="No space left on device.*free some space or set BENCH_DATA"):
            fetch()
    assert [p.name for p in file_path.parent.iterdir() if not p.name.startswith(".fetch")] == [
        file_path.name
    ] and sources.missing("toy")
    fetch()
    assert sources.missing("toy") == []


def test_a_killed_unpacking_is_never_used(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at every member, and between the folder and its marker: nothing counts as data until all is in place."""
    content = zipped({f"Train/0/{i}.bin": b"1" * 10 for i in range(4)})
    file_path = offer(monkeypatch, content=content, unpacks=("Train",))
    file_path.parent.mkdir(parents=True)
    file_path.write_bytes(content)
    script = (
        "import os, sys, shutil; from datamodules.sources import File, unpack as u\n"
        "from pathlib import Path; stop = int(sys.argv[1]); count = 0\n"
        "def counted(function):\n"
        "    def call(*a, **k):\n"
        "        global count; count += 1\n"
        "        if count == stop: os.kill(os.getpid(), 9)\n"
        "        return function(*a, **k)\n"
        "    return call\n"
        "u.shutil.copyfileobj = counted(shutil.copyfileobj)\n"
        "u.os.replace = counted(os.replace)\n"
        "u.digest = counted(u.digest)\n"
        f"file = File('toy.zip', None, {sources.SOURCES['toy'].files[0].md5!r}, unpacks=('Train',))\n"
        f"u.unpack(Path({str(file_path)!r}), file)\n"
    )
    codes = []
    for stop in range(1, 10):
        codes.append(subprocess.run([sys.executable, "-c", script, str(stop)], cwd=ROOT).returncode)
        if codes[-1] == -signal.SIGKILL:
            assert sources.missing("toy"), f"killed at {stop}"
    assert codes == [-signal.SIGKILL] * 8 + [0]
    assert sources.verify("toy") == []
    assert sorted(p.name for p in file_path.parent.iterdir()) == [".toy.zip.complete", "Train", "toy.zip"]
