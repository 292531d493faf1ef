"""References in research notes to what the ledger has; ``bench.report.notes`` describes how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench import plan
from bench.errors import BenchError, unknown
from bench.ledger import histories
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.measures import ACCURACY, MEASURES
from bench.report import facts
from bench.report.verdict import published_number, results
from bench.spec.experiment import Experiment
from bench.spec.measure import PROTOCOLS, Measure
from bench.spec.table import Cell, Table

Form = Callable[[float], str]

NOT_MEASURED = "not measured"
_FUNCTION_OF = re.compile(r"(?:(\w+):\s*)?(.*)")
_ALLOWED = {
    "budget": ("paper", "laptop"),
    "protocol": tuple(PROTOCOLS),
    "show": ("value", "seeds", "epoch", "epochs", "n_test", "params", "spike_rate"),
    "minus": ("published",),
}
_OPTIONS = ("seed", "protocol", "budget", "digits", "epoch", "show", "minus")


@dataclass(frozen=True)
class Reference:
    """A reference as it is written: ``of`` the table's id, or "experiment <id>" with its measure as ``rows``."""

    function: str
    of: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    options: dict[str, str]


def plain(text: str) -> str:
    """``text`` on one line."""
    return " ".join(text.split())


def parse(text: str) -> Reference:
    """The reference between the braces. Raises ``BenchError`` for a function or an option that does not exist."""
    parts = [part.strip() for part in plain(text).split("|")]
    match = _FUNCTION_OF.fullmatch(parts[0])
    assert match is not None
    function, of = match[1] or "value", match[2]
    if function not in _FUNCTIONS:
        raise unknown("function", function, _FUNCTIONS)
    experiment = of.startswith("experiment ")
    if experiment and function != "value":
        raise BenchError(f"an experiment has one value: leave out {function}:")
    named = 2 if experiment else 3
    if len(parts) < named:
        raise BenchError("a reference is {{table | row | column}} or {{experiment id | measure}}, then options")
    rows, columns = (tuple(name.strip() for name in part.split(";")) for part in (*parts[1:named], "")[:2])
    return Reference(function, of, rows, columns, _options(parts[named:]))


