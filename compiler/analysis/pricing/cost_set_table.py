"""One run under the prices of every cost set, side by side, in the order of their names.

It is no ranking: a row says what its source would make of these counts, and rows of another scope
or of another chip hold other things.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.pricing.energy import Counts, UnpricedCount, energy
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

#: What has to stand wherever the table is shown.
NOTE = (
    "Rows are in the order of their names, not of their figures. Synaptic operations differ "
    "between applications, and figures of different scope do not compare: an all-in figure holds "
    "what the rows per term leave out. Messages and hops are those of this placement on this "
    "chip, and static power is charged for the wall time of this run."
)


@dataclass(frozen=True)
class CostSetRow:
    """The counts of a run, priced by one cost set.

    Attributes:
        cost_set, title, chip, scope, evidence: of the prices.
        proxy: the prices are not those of the chip that was compiled for.
        used: the set that the report prices its terms with.
        overridden: counts whose price was overridden, and ``"static"``.
        dynamic_j, static_j, total_j: joules of the run; None when not known.
        dynamic_complete: every count has a price; otherwise `dynamic_j` is of those that have.
        total_low_j, total_high_j: ends of the range where sources differ.
        per_sop_j: `total_j` per synaptic operation, all that the scope holds, static power too.
        dynamic_per_sop_j: the same of `dynamic_j`; None where a term has no price.
        unpriced: counts without a price, which make `total_j` None.
    """

    cost_set: str
    title: str
    chip: str
    scope: str
    evidence: tuple[str, ...]
    proxy: bool
    used: bool
    overridden: tuple[str, ...]
    dynamic_j: float | None
    dynamic_complete: bool
    static_j: float | None
    total_j: float | None
    total_low_j: float | None
    total_high_j: float | None
    per_sop_j: float | None
    dynamic_per_sop_j: float | None
    unpriced: tuple[UnpricedCount, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a report holds them."""
        values: dict[str, Any] = plain(asdict(self))
        return values


def by_cost_set(
    counts: Counts,
    profile: HardwareProfile,
    steps: int,
    step_time_s: float | None = 1e-3,
    n_chips: int = 1,
    *,
    used: CostSet | None = None,
    cost_sets: Iterable[CostSet] | None = None,
) -> tuple[CostSetRow, ...]:
    """Price the counts of a run by every cost set.

    Args:
        counts, profile, steps, step_time_s, n_chips: as of `energy`.
        used: the set in use, which may be a user's own; it is among the rows.
        cost_sets: all others; those that come with the package when not given.

    Raises:
        SpecError: a count, the step time or the number of chips is out of range.
    """
    if cost_sets is None:
        cost_sets = [CostSet.load(name) for name in CostSet.names()]
    sets = {prices.name: prices for prices in cost_sets}
    if used is not None:
        sets[used.name] = used
    rows = []
    for name in sorted(sets):
        prices = sets[name]
        figures = energy(counts, prices, profile, steps, step_time_s, n_chips)
        operations = counts.get("synaptic_operations")
        complete = {count.name for count in figures.unpriced} <= {"static power"}
        rows.append(
            CostSetRow(
                cost_set=name,
                title=prices.title,
                chip=prices.chip,
                scope=prices.scope,
                evidence=tuple(prices.evidence),
                proxy=figures.proxy,
                used=used is not None and name == used.name,
                overridden=figures.overridden,
                dynamic_j=figures.dynamic_j,
                dynamic_complete=complete,
                static_j=figures.static.energy_j,
                total_j=figures.total_j,
                total_low_j=figures.total_low_j,
                total_high_j=figures.total_high_j,
                per_sop_j=_per(figures.total_j, operations),
                dynamic_per_sop_j=_per(figures.dynamic_j if complete else None, operations),
                unpriced=figures.unpriced,
            )
        )
    return tuple(rows)


def _per(joules: float | None, operations: int | None) -> float | None:
    return joules / operations if joules is not None and operations else None
