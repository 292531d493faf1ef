"""Published beside measured numbers of all tables: a figure of parity, and a forest plot for each paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.papers.registry import PAPERS, TABLES
from bench.report import counts
from bench.report.figures import PICTURES, Contents, places, to_csv
from bench.report.parity import Pair, pairs
from bench.report.verdict import Finding

PARITY = "parity"
FOREST = "forest-"
MARKS = {  # kind -> colour, marker
    "reproduced": ("#009e73", "o"),
    "above": ("#0072b2", "^"),
    "below": ("#d55e00", "v"),
    "inconclusive": ("#b59a00", "D"),
    "another_recipe": ("#8a949c", "s"),
    "reduced": ("#5b6670", "o"),
}
HOLLOW = "reduced"
ROW_HEIGHT = 0.17  # inches of a cell in a forest plot


def forest_name(paper: str) -> str:
    """File name, without ending, of a paper's forest plot."""
    return f"{FOREST}{paper}"


def title(name: str) -> str:
    """The title of the figure ``name``."""
    if name == PARITY:
        return "Published against measured numbers"
    return f"{name.removeprefix(FOREST)}: measured intervals and published values"


def drawn(findings: Mapping[str, Iterable[Finding]]) -> dict[str, list[Pair]]:
    """Name of each figure that has something to show -> the cells in it. Forest plots have the paper's budget alone."""
    compared = list(pairs(findings))
    figures = {PARITY: compared}
    for paper in PAPERS:
        of_paper = [pair for pair in compared if TABLES[pair.table].paper.id == paper]
        figures[forest_name(paper)] = [pair for pair in of_paper if pair.kind != HOLLOW]
    return {name: chosen for name, chosen in figures.items() if chosen}


def files(findings: Mapping[str, Iterable[Finding]], only_changed: bool) -> Contents:
    """Content of the files of every figure; ``None`` (no file) where nothing is measured.

    With ``only_changed`` a figure whose data is already in its CSV is left as it is.
    """
    chosen = drawn(findings)
    contents: Contents = {}
    for name in (PARITY, *map(forest_name, PAPERS)):
        files_of = places(name)
        if name not in chosen:
            contents |= dict.fromkeys(files_of.values())
            continue
        data = to_csv([_point(pair) for pair in chosen[name]])
        if not (only_changed and _is_there(files_of, data)):
            contents |= {files_of["csv"]: data, **_pictures(name, chosen[name], files_of)}
    return contents


def _is_there(files_of: Mapping[str, Path], data: str) -> bool:
    return all(path.exists() for path in files_of.values()) and files_of["csv"].read_text(encoding="utf-8") == data


def _pictures(name: str, chosen: Sequence[Pair], files_of: Mapping[str, Path]) -> Contents:
    from bench.report.figures import style  # loads matplotlib

    with style.figure_settings():
        picture = _parity(chosen) if name == PARITY else _forest(chosen)
        caption = _parity_caption(chosen) if name == PARITY else _forest_caption(chosen)
        style.finish(picture, title(name), caption)
        return {files_of[ending]: content for ending, content in style.contents(picture, name, PICTURES).items()}


def _point(pair: Pair) -> dict[str, Any]:
    f = pair.finding
    return {
        "paper": TABLES[pair.table].paper.id,
        "table": pair.table,
        "row": f.cell.row,
        "column": f.cell.column,
        "unit": f.cell.unit,
        "published": pair.published,
        "measured": pair.measured,
        "low": None if f.half is None else f.low,
        "high": None if f.half is None else f.high,
        "seeds": f.n or None,
        "budget": f.budget,
        "verdict": counts.NAMES[pair.kind],
    }


def _grouped(chosen: Sequence[Pair], key: Callable[[Pair], tuple[str, str]]) -> dict[tuple[str, str], list[Pair]]:
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in chosen:
        groups.setdefault(key(pair), []).append(pair)
    return groups


def _labelled(unit: str, word: str) -> str:
    return f"{word} ({unit})" if unit else word


def _parity_caption(chosen: Sequence[Pair]) -> str:
    reduced = sum(pair.kind == HOLLOW for pair in chosen)
    published = sum(counts.is_published(cell) for table in TABLES.values() for cell in table.cells)
    return (
        f"{len(chosen)} of {published} published numbers are measured: {len(chosen) - reduced} at the paper's budget"
        f" (filled marks) and {reduced} at a reduced one (hollow marks)."
        " On the line both numbers are equal; the grey band is the tolerance."
    )


