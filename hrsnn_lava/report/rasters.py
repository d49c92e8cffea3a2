"""Drawings of many cells: spikes over time, and use of every limit by core."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from hrsnn_lava.report.plots import SIDE, Float, Plot, Ticks, axis

#: Spikes that are drawn one by one; more are drawn as shades.
MAX_DOTS = 30_000
#: Columns and rows of the shaded drawing.
COLUMNS, ROWS = 240, 80
#: Shades, from the faintest.
SHADES = (0.12, 0.24, 0.4, 0.6, 0.8, 1.0)


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
        mine = (neurons >= first) & (neurons < first + size)
        css = f"p{k % 6}"
        if dense:
            top, bottom = SIDE * first / n_neurons, SIDE * (first + size) / n_neurons
            rows = min(size, max(1, round(ROWS * size / n_neurons)))
            columns = min(n_steps, COLUMNS)
            counts = np.histogram2d(
                neurons[mine] - first,
                steps[mine],
                bins=(rows, columns),
                range=((0, size), (0, n_steps)),
            )[0]
            pieces.append(_shades(counts, top, bottom, css))
        else:
            pieces.append(_dots(steps[mine], neurons[mine], n_steps, n_neurons, css))
        if first:
            pieces.append(f'<path class="rule" d="M0 {SIDE * first / n_neurons:.1f}H1000"/>')
        legend.append((css, f"{name} ({size:,})"))
        first += size
    if dense:
        note = (
            f"{steps.size:,} spikes, too many to draw one by one: the stronger the colour, the more"
        )
    unit, scale = ("s", dt) if n_steps * dt >= 10 else ("ms", dt * 1e3)
    return Plot(
        "Spikes",
        Markup("".join(pieces)),
        axis(0, max(n_steps, 1), 6, scale),
        tuple((100 - at, text) for at, text in axis(0, max(n_neurons, 1), 5)),
        f"time ({unit})",
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
