"""The counts of published numbers in README.md, between two comments; the rest of the file is written by hand."""

from __future__ import annotations

import re
from pathlib import Path

from bench.errors import BenchError
from bench.ledger.index import Index
from bench.papers.registry import TABLES
from bench.paths import ROOT
from bench.report import counts

BEGIN = "<!-- counts of published numbers: written by python -m bench render -->"
END = "<!-- end of counts -->"
COLUMNS = tuple(name for name in counts.NAMES if name not in ("beside", "computed"))
PATH = ROOT / "README.md"


def filled(text: str, index: Index, path: Path = PATH) -> str:
    """``text`` of README.md with the counts of ``index``. Raises ``BenchError`` where its two comments are missing."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise BenchError(f"{path}: the counts belong between the lines {BEGIN!r} and {END!r}, each once")
    block = "\n".join([BEGIN, *_table(index), END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def _table(index: Index) -> list[str]:
    by_table = {name: counts.of(table, index) for name, table in TABLES.items()}
    with_numbers = {name: number for name, number in by_table.items() if number.published}
    total = sum(with_numbers.values(), counts.Counts())
    return [
        f"| table | {' | '.join(counts.NAMES[name] for name in COLUMNS)} |",
        "| --- |" + " ---: |" * len(COLUMNS),
        *(_row(f"[{name}](results/tables/{name}.md)", number) for name, number in with_numbers.items()),
        _row("**sum**", total),
    ]


def _row(name: str, number: counts.Counts) -> str:
    return f"| {name} | {' | '.join(str(getattr(number, column) or '') for column in COLUMNS)} |"
