"""Which trainings a figure draws beside each other, and what its caption says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.report.figures.cells import PlottedCell
from bench.report.verdict import Finding
from bench.spec.experiment import Experiment
from bench.spec.task import BUDGETS
from datamodules.sources import SOURCES

PROTOCOLS = {
    "last": "the last epoch",
    "best_test": "the epoch with the best test value",
    "best_val": "the epoch with the best validation value",
}


def epochs(cell: PlottedCell) -> tuple[int, ...]:
    """The numbers of epochs for which the seeds of ``cell`` were trained, each once, sorted."""
    lengths = {len(columns["epoch"]) for columns in cell.series if "epoch" in columns}
    return tuple(sorted(lengths)) or cell.finding.epochs


def full_epochs(cell: PlottedCell) -> int:
    """The epochs of the paper's own recipe."""
    return Experiment(cell.task, cell.model, 0, "paper").config["epochs"]


def trained_equally(cells: Sequence[PlottedCell]) -> tuple[list[PlottedCell], list[PlottedCell]]:
    """The cells that may be drawn beside each other, and those that may not.

    Cells of one column must have run for equally many epochs, or all to the end of the paper's recipe. The larger group
    is drawn; of equal ones, the one with the longest trainings. A row that a plug-in has added is always drawn, and
    does not decide which group is.
    """
    by_column: dict[str, list[PlottedCell]] = {}
    for cell in (cell for cell in cells if not cell.finding.cell.own):
        by_column.setdefault(cell.column, []).append(cell)
    drawn = {column: _main_length(group) for column, group in by_column.items()}
    equal = [cell for cell in cells if cell.finding.cell.own or _length(cell) == drawn[cell.column]]
    return equal, [cell for cell in cells if cell not in equal]


def _length(cell: PlottedCell) -> tuple[int, ...]:
    """The epochs of a training, or nothing if all seeds ran to the end of the paper's recipe."""
    trained = epochs(cell)
    return () if trained in ((), (full_epochs(cell),)) else trained


def _main_length(cells: Sequence[PlottedCell]) -> tuple[int, ...]:
    numbers = Counter(map(_length, cells))
    longest = {_length(cell): max(epochs(cell), default=0) for cell in cells}
    return max(numbers, key=lambda length: (numbers[length], longest[length]))


def caption(findings: Sequence[Finding], cells: Sequence[PlottedCell], unequal: Sequence[PlottedCell] = ()) -> str:
    """Budget, data, epochs, seeds and weights of the drawn ``cells``, and which ``findings`` are not drawn and why."""
    measured = [cell.finding for cell in cells]
    budgets = sorted({f.budget for f in measured})
    data = dict.fromkeys(_data_title(f.data) for f in measured)
    weights = sorted({PROTOCOLS.get(f.protocol, f.protocol) for f in measured})
    parts = [
        *(f"Budget {budget}: {BUDGETS[budget]}" for budget in budgets),
        f"Data: {', '.join(data)}",
        f"Trained for {_trainings(cells)}",
        f"Weights of {', '.join(weights)}",
    ]
    if unequal:
        parts.append(f"Not drawn, because the training has another length: {_trainings(unequal, always_named=True)}")
    parts += _not_measured(findings, [*cells, *unequal])
    return ". ".join(parts) + "."


def _not_measured(findings: Sequence[Finding], cells: Sequence[PlottedCell]) -> list[str]:
    """How many parts are missing: those whose data is not here, with its name, and those not measured yet."""
    drawn = [cell.finding.cell for cell in cells]
    left = [f for f in findings if f.cell.runnable and f.cell not in drawn]
    no_data = [f for f in left if f.status == "data missing"]
    number = len(drawn) + len(left)
    parts = []
    if no_data:
        titles = dict.fromkeys(f.cell.task.title for f in no_data if f.cell.task)
        parts.append(f"Without data: {len(no_data)} of {number} parts ({', '.join(titles)})")
    if others := len(left) - len(no_data):
        parts.append(f"Not measured yet: {others} of {number} parts")
    return parts


def _trainings(cells: Sequence[PlottedCell], always_named: bool = False) -> str:
    """Epochs and seeds: once where all cells have the same, else of each row, or of each row and column."""
    texts = {(cell.row, cell.column): _training(cell) for cell in cells}
    if len(set(texts.values())) == 1 and not always_named:
        return next(iter(texts.values()))
    by_row: dict[str, set[str]] = {}
    for (row, _), text in texts.items():
        by_row.setdefault(row, set()).add(text)
    by_row_alone = all(len(of_row) == 1 for of_row in by_row.values())
    names: dict[str, list[str]] = {}
    for (row, column), text in texts.items():
        names.setdefault(text, []).append(row if by_row_alone else f"{row} on {column}")
    return "; ".join(f"{text} ({_listed(rows)})" for text, rows in names.items())


def _listed(names: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(names))


def _training(cell: PlottedCell) -> str:
    """``10 of 200 epochs with 1 seed``."""
    trained = epochs(cell)
    full = full_epochs(cell)
    seeds = f"{cell.finding.n} seed{'s' if cell.finding.n > 1 else ''}"
    if not trained:
        return f"an unknown number of epochs with {seeds}"
    number = str(trained[0]) if len(trained) == 1 else f"{trained[0]} to {trained[-1]}"
    return f"{number} of {full} epochs with {seeds}"


def _data_title(name: str) -> str:
    """Title of a data set, which says so if it is a subset or a stand-in."""
    source = SOURCES[name]
    return source.title if source.kind == "full" or source.kind in source.title else f"{source.kind}: {source.title}"
