"""What is not the same in two sets of figures: the one engine behind every comparison.

`hrsnn-lava diff` shows every figure that moved, the gate (`check`) asks whether one got worse than
is allowed, and so do both baselines: an older report, and the operations that the tests of a
project recorded. All of them compare here:

- `walk`: every leaf of two plain documents that differs, as a `Change`;
- `movement`: two numbers, the direction that is worse, and a tolerance in percent;
- `projection_changes`: synaptic operations by projection, and why they changed; `growth`: those
  that take more of them.

The operations of a projection are a product::

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from hrsnn_lava.budgets.quantities import ReportData, Worse, is_number, shown, steps_of, table

Status = Literal["kept", "added", "removed"]
#: Values that change from run to run, or with the machine, and tell nothing of the network.
_FLEETING = ("provenance.python", "provenance.numpy", "provenance.version", "provenance.program")
_WALL_TIME = "seconds"
#: A longer list is one line of the comparison, not one line an element.
_LISTED = 16


@dataclass(frozen=True)
class Change:
    """One figure that is not the same; None where it is unknown or absent.

    Attributes:
        where: path in the report, such as ``activity.spikes``.
        before, after: plain values.
    """

    where: str
    before: object
    after: object

    @property
    def delta(self) -> int | float | None:
        """After minus before; None unless both are numbers."""
        if not (is_number(self.before) and is_number(self.after)):
            return None
        change: int | float = self.after - self.before
        return change

    @property
    def percent(self) -> float | None:
        """Relative change in percent; None where it was 0 or no number."""
        delta = self.delta
        if delta is None or not is_number(self.before) or not self.before:
            return None
        return 100.0 * delta / abs(self.before)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "where": self.where,
            "before": self.before,
            "after": self.after,
            "change": self.delta,
            "percent": self.percent,
        }


def by_size(changes: Sequence[Change], first: str = "") -> tuple[Change, ...]:
    """The largest relative change first; those of the key `first` before all others."""

    def order(change: Change) -> tuple[bool, float]:
        size = math.inf if change.percent is None else abs(change.percent)
        if first and change.where.endswith(f".{first}"):
            return False, -abs(change.delta or 0)
        return True, -size

    return tuple(sorted(changes, key=order))


def walk(path: str, before: object, after: object) -> list[Change]:
    """Every leaf that differs; a long list is one leaf, told by its length."""
    if before == after:
        return []
    a, b = ({} if side is None else side for side in (before, after))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return [
            change
            for key in dict.fromkeys((*b, *a))
            if key != _WALL_TIME and f"{path}.{key}" not in _FLEETING
            for change in walk(f"{path}.{key}", a.get(key), b.get(key))
        ]
    if isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after) <= _LISTED:
            return [
                change
                for k, (a, b) in enumerate(zip(before, after, strict=True))
                for change in walk(f"{path}[{k}]", a, b)
            ]
        both = zip(before, after, strict=False)
        other = sum(a != b for a, b in both) + abs(len(before) - len(after))
        return [Change(path, f"{len(before)} values", f"{len(after)} values, {other} of them new")]
    return [Change(path, before, after)]


def at(report: ReportData, path: str) -> object:
    """The value at a dotted path; None where there is none."""
    value: object = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True)
class Difference:
    """All that differs between two things, the largest contribution first.

    Attributes:
        before, after: what the two sides are called.
        kind: ``report``, or the stage of two networks.
        sections: single figures that differ, by the name of the section.
        notes: what makes the comparison less than straightforward.
    """

    before: str
    after: str
    kind: str
    sections: Mapping[str, tuple[Change, ...]]
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """True when anything differs that tells something of the network or its run."""
        return any(self.sections.values()) or any(self.tables().values())

    def tables(self) -> Mapping[str, Sequence[Any]]:
        """Rows of a form of their own by the key that JSON has for them, such as projections."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "moved": self.moved,
            **{key: [row.to_dict() for row in rows] for key, rows in self.tables().items()},
            **{key: [change.to_dict() for change in c] for key, c in self.sections.items()},
        }


@dataclass(frozen=True)
class Movement:
    """A number against its baseline.

    Attributes:
        percent: relative change of the number; None where the baseline is 0, of which no
            percentage can be taken, or the change is beyond all sense.
        within: it got no worse than the tolerance allows.
        improved: it moved in the other direction.
    """

    percent: float | None
    within: bool
    improved: bool


def movement(
    value: float,
    base: float,
    worse: Worse = "higher",
    tolerance_percent: float = 0.0,
    slack: float = 0.0,
) -> Movement:
    """Compare two numbers exactly, as fractions.

    Args:
        value, base: now and before.
        worse: the direction that is for the worse.
        tolerance_percent: by how much of `base` it may get worse; as it is written in decimals,
            so that 5 % of 20 is 1 whatever binary fractions make of it.
        slack: share of `base` within which values count as equal; none between two integers.
    """
    sign = -1 if worse == "lower" else 1
    loss = sign * (Fraction(value) - Fraction(base))
    size = abs(Fraction(base))
    equal = size * (0 if isinstance(value, int) and isinstance(base, int) else Fraction(slack))
    allowed = size * Fraction(repr(tolerance_percent)) / 100 + equal
    # a double ends near 10^308: no percentage is told of a change of 10^200 times the baseline
    percent = float(100 * sign * loss / size) if size and loss * 100 < size * 10**200 else None
    return Movement(percent, loss <= allowed, loss < -equal and loss < 0)


