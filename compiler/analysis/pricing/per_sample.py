"""What a sample costs: counts and energy of every window of a run, and their spread.

The energy of a sample is the same price function on the sample's own counts, so the samples and
the steps outside them add up to the run. Where a window's wall time is the chip's own speed, it is
the sum of the step latencies of that window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.fan_out import FanOut
from hrsnn_lava.compiler.analysis.occupancy.traffic import routes
from hrsnn_lava.compiler.analysis.operations.activity import updates_of
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations, check_trace
from hrsnn_lava.compiler.analysis.operations.windows import Windows
from hrsnn_lava.compiler.analysis.pricing.energy_terms import added, price_static, price_term
from hrsnn_lava.compiler.mapped import Chips, PlacedProgram
from hrsnn_lava.hardware_profiles import CostSet, CountKey
from hrsnn_lava.trace import Trace

Int: TypeAlias = NDArray[np.int64]
Float: TypeAlias = NDArray[np.float64]
WindowCounts: TypeAlias = Mapping[CountKey, "Int | None"]


@dataclass(frozen=True, eq=False)
class PerSample:
    """Figures of every window; the last entry of each array is what is outside of all of them.

    Attributes:
        windows: the cut.
        counts: (n + 1,) by name, None when not known.
        wall_time_s: (n + 1,) seconds; None when not known.
        dynamic_j: (n + 1,) joules of the terms that have a price; None without prices.
        total_j: (n + 1,) with static power; None when the run's total is not known.
    """

    windows: Windows
    counts: WindowCounts
    wall_time_s: Float | None
    dynamic_j: Float | None
    total_j: Float | None

    def to_dict(self) -> dict[str, Any]:
        """Mean, standard deviation (n - 1), minimum and maximum over the samples."""
        windows, counts = self.windows, self.counts
        return {
            "samples": windows.count,
            "what": windows.what,
            "steps_outside": windows.outside,
            "steps_per_sample": spread(windows.lengths),
            "sops": _spread(counts["synaptic_operations"]),
            "spikes": _spread(counts["spikes"]),
            "messages": _spread(counts["messages"]),
            "wall_time_s": _spread(self.wall_time_s),
            "dynamic_j": _spread(self.dynamic_j),
            "total_j": _spread(self.total_j),
        }


def spread(values: Any) -> dict[str, float | None]:
    """Mean, standard deviation with n - 1 (None for a single value), minimum, maximum."""
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return dict.fromkeys(("mean", "sd", "min", "max"))
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:  # the mean of equal values may be off by a rounding, and so have a spread
        return {"mean": low, "sd": 0.0 if numbers.size > 1 else None, "min": low, "max": high}
    return {
        "mean": float(numbers.mean()),
        "sd": float(numbers.std(ddof=1)),
        "min": low,
        "max": high,
    }


def _spread(values: Any) -> dict[str, float | None]:
    return spread(() if values is None else values[:-1])


def window_counts(
    compiled: PlacedProgram,
    trace: Trace,
    windows: Windows,
    ops: SynapticOperations,
) -> WindowCounts:
    """The counts that cost sets price, of every window and of what is outside, (n + 1,) each.

    Raises:
        SpecError: the trace is one of another network.
    """
    network, places = compiled.network, compiled.placement.coordinates
    check_trace(network, trace)
    links = FanOut.of(network, compiled.core_of).destinations
    chips = Chips.of(compiled.profile, compiled.placement.n_cores)
    way = routes(sparse.csr_matrix(links).T.tocsr(), compiled.core_of, places, chips.width)
    on_chips_known = places is not None or chips.number == 1
    steps, senders = trace.spike_steps, trace.spike_neurons
    every = np.arange(trace.n_steps)
    lengths = np.append(windows.lengths, windows.outside).astype(np.int64)
    updates = network.n_neurons * lengths
    update_counts = updates_of(network, trace)
    active = updates if update_counts is None else windows.sums(every, update_counts[0])
    counts: dict[CountKey, Int | None] = {
        "synaptic_operations": windows.sums(every, ops.per_step) if ops.inputs_known else None,
        "macs": _macs(windows, every, ops),
        "neuron_updates": updates,
        "neuron_updates_active": active,
        "neuron_updates_inactive": updates - active,
        "spikes": windows.sums(steps, np.ones_like(steps)),
        "messages": windows.sums(steps, way.messages[senders]),
        "hops_x": None if places is None else windows.sums(steps, way.hops_x[senders]),
        "hops_y": None if places is None else windows.sums(steps, way.hops_y[senders]),
        "chip_crossings": windows.sums(steps, way.crossings[senders]) if on_chips_known else None,
        "learning_updates": _learning(compiled, windows),
    }
    return counts


def _macs(windows: Windows, every: Any, ops: SynapticOperations) -> Int | None:
    total = np.zeros(windows.count + 1, dtype=np.int64)
    for projection in ops.projections:
        if projection.kind == "mac":
            total += windows.sums(every, projection.per_step)
    return total if ops.inputs_known else None


def _learning(compiled: PlacedProgram, windows: Windows) -> Int:
    """Every synapse that learns, in every step that ends an epoch of its rule."""
    total = np.zeros(windows.count + 1, dtype=np.int64)
    for projection in compiled.network.projections:
        if projection.learning is not None:
            epoch, synapses = projection.learning.t_epoch, int(projection.plastic_synapses().sum())
            updates = synapses * np.diff(windows.bounds // epoch)
            total += np.append(updates, synapses * (windows.n_steps // epoch) - updates.sum())
    return total


def per_sample(
    compiled: PlacedProgram,
    windows: Windows,
    counts: WindowCounts,
    cost_set: CostSet | None,
    *,
    step_time_s: float | None = 1e-3,
    wall_time_s: Float | None = None,
    n_chips: int = 1,
) -> PerSample:
    """Price every window of a run.

    Args:
        compiled: the program.
        windows, counts: the cut, and `window_counts` of it.
        cost_set: prices; None leaves the energy unknown.
        step_time_s: real time of a step; None: not known, unless `wall_time_s` is given.
        wall_time_s: (n + 1,) seconds of every window and of what is outside, instead.
        n_chips: chips that are powered.
    """
    lengths = np.append(windows.lengths, windows.outside).astype(np.int64)
    if wall_time_s is None and step_time_s is not None:
        wall_time_s = lengths * step_time_s
    if cost_set is None:
        return PerSample(windows, counts, wall_time_s, None, None)
    dynamic, total = np.zeros(lengths.size), np.zeros(lengths.size)
    proxy, all_in = cost_set.is_proxy_for(compiled.profile), cost_set.scope == "all_in"
    total_known = True
    for k in range(lengths.size):
        wall = None if wall_time_s is None else float(wall_time_s[k])
        here = {key: None if c is None else int(c[k]) for key, c in counts.items()}
        terms = [price_term(c, here.get(c.count), proxy) for c in cost_set.terms]
        static = price_static(cost_set, wall, n_chips, proxy)
        dynamic[k], total[k] = added(terms)[0], added((*terms, static))[0]
        lacks_price = any(t.energy_j is None for t in terms)
        total_known = total_known and not lacks_price and (all_in or static.energy_j is not None)
    return PerSample(windows, counts, wall_time_s, dynamic, total if total_known else None)
