"""What one core can do at best: scattered additions without a simulator around them.

A synaptic event is one addition to a random place. `scatter_rate` times exactly that, with the
targets and weights of a network's own events written out as one long list and the accumulators in
cache: no columns to find, no neurons, no spikes. Compiled by numba, it runs at the speed of the
same loop in C (gcc -O3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from networks import columns
from scipy import sparse
from timing import cpu_seconds

from hrsnn_lava import QuantizedNetwork, Trace

#: Length of the list; two and one bytes an entry, so it stays in the second-level cache.
_LIST = 400_000
_PASSES = 5


@numba.njit(error_model="numpy", boundscheck=False)
def _scatter(targets: Any, weights: Any, sums: Any) -> None:
    for q in range(targets.shape[0]):
        sums[targets[q]] += weights[q]


@numba.njit(error_model="numpy", boundscheck=False)
def _triad(a: Any, b: Any, c: Any) -> None:
    for i in range(a.shape[0]):
        a[i] = b[i] + 3.0 * c[i]


def scatter_timer(net: QuantizedNetwork, trace: Trace) -> Callable[[], float]:
    """A call that adds the events of a run's first spikes; returns CPU seconds per event."""
    matrix = columns(net)
    spikes = trace.spike_neurons
    fan_out = np.diff(matrix.indptr)
    enough = int(np.searchsorted(np.cumsum(fan_out[spikes]), _LIST)) + 1
    places = [np.arange(matrix.indptr[s], matrix.indptr[s + 1]) for s in spikes[:enough]]
    at = np.concatenate(places)
    kind = np.uint16 if net.n_neurons <= 2**16 else np.uint32
    narrow = np.abs(matrix.data).max() < 128
    targets = matrix.indices[at].astype(kind)
    weights = matrix.data[at].astype(np.int8 if narrow else np.int16)
    sums = np.zeros(net.n_neurons, np.int32)

    def passes() -> None:
        for _ in range(_PASSES):
            _scatter(targets, weights, sums)

    def timed() -> float:
        _scatter(targets, weights, sums)  # brings the list into the cache
        return cpu_seconds(passes) / _PASSES / at.size

    return timed


def triad_bandwidth(megabytes: int = 256, repeats: int = 5) -> float:
    """Bytes per second of a = b + 3 c over arrays far beyond the caches (one core)."""
    n = megabytes * 2**20 // 24
    a, b, c = np.zeros(n), np.ones(n), np.ones(n)
    _triad(a, b, c)
    return 24 * n / min(cpu_seconds(lambda: _triad(a, b, c)) for _ in range(repeats))


@numba.njit(error_model="numpy", boundscheck=False)
def _visit(
    spike_ptr: Any, spikes: Any, n_pre: Any, indptr: Any, targets: Any, weights: Any, row_ptr: Any,
    places: Any, sums: Any, touch: Any,
) -> None:  # fmt: skip
    for t in range(spike_ptr.shape[0] - 1):
        fired = spikes[spike_ptr[t] : spike_ptr[t + 1]]
        for e in range(fired.shape[0]):
            if fired[e] < n_pre:
                lo, hi = np.uint64(indptr[fired[e]]), np.uint64(indptr[fired[e] + 1])
                column, values = targets[lo:hi], weights[lo:hi]
                for q in range(column.shape[0]):
                    sums[column[q]] += values[q]
                if touch:
                    for q in range(values.shape[0]):
                        values[q] ^= np.int16(1)
            if touch:
                lo, hi = np.uint64(row_ptr[fired[e]]), np.uint64(row_ptr[fired[e] + 1])
                row = places[lo:hi]
                for q in range(row.shape[0]):
                    weights[row[q]] ^= np.int16(1)


def visit_timer(net: QuantizedNetwork, trace: Trace) -> Callable[[], tuple[float, float]]:
    """CPU seconds a step of access alone: spikes added to their targets; and weights touched too.

    The spikes of a run over the plastic synapses, as the kernel of pair rules stores them: columns
    of neurons that spiked, and rows through an index. No neuron, trace or change is worked out.
    """
    parts = [p for p in net.projections if p.learning is not None]
    first = net.offset(parts[0].pre)
    n_pre, n = net.population(parts[0].pre).size, net.n_neurons
    rows = np.concatenate([p.weights.tocoo().row + net.offset(p.post) for p in parts])
    cols = np.concatenate([p.weights.tocoo().col + net.offset(p.pre) - first for p in parts])
    data = np.concatenate([p.weights.tocoo().data for p in parts]).astype(np.int16)
    order = np.lexsort((rows, cols))
    by_pre = sparse.csc_matrix((data, (rows, cols)), shape=(n, n_pre))
    back = np.lexsort((cols[order], rows[order])).astype(np.uint32)
    row_ptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    kind = np.uint16 if n <= 2**16 else np.uint32
    arrays = (by_pre.indptr.astype(np.int64), rows[order].astype(kind), data[order].copy())
    spike_ptr = np.searchsorted(trace.spike_steps, np.arange(trace.n_steps + 1))
    sums, spikes = np.zeros(n, np.int32), trace.spike_neurons.copy()

    def seconds(touch: bool) -> float:
        def call() -> None:
            _visit(spike_ptr, spikes, n_pre, *arrays, row_ptr, back, sums, touch)

        call()
        return cpu_seconds(call) / trace.n_steps

    return lambda: (seconds(False), seconds(True))