def _parity(chosen: Sequence[Pair]) -> Any:
    from bench.report.figures.style import wrapped_panels

    groups = _grouped(chosen, lambda pair: (TABLES[pair.table].paper.id, pair.finding.cell.unit))
    figure, axes = wrapped_panels(len(groups), 3, width=2.3, height=2.2)
    for axis, ((paper, unit), of_panel) in zip(axes, groups.items(), strict=True):
        numbers = [number for pair in of_panel for number in (pair.published, pair.measured)]
        room = 0.06 * (max(numbers) - min(numbers)) or 1.0
        ends = [min(numbers) - room, max(numbers) + room]
        measure = of_panel[0].finding.cell.measure
        band = measure.tolerance if measure else 0.0
        axis.fill_between(
            ends, [end - band for end in ends], [end + band for end in ends], color="#e3e7ea", linewidth=0
        )
        axis.plot(ends, ends, color="#8a949c", linewidth=0.8)
        for pair in of_panel:
            _mark(axis, pair.published, pair.measured, pair.kind)
        axis.set(title=paper, xlim=ends, ylim=ends, aspect="equal")
        axis.set(xlabel=_labelled(unit, "published"), ylabel=_labelled(unit, "measured"))
    _legend(figure, chosen)
    return figure


def _mark(axis: Any, x: float, y: float, kind: str, **options: Any) -> None:
    color, marker = MARKS[kind]
    face = "white" if kind == HOLLOW else color
    axis.plot(x, y, marker, color=color, markerfacecolor=face, markersize=4, linestyle="none", **options)


def _legend(figure: Any, chosen: Sequence[Pair], **others: str) -> None:
    """The kinds of ``chosen`` by mark; ``others`` are markers by name, in black."""
    from matplotlib.lines import Line2D

    kinds = [kind for kind in MARKS if any(pair.kind == kind for pair in chosen)]
    handles = []
    for kind in kinds:
        color, marker = MARKS[kind]
        face = "white" if kind == HOLLOW else color
        handles.append(
            Line2D([], [], color=color, marker=marker, markerfacecolor=face, linestyle="none", label=counts.NAMES[kind])
        )
    handles += [Line2D([], [], color="black", marker=m, linestyle="none", label=name) for name, m in others.items()]
    figure.legend(handles=handles, loc="outside right center")


def _forest_caption(chosen: Sequence[Pair]) -> str:
    paper = TABLES[chosen[0].table].paper.id
    published = sum(
        counts.is_published(cell) for table in TABLES.values() if table.paper.id == paper for cell in table.cells
    )
    caption = (
        f"Measured at the paper's budget: {len(chosen)} of {published} published numbers."
        " A line is the 95 % interval of a measured value."
    )
    if any(pair.finding.n == 1 for pair in chosen):
        caption += " † one seed: the interval is the error of the test sample alone."
    if any(pair.finding.parted for pair in chosen):
        caption += " Without interval: the seeds fall into two groups."
    return caption


def _forest(chosen: Sequence[Pair]) -> Any:
    from bench.report.figures.style import panels

    groups = _grouped(chosen, lambda pair: (pair.table, pair.finding.cell.unit))
    sizes = [len(group) + 3 for group in groups.values()]
    figure, grid = panels(
        len(groups),
        1,
        width=6.0,
        height=ROW_HEIGHT * sum(sizes) / len(sizes),
        height_ratios=sizes,
    )
    for (axis,), ((table, unit), of_panel) in zip(grid, groups.items(), strict=True):
        for place, pair in enumerate(of_panel):
            f = pair.finding
            if f.half is not None:
                axis.plot([f.low, f.high], [place, place], color=MARKS[pair.kind][0], linewidth=1.4)
            _mark(axis, pair.measured, place, pair.kind)
            axis.plot(pair.published, place, "x", color="black", markersize=4)
        axis.set(yticks=range(len(of_panel)), yticklabels=[_row_label(pair) for pair in of_panel])
        axis.set(ylim=(len(of_panel) - 0.4, -0.6), title=table, xlabel=unit)
        axis.grid(axis="y", color="#e3e7ea", linewidth=0.5)
    _legend(figure, chosen, published="x")
    return figure


def _row_label(pair: Pair) -> str:
    cell = pair.finding.cell
    return f"{cell.row}, {cell.column}{' †' if pair.finding.n == 1 else ''}"
