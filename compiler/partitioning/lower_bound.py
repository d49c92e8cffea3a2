"""Fewest cores that any placement of a network needs, found without placing it.

A network that needs more than a chip has is refused at once, before minutes of search. The bounds
are sound: none is ever above what some legal placement uses. That of the synapse memory rests on
this: a core with m neurons holds at most A synapse lists (one for each source and format), and a
list of x synapses takes at least h(x) words, h being the lower convex hull of the words of lists at
the index width of m neurons; lists without indices are not used, see `docs/decisions.md`. By
Jensen's inequality D synapses then take at least ``A h(D / A)`` words, so that

    D <= C(m) = the largest D with A h(D / A) <= words of the core.

With the m smallest fan-ins summing to ``lo(m)`` and the m largest to ``hi(m)``, a core is a point
(m, D) with ``lo(m) <= C(m)`` and ``D <= min(C(m), hi(m))``, or an empty one (0, 0). K cores hold n
neurons and D synapses only if (n / K, D / K) is in the convex hull of these points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import index_bits, list_words, stored_bits
from hrsnn_lava.compiler.palettes.clustering import compartment_classes
from hrsnn_lava.hardware_profiles import HardwareProfile

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: Floats err by less; the bounds give way by as much, so that rounding refuses nothing.
ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True)
class Bound:
    """What one resource asks for.

    Attributes:
        resource: its name, as in `Utilization`.
        cores: no placement has fewer.
        why: the numbers that it follows from.
    """

    resource: str
    cores: int
    why: str


@dataclass(frozen=True, eq=False)
class Demand:
    """What the bounds look at.

    Attributes:
        fan_in: (n_neurons,) synapses onto every neuron, rising.
        fan_out: (n_sources,) neurons that each source reaches, or fewer.
        lists: pairs of a source and a format that have synapses.
        longest: most synapses of one list, were all neurons on one core.
        parallel: most synapses of one format from one source onto one neuron.
        classes: compartment classes, no two of which share a profile.
    """

    fan_in: Int
    fan_out: Int
    lists: int
    longest: int
    parallel: int
    classes: int
    links: Connectivity
    profile: HardwareProfile
    neurons_per_core: int

    @cached_property
    def capacity(self) -> tuple[Float, str]:
        """Most synapses of a core of 0..M neurons, (M + 1,), and the resource that bounds them."""
        return _capacity_of(self)

    @staticmethod
    def of(
        links: Connectivity, profile: HardwareProfile, neurons_per_core: int | None = None
    ) -> Demand:
        """Count the synapses of a network once."""
        n = links.n_neurons
        fan_out = np.zeros(links.n_sources, dtype=np.int64)
        lists, longest, parallel = 0, 0, 1
        for pattern in links.inbound:
            reached = np.bincount(pattern.indices, minlength=links.n_sources)
            fan_out = np.maximum(fan_out, reached)
            lists += int(np.count_nonzero(reached))
            parallel = max(parallel, int(pattern.data.max(initial=1)))
            longest = max(longest, int(reached.max(initial=0)) * int(pattern.data.max(initial=1)))
        du, dv, refractory, _ = links.parameters.T
        classes = int(compartment_classes(du, dv, refractory).max(initial=-1)) + 1 if n else 0
        sizes = (neurons_per_core, profile.core.neurons.value, n)
        most = min(s for s in sizes if s is not None)
        return Demand(
            np.sort(links.fan_in),
            fan_out.astype(np.int64),
            lists,
            longest,
            parallel,
            classes,
            links,
            profile,
            most,
        )


def cores_needed(demand: Demand, share: float = 1.0) -> list[Bound]:
    """Every bound, the highest first; of a neuron that is too much for a core, what fits counts.

    Args:
        share: of the synapses of every neuron that is left, for how much pruning would help.
    """
    region = CoreRegion.of(demand, share)
    bounds = [*_by_neurons(demand, region), *_by_axons(demand, region, share), *_by_kinds(demand)]
    return sorted(bounds, key=lambda bound: -bound.cores)


def pruning_needed(demand: Demand, cores: int) -> float | None:
    """Share of the synapses of every neuron that has to go before `cores` might do; None: pruning
    cannot help."""

    def fits(share: float) -> bool:
        return cores_needed(demand, share)[0].cores <= cores

    if not fits(0.0):
        return None
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return 1.0 - low


@dataclass(frozen=True, eq=False)
class CoreRegion:
    """Points (neurons, synapses) that a core can be.

    Attributes:
        most: (M + 1,) most synapses of a core of m neurons; below 0 where there is none.
        synapses: onto all neurons; of one that is too much for a core, what fits.
        x, y: corners of the upper hull of the points, and of (0, 0).
        binding: the resource that bounds `capacity`.
    """

    most: Float
    synapses: float
    x: Float
    y: Float
    binding: str

    @staticmethod
    def of(demand: Demand, share: float) -> CoreRegion:
        """Of a network with that share of its synapses."""
        sizes = np.arange(demand.neurons_per_core + 1)
        capacity, binding = demand.capacity
        fan_in = np.minimum(demand.fan_in * share, capacity[1])
        sums = np.append(0.0, np.cumsum(fan_in))
        low, high = sums[sizes], sums[-1] - sums[::-1][sizes]
        most = np.where(low <= capacity, np.minimum(capacity, high), -1.0)
        real = np.flatnonzero(most >= 0)
        corners = _upper_hull(real.astype(np.float64), most[real])
        return CoreRegion(most, float(sums[-1]), *corners, binding)

    @property
    def largest(self) -> int:
        """Most neurons of a core."""
        return int(self.x[-1])

    def cores(self, neurons: int) -> int:
        """Fewest cores that hold so many neurons and all synapses."""

        def enough(count: int) -> bool:
            at = neurons / count
            allowed = float(np.interp(at, self.x, self.y)) * ROUNDING + 1e-6
            return bool(at <= self.x[-1]) and self.synapses / count <= allowed

        low, high = 1, max(neurons, 1)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle + 1, high)
        return low


def relaxed_fill(demand: Demand, fan_in: Int, cores: int) -> Int:
    """Core of every neuron in their order: as many on each as the bound lets it have, (n,).

    Never on fewer cores than the bound says; `cores` at least. What a user sees of a network that
    was refused at once: it keeps no limit that the bound does not know.
    """
    region = CoreRegion.of(demand, 1.0)
    sums = np.append(0, np.cumsum(fan_in))
    n = fan_in.size
    core_of, start, core = np.empty(n, dtype=np.int64), 0, 0
    while start < n:
        stop = min(start + demand.neurons_per_core, n)
        held = sums[start + 1 : stop + 1] - sums[start]
        fits = np.flatnonzero(held <= region.most[1 : stop - start + 1])
        size = int(fits[-1]) + 1 if fits.size else 1
        core_of[start : start + size] = core
        start, core = start + size, core + 1
    if core < cores:
        core_of = np.arange(n, dtype=np.int64) * min(cores, n) // max(n, 1)
    return core_of


def _capacity_of(demand: Demand) -> tuple[Float, str]:
    """Most synapses of a core of 0..M neurons, (M + 1,), and what bounds them."""
    profile, size = demand.profile, demand.neurons_per_core
    limit = profile.core.synapses.value
    by_synapses = np.full(size + 1, np.inf if limit is None else float(limit))
    if profile.synapse_memory is None or not demand.links.formats:
        return by_synapses, "synapses"
    by_memory = _memory_capacity(demand)
    binding = "synapse_memory" if by_memory.min() < by_synapses.min() else "synapses"
    return np.floor(np.minimum(by_memory, by_synapses) * ROUNDING + 1e-6), binding


def _memory_capacity(demand: Demand) -> Float:
    """C(m) for m = 0..M, see the module, (M + 1,)."""
    memory, links, size = demand.profile.synapse_memory, demand.links, demand.neurons_per_core
    if memory is None:
        raise ValueError("a synapse memory that is published")
    words = float(memory.words.value or 0)
    axons = demand.profile.core.in_axons.value
    lists = demand.lists if axons is None else min(demand.lists, axons * len(links.formats))
    widths = np.asarray(index_bits(np.arange(size + 1), memory))
    capacity = np.zeros(size + 1)
    for width in np.unique(widths[1:]):
        members = 1 + np.flatnonzero(widths[1:] == width)
        longest = min(int(members[-1]) * demand.parallel, demand.longest)
        lengths = np.arange(longest + 1, dtype=np.int64)
        least = np.min(
            [
                list_words(
                    lengths,
                    memory,
                    weight_bits=int(stored_bits(form.weight_bits, memory.weight_bits.values)),
                    index_bits=int(width),
                    delay_bits=form.delay_bits,
                )
                for form in links.formats
            ],
            axis=0,
        )
        ends = np.minimum(members * demand.parallel, longest)
        capacity[members] = lists * _longest_affordable(least, ends, words / max(lists, 1))
    return capacity


def _longest_affordable(words: Int, ends: Int, budget: float) -> Float:
    """Mean length whose words on the lower hull of ``words[: end + 1]`` are the budget, or `end`
    where all are within it; for every rising `end`."""
    hull: list[tuple[int, int]] = [(0, 0)]
    found = np.zeros(ends.size)
    length = 0
    for k, end in enumerate(ends.tolist()):
        while length < end:
            length += 1
            point = (length, int(words[length]))
            while len(hull) > 1 and _turns_right(hull[-2], hull[-1], point):
                hull.pop()
            hull.append(point)
        if hull[-1][1] <= budget:
            found[k] = end
            continue
        low, high = 0, len(hull) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if hull[middle][1] <= budget else (low, middle)
        (x0, y0), (x1, y1) = hull[low], hull[high]
        found[k] = x0 + (budget - y0) * (x1 - x0) / (y1 - y0)
    return found


def _turns_right(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether b is on or above the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


def _upper_hull(x: Float, y: Float) -> tuple[Float, Float]:
    """Corners of the upper hull of points with rising x."""
    hull: list[tuple[float, float]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (point[0] - hull[-2][0]) <= (
            point[1] - hull[-2][1]
        ) * (hull[-1][0] - hull[-2][0]):
            hull.pop()
        hull.append(point)
    corners: Any = np.asarray(hull, dtype=np.float64).T
    return corners[0], corners[1]


def _by_neurons(demand: Demand, region: CoreRegion) -> Iterator[Bound]:
    n, limit = demand.fan_in.size, demand.neurons_per_core
    yield Bound("neurons", -(-n // limit), f"{n:,} neurons, at most {limit:,} on a core")
    if np.isfinite(demand.capacity[0]).any():
        what = "synapse memory" if region.binding == "synapse_memory" else "synapses"
        room = f"{region.largest:,} neuron{'s' * (region.largest != 1)}"
        lists = ", in lists with indices" if region.binding == "synapse_memory" else ""
        why = f"{region.synapses:,.0f} synapses, and {what} for at most {room} on a core{lists}"
        yield Bound(region.binding, region.cores(n), why)


def _by_axons(demand: Demand, region: CoreRegion, share: float) -> Iterator[Bound]:
    """A source that reaches f neurons has an axon into at least f / (most neurons) cores."""
    reach = np.ceil(demand.fan_out * share / max(region.largest, 1)).astype(np.int64)
    core, n = demand.profile.core, demand.links.n_neurons
    for name, total, limit in (
        ("in_axons", int(reach.sum()), core.in_axons.value),
        ("out_axons", int(reach[:n].sum()), core.out_axons.value),
    ):
        if limit is not None:
            label = name.replace("_", " ").replace("in ", "input ").replace("out ", "output ")
            yield Bound(name, -(-total // limit), f"{total:,} {label}, {limit:,} on a core")


def _by_kinds(demand: Demand) -> Iterator[Bound]:
    core = demand.profile.core
    for name, count, limit, label in (
        ("compartment_profiles", demand.classes, core.compartment_profiles.value, "classes"),
        (
            "synapse_formats",
            len(demand.links.formats),
            core.synapse_formats.value,
            "synapse formats",
        ),
    ):
        if limit is not None:
            yield Bound(name, -(-count // limit), f"{count:,} {label}, {limit:,} on a core")
