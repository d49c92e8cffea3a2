"""What a user has to know of an energy: what has no price, and what dwarfs all else."""

from __future__ import annotations

from collections.abc import Iterator

from hrsnn_lava.compiler.analysis.pricing.energy import Energy
from hrsnn_lava.findings import Finding

#: Share of the total from which on static energy hides what operations cost (ours).
_DWARFS = 0.9


def energy_findings(energy: Energy) -> Iterator[Finding]:
    """Everything that a user has to know."""
    static, dynamic, total = energy.static.energy_j, energy.dynamic_j, energy.total_j
    if static and dynamic is not None and total and static / total > _DWARFS:
        share = dynamic / total
        yield Finding(
            "note",
            "energy",
            f"{100 * static / total:.4g} % of the total is static",
            f"halving all operations changes the total by {50 * share:.2g} %",
            "budget synaptic operations or dynamic energy, or run as fast as the chip can",
            kind="static_energy_dwarfs",
        )
    if energy.cost_set is None:
        return
    for unpriced in energy.unpriced:
        if unpriced.count == 0:
            continue
        name, comma, kind = unpriced.name.replace("_", " ").partition(",")
        if unpriced.count is None:
            measured = f"what {name}{comma}{kind} costs is not known"
        elif unpriced.count == 1:
            measured = f"1 {name}{comma}{kind} has no price"
        else:
            measured = f"{unpriced.count:,} {name}s{comma}{kind} have no price"
        yield Finding(
            "warning",
            "energy",
            measured,
            f"the total is not known: {unpriced.reason}",
            kind="unpriced",
        )
