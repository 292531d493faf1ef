"""Facts: the cells of a table that need no training.

Settings and terms come from the recipe. Values that need a built network or the data come from ``results/facts.csv``,
which ``python -m bench facts`` (``bench.report.census``) writes. A changed recipe or data set has another key, so that
a table never prints an old value. No torch.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench import paths
from bench.errors import BenchError
from bench.ledger import csv_files
from bench.ledger.store import write
from bench.measures import MEASURES
from bench.papers.registry import MODELS
from bench.report import terms
from bench.spec.experiment import Experiment, canonical_hash
from bench.spec.model import Model
from bench.spec.table import COUNTED, Cell, Table
from bench.spec.task import Task
from datamodules.sources import SOURCES, missing

log = logging.getLogger(__name__)
HEADER = ["fact", "of", "subject", "key", "value"]
WHOLE_NETWORK = "whole network"
COMMAND = "python -m bench facts"
CONNECTIONS = ("dense operations", "connection sparsity")  # NeuroBench's: of one sample, and of all weights
# What of a config decides them
OF_CONNECTIONS = ("network", "network_settings", "layers", "readout", "recurrent", "data", "data_settings")


@dataclass(frozen=True, order=True)
class Question:
    """A line of facts.csv without its value. ``key``: of the experiment's config, or of the data set's files."""

    fact: str
    of: str
    subject: str
    key: str


@dataclass(frozen=True)
class Answer:
    """``text`` is printed beside the published value; where it is empty, ``status`` and ``note`` give the reason.

    ``verdict`` is equal or differs where a value is published, and the kind of data for a subset or a stand-in.
    ``number`` is the value of a parameter count or an energy, ``params`` of a parameter count alone.
    """

    text: str
    status: str = "measured"
    verdict: str = ""
    note: str = ""
    params: int | None = None
    number: float | None = None


def path() -> Path:
    return paths.results() / "facts.csv"


def _header_problem(header: list[str]) -> str:
    return "" if header == HEADER else f"the header is not that of facts ({', '.join(HEADER)})"


@lru_cache(maxsize=4)
def _read(file: Path, changed_ns: int) -> dict[Question, str]:
    _, rows = csv_files.read(file, _header_problem, f"take the file back from git, or: {COMMAND}")
    return {Question(*row[:-1]): row[-1] for row in rows}


def read() -> dict[Question, str]:
    """The values in facts.csv, with plug-ins also those of the committed one; none without the file."""
    lower = paths.below()
    files = filter(Path.exists, [*([lower / "facts.csv"] if lower else []), path()])
    return {question: value for file in files for question, value in _read(file, file.stat().st_mtime_ns).items()}


def read_or_set_aside() -> dict[Question, str]:
    """``read``. A damaged file is renamed, with a warning, and its lines that are right are what is known."""
    try:
        return read()
    except BenchError as error:
        file = path()
        numbers = itertools.count(1)
        copy = next(c for n in numbers if not (c := file.with_name(f"{file.name}.damaged-{n}")).exists())
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        file.rename(copy)
        log.warning("%s; the file is now %s, and facts are computed again", error, copy.name)
    rows = [csv_files.fields(line) for line in lines]
    return {Question(*row[:-1]): row[-1] for row in rows if len(row) == len(HEADER) and row != HEADER}


def save(values: Mapping[Question, str]) -> None:
    """Write facts.csv, sorted. An interrupted write leaves the old file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([q.fact, q.of, q.subject, q.key, value] for q, value in sorted(values.items()))
    write(path(), out.getvalue())


def data_question(fact: str, name: str) -> Question:
    return Question(fact, "", name, canonical_hash(SOURCES[name].identity))


def network_question(fact: str, of: str, task: Task, model: Model) -> Question:
    experiment = Experiment(task, model, 0, "paper")
    code = "".join(f"-{origin.digest}" for origin in experiment.origins(()) if origin.kind == "neuron")
    return Question(fact, of, f"{task.name}/{model.name}", f"{experiment.config_hash}{code}")


def _config(cell: Cell) -> dict[str, Any]:
    assert cell.task is not None
    return Experiment(cell.task, cell.model or MODELS["lif"], 0, "paper").config


def _models(cell: Cell) -> list[Model]:
    """The models whose parameters a cell counts: its own, then those that its fact names."""
    assert cell.fact is not None
    return [*([cell.model] if cell.model else []), *(MODELS[name] for name in cell.fact.of)]


