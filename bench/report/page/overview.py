"""The front page: counts of published numbers and claims of each paper, and one sentence on what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.ledger import provenance
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.report import claims, counts
from bench.report.claims import Judgement
from bench.report.counts import Counts
from bench.report.text_table import difference
from bench.report.verdict import ABOVE, BELOW, Finding
from bench.spec.predicates import FAILS, HOLDS
from bench.spec.table import Paper, Table

BAR = ("reproduced", "above", "below", "inconclusive", "another_recipe", "reduced", "no_data", "not_run")


@dataclass(frozen=True)
class TableLine:
    """A table in the list of a paper, with its counts and the parts of its bar: (name of the count, number)."""

    id: str
    title: str
    numbers: Counts
    bar: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Overview:
    """What the front page prints of one paper. ``claims`` and ``questions`` are numbers by verdict."""

    paper: Paper
    sentence: str
    total: Counts
    bar: tuple[tuple[str, int], ...]
    claims: dict[str, int]
    questions: dict[str, int]
    newest: Line | None
    machine: str
    tables: tuple[TableLine, ...]


def overview(
    paper: Paper,
    tables: Mapping[str, Table],
    findings: Mapping[str, list[Finding]],
    judged: list[Judgement],
    index: Index,
) -> Overview:
    """``tables`` and their ``findings`` are those of ``paper``."""
    by_table = {name: counts.of(table, index) for name, table in tables.items()}
    total = sum(by_table.values(), Counts())
    of_paper = _numbers(judged, own=False)
    newest = _newest(tables.values(), index)
    return Overview(
        paper,
        sentence(total, [f for of_table in findings.values() for f in of_table], of_paper),
        total,
        bar(total),
        of_paper,
        _numbers(judged, own=True),
        newest,
        machine(newest.environment) if newest else "",
        tuple(TableLine(name, tables[name].title, numbers, bar(numbers)) for name, numbers in by_table.items()),
    )


def bar(numbers: Counts) -> tuple[tuple[str, int], ...]:
    return tuple((name, number) for name in BAR if (number := getattr(numbers, name)))


def _numbers(judged: Iterable[Judgement], own: bool) -> dict[str, int]:
    """Number of claims by verdict on the paper's data: the paper's claims, or questions of this suite (``own``)."""
    verdicts = [j.verdict for j in claims.by_verdict(judged, "full", own)]
    return {verdict: verdicts.count(verdict) for verdict in (HOLDS, *claims.VERDICTS[:-1]) if verdict in verdicts}


def _newest(tables: Iterable[Table], index: Index) -> Line | None:
    """The newest finished line on a task of ``tables``."""
    tasks = {cell.task.name for table in tables for cell in table.cells if cell.task}
    lines = [line for line in index if line.task in tasks and line.status == "ok"]
    return max(lines, key=lambda line: line.started_utc, default=None)


def machine(environment: str) -> str:
    """Device, processor and threads of an environment, as far as they are recorded."""
    for row in provenance.rows([environment]):
        known = dict(zip(provenance.COLUMNS, row, strict=True))
        parts = [known["device"], known["processor"], f"{known['threads']} thread{'s' * (known['threads'] != '1')}"]
        return ", ".join(part for part in parts if part)
    return "not recorded"


def sentence(total: Counts, findings: Sequence[Finding], of_paper: Mapping[str, int]) -> str:
    """One sentence on what was found, made from the verdicts."""
    if not total.published:
        return "No table of this paper prints a number that a training gives."
    parts = [_numbers_text(total, findings)]
    if number := sum(of_paper.values()):
        holding = of_paper.get(HOLDS, 0)
        failing = of_paper.get(FAILS, 0)
        others = number - holding - failing
        parts.append(
            f"of {number} claims of the paper {holding} {_plural(holding, 'holds', 'hold')} on its data,"
            f" {failing} {_plural(failing, 'fails', 'fail')} and {others} {_plural(others, 'is', 'are')} not decided"
        )
    return "; ".join(parts) + "."


def _numbers_text(total: Counts, findings: Sequence[Finding]) -> str:
    start = f"Of {total.published} published numbers, {total.at_paper_budget or 'none'}"
    if not total.at_paper_budget:
        return f"{start} is measured at the paper's budget yet ({total.reduced} at a reduced one)"
    verdicts = [f"{total.reproduced or 'none'} reproduced"]
    for verdict in (ABOVE, BELOW):
        if number := getattr(total, verdict):
            verdicts.append(f"{number} {verdict} the paper{_distance(verdict, findings)}")
    if total.inconclusive:
        verdicts.append(f"{total.inconclusive} inconclusive")
    if total.another_recipe:
        verdicts.append(f"{total.another_recipe} with another recipe than the paper's")
    verb = _plural(total.at_paper_budget, "is", "are")
    return f"{start} {verb} measured at the paper's budget: {', '.join(verdicts)}"


def _distance(verdict: str, findings: Sequence[Finding]) -> str:
    """On which data the numbers with ``verdict`` are and how far they lie from the published ones, as " (…)"."""
    chosen = [
        f for f in findings if counts.is_published(f.cell) and f.status == "measured" and counts.kind(f) == verdict
    ]
    differences = [abs(number) for f in chosen if (number := difference(f)) is not None]
    if not differences:
        return ""
    titles = list(dict.fromkeys(f.cell.task.title for f in chosen if f.cell.task))
    place = f"{', '.join(titles)}: " if len(titles) <= 2 else ""
    units = {f.cell.unit for f in chosen}
    unit = {"%": " points", "": ""}.get(next(iter(units)), f" {next(iter(units))}") if len(units) == 1 else ""
    ends = list(dict.fromkeys(f"{end:.1f}" for end in (min(differences), max(differences))))
    return f" ({place}by {' to '.join(ends)}{unit})"


def _plural(number: int, one: str, several: str) -> str:
    return one if number == 1 else several
