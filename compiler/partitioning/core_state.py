"""What every core holds, kept exact while vertices move; compiled, imported on first use.

`start` counts a partition and `move` changes it. The counts are those of `analysis.utilization`,
and a test compares them; what a move would change is found by `pricing`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.problem import (
    NEURONS,
    OUT,
    SLOTS,
    SYNAPSES,
    WORDS,
    Caps,
    Level,
)
from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: Numbers that are handed to kernels have a type: for a plain one, numba compiles the callee again.
NO_CORE: Any = np.int64(-1)
#: Signs of `_place`.
_PUT: Any = np.int64(1)
_TAKE: Any = np.int64(-1)


class State(NamedTuple):
    """A partition of one level onto K cores.

    Attributes:
        core_of: (V,) core of every vertex.
        list_start, list_len: synapse lists of source s are the `list_len[s]` entries from
            ``list_start[s]`` on; entry: core, format, synapses.
        used: (K, 5) columns as in `problem`.
        form_count, class_count: (K, F), (K, C) lists, and vertices, of every kind on a core.
        first, second: palette sums of every core.
        reach: (n_sources,) output axons that a source needs.
    """

    core_of: Int
    list_start: Int
    list_len: NDArray[np.int32]
    list_core: NDArray[np.int32]
    list_form: NDArray[np.int32]
    list_size: NDArray[np.int32]
    used: Int
    form_count: NDArray[np.int32]
    class_count: NDArray[np.int32]
    first: Float
    second: Float
    reach: Int


def new_state(level: Level, caps: Caps, core_of: Int, n_cores: int) -> State:
    """A partition, counted."""
    state = empty_state(level, caps, n_cores)
    state.core_of[:] = core_of
    start(level, caps, state)
    return state


def empty_state(level: Level, caps: Caps, n_cores: int) -> State:
    """No vertex on any core yet."""
    n_sources = level.weight.size
    capacity = np.bincount(level.source, minlength=n_sources)
    list_start = np.concatenate([[0], np.cumsum(capacity)]).astype(np.int64)
    n_lists, forms = int(list_start[-1]), caps.bit.size
    return State(
        core_of=np.full(level.size.size, -1, dtype=np.int64),
        list_start=list_start,
        list_len=np.zeros(n_sources, dtype=np.int32),
        list_core=np.zeros(n_lists, dtype=np.int32),
        list_form=np.zeros(n_lists, dtype=np.int32),
        list_size=np.zeros(n_lists, dtype=np.int32),
        used=np.zeros((n_cores, 5), dtype=np.int64),
        form_count=np.zeros((n_cores, forms), dtype=np.int32),
        class_count=np.zeros((n_cores, caps.n_classes), dtype=np.int32),
        first=np.zeros((n_cores, level.first.shape[1])),
        second=np.zeros(n_cores),
        reach=np.zeros(n_sources, dtype=np.int64),
    )


@kernel()
def slots_of(mask: int) -> int:
    """Input axon slots of a source on a core: 1, or 2 for each setting of learning traces."""
    return 2 * axons_of(mask) if mask >> 1 else mask & 1


@kernel()
def axons_of(mask: int) -> int:
    """Output axons from a source to a core: 1, or 1 for each setting of learning traces."""
    learning = mask >> 1
    if learning == 0:
        return mask & 1
    count = 0
    while learning:
        count += learning & 1
        learning >>= 1
    return count


@kernel()
def _mask(state: State, caps: Caps, source: int, core: int) -> int:
    mask = 0
    first = state.list_start[source]
    for at in range(first, first + state.list_len[source]):
        if state.list_core[at] == core:
            mask |= caps.bit[state.list_form[at]]
    return mask


@kernel()
def _add(state: State, caps: Caps, source: int, form: int, core: int, n: int) -> None:
    """`n` synapses more (or fewer) on a list; empty lists vanish."""
    list_core, list_form, list_size = state.list_core, state.list_form, state.list_size
    first = state.list_start[source]
    last = first + state.list_len[source]
    at = first
    while at < last and not (list_core[at] == core and list_form[at] == form):
        at += 1
    if at == last:
        list_core[at] = core
        list_form[at] = form
        list_size[at] = 0
        state.list_len[source] += 1
        state.form_count[core, form] += 1
        last += 1
    before = list_size[at]
    list_size[at] = before + n
    words = caps.words
    state.used[core, WORDS] += words[form, before + n] - words[form, before]
    if before + n == 0:
        list_core[at] = list_core[last - 1]
        list_form[at] = list_form[last - 1]
        list_size[at] = list_size[last - 1]
        state.list_len[source] -= 1
        state.form_count[core, form] -= 1


@kernel()
def _place(level: Level, caps: Caps, state: State, v: int, core: int, sign: int) -> None:
    """Put a vertex on a core (sign 1) or take it away (-1)."""
    pin_source, pin_form, pin_size = level.source, level.form, level.synapses
    vertex_of, one_form, bit = level.vertex_of, level.one_form, caps.bit
    core_of, used, reach = state.core_of, state.used, state.reach
    list_start, list_len, list_core = state.list_start, state.list_len, state.list_core
    list_form, list_size = state.list_form, state.list_size
    words, form_count, added = caps.words, state.form_count, 0
    if sign < 0:  # before `reach` falls by synapses of the vertex onto itself
        for at in range(level.own_start[v], level.own_start[v + 1]):
            used[core, OUT] -= reach[level.own[at]]
    end = level.pin_start[v + 1]
    i = level.pin_start[v]
    while i < end:
        source = pin_source[i]
        if one_form[source]:
            form, n = pin_form[i], sign * pin_size[i]
            first = list_start[source]
            last = first + list_len[source]
            at = first
            while at < last and list_core[at] != core:
                at += 1
            change, axons = 0, 0
            if at == last:
                list_core[at], list_form[at], list_size[at] = core, form, 0
                list_len[source] += 1
                form_count[core, form] += 1
                change, axons = slots_of(bit[form]), axons_of(bit[form])
            size = list_size[at]
            list_size[at] = size + n
            added += words[form, size + n] - words[form, size]
            if size + n == 0:
                list_core[at], list_form[at] = list_core[last - 1], form
                list_size[at] = list_size[last - 1]
                list_len[source] -= 1
                form_count[core, form] -= 1
                change, axons = -slots_of(bit[form]), -axons_of(bit[form])
            i += 1
        else:
            before = _mask(state, caps, source, core)
            while i < end and pin_source[i] == source:
                _add(state, caps, source, pin_form[i], core, sign * pin_size[i])
                i += 1
            after = _mask(state, caps, source, core)
            change = slots_of(after) - slots_of(before)
            axons = axons_of(after) - axons_of(before)
        used[core, SLOTS] += change
        if axons:
            reach[source] += axons
            home = vertex_of[source]
            if home >= 0 and core_of[home] >= 0:
                used[core_of[home], OUT] += axons
    used[core, WORDS] += added
    if sign > 0:
        for at in range(level.own_start[v], level.own_start[v + 1]):
            used[core, OUT] += reach[level.own[at]]
    used[core, NEURONS] += sign * level.size[v]
    used[core, SYNAPSES] += sign * level.total[v]
    for at in range(level.class_start[v], level.class_start[v + 1]):
        state.class_count[core, level.classes[at]] += sign
    for d in range(level.first.shape[1]):
        state.first[core, d] += sign * level.first[v, d]
    state.second[core] += sign * level.second[v]


@kernel()
def move(level: Level, caps: Caps, state: State, v: int, target: int) -> None:
    """Move a vertex to another core, with every count; a core of -1 is nowhere."""
    here = state.core_of[v]
    if here >= 0:
        state.core_of[v] = -1
        _place(level, caps, state, v, here, _TAKE)
    _place(level, caps, state, v, target, _PUT)
    state.core_of[v] = target


@kernel()
def start(level: Level, caps: Caps, state: State) -> None:
    """Count the partition ``state.core_of`` into empty arrays."""
    cores = state.core_of.copy()
    state.core_of[:] = -1
    for v in range(cores.size):
        _place(level, caps, state, v, cores[v], _PUT)
        state.core_of[v] = cores[v]