def _options(parts: Iterable[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in _OPTIONS:
            raise unknown("option", name, _OPTIONS)
        if name in _ALLOWED and value not in _ALLOWED[name]:
            raise unknown(name, value, _ALLOWED[name])
        if name not in _ALLOWED and not value.isdigit() and (name, value) != ("seed", "*"):
            raise BenchError(f"{name} must be a whole number, got {value!r}")
        options[name] = value
    return options


def resolve(text: str, index: Index) -> str:
    """What is printed for the reference between the braces. Raises ``BenchError`` for one that names nothing."""
    reference = parse(text)
    if reference.of.startswith("experiment "):
        return _of_experiment(reference, index)
    table = plan.find_table(reference.of)
    cells = _cells(table, reference)
    if reference.function == "value" and len(cells) == 1 and cells[0].fact:
        return facts.answer(cells[0]).text or NOT_MEASURED
    if missing := [cell for cell in cells if not cell.runnable]:
        raise BenchError(f"nothing is measured in {table.id}, row {missing[0].row}, column {missing[0].column}")
    measure = cells[0].measure
    assert measure is not None
    labels, numbers = [], []
    several = len(reference.rows) > 1 or "*" in reference.rows
    for cell in cells:
        values = _numbers(table, cell, reference, index)
        if not values:
            return NOT_MEASURED
        numbers += values
        labels += [cell.row if several else cell.column] * len(values)
    return _FUNCTIONS[reference.function](numbers, labels, _form(reference, measure))


def _cells(table: Table, reference: Reference) -> list[Cell]:
    rows = reference.rows
    if "*" in rows:
        rows = tuple(dict.fromkeys(cell.row for cell in table.cells if not cell.extra))
    cells = [cell for r in rows for c in reference.columns for cell in plan.select(table, [r], [c])]
    if not cells:
        raise BenchError(f"{table.id} has no cell there")
    return cells


def _form(reference: Reference, measure: Measure) -> Form:
    """How a number is printed: a value as in tables, a count with commas."""
    if reference.options.get("show", "value") not in ("value", "spike_rate"):
        return lambda number: f"{number:,.0f}"
    digits = int(reference.options.get("digits", measure.digits))
    return lambda number: f"{number:.{digits}f}"


def _numbers(table: Table, cell: Cell, reference: Reference, index: Index) -> list[float]:
    """What a reference takes of a cell: one number, or with ``seed=*`` one a seed; none where it is not measured."""
    options = reference.options
    if "epoch" in options:
        numbers = _at_epoch(cell, options)
    else:
        lines = _lines(table, cell, options, index)
        if options.get("show") == "seeds":
            return [len(lines)] if lines else []
        numbers = [x for line in lines if (x := getattr(line, options.get("show", "value"))) is not None]
    if "minus" in options:
        published = published_number(cell)
        if published is None:
            raise BenchError(f"nothing is published in {table.id}, row {cell.row}, column {cell.column}")
        numbers = [number - published for number in numbers]
    return numbers if options.get("seed") == "*" or not numbers else [fmean(numbers)]


def _lines(table: Table, cell: Cell, options: dict[str, str], index: Index) -> list[Line]:
    """Current finished lines of a cell, one a seed, of the first budget that has any."""
    current = next(filter(None, (results(cell, budget, index) for budget in _budgets(options))), {})
    protocol = table.protocol if table.protocol in current else min(current, default="")
    by_seed = current.get(options.get("protocol", protocol), {})
    return [line for seed, line in sorted(by_seed.items()) if _is_chosen(seed, options)]


def _at_epoch(cell: Cell, options: dict[str, str]) -> list[float]:
    """Test accuracy after an epoch, or another number of the history that the cell's measure is; one a seed."""
    assert cell.task is not None and cell.model is not None and cell.measure is not None
    measure = ACCURACY if cell.measure.reader else cell.measure
    for budget in _budgets(options):
        seeds = [seed for seed in histories.seeds(cell.task, cell.model, budget) if _is_chosen(seed, options)]
        experiments = [Experiment(cell.task, cell.model, seed, budget) for seed in seeds]
        values = [histories.value(e, measure, int(options["epoch"]), "last") for e in experiments]
        if numbers := [value for value in values if value is not None]:
            return numbers
    return []


def _budgets(options: dict[str, str]) -> list[str]:
    return [options["budget"]] if "budget" in options else ["paper", "laptop"]


def _is_chosen(seed: int, options: dict[str, str]) -> bool:
    return options.get("seed", "*") in ("*", str(seed))


def _of_experiment(reference: Reference, index: Index) -> str:
    name, measure = reference.of.split()[-1], reference.rows[0]
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES)
    if useless := set(reference.options) - {"protocol", "digits", "show"}:
        raise BenchError(f"an experiment has no option {', '.join(sorted(useless))}")
    lines = [x for x in index.by_experiment.get(name, ()) if (x.measure, x.status) == (measure, "ok")]
    by_protocol = {line.protocol: line for line in sorted(lines, key=lambda line: line.started_utc)}
    protocol = reference.options.get("protocol", "best_test" if "best_test" in by_protocol else "last")
    line = by_protocol.get(protocol)
    number = getattr(line, reference.options.get("show", "value"), None)
    if number is None:
        return NOT_MEASURED
    return _form(reference, MEASURES[measure])(number)


def _one(numbers: Sequence[float], labels: Sequence[str], form: Form) -> str:
    if len(numbers) != 1:
        raise BenchError(f"{len(numbers)} values: name one cell, or write values:, min:, max:, … before the table")
    return form(numbers[0])


def _difference(numbers: Sequence[float], labels: Sequence[str], form: Form) -> str:
    if len(numbers) != 2:
        raise BenchError(f"a difference is that of two values, not of {len(numbers)}")
    return form(numbers[0] - numbers[1])


def _listed(numbers: Sequence[float], labels: Sequence[str], form: Form) -> str:
    *first, last = map(form, numbers)
    return f"{', '.join(first)} and {last}" if first else last


_FUNCTIONS: dict[str, Callable[[Sequence[float], Sequence[str], Form], str]] = {
    "value": _one,
    "min": lambda numbers, labels, form: form(min(numbers)),
    "max": lambda numbers, labels, form: form(max(numbers)),
    "spread": lambda numbers, labels, form: form(max(numbers) - min(numbers)),
    "difference": _difference,
    "best": lambda numbers, labels, form: labels[max(range(len(numbers)), key=lambda i: numbers[i])],
    "values": _listed,
}
