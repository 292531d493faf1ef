"""The event sets as Tonic reads them, in sorted order, and their parallel packing into a cache file."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tonic import datasets
from tonic.io import read_mnist_file

from datamodules.cache import Writer
from datamodules.events import Places, drop
from datamodules.files import is_junk
from datamodules.sources import DataError, event_codes

CHUNK = 200  # recordings a task
PARALLEL = 1001  # recordings from which on starting processes pays
XYTP = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
NMNIST_7_TEST = 2 / 13  # share of the recordings of each digit: 400 of 2,600
NMNIST_7_SEED = 20240325  # of the choice of test recordings


@dataclass(frozen=True)
class Recordings:
    """One split: ``names`` sorted, and what Tonic's dataset calls each of them."""

    dataset: Any
    names: list[str]
    places: list[int]

    @classmethod
    def sort(cls, dataset: Any, names: list[str]) -> Recordings:
        """``names[i]`` is that of ``dataset[i]``. The given order may depend on the file system, the sorted one not."""
        order = sorted(range(len(names)), key=names.__getitem__)
        return cls(dataset, [names[i] for i in order], order)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Events and label. Raises ``DataError`` that names a recording which cannot be read."""
        try:
            with np.errstate(invalid="raise"):  # a time that is not finite has no value in us
                events, label = self.dataset[self.places[index]]
        except (DataError, MemoryError):
            raise
        except FloatingPointError:
            raise DataError(f"{self.names[index]}: a time stamp is not finite") from None
        except Exception as error:
            raise DataError(
                f"{self.names[index]} cannot be read ({type(error).__name__}: {error}): truncated or damaged"
            ) from None
        return events, int(label)


def _is_here(dataset: Any) -> bool:
    return True


def _tonic(cls: type, folder: Path, check: Callable[[Any], bool] = _is_here, **settings: Any) -> Any:
    """Tonic's dataset ``cls`` of the files in ``folder``.

    Their source has checked the files, so Tonic neither counts nor downloads: ``check`` takes the place of its own.
    """
    try:
        return type(folder.name, (cls,), {"_check_exists": check})(str(folder.parent), **settings)
    except MemoryError:
        raise
    except Exception as error:
        raise DataError(
            f"{folder} cannot be read as {cls.__name__} ({type(error).__name__}: {error}): truncated or damaged"
        ) from None


def shd(folder: Path, split: str) -> Recordings:
    dataset = _tonic(datasets.SHD, folder, train=split == "train")
    return Recordings.sort(dataset, [f"{dataset.data_filename} recording {i:05}" for i in range(len(dataset))])


def ssc(folder: Path, split: str) -> Recordings:
    dataset = _tonic(datasets.SSC, folder, split=split)
    return Recordings.sort(dataset, [f"{dataset.data_filename} recording {i:05}" for i in range(len(dataset))])


def _tonic_of_files(cls: type, folder: Path, part: str, ending: str, label: Callable[[Path], str]) -> Any:
    """Tonic's dataset ``cls`` of the files below ``folder / part``, in linked folders too, without those of file
    managers. ``label`` gives the number of a file's class as text.
    """

    def list_nothing(dataset: Any) -> bool:
        dataset.folder_name = ".none"  # Tonic would stop at files of file managers, and enters no linked folder
        return True

    dataset = _tonic(cls, folder, list_nothing)
    walk = os.walk(folder / part, followlinks=True)
    paths = (os.path.join(parent, name) for parent, _, names in walk for name in names if not is_junk(name))
    dataset.data = sorted(path for path in paths if path.endswith(ending))
    for path in dataset.data:
        text = label(Path(path))
        if not text.isdecimal():
            raise DataError(f"{path} has label {text}, not a number")
        dataset.targets.append(int(text))
    return dataset


def nmnist(folder: Path, split: str) -> Recordings:
    part = "Train" if split == "train" else "Test"
    dataset = _tonic_of_files(datasets.NMNIST, folder, part, ".bin", lambda path: path.parent.name)
    for path, label in zip(dataset.data, dataset.targets, strict=True):
        if os.path.getsize(path) % 5:  # Tonic would drop the rest
            raise DataError(f"{path} is truncated: it ends within an event")
        if label > 9:
            raise DataError(f"{path} has label {label}, the set's are 0..9")
    return Recordings.sort(dataset, [os.path.relpath(path, folder) for path in dataset.data])


class _Coded:
    """Recordings ``rows`` of an index. The file of a digit is decoded when its first recording is asked for."""

    def __init__(self, folder: Path, index: event_codes.Index, rows: np.ndarray) -> None:
        self.folder = folder
        self.index = index
        self.rows = rows
        self.targets = index.digits[rows]
        self.digit = -1  # whose codes are in memory
        self.codes: list[np.ndarray] = []

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        row = self.rows[place]
        digit = int(self.index.digits[row])
        if digit != self.digit:
            self.codes = event_codes.read_codes(self.folder, self.index, digit)
            self.digit = digit
        before = int((self.index.digits[:row] == digit).sum())
        return coded_events(self.codes[before]), digit


def coded_events(codes: np.ndarray) -> np.ndarray:
    """Codes as events [n] in the order of time, with x, y, polarity and time in us."""
    place, ms = np.divmod(codes.astype(np.int64), event_codes.LIMIT_MS)
    order = np.argsort(ms, kind="stable")
    p, pixel = np.divmod(place[order], event_codes.SIDE**2)
    events = np.empty(len(codes), XYTP)
    events["y"], events["x"] = np.divmod(pixel, event_codes.SIDE)
    events["t"] = 1000 * ms[order]
    events["p"] = p
    return events


def nmnist_7(folder: Path, split: str) -> Recordings:
    """``split`` of the recordings of digits 0 to 6: of each digit two of 13 are test recordings.

    A fixed seed chooses them by their sorted numbers in MNIST.
    """
    index = event_codes.read_index(folder)
    is_test = np.zeros(len(index.digits), bool)
    for digit in event_codes.digits_of(index):
        rows = np.flatnonzero(index.digits == digit)
        rows = rows[np.argsort(index.numbers[rows])]
        order = np.random.default_rng([NMNIST_7_SEED, digit]).permutation(len(rows))
        is_test[rows[order[: round(NMNIST_7_TEST * len(rows))]]] = True
    rows = np.flatnonzero(is_test == (split == "test"))
    names = [f"{digit}/{number:05}" for digit, number in zip(index.digits[rows], index.numbers[rows], strict=True)]
    return Recordings.sort(_Coded(folder, index, rows), names)


def dvs_gesture(folder: Path, split: str) -> Recordings:
    part = "ibmGestureTrain" if split == "train" else "ibmGestureTest"
    dataset = _tonic_of_files(datasets.DVSGesture, folder, part, ".npy", lambda path: path.stem)
    return Recordings.sort(dataset, [os.path.relpath(path, folder) for path in dataset.data])


@dataclass(frozen=True)
class _Clips:
    paths: list[Path]

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return read_mnist_file(str(self.paths[index]), XYTP), int(self.paths[index].name.split("_")[0])


def dvs_clips(folder: Path, split: str) -> Recordings:
    """The ten clips; both splits are all of them."""
    paths = sorted(folder.glob("[!.]*.bs2"))
    return Recordings.sort(_Clips(paths), [path.name for path in paths])


@dataclass(frozen=True)
class Reading:
    """How a split becomes a cache file. Plain values, so that other processes can read a part of it."""

    open: Callable[[Path, str], Recordings]
    folder: Path
    split: str
    transform: Any  # datamodules.events
    classes: int
    drop: float = 0.0  # share of every recording's events to leave out, before the transform
    drop_seed: int = 0

    def rows(self, limit: int | None, expected: int) -> np.ndarray:
        """Recordings to read: all, or ``limit`` evenly spread over the sorted names.

        Raises ``DataError`` when some are missing.
        """
        _open_split.cache_clear()  # the files may have been replaced since an earlier reading in this process
        count = len(_open_split(self))
        if count != expected:
            raise DataError(
                f"{self.folder} has {count:,} {self.split} recordings where the set has {expected:,}: "
                "incomplete or another set"
            )
        if limit is None or limit >= count:
            return np.arange(count)
        return np.linspace(0, count - 1, limit).round().astype(int)


@cache
def _open_split(reading: Reading) -> Recordings:
    return reading.open(reading.folder, reading.split)


def read(reading: Reading, rows: np.ndarray) -> tuple[dict[str, np.ndarray], Counter]:
    """Packed arrays of some recordings and the report on them. Raises ``DataError`` for what cannot be used."""
    recordings = _open_split(reading)
    report: Counter = Counter()
    packed: list[Places] = []
    labels = []
    for row in rows:
        events, label = recordings[row]
        if not 0 <= label < reading.classes:
            raise DataError(f"{recordings.names[row]} has label {label}, the set's are 0..{reading.classes - 1}")
        labels.append(label)
        if reading.drop:
            events = drop(events, reading.drop, np.random.default_rng([reading.drop_seed, int(row)]))
        packed.append(reading.transform(events, report))
    return _arrays(reading.transform, packed, report) | {"labels": np.array(labels, np.int64)}, report


def _arrays(transform: Any, packed: list[Places], report: Counter) -> dict[str, np.ndarray]:
    lengths = np.array([len(places) for places, _ in packed], np.int64)
    places = np.concatenate([places for places, _ in packed])
    counts = np.concatenate([np.ones(len(p), np.int64) if c is None else c for p, c in packed])
    report["counts above 65,535, cut"] += int((counts > 65_535).sum())
    counts = np.minimum(counts, 65_535).astype(np.uint16 if transform.counts else np.uint8)
    size = transform.steps * transform.channels
    if not transform.sparse:
        frames = np.zeros((len(packed), size), counts.dtype)
        frames[np.repeat(np.arange(len(packed)), lengths), places] = counts
        return {"frames": frames}
    arrays = {"places": places.astype(np.min_scalar_type(size - 1)), "lengths": lengths}
    return arrays | ({"counts": counts} if transform.counts else {})


def pack(reading: Reading, rows: np.ndarray, writer: Writer) -> dict[str, int]:
    """Write ``rows`` in their order. Returns the report: counts of events read, left out, merged and sorted."""
    report: Counter = Counter()
    parts = [rows[k : k + CHUNK] for k in range(0, len(rows), CHUNK)]
    for arrays, part_report in _results(reading, parts, parallel=len(rows) >= PARALLEL):
        writer.append(**arrays)
        report.update(part_report)
    return {name: int(count) for name, count in report.items() if count}


def _results(
    reading: Reading, parts: list[np.ndarray], parallel: bool
) -> Iterator[tuple[dict[str, np.ndarray], Counter]]:
    from tqdm import tqdm

    with tqdm(
        total=sum(map(len, parts)), desc=f"reading {reading.folder.name} {reading.split}", file=sys.stderr, disable=None
    ) as bar:
        if not parallel:
            for part in parts:
                yield read(reading, part)
                bar.update(len(part))
            return
        with ProcessPoolExecutor(min(os.cpu_count() or 1, len(parts)), get_context("spawn")) as pool:
            for part, result in zip(parts, pool.map(read, [reading] * len(parts), parts), strict=True):
                yield result
                bar.update(len(part))
