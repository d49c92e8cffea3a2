"""Lines of an energy: one event priced, idle power over time, and how they add up.

A price may carry a range, where other sources or other conditions give another figure for the
same event. A line then has a low and a high end, and a sum takes the low end of every line that
has one, and the line itself where nobody disagrees::

    low = sum over lines of (count * low price, or count * price where there is no range)

So the ends hold if all sources err to the same side. They are no confidence interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from hrsnn_lava.hardware_profiles import Coefficient, CostSet

#: (figure, low end, high end); the ends are None where no line has a range.
Sum = tuple[float, float | None, float | None]


class Priced(Protocol):
    """What can be added up."""

    @property
    def energy_j(self) -> float | None:
        """Joules; None: not known."""

    @property
    def low_j(self) -> float | None:
        """Low end; None: no range."""

    @property
    def high_j(self) -> float | None:
        """High end; None: no range."""


@dataclass(frozen=True)
class Term:
    """One line: count times coefficient, joules.

    Attributes:
        name, key: as the cost set prints it, and the count it multiplies.
        count: how often; None when not known.
        coefficient_j, energy_j: None when not known.
        source, evidence, condition: of the coefficient.
        proxy: the price is one of another chip.
        coefficient_low_j, coefficient_high_j, low_j, high_j: price and energy at the ends of the
            range; None where sources agree, or nothing was counted.
        range_source: who gives the ends.
        overridden, replaces_j: the price was put in place of this one of the base set.
    """

    name: str
    key: str
    count: int | None
    coefficient_j: float | None
    energy_j: float | None
    source: str
    evidence: str
    condition: str
    proxy: bool
    coefficient_low_j: float | None = None
    coefficient_high_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    range_source: str = ""
    overridden: bool = False
    replaces_j: float | None = None


@dataclass(frozen=True)
class UnpricedCount:
    """A count without a price, or outside the scope: its name, how often, and why."""

    name: str
    count: int | None
    reason: str


@dataclass(frozen=True)
class StaticPower:
    """Power of idle chips over the wall time; `power_w` and `energy_j` None when not known.

    `power_low_w` to `replaces_w` are as those of a `Term`.
    """

    power_w: float | None
    energy_j: float | None
    chips: int
    source: str
    evidence: str
    condition: str
    proxy: bool
    power_low_w: float | None = None
    power_high_w: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    range_source: str = ""
    overridden: bool = False
    replaces_w: float | None = None


def price_term(price: Coefficient, count: int | None, proxy: bool) -> Term:
    """`count` events at `price`.

    A count is an integer of any size: it is rounded once, so that a product is exact to
    2.3e-16 of itself.
    """
    ranged = price.low_j is not None and bool(count) and count is not None
    return Term(
        name=price.name,
        key=price.count,
        count=count,
        coefficient_j=price.value_j,
        energy_j=_times(count, price.value_j),
        source=price.source,
        evidence=price.evidence,
        condition=price.condition,
        proxy=proxy,
        coefficient_low_j=price.low_j,
        coefficient_high_j=price.high_j,
        low_j=_times(count, price.low_j) if ranged else None,
        high_j=_times(count, price.high_j) if ranged else None,
        range_source=price.range_source,
        overridden=price.overridden,
        replaces_j=price.replaces_j,
    )


def _times(count: int | None, joules: float | None) -> float | None:
    if count == 0:  # what did not happen costs nothing, whatever its price
        return 0.0
    return None if count is None or joules is None else count * joules


def price_static(
    cost_set: CostSet, wall_time_s: float | None, n_chips: int, proxy: bool
) -> StaticPower:
    """Idle power of `n_chips` chips over the wall time."""
    static = cost_set.static

    def joules(watts: float | None) -> float | None:
        if watts is None or wall_time_s is None:
            return None
        return watts * n_chips * wall_time_s

    ranged = bool(wall_time_s)
    return StaticPower(
        power_w=static.value_w,
        energy_j=joules(static.value_w),
        chips=n_chips,
        source=static.source,
        evidence=static.evidence,
        condition=static.condition,
        proxy=proxy,
        power_low_w=static.low_w,
        power_high_w=static.high_w,
        low_j=joules(static.low_w) if ranged else None,
        high_j=joules(static.high_w) if ranged else None,
        range_source=static.range_source,
        overridden=static.overridden,
        replaces_w=static.replaces_w,
    )


def added(lines: Iterable[Priced]) -> Sum:
    """The sum of the lines that have a figure, rounded once, with its range."""
    priced_lines = [line for line in lines if line.energy_j is not None]
    figure = math.fsum(line.energy_j for line in priced_lines if line.energy_j is not None)
    if all(line.low_j is None for line in priced_lines):
        return figure, None, None
    low = math.fsum(_end(line.low_j, line) for line in priced_lines)
    return figure, low, math.fsum(_end(line.high_j, line) for line in priced_lines)


def _end(end: float | None, line: Priced) -> float:
    return end if end is not None else line.energy_j or 0.0