@dataclass(frozen=True)
class Causes:
    """A change of operations by cause: integers whose sum is the change."""

    steps: int
    spikes: int
    fan_out: int


@dataclass(frozen=True)
class ProjectionCounts:
    """One projection in one report: operations, spikes that it carried, synapses that act."""

    kind: str
    operations: int
    events: int
    synapses: int

    @property
    def fan_out(self) -> float | None:
        """Operations per event; None without events."""
        return self.operations / self.events if self.events else None

    @property
    def sops(self) -> int:
        """Its synaptic operations; 0 where it does others."""
        return self.operations if self.kind == "sop" else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "operations": self.operations,
            "events": self.events,
            "synapses": self.synapses,
            "fan_out": self.fan_out,
        }


@dataclass(frozen=True)
class ProjectionChange:
    """A projection before and after; a side is None where it does not exist."""

    name: str
    before: ProjectionCounts | None
    after: ProjectionCounts | None
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
        counts = self.after or self.before
        return counts.kind if counts else "sop"

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
            "before": None if self.before is None else self.before.to_dict(),
            "after": None if self.after is None else self.after.to_dict(),
        }


def split(
    before: ProjectionCounts | None, after: ProjectionCounts | None, steps: tuple[int, int]
) -> Causes:
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
    phrases = [
        f"{_more(name, value)} {name} {value:+,}"
        for name, value in sorted(parts.items(), key=lambda pair: -abs(pair[1]))
        if value
    ]
    return ", ".join(phrases) or "the same"


def _more(name: str, value: int) -> str:
    if value > 0:
        return "more"
    return "less" if name == "fan-out" else "fewer"


def projection_changes(before: ReportData, after: ReportData) -> tuple[ProjectionChange, ...]:
    """Projections of which a figure differs, by the size of the change of operations.

    Args:
        before, after: reports, or as much of them as their parts ``sop`` and ``activity``.
    """
    changes = [change for change in _projections(before, after) if change.moved]
    return tuple(sorted(changes, key=lambda change: -abs(change.delta)))


def _projections(before: ReportData, after: ReportData) -> Iterator[ProjectionChange]:
    """Every projection of either report."""
    counts_a, counts_b = projection_counts(before), projection_counts(after)
    steps = run_length(before), run_length(after)
    for name in dict.fromkeys((*counts_b, *counts_a)):
        a, b = counts_a.get(name), counts_b.get(name)
        yield ProjectionChange(name, a, b, split(a, b, steps))


def _fan_out(own: ProjectionCounts, other: ProjectionCounts) -> Fraction:
    counts = own if own.events else other
    return Fraction(counts.operations, counts.events) if counts.events else Fraction(0)


def _rounded(shares: Sequence[Fraction]) -> list[int]:
    """Integers near `shares` with the same sum, by largest remainder."""
    floors = [math.floor(share) for share in shares]
    shortfall = int(sum(shares)) - sum(floors)
    order = sorted(range(len(shares)), key=lambda k: floors[k] - shares[k])
    for k in order[:shortfall]:
        floors[k] += 1
    return floors


def projection_counts(report: ReportData) -> dict[str, ProjectionCounts]:
    """What a report says of every projection; some keep nothing but the number of operations."""
    counts = {}
    for name, row in table(table(report, "sop"), "per_projection").items():
        entry = row if isinstance(row, Mapping) else {"operations": row}
        numbers = (whole(entry.get(key)) for key in ("operations", "events", "synapses"))
        counts[str(name)] = ProjectionCounts(str(entry.get("kind", "sop")), *numbers)
    return counts


def run_length(report: ReportData) -> int:
    """Steps of the run; 0 without one."""
    return whole(steps_of(report))


def whole(value: object) -> int:
    """A count of a report; 0 for what is none."""
    return int(value) if is_number(value) and math.isfinite(value) else 0


@dataclass(frozen=True)
class Growth:
    """A projection that takes more synaptic operations than in the baseline.

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


def growth(before: ReportData, after: ReportData) -> tuple[Growth, ...]:
    """Projections that take more synaptic operations than before, most first."""
    steps_a, steps_b = run_length(before), run_length(after)
    per_step = steps_a != steps_b and min(steps_a, steps_b) > 0
    nothing = ProjectionCounts("sop", 0, 0, 0)
    rows = []
    for change in _projections(before, after):
        a, b = change.before or nothing, change.after or nothing
        operations: tuple[float, float] = a.sops, b.sops
        if per_step:
            operations = a.sops / steps_a, b.sops / steps_b
        if operations[1] > operations[0]:
            row = Growth(change.name, operations[1], operations[0], b.synapses, a.synapses)
            rows.append(replace(row, per_step=per_step))
    return tuple(sorted(rows, key=lambda row: (-row.change, row.projection)))
