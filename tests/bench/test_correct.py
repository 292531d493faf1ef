"""The correctness of test samples comes back bit by bit, and a damaged file is one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.ledger import correct
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import Experiment

E = Experiment(TASKS["mnist"], MODELS["lif"], 3, "laptop")


@pytest.mark.parametrize("samples", [1, 8, 9, 10_000])
def test_every_sample_comes_back(places: Path, samples: int) -> None:
    rng = np.random.default_rng(samples)
    bools = {name: rng.random(samples) < 0.7 for name in ("last", "best_test")}
    correct.write(E, bools)
    found = correct.read(E)
    assert found is not None and list(found) == ["last", "best_test"]
    assert all(values.dtype == bool and np.array_equal(values, bools[name]) for name, values in found.items())


def test_a_task_without_classes_has_no_file(places: Path) -> None:
    correct.write(E, {})
    assert correct.read(E) is None
    assert not correct.path(E).exists()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text.replace("last,9,", "last,17,"), "csv:2: 2 bytes of bits where 17 samples are expected"),
        (lambda text: text.replace("last,9,", "last,-9,"), "csv:2: 2 bytes"),
        (lambda text: text.replace("last,9,", "last,nine,"), "csv:2: invalid literal"),
        (lambda text: text.replace("last,9,", "last,9,?"), "csv:2: "),
        (lambda text: text.replace("last,9,", "last,"), "csv:2: 2 fields where 3 are expected"),
        (lambda text: text.replace("bits", "bytes"), "csv:1: not the correctness of test samples"),
        (lambda text: text.split("\n")[0], "csv:1: the last line is cut off"),
        (lambda text: text.split("\n")[0] + "\n", "csv: it is cut off below its header"),
        (lambda text: "", "csv:1: the file is empty"),
    ],
)
def test_a_damaged_file_is_one_message_with_its_name(places: Path, damage: Callable[[str], str], problem: str) -> None:
    correct.write(E, {"last": [True] * 9})
    file = correct.path(E)
    file.write_text(damage(file.read_text()))
    with pytest.raises(BenchError, match=f"{file.stem}.{problem}.*take it back from git or train again"):
        correct.read(E)
