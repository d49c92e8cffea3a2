"""Refinement: vertices move to the core where they cost least; compiled, imported on first use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.core_state import NO_CORE, State, move
from hrsnn_lava.compiler.partitioning.pricing import Scan, kinds_fit, out_overflow_change, scan
from hrsnn_lava.compiler.partitioning.problem import NEURONS, SLOTS, SYNAPSES, WORDS, Caps, Level
from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: What counts as far more, in temperatures, and the share of visits then left out. Our choice.
REMOTE, PASS_OVER = 6.0, 0.7


@kernel()
def uniform(state: NDArray[np.uint64]) -> float:
    """A number in [0, 1) from a generator of one word (xorshift64*, Vigna 2016)."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    mixed = x * np.uint64(2685821657736338717)
    return float(mixed >> np.uint64(11)) / 9007199254740992.0


@kernel()
def _excess(use: int, change: int, limit: int) -> float:
    """What a change adds to (or takes from) the overflow of a resource, as a share, >= 0."""
    more = max(use, use + change) - max(limit, min(use, use + change))
    return more / limit if more > 0 else 0.0


@kernel()
def sweep(
    level: Level,
    caps: Caps,
    state: State,
    work: Scan,
    order: Int,
    hop: float,
    palette: float,
    price: float,
    temperature: float,
    random: NDArray[np.uint64],
    rise: Float,
) -> int:
    """Offer every vertex its best move once; the number of moves made.

    A move changes the cost by ``d = messages + hop * between + palette * spread +
    price * overflow``, all exact. It is made when d < 0, or by chance exp(-d / temperature).
    Vertices whose best move was last seen to cost far more than the temperature, `rise` (V,), are
    mostly passed over, but never at temperature 0.
    """
    n_cores, dims = state.used.shape[0], level.first.shape[1]
    used, core_of = state.used, state.core_of
    near, home, saved_slots, saved_words = work.near, work.home, work.slots, work.words
    here, sizes, totals = work.here, level.size, level.total
    most_neurons, most_slots = caps.most[NEURONS], caps.most[SLOTS]
    most_words, most_synapses = caps.most[WORDS], caps.most[SYNAPSES]
    tight, n_moves = caps.count_lists, 0
    for index in range(order.size):
        v = order[index]
        if rise[v] > REMOTE * temperature and temperature > 0.0 and uniform(random) < PASS_OVER:
            continue
        core = core_of[v]
        scan(level, caps, state, v, hop, work)
        size, total = sizes[v], totals[v]
        slots, words = int(here[5]), int(here[6])
        base = (1.0 + hop) * here[0] + here[1]
        base -= price * (
            _excess(used[core, NEURONS], -size, most_neurons)
            + _excess(used[core, SLOTS], -int(here[2]), most_slots)
            + _excess(used[core, WORDS], -int(here[3]), most_words)
            + _excess(used[core, SYNAPSES], -total, most_synapses)
        )
        if palette > 0.0:
            base -= palette * _left(level, state, v, core, dims)
        best, target = np.inf, NO_CORE
        for c in range(n_cores):
            d = base - (1.0 + hop) * near[c] - home[c]
            if d >= best or c == core:
                continue
            if used[c, NEURONS] + size > most_neurons:
                d += price * _excess(used[c, NEURONS], size, most_neurons)
            if used[c, SYNAPSES] + total > most_synapses:
                d += price * _excess(used[c, SYNAPSES], total, most_synapses)
            if tight and d < best:
                d += price * (
                    _excess(used[c, SLOTS], slots - saved_slots[c], most_slots)
                    + _excess(used[c, WORDS], words - saved_words[c], most_words)
                )
            if palette > 0.0 and d < best:
                d += palette * _joined(level, state, v, c, dims)
            if d < best and (not caps.count_kinds or kinds_fit(level, caps, state, v, c)):
                best, target = d, c
        rise[v] = best
        if target < 0:
            continue
        if best >= 0.0 and (temperature <= 0.0 or best > 30.0 * temperature):
            continue
        if caps.count_out:
            best += price * out_overflow_change(level, caps, state, v, target, work.out)
        if best < -1e-12 or (
            temperature > 0.0 and uniform(random) < np.exp(-max(best, 0.0) / temperature)
        ):
            move(level, caps, state, v, target)
            n_moves += 1
    return n_moves


