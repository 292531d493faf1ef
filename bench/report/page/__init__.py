"""The report: a folder of static pages that need no server and no JavaScript for reading. No torch."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import paths
from bench.errors import BenchError
from bench.ledger import provenance, store
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import MODELS, PAPERS, TABLES, TASKS
from bench.plan import ExpectedTimes, expected_times
from bench.report import claims, counts, notes
from bench.report.claims import Judgement
from bench.report.findings import find_results
from bench.report.page import activity, comparisons, costs, overview, prose
from bench.report.page.addresses import Addresses
from bench.report.page.evidence import budget_of, evidence, sorted_by_place, training_id
from bench.report.page.grid import grids
from bench.report.page.trainings import homes, trainings
from bench.report.text_table import MEANINGS, SIGNS
from bench.report.verdict import VERDICTS, Finding, duration
from bench.spec.measure import PROTOCOLS
from bench.spec.table import Table
from bench.spec.task import BUDGETS

FOLDER = Path(__file__).parent
COLOURS = 128  # of a figure, so that the report stays small
ASSETS = ("report.css", "report.js")
MARK = '<meta name="generator" content="python -m bench report">'


@dataclass(frozen=True)
class Sources:
    """What the pages are made from: the ledger, with findings by table and judgements by paper."""

    index: Index
    findings: dict[str, list[Finding]]
    judged: dict[str, list[Judgement]]
    addresses: Addresses
    times: ExpectedTimes

    def of_paper(self, paper: str) -> dict[str, list[Finding]]:
        """The findings of the tables of one paper."""
        return {name: of_table for name, of_table in self.findings.items() if TABLES[name].paper.id == paper}

    @cached_property
    def homes(self) -> dict[str, str]:
        """Id of a training -> the table whose page has it."""
        return homes(self.findings)

    @cached_property
    def environments(self) -> dict[str, dict[str, str]]:
        """Environment -> its columns that have a value, of all that the ledger names."""
        keys = {line.environment for line in self.index}
        rows = (dict(zip(provenance.COLUMNS, row, strict=True)) for row in provenance.rows(keys))
        return {row["environment"]: {name: value for name, value in row.items() if value} for row in rows}


def pages(lines: Iterable[Line]) -> dict[str, str]:
    """File name -> HTML of every page."""
    index = Index.of(lines)
    findings = {name: find_results(table, index) for name, table in TABLES.items()}
    sources = Sources(index, findings, claims.judgements(index), Addresses(TABLES), expected_times(index))
    environment = _environment()

    def page(template: str, **values: Any) -> str:
        return environment.get_template(template).render(**values).replace("&#39;", "'")  # no attribute is in '

    made = {"index.html": page("index.html", **_front(sources))}
    for name, table in TABLES.items():
        made[f"{name}.html"] = page("table.html", **_table(table, sources))
    for paper in PAPERS:
        of_paper = sources.judged.get(paper, [])
        sections = {own: comparisons.entries(of_paper, own, index, sources.addresses) for own in (False, True)}
        made[f"claims-{paper}.html"] = page("claims.html", paper=PAPERS[paper], sections=sections)
    made["parity.html"] = page("parity.html", papers=_parity(sources))
    steps, others = costs.timed()
    made["speed.html"] = page("speed.html", steps=steps, others=others)
    energies = costs.energy_grids(TABLES, findings, sources.addresses)
    made["energy.html"] = page("energy.html", grids=energies, activities=activity.activities(index))
    made["cost.html"] = page("cost.html", **_cost(sources))
    return made


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals |= {
        "papers_of_suite": PAPERS,
        "tables_of_suite": TABLES,
        "mark": MARK,
        "signs": SIGNS,
        "count_names": counts.NAMES,
        "verdict_words": {word: MEANINGS[word] for word in VERDICTS},
        "budgets": BUDGETS,
        "protocols": PROTOCOLS,
        "data_titles": comparisons.DATA_TITLES,
    }
    return made


def _front(sources: Sources) -> dict[str, Any]:
    made = [
        overview.overview(
            paper,
            {name: table for name, table in TABLES.items() if table.paper.id == paper.id},
            sources.of_paper(paper.id),
            sources.judged.get(paper.id, []),
            sources.index,
        )
        for paper in PAPERS.values()
    ]
    return {"overviews": made, "lines": len(sources.index)}


def _table(table: Table, sources: Sources) -> dict[str, Any]:
    findings = sources.findings[table.id]
    opened = [evidence(table, f, sources.index, sources.addresses) for f in findings]
    runnable = [f for f in findings if f.cell.runnable]
    here = [f for f in runnable if sources.homes[training_id(f.cell, budget_of(f))] == table.id]
    recipes = trainings(here, sources.index, sources.times)
    used = {row.environment for e in opened for row in e.lines}
    return {
        "table": table,
        "grids": grids(table, findings, sources.addresses),
        "evidence": sorted_by_place(opened, table),
        "trainings": recipes,
        "homes": sources.homes,
        "curves": {training.id for training in recipes if training.curves},
        "notes": prose.html(notes.markdown(table, sources.index)) if table.notes else "",
        "picture": _picture(table),
        "environments": {key: sources.environments[key] for key in sorted(used & sources.environments.keys())},
        "others": [name for name, other in TABLES.items() if other.paper.id == table.paper.id],
    }


def _picture(table: Table) -> str:
    """File name of the rendered figure, empty where there is none."""
    name = f"{table.id}.png"
    return name if table.draw and paths.present(paths.results() / "figures" / name).exists() else ""


def _parity(sources: Sources) -> list[dict[str, Any]]:
    return [
        {
            "paper": paper,
            "panels": comparisons.panels(sources.of_paper(paper.id), sources.addresses),
            "distances": comparisons.distances(sources.of_paper(paper.id), sources.addresses),
        }
        for paper in PAPERS.values()
    ]


def _cost(sources: Sources) -> dict[str, Any]:
    seconds = costs.seconds_by_experiment(sources.index)
    return {
        "costs": costs.costs(TABLES, sources.index, sources.times),
        "total": duration(sum(seconds.values())),
        "experiments": len(seconds),
        "seeds": costs.SEEDS,
        "unknown": costs.unknown_lines(sources.index, TASKS, MODELS),
    }


def write(folder: Path, lines: Iterable[Line]) -> dict[str, int]:
    """Write the report into ``folder``: file name -> bytes. Pages of an earlier report that are not made any more go.

    Raises ``BenchError`` for a folder with other content, and as ``store.write``.
    """
    _check_folder(folder)
    contents: dict[str, str | bytes] = {**pages(lines)}
    for name in ASSETS:
        contents[name] = (FOLDER / "templates" / name).read_text(encoding="utf-8")
    for table in TABLES.values():
        if name := _picture(table):
            contents[f"figures/{name}"] = _smaller(paths.present(paths.results() / "figures" / name))
    for name, content in contents.items():
        store.write(folder / name, content)
    _remove_old(folder, contents)
    return {
        name: len(content if isinstance(content, bytes) else content.encode()) for name, content in contents.items()
    }


def _smaller(picture: Path) -> bytes:
    """A PNG with ``COLOURS`` colours, a third of its size."""
    from PIL import Image

    out = io.BytesIO()
    with Image.open(picture) as image:
        fewer = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        fewer.save(out, "PNG", optimize=True)
    return out.getvalue()


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BenchError(f"{folder} is a file; name a folder for the report")
    index = folder / "index.html"
    is_report = index.exists() and MARK in index.read_text(encoding="utf-8", errors="replace")
    if folder.exists() and any(folder.iterdir()) and not is_report:
        raise BenchError(f"{folder} is not empty and holds no report; name an empty or a new folder")


def _remove_old(folder: Path, contents: Mapping[str, object]) -> None:
    for path in folder.glob("*.html"):
        if path.name not in contents and MARK in path.read_text(encoding="utf-8", errors="replace"):
            path.unlink()
    for path in (folder / "figures").glob("*.png"):
        if f"figures/{path.name}" not in contents:
            path.unlink()
