"""Facts: what a cell says without any training.

Settings and terms come from the recipe. What needs a built network or the data is looked up in ``results/facts.csv``,
which ``python -m bench facts`` (``bench.report.census``) writes; a changed recipe or data set has another key, so an
old line is never shown. No torch.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger.store import write
from bench.papers.registry import MODELS
from bench.report import terms
from bench.spec.experiment import Experiment, canonical_hash
from bench.spec.model import Model
from bench.spec.table import COUNTED, Cell, Table
from bench.spec.task import Task
from datamodules.sources import SOURCES, missing

HEADER = ["fact", "of", "subject", "key", "value"]
WHOLE = "whole network"
COMMAND = "python -m bench facts"


@dataclass(frozen=True, order=True)
class Question:
    """A line of facts.csv without its value. ``key``: of the experiment's config, or of the data set's files."""

    fact: str
    of: str
    subject: str
    key: str


@dataclass(frozen=True)
class Answer:
    """``text`` as it is shown beside the published one; without one ``status`` and ``note`` say why."""

    text: str
    status: str = "measured"
    verdict: str = ""  # equal | differs, where something is published; what data a count is of, where not the paper's
    note: str = ""
    params: int | None = None


def path() -> Path:
    return paths.results() / "facts.csv"


@lru_cache(maxsize=4)
def _read(where: Path, changed_ns: int) -> dict[Question, str]:
    header, *rows = csv.reader(io.StringIO(where.read_text(encoding="utf-8")))
    if header != HEADER or any(len(row) != len(HEADER) for row in rows):
        raise BenchError(f"{where} is not a list of facts ({', '.join(HEADER)}): take it back from git, or {COMMAND}")
    return {Question(*row[:-1]): row[-1] for row in rows}


def read() -> dict[Question, str]:
    """What facts.csv holds; nothing where there is no file."""
    where = path()
    return _read(where, where.stat().st_mtime_ns) if where.exists() else {}


def save(known: Mapping[Question, str]) -> None:
    """Write facts.csv, sorted, whole or not at all."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([q.fact, q.of, q.subject, q.key, value] for q, value in sorted(known.items()))
    write(path(), out.getvalue())


def about_data(fact: str, name: str) -> Question:
    return Question(fact, "", name, canonical_hash(SOURCES[name].identity))


def about_network(fact: str, of: str, task: Task, model: Model) -> Question:
    return Question(fact, of, f"{task.name}/{model.name}", Experiment(task, model, 0, "paper").config_hash)


def _config(cell: Cell) -> dict[str, Any]:
    assert cell.task is not None
    return Experiment(cell.task, cell.model or MODELS["lif"], 0, "paper").config


def _models(cell: Cell) -> list[Model]:
    """The models whose parameters a cell counts: its own, then those that its fact names."""
    assert cell.fact is not None
    return [*([cell.model] if cell.model else []), *(MODELS[name] for name in cell.fact.of)]


def questions(cell: Cell) -> list[Question]:
    """What must be in facts.csv for ``cell``; nothing where the recipe says it all."""
    fact = cell.fact
    if fact is None:
        return []
    if cell.task is None:
        return []
    if fact.name in COUNTED:
        return [about_data(fact.name, cell.task.data)]
    if fact.name in (
        "parameters",
        "network",
    ):  # as the paper counts them, or all that is trained of the network that is shown
        of = WHOLE if fact.name == "network" else ""
        return [about_network("parameters", of, cell.task, model) for model in _models(cell)]
    if fact.name == "te" and cell.model is not None:
        return [about_network("te", "", cell.task, cell.model)]
    if fact.name == "setting" and cell.model is not None:
        config = _config(cell)
        return [about_network("setting", p, cell.task, cell.model) for p in fact.of if terms.value(config, p) is None]
    return []


def lacking(cells: Iterable[Cell]) -> bool:
    """Whether facts.csv lacks something about ``cells`` that can be computed here."""
    known = read()
    return any(
        question not in known and not (question.fact in COUNTED and missing(question.subject))
        for c in cells
        for question in questions(c)
    )


def all_questions(tables: Mapping[str, Table]) -> set[Question]:
    return {question for table in tables.values() for cell in table.cells for question in questions(cell)}


def _text(cell: Cell, known: Mapping[Question, str]) -> str | None:
    assert cell.fact is not None and cell.task is not None and cell.model is not None
    if cell.fact.name == "setting":
        return _setting(cell, known)
    if cell.fact.name == "te":
        return known.get(about_network("te", "", cell.task, cell.model))
    if cell.fact.name == "widths":
        return "/".join(terms.widths(Experiment(cell.task, model, 0, "paper").config) for model in _models(cell))
    return terms.WORDS[cell.fact.name](_config(cell))


