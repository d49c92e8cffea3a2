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
