"""Which projections take more synaptic operations than before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hrsnn_lava.budgets.values import is_number, shown, steps_of, table


@dataclass(frozen=True)
class Growth:
    """Synaptic operations of one projection, now and in the baseline.

    Attributes:
        projection: its name.
        operations, baseline: of the run; 0 where the projection is not there.
        synapses, synapses_before: of the projection.
        per_step: the operations are those of a step, since the runs differ in length.
    """

    projection: str
    operations: float
    baseline: float
    synapses: float
    synapses_before: float
    per_step: bool = False

    @property
    def change(self) -> float:
        """Operations more than in the baseline."""
        return self.operations - self.baseline

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "change": self.change}

    def text(self) -> str:
        """What happened, without the name."""
        text = f"{shown(self.baseline)} -> {shown(self.operations)} SOP"
        text += " a step" if self.per_step else ""
        if self.baseline:
            text += f" ({100 * self.change / self.baseline:+.4g} %)"
        if self.synapses != self.synapses_before:
            text += f", {shown(self.synapses_before)} -> {shown(self.synapses)} synapses"
        return text

    def line(self) -> str:
        """One line."""
        return f"{self.projection}: {self.text()}"


def growth(report: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[Growth, ...]:
    """Projections that take more synaptic operations than before, most first."""
    now, before = operations(report), operations(base)
    steps, steps_before = steps_of(report) or 0, steps_of(base) or 0
    per_step = steps != steps_before and min(steps, steps_before) > 0
    rows = []
    for name in {**now, **before}:
        count, synapses = now.get(name, (0, 0))
        count_before, synapses_before = before.get(name, (0, 0))
        if per_step:
            count, count_before = count / steps, count_before / steps_before
        row = Growth(name, count, count_before, synapses, synapses_before, per_step)
        if row.change > 0:
            rows.append(row)
    return tuple(sorted(rows, key=lambda r: (-r.change, r.projection)))


def operations(report: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Synaptic operations and synapses of every projection that does any."""
    found = {}
    for name, entry in table(table(report, "sop"), "per_projection").items():
        if not isinstance(entry, Mapping):
            entry = {"operations": entry}  # a report that keeps nothing but the number
        if entry.get("kind", "sop") != "sop":
            continue
        count, synapses = entry.get("operations"), entry.get("synapses")
        if is_number(count):
            found[str(name)] = (count, synapses if is_number(synapses) else 0)
    return found