@kernel()
def _left(level: Level, state: State, v: int, core: int, dims: int) -> float:
    """Fall of the spread of a core when `v` leaves it."""
    n, size = state.used[core, NEURONS], level.size[v]
    rest = n - size
    before, after = state.second[core], state.second[core] - level.second[v]
    for d in range(dims):
        before -= state.first[core, d] ** 2 / n
        if rest > 0:
            after -= (state.first[core, d] - level.first[v, d]) ** 2 / rest
    fall: float = before - (after if rest > 0 else 0.0)
    return fall


@kernel()
def _joined(level: Level, state: State, v: int, core: int, dims: int) -> float:
    """Rise of the spread of a core when `v` joins it."""
    n, size = state.used[core, NEURONS], level.size[v]
    before, after = state.second[core], state.second[core] + level.second[v]
    for d in range(dims):
        if n > 0:
            before -= state.first[core, d] ** 2 / n
        after -= (state.first[core, d] + level.first[v, d]) ** 2 / (n + size)
    rise: float = after - (before if n > 0 else 0.0)
    return rise


@kernel()
def cluster(
    level: Level,
    pin_start: Int,
    pin_vertex: NDArray[np.int32],
    order: Int,
    largest: int,
    sources: int,
    pins: int,
    palette: float,
) -> Int:
    """Cluster of every vertex, (V,): each joins the neighbour with which it shares most.

    The rating of two vertices is the sum over shared sources of ``weight / (targets - 1)``
    (heavy-edge rating of hypergraph partitioners), less where their palettes are far apart. At
    most `sources` sources of a vertex and `pins` targets of each are looked at, evenly spread.

    Args:
        pin_start, pin_vertex: CSR lists of the targets of every source.
        largest: most neurons of a cluster.
    """
    count = level.size.size
    label = np.full(count, -1, dtype=np.int64)
    size = np.zeros(count, dtype=np.int64)
    rating = np.zeros(count)
    seen = np.empty(count, dtype=np.int64)
    for index in range(order.size):
        v = order[index]
        if label[v] >= 0:
            continue
        n_seen = 0
        begin, end = level.pin_start[v], level.pin_start[v + 1]
        step = max(1, (end - begin) // sources)
        for i in range(begin, end, step):
            source = level.source[i]
            first, last = pin_start[source], pin_start[source + 1]
            if last - first < 2:
                continue
            share = level.weight[source] / (last - first - 1)
            stride = max(1, (last - first) // pins)
            for at in range(first + (v + i) % stride, last, stride):
                u = pin_vertex[at]
                if u == v:
                    continue
                if rating[u] == 0.0:
                    seen[n_seen] = u
                    n_seen += 1
                rating[u] += share * level.synapses[i] + 1e-300
        best, mate = 0.0, -1
        for k in range(n_seen):
            u = seen[k]
            group = size[label[u]] if label[u] >= 0 else level.size[u]
            if group + level.size[v] <= largest:
                value = rating[u] / (group * level.size[v])
                if palette > 0.0:
                    far = 0.0
                    for d in range(level.first.shape[1]):
                        gap = level.first[u, d] / level.size[u] - level.first[v, d] / level.size[v]
                        far += gap * gap
                    value /= 1.0 + palette * far
                if value > best:
                    best, mate = value, u
            rating[u] = 0.0
        if mate >= 0 and label[mate] < 0:
            label[mate] = mate
            size[mate] = level.size[mate]
        label[v] = label[mate] if mate >= 0 else v
        size[label[v]] += level.size[v]
    return label
