"""Histories: every epoch's numbers come back, and a damaged file is one message."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import histories, store
from bench.ledger.new_lines import new_lines
from bench.measures import ACCURACY, LEARNING_CURVE, LOSS_CURVE
from bench.papers.registry import MODELS, TASKS
from bench.spec.experiment import Experiment
from tests.conftest import ROOT

E = Experiment(TASKS["mnist"], MODELS["lif"], 3, "laptop")
RECORDS = [
    {"epoch": 1, "test/loss": 0.5, "test/accuracy": 88.0, "val/loss": 0.6, "val/accuracy": 86.0, "spike_rate": 0.1},
    {"epoch": 2, "test/loss": 0.25, "test/accuracy": 91.12345678, "val/loss": 0.5, "val/accuracy": 85.0},
    {"epoch": 3, "test/loss": 0.375, "test/accuracy": 90.0, "val/loss": 0.4, "val/accuracy": 90.0},
]


def test_every_epoch_comes_back_with_the_columns_that_exist(places: Path) -> None:
    histories.write(E, RECORDS, 30)
    assert histories.path(E).relative_to(places / "results" / "series") == Path(
        f"history/mnist/lif_laptop_3_{E.id}.csv"
    )
    assert histories.read(E, 3) == {
        "epoch": [1, 2, 3],
        "step": [10, 20, 30],
        "test_loss": [0.5, 0.25, 0.375],
        "test_accuracy": [88.0, 91.12346, 90.0],
        "val_loss": [0.6, 0.5, 0.4],
        "val_accuracy": [86.0, 85.0, 90.0],
    }


def test_without_a_file_there_is_no_history(places: Path) -> None:
    assert histories.read(E) is None
    assert histories.value(E, ACCURACY, 1, "last") is None
    assert histories.seeds(E.task, E.model, "laptop") == []


def test_a_number_that_is_not_finite_leaves_its_column_out(places: Path) -> None:
    histories.write(E, [{"test/loss": 1.0, "train/loss": math.inf}], 5)
    assert histories.read(E) == {"epoch": [1], "step": [5], "test_loss": [1.0]}


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text.replace("\n2,20,", "\n3,20,"), "epoch 2 is missing: line 3 has epoch 3"),
        (lambda text: text.replace("\n1,10,", "\n0,10,"), "epoch 1 is missing: line 2 has epoch 0"),
        (lambda text: text.replace("test_loss", "loss"), "the header is not that of a history"),
        (lambda text: "t,value\n1,2\n", "the header is not that of a history"),
        (lambda text: "", "the file is empty"),
        (lambda text: text.replace(",0.25,", ",nan,"), "which is not a finite number"),
        (lambda text: text.replace(",0.25,", ",low,"), "is 'low', not a number"),
        (lambda text: text.replace(",0.25,", ","), ":3: 5 fields where 6 are expected"),
        (lambda text: text[:-1], "the last line is cut off"),
        (lambda text: text.split("\n")[0] + "\n", "it is cut off"),
        (lambda text: text[: text.index("3,30")], "it has 2 epochs where the ledger has 3"),
    ],
)
def test_a_damaged_history_is_one_message_with_its_file(
    places: Path, damage: Callable[[str], str], problem: str
) -> None:
    histories.write(E, RECORDS, 30)
    file = histories.path(E)
    file.write_text(damage(file.read_text()))
    (line,) = new_lines(E, (ACCURACY,), "ok", "")
    for use in (lambda: histories.read(E, 3), lambda: histories.check([replace(line, epochs=3)])):
        with pytest.raises(BenchError, match=problem) as error:
            use()
        assert str(file) in str(error.value)
        assert "take it back from git or train again" in str(error.value)


@pytest.mark.parametrize(
    ("protocol", "epochs", "accuracy", "loss"),
    [
        ("last", 1, 88.0, 0.5),
        ("last", 3, 90.0, 0.375),
        ("best_test", 1, 88.0, 0.5),
        ("best_test", 3, 91.1235, 0.25),
        ("best_val", 2, 88.0, 0.25),
        ("best_val", 3, 90.0, 0.375),
        ("last", 4, None, None),
        ("last", 0, None, None),
    ],
)
def test_a_value_is_that_of_a_training_that_stopped_earlier(
    places: Path, protocol: str, epochs: int, accuracy: float | None, loss: float | None
) -> None:
    histories.write(E, RECORDS, 30)
    assert histories.value(E, ACCURACY, epochs, protocol) == accuracy
    assert histories.value(E, LOSS_CURVE, epochs, protocol) == loss


def test_a_measure_that_is_no_column_has_no_value(places: Path) -> None:
    histories.write(E, [{"test/loss": 1.0}], 5)
    assert histories.value(E, LOSS_CURVE, 1, "last") == 1.0
    assert histories.value(E, LOSS_CURVE, 1, "best_val") is None
    assert histories.value(E, ACCURACY, 1, "last") is None
    assert histories.value(E, LEARNING_CURVE, 1, "last") is None


def test_a_training_under_another_name_is_the_same_training(places: Path) -> None:
    histories.write(E, RECORDS, 30)
    renamed = Experiment(TASKS["mnist"], MODELS["lif-leak-0.3"], 3, "laptop")
    assert renamed.id == E.id
    assert histories.value(renamed, ACCURACY, 1, "last") == 88.0
    assert histories.seeds(E.task, renamed.model, "laptop") == [3]
    assert histories.seeds(E.task, MODELS["lif-recurrent"], "laptop") == []
    assert histories.seeds(E.task, E.model, "paper") == []


def test_every_committed_history_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RESULTS", str(ROOT / "results"))
    histories.check(store.read())
    assert list((ROOT / "results" / "series" / "history").glob("*/*.csv"))


def test_histories_and_correctness_load_no_torch() -> None:
    code = (
        "import sys; from bench.ledger import correct, histories; sys.exit(bool({'torch', 'numpy'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
