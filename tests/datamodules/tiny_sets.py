"""Tiny data sets in each set's exact on-disk format: archives as they are published, put there by hand, with md5 of
their own."""

from __future__ import annotations

import hashlib
import io
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

import datamodules
from datamodules import sources
from datamodules.base import SequenceData

Events = np.ndarray  # columns x, y, t in us, p
Split = list[tuple[Events, int]]  # events and label


def install(
    name: str,
    archives: Mapping[str, bytes],
    counts: Mapping[str, int],
    monkeypatch: pytest.MonkeyPatch,
    fetch: bool = True,
) -> None:
    """Put ``archives`` where source ``name`` wants them, give the record their md5, and unpack them."""
    files = []
    for file in sources.SOURCES[name].files:
        content = archives[file.path]
        path = sources.folder(name) / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(replace(file, size=len(content), md5=hashlib.md5(content).hexdigest(), urls=()))
    record = replace(sources.SOURCES[name], files=tuple(files), samples=counts, mirrors=(), content={}, omitted={})
    monkeypatch.setitem(sources.SOURCES, name, record)
    sources.fetch(name, lambda text: None)


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda info: None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def spikes_h5(recordings: list[tuple[np.ndarray, np.ndarray, int]], times: type = np.float16) -> bytes:
    """An HDF5 file of SHD and SSC: (times in s, units, label) a recording."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for key, dtype, column in (("spikes/times", times, 0), ("spikes/units", np.uint16, 1)):
            data = file.create_dataset(key, (len(recordings),), h5py.vlen_dtype(dtype))
            for i, recording in enumerate(recordings):
                data[i] = np.asarray(recording[column], dtype)
        file["labels"] = np.array([label for _, _, label in recordings], np.uint16)
        file["extra/keys"] = np.array([f"key {i}".encode() for i in range(20)])
        file["extra/speaker"] = np.zeros(len(recordings), np.uint16)
    return out.getvalue()


def cochlea(rng: np.random.Generator, count: int, classes: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Random recordings: sorted half precision times up to 1.2 s, units 0..699."""
    recordings = []
    for i in range(count):
        times = np.sort(rng.random(rng.integers(50, 400)) * 1.2).astype(np.float16)
        recordings.append((times, rng.integers(0, 700, len(times)).astype(np.uint16), i % classes))
    return recordings


def camera(rng: np.random.Generator, side: int, count: int, end: int) -> Events:
    """``count`` random events within ``end`` us, in order."""
    t = np.sort(rng.integers(0, end, count))
    return np.stack([rng.integers(0, side, count), rng.integers(0, side, count), t, rng.integers(0, 2, count)], 1)


def bin_file(events: Events) -> bytes:
    """Five bytes an event: x, y, polarity and 23 bits of time (N-MNIST, and the DVS128 Gesture clips)."""
    x, y, t, p = events.T
    return np.stack([x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255], 1).astype(np.uint8).tobytes()


def npy_file(events: Events) -> bytes:
    """x, y, polarity, time in ms (Tonic's DVS128 Gesture)."""
    out = io.BytesIO()
    x, y, t, p = events.T
    np.save(out, np.stack([x, y, p, t // 1000], 1).astype(np.float64))
    return out.getvalue()


def npy_with(content: bytes, row: int, column: int, value: float) -> bytes:
    """An ``npy_file`` with one number changed."""
    array = np.load(io.BytesIO(content))
    out = io.BytesIO()
    array[row, column] = value
    np.save(out, array)
    return out.getvalue()


def nmnist_archives(train: Split, test: Split) -> dict[str, bytes]:
    def files(top: str, split: Split) -> dict[str, bytes]:
        return {f"{top}/{label}/{i + 1:05}.bin": bin_file(events) for i, (events, label) in enumerate(split)}

    return {"train.zip": zipped(files("Train", train)), "test.zip": zipped(files("Test", test))}


def dvs_archives(train: Split, test: Split) -> dict[str, bytes]:
    def files(top: str, split: Split) -> dict[str, bytes]:
        return {
            f"{top}/user{i + 1:02}_fluorescent/{label}.npy": npy_file(events) for i, (events, label) in enumerate(split)
        }

    return {
        "ibmGestureTrain.tar.gz": tarred(files("ibmGestureTrain", train)),
        "ibmGestureTest.tar.gz": tarred(files("ibmGestureTest", test)),
    }


def cifar_archive(train: tuple[np.ndarray, list[int]], test: tuple[np.ndarray, list[int]]) -> dict[str, bytes]:
    """uint8 images [N, 3072] and labels, in the Python version's five training batches and one test batch."""
    images, labels = train
    size = len(images) // 5
    batches = {
        f"data_batch_{k + 1}": (
            images[k * size : (k + 1) * size],
            labels[k * size : (k + 1) * size],
        )
        for k in range(5)
    }
    batches["test_batch"] = test
    files = {
        f"cifar-10-batches-py/{n}": pickle.dumps({b"data": i, b"labels": list(y)}, protocol=2)
        for n, (i, y) in batches.items()
    }
    return {"cifar-10-python.tar.gz": tarred(files)}


def subset_here(name: str) -> None:
    """Skip unless the real subset is in the BENCH_DATA of the shell that runs the tests."""
    if sources.missing(name):
        pytest.skip(f"{name} is not in BENCH_DATA ({sources.folder(name)})")


def batches(name: str, size: int = 10, **settings) -> SequenceData:
    data = datamodules.build(name, settings, size, 0)
    data.setup("fit")
    return data


def everything(loader) -> tuple[torch.Tensor, torch.Tensor]:
    parts = [(x.clone(), y) for x, y in loader]
    return torch.cat([x for x, _ in parts], 1), torch.cat([y for _, y in parts])


def nmnist_7_files(recordings: Mapping[int, Mapping[int, np.ndarray]]) -> dict[str, bytes]:
    """Files of ``nmnist-7``: by digit and MNIST number, events [n, 4] (polarity, y, x, ms), the first at 0 ms."""
    lines = ["class,mnist_number,events,steps_ms"]
    files = {}
    for digit, by_number in recordings.items():
        differences = []
        for number, events in by_number.items():
            p, y, x, ms = events.T
            codes = np.sort((p * 1156 + y * 34 + x) * 320 + ms)
            differences.append(np.diff(codes, prepend=0))
            lines.append(f"{digit},{number},{len(codes)},{ms.max() + 1}")
        files[f"events_{digit}.u32.xz"] = lzma.compress(np.concatenate(differences).astype("<u4").tobytes())
    return {"index.csv": ("\n".join(lines) + "\n").encode()} | files
