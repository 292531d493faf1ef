"""How every figure looks: colours that colour-blind readers can tell apart, sizes, title, caption and file format."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito 2008, then two more. Black is the first and the baseline's
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#8C510A", "#5E3C99")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MAX_WIDTH = 6.9  # inches: on a page of 6.5 inches the letters stay about 7 points high
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
def figure_settings() -> Iterator[None]:
    """matplotlib's own defaults with ``SETTINGS``, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def panels(
    rows: int, columns: int, width: float = 2.3, height: float = 1.9, **options: Any
) -> tuple[Figure, list[list[Any]]]:
    """A figure of ``rows`` x ``columns`` axes and these axes, row by row.

    ``width`` and ``height`` are those of one axis in inches; the figure is at most as wide as a page.
    """
    figure = Figure(figsize=(min(MAX_WIDTH, max(3.4, width * columns)), height * rows))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options).tolist()


def wrapped_panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """A figure of ``count`` axes and these axes, at most ``columns`` in a row; the rest of the last row stays empty."""
    columns = max(1, min(columns, count))
    figure, grid = panels(max(1, math.ceil(count / columns)), columns, width, height)
    axes = [axis for row in grid for axis in row]
    for axis in axes[count:]:
        axis.axis("off")
    return figure, axes[:count]


def finish(figure: Figure, title: str, caption: str) -> None:
    """Put ``title`` above the panels and ``caption`` below them; the figure grows by the height of both."""
    letters = int(figure.get_figwidth() * 16)  # in a line
    title_lines = textwrap.wrap(title, int(letters * 0.9))
    caption_lines = textwrap.wrap(caption, letters)
    figure.set_figheight(figure.get_figheight() + 0.16 * len(title_lines) + 0.13 * len(caption_lines) + 0.35)
    figure.suptitle("\n".join(title_lines), fontsize=9)
    figure.supxlabel("\n".join(caption_lines), fontsize=7, color="#444444", x=0.01, ha="left")


def contents(figure: Figure, name: str, endings: Iterable[str]) -> dict[str, str | bytes]:
    """File ending -> content of the figure ``name``. The layout is found once, for the first of ``endings``."""
    made = {}
    for ending in endings:
        made[ending] = file_content(figure, ending, name)
        figure.set_layout_engine("none")
    return made


def file_content(figure: Figure, ending: str, salt: str) -> str | bytes:
    """The SVG, PNG or PDF file without date or version, so that the same data gives the same file."""
    out = io.BytesIO()
    metadata = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }[ending]
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format=ending, metadata=metadata)
    return out.getvalue().decode() if ending == "svg" else out.getvalue()
