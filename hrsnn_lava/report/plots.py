"""Drawings of a report as small SVGs with axes in HTML.

The SVG holds shapes alone and stretches to its box (``preserveAspectRatio="none"``); strokes and
all text keep their size, so that a drawing is legible on a telephone and on a wide screen. All
coordinates are in 0..1000, y downward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Float = NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]
#: Points of a curve over time; more steps are averaged.
MAX_POINTS = 400
SIDE = 1000.0


@dataclass(frozen=True)
class Plot:
    """A drawing with its axes.

    Attributes:
        title, note: above the drawing.
        body: shapes, in 0..1000.
        x_ticks, y_ticks: position in percent of the axis (from the left, from the bottom), label.
        x_label, y_label: with unit.
        legend: CSS class and text.
        height: of the drawing, CSS pixels.
        wide: takes the whole width of the page.
        alt: what it shows, for who cannot see it.
        rows: the y labels name rows; no grid is drawn.
        least_margin: so that drawings above each other share their x axis.
        right_ticks: labels right of the drawing, where there is room for them.
        labels: texts in the drawing: percent from the left, percent from the bottom, text.
        square: both axes have the same scale, whatever the width.
    """

    title: str
    body: Markup
    x_ticks: Ticks
    y_ticks: Ticks
    x_label: str = ""
    y_label: str = ""
    note: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    height: int = 200
    wide: bool = False
    alt: str = ""
    rows: bool = False
    least_margin: int = 1
    right_ticks: Ticks = ()
    labels: tuple[tuple[float, float, str], ...] = ()
    square: bool = False

    @property
    def right_margin(self) -> int:
        """Width of the labels on the right in characters."""
        return max([0, *(len(text) for _, text in self.right_ticks)])

    @property
    def margin(self) -> int:
        """Width of the y labels in characters."""
        return max([self.least_margin, *(len(text) for _, text in self.y_ticks)])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers within low..high."""
    if not high > low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def axis(low: float, high: float, count: int = 5, scale: float = 1.0) -> Ticks:
    """Ticks as (percent, text); values are shown multiplied by `scale`."""
    span = high - low or 1.0
    return tuple((100 * (t - low) / span, f"{t * scale:,.6g}") for t in ticks(low, high, count))


