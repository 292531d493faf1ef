"""Pages on what things cost: speed of training steps, energy, and the time spent and missing by table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench import plan as planning
from bench.ledger.index import Index
from bench.measures import MEASURES
from bench.plan import ExpectedTimes, Job
from bench.report.page.addresses import Addresses
from bench.report.page.grid import Grid, GridCell, grid_cell
from bench.report.verdict import Finding, duration
from bench.spec.table import Cell, Table
from bench.speed import timings
from bench.speed.gpu import timings as gpu_timings
from bench.speed.gpu.workloads import CARD_WORKLOADS
from datamodules.sources import SOURCES

MACHINE = ("device", "machine", "processor", "threads", "torch", "date", "git_commit")  # of a row of speed.csv
SEEDS = 3  # of what is missing


@dataclass(frozen=True)
class Bar:
    """One implementation: its median time, the share of the longest bar in %, and the memory."""

    name: str
    text: str
    share: float
    spread: str
    memory: str


@dataclass(frozen=True)
class Timed:
    """One workload on one machine."""

    name: str
    about: str
    device: str
    machine: str
    bars: tuple[Bar, ...]


def timed() -> tuple[list[Timed], list[Timed]]:
    """Training steps by workload and machine, on cards too, and the other measurements of ``results/speed.csv``."""
    rows = [row for row in [*timings.read(), *gpu_timings.read()] if row["median_ms"]]
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["workload"], _machine(row)), []).append(row)
    made = [_timed(name, machine, group) for (name, machine), group in groups.items()]
    return [t for t in made if t.name in CARD_WORKLOADS], [t for t in made if t.name not in CARD_WORKLOADS]


def _machine(row: Mapping[str, str]) -> str:
    known = {name: row[name] for name in MACHINE if row.get(name)}
    known.setdefault("device", "cpu")
    known.setdefault("date", "date not recorded")
    words = {"threads": f"{known.get('threads', '')} threads", "torch": f"torch {known.get('torch', '')}"}
    words["git_commit"] = f"commit {known.get('git_commit', '')}"
    return ", ".join(words.get(name, known[name]) for name in MACHINE if name in known)


def _timed(name: str, machine: str, rows: list[dict[str, str]]) -> Timed:
    longest = max(float(row["median_ms"]) for row in rows)
    bars = tuple(
        Bar(
            row["implementation"],
            _milliseconds(row["median_ms"]),
            100 * float(row["median_ms"]) / longest if longest else 0.0,
            f"{_milliseconds(row['p10_ms'])} to {_milliseconds(row['p90_ms'])}" if row.get("p90_ms") else "",
            f"{float(row['peak_mb']):.0f} MB" if row.get("peak_mb") else "",
        )
        for row in rows
    )
    return Timed(
        name,
        CARD_WORKLOADS[name].about if name in CARD_WORKLOADS else "",
        rows[0].get("device") or "cpu",
        machine,
        bars,
    )


def _milliseconds(text: str) -> str:
    number = float(text)
    return f"{number / 1000:,.1f} s" if number >= 10_000 else f"{number:,.4g} ms"


def is_energy(cell: Cell) -> bool:
    """Whether a cell is an energy or a number of operations, measured or by a formula."""
    if cell.fact:
        return cell.fact.name == "energy"
    return cell.measure is not None and cell.measure.reader.startswith("energy:")


def energy_grids(
    tables: Mapping[str, Table], findings: Mapping[str, list[Finding]], addresses: Addresses
) -> list[Grid]:
    """The energies and operations of each table as a grid, rows and columns as in the table."""
    grids = []
    for name, table in tables.items():
        chosen = [f for f in findings[name] if is_energy(f.cell)]
        measured = [f for f in chosen if f.status == "measured"]
        if not measured:
            continue
        columns = list(dict.fromkeys(f.cell.column for f in measured))
        places = {(f.cell.row, f.cell.column): f for f in chosen}
        rows = [
            (row, [_linked(table, places.get((row, column)), addresses) for column in columns])
            for row in dict.fromkeys(f.cell.row for f in measured)
        ]
        grids.append(Grid(f"energy-{name}", name, table.title, columns, rows))
    return grids


def _linked(table: Table, f: Finding | None, addresses: Addresses) -> GridCell:
    """The cell with its link to the table's page."""
    if f is None:
        return GridCell("none", words="–", title="the table has no such cell")
    cell = grid_cell(table, f, addresses)
    return GridCell(**{**vars(cell), "link": f"{table.id}.html#{cell.link}"})


