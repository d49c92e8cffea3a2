"""The drawings of a report, each made of what a compiled network and its run have to offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.report import format as forms
from hrsnn_lava.report import plots, rasters
from hrsnn_lava.report.heterogeneity import QUANTITIES

if TYPE_CHECKING:
    from hrsnn_lava.report.model import Figures

#: Cores that the heat map draws one by one; of more, neighbours share a column.
MAX_COLUMNS = 128
#: Projections with a colour of their own; of more, the smallest are drawn as one.
MAX_BANDS = 6


def raster(figures: Figures) -> plots.Plot | None:
    """Spikes by neuron and time; None without a run."""
    trace = figures.trace
    if trace is None:
        return None
    network = figures.compiled.network
    bands = [(p.name, p.size) for p in network.compute_populations]
    return rasters.raster(trace.spike_steps, trace.spike_neurons, trace.n_steps, bands, network.dt)


def rate(figures: Figures) -> plots.Plot | None:
    """Spikes per step; None without a run."""
    trace = figures.trace
    if trace is None:
        return None
    spikes = np.bincount(trace.spike_steps, minlength=trace.n_steps)
    dt = figures.compiled.network.dt
    return plots.over_time("Spikes per step", spikes, dt, "spikes", "p2")


def operations(figures: Figures) -> plots.Plot | None:
    """Synaptic operations per step, a band for each projection; None without a run."""
    ops = figures.ops
    if ops is None:
        return None
    colours = projection_colours(
        {p.name: {"kind": p.kind, "operations": p.operations} for p in ops.projections}
    )
    series: list[tuple[str, str, NDArray[np.int64]]] = []
    rest: NDArray[np.int64] | None = None
    for projection in ops.projections:
        if projection.kind == "host_mac":
            continue
        css = colours[projection.name]
        if css == OTHERS:
            rest = projection.per_step if rest is None else rest + projection.per_step
        else:
            series.append((css, projection.name, projection.per_step))
    if rest is not None:
        series.append((OTHERS, "others", rest))
    if not series:
        return None
    dt = figures.compiled.network.dt
    return plots.stacked("Synaptic operations per step", series, dt, "SOPs")


OTHERS = "p5"


def projection_colours(projections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """CSS class of every projection on the chip, the same in drawing and table.

    Args:
        projections: kind and operations by name, as in ``sop.per_projection``.
    """
    own = {n: p["operations"] for n, p in projections.items() if p["kind"] != "host_mac"}
    ranked = sorted(own, key=lambda name: -own[name])
    alone = ranked if len(ranked) <= MAX_BANDS else ranked[: MAX_BANDS - 1]
    kept = [name for name in own if name in alone]
    colours = dict.fromkeys(own, OTHERS)
    return colours | {name: f"p{k}" for k, name in enumerate(kept)}


def sop_bars(projections: Mapping[str, Mapping[str, Any]]) -> Sequence[dict[str, Any]]:
    """Rows of the table of projections with the share of the largest, and their colours."""
    colours = projection_colours(projections)
    top = max((projections[name]["operations"] for name in colours), default=0)
    return [
        {
            "name": name,
            "css": css,
            "share": projections[name]["operations"] / top if top else 0.0,
            **projections[name],
        }
        for name, css in colours.items()
    ]


def cores(figures: Figures) -> plots.Plot | None:
    """Use of every limit, by core; None when the chip has no limits."""
    resources = [r for r in figures.used.resources if r.limit]
    n = figures.used.n_cores
    if not resources or not n:
        return None
    group = -(-n // MAX_COLUMNS)
    shares = np.stack([r.used / float(r.limit or 1) for r in resources])
    starts = np.arange(0, n, group)
    worst = np.maximum.reduceat(shares, starts, axis=1)
    hints = []
    for resource, row in zip(resources, worst, strict=True):
        name = forms.label(resource.name)
        hints.append(
            [
                f"core {starts[k]}: {name} {100 * v:.1f} % of {forms.integer(resource.limit)}"
                for k, v in enumerate(row)
            ]
        )
    return rasters.heat(
        "Share of each limit, by core",
        [forms.label(r.name) for r in resources],
        worst,
        hints,
        "core" if group == 1 else f"group of {group} cores",
        limits=[f"of {forms.integer(r.limit)}" for r in resources],
    )


def parameters(figures: Figures) -> list[plots.Plot]:
    """Distributions that have any spread, the program filled and what it comes from outlined."""
    drawn = []
    for name, unit in QUANTITIES.items():
        after = np.concatenate([np.zeros(0), *figures.after[name].values()])
        before = np.zeros(0)
        if figures.before is not None:
            before = np.concatenate([before, *figures.before[name].values()])
        whole = np.concatenate([after, before])
        if not whole.size or np.ptp(whole) <= 0.01 * abs(float(whole.mean())):
            continue
        series = [("a", "on the chip", after)] if after.size else []
        if before.size:
            series.append(("b", "before", before))
        scale, shown = (
            (1e3, f"{forms.label(name)} (ms)") if unit == "s" else (1.0, forms.label(name))
        )
        note = "" if after.size else "before; on the chip they are in the weights"
        title = shown.split(" (")[0]
        drawn.append(plots.histogram(title, series, shown, scale, note=note))
    return drawn
