"""What is behind one cell: seeds, protocols, ledger lines and the command that measures it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report import facts
from bench.report.intervals import groups, interval
from bench.report.page import drawing
from bench.report.page.addresses import Addresses
from bench.report.page.grid import GridCell, grid_cell
from bench.report.text_table import digits
from bench.report.verdict import SHOWN_BUDGETS, Finding, duration, published_number, results
from bench.spec.measure import PROTOCOLS
from bench.spec.table import Cell, Table

ByBudget = Mapping[str, Mapping[str, Mapping[int, Line]]]  # budget -> protocol -> seed -> line


@dataclass(frozen=True)
class SeedRow:
    """The ledger lines of one experiment in print, ``values`` in the order of ``Evidence.readings``; or, with
    ``chosen`` for the budget that the table prints, their mean over seeds.
    """

    experiment: str
    seed: str
    values: tuple[str, ...]
    time: str
    date: str
    commit: str
    environment: str
    chosen: bool = False


@dataclass(frozen=True)
class Evidence:
    """Everything that a cell opens to. ``training`` is the id of its training, empty without one."""

    id: str
    row: str
    column: str
    cell: GridCell
    status: str
    note: str
    about: tuple[tuple[str, str], ...]
    seeds: Markup | str
    readings: tuple[str, ...]
    lines: tuple[SeedRow, ...]
    ledger: str
    training: str
    commands: tuple[str, ...]


def training_id(cell: Cell, budget: str) -> str:
    """Id of the training behind ``cell``, the same for all seeds."""
    assert cell.task is not None and cell.model is not None
    return f"training/{cell.task.name}/{cell.model.name}/{budget}"


def budget_of(f: Finding) -> str:
    """The budget whose recipe a cell prints: that of its value, else the paper's."""
    return f.budget or "paper"


def evidence(table: Table, f: Finding, index: Index, addresses: Addresses) -> Evidence:
    cell = f.cell
    measured = f.status == "measured" and cell.fact is None
    by_budget = {budget: results(cell, budget, index) for budget in SHOWN_BUDGETS} if measured else {}
    return Evidence(
        addresses.of(table.id, cell),
        cell.row,
        cell.column,
        grid_cell(table, f, addresses),
        f.status,
        _note(f),
        tuple(_about(table, f)),
        _seeds(f, by_budget[f.budget][f.protocol]) if measured else "",
        _readings(by_budget),
        tuple(_seed_rows(f, by_budget)),
        f"results/runs/{cell.task.name}.csv" if measured and cell.task else "",
        training_id(cell, budget_of(f)) if cell.runnable else "",
        _commands(table, f),
    )


def _note(f: Finding) -> str:
    """The note of a cell without the values of other protocols, which stand among the ledger lines."""
    return "; ".join(part for part in f.note.split("; ") if part.partition(" ")[0] not in PROTOCOLS)


def _about(table: Table, f: Finding) -> Iterator[tuple[str, str]]:
    """Names and texts of what is known of a cell besides its value."""
    cell = f.cell
    if cell.measure:
        yield "measure", f"{cell.measure.title}{f' ({cell.measure.unit})' if cell.measure.unit else ''}"
        if cell.published:
            yield "tolerance", f"{cell.measure.tolerance:g} {cell.measure.unit}".strip()
    elif cell.fact:
        yield "computed without training", " ".join([cell.fact.name, *cell.fact.of])
    if f.verdict and f.status == "measured":
        yield "verdict", f.verdict
    if f.parted:
        yield "seeds in two groups", f.parted
    if f.low is not None and f.high is not None:
        places = digits(cell)
        yield "95 % interval", f"{f.low:.{places}f} to {f.high:.{places}f}"
    for value in f.also_published:
        yield f"{value.paper.id} prints", f"{value.value}: {value.note}"
    if f.params is not None:
        yield "parameters", f"{f.params:,}"


def _seeds(f: Finding, by_seed: Mapping[int, Line]) -> Markup | str:
    """The picture of the seeds; empty for one seed with nothing to compare it with."""
    assert f.cell.measure is not None
    values = {seed: line.value for seed, line in by_seed.items() if line.value is not None}
    others = {value.paper.id: value.number for value in f.also_published}
    if len(values) < 2 and published_number(f.cell) is None and not others:
        return ""
    bounds = None if f.low is None or f.high is None or f.parted else (f.low, f.high)
    return drawing.seeds(values, bounds, published_number(f.cell), f.cell.measure.tolerance, others)


def _mean_text(f: Finding, by_seed: Mapping[int, Line]) -> str:
    assert f.cell.measure is not None
    if not by_seed:
        return "–"
    mean = interval(f.cell, [line for _, line in sorted(by_seed.items())])
    places = f.cell.measure.digits
    if mean.low is None or mean.high is None or groups(mean, f.cell.measure.tolerance):
        return f"{mean.value:.{places}f}"
    return f"{mean.value:.{places}f} ± {(mean.high - mean.low) / 2:.{places}f}"


def _readings(by_budget: ByBudget) -> tuple[str, ...]:
    """Names of the protocols that have lines, in a fixed order."""
    names = {protocol for by_protocol in by_budget.values() for protocol in by_protocol}
    return tuple(protocol for protocol in PROTOCOLS if protocol in names)


def _seed_rows(f: Finding, by_budget: ByBudget) -> Iterator[SeedRow]:
    """The lines of each budget and seed, and below those of several seeds their mean with half of its interval."""
    for budget, by_protocol in by_budget.items():
        for seed in sorted({seed for by_seed in by_protocol.values() for seed in by_seed}):
            lines = [by_protocol.get(protocol, {}).get(seed) for protocol in _readings(by_budget)]
            newest = max((line for line in lines if line), key=lambda line: line.started_utc)
            yield SeedRow(
                newest.experiment,
                str(seed),
                tuple(_line_text(line) for line in lines),
                duration(newest.wall_s) if newest.wall_s else "",
                newest.started_utc[:10],
                newest.git_commit + ("+" if newest.git_dirty else ""),
                newest.environment,
            )
        if by_protocol:
            means = tuple(_mean_text(f, by_protocol.get(protocol, {})) for protocol in _readings(by_budget))
            yield SeedRow(f"{budget} budget", "mean", means, "", "", "", "", budget == f.budget)


def _line_text(line: Line | None) -> str:
    if line is None or line.value is None:
        return "–"
    epoch = f" ({line.epoch} of {line.epochs})" if line.epoch is not None and line.epochs else ""
    return f"{line.value:.7g}{epoch}"


def _commands(table: Table, f: Finding) -> tuple[str, ...]:
    """The commands that measure a cell and print its recipe."""
    place = f"{table.id} --row {shlex.quote(f.cell.row)} --column {shlex.quote(f.cell.column)}"
    if f.cell.fact:
        return (facts.COMMAND,)
    if not f.cell.runnable:
        return ()
    assert f.cell.task is not None
    budget = f.budget or ("laptop" if "laptop" in f.cell.task.budgets else "paper")
    run = f"python -m bench run {place} --budget {budget} --seeds {max(f.n, 1)}"
    fetch = (f"python -m bench data fetch {f.cell.task.data}",) if f.status == "data missing" else ()
    return (*fetch, run)


def sorted_by_place(unsorted: Sequence[Evidence], table: Table) -> list[Evidence]:
    """Evidence row by row, as the grid is read."""
    rows = {row: place for place, row in enumerate(table.rows)}
    columns = {column: place for place, column in enumerate(table.columns)}
    return sorted(unsorted, key=lambda e: (rows[e.row], columns[e.column]))
