"""Synaptic operations of the run, by projection and over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations
from hrsnn_lava.report import plots
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, integer, label, number, table, titled, wrap
from hrsnn_lava.report.section import Section, render

Int: TypeAlias = NDArray[np.int64]
#: What a synaptic operation is taken to be, word for word in every report.
CONVENTION = (
    "one operation is one spike meeting one synapse whose weight is not 0; inputs included, "
    "counted when sent, summed over all steps (NeuroBench Effective_ACs)"
)
_PROJECTION = ("kind", "pre", "post", "synapses", "events", "operations", "issued", "dense")
#: Projections with a colour of their own; of more, the smallest are drawn as one.
MAX_BANDS = 6
#: CSS class of those that share a colour.
OTHERS = "p5"


def data(facts: Facts) -> Plain:
    """``sop``."""
    return {"sop": operations(facts.operations, facts.reference, facts.samples)}


def operations(
    ops: SynapticOperations | None,
    reference: Mapping[str, float] | None = None,
    samples: float | None = None,
) -> dict[str, Any]:
    """Synaptic operations of a run, and how many times fewer they are than the unpruned run's.

    Args:
        ops: None without a run.
        reference: ``total`` and ``recurrent`` of the unpruned run, as far as they are known.
        samples: inputs that the run processed.
    """
    keys = ("total", "recurrent", "per_step", "per_step_max", "dense", "issued", "macs")
    if ops is None:
        return {**dict.fromkeys(keys), "per_projection": {}, "ratio": None}
    against = reference or {}
    return {
        "total": ops.total,
        "recurrent": ops.recurrent,
        "per_step": ops.total / ops.steps if ops.steps else None,
        "per_step_max": ops.per_step_max,
        "per_sample": ops.total / samples if samples else None,
        "dense": ops.dense,
        "issued": ops.issued,
        "macs": ops.macs,
        "host_macs": ops.host_macs,
        "bias_writes": ops.bias_writes,
        "per_core": None if ops.per_core is None else ops.per_core.tolist(),
        "per_projection": {
            p.name: {key: getattr(p, key) for key in _PROJECTION} for p in ops.projections
        },
        "reference": against or None,
        "ratio": _ratio(against.get("total"), ops.total),
        "ratio_recurrent": _ratio(against.get("recurrent"), ops.recurrent),
        "inputs_known": ops.inputs_known,
        "convention": CONVENTION,
    }


def _ratio(reference: float | None, own: int) -> float | None:
    return None if reference is None or not own else float(reference) / own


def text(report: Plain) -> str:
    """Totals, ratios, what else the run did, and the table of projections."""
    section, activity = report["sop"], report["activity"]
    heading = "Synaptic operations"
    if section["total"] is None:
        return titled(heading, "no run: give a trace to count them")
    lines = [
        f"{integer(section['total'])} in {integer(activity['steps'])} steps, "
        f"{number(section['per_step'])} a step; recurrent {integer(section['recurrent'])}",
        f"issued {integer(section['issued'])}, dense {integer(section['dense'])}, "
        f"graded MACs {integer(section['macs'])}",
    ]
    if section["ratio"] is not None:
        lines.append(f"{section['ratio']:.1f} times fewer than unpruned")
    if section["ratio_recurrent"] is not None:
        lines.append(f"{section['ratio_recurrent']:.1f} times fewer recurrent ones")
    if not section["inputs_known"]:
        lines.append("the trace does not hold its inputs: operations of inputs are missing")
    lines.append(
        wrap(
            f"{integer(activity['spikes'])} spikes ({number(activity['rate_hz'])} Hz a neuron), "
            f"{integer(activity['messages'])} messages, {integer(activity['hops'])} hops, "
            f"{integer(activity['neuron_updates'])} neuron updates, "
            f"{integer(activity['neuron_updates_active'])} of them active"
        )
    )
    rows = [
        [name, label(p["kind"]), *(integer(p[k]) for k in ("synapses", "events", "operations"))]
        for name, p in section["per_projection"].items()
    ]
    lines.append(table(["projection", "kind", "synapses", "events", "operations"], rows, (0, 1)))
    lines += [wrap(f"SOP: {section['convention']}"), wrap(f"updates: {activity['convention']}")]
    return titled(heading, "\n".join(lines))


def over_time(facts: Facts) -> plots.Plot | None:
    """Synaptic operations per step, a band for each projection; None where no step is known."""
    ops = facts.operations
    if ops is None or not ops.per_step_kept:
        return None
    colours = projection_colours({p.name: vars(p) for p in ops.projections})
    series: list[tuple[str, str, Int]] = []
    others: list[Int] = []
    for projection in ops.projections:
        css = colours.get(projection.name)  # none for what the host computes
        if css == OTHERS:
            others.append(projection.per_step)
        elif css is not None:
            series.append((css, projection.name, projection.per_step))
    if others:
        series.append((OTHERS, "others", np.sum(others, axis=0)))
    if not series:
        return None
    dt = facts.compiled.network.dt
    return plots.stacked("Synaptic operations per step", series, dt, "SOPs")


def projection_colours(projections: Mapping[str, Plain]) -> dict[str, str]:
    """CSS class of every projection on the chip, the same in drawing and table.

    Args:
        projections: kind and operations by name, as in ``sop.per_projection``.
    """
    own = {n: p["operations"] for n, p in projections.items() if p["kind"] != "host_mac"}
    ranked = sorted(own, key=lambda name: -own[name])
    alone = ranked if len(ranked) <= MAX_BANDS else ranked[: MAX_BANDS - 1]
    coloured = [name for name in own if name in alone]
    return dict.fromkeys(own, OTHERS) | {name: f"p{k}" for k, name in enumerate(coloured)}


def html(report: Plain, facts: Facts) -> Markup:
    """Operations over time, totals, and projections with the share of the largest as a bar."""
    projections = report["sop"]["per_projection"]
    colours = projection_colours(projections)
    top = max((projections[name]["operations"] for name in colours), default=0)
    bars = [
        {
            "name": name,
            "css": css,
            "share": projections[name]["operations"] / top if top else 0.0,
            **projections[name],
        }
        for name, css in colours.items()
    ]
    return render("sop.html.j2", report, sops=over_time(facts), sop_bars=bars)


SECTION = Section("sop", "Synaptic operations", data, text, html)
