"""How every figure looks: colours told apart by colour-blind readers and in grey, with a marker and a line style
each.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.spec.table import Table

# Okabe and Ito 2008, dark to light as far as their order allows; black first: the baseline of the roles figures
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#8C510A", "#5E3C99")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
WIDEST = 6.9  # inches of a figure: on a page of 6.5 its letters stay about 7 points
SEQUENTIAL = "viridis"  # even in lightness: reads in grey

SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "axes.unicode_minus": True,
    "axes.grid": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.06,
}


@contextmanager
def ours() -> Iterator[None]:
    """matplotlib's own defaults with ``SETTINGS``, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def look(names: Sequence[str], name: str) -> dict[str, Any]:
    """Colour, marker and line style of ``name`` among ``names``."""
    place = list(names).index(name)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def panels(
    rows: int, columns: int, width: float = 2.3, height: float = 1.9, **options: Any
) -> tuple[Figure, list[list[Any]]]:
    """A figure of ``rows`` x ``columns`` axes of that size in inches, as wide as a page at most; the axes as a list of
    rows.
    """
    figure = Figure(figsize=(min(WIDEST, max(3.4, width * columns)), height * rows))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options).tolist()


def spread(count: int, across: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """A figure of ``count`` panels, ``across`` a line, and these; what is left of the last line stays empty."""
    across = max(1, min(across, count))
    figure, axes = panels(max(1, math.ceil(count / across)), across, width, height)
    places = [axis for line in axes for axis in line]
    for axis in places[count:]:
        axis.axis("off")
    return figure, places[:count]


def finish(figure: Figure, table: Table, caption: str) -> None:
    """Title above and, below, what the picture stands on, in height of their own."""
    width = int(figure.get_figwidth() * 16)
    above, below = textwrap.wrap(f"{table.id}: {table.title}", int(width * 0.9)), textwrap.wrap(caption, width)
    figure.set_figheight(figure.get_figheight() + 0.16 * len(above) + 0.13 * len(below) + 0.35)
    figure.suptitle("\n".join(above), fontsize=9)
    figure.supxlabel("\n".join(below), fontsize=7, color="#444444", x=0.01, ha="left")


def saved(figure: Figure, ending: str, salt: str) -> str | bytes:
    """The file's content without date or version, so that the same data gives the same file."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(
            out, format=ending, metadata={"Date": None, "Creator": None} if ending == "svg" else {"Software": None}
        )
    return out.getvalue().decode() if ending == "svg" else out.getvalue()
