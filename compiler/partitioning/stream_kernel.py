"""The loop of `streaming`; compiled, imported on first use."""

from __future__ import annotations

from hrsnn_lava.compiler.partitioning.core_state import NO_CORE, State, move
from hrsnn_lava.compiler.partitioning.pricing import Scan, kinds_fit, scan
from hrsnn_lava.compiler.partitioning.problem import NEURONS, SLOTS, SYNAPSES, WORDS, Caps, Level
from hrsnn_lava.kernels import kernel


@kernel()
def stream(level: Level, caps: Caps, state: State, work: Scan, hop: float, balance: float) -> None:
    """Put every vertex, in order, where ``near - balance * neurons`` is most among cores that
    hold it; where none does, on the emptiest."""
    n_cores = state.used.shape[0]
    for v in range(level.size.size):
        scan(level, caps, state, v, hop, work)
        best, target, emptiest = 0.0, NO_CORE, 0
        for c in range(n_cores):
            neurons = state.used[c, NEURONS]
            if neurons < state.used[emptiest, NEURONS]:
                emptiest = c
            value = work.near[c] - balance * neurons
            if target >= 0 and value <= best:
                continue
            fits = (
                neurons + level.size[v] <= caps.most[NEURONS]
                and state.used[c, SYNAPSES] + level.total[v] <= caps.most[SYNAPSES]
                and state.used[c, SLOTS] + work.here[5] - work.slots[c] <= caps.most[SLOTS]
                and state.used[c, WORDS] + work.here[6] - work.words[c] <= caps.most[WORDS]
            )
            if fits and kinds_fit(level, caps, state, v, c):
                best, target = value, c
        move(level, caps, state, v, target if target >= 0 else emptiest)
