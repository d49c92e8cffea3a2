"""Figures that are not the same in two reports, found by their path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hrsnn_lava.budgets.values import is_number

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
    before: Any
    after: Any

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
        return None if delta is None or not self.before else 100.0 * delta / abs(self.before)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "where": self.where,
            "before": self.before,
            "after": self.after,
            "change": self.delta,
            "percent": self.percent,
        }


def by_size(found: Sequence[Change], first: str = "") -> tuple[Change, ...]:
    """The largest relative change first; those of the key `first` before all others."""

    def order(change: Change) -> tuple[bool, float]:
        size = math.inf if change.percent is None else abs(change.percent)
        if first and change.where.endswith(f".{first}"):
            return False, -abs(change.delta or 0)
        return True, -size

    return tuple(sorted(found, key=order))


def walk(path: str, before: Any, after: Any) -> list[Change]:
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


def at(report: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def rows(report: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """A section that is a list of tables; empty where there is none."""
    value = report.get(key)
    found = value if isinstance(value, list) else []
    return [row for row in found if isinstance(row, Mapping)]