@dataclass(frozen=True)
class Cost:
    """What one table took and what it lacks. ``commands`` close the gap at the paper's budget with ``SEEDS`` seeds."""

    table: str
    title: str
    cells: int
    done: int
    hours: str
    missing: int
    expected: str
    without_data: str
    commands: tuple[str, ...]


def seconds_by_experiment(index: Index) -> dict[str, float]:
    """Experiment -> seconds of its training and of reading its measures."""
    training: dict[str, float] = {}
    reading: dict[str, float] = {}
    for line in index:
        if line.status != "ok" or not line.wall_s:
            continue
        measure = MEASURES.get(line.measure)
        if measure is None or measure.from_history:
            training[line.experiment] = max(training.get(line.experiment, 0.0), line.wall_s)
        else:
            reading[line.experiment] = reading.get(line.experiment, 0.0) + line.wall_s
    return {name: training.get(name, 0.0) + reading.get(name, 0.0) for name in {*training, *reading}}


def costs(tables: Mapping[str, Table], index: Index, times: ExpectedTimes) -> list[Cost]:
    """Of every table with cells that an experiment can measure."""
    seconds = seconds_by_experiment(index)
    made = []
    for name, table in tables.items():
        runnable = [cell for cell in table.cells if cell.runnable]
        if not runnable:
            continue
        plan = planning.make([(name, cell) for cell in runnable], "paper", SEEDS, index)
        spent = sum(seconds.get(experiment, 0.0) for experiment in _experiments(runnable, index))
        jobs = [*plan.jobs, *plan.no_data]
        data = Counter(job.experiment.config["data"] for job in plan.no_data)
        fetch = tuple(f"python -m bench data fetch {source}" for source in data if SOURCES[source].files)
        run = (f"python -m bench run {name} --budget paper --seeds {SEEDS}",) if jobs else ()
        texts = ", ".join(f"{SOURCES[source].title} ({number})" for source, number in data.items())
        made.append(
            Cost(
                name,
                table.title,
                plan.cells,
                plan.done,
                duration(spent) if spent else "–",
                len(jobs),
                _expected(jobs, times),
                texts or "–",
                (*fetch, *run),
            )
        )
    return made


def _experiments(cells: Iterable[Cell], index: Index) -> set[str]:
    """Experiments whose results the cells show, at any budget."""
    names: set[str] = set()
    for cell in cells:
        assert cell.task is not None and cell.model is not None and cell.measure is not None
        for budget in ("paper", *cell.task.budgets):
            names |= {line.experiment for line in index.current(cell.task, cell.model, cell.measure, budget)}
    return names


def _expected(jobs: list[Job], times: ExpectedTimes) -> str:
    """The expected time of ``jobs`` on one worker, and of how many it is known."""
    if not jobs:
        return "–"
    known = [seconds for job in jobs if (seconds := times.usual(job.experiment, job.measures))]
    if not known:
        return "not known"
    part = "" if len(known) == len(jobs) else f" for {len(known)} of {len(jobs)}"
    return f"{duration(sum(known))}{part}"


def unknown_lines(index: Index, tasks: Iterable[str], models: Iterable[str]) -> dict[str, int]:
    """Task and model of ledger lines that no recipe knows -> number of lines."""
    known_tasks = set(tasks)
    known_models = set(models)
    strange = (line for line in index if line.task not in known_tasks or line.model not in known_models)
    return dict(Counter(f"{line.task} / {line.model}" for line in strange))