def questions(cell: Cell) -> list[Question]:
    """The lines of facts.csv that ``cell`` needs; none where the recipe has all the answers."""
    fact = cell.fact
    if fact is None or cell.task is None:
        return []
    if fact.name in COUNTED:
        return [data_question(fact.name, cell.task.data)]
    if fact.name == "parameters":  # as the paper counts them
        return [network_question("parameters", "", cell.task, model) for model in _models(cell)]
    if fact.name in ("network", "all parameters"):  # all that is trained
        return [network_question("parameters", WHOLE_NETWORK, cell.task, model) for model in _models(cell)]
    if fact.name == "energy" and cell.model is not None:
        return [network_question("energy", " ".join(fact.of), cell.task, cell.model)]
    if fact.name == "te" and cell.model is not None:
        return [network_question("te", "", cell.task, cell.model)]
    if fact.name == "setting" and cell.model is not None:
        config = _config(cell)
        defaults = [path for path in fact.of if terms.setting_value(config, path) is None]
        return [network_question("setting", path, cell.task, cell.model) for path in defaults]
    return []


def connection_questions(tables: Mapping[str, Table]) -> dict[Question, dict[str, Any]]:
    """The lines of facts.csv about the connections of the networks that the tables train, with a config of each.

    Networks that differ only in what leaves their connections and their input as they are share a line.
    """
    experiments = (
        Experiment(cell.task, cell.model, 0, budget)
        for table in tables.values()
        for cell in table.cells
        if cell.runnable and cell.task and cell.model
        for budget in ("paper", *(name for name in cell.task.budgets if name != "smoke"))
    )
    return {
        question: experiment.config
        for experiment in {e.config_hash: e for e in experiments}.values()
        for question in connections_of(experiment)
    }


def connections_of(experiment: Experiment) -> list[Question]:
    """The lines of facts.csv about the connections of the network of ``experiment``."""
    config = {name: experiment.config.get(name) for name in OF_CONNECTIONS}
    return [Question(fact, "", experiment.task.name, canonical_hash(config)) for fact in CONNECTIONS]


def incomplete(cells: Iterable[Cell]) -> bool:
    """Whether facts.csv lacks a value about ``cells`` that can be computed on this machine."""
    values = read()
    return any(
        question not in values and not (question.fact in COUNTED and missing(question.subject))
        for cell in cells
        for question in questions(cell)
    )


def all_questions(tables: Mapping[str, Table]) -> set[Question]:
    return cell_questions(tables) | connection_questions(tables).keys()


def cell_questions(tables: Mapping[str, Table]) -> set[Question]:
    """The lines of facts.csv that cells need."""
    return {question for table in tables.values() for cell in table.cells for question in questions(cell)}


def answer(cell: Cell) -> Answer:
    """The answer to a cell's fact. Raises ``KeyError`` for a fact that does not exist."""
    fact = cell.fact
    assert fact is not None
    if fact.name == "described":
        return Answer("", "not applicable", note=f"a description, nothing to count: {fact.why}")
    if cell.task is not None and fact.name in COUNTED:
        return _data_answer(cell)
    if cell.task is None or cell.model is None:
        return Answer("", "not run")
    special = {
        "parameters": _parameters_answer,
        "all parameters": _parameters_answer,
        "energy": _energy_answer,
    }
    return special.get(fact.name, _recipe_answer)(cell)


def _data_answer(cell: Cell) -> Answer:
    """A count of a data set. One of a subset or a stand-in is labelled and not compared with the published one."""
    assert cell.fact is not None
    (question,) = questions(cell)
    source = SOURCES[question.subject]
    value = read().get(question)
    if value is None:
        note = f"{source.title} is not here: python -m bench data fetch {question.subject}, then {COMMAND}"
        return Answer("", "data missing", note=note)
    if source.kind not in ("full", "near-complete"):
        return Answer(value, verdict=source.kind)
    verdict = _verdict(cell, value)
    shortage = source.shortage(*source.samples)
    reasons = [cell.fact.why, f"{source.kind}: {shortage} samples are missing" if shortage else ""]
    return Answer(value, verdict=verdict, note="; ".join(filter(None, reasons)) if verdict == "differs" else "")


def _parameter_counts(cell: Cell) -> dict[str, int]:
    """Number of parameters by model, of those in facts.csv."""
    values = read()
    return {
        question.subject.split("/")[1]: int(values[question])
        for question in questions(cell)
        if question.fact == "parameters" and question in values
    }


