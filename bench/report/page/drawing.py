"""Small pictures as inline SVG: seeds on an axis, learning curves, intervals in a strip, parity. Colours are in
``report.css``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

POINTS = 120  # of a curve, at the most
Scale = Callable[[float], float]
NOTHING: Mapping[str, float] = {}


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """A linear map of ``low`` to ``start`` and ``high`` to ``end``; the middle where ``low`` is ``high``."""
    if high <= low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About ``count`` round numbers from ``low`` to ``high``."""
    if high <= low or not math.isfinite(high - low):
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _svg(width: int, height: int, parts: Sequence[str], label: str, kind: str, name: str = "") -> Markup:
    about = f' id="{escape(name)}"' if name else ""
    about += f' role="img" aria-label="{escape(label)}"' if label else ' aria-hidden="true"'
    return Markup(f'<svg{about} class="{kind}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>')


def _short(number: float) -> str:
    """A coordinate with one digit after the point at the most."""
    return f"{number:.1f}".removesuffix(".0")


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    """Text around ``x``; of the ``kind`` "end" it ends there."""
    about = f' class="{kind}"' if kind else ""
    return f'<text x="{_short(x)}" y="{_short(y)}"{about}>{escape(text)}</text>'


def _lines(kind: str, *ends: tuple[float, float, float, float]) -> str:
    """Lines of one ``kind`` from (x, y) to (x, y)."""
    path = "".join(f"M{_short(x1)} {_short(y1)}{_end(x1, y1, x2, y2)}" for x1, y1, x2, y2 in ends)
    return f'<path d="{path}" class="{kind}"/>'


def _end(x1: float, y1: float, x2: float, y2: float) -> str:
    if y1 == y2:
        return f"H{_short(x2)}"
    return f"V{_short(y2)}" if x1 == x2 else f"L{_short(x2)} {_short(y2)}"


def _dot(x: float, y: float, kind: str, title: str, radius: float = 4) -> str:
    about = f"<title>{escape(title)}</title>" if title else ""
    place = f'cx="{_short(x)}" cy="{_short(y)}" r="{radius}"'
    return f'<circle {place} class="{kind}">{about}</circle>'


def _padded(numbers: Sequence[float], share: float = 0.08) -> tuple[float, float]:
    """The range of ``numbers`` with some room at both ends."""
    low = min(numbers)
    high = max(numbers)
    room = share * (high - low) or 0.02 * abs(high) or 1.0
    return low - room, high + room


def seeds(
    values: Mapping[int, float],
    interval: tuple[float, float] | None,
    published: float | None,
    tolerance: float,
    others: Mapping[str, float] = NOTHING,
) -> Markup:
    """The values by seed as dots on an axis, their 95 % interval as a bar, and the published value as a line with the
    tolerance around it. ``others`` are what other papers print: a line each, with the paper's name below the axis.
    """
    width = 340
    left = 14
    numbers = [*values.values(), *(interval or ()), *others.values()]
    if published is not None:
        numbers += [published - tolerance, published + tolerance]
    low, high = _padded(numbers)
    x = scale(low, high, left, width - left)
    marks = ticks(low, high)
    parts = [_lines("axis", (left, 44, width - left, 44), *((x(mark), 44, x(mark), 48) for mark in marks))]
    parts += [_text(x(mark), 59, f"{mark:g}") for mark in marks]
    if published is not None:
        start = x(published - tolerance)
        size = x(published + tolerance) - start
        parts.append(f'<rect x="{_short(start)}" y="16" width="{_short(size)}" height="28" class="band"/>')
        parts.append(_lines("published", (x(published), 14, x(published), 44)))
        middle = min(max(x(published), 48), width - 48)
        parts.append(_text(middle, 10, f"published {published:g}"))
    for place, (name, number) in enumerate(others.items()):
        parts.append(_lines("also", (x(number), 18, x(number), 44)))
        parts.append(_text(min(max(x(number), 40), width - 40), 75 + 14 * place, f"{name} {number:g}"))
    if interval:
        parts.append(_lines("interval", (x(interval[0]), 37, x(interval[1]), 37)))
    for place, seed in enumerate(sorted(values)):  # a dot's size is in report.css: there are thousands
        parts.append(f'<circle cx="{_short(x(values[seed]))}" cy="{27 - 5 * (place % 2)}"/>')
    return _svg(width, 64 + 14 * len(others), parts, "", "seeds")  # a table of the same values stands below


@dataclass(frozen=True)
class Curve:
    """``values`` after each epoch, of one seed."""

    name: str
    values: Sequence[float]


