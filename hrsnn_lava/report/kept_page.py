"""What every way to prune keeps of a network, as a table in text and as a page with a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from hrsnn_lava import __version__
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import render
from hrsnn_lava.training.kept_by_method import CEILING, FIGURES, Figure, KeptByMethod

__all__ = ["cell", "kept_page", "notes"]

#: CSS classes of a dot: a method, one of the best, and a row that no method made.
METHOD, BEST, OTHER = "p0", "p1", "p5"
#: Headings of the panels.
TITLES = {
    "spikes_ratio": "Spikes over the unpruned ones",
    "rate_correlation": "Correlation of rates",
    "covariance_correlation": "Correlation of covariances",
    "trace_correlation": "Correlation of traces",
    "largest_exponent": "Largest Lyapunov exponent",
    "memory": "Memory of the input",
}
#: Height of a row of the picture in CSS pixels, and the part of the axis left free at its ends.
ROW, FREE = 22, 0.06


def cell(table: KeptByMethod, row: str, figure: Figure) -> str:
    """Mean and standard deviation over the draws, such as ``0.94 ± 0.01``."""
    mean, spread = table.mean(row, figure.name), table.spread(row, figure.name)
    if not math.isfinite(mean):
        return "–"
    text = _three(mean)
    if figure.best == "none":
        return text
    return f"{text} ± {_three(spread)}" if math.isfinite(spread) else text


def _three(value: float) -> str:
    """Three decimals below 10, one above."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def notes(table: KeptByMethod) -> list[str]:
    """What the columns are, what was shown, and what a user has to know of the rates."""
    draws = table.rows[CEILING]["memory"].size
    exponent, memory = (
        _three(float(table.unpruned[name].mean())) for name in ("largest_exponent", "memory")
    )
    lines = [
        f"Mean ± standard deviation over {draws} {'draws' if draws > 1 else 'draw'} of input, "
        "initial potentials and method. Marked: the best method, and those that two standard "
        "errors do not tell from it.",
        "SOPs (recurrent synaptic operations) and spikes: over the unpruned network's. Rates, "
        "covariances of spike traces and each neuron's trace: correlation with the unpruned "
        "network's. Spikes and rates are what homeostasis holds after every method.",
        f"Exponent: the largest, in 1/s, by surrogate slopes; unpruned {exponent}. Memory: linear, "
        f"of the input, at most {table.memory_bound}; unpruned {memory}.",
        f"Input: {table.told}.",
    ]
    told = [(row, f) for row, f in table.findings if f.severity != "note"]
    return lines + [f"{row}: {finding}" for row, finding in told]


def kept_page(table: KeptByMethod, name: str, budget: str, made: str = "") -> str:
    """The table and its picture as one page that needs nothing else.

    Args:
        table: what was measured.
        name: of the network.
        budget: that all methods had, in a word or two.
        made: when and by what command, for the foot.
    """
    best = {figure.name: table.best(figure) for figure in FIGURES}
    rows = [
        {
            "name": row,
            "cells": [(cell(table, row, f), row in best[f.name]) for f in FIGURES],
        }
        for row in table.rows
    ]
    page = render(
        "kept.html.j2",
        {},
        version=__version__,
        name=name,
        budget=budget,
        sentence=table.sentence(),
        caution=table.caution(),
        head=["", *(figure.title for figure in FIGURES)],
        rows=rows,
        notes=notes(table),
        plots=[plot for f in FIGURES if f.best != "none" and (plot := _panel(table, f))],
        legend=((BEST, "best"), (METHOD, "other methods"), (OTHER, "no method")),
        made=made,
    )
    return str(page)


def _panel(table: KeptByMethod, figure: Figure) -> Plot | None:
    """One figure of all rows: a dot and a whisker each, and a line through `CEILING`."""
    names = [row for row in table.rows if math.isfinite(table.mean(row, figure.name))]
    if not names:
        return None
    spans = {}
    for row in names:
        mean, spread = table.mean(row, figure.name), table.spread(row, figure.name)
        spans[row] = (mean, spread if math.isfinite(spread) else 0.0)
    ends = [m + sign * s for m, s in spans.values() for sign in (-1, 1)]
    low, high = min(ends), max(ends)
    free = FREE * (high - low) or FREE
    low, high = low - free, high + free
    shapes = [_rule((spans[CEILING][0] - low) / (high - low))] if CEILING in spans else []
    best = table.best(figure)
    for k, (row, (mean, spread)) in enumerate(spans.items()):
        css = BEST if row in best else METHOD if row in table.methods else OTHER
        ends = [(mean + sign * spread - low) / (high - low) for sign in (-1, 0, 1)]
        shapes.append(_dot(ends, (k + 0.5) / len(spans), css))
    return Plot(
        TITLES[figure.name],
        Markup("").join(shapes),
        axis(low, high, 4),
        _rows(list(spans)),
        "1/s" if figure.name == "largest_exponent" else "",
        height=ROW * len(spans),
        rows=True,
        alt=f"{figure.title} by method; best: {', '.join(best)}",
    )


def _rule(at: float) -> Markup:
    return Markup('<path class="rule" d="M{x:.1f} 0V1000"/>').format(x=SIDE * at)


def _dot(ends: Sequence[float], down: float, css: str) -> Markup:
    """A whisker from the first to the last place, and a dot in the middle."""
    first, middle, last = (SIDE * end for end in ends)
    shape = (
        '<path class="line {css}" d="M{a:.1f} {y:.1f}H{b:.1f}"/>'
        '<path class="mark {css}" d="M{m:.1f} {y:.1f}h0"/>'
    )
    return Markup(shape).format(css=css, a=first, b=last, m=middle, y=SIDE * down)


def _rows(names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    return tuple((100 * (1 - (k + 0.5) / len(names)), name) for k, name in enumerate(names))
