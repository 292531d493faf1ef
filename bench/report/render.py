"""Writes ``results/tables/``, ``results/figures/``, the claims and the index, or compares them with the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import paths
from bench.errors import BenchError
from bench.ledger import histories, store, validity
from bench.ledger.index import Index
from bench.ledger.store import Line
from bench.papers.registry import MODELS, TABLES, TASKS, find_model
from bench.report import claims, claims_page, figures, parity, readme
from bench.report.compared import places
from bench.report.csv_table import to_csv
from bench.report.figures import published
from bench.report.findings import find_results
from bench.report.index import index
from bench.report.latex import to_latex
from bench.report.markdown import to_markdown
from bench.spec.experiment import Experiment
from bench.spec.table import Table


def files(tables: Iterable[Table], lines: Iterable[Line]) -> dict[Path, str]:
    """Content of ``results/tables/<table>.{csv,md,tex}`` of ``tables``, of the claims and of the index."""
    contents: dict[Path, str] = {}
    lines = Index.of(lines)
    for table in tables:
        findings = find_results(table, lines)
        texts = {
            "csv": to_csv(table, findings),
            "md": to_markdown(table, findings, lines),
            "tex": to_latex(table, findings),
        }
        contents |= {paths.results() / "tables" / f"{table.id}.{ending}": text for ending, text in texts.items()}
    contents[paths.results() / "claims.md"] = claims_page.markdown(claims.judgements(lines))
    contents[paths.results() / "README.md"] = index(lines)
    if paths.results() == paths.COMMITTED and readme.PATH.exists():
        contents[readme.PATH] = readme.filled(readme.PATH.read_text(encoding="utf-8"), lines)
    return contents


def pictures(tables: Sequence[Table], lines: Iterable[Line]) -> tuple[figures.Contents, list[str]]:
    """Content of ``results/figures/`` for the figures among ``tables`` and for those of all tables together, and the
    reasons why others cannot be drawn.
    """
    contents: figures.Contents = {}
    problems = []
    for table in (t for t in tables if t.draw):
        try:
            contents |= figures.files(table, find_results(table, lines))
        except BenchError as error:
            problems.append(str(error))
    # after a run of a few tables, figures of all tables are drawn only if their data has changed
    compared = parity.measured(TABLES, Index.of(lines))
    contents |= published.files(compared, only_changed=len(tables) < len(TABLES))
    return contents, problems


def check(lines: Iterable[Line]) -> None:
    """Raise ``BenchError`` where lines of one experiment stem from different weights or from a training that is not
    what its recipe says, or where a history is damaged.
    """
    validity.check_weights(lines, _showing)
    validity.check_trainings(lines, _declared)
    histories.check(lines)


def _declared(line: Line) -> Experiment | None:
    """The experiment of ``line`` as it is declared now; ``None`` where its recipe is gone."""
    if line.task not in TASKS or line.budget not in ("paper", *TASKS[line.task].budgets):
        return None
    try:
        return Experiment(TASKS[line.task], find_model(line.model), line.seed, line.budget)
    except KeyError:
        return None


def _showing(line: Line) -> list[str]:
    """Names of the tables that show the experiment of ``line``."""
    if line.task not in TASKS or line.model not in MODELS:
        return []  # a recipe that is gone
    return list(dict.fromkeys(places(TASKS[line.task], MODELS[line.model])["table"]))


def render(tables: Iterable[Table], lines: Iterable[Line]) -> None:
    """Write ``files``, then ``pictures``; equal files are left alone. Raises ``BenchError`` as ``check``, and at the
    end for figures that cannot be drawn.
    """
    tables = list(tables)
    lines = Index.of(lines)
    check(lines)
    for path, text in files(tables, lines).items():
        store.write(path, text)
    drawn, problems = pictures(tables, lines)
    # a figure whose data and SVG are the same keeps the PNG and the PDF that another machine drew
    changed = {path.stem for path, content in drawn.items() if _differs(path, content)}
    for path, content in drawn.items():
        if content is None:
            path.unlink(missing_ok=True)  # its results are not current any more
        elif path.stem in changed:
            store.write(path, content)
    if problems:
        raise BenchError("\n".join(problems))


def differing(tables: Iterable[Table], lines: Iterable[Line]) -> list[Path]:
    """Rendered files that are not what the ledger gives. Of a figure, the data and the SVG are compared; PNG and
    PDF must exist. Raises ``BenchError`` as ``check``, and for figures that cannot be drawn.
    """
    tables = list(tables)
    lines = Index.of(lines)
    check(lines)
    drawn, problems = pictures(tables, lines)
    if problems:
        raise BenchError("\n".join(problems))
    wanted: dict[Path, str | bytes | None] = {**files(tables, lines), **drawn}
    return [path for path, content in wanted.items() if _differs(path, content)]


def _differs(path: Path, content: str | bytes | None) -> bool:
    if content is None:
        return path.exists()
    if not path.exists():
        return True
    return isinstance(content, str) and path.read_text(encoding="utf-8") != content
