"""A table as text for people: what its cells, heads, rows and legend say. Markdown and LaTeX share it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.report import counts
from bench.report.facts import answer
from bench.report.groups import Group
from bench.report.verdict import VERDICTS, Finding, published_number
from bench.spec.table import Cell
from bench.spec.task import BUDGETS

SIGNS = {"reproduced": "✓", "above": "▲", "below": "▼", "inconclusive": "?", "equal": "=", "differs": "≠"}
ONE_SEED = "†"
NO_VALUE = {"data missing": "no data", "not applicable": "n/a"}  # status -> what a cell prints; others as they are
MEANINGS = {
    "reproduced": "the interval lies inside the tolerance around the published value",
    "above": "the interval lies above the tolerance around the published value",
    "below": "the interval lies below the tolerance around the published value",
    "inconclusive": "neither, or one seed",
    "equal": "as printed",
    "differs": "not as printed",
}


@dataclass(frozen=True)
class CellText:
    """What a cell prints: the value or why there is none, the published value (empty without one), sign and word of the
    verdict, and seeds in two groups. ``also`` is what other papers print, such as "roles 97.50".
    """

    value: str
    published: str = ""
    sign: str = ""
    word: str = ""
    parted: str = ""
    also: str = ""

    @property
    def lines(self) -> list[str]:
        """The value, seeds in two groups, then ``(published) sign word``, then what other papers print."""
        published = f"({self.published})" if self.published else ""
        last = " ".join(filter(None, (published, self.sign, self.word)))
        return list(filter(None, (self.value, f"[{self.parted}]" if self.parted else "", last, self.also)))


def digits(cell: Cell) -> int:
    """Decimals with which a value of ``cell`` is printed."""
    return cell.measure.digits if cell.measure else 2


def number_of(f: Finding) -> float | None:
    """The measured or computed value as a number that can be compared with the published one, ``None`` without one."""
    if f.value is not None or f.cell.fact is None:
        return f.value
    return answer(f.cell).number if f.cell.fact.name == "energy" else None


def difference(f: Finding) -> float | None:
    """Measured minus published, of a current result; ``None`` where one of them is no number."""
    number = number_of(f)
    published = published_number(f.cell)
    return None if number is None or published is None or f.status != "measured" else number - published


def column_units(group: Group) -> dict[str, str]:
    """Column -> the unit that all its measured cells share; "" without one. Facts bring their own."""
    units: dict[str, set[str]] = {column: set() for column in group.titles}
    for f in group.findings:
        if not f.cell.fact and f.cell.absent != "not applicable":
            units[f.cell.column].add(f.cell.unit)
    return {column: next(iter(shared)) if len(shared) == 1 else "" for column, shared in units.items()}


def column_heads(group: Group) -> list[str]:
    """The columns' titles, with the unit that a column has: "Energy (nJ), input counted". % is left out."""
    units = column_units(group)
    return [_head(title, units[column]) for column, title in group.titles.items()]


def _head(title: str, unit: str) -> str:
    name, comma, rest = title.partition(", ")
    return title if unit in ("", "%") else f"{name} ({unit}){comma}{rest}"


def cell_text(f: Finding, column_unit: str = "") -> CellText:
    """What is printed for one cell. The unit is left out where it is % or that of the column."""
    also = ", ".join(f"{value.paper.id} {value.value}" for value in f.also_published)
    return replace(_own_text(f, column_unit), also=also)


def _own_text(f: Finding, column_unit: str) -> CellText:
    published = f.cell.published or ""
    if f.text:
        return _fact_text(f, published, column_unit)
    if f.value is None:
        return CellText(NO_VALUE.get(f.status, f.status), published)
    unit = "" if f.cell.unit in ("", "%", column_unit) else f" {f.cell.unit}"
    value = f"{value_text(f)}{unit}"
    if f.status == "stale":
        return CellText(value, published, "↻", "stale")
    word = verdict_word(f)
    return CellText(value, published, SIGNS.get(word, ""), word, f.parted)


def value_text(f: Finding) -> str:
    """``98.50 ± 0.24``, with † for one seed."""
    places = digits(f.cell)
    half = "" if f.half is None else f" ± {f.half:.{places}f}"
    return f"{f.value:.{places}f}{half}{ONE_SEED if f.n == 1 and f.status == 'measured' else ''}"


def _fact_text(f: Finding, published: str, column_unit: str) -> CellText:
    word = verdict_word(f)
    if "".join(f.text.split()) == "".join(published.split()):
        published = ""
    unit = f.cell.unit if published and f.cell.unit != column_unit else ""
    blank = "" if unit in ("", "k", "%") else " "
    return CellText(f.text, f"{published}{blank}{unit}", SIGNS.get(word, ""), word)


def verdict_word(f: Finding) -> str:
    """The verdict, or in a word or two why there is none. Empty where nothing is published to compare with, and for
    other data, which headings and columns name.
    """
    if f.status != "measured":
        return ""
    if counts.is_published(f.cell) and (kind := counts.kind(f)) in VERDICTS:
        return kind
    if f.verdict in ("equal", "differs"):
        return f.verdict
    if f.budget not in ("", "paper"):
        return f"{f.budget} budget"
    return "another recipe" if "another recipe" in f.verdict else ""


def legend(findings: list[Finding]) -> str:
    """How the cells of a table were measured, and what their words mean; one or two short lines."""
    measured = [f for f in findings if f.status == "measured" and not f.text]
    words = {verdict_word(f) for f in findings}
    parts = _measured_legend(measured) if measured else []
    if any(f.text for f in findings):
        parts.append("Cells without ± need no training" if measured else "Computed without training")
    meanings = [f"{SIGNS[word]} {word}: {meaning}" for word, meaning in MEANINGS.items() if word in words]
    if meanings:
        parts.append("; ".join(meanings))
    if any(f.cell.own for f in findings):
        parts.append("(own): a row that a plug-in has added; nothing is published for it and it gets no verdict")
    if any(f.parted for f in findings):
        parts.append("[…]: the seeds fall into two groups, so that no interval is printed")
    return ". ".join(parts or ["Nothing measured yet"]) + "."


def also_legend(findings: list[Finding]) -> str:
    """Whose values stand below the verdicts of a table; empty without such values."""
    papers = {value.paper.id: value.paper for f in findings for value in f.also_published}
    return " ".join(
        f"{name} …: {paper.authors} ({paper.reference}) print this for the cell; it gives no verdict."
        for name, paper in papers.items()
    )


def _measured_legend(measured: list[Finding]) -> list[str]:
    budgets = sorted({f.budget for f in measured})
    published = ", (published)" if any(f.cell.published for f in measured) else ""
    parts = [
        f"Measured ± half of the 95 % interval{published}",
        f"Protocol {', '.join(sorted({f.protocol for f in measured}))}",
        "Budget " + "; ".join(f"{budget}: {BUDGETS[budget]}" for budget in budgets),
        f"{_span([f.n for f in measured], 'seed')} a cell",
    ]
    epochs = [n for f in measured for n in f.epochs]
    if epochs:
        parts[-1] += f", {_span(epochs, 'epoch')}"
    if any(f.n == 1 for f in measured):
        parts.append(f"{ONE_SEED} one seed: ± is the error of the test sample only")
    return parts


def _span(numbers: list[int], name: str) -> str:
    """``1 seed`` or ``1–3 seeds``."""
    least, most = min(numbers), max(numbers)
    return f"{least if least == most else f'{least}–{most}'} {name}{'s' if most > 1 else ''}"