def _setting(cell: Cell, known: Mapping[Question, str]) -> str | None:
    """The settings a fact names, joined; ``None`` where a neuron's default is not in facts.csv."""
    assert cell.fact is not None and cell.task is not None
    config, texts = _config(cell), []
    for name in cell.fact.of:
        found = terms.value(config, name)
        if found is None and cell.model is not None:
            found = known.get(about_network("setting", name, cell.task, cell.model))
        if found is None:
            return None
        texts.append(terms.setting(name, found))
    return ", ".join(texts)


def _plain(text: str) -> str:
    return "".join(text.split()).replace(",", "").lower()


def same(published: str, text: str) -> bool:
    """Whether two texts say the same: as numbers (1e-4 = 0.0001 = "0.0001"), or but for case, blanks and commas."""
    try:
        return math.isclose(float(published.replace(",", "")), float(text.replace(",", "")), rel_tol=1e-9)
    except ValueError:
        return _plain(published) == _plain(text)


def answer(cell: Cell) -> Answer:
    """What is known of a fact cell. Raises ``KeyError`` for a fact that does not exist."""
    fact, known = cell.fact, read()
    assert fact is not None
    if fact.name == "described":
        return Answer("", "not applicable", note=f"a description, nothing to count: {fact.why}")
    if cell.task is not None and fact.name in COUNTED:
        return _data(cell, known)
    if cell.task is None or cell.model is None:
        return Answer("", "not run")
    counts = {q.subject.split("/")[1]: int(known[q]) for q in questions(cell) if q.fact == "parameters" and q in known}
    if fact.name == "parameters":
        return _parameters(cell, counts)
    text = _text(cell, known)
    if text is None:
        return Answer("", "ready to run", note=COMMAND)
    said = [f"{count:,} parameters ({MODELS[name].title})" for name, count in counts.items()]
    if fact.name == "network" and len(said) < len(_models(cell)):
        said.append(f"parameters: {COMMAND}")
    verdict = _verdict(cell, text)
    note = "; ".join([*([_why(cell)] if verdict == "differs" else []), *said])
    return Answer(text, "measured", verdict, note, next(iter(counts.values()), None))


def _verdict(cell: Cell, text: str) -> str:
    return "" if cell.published is None else "equal" if same(cell.published, text) else "differs"


def _why(cell: Cell) -> str:
    """The reason for a deviation: the fact's own, or what the recipe and the model say about its source."""
    assert cell.fact is not None
    if cell.fact.why or cell.task is None:
        return cell.fact.why
    names = {"network": ["readout"], "widths": ["layers"]}.get(
        cell.fact.name, [of.split(".")[0] for of in cell.fact.of]
    )
    own = dict(cell.model.sources) if cell.model else {}
    return "; ".join(
        dict.fromkeys(said for name in names if (said := own.get(name) or cell.task.sources.get(name, "")))
    )


def _parameters(cell: Cell, counts: Mapping[str, int]) -> Answer:
    if not counts:
        return Answer("", "ready to run", note=COMMAND)
    count = next(iter(counts.values()))
    text, note = f"{count:,}", ""
    if cell.published is None:
        return Answer(text, params=count)
    digits = len(cell.published.partition(".")[2])
    scaled = count / 1000 if cell.unit == "k" else count
    verdict = "equal" if f"{scaled:.{digits}f}" == cell.published else "differs"
    if verdict == "differs" and f"{math.floor(scaled * 10**digits) / 10**digits:.{digits}f}" == cell.published:
        verdict, note = "equal", "the paper rounds down"
    assert cell.fact is not None
    own = cell.model.sources.get("parameters", "") if cell.model else ""
    return Answer(text, "measured", verdict, note or ((cell.fact.why or own) if verdict == "differs" else ""), count)


def _data(cell: Cell, known: Mapping[Question, str]) -> Answer:
    """What is counted of a data set; a subset or a stand-in is labelled as one and compared with nothing."""
    assert cell.fact is not None
    (question,) = questions(cell)
    source, value = SOURCES[question.subject], known.get(question)
    if value is None:
        return Answer(
            "",
            "data missing",
            note=f"{source.title} is not here: python -m bench data fetch {question.subject}, then {COMMAND}",
        )
    if source.kind != "full":
        return Answer(value, verdict=source.kind)
    verdict = _verdict(cell, value)
    return Answer(value, verdict=verdict, note=cell.fact.why if verdict == "differs" else "")
