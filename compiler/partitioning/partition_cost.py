"""What a partition is worth: overflow, cost and spread; compiled, imported on first use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.core_state import State
from hrsnn_lava.compiler.partitioning.problem import NEURONS, Caps, Level
from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]


@kernel()
def overflow(state: State, caps: Caps) -> float:
    """How much all cores hold too much, as shares of the limits, summed over resources."""
    total = 0.0
    for core in range(state.used.shape[0]):
        for r in range(5):
            limit = caps.most[r]
            if state.used[core, r] > limit:
                total += (state.used[core, r] - limit) / limit
    return total


@kernel()
def cost_of(level: Level, state: State, hop: float, mask: Int) -> float:
    """Messages plus `hop` per message between cores; `mask` is working space, -1s of K cores."""
    total = 0.0
    for source in range(level.weight.size):
        first = state.list_start[source]
        vertex = level.vertex_of[source]
        own = state.core_of[vertex] if vertex >= 0 else -1
        reach, home = 0, 0
        for at in range(first, first + state.list_len[source]):
            c = state.list_core[at]
            if mask[c] != source:
                mask[c] = source
                reach += 1
                home += c == own
        total += level.weight[source] * ((1.0 + hop) * reach - hop * home)
        for at in range(first, first + state.list_len[source]):
            mask[state.list_core[at]] = -1
    return total


@kernel()
def palette_of(state: State) -> float:
    """Summed squared distance of the neurons to the mean of their core."""
    total = 0.0
    for core in range(state.second.size):
        n = state.used[core, NEURONS]
        if n:
            square = 0.0
            for d in range(state.first.shape[1]):
                square += state.first[core, d] ** 2
            total += state.second[core] - square / n
    return total
