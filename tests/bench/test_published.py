"""The tables hold what the papers print: every published number is a cell, and every other cell says why it is
empty.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.ledger import store
from bench.papers.registry import MODELS, TABLES
from bench.papers.roles.models import LIF, LIF_FULL_LEAK, LIF_LEAK, LIF_NO_LEAK
from bench.papers.roles.tasks import CIFAR10, DVS_GESTURE, MNIST, NMNIST, SHD, SSC, XOR
from bench.report import notes
from bench.report.findings import find_results
from bench.spec.experiment import Experiment
from bench.spec.grid import grid
from bench.spec.model import Model
from bench.spec.table import Cell, Table
from bench.spec.task import BUDGETS

PUBLISHED = Path(__file__).parent / "published"
ROOT = Path(__file__).parents[2]
PRINTED = [name for name, table in TABLES.items() if not table.draw]  # figures print no numbers
CELLS = [pytest.param(c, id=f"{t.id}: {c.row} / {c.column}") for t in TABLES.values() for c in t.cells]

Line = tuple[str, str, str | None, str]  # row, column, printed value (None where there is none), unit


def published(table: str) -> list[Line]:
    """The lines of the published table ``table``, in its order. A formula is text: it has no unit."""
    with open(PUBLISHED / f"{table.replace('-', '_table')}.csv", encoding="utf-8", newline="") as file:
        return [
            (r["row"], r["column"], r["value"] or None, "" if r["unit"].startswith("formula") else r["unit"])
            for r in csv.DictReader(file)
        ]


def differences(table: Table, lines: list[Line]) -> list[str]:
    """What the paper prints and the table lacks, and the other way round."""
    declared = Counter((c.row, c.column, c.published, c.unit) for c in table.cells if not c.extra)
    printed = Counter(lines)
    return [
        *(f"missing {x}" for x in (printed - declared).elements()),
        *(f"invented {x}" for x in (declared - printed).elements()),
    ]


def test_every_published_table_is_declared() -> None:
    assert {p.stem.replace("_table", "-") for p in PUBLISHED.glob("*_table*.csv")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_every_published_number_is_a_cell_to_the_letter(name: str) -> None:
    assert published(name), "an empty file would agree with anything"
    assert differences(TABLES[name], published(name)) == []


@pytest.mark.parametrize("name", PRINTED)
def test_rows_and_columns_are_in_the_published_order(name: str) -> None:
    lines = published(name)
    cells = [c for c in TABLES[name].cells if not c.extra]
    assert list(dict.fromkeys(c.row for c in cells)) == list(dict.fromkeys(row for row, *_ in lines))
    assert list(dict.fromkeys(c.column for c in cells)) == list(dict.fromkeys(column for _, column, *_ in lines))


@pytest.mark.parametrize(
    ("cells", "kinds"),
    [
        (lambda cells: (replace(cells[0], published="77.5"), *cells[1:]), ["missing", "invented"]),
        (lambda cells: (replace(cells[0], unit="k"), *cells[1:]), ["missing", "invented"]),
        (lambda cells: (replace(cells[0], row="baseline"), *cells[1:]), ["missing", "invented"]),
        (lambda cells: cells[1:], ["missing"]),
        (lambda cells: (*cells, cells[0]), ["invented"]),
        (lambda cells: (*cells, replace(cells[0], column="Adding Problem")), ["invented"]),
        (
            lambda cells: tuple(replace(c, published="93.00") if c.published is None else c for c in cells),
            ["missing", "invented"],
        ),
    ],
    ids=["value", "unit", "row name", "cell lost", "cell twice", "cell too many", "value where the paper has none"],
)
def test_the_comparison_finds_a_wrong_table(
    cells: Callable[[tuple[Cell, ...]], tuple[Cell, ...]], kinds: list[str]
) -> None:
    table = TABLES["roles-6"]
    wrong = replace(table, cells=cells(table.cells))
    assert [d.split()[0] for d in differences(wrong, published("roles-6"))] == kinds


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_without_a_published_value_says_why(cell: Cell) -> None:
    assert (cell.published is None) == bool(cell.absent or cell.extra)
    assert cell.published != ""
    if cell.published is None:
        assert cell.note


@pytest.mark.parametrize("name", TABLES)
def test_no_cell_is_unexplained(name: str) -> None:
    """Measured or computed; ready to run, with time and command; without its data, with the command; not to be run, or
    nothing to measure: why.
    """
    unexplained = []
    for f in find_results(TABLES[name], store.read()):
        explained = {
            "measured": f.value is not None or f.text,
            "stale": f.value is not None and "another version" in f.note,
            "ready to run": (
                "python -m bench" in f.note
                and ("time not known yet" in f.note or "about " in f.note or "facts" in f.note)
            ),
            "data missing": "python -m bench data" in f.note,
            "not run": f.note,
            "not reported": f.note,
            "not applicable": f.note,
        }
        if not explained.get(f.status):
            unexplained.append((f.cell.row, f.cell.column, f.status, f.note))
    assert not unexplained


@pytest.mark.parametrize(
    ("table", "phrase"),
    [
        ("celif-1", "set against recurrent networks of about 155k"),
        ("celif-1", "rounding down"),
        ("celif-1", "widths are not in the paper"),
        ("celif-1", "matches no public run"),
        ("celif-1", "windows of 4 or 8 pixels"),
        ("celif-1", "No number of seeds"),
        ("celif-2", "No number of seeds"),
        ("celif-3", "No number of seeds"),
        ("celif-3", "rounded down"),
        ("celif-3", "P-MNIST is PS-MNIST"),
        ("celif-fig-6", "Grad(n, t)"),
        ("celif-4", "per time step"),
        ("celif-4", "13.5"),
        ("celif-4", "774.9"),
        ("celif-4", "ALIF"),
        ("celif-5", "exp(-tau_m)"),
        ("celif-5", "0 to 9"),
        ("celif-5", "last step"),
        ("celif-5", "gamma"),
        ("roles-1", "10 classes"),
        ("roles-3", "1/288"),
        ("roles-4", "XOR network is not in the table"),
        ("roles-5", "0.1 with Adam"),
        ("roles-6", "93.89"),
        ("roles-6", "60.70"),
        ("roles-6", "value and learnability"),
        ("roles-6", "low for the network"),
        ("roles-7", "Figure 7"),
        ("roles-7", "low for the network"),
        ("roles-8", "94.76"),
        ("roles-10", "rho"),
    ],
)
def test_what_is_inconsistent_in_a_paper_is_in_the_notes_of_its_table(table: str, phrase: str) -> None:
    assert phrase in notes.source(TABLES[table])


def test_the_eleven_leaks_of_roles_7_run_on_every_data_set() -> None:
    runnable = [c for c in TABLES["roles-7"].cells if c.runnable and not c.extra]
    assert [(c.task, c.model) for c in runnable] == [
        (t, m) for m in LIF_LEAK for t in (SHD, SSC, NMNIST, DVS_GESTURE, MNIST, CIFAR10)
    ]
    assert len(runnable) == 66 and all(MODELS[m.name] is m for m in LIF_LEAK)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(("model", "leak"), [(LIF, "0.3"), (LIF_NO_LEAK, "1.0"), (LIF_FULL_LEAK, "0")])
def test_same_training_under_two_names_is_one_experiment(model: Model, leak: str, budget: str) -> None:
    assert Experiment(MNIST, model, 0, budget).id == Experiment(MNIST, MODELS[f"lif-leak-{leak}"], 0, budget).id


def test_different_trainings_are_different_experiments() -> None:
    assert len({Experiment(MNIST, m, 0, "paper").id for m in LIF_LEAK}) == 11
    learnable, fixed = (Experiment(XOR, m, 0, "paper").id for m in (LIF, MODELS["lif-leak-0.3"]))
    assert learnable != fixed


def test_tables_import_no_torch() -> None:
    code = "import sys, bench.papers.registry as r; assert len(r.TABLES) > 1; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "bench.papers.registry imports torch"


@pytest.mark.parametrize("cells", ["94.75", "94.75 | 94.76 | 94.77"])
def test_a_row_with_a_wrong_number_of_cells_is_an_error(cells: str) -> None:
    with pytest.raises(BenchError, match=r"row 'Baseline' has [13] cells under 2 columns"):
        grid(f"         | XOR | SHD\nBaseline | {cells}")


@pytest.mark.parametrize("sign", ["-", "n/a", "N.A."])
def test_a_missing_value_without_a_reason_is_an_error(sign: str) -> None:
    with pytest.raises(ValueError, match="with a note"):
        grid(f"         | XOR\nBaseline | {sign}", note="not built yet", waiting={"XOR": "not built yet"})


def test_a_note_for_no_cell_is_an_error() -> None:
    with pytest.raises(BenchError, match="does not have"):
        grid("         | XOR\nBaseline | 77.50", notes={("Baseline", "SHD"): "why"})


def test_key_columns_tell_rows_with_one_printed_name_apart() -> None:
    cells = grid(
        """
         | Parameters | MSE
    LIF  | 85.1k      | 1
    LIF  | 155.1k     | 2
    LSTM | n/a        | 3
    """,
        key={"Parameters": "{}"},
        unit={"Parameters": "k"},
        legend={"n/a": "no such count"},
        waiting={"LIF": "the task is not built yet"},
    )
    assert [(c.row, c.published, c.unit) for c in cells if c.column == "MSE"] == [
        ("LIF | 85.1k", "1", ""),
        ("LIF | 155.1k", "2", ""),
        ("LSTM", "3", ""),
    ]
    assert (cells[0].published, cells[0].unit, cells[0].note) == ("85.1", "k", "the task is not built yet")