def _n(value: float) -> str:
    """A coordinate in one decimal at most."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if value else "0"


def area(values: Float, top: float, css: str) -> Markup:
    """A filled curve of equally spaced values, from 0 to `top`."""
    if values.size == 0 or top <= 0:
        return Markup("")
    x = np.linspace(0.0, SIDE, values.size) if values.size > 1 else np.array([0.0])
    y = SIDE * (1.0 - values / top)
    line = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(x, y, strict=True))
    closed = f"M0 1000L{line}L{_n(float(x[-1]))} 1000Z"
    return Markup(
        f'<path class="fill {escape(css)}" d="{closed}"/>'
        f'<path class="line {escape(css)}" d="M{line}"/>'
    )


def binned(values: NDArray[np.int64], points: int = MAX_POINTS) -> tuple[Float, int]:
    """Means over equal stretches of steps, and their length; a shorter last stretch counts too."""
    length = max(1, -(-values.size // points))
    edges = np.arange(0, values.size, length)
    if not edges.size:
        return np.zeros(0), 1
    sums = np.add.reduceat(values.astype(np.float64), edges)
    return sums / np.diff(np.append(edges, values.size)), length


def stacked(
    title: str,
    series: Sequence[tuple[str, str, NDArray[np.int64]]],
    dt: float,
    y_label: str,
) -> Plot:
    """Counts per step over the run, one band above the other.

    Args:
        series: CSS class, legend, (n_steps,) counts; the first is at the bottom.
    """
    curves = [binned(values) for _, _, values in series]
    length = max((n for _, n in curves), default=1)
    n_steps = max((values.size for _, _, values in series), default=0)
    below = np.zeros(curves[0][0].size if curves else 0)
    tops = []
    for curve, _ in curves:
        below = below + curve
        tops.append(below)
    top = (float(below.max(initial=0.0)) or 1.0) * 1.05
    # the tallest first, so that every band is painted over by those below it
    painted = [
        band(line, top, css) for line, (css, _, _) in reversed(list(zip(tops, series, strict=True)))
    ]
    unit, scale = ("s", dt) if n_steps * dt >= 10 else ("ms", dt * 1e3)
    total = sum(int(values.sum()) for _, _, values in series)
    return Plot(
        title,
        Markup("").join(painted),
        axis(0, max(n_steps, 1), 6, scale),
        axis(0, top, 4),
        f"time ({unit})",
        y_label,
        "" if length == 1 else f"mean of {length} steps",
        tuple((css, text) for css, text, _ in series),
        height=170,
        wide=True,
        least_margin=6,
        alt=f"{title}: {total:,} in {n_steps:,} steps, by {', '.join(t for _, t, _ in series)}",
    )


def band(values: Float, top: float, css: str) -> Markup:
    """A curve of equally spaced values that covers what was painted below it before."""
    if values.size == 0 or top <= 0:
        return Markup("")
    x = np.linspace(0.0, SIDE, values.size) if values.size > 1 else np.array([0.0])
    line = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(x, SIDE * (1.0 - values / top), strict=True))
    shape = '<path class="band {}" d="M0 1000L{}L{} 1000Z"/>'
    return Markup(shape).format(css, Markup(line), _n(float(x[-1])))


def over_time(
    title: str,
    values: NDArray[np.int64],
    dt: float,
    y_label: str,
    css: str = "a",
    wide: bool = True,
) -> Plot:
    """A count per step over the run."""
    curve, length = binned(values)
    top = float(curve.max(initial=0.0)) or 1.0
    unit, scale = ("s", dt) if values.size * dt >= 10 else ("ms", dt * 1e3)
    note = "" if length == 1 else f"mean of {length} steps"
    return Plot(
        title,
        area(curve, top * 1.05, css),
        axis(0, max(values.size, 1), 6, scale),
        axis(0, top * 1.05, 4),
        f"time ({unit})",
        y_label,
        note,
        height=130,
        wide=wide,
        least_margin=6 if wide else 1,
        alt=f"{title}: mean {values.mean() if values.size else 0:,.1f} a step, at most {top:,.0f}",
    )


def histogram(
    title: str,
    series: Sequence[tuple[str, str, Float]],
    x_label: str,
    scale: float = 1.0,
    bins: int = 32,
    edges: Float | None = None,
    note: str = "",
) -> Plot:
    """Counts of values; the first series is filled, the others are outlines.

    Args:
        series: CSS class, legend, values.
        scale: by which values are multiplied on the axis.
    """
    whole = np.concatenate([np.zeros(0), *(values for _, _, values in series)])
    if edges is None:
        low, high = (float(whole.min()), float(whole.max())) if whole.size else (0.0, 1.0)
        if not high - low > 1e-9 * max(abs(high), 1e-30):
            pad = abs(high) * 0.1 or 1.0
            low, high = low - pad, high + pad
        edges = np.linspace(low, high, bins + 1)
    counts = [np.histogram(values, edges)[0] for _, _, values in series]
    top = max((int(c.max(initial=0)) for c in counts), default=0) * 1.05 or 1.0
    pieces = [
        _steps(count, top, css, filled=k == 0)
        for k, (count, (css, _, _)) in enumerate(zip(counts, series, strict=True))
    ]
    return Plot(
        title,
        Markup("").join(pieces),
        axis(float(edges[0]), float(edges[-1]), 5, scale),
        axis(0, top, 4),
        x_label,
        "count",
        note,
        tuple((css, text) for css, text, _ in series) if len(series) > 1 else (),
        height=170,
        alt=f"histogram of {title}",
    )


def _steps(counts: NDArray[np.int64], top: float, css: str, *, filled: bool) -> Markup:
    width = SIDE / max(counts.size, 1)
    outline = ["M0 1000"]
    for k, count in enumerate(counts):
        outline.append(f"V{_n(SIDE * (1 - count / top))}H{_n(width * (k + 1))}")
    kind = "fill" if filled else "line"
    d = "".join(outline) + "V1000" + ("Z" if filled else "")
    return Markup(f'<path class="{kind} {escape(css)}" d="{d}"/>')
