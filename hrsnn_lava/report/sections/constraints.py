"""Use of every limit of the chip, on the core that uses most and on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from markupsafe import Markup

from hrsnn_lava.budgets.quantities import FILLED
from hrsnn_lava.compiler.analysis.occupancy.utilization import Utilization
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.report import format as forms
from hrsnn_lava.report import plots
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import UNKNOWN, Plain, integer, label, percent, table
from hrsnn_lava.report.section import Section, render

#: Cores that the heat map draws one by one; of more, neighbours share a column.
MAX_COLUMNS = 128
#: Share of a limit from which on it is tight.
_TIGHT = 0.5
#: Cores that get a line each; more are shown in groups of neighbours.
MAX_CORE_ROWS = 16
#: Columns of the table per core: Lava's compiler log, then memory and the tables of parameters.
CORE_COLUMNS = {
    "in_axons": "AxonIn",
    "neuron_groups": "NeuronGr",
    "neurons": "Neurons",
    "synapses": "Synapses",
    "axon_map": "AxonMap",
    "out_axons": "AxonMem",
    "synapse_memory": "SynMem",
    "compartment_profiles": "Compart",
    "threshold_profiles": "Thresh",
}


class Constraint(TypedDict):
    """One limit: use on the core that uses most; None for what is not published."""

    rule: str
    worst_core: int | None
    used: int | None
    limit: int | None
    fraction: float | None
    unit: str
    binding: bool


def data(facts: Facts) -> Plain:
    """``constraints`` and ``cores``."""
    usage, profile = facts.placed.used, facts.compiled.profile
    return {"constraints": constraints(usage, profile), "cores": cores(facts)}


def constraints(used: Utilization, profile: HardwareProfile) -> list[Constraint]:
    """Use against limit of every resource, on the core that uses most; the tightest is marked.

    Tables that the compiler fills on purpose, and the cores, are not tight, however full they are;
    and below a half nothing is.
    """
    units = {"cores": "core", **{r.name: r.unit for r in used.resources}}
    limits = list(used.constraints())
    fractions = [r["fraction"] for r in limits if r["rule"] not in FILLED and r["fraction"]]
    tightest = max((f for f in fractions if f >= _TIGHT), default=None)
    rows: list[Constraint] = []
    for entry in limits:
        binding = (
            tightest is not None and entry["rule"] not in FILLED and entry["fraction"] == tightest
        )
        row: Any = {**entry, "unit": units[entry["rule"]], "binding": binding}
        if profile.synapse_memory is None and row["rule"] == "synapse_memory":
            row["used"] = row["worst_core"] = None  # no encoding is published to count by
        rows.append(row)
    return rows


def cores(facts: Facts) -> list[dict[str, Any]]:
    """Per core its use of every resource, its tile, and what it did in the run."""
    compiled, usage = facts.compiled, facts.placed.used
    placement, core_of, n = compiled.placement, compiled.core_of, compiled.placement.n_cores
    sizes = [p.size for p in compiled.network.compute_populations]
    population = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.bincount(np.unique(np.stack([core_of, population]), axis=1)[0], minlength=n)
    senders = np.unique(usage.destinations.indices)
    senders = senders[senders < core_of.size]  # those beyond are input channels, on no core
    mapped = np.bincount(core_of[senders], minlength=n)
    activity, operations = facts.activity, facts.operations
    rows = []
    for use in usage.cores():
        core = use["core"]
        row: dict[str, Any] = {
            **use,
            "tile": None if placement.coordinates is None else placement.coordinates[core].tolist(),
            "neuron_groups": int(groups[core]),
            "axon_map": int(mapped[core]),
        }
        if compiled.profile.synapse_memory is None:  # no encoding is published
            row["synapse_memory"] = None
        rows.append(row)
    if activity is not None and operations is not None:
        spikes = np.bincount(core_of, weights=activity.spikes_of, minlength=n)
        for row in rows:
            core = row["core"]
            sops = operations.per_core
            row["spikes"] = int(spikes[core])
            row["sops"] = None if sops is None else int(sops[core])
            row["messages_in"] = int(activity.messages_in_of[core])
            row["messages_out"] = int(activity.messages_out_of[core])
    return rows


def core_groups(rows: Sequence[Plain], columns: Sequence[str]) -> list[list[str]]:
    """Rows of the table per core: name, a cell per column (``low-high`` of a group), cores."""
    size = -(-len(rows) // MAX_CORE_ROWS) or 1
    cells = []
    for first in range(0, len(rows), size):
        group = rows[first : first + size]
        names = [str(group[0]["core"]), str(group[-1]["core"])]
        extents = [_extent([core[column] for core in group]) for column in columns]
        cells.append(["-".join(dict.fromkeys(names)), *extents, str(len(group))])
    return cells


def _extent(values: Sequence[int | None]) -> str:
    numbers = [v for v in values if v is not None]
    if len(numbers) < len(values):
        return UNKNOWN
    low, high = integer(min(numbers)), integer(max(numbers))
    return low if low == high else f"{low}-{high}"


def text(report: Plain) -> str:
    """The table of limits, then the table of cores."""
    rows = [
        [
            label(row["rule"]),
            integer(row["worst_core"]),
            integer(row["used"]),
            "none published" if row["limit"] is None else integer(row["limit"]),
            percent(row["fraction"]),
            row["unit"] + (" <- tightest" if row["binding"] else ""),
        ]
        for row in report["constraints"]
    ]
    limits = table(["resource", "worst core", "used", "limit", "share", "unit"], rows, (0, 5))
    groups = core_groups(report["cores"], list(CORE_COLUMNS))
    total = ["Total", *[""] * len(CORE_COLUMNS), str(len(report["cores"]))]
    by_core = table(["Core", *CORE_COLUMNS.values(), "Cores"], [*groups, total])
    return forms.parts(
        forms.titled("Constraints", limits), forms.titled("Per core distribution", by_core)
    )


def heat_map(facts: Facts) -> plots.Plot | None:
    """Use of every limit, by core; None when the chip has no limits."""
    resources = [r for r in facts.placed.used.resources if r.limit]
    n = facts.placed.used.n_cores
    if not resources or not n:
        return None
    group = -(-n // MAX_COLUMNS)
    shares = np.stack([r.used / float(r.limit or 1) for r in resources])
    starts = np.arange(0, n, group)
    worst = np.maximum.reduceat(shares, starts, axis=1)
    hints = [
        [
            f"core {starts[k]}: {label(resource.name)} {100 * share:.1f} % of "
            f"{integer(resource.limit)}"
            for k, share in enumerate(row)
        ]
        for resource, row in zip(resources, worst, strict=True)
    ]
    return plots.heat(
        "Share of each limit, by core",
        [label(r.name) for r in resources],
        worst,
        hints,
        "core" if group == 1 else f"group of {group} cores",
        limits=[f"of {integer(r.limit)}" for r in resources],
    )


def html(report: Plain, facts: Facts) -> Markup:
    """Table of limits with bars, heat map, table of cores."""
    return render(
        "constraints.html.j2",
        report,
        heat=heat_map(facts),
        core_head=list(CORE_COLUMNS.values()),
        core_rows=core_groups(report["cores"], list(CORE_COLUMNS)),
    )


SECTION = Section("constraints", "Cores", data, text, html)
