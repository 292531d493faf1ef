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
    return Markup(
        f'<svg{about} class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> str:
    about = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{about}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _dot(x: float, y: float, kind: str, title: str, radius: float = 4) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}"><title>{escape(title)}</title></circle>'


def _padded(numbers: Sequence[float], share: float = 0.08) -> tuple[float, float]:
    """The range of ``numbers`` with some room at both ends."""
    low = min(numbers)
    high = max(numbers)
    room = share * (high - low) or 0.02 * abs(high) or 1.0
    return low - room, high + room


def seeds(
    values: Mapping[int, float], interval: tuple[float, float] | None, published: float | None, tolerance: float
) -> Markup:
    """The values by seed as dots on an axis, their 95 % interval as a bar, and the published value as a line with the
    tolerance around it.
    """
    width = 340
    left = 14
    numbers = [*values.values(), *(interval or ())]
    if published is not None:
        numbers += [published - tolerance, published + tolerance]
    low, high = _padded(numbers)
    x = scale(low, high, left, width - left)
    parts = [_line(left, 44, width - left, 44, "axis")]
    for tick in ticks(low, high):
        parts += [_line(x(tick), 44, x(tick), 48, "axis"), _text(x(tick), 59, f"{tick:g}")]
    if published is not None:
        start = x(published - tolerance)
        parts.append(
            f'<rect x="{start:.1f}" y="16" width="{x(published + tolerance) - start:.1f}" height="28" class="band"/>'
        )
        parts.append(_line(x(published), 14, x(published), 44, "published"))
        middle = min(max(x(published), 48), width - 48)
        parts.append(_text(middle, 10, f"published {published:g}"))
    if interval:
        parts.append(_line(x(interval[0]), 37, x(interval[1]), 37, "interval"))
    for place, (seed, value) in enumerate(sorted(values.items())):
        parts.append(_dot(x(value), 27 - 5 * (place % 2), "seed", f"seed {seed}: {value:g}"))
    label = ", ".join(f"seed {seed} {value:g}" for seed, value in sorted(values.items()))
    return _svg(width, 64, parts, label, "seeds")


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
    parts = []
    for tick in ticks(low, high):
        parts += [_line(40, y(tick), width - 12, y(tick), "rule"), _text(36, y(tick) + 4, f"{tick:g}", "end")]
    for tick in sorted({1, longest, *(int(t) for t in ticks(1, longest) if t == int(t))}):
        if tick in (1, longest) or min(x(tick) - x(1), x(longest) - x(tick)) > 24:
            parts.append(_text(x(tick), height - 16, str(tick)))
    parts.append(_text(width / 2, height - 3, f"{label} by epoch"))
    for number, curve in enumerate(drawn):
        every = max(1, math.ceil(len(curve.values) / POINTS))
        points = [(x(i + 1), y(value)) for i, value in enumerate(curve.values)]
        chosen = [*points[::every], points[-1]]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in chosen)
        title = f"<title>{escape(curve.name)}</title>"
        if len(curve.values) == 1:
            parts.append(_dot(*points[0], f"curve-dot c{number % 5}", curve.name, 3))
        else:
            parts.append(f'<polyline points="{path}" class="curve c{number % 5}">{title}</polyline>')
    return _svg(width, height, parts, f"{label} by epoch, {len(drawn)} seeds", "curves", name)


def strip(value: float, half: float, low: float, high: float) -> Markup:
    """One value with its interval on the range from ``low`` to ``high``, which several strips share."""
    width = 180
    x = scale(low, high, 6, width - 6)
    ends = (max(x(value - half), 1.0), min(x(value + half), width - 1.0))
    parts = [
        _line(2, 8, width - 2, 8, "rule"),
        _line(ends[0], 8, ends[1], 8, "interval"),
        _dot(x(value), 8, "seed", f"{value:g} ± {half:g}", 3.5),
    ]
    return _svg(width, 16, parts, f"{value:g} ± {half:g}", "strip")


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
    parts = []
    for tick in ticks(low, high, 5):
        parts += [_line(left, y(tick), size - 10, y(tick), "rule"), _line(x(tick), 10, x(tick), size - 44, "rule")]
        parts += [_text(left - 6, y(tick) + 4, f"{tick:g}", "end"), _text(x(tick), size - 28, f"{tick:g}")]
    corners = [(low, low - band), (low, low + band), (high, high + band), (high, high - band)]
    clipped = " ".join(f"{x(a):.1f},{y(min(max(b, low), high)):.1f}" for a, b in corners)
    parts.append(f'<polygon points="{clipped}" class="band"/>')
    parts.append(_line(x(low), y(low), x(high), y(high), "published"))
    of_unit = f" ({unit})" if unit else ""
    parts.append(_text((left + size) / 2, size - 8, f"published{of_unit}"))
    parts.append(
        f'<text transform="translate(13 {size / 2:.0f}) rotate(-90)" text-anchor="middle">measured{of_unit}</text>'
    )
    for p in points:
        dot = _dot(x(p.published), y(p.measured), f"point {p.kind}", p.title, 5)
        parts.append(f'<a href="{escape(p.link)}">{dot}</a>')
    return _svg(size, size, parts, f"{len(points)} cells, published against measured", "parity")
