"""What is behind one cell: seeds, protocols, ledger lines and the command that measures it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report import facts
from bench.report.intervals import Interval, groups, interval
from bench.report.page import drawing
from bench.report.page.addresses import Addresses
from bench.report.page.grid import GridCell, grid_cell
from bench.report.text_table import digits
from bench.report.verdict import SHOWN_BUDGETS, Finding, duration, published_number, results
from bench.spec.measure import PROTOCOLS
from bench.spec.table import Cell, Table


@dataclass(frozen=True)
class ProtocolValue:
    """The value under one budget and protocol; ``chosen`` where the table prints it."""

    budget: str
    protocol: str
    meaning: str
    value: str
    seeds: int
    chosen: bool


@dataclass(frozen=True)
class LedgerRow:
    """One ledger line in print."""

    budget: str
    protocol: str
    seed: int
    value: str
    epoch: str
    time: str
    date: str
    commit: str
    environment: str
    weights: str
    experiment: str


@dataclass(frozen=True)
class Evidence:
    """Everything that a cell opens to. ``training`` is the id of its training on the same page, empty without one."""

    id: str
    row: str
    column: str
    cell: GridCell
    status: str
    note: str
    about: tuple[tuple[str, str], ...]
    seeds: Markup | str
    protocols: tuple[ProtocolValue, ...]
    lines: tuple[LedgerRow, ...]
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
        f.note,
        tuple(_about(table, f)),
        _seeds(f, by_budget[f.budget][f.protocol]) if measured else "",
        tuple(_protocols(f, by_budget)),
        tuple(_ledger_rows(f, by_budget)),
        f"results/runs/{cell.task.name}.csv" if measured and cell.task else "",
        training_id(cell, budget_of(f)) if cell.runnable else "",
        _commands(table, f),
    )


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
    if f.n:
        yield "seeds", f"{f.n} ({', '.join(map(str, f.seeds))})" if f.seeds else str(f.n)
    if f.epochs:
        yield "epochs trained", "–".join(dict.fromkeys(map(str, f.epochs[:1] + f.epochs[-1:])))
    if f.budget:
        yield "budget and protocol", f"{f.budget}, {f.protocol}"
    if f.data:
        yield "data", f.data
    if f.params is not None:
        yield "parameters", f"{f.params:,}"
    if f.date:
        yield "newest line", f"{f.date}, commit {f.commit or 'not known'}"


def _seeds(f: Finding, by_seed: Mapping[int, Line]) -> Markup:
    assert f.cell.measure is not None
    values = {seed: line.value for seed, line in by_seed.items() if line.value is not None}
    bounds = None if f.low is None or f.high is None or f.parted else (f.low, f.high)
    return drawing.seeds(values, bounds, published_number(f.cell), f.cell.measure.tolerance)


def _protocols(f: Finding, by_budget: Mapping[str, Mapping[str, Mapping[int, Line]]]) -> Iterator[ProtocolValue]:
    for budget, by_protocol in by_budget.items():
        for protocol in sorted(by_protocol, key=list(PROTOCOLS).index):
            lines = [line for _, line in sorted(by_protocol[protocol].items())]
            found = interval(f.cell, lines)
            chosen = (budget, protocol) == (f.budget, f.protocol)
            meaning = PROTOCOLS[protocol].partition(" (")[0]
            yield ProtocolValue(budget, protocol, meaning, _value_text(f, found), len(lines), chosen)


def _value_text(f: Finding, found: Interval) -> str:
    assert f.cell.measure is not None
    places = f.cell.measure.digits
    if found.low is None or found.high is None or groups(found, f.cell.measure.tolerance):
        return f"{found.value:.{places}f}"
    return f"{found.value:.{places}f} ± {(found.high - found.low) / 2:.{places}f}"


def _ledger_rows(f: Finding, by_budget: Mapping[str, Mapping[str, Mapping[int, Line]]]) -> Iterator[LedgerRow]:
    assert f.cell.measure is not None or not by_budget
    for budget, by_protocol in by_budget.items():
        for protocol, by_seed in by_protocol.items():
            for seed, line in sorted(by_seed.items()):
                epochs = f" of {line.epochs}" if line.epochs else ""
                yield LedgerRow(
                    budget,
                    protocol,
                    seed,
                    "" if line.value is None else f"{line.value:.7g}",
                    f"{line.epoch}{epochs}" if line.epoch is not None else "",
                    duration(line.wall_s) if line.wall_s else "",
                    line.started_utc[:10],
                    line.git_commit + ("+" if line.git_dirty else ""),
                    line.environment,
                    line.checkpoint_sha256[:12],
                    line.experiment,
                )


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



def sorted_by_place(found: Sequence[Evidence], table: Table) -> list[Evidence]:
    """Evidence row by row, as the grid is read."""
    rows = {row: place for place, row in enumerate(table.rows)}
    columns = {column: place for place, column in enumerate(table.columns)}
    return sorted(found, key=lambda e: (rows[e.row], columns[e.column]))
