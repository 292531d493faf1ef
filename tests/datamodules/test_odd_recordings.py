"""What is odd in a recording is handled and counted, what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import cache
from datamodules.sources import DataError
from tests.datamodules import tiny_sets


def broken_h5(recording, place: int = 3, **h5) -> bytes:
    recordings = tiny_sets.cochlea(np.random.default_rng(0), 8, 20)
    recordings[place] = recording(*recordings[place])
    return tiny_sets.spikes_h5(recordings, **h5)


def shd_with(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    archives = {f"shd_{n}.h5.zip": tiny_sets.zipped({f"shd_{n}.h5": content}) for n in ("train", "test")}
    tiny_sets.install("shd", archives, {"train": 8, "test": 8}, monkeypatch)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: broken_h5(lambda t, u, y: (t, u, y))[:-3000], "truncated or damaged"),
        (lambda: b"not HDF5 at all", "truncated or damaged"),
        (lambda: broken_h5(lambda t, u, y: (t, u, 20)), r"recording 00003 has label 20, the set's are 0\.\.19"),
        (
            lambda: broken_h5(lambda t, u, y: (np.where(u > 350, np.nan, t), u, y)),
            "recording 00003: a time stamp is not finite",
        ),
        (
            lambda: broken_h5(lambda t, u, y: (np.where(u > 350, np.inf, t), u, y)),
            "recording 00003: a time stamp is not finite",
        ),
        (lambda: broken_h5(lambda t, u, y: (t, u[:-1], y)), "recording 00003 cannot be read"),
        (
            lambda: tiny_sets.spikes_h5(tiny_sets.cochlea(np.random.default_rng(0), 7, 20)),
            "7 train recordings where the set has 8",
        ),
    ],
)
def test_an_hdf5_file_that_cannot_be_used_is_named(
    places: Path, monkeypatch: pytest.MonkeyPatch, content, message: str
) -> None:
    shd_with(content(), monkeypatch)
    with pytest.raises(DataError, match=message) as error:
        tiny_sets.batches("shd")
    assert "shd_train" in str(error.value) or "SHD" in str(error.value)
    assert not [p for p in cache.folder().iterdir() if p.is_file()]


@pytest.mark.parametrize(
    ("recording", "counted"),
    [
        (lambda t, u, y: (t[::-1].copy(), u[::-1].copy(), y), {"recordings out of order, sorted": 1}),
        (lambda t, u, y: (t[:0], u[:0], y), {"empty recordings": 1}),
        (lambda t, u, y: (t, np.where(u > 350, 700 + u, u), y), {"off the sensor": -1}),
        (lambda t, u, y: (np.where(u > 350, -t - np.float16(0.01), t), u, y), {"before time 0": -1}),
        (lambda t, u, y: (t + np.float16(2), u, y), {"after the window": -1}),
    ],
)
def test_odd_events_are_handled_and_counted(
    places: Path, monkeypatch: pytest.MonkeyPatch, recording, counted: dict
) -> None:
    shd_with(broken_h5(lambda t, u, y: (t, u, y)), monkeypatch)
    plain_x = tiny_sets.everything(tiny_sets.batches("shd").test_batches())[0]
    plain = cache.entries()[0].report
    shd_with(broken_h5(recording), monkeypatch)
    x = tiny_sets.everything(tiny_sets.batches("shd").test_batches())[0]
    report = next(e.report for e in cache.entries() if e.state == "usable")
    for name, count in counted.items():
        difference = report.get(name, 0) - plain.get(name, 0)
        assert difference == count if count > 0 else difference > 0
    others = [i for i in range(8) if i != 3]
    assert torch.equal(x[:, others], plain_x[:, others])
    if "sorted" in next(iter(counted)):
        assert torch.equal(x, plain_x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: {**files, "Train/3/00004.bin": files["Train/3/00004.bin"][:-1]}, "00004.bin is truncated"),
        (lambda files: {**files, "Train/3/00004.bin": files["Train/3/00004.bin"][:-4]}, "00004.bin is truncated"),
        (
            lambda files: {k: v for k, v in files.items() if "00004" not in k},
            "23 train recordings where the set has 24",
        ),
        (
            lambda files: {**files, "Train/x/00099.bin": files["Train/3/00004.bin"]},
            "has label x, not a number",
        ),
        (
            lambda files: {k.replace("3/00004", "10/00004"): v for k, v in files.items()},
            r"00004.bin has label 10, the set's are 0\.\.9",
        ),
    ],
)
def test_a_recording_of_nmnist_that_cannot_be_used_is_named(
    places: Path, monkeypatch: pytest.MonkeyPatch, change, message: str
) -> None:
    rng = np.random.default_rng(2)
    files = {
        f"Train/{i % 10}/{i + 1:05}.bin": tiny_sets.bin_file(tiny_sets.camera(rng, 34, 100, 300_000)) for i in range(24)
    }
    test = {"Test/0/00001.bin": b""}
    archives = {"train.zip": tiny_sets.zipped(change(files)), "test.zip": tiny_sets.zipped(test)}
    tiny_sets.install("nmnist", archives, {"train": 24, "test": 1}, monkeypatch)
    with pytest.raises(DataError, match=message):
        tiny_sets.batches("nmnist")


def test_pixels_off_the_sensor_and_empty_recordings_of_nmnist_are_counted(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    off = tiny_sets.camera(rng, 34, 100, 40_000)
    off[:7, 0] = 34
    off[7:10, 1] = 99
    recordings = [(off, 0), (off[:0], 1), (tiny_sets.camera(rng, 34, 100, 900_000), 2)]
    tiny_sets.install("nmnist", tiny_sets.nmnist_archives(recordings, recordings), {"train": 3, "test": 3}, monkeypatch)
    x, y = tiny_sets.everything(tiny_sets.batches("nmnist").test_batches())
    report = next(e.report for e in cache.entries() if e.split == "test")
    assert (report["off the sensor"], report["empty recordings"], report["recordings longer than the window"]) == (
        10,
        1,
        1,
    )
    assert x[:, 1].sum() == 0 and y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda raw: raw[:-9], "8.npy cannot be read"),
        (lambda raw: b"", "8.npy cannot be read"),
        (lambda raw: b"\x80\x04pickled", "8.npy cannot be read"),
        (lambda raw: tiny_sets.npy_with(raw, 7, 3, np.nan), "8.npy: a time stamp is not finite"),
        (lambda raw: tiny_sets.npy_with(raw, 7, 3, np.inf), "8.npy: a time stamp is not finite"),
    ],
)
def test_a_recording_of_dvs_gesture_that_cannot_be_used_is_named(
    places: Path, monkeypatch: pytest.MonkeyPatch, content, message: str
) -> None:
    raw = tiny_sets.npy_file(tiny_sets.camera(np.random.default_rng(0), 128, 50, 10**6))
    top = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}
    archives = {
        f"{t}.tar.gz": tiny_sets.tarred({f"{t}/user01_led/3.npy": raw, f"{t}/user01_led/8.npy": content(raw)})
        for t in top.values()
    }
    tiny_sets.install("dvs-gesture", archives, {"train": 2, "test": 2}, monkeypatch)
    with pytest.raises(DataError, match=message):
        tiny_sets.batches("dvs-gesture")


def test_a_recording_of_dvs_gesture_with_a_wrong_label_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tiny_sets.npy_file(tiny_sets.camera(np.random.default_rng(0), 128, 50, 10**6))
    archives = {
        f"{t}.tar.gz": tiny_sets.tarred({f"{t}/user01_led/11.npy": raw}) for t in ("ibmGestureTrain", "ibmGestureTest")
    }
    tiny_sets.install("dvs-gesture", archives, {"train": 1, "test": 1}, monkeypatch)
    with pytest.raises(DataError, match=r"11.npy has label 11, the set's are 0\.\.10"):
        tiny_sets.batches("dvs-gesture")
