"""The counts of published numbers in README.md, between two comments; the rest of the file is written by hand."""

from __future__ import annotations

import re
from pathlib import Path

from bench.errors import BenchError
from bench.ledger.index import Index
from bench.papers.registry import PAPERS, TABLES
from bench.paths import ROOT
from bench.report import counts
from bench.spec.table import Paper

BEGIN = "<!-- counts of published numbers: written by python -m bench render -->"
END = "<!-- end of counts -->"
COLUMNS = tuple(name for name in counts.NAMES if name not in ("beside", "computed"))
PATH = ROOT / "README.md"
NONE = counts.Counts()


def filled(text: str, index: Index, path: Path = PATH) -> str:
    """``text`` of README.md with the counts of ``index``. Raises ``BenchError`` where its two comments are missing."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise BenchError(f"{path}: the counts belong between the lines {BEGIN!r} and {END!r}, each once")
    block = "\n".join([BEGIN, *_table(index), END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def _table(index: Index) -> list[str]:
    by_paper = {paper: _of_paper(paper, index) for paper in PAPERS}
    with_numbers = {paper: numbers for paper, numbers in by_paper.items() if numbers.published}
    total = sum(with_numbers.values(), NONE)
    return [
        sentence(total),
        "",
        f"| paper | {' | '.join(counts.NAMES[name] for name in COLUMNS)} |",
        "| --- |" + " ---: |" * len(COLUMNS),
        *(_row(_name(PAPERS[paper]), numbers) for paper, numbers in with_numbers.items()),
        _row("**sum**", total),
    ]


def _of_paper(paper: str, index: Index) -> counts.Counts:
    return sum((counts.of(table, index) for table in TABLES.values() if table.paper.id == paper), NONE)


def sentence(total: counts.Counts) -> str:
    """How many published numbers are reproduced, and what became of those at the paper's budget."""
    verb = "is" if total.reproduced <= 1 else "are"
    start = f"{total.reproduced or 'None'} of the {total.published} published numbers {verb} reproduced."
    kinds = {
        "reproduced": "reproduced",
        "above": "above the published value",
        "below": "below it",
        "inconclusive": "inconclusive",
        "another_recipe": "with another recipe than the paper's",
    }
    numbers = [f"{number} {text}" for name, text in kinds.items() if (number := getattr(total, name))]
    if not numbers:
        return f"{start} None is measured at the paper's budget."
    verb = "is" if total.at_paper_budget == 1 else "are"
    return f"{start} {total.at_paper_budget} {verb} measured at the paper's budget: {', '.join(numbers)}."


def _name(paper: Paper) -> str:
    return f"[{paper.id}](results/README.md): {paper.authors} ({paper.reference.split(';')[0]})"


def _row(name: str, numbers: counts.Counts) -> str:
    return f"| {name} | {' | '.join(str(getattr(numbers, column)) for column in COLUMNS)} |"
