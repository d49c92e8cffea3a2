"""Drawings of a report as small SVGs with axes in HTML.

The SVG holds shapes alone and stretches to its box (``preserveAspectRatio="none"``); strokes and
all text keep their size, so that a drawing is legible on a telephone and on a wide screen. All
coordinates are in 0..1000, y downward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]
#: Position in percent of the axis, and label.
Ticks: TypeAlias = tuple[tuple[float, str], ...]
#: Points of a curve over time; more steps are averaged.
MAX_POINTS = 400
#: Spikes that are drawn one by one; more are drawn as shades.
MAX_DOTS = 30_000
#: Columns and rows of the shaded drawing.
COLUMNS, ROWS = 240, 80
#: Shades, from the faintest.
SHADES = (0.12, 0.24, 0.4, 0.6, 0.8, 1.0)
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


def _curve(values: Float, top: float) -> tuple[str, str]:
    """Points of equally spaced values from 0 to `top` as a path, and what closes it below."""
    x = np.linspace(0.0, SIDE, values.size) if values.size > 1 else np.array([0.0])
    y = SIDE * (1.0 - values / top)
    points = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(x, y, strict=True))
    return points, f"M0 1000L{points}L{_n(float(x[-1]))} 1000Z"


def area(values: Float, top: float, css: str) -> Markup:
    """A filled curve of equally spaced values, from 0 to `top`."""
    if values.size == 0 or top <= 0:
        return Markup("")
    points, closed = _curve(values, top)
    shapes = '<path class="fill {0}" d="{1}"/><path class="line {0}" d="M{2}"/>'
    return Markup(shapes).format(css, closed, points)


def band(values: Float, top: float, css: str) -> Markup:
    """A curve of equally spaced values that covers what was painted below it before."""
    if values.size == 0 or top <= 0:
        return Markup("")
    return Markup('<path class="band {}" d="{}"/>').format(css, _curve(values, top)[1])


def _time_axis(n_steps: int, dt: float) -> tuple[Ticks, str]:
    """Ticks and label of the steps of a run; seconds from 10 s on."""
    unit, scale = ("s", dt) if n_steps * dt >= 10 else ("ms", dt * 1e3)
    return axis(0, max(n_steps, 1), 6, scale), f"time ({unit})"


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
    times, time_label = _time_axis(n_steps, dt)
    total = sum(int(values.sum()) for _, _, values in series)
    return Plot(
        title,
        Markup("").join(painted),
        times,
        axis(0, top, 4),
        time_label,
        y_label,
        "" if length == 1 else f"mean of {length} steps",
        tuple((css, text) for css, text, _ in series),
        height=170,
        wide=True,
        least_margin=6,
        alt=f"{title}: {total:,} in {n_steps:,} steps, by {', '.join(t for _, t, _ in series)}",
    )


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
    times, time_label = _time_axis(values.size, dt)
    note = "" if length == 1 else f"mean of {length} steps"
    return Plot(
        title,
        area(curve, top * 1.05, css),
        times,
        axis(0, top * 1.05, 4),
        time_label,
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


def raster(
    steps: NDArray[np.int32],
    neurons: NDArray[np.int32],
    n_steps: int,
    bands: Sequence[tuple[str, int]],
    dt: float,
) -> Plot:
    """Spikes of all neurons, one colour a population (name, size), first at the top.

    More than `MAX_DOTS` spikes are drawn as shades of their density, and a sentence says so.
    """
    n_neurons = sum(size for _, size in bands)
    dense = steps.size > MAX_DOTS
    pieces, legend, first, note = [], [], 0, ""
    for k, (name, size) in enumerate(bands):
        members = (neurons >= first) & (neurons < first + size)
        css = f"p{k % 6}"
        if dense:
            top, bottom = SIDE * first / n_neurons, SIDE * (first + size) / n_neurons
            rows = min(size, max(1, round(ROWS * size / n_neurons)))
            columns = min(n_steps, COLUMNS)
            counts = np.histogram2d(
                neurons[members] - first,
                steps[members],
                bins=(rows, columns),
                range=((0, size), (0, n_steps)),
            )[0]
            pieces.append(_shades(counts, top, bottom, css))
        else:
            pieces.append(_dots(steps[members], neurons[members], n_steps, n_neurons, css))
        if first:
            pieces.append(f'<path class="rule" d="M0 {SIDE * first / n_neurons:.1f}H1000"/>')
        legend.append((css, f"{name} ({size:,})"))
        first += size
    if dense:
        note = (
            f"{steps.size:,} spikes, too many to draw one by one: the stronger the colour, the more"
        )
    times, time_label = _time_axis(n_steps, dt)
    return Plot(
        "Spikes",
        Markup("".join(pieces)),
        times,
        tuple((100 - at, text) for at, text in axis(0, max(n_neurons, 1), 5)),
        time_label,
        "neuron",
        note,
        tuple(legend),
        height=300,
        wide=True,
        least_margin=6,
        alt=f"raster of {steps.size:,} spikes of {n_neurons:,} neurons in {n_steps:,} steps",
    )


def _dots(
    steps: NDArray[np.int32], neurons: NDArray[np.int32], n_steps: int, n_neurons: int, css: str
) -> str:
    x = np.rint(SIDE * 4 * steps / max(n_steps, 1)).astype(int)
    y = np.rint(SIDE * (neurons + 0.5) / max(n_neurons, 1)).astype(int)
    dots = "".join(f"M{a / 4:g} {b}h0" for a, b in zip(x, y, strict=True))
    return f'<path class="dots {css}" d="{dots}"/>'


def _shades(counts: Float, top: float, bottom: float, css: str) -> str:
    """Counts (rows, columns) between two heights, one path a shade; runs of a shade are joined."""
    most = float(counts.max(initial=0.0))
    if not most:
        return ""
    n_rows, n_columns = counts.shape
    # the square root keeps single spikes visible beside a burst
    level = np.ceil(len(SHADES) * np.sqrt(counts / most)).astype(int)
    tall, wide = (bottom - top) / n_rows, SIDE / n_columns
    paths: list[list[str]] = [[] for _ in SHADES]
    for r in range(n_rows):
        edges = np.flatnonzero(np.diff(level[r], prepend=-1, append=-1))
        for a, b in pairwise(edges):
            if level[r, a]:
                shape = f"M{a * wide:.4g} {top + r * tall:.4g}h{(b - a) * wide:.4g}"
                paths[level[r, a] - 1].append(f"{shape}v{tall:.3g}h-{(b - a) * wide:.4g}z")
    return "".join(
        f'<path class="shade {css}" fill-opacity="{SHADES[k]:g}" d="{"".join(path)}"/>'
        for k, path in enumerate(paths)
        if path
    )


def heat(
    title: str,
    names: Sequence[str],
    fractions: Float,
    hints: Sequence[Sequence[str]],
    x_label: str,
    note: str = "",
    limits: Sequence[str] = (),
) -> Plot:
    """Cells coloured by share of a limit, one row a resource, one column a core.

    Args:
        names: (R,) of the rows, first at the top.
        fractions: (R, C); above 1 is marked.
        hints: (R, C) texts that a pointer shows.
        limits: (R,) texts at the right of the rows.
    """
    n_rows, n_columns = fractions.shape
    height, width = SIDE / max(n_rows, 1), SIDE / max(n_columns, 1)
    cells = []
    for r in range(n_rows):
        for c in range(n_columns):
            share = float(fractions[r, c])
            css = "cell over" if share > 1 else "cell"
            cells.append(
                f'<rect class="{css}" x="{c * width:.4g}" y="{r * height:.4g}" '
                f'width="{width:.4g}" height="{height:.4g}" '
                f'fill-opacity="{0.06 + 0.94 * min(share, 1.0):.3f}">'
                f"<title>{escape(hints[r][c])}</title></rect>"
            )
    every = max(1, -(-n_columns // 16))
    columns = tuple((100 * (c + 0.5) / n_columns, str(c)) for c in range(0, n_columns, every))
    return Plot(
        title,
        Markup("".join(cells)),
        columns,
        _rows(names),
        x_label,
        "",
        note,
        height=max(26 * n_rows, 60),
        wide=True,
        alt=f"{title}: highest share {100 * float(fractions.max(initial=0)):.0f} %",
        rows=True,
        right_ticks=_rows(limits),
        legend=(("scale", "0 to 100 %"), *((("over", "above"),) if np.any(fractions > 1) else ())),
    )


def _rows(names: Sequence[str]) -> Ticks:
    return tuple((100 * (1 - (k + 0.5) / len(names)), name) for k, name in enumerate(names))
