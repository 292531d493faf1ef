"""Which test samples a trained experiment decides right, in the order of the test set: one CSV file each under
``results/series/correct/``. No torch.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.ledger import csv_files, series, store
from bench.spec.experiment import Experiment

if TYPE_CHECKING:
    import numpy as np

FOLDER = "correct"
HEADER = ["protocol", "samples", "bits"]  # ``bits``: base64 of ``numpy.packbits``


def path(experiment: Experiment) -> Path:
    """File of the correctness of ``experiment``, with its id in the name."""
    return series.training_file(FOLDER, experiment)


def write(experiment: Experiment, correct: Mapping[str, Sequence[bool] | np.ndarray]) -> None:
    """Write what is ``correct`` by protocol, a bool for each test sample, whole or not at all; nothing where it is
    empty.
    """
    import numpy as np

    if not correct:
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for protocol, values in correct.items():
        right = np.asarray(values, dtype=bool)
        writer.writerow([protocol, len(right), base64.b64encode(np.packbits(right).tobytes()).decode()])
    store.write(path(experiment), out.getvalue())


def read(experiment: Experiment) -> dict[str, np.ndarray] | None:
    """Bools of the test samples by protocol, ``None`` without a file. Raises ``BenchError`` for a damaged file."""
    file = series.training_file_present(FOLDER, experiment)
    if file is None:
        return None
    rows = csv_files.read(file, _header_problem, series.REMEDY)[1]
    if not rows:
        raise BenchError(f"{file}: it is cut off below its header; {series.REMEDY}")
    correct = {}
    for number, row in enumerate(rows, start=2):
        try:
            protocol, samples, bits = row
            correct[protocol] = _unpacked(bits, int(samples))
        except ValueError as error:
            raise BenchError(f"{file}:{number}: {error}; {series.REMEDY}") from None
    return correct


def _header_problem(header: list[str]) -> str:
    return "" if header == HEADER else f"not the correctness of test samples ({', '.join(HEADER)})"


def _unpacked(bits: str, samples: int) -> np.ndarray:
    """The bools in ``bits``. Raises ``ValueError`` where they are not those of ``samples`` samples."""
    import numpy as np

    packed = np.frombuffer(base64.b64decode(bits, validate=True), dtype=np.uint8)
    if samples < 1 or len(packed) != -(-samples // 8):
        raise ValueError(f"{len(packed)} bytes of bits where {samples} samples are expected")
    return np.unpackbits(packed, count=samples).astype(bool)
