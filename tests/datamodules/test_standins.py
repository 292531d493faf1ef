"""Stand-ins are the same bytes for the same seed, look like what they stand for, and nothing unfinished is taken for
finished."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tonic
from click.testing import CliRunner
from scipy.io import wavfile
from tonic.io import read_mnist_file

from datamodules import sources
from datamodules.sources import DataError, File, Source
from datamodules.sources.manifest import MANIFEST
from datamodules.standins import STANDINS, cochlea, manifest_problem, nmnist, spoken_digits
from datamodules.standins.__main__ import main
from datamodules.standins.compare import decode
from datamodules.standins.production import filling
from datamodules.standins.sensor import DURATION, Sensor, Studio
from tests.conftest import ROOT

XYTP = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
LIMITS = {"Train": 12, "Test": 6}


def strokes(seed: int, count: int) -> np.ndarray:
    """Images [count, 28, 28] of one thick bar each."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28] - 13.5
    angle = rng.uniform(0, np.pi, count)[:, None, None]
    across = x * np.cos(angle) + y * np.sin(angle)
    along = y * np.cos(angle) - x * np.sin(angle)
    return (255 * np.clip(2.5 - abs(across), 0, 1) * np.clip(9 - abs(along), 0, 1)).astype(np.uint8)


@pytest.fixture
def tiny_mnist(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """12 training and 6 test images in MNIST's own format; the data folder."""
    records = []
    for split, count in (("train", 12), ("t10k", 6)):
        for kind, array in (
            ("images-idx3", strokes(count, count)),
            ("labels-idx1", np.arange(count, dtype=np.uint8) % 10),
        ):
            content = gzip.compress(
                struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes(),
                mtime=0,
            )
            path = f"raw/{split}-{kind}-ubyte.gz"
            file_path = places / "data" / "mnist" / path
            file_path.parent.mkdir(parents=True, exist_ok=True)
            file_path.write_bytes(content)
            records.append(File(path, len(content), hashlib.md5(content).hexdigest()))
    monkeypatch.setitem(sources.SOURCES, "mnist", Source("mnist", "MNIST", files=tuple(records)))
    return places / "data"


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two digits by two speakers, two recordings in each split: a rising and a falling tone of 0.1 s."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    t = np.arange(800) / 8000
    for digit in (0, 1):
        for pitch, speaker in ((300, "anna"), (400, "bert")):
            for index in (0, 1, 5, 6):
                sweep = np.sin(2 * np.pi * (pitch + 20 * index) * t * (1 + (2 * digit - 1) * t))
                wavfile.write(folder / f"{digit}_{speaker}_{index}.wav", 8000, (20_000 * sweep).astype(np.int16))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """All visible files below ``folder`` but the manifest."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".") and p.name != MANIFEST)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_nmnist_follows_from_seed_split_and_index_alone(tiny_mnist: Path, tmp_path: Path) -> None:
    nmnist.generate(tmp_path / "a", 3, LIMITS)
    files = tree(tmp_path / "a")
    assert len(files) == 18 and "Train/0/00001.bin" in files and "Test/5/00006.bin" in files
    nmnist.generate(tmp_path / "b", 4, LIMITS)
    other = tree(tmp_path / "b")
    assert files.keys() == other.keys() and all(files[name] != other[name] for name in files)
    nmnist.generate(tmp_path / "c", 3, {"Train": 5, "Test": 2})
    assert all(content == files[name] for name, content in tree(tmp_path / "c").items())
    images, _ = nmnist.mnist("Train")
    assert nmnist.encode(nmnist.sample(Studio(Sensor(), 3), images[7], 3, "Train", 7)) == files["Train/7/00008.bin"]


def test_nmnist_is_the_same_whatever_the_number_of_workers(
    tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nmnist, "CHUNK", 4)
    serial = nmnist.generate(tmp_path / "a", 3, LIMITS, workers=1)
    parallel = nmnist.generate(tmp_path / "b", 3, LIMITS, workers=2)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert serial == parallel and serial["events"] == sum(map(len, tree(tmp_path / "a").values())) // 5


def test_nmnist_goes_on_where_it_stopped(tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a"
    nmnist.generate(out, 3, LIMITS)
    files = tree(out)
    assert manifest_problem(out, 1, {"train": 12, "test": 6}) is None

    (out / "Train/3/00004.bin").unlink()
    (out / "Train/4/00005.bin").write_bytes(files["Train/4/00005.bin"][:7])
    (out / "Train/5/00006.bin").write_bytes(b"")
    (out / "Train/6/.part-x").write_bytes(b"half")
    manifest = json.loads((out / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps({**manifest, "complete": False}))
    assert "unfinished" in str(manifest_problem(out, 1))

    remade = []
    sample = nmnist.sample
    monkeypatch.setattr(nmnist, "sample", lambda *a: remade.append(a[-1]) or sample(*a))
    nmnist.generate(out, 3, LIMITS)
    assert remade == [3, 4, 5] and tree(out) == files and not list(out.rglob(".part-*"))
    assert json.loads((out / MANIFEST).read_text()) == manifest


def test_a_killed_generation_is_unfinished(tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a"
    write = nmnist.write_atomically

    def stop(path: Path, content: bytes) -> None:
        if path.name == "00007.bin":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(nmnist, "write_atomically", stop)
    with pytest.raises(KeyboardInterrupt):
        nmnist.generate(out, 3, LIMITS)
    assert "unfinished" in str(manifest_problem(out, 1)) and len(tree(out)) == 6
    monkeypatch.setattr(nmnist, "write_atomically", write)
    nmnist.generate(out, 3, LIMITS)
    assert manifest_problem(out, 1) is None and len(tree(out)) == 18


def test_killed_with_its_workers_it_leaves_no_process_and_goes_on(tiny_mnist: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        "from datamodules.standins.production import filling, run_parallel\n"
        "def work(name):\n    Path(name).write_text(str(os.getpid()))\n    time.sleep(60)\n"
        "if __name__ == '__main__':\n    with filling(Path(sys.argv[1]), 'x', {}):\n"
        "        list(run_parallel(work, sys.argv[2:], 2, [1, 1], 'x'))\n"
    )
    names = [str(tmp_path / name) for name in "pq"]
    command = [sys.executable, str(program), str(out), *names]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)

    def until(condition: Callable[[], object]) -> bool:
        return any(condition() or time.sleep(0.1) for _ in range(300))

    assert until(lambda: all(os.path.exists(name) and Path(name).read_text() for name in names))
    process.kill()
    process.wait()
    assert until(lambda: not any(os.path.exists(f"/proc/{Path(name).read_text()}") for name in names))
    assert "unfinished" in str(manifest_problem(out, 1))
    with filling(out, "x", {}):
        pass


def test_tonic_reads_three_bursts_of_both_polarities(tiny_mnist: Path, tmp_path: Path) -> None:
    nmnist.generate(tmp_path / "a", 3, LIMITS)
    recordings = [read_mnist_file(str(p), XYTP) for p in sorted((tmp_path / "a").glob("T*/*/*.bin"))]
    assert len(recordings) == 18
    for events in recordings:
        assert events["x"].min() >= 0 and events["x"].max() < 34 and events["y"].min() >= 0 and events["y"].max() < 34
        assert events["t"].min() >= 0 and events["t"].max() < DURATION * 1000 and np.all(np.diff(events["t"]) >= 0)
        assert 0.4 < events["p"].mean() < 0.6
    rate = np.mean([np.histogram(events["t"], np.arange(0, 315_001, 15_000))[0] for events in recordings], axis=0)
    bursts = [rate[1:5].max(), rate[8:12].max(), rate[15:19].max()]
    pauses = [rate[5:8].min(), rate[12:15].min()]
    assert min(bursts) > 3 * max(pauses)


def test_tonics_nmnist_class_takes_the_files(tiny_mnist: Path, tmp_path: Path) -> None:
    nmnist.generate(tmp_path / "NMNIST", 3, LIMITS)
    read = type("NMNIST", (tonic.datasets.NMNIST,), {"_check_exists": lambda self: True})(str(tmp_path), train=False)
    assert sorted(read.targets) == [0, 1, 2, 3, 4, 5]
    assert all(len(read[i][0]) > 300 for i in range(6))


def test_a_blank_image_gives_only_noise() -> None:
    sensor = Sensor()
    studio = Studio(sensor, 0)
    recordings = [studio.record(np.zeros((28, 28), np.uint8), np.random.default_rng(k)) for k in range(50)]
    x, y, rate = sensor.hot
    hot = [((e[:, 1] == x) & (e[:, 2] == y)).sum() for e in recordings]
    background = np.array([len(e) for e in recordings]) - hot
    assert abs(np.mean(background) / (sensor.noise * 34 * 34 * DURATION / 1000) - 1) < 0.1
    assert abs(np.mean(hot) / (rate * DURATION / 1000) - 1) < 0.2
    still = Studio(Sensor(noise=0.0, hot=(0, 0, 0.0)), 0).record(np.zeros((28, 28), np.uint8), np.random.default_rng(0))
    assert len(still) == 0


def test_refractory_pixels_wait_and_higher_thresholds_give_fewer_events() -> None:
    image = strokes(0, 1)[0]
    quiet = Sensor(noise=0.0, hot=(0, 0, 0.0))
    counts = []
    for threshold in (0.15, 0.3, 0.6):
        sensor = replace(quiet, threshold_on=threshold, threshold_off=threshold, refractory=2.0)
        events = Studio(sensor, 0).record(image, np.random.default_rng(0))
        counts.append(len(events))
        pixel = events[:, 2] * 34 + events[:, 1]
        order = np.lexsort((events[:, 0], pixel))
        gaps = np.diff(events[order, 0])[pixel[order][1:] == pixel[order][:-1]]
        assert gaps.min() >= 1999  # us, times are cut to whole ones
    assert counts[0] > counts[1] > counts[2] > 0


def test_files_hold_what_was_recorded() -> None:
    events = np.array([[0, 0, 0, 0], [5, 33, 1, 1], [65_536, 2, 33, 0], [314_999, 33, 33, 1]])
    assert np.array_equal(decode(nmnist.encode(events)), events)


def test_nmnist_refuses_what_it_cannot_do_in_one_message(
    tiny_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner().invoke

    def message(*arguments: str) -> str:
        result = run(main, [*arguments])
        lines = [line for line in result.output.splitlines() if line.startswith("Error")]
        assert result.exit_code == 1 and len(lines) == 1, result.output
        return lines[0]

    out = str(tmp_path / "a")
    assert "at least 1" in message("nmnist", "--out", out, "--workers", "0")
    assert "at least 1" in message("nmnist", "--out", out, "--limit-train", "0")
    assert not os.path.exists(out)
    (tmp_path / "file").write_text("")
    assert "cannot write" in message("nmnist", "--out", str(tmp_path / "file"), "--workers", "1")
    (tmp_path / "real" / "Train").mkdir(parents=True)
    assert "other files" in message("nmnist", "--out", str(tmp_path / "real"), "--workers", "1")
    assert (
        run(main, ["nmnist", "--out", out, "--workers", "1", "--limit-train", "2", "--limit-test", "2"]).exit_code == 0
    )
    assert "other settings (samples, seed)" in message("nmnist", "--out", out, "--workers", "1", "--seed", "5")
    with filling(tmp_path / "held", "x", {}):
        assert "another process" in message("nmnist", "--out", str(tmp_path / "held"), "--workers", "1")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    assert "MNIST" in message("nmnist", "--out", str(tmp_path / "b"), "--workers", "1")
    assert "no recordings" in message("spoken-digits", "--out", str(tmp_path / "b"), "--workers", "1")
    assert "no real recordings" in message("compare-nmnist")


def test_spoken_digits_have_shds_layout_and_tonic_reads_them(speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "SHD"
    summary = spoken_digits.generate(out, 3, folder=speech)
    assert summary["samples"] == {"train": 8, "test": 8} and manifest_problem(out, 1) is None
    with h5py.File(out / "shd_train.h5") as file:
        assert h5py.check_vlen_dtype(file["spikes/times"].dtype) == np.float16
        assert h5py.check_vlen_dtype(file["spikes/units"].dtype) == np.uint16
        assert file["labels"][()].tolist() == [0, 1] * 4
        assert len(file["extra/keys"]) == 10 and set(file["extra/speaker"][()].tolist()) == {0, 1}
        assert "stand-in" in file.attrs["what"]
        for times, units in zip(file["spikes/times"][()], file["spikes/units"][()], strict=True):
            assert len(times) == len(units) > 100 and units.min() >= 0 and units.max() < 700
            assert np.all(np.diff(times) >= 0) and times.min() >= 0 and times.max() <= 0.1
    read = type("SHD", (tonic.datasets.SHD,), {"_check_exists": lambda self: True})(str(tmp_path), train=False)
    events, label = read[3]
    assert label == 1 and events["t"].max() <= 100_000 and events["x"].max() < 700


def test_spoken_digits_are_the_same_whatever_the_workers_and_after_an_interruption(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spoken_digits, "CHUNK", 4)
    spoken_digits.generate(tmp_path / "a", 3, folder=speech)
    files = tree(tmp_path / "a")
    assert sorted(files) == ["shd_test.h5", "shd_train.h5"]
    spoken_digits.generate(tmp_path / "b", 4, folder=speech)
    assert tree(tmp_path / "b")["shd_test.h5"] != files["shd_test.h5"]

    with monkeypatch.context() as patch:
        patch.setattr(spoken_digits, "_hdf5", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            spoken_digits.generate(tmp_path / "c", 3, folder=speech)
    assert "unfinished" in str(manifest_problem(tmp_path / "c", 1))
    parts = sorted((tmp_path / "c" / spoken_digits.PARTS).iterdir())
    assert len(parts) == 4
    parts[0].unlink()
    spoken_digits.generate(tmp_path / "c", 3, folder=speech, workers=2)
    assert tree(tmp_path / "c") == files and not (tmp_path / "c" / spoken_digits.PARTS).exists()


def test_a_damaged_recording_is_named(speech: Path, tmp_path: Path) -> None:
    (speech / "0_anna_5.wav").write_bytes(b"no wave")
    with pytest.raises(DataError, match="0_anna_5.wav cannot be read"):
        spoken_digits.generate(tmp_path / "a", 3, folder=speech)


def test_the_membrane_maps_high_frequencies_to_its_base() -> None:
    t = np.arange(4800) / cochlea.RATE
    places = [cochlea.membrane(np.sin(2 * np.pi * f * t), 70)[:, 1000:].std(1).argmax() for f in (4000, 1000, 250)]
    assert places == sorted(places) and places[2] - places[0] > 20
    times, units = cochlea.spikes(np.zeros(2400), np.random.default_rng(0), 70)
    assert len(times) < 70  # silence: spontaneous spikes only


def test_stand_ins_say_that_they_are() -> None:
    assert all(
        s.kind == "stand-in" and "stand-in" in s.title and s.name not in ("nmnist", "shd") for s in STANDINS.values()
    )


@pytest.mark.skipif(
    not list((sources.folder("mnist").parent / "nmnist").glob("Train/*/*.bin")), reason="no real N-MNIST in BENCH_DATA"
)
def test_events_are_those_of_real_recordings_of_the_same_digits() -> None:
    from datamodules.standins.compare import pairs

    real, simulated, _ = pairs(60, 0)
    counts = np.array([[len(a), len(b)] for a, b in zip(real, simulated, strict=True)])
    assert np.all(abs(np.log(counts[:, 1] / counts[:, 0])) < 0.2) and np.corrcoef(counts.T)[0, 1] > 0.98