def curves(drawn: Sequence[Curve], label: str, name: str) -> Markup:
    """Learning curves over epochs, one line each, with at most ``POINTS`` points. ``name`` is the id of the picture."""
    width = 340
    height = 150
    numbers = [value for curve in drawn for value in curve.values]
    low, high = _padded(numbers)
    longest = max(len(curve.values) for curve in drawn)
    x = scale(1, longest, 40, width - 12)
    y = scale(low, high, height - 30, 8)
    marks = ticks(low, high)
    parts = [_lines("rule", *((40, y(mark), width - 12, y(mark)) for mark in marks))]
    parts += [_text(36, y(mark) + 4, f"{mark:g}", "end") for mark in marks]
    for tick in sorted({1, longest, *(int(t) for t in ticks(1, longest) if t == int(t))}):
        if tick in (1, longest) or min(x(tick) - x(1), x(longest) - x(tick)) > 24:
            parts.append(_text(x(tick), height - 16, str(tick)))
    parts.append(_text(width / 2, height - 3, f"{label} by epoch"))
    for number, curve in enumerate(drawn):
        every = max(1, math.ceil(len(curve.values) / POINTS))
        points = [(x(i + 1), y(value)) for i, value in enumerate(curve.values)]
        chosen = [*points[::every], points[-1]]
        path = " ".join(f"{_short(a)},{_short(b)}" for a, b in chosen)
        title = f"<title>{escape(curve.name)}</title>"
        if len(curve.values) == 1:
            parts.append(_dot(*points[0], f"curve-dot c{number % 5}", curve.name, 3))
        else:
            parts.append(f'<polyline points="{path}" class="curve c{number % 5}">{title}</polyline>')
    return _svg(width, height, parts, f"{label} by epoch, {len(drawn)} seeds", "curves", name)


def strip(value: float, half: float, low: float, high: float) -> Markup:
    """One value with its interval on the range from ``low`` to ``high``, which several strips share. ``report.css`` has
    the sizes, so that thousands of strips stay small.
    """
    width = 180
    x = scale(low, high, 6, width - 6)
    ends = (max(x(value - half), 1.0), min(x(value + half), width - 1.0))
    bar = f'<path d="M{_short(ends[0])} 8H{_short(ends[1])}"/>' if half else ""
    dot = f'<circle cx="{_short(x(value))}"/>'
    return Markup(f'<svg aria-hidden="true">{bar}{dot}</svg>')


def strip_range(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The range of strips of (value, half of its interval)."""
    return _padded([end for value, half in values for end in (value - half, value + half)], 0.04)


@dataclass(frozen=True)
class Point:
    """A cell in a picture of parity. ``kind`` is its class in ``report.css``."""

    published: float
    measured: float
    kind: str
    title: str
    link: str


def parity(points: Sequence[Point], unit: str, band: float) -> Markup:
    """Published against measured, with the line of equality and ``band``, the tolerance, around it."""
    size = 420
    left = 52
    low, high = _padded([number for p in points for number in (p.published, p.measured)], 0.05)
    x = scale(low, high, left, size - 10)
    y = scale(low, high, size - 44, 10)
    marks = ticks(low, high, 5)
    across = ((left, y(mark), size - 10, y(mark)) for mark in marks)
    upright = ((x(mark), 10, x(mark), size - 44) for mark in marks)
    parts = [_lines("rule", *across, *upright)]
    for mark in marks:
        parts += [_text(left - 6, y(mark) + 4, f"{mark:g}", "end"), _text(x(mark), size - 28, f"{mark:g}")]
    corners = [(low, low - band), (low, low + band), (high, high + band), (high, high - band)]
    clipped = " ".join(f"{x(a):.1f},{y(min(max(b, low), high)):.1f}" for a, b in corners)
    parts.append(f'<polygon points="{clipped}" class="band"/>')
    parts.append(_lines("published", (x(low), y(low), x(high), y(high))))
    of_unit = f" ({unit})" if unit else ""
    parts.append(_text((left + size) / 2, size - 8, f"published{of_unit}"))
    parts.append(f'<text transform="translate(13 {size / 2:.0f}) rotate(-90)">measured{of_unit}</text>')
    for p in points:
        dot = _dot(x(p.published), y(p.measured), f"point {p.kind}", p.title, 5)
        parts.append(f'<a href="{escape(p.link)}">{dot}</a>')
    return _svg(size, size, parts, f"{len(points)} cells, published against measured", "parity")
