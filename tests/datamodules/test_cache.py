"""A packed file is used only if it is whole and of these settings, is built once, and never left half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datamodules import cache, sources
from datamodules.sources import DataError
from tests.conftest import ROOT, bench

built: list[str] = []


@pytest.fixture(autouse=True)
def nothing_built() -> None:
    built.clear()


def build(writer: cache.Writer) -> dict[str, int]:
    built.append("once")
    for start in range(3):
        writer.append(places=np.arange(start, start + 5, dtype=np.uint16), labels=np.full((1, 2), start))
    writer.append(counts=np.empty(0, np.uint8))
    return {"events": 15}


def obtain(split: str = "train", **settings: object) -> cache.CacheFile:
    return cache.obtain("delayed-xor", split, settings, build)


def test_what_is_read_is_what_was_written_and_it_is_built_once(places: Path) -> None:
    for _ in range(3):
        packed = obtain(bin_ms=1)
        assert packed.arrays["places"].tolist() == [0, 1, 2, 3, 4, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6]
        assert packed.arrays["places"].dtype == np.uint16
        assert packed.arrays["labels"].tolist() == [[0, 0], [1, 1], [2, 2]]
        assert packed.arrays["counts"].shape == (0,)
        assert packed.header["report"] == {"events": 15}
    assert len(built) == 1
    assert [p.name for p in cache.folder().iterdir() if p.is_file()] == [packed.path.name]
    assert cache.folder() == places / "home" / "cache"


def test_arrays_are_mapped_and_cannot_be_written_to(places: Path) -> None:
    array = obtain().arrays["places"]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    assert isinstance(array.base, np.memmap)


def test_other_settings_splits_sources_and_versions_are_other_files(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {obtain().path, obtain(bin_ms=1).path, obtain(bin_ms=4).path, obtain("test", bin_ms=1).path}
    monkeypatch.setitem(sources.SOURCES, "delayed-xor", replace(sources.SOURCES["delayed-xor"], version=99))
    paths.add(obtain(bin_ms=1).path)
    monkeypatch.setattr(cache, "VERSION", 99)
    paths.add(obtain(bin_ms=1).path)
    assert len(paths) == len(built) == 6


@pytest.mark.parametrize("damage", ["flip first", "flip header", "flip prefix", "cut", "cut to nothing", "more"])
def test_a_damaged_file_is_built_again(places: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    packed = obtain()
    path = packed.path
    intact = packed.path.read_bytes()
    del packed

    def flipped(at: int) -> bytes:
        return intact[:at] + bytes([intact[at] ^ 1]) + intact[at + 1 :]

    content = {
        "flip first": flipped(64),
        "flip header": flipped(len(intact) - 20),
        "flip prefix": flipped(9),
        "cut": intact[: len(intact) // 2],
        "cut to nothing": b"",
        "more": intact + b"x",
    }[damage]
    path.write_bytes(content)
    assert [e.state for e in cache.entries(content=True)] == ["damaged"]
    assert obtain().arrays["places"].tolist()[:3] == [0, 1, 2]
    assert len(built) == 2
    assert path.read_bytes() == intact
    assert "is damaged" in caplog.text


def test_every_single_changed_byte_is_noticed(places: Path) -> None:
    packed = obtain()
    path = packed.path
    intact = packed.path.read_bytes()
    padding = set(range(20, packed.header["arrays"]["counts"][2]))
    for name, (_, _, start) in packed.header["arrays"].items():
        padding -= set(range(start, start + packed.arrays[name].nbytes))
    assert len(intact) - len(padding) > 300
    for at in set(range(len(intact))) - padding:
        path.write_bytes(intact[:at] + bytes([intact[at] ^ 255]) + intact[at + 1 :])
        with pytest.raises(cache.Damaged):
            cache.load(path)


def test_a_failed_build_leaves_nothing(places: Path) -> None:
    def broken(writer: cache.Writer) -> dict[str, int]:
        writer.append(places=np.arange(5))
        raise DataError("label 99")

    with pytest.raises(DataError, match="label 99"):
        cache.obtain("delayed-xor", "train", {}, broken)
    assert not [p for p in cache.folder().iterdir() if p.is_file()]


FULL = """
import resource, sys
import numpy as np
from datamodules import cache
def build(writer):
    for _ in range(int(sys.argv[2])): writer.append(places=np.arange(100), counts=np.arange(7))
    return {}
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
try: cache.obtain("delayed-xor", "train", {}, build)
except cache.DataError as error: print(error)
"""


@pytest.mark.parametrize(
    ("room", "chunks"), [(1000, 10), (50_000, 100), (81_000, 100)], ids=["at once", "collecting", "joining"]
)
def test_a_disk_that_fills_is_one_message_and_leaves_nothing(places: Path, room: int, chunks: int) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(room), str(chunks)], cwd=ROOT, capture_output=True, text=True
    )
    assert (
        "cannot write the cache" in result.stdout and "GB free" in result.stdout and "Traceback" not in result.stderr
    ), result.stderr
    assert "data cache --prune" in result.stdout and "BENCH_HOME" in result.stdout
    assert not [p for p in cache.folder().iterdir() if p.is_file()]


SCRIPT = """
import os, sys, time
import numpy as np
from datamodules import cache
def build(writer):
    with open({log!r}, "a") as log: log.write("built\\n")
    writer.append(places=np.arange(1000))
    if sys.argv[1] == "die": os.kill(os.getpid(), 9)
    time.sleep(0.3)
    return {{}}
print(int(cache.obtain("delayed-xor", "train", {{}}, build).arrays["places"].sum()))
"""


def test_processes_that_meet_build_once_and_a_killed_build_is_taken_over(places: Path) -> None:
    log = places / "log"
    script = SCRIPT.format(log=str(log))
    killed = subprocess.run([sys.executable, "-c", script, "die"], cwd=ROOT, env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert {e.state for e in cache.entries()} == {"left over"}
    processes = [
        subprocess.Popen([sys.executable, "-c", script, "live"], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert [int(p.communicate()[0]) for p in processes] == [499500] * 4
    assert log.read_text() == "built\n" * 2, "once by the killed one, once by one of four"
    assert [e.state for e in cache.entries(content=True)] == ["usable"]


def test_prune_removes_what_nothing_can_use_and_nothing_else(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = obtain(bin_ms=1).path
    damaged = obtain(bin_ms=2).path
    damaged.write_bytes(damaged.read_bytes()[:-1])
    monkeypatch.setattr(cache, "VERSION", 0)
    stale = obtain(bin_ms=1).path
    monkeypatch.undo()
    monkeypatch.setenv("BENCH_HOME", str(places / "home"))
    left = keep.with_name(keep.name + ".new.places")
    left.write_bytes(b"half")
    listed = {row["file"]: row["state"] for row in json.loads(bench("data", "cache", "--json").stdout)["entries"]}
    assert listed == {keep.name: "usable", damaged.name: "damaged", stale.name: "stale", left.name: "left over"}
    result = json.loads(bench("data", "cache", "--prune", "--json").stdout)
    assert sorted(result["removed"]) == sorted([damaged.name, stale.name, left.name])
    assert [row["file"] for row in result["entries"]] == [keep.name] and result["entries"][0][
        "bytes"
    ] == keep.stat().st_size


def test_prune_leaves_a_build_that_is_under_way(places: Path) -> None:
    def during(writer: cache.Writer) -> dict[str, int]:
        writer.append(places=np.arange(5))
        assert {e.state for e in cache.entries()} == {"building"}
        assert cache.prune() == []
        return {}

    assert len(cache.obtain("delayed-xor", "train", {}, during).arrays["places"]) == 5
