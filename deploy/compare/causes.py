"""Why the synaptic operations of a projection changed.

They are a product::

    operations = steps * (events / steps) * (operations / events)
               = run length * spikes a step * fan-out of a spike

so a change of them is split into these three causes. Each factor's share is its own change times
the mean of the others before and after (Shapley's value, taken first for fan-out against events,
then for rate against run length)::

    fan_out = (f_b - f_a) * (E_a + E_b) / 2            E = events, f = operations / events
    steps   = (T_b - T_a) * (r_a + r_b) / 2 * f_mean   T = steps,  r = E / T
    spikes  = (r_b - r_a) * (T_a + T_b) / 2 * f_mean   f_mean = (f_a + f_b) / 2

The three sum up to the change exactly: they are computed as fractions, then rounded to integers
by largest remainder. A projection without events has the fan-out of its other side. Our choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from hrsnn_lava.budgets.values import is_number, table

Status = Literal["kept", "added", "removed"]


@dataclass(frozen=True)
class Causes:
    """A change of operations by cause: integers whose sum is the change."""

    steps: int
    spikes: int
    fan_out: int


@dataclass(frozen=True)
class Side:
    """One projection in one report: operations, spikes that it carried, synapses that act."""

    kind: str
    operations: int
    events: int
    synapses: int

    @property
    def fan_out(self) -> float | None:
        """Operations per event; None without events."""
        return self.operations / self.events if self.events else None


@dataclass(frozen=True)
class ProjectionChange:
    """A projection before and after; a side is None where it does not exist."""

    name: str
    before: Side | None
    after: Side | None
    causes: Causes

    @property
    def status(self) -> Status:
        """Whether both reports have it."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "kept"

    @property
    def kind(self) -> str:
        """What its operations are: ``sop``, ``mac`` or ``host_mac``."""
        side = self.after or self.before
        return side.kind if side else "sop"

    @property
    def delta(self) -> int:
        """Change of its operations."""
        return (self.after.operations if self.after else 0) - (
            self.before.operations if self.before else 0
        )

    @property
    def moved(self) -> bool:
        """True when any of its figures differs."""
        return self.before != self.after

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "status": self.status,
            "kind": self.kind,
            "change": self.delta,
            "from_steps": self.causes.steps,
            "from_spikes": self.causes.spikes,
            "from_fan_out": self.causes.fan_out,
            "before": None if self.before is None else _side(self.before),
            "after": None if self.after is None else _side(self.after),
        }


def split(before: Side | None, after: Side | None, steps: tuple[int, int]) -> Causes:
    """The causes of a change of operations, as the module's docstring defines them.

    An added or removed projection changes its fan-out from or to nothing.
    """
    if before is None or after is None:
        change = after.operations if after else -(before.operations if before else 0)
        return Causes(0, 0, change)
    f_a, f_b = _fan_out(before, after), _fan_out(after, before)
    f_mean = (f_a + f_b) / 2
    t_a, t_b = (max(t, 1) for t in steps)
    r_a, r_b = Fraction(before.events, t_a), Fraction(after.events, t_b)
    shares = (
        (t_b - t_a) * (r_a + r_b) / 2 * f_mean,
        (r_b - r_a) * Fraction(t_a + t_b, 2) * f_mean,
        (f_b - f_a) * Fraction(before.events + after.events, 2),
    )
    return Causes(*_rounded(shares))


def cause(change: ProjectionChange) -> str:
    """Why the operations of a projection changed, in a few words."""
    if change.status != "kept":
        return change.status
    parts = {
        "spikes": change.causes.spikes,
        "fan-out": change.causes.fan_out,
        "steps": change.causes.steps,
    }
    named = [
        f"{_more(name, value)} {name} {value:+,}"
        for name, value in sorted(parts.items(), key=lambda pair: -abs(pair[1]))
        if value
    ]
    return ", ".join(named) or "the same"


def _more(name: str, value: int) -> str:
    if value > 0:
        return "more"
    return "less" if name == "fan-out" else "fewer"


def projection_changes(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[ProjectionChange, ...]:
    """Projections of which a figure differs, by the size of the change of operations."""
    sides_a, sides_b = _sides(before), _sides(after)
    steps = (steps_of(before), steps_of(after))
    found = []
    for name in dict.fromkeys((*sides_b, *sides_a)):
        a, b = sides_a.get(name), sides_b.get(name)
        found.append(ProjectionChange(name, a, b, split(a, b, steps)))
    moved = [p for p in found if p.moved]
    return tuple(sorted(moved, key=lambda p: -abs(p.delta)))


def _fan_out(own: Side, other: Side) -> Fraction:
    side = own if own.events else other
    return Fraction(side.operations, side.events) if side.events else Fraction(0)


def _rounded(shares: Sequence[Fraction]) -> list[int]:
    """Integers near `shares` with the same sum, by largest remainder."""
    floors = [math.floor(share) for share in shares]
    missing = int(sum(shares)) - sum(floors)
    order = sorted(range(len(shares)), key=lambda k: floors[k] - shares[k])
    for k in order[:missing]:
        floors[k] += 1
    return floors


def _sides(report: Mapping[str, Any]) -> dict[str, Side]:
    rows = {
        name: row if isinstance(row, Mapping) else {"operations": row}
        for name, row in table(table(report, "sop"), "per_projection").items()
    }
    return {
        str(name): Side(
            str(row.get("kind", "sop")),
            *(_whole(row.get(key)) for key in ("operations", "events", "synapses")),
        )
        for name, row in rows.items()
    }


def steps_of(report: Mapping[str, Any]) -> int:
    """Steps of the run; 0 without one."""
    return _whole(table(report, "activity").get("steps"))


def _whole(value: Any) -> int:
    return int(value) if is_number(value) and math.isfinite(value) else 0


def _side(side: Side) -> dict[str, Any]:
    return {
        "operations": side.operations,
        "events": side.events,
        "synapses": side.synapses,
        "fan_out": side.fan_out,
    }
