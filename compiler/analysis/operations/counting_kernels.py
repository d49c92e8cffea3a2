"""Compiled loop of counting; imported on first use, since numba takes a third of a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.kernels import kernel


@kernel(nogil=True)
def tally(
    steps: Any,
    sources: Any,
    group: Any,
    bound: Any,
    slots: Any,
    projection: Any,
    offset: Any,
    fan: Any,
    events: Any,
    per_step: Any,
) -> None:
    """Add events to what is counted.

    The events of one population in one step follow one another: they are summed in a register,
    one projection after the other, which takes half the time of adding up in memory. Indices are
    unsigned, so that no negative one is tested for.

    Args:
        steps, sources: (E,) events, by step and then source; in another order it takes longer.
        group, bound, slots, projection, offset, fan: see `fan_out.Table`.
        events: (n_sources,) int64, gains one for every event.
        per_step: (n_projections, n_steps) int64, gains the synapses of every event.
    """
    e, n = np.uint64(0), np.uint64(sources.shape[0])
    while e < n:
        step, g = np.uint32(steps[e]), np.uint32(group[np.uint32(sources[e])])
        first, end = bound[g], bound[g + np.uint32(1)]
        stop = e
        while stop < n and steps[stop] == step and first <= sources[stop] < end:
            events[np.uint32(sources[stop])] += 1
            stop += np.uint64(1)
        senders = sources[e:stop]
        for k in range(np.uint32(slots[g]), np.uint32(slots[g + np.uint32(1)])):
            synapses = fan[offset[k] :]
            total = np.int64(0)
            for q in range(senders.shape[0]):
                total += synapses[np.uint32(senders[q]) - np.uint32(first)]
            per_step[np.uint32(projection[k]), step] += total
        e = stop


@kernel(nogil=True)
def by_core(
    events: Any, ptr: Any, source: Any, acting: Any, operations: Any, messages: Any
) -> None:
    """What the events of a run cause on every core.

    Args:
        events: (n_sources,) int64.
        ptr, source, acting: see `FanOut.onto`.
        operations, messages: (n_cores,) int64, set to the synapses and the events that arrive.
    """
    for core in range(operations.shape[0]):
        first, end = np.uint32(ptr[core]), np.uint32(ptr[core + 1])
        sources, synapses = source[first:end], acting[first:end]
        arrived, worked = np.int64(0), np.int64(0)
        for q in range(sources.shape[0]):
            sent = events[np.uint32(sources[q])]
            arrived += sent
            worked += sent * synapses[q]
        operations[core], messages[core] = worked, arrived
