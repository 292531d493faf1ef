"""Figures of the roles paper beyond landscapes: spike rates, feature spaces, attacks."""

from __future__ import annotations

from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

from bench.ledger import series
from bench.report.figures import Shown
from bench.report.figures.landscapes import Points
from bench.report.figures.style import COLOURS, look, spread
from bench.spec.table import Table

BINS = 40


def rates(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Distribution of the hidden neurons' rates, all seeds together, a panel a column (roles Figure 3)."""
    columns = list(dict.fromkeys(s.column for s in shown))
    figure, axes = spread(len(columns), 2, width=3.4, height=2.3)
    points: Points = []
    for axis, column in zip(axes, columns, strict=True):
        inside = [s for s in shown if s.column == column]
        found = []
        for cell in inside:
            cell.first("layer", "rate")
            found.append([r for s in cell.series for layer, r in zip(s["layer"], s["rate"], strict=True) if layer == 1])
        top = max(max(values) for values in found) or 1.0
        edges = np.linspace(0, top, BINS + 1)
        for cell, values in zip(inside, found, strict=True):
            share = np.histogram(values, edges)[0] / len(values)
            style = look(table.rows, cell.row)
            axis.stairs(
                100 * share,
                edges,
                color=style["color"],
                linestyle=style["linestyle"],
                linewidth=1.2,
                label=f"{cell.row}, mean {fmean(values):.3f}",
            )
            axis.axvline(fmean(values), color=style["color"], linestyle=":", linewidth=0.8)
            points += [
                {"row": cell.row, "column": column, "from": float(a), "to": float(b), "share": float(p)}
                for a, b, p in zip(edges, edges[1:], share, strict=False)
            ]
        axis.set(title=column, xlabel="spikes per neuron and step", ylabel="hidden neurons (%)", xlim=(0, top))
        axis.legend()
    return figure, points


def embeddings(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """t-SNE of the last hidden layer, a panel a model, classes named at their medians, the silhouette above (roles
    Figure 6).
    """
    scores = {(s.row, s.task.name): s for s in shown if "silhouette" in s.series[0]}
    maps = [s for s in shown if "x" in s.series[0]]
    figure, places = spread(len(maps), 3, width=2.3, height=2.4)
    points: Points = [
        {"row": s.row, "column": s.column, "silhouette": float(s.finding.value or 0)} for s in scores.values()
    ]
    for axis, cell in zip(places, maps, strict=True):
        axis.axis("off")
        columns = cell.first("x", "y", "class")
        x, y, kind = (np.array(columns[name]) for name in ("x", "y", "class"))
        for k in np.unique(kind):
            mine = kind == k
            axis.scatter(x[mine], y[mine], s=2, color=COLOURS[int(k) % len(COLOURS)], linewidths=0, rasterized=True)
        for k in np.unique(kind):
            middle = float(np.median(x[kind == k])), float(np.median(y[kind == k]))
            axis.text(
                *middle,
                f"{k:.0f}",
                ha="center",
                va="center",
                fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
            )
        task = cell.task
        score = scores.get((cell.row, task.name))
        axis.set_title(f"{cell.row}\n{task.title}" + (f"\nsilhouette {score.finding.value:.3f}" if score else ""))
        points += [
            {"row": cell.row, "column": cell.column, "x": a, "y": b, "class": int(k)}
            for a, b, k in zip(columns["x"], columns["y"], columns["class"], strict=True)
        ]
    return figure, points


def attacks(table: Table, shown: list[Shown]) -> tuple[Figure, Points]:
    """Share of flipped input entries that fools a model: mean and interval as tabled, quartiles of all samples as a box
    (roles Figure 8).

    The share of samples that was fooled stands beside the model's name.
    """
    fooled = {(s.row, s.task.name): s.finding.value for s in shown if s.finding.cell.unit == "%"}
    found = [s for s in shown if "flipped" in s.series[0]]
    points: Points = [{"row": s.row, "column": s.column, "value": s.finding.value} for s in shown]
    tasks = list(dict.fromkeys(s.task.title for s in shown))
    figure, axes = spread(len(tasks), 2, width=3.9, height=0.6 + 0.32 * len(table.rows))
    for axis, title in zip(axes, tasks, strict=True):
        inside = [s for s in found if s.task.title == title]
        labels = []
        for place, cell in enumerate(inside):
            measure = cell.finding.cell.measure
            assert measure is not None
            values = [100 * v for columns in cell.series for v in series.repeats(columns, measure)]
            share = fooled.get((cell.row, cell.task.name))
            labels.append(cell.row + ("" if share is None else f"\n({share:.1f} % fooled)"))
            if len(values) < 2:
                continue
            value, bottom, top = cell.finding.value, cell.finding.low, cell.finding.high
            assert value is not None
            mean, half = 100 * value, 0.0 if bottom is None or top is None else 50 * (top - bottom)
            low, middle, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
            style = look(table.rows, cell.row)
            axis.barh(place, high - low, left=low, height=0.5, color=style["color"], alpha=0.25, linewidth=0)
            axis.plot([middle, middle], [place - 0.25, place + 0.25], color=style["color"], linewidth=0.8)
            axis.errorbar(mean, place, xerr=half, fmt=style["marker"], color=style["color"], capsize=2)
            drawn = {
                "mean": mean,
                "ci_half": half,
                "quartile_1": low,
                "median": middle,
                "quartile_3": high,
                "samples": len(values),
            }
            points.append({"row": cell.row, "column": cell.column, **drawn})
        axis.set(
            title=title,
            xlabel="flipped input entries (%)\nmean ± 95 % as tabled,\nbox: quartiles of samples",
            xlim=(0, None),
        )
        axis.set(yticks=range(len(inside)), yticklabels=labels)
        axis.invert_yaxis()
    return figure, points