def _parameters_answer(cell: Cell) -> Answer:
    """The first model's number of parameters, compared as the paper rounds it."""
    counts = _parameter_counts(cell)
    if not counts:
        return Answer("", "ready to run", note=COMMAND)
    count = next(iter(counts.values()))
    text = f"{count:,}"
    if cell.published is None:
        return Answer(text, params=count, number=count)
    digits = _digits(cell.published)
    printed = count / 1000 if cell.unit == "k" else count
    if f"{printed:.{digits}f}" == cell.published:
        return Answer(text, verdict="equal", params=count, number=count)
    if f"{math.floor(printed * 10**digits) / 10**digits:.{digits}f}" == cell.published:
        return Answer(text, verdict="equal", note="the paper rounds down", params=count, number=count)
    assert cell.fact is not None
    source = cell.model.sources.get("parameters", "") if cell.model else ""
    return Answer(text, verdict="differs", note=cell.fact.why or source, params=count, number=count)


def _digits(published: str) -> int:
    """Digits after the point of a published number."""
    return len(published.partition(".")[2])


def _energy_answer(cell: Cell) -> Answer:
    """An energy or a count of operations, compared as the paper rounds it."""
    assert cell.fact is not None
    (question,) = questions(cell)
    value = read().get(question)
    if value is None:
        return Answer("", "ready to run", note=COMMAND)
    number = float(value)
    text = f"{number:,.{MEASURES[cell.fact.of[0]].digits}f}"
    if cell.published is None:
        return Answer(text, number=number)
    if f"{number:.{_digits(cell.published)}f}" == cell.published:
        return Answer(text, verdict="equal", number=number)
    return Answer(text, verdict="differs", note=cell.fact.why, number=number)


def _recipe_answer(cell: Cell) -> Answer:
    """The terms of a recipe, or its settings, with the parameters of the networks that it describes."""
    assert cell.fact is not None
    text = _text(cell)
    if text is None:
        return Answer("", "ready to run", note=COMMAND)
    counts = _parameter_counts(cell)
    count = next(iter(counts.values()), None)
    verdict = _verdict(cell, text)
    notes = [_reason(cell)] if verdict == "differs" else []
    notes += [f"{count:,} parameters ({MODELS[name].title})" for name, count in counts.items()]
    if cell.fact.name == "network" and len(counts) < len(_models(cell)):
        notes.append(f"parameters: {COMMAND}")
    return Answer(text, verdict=verdict, note="; ".join(notes), params=count, number=count)


def _text(cell: Cell) -> str | None:
    """``None`` where facts.csv lacks the value."""
    assert cell.fact is not None and cell.task is not None and cell.model is not None
    if cell.fact.name == "setting":
        return _settings_text(cell)
    if cell.fact.name == "te":
        return read().get(network_question("te", "", cell.task, cell.model))
    if cell.fact.name == "widths":
        return "/".join(terms.widths(Experiment(cell.task, model, 0, "paper").config) for model in _models(cell))
    return terms.TERMS[cell.fact.name](_config(cell))


def _settings_text(cell: Cell) -> str | None:
    """The settings that a fact names, joined; ``None`` where facts.csv lacks a neuron's default."""
    assert cell.fact is not None and cell.task is not None and cell.model is not None
    config = _config(cell)
    values = read()
    texts = []
    for name in cell.fact.of:
        value = terms.setting_value(config, name)
        if value is None:
            value = values.get(network_question("setting", name, cell.task, cell.model))
        if value is None:
            return None
        texts.append(terms.setting_text(name, value))
    return ", ".join(texts)


def _verdict(cell: Cell, text: str) -> str:
    if cell.published is None:
        return ""
    return "equal" if texts_agree(cell.published, text) else "differs"


def texts_agree(published: str, text: str) -> bool:
    """Whether two texts are equal as numbers (1e-4 = 0.0001), or apart from case, blanks and commas."""
    try:
        return math.isclose(float(published.replace(",", "")), float(text.replace(",", "")), rel_tol=1e-9)
    except ValueError:
        return _normalised(published) == _normalised(text)


def _normalised(text: str) -> str:
    return "".join(text.split()).replace(",", "").lower()


def _reason(cell: Cell) -> str:
    """Why a value differs from the published one: the fact's own reason, or the source that recipe or model name."""
    assert cell.fact is not None
    if cell.fact.why or cell.task is None:
        return cell.fact.why
    settings = [path.split(".")[0] for path in cell.fact.of]
    fields = {"network": ["readout"], "widths": ["layers"]}.get(cell.fact.name, settings)
    of_model = cell.model.sources if cell.model else {}
    sources = (of_model.get(field) or cell.task.sources.get(field, "") for field in fields)
    return "; ".join(dict.fromkeys(source for source in sources if source))
