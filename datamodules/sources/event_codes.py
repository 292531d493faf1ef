"""Reads the recordings of source ``nmnist-7``: events as codes, one compressed file a digit. Loads no torch.

``index.csv`` lists the recordings in the order of the files: class, mnist_number, events, steps_ms. A file
``events_<class>.u32.xz`` holds the sorted codes of every recording in turn, each as its difference from the one before
(the first from 0), in little-endian 32-bit integers. A code is ``place * 320 + ms`` with
``place = polarity * 1156 + y * 34 + x``, and ``ms`` counts from the first event. A code that comes twice is two events.
"""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.sources import local
from datamodules.sources.local import DataError

INDEX = "index.csv"
SIDE = 34  # pixels of a row and of a column
PLACES = 2 * SIDE * SIDE
LIMIT_MS = 320  # of a recording
_HEADER = ["class", "mnist_number", "events", "steps_ms"]


@dataclass(frozen=True)
class Index:
    """Columns of ``index.csv``, int64 [recordings]. Files of digits follow each other in the order of ``digits``."""

    digits: np.ndarray
    numbers: np.ndarray  # 1-based, in MNIST's training set
    events: np.ndarray
    steps_ms: np.ndarray

    def of(self, digit: int) -> Index:
        """The rows of ``digit``."""
        rows = self.digits == digit
        return Index(self.digits[rows], self.numbers[rows], self.events[rows], self.steps_ms[rows])


def event_file(folder: Path, digit: int) -> Path:
    """The file of all recordings of ``digit``."""
    return folder / f"events_{digit}.u32.xz"


def read_index(folder: Path) -> Index:
    """``index.csv``. Raises ``DataError`` if it is missing or no such list."""
    path = folder / INDEX
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        table = np.array(rows, np.int64).reshape(-1, len(_HEADER))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None
    except ValueError:
        raise DataError(f"{path} is not a list of recordings: truncated or damaged") from None
    if header != _HEADER or not len(table) or len(set(map(tuple, table[:, :2].tolist()))) != len(table):
        raise DataError(f"{path} is not a list of recordings ({', '.join(_HEADER)}), each one once")
    return Index(*table.T)


def read_codes(folder: Path, index: Index, digit: int) -> list[np.ndarray]:
    """Codes of each recording of ``digit``, uint32, sorted, in the order of ``index``.

    Raises ``DataError`` if the file cannot be decoded or does not hold what the index lists.
    """
    path = event_file(folder, digit)
    try:
        with lzma.open(path) as file:
            content = file.read()
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path} cannot be decompressed ({error}): cut off or damaged") from None
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror})") from None
    rows = index.of(digit)
    listed = int(rows.events.sum())
    if len(content) != 4 * listed:
        raise DataError(
            f"{path} holds {len(content) / 4:,g} events where {INDEX} lists {listed:,} of digit {digit}: one of the two"
            " is of another version"
        )
    differences = np.frombuffer(content, "<u4")
    parts = np.split(differences, np.cumsum(rows.events)[:-1])
    codes = []
    for part, number, steps_ms in zip(parts, rows.numbers, rows.steps_ms, strict=True):
        total = part.cumsum(dtype=np.uint64)
        ms = total % LIMIT_MS
        if not len(part) or total[-1] >= PLACES * LIMIT_MS or ms.min() > 0 or ms.max() >= steps_ms:
            raise DataError(
                f"{path}: recording {number} is not one of {SIDE} x {SIDE} pixels, {steps_ms} ms from its first event"
                f" on: {INDEX} does not fit the file"
            )
        codes.append(total.astype(np.uint32))
    return codes


def digits_of(index: Index) -> list[int]:
    """The digits that the index lists, ascending."""
    return np.unique(index.digits).tolist()


def problems() -> list[str]:
    """What is wrong with each file of digits, after decoding every event."""
    folder = local.folder("nmnist-7")
    reasons = []
    try:
        index = read_index(folder)
    except DataError as error:
        return [str(error)]
    for digit in digits_of(index):
        try:
            read_codes(folder, index, digit)
        except DataError as error:
            reasons.append(str(error))
    return reasons
