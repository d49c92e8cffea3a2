"""How long a run takes on the chip: a latency per step, from published times per event.

A step ends when the slowest core has done its work, the last message has arrived, and all tiles
have agreed on the end (our choice of a bound that needs published figures alone)::

    T(t)       = compute(t) + network(t) + barrier
    compute(t) = max over cores c of  sum over events e of  count_e(c, t) * time_e
    network(t) = max over messages m sent in t of
                 hops_x(m) * time_x + hops_y(m) * time_y + crossings(m) * time_crossing
    barrier    = the entry of the cost set's table for as many tiles as are in use

The events of a core are neuron updates, spikes, synaptic operations, graded operations, updates
of learning synapses, messages out and messages in. What a spike of step t causes elsewhere counts
in step t. Between two entries of the barrier table the next larger one holds, and beyond the last
one nothing is known: our choice, so that a barrier is never too short.

Left out, since no figure is published: messages that wait for one another (SANA-FE models that),
the overlap of computing with sending, the embedded processors, the host, and its input and output.
Nor is the time of a passage between chips, so a run with such messages has no network time.

A time that is missing where its event happens makes the sum null, and `unknown` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.fan_out import FanOut
from hrsnn_lava.compiler.analysis.occupancy.traffic import chips_apart
from hrsnn_lava.compiler.analysis.operations.counting import CoreLoads, loads
from hrsnn_lava.compiler.analysis.operations.windows import Windows
from hrsnn_lava.compiler.analysis.pricing.event_times import HOPS, EventTimes
from hrsnn_lava.compiler.mapped import PlacedProgram
from hrsnn_lava.csr import rows_of
from hrsnn_lava.hardware_profiles import CostSet, CountKey
from hrsnn_lava.trace import Trace

Int: TypeAlias = NDArray[np.int64]
Float: TypeAlias = NDArray[np.float64]
#: Fields of `CoreLoads` and the counts whose times they are multiplied with.
_LOADS: tuple[tuple[str, CountKey], ...] = (
    ("sops", "synaptic_operations"),
    ("macs", "macs"),
    ("spikes", "spikes"),
    ("messages_out", "messages"),
    ("active", "neuron_updates_active"),
)
_WAYS: tuple[CountKey, ...] = ("hops_x", "hops_y", "chip_crossings")
NO_SET = "no cost set for this chip"
EXCLUDED = (
    "messages that wait for one another, the embedded processors, the host, its input and output"
)


@dataclass(frozen=True, eq=False)
class Latency:
    """Estimated time of a run that goes as fast as the chip can.

    Attributes:
        steps: of the run.
        compute_s, network_s, barrier_s: seconds summed over the steps; None when not known.
        slowest_s: of the slowest step; None when not known.
        at_least_s: the sum of what is known.
        tiles: tiles in use; None without a mesh.
        unknown: times that are missing where their event happens.
        evidence, sources: of the times that were used.
        proxy: the times are those of another chip.
        updates_exact: False when every neuron update was taken for an active one, an upper bound.
        windows_s: (n_windows + 1,) seconds of each window and of the steps outside of all; None
            when not known, or not asked for.
    """

    steps: int
    compute_s: float | None
    network_s: float | None
    barrier_s: float | None
    slowest_s: float | None
    at_least_s: float
    tiles: int | None
    unknown: tuple[str, ...]
    evidence: tuple[str, ...]
    sources: tuple[str, ...]
    proxy: bool
    updates_exact: bool
    windows_s: Float | None = None

    @property
    def total_s(self) -> float | None:
        """All steps together; None when a part is not known."""
        parts = (self.compute_s, self.network_s, self.barrier_s)
        seconds = [part for part in parts if part is not None]
        return sum(seconds) if len(seconds) == len(parts) else None


def latency(
    compiled: PlacedProgram,
    trace: Trace,
    cost_set: CostSet | None,
    *,
    windows: Windows | None = None,
) -> Latency:
    """Estimate the time of a run from its trace, block by block.

    Args:
        compiled: the program that was run.
        trace: its spikes and inputs.
        cost_set: times per event; None leaves everything unknown.
        windows: samples of the run, whose times are wanted too.
    """
    if cost_set is None:
        tiles = tiles_in_use(compiled)
        nothing = (None, None, None, None, 0.0, tiles, (NO_SET,), (), (), False, False)
        return Latency(trace.n_steps, *nothing)
    fan = FanOut.of(compiled.network, compiled.core_of)
    meter = LatencyMeter(compiled, cost_set, windows, fan)
    for load in loads(compiled, trace, fan=fan):
        meter.add(load, trace)
    return meter.result(trace.n_steps)


class LatencyMeter:
    """Adds up step latencies while a run goes on; its memory does not grow with the run."""

    def __init__(
        self,
        compiled: PlacedProgram,
        cost_set: CostSet,
        windows: Windows | None = None,
        fan: FanOut | None = None,
    ) -> None:
        placement = compiled.placement
        self.compiled, self.times = compiled, EventTimes(cost_set)
        self.neurons = np.bincount(placement.core_of, minlength=placement.n_cores).astype(np.int64)
        self.compute = self.network = self.slowest = 0.0
        self.exact = True
        self.windows = windows
        self.windows_s = np.zeros(0 if windows is None else windows.count + 1)
        self.tiles = tiles_in_use(compiled)
        self.barrier = self.times.barrier(self.tiles)
        self.learning = _learning(compiled)
        self.way_s, self.turns = _ways(compiled, self.times, fan)

    def add(self, load: CoreLoads, trace: Trace) -> None:
        """Take in a block of steps; `trace` holds the spikes of these steps."""
        self.exact &= load.active_exact
        busy = self._compute(load)
        steps = load.first_step + np.arange(busy.size)
        first, last = np.searchsorted(trace.spike_steps, (steps[0], steps[-1] + 1))
        at = trace.spike_steps[first:last].astype(np.int64) - load.first_step
        way = self._network(at, trace.spike_neurons[first:last], busy.size)
        self.compute += float(busy.sum())
        self.network += float(way.sum())
        step_s = busy + way + (self.barrier or 0.0)
        self.slowest = max(self.slowest, float(step_s.max()))
        if self.windows is not None:
            np.add.at(self.windows_s, self.windows.of(steps), step_s)

    def result(self, steps: int) -> Latency:
        """What was added, over a run of `steps` steps."""
        times, complete = self.times, not self.times.unknown
        barrier = None if self.barrier is None else steps * self.barrier
        return Latency(
            steps,
            self.compute if times.compute_known else None,
            self.network if times.network_known else None,
            barrier,
            self.slowest if complete else None,
            self.compute + self.network + (barrier or 0.0),
            self.tiles,
            tuple(sorted(times.unknown)),
            tuple(sorted(times.evidence)),
            tuple(sorted(times.sources)),
            times.cost_set.is_proxy_for(self.compiled.profile),
            self.exact,
            self.windows_s if self.windows is not None and complete else None,
        )

    def _compute(self, load: CoreLoads) -> Float:
        """Seconds of the slowest core in every step of a block, (steps_in_block,)."""
        times = self.times
        total = np.zeros(load.sops.shape)
        for name, key in _LOADS:
            count = getattr(load, name)
            total += count * times.of(key, bool(count.any()))
        idle = self.neurons - load.active
        total += self.neurons * times.of("neuron_updates", bool(self.neurons.any()))
        total += idle * times.of("neuron_updates_inactive", bool(idle.any()))
        total += load.messages_in * times.message_in(bool(load.messages_in.any()))
        steps = load.first_step + np.arange(total.shape[0])
        for epoch, synapses in self.learning:
            ends = (steps + 1) % epoch == 0
            total[ends] += synapses * times.of("learning_updates", bool(ends.any()))
        slowest: Float = total.max(axis=1, initial=0.0)
        return slowest

    def _network(self, at: Int, senders: NDArray[np.int32], n_steps: int) -> Float:
        """Seconds of the longest way in every step of a block, (n_steps,)."""
        longest = np.zeros(n_steps)
        if self.tiles is None:
            if senders.size:
                self.times.unknown.add(HOPS)
            return longest
        for way, key in enumerate(_WAYS):
            self.times.of(key, bool(self.turns[way][senders].any()))
        np.maximum.at(longest, at, self.way_s[senders])
        return longest


def tiles_in_use(compiled: PlacedProgram) -> int | None:
    """Tiles that hold a core; one core is on one tile, mesh or not; None: not known."""
    places = compiled.placement.coordinates
    if places is None:
        return 1 if compiled.placement.n_cores == 1 else None
    return int(np.unique(places, axis=0).shape[0])


def _ways(
    compiled: PlacedProgram, times: EventTimes, fan: FanOut | None
) -> tuple[Float, NDArray[np.bool_]]:
    """Seconds of every neuron's longest way, (n,), and whether it goes along x, y and to another
    chip, (3, n)."""
    n, places = compiled.network.n_neurons, compiled.placement.coordinates
    way_s, turns = np.zeros(n), np.zeros((len(_WAYS), n), dtype=np.bool_)
    if places is not None:
        fan = FanOut.of(compiled.network, compiled.core_of) if fan is None else fan
        source, target = fan.destinations[:n].nonzero()
        here = places[compiled.core_of[source]].astype(np.int64)
        there = places[target].astype(np.int64)
        crossings = chips_apart(here, there, compiled.profile.chip.mesh_width.value)
        hops = np.column_stack([np.abs(there - here), crossings])
        hops[:, 0] -= crossings
        np.maximum.at(way_s, source, hops @ np.array([times.hop(key) for key in _WAYS]))
        for way in range(len(_WAYS)):
            turns[way][source[hops[:, way] > 0]] = True
    return way_s, turns


def _learning(compiled: PlacedProgram) -> list[tuple[int, Int]]:
    """Per learning projection its epoch, and the synapses that learn on every core, (n_cores,)."""
    network, per_projection = compiled.network, []
    for projection in network.projections:
        if projection.learning is not None:
            first, weights = network.offset(projection.post), projection.weights
            rows = first + rows_of(weights)
            cores = compiled.core_of[rows[projection.plastic_synapses()]]
            synapses = np.bincount(cores, minlength=compiled.placement.n_cores)
            per_projection.append((int(projection.learning.t_epoch), synapses.astype(np.int64)))
    return per_projection
