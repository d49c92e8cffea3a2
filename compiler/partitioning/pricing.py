"""What moves of a vertex would cost, exactly; compiled, imported on first use.

`scan` prices the moves of one vertex to every core in one visit of the lists of its sources.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.core_state import State, axons_of, slots_of
from hrsnn_lava.compiler.partitioning.problem import OUT, Caps, Level
from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]
Float = NDArray[np.float64]


class Scan(NamedTuple):
    """Working space of `scan`, of K cores each.

    Attributes:
        near: weight of the sources of the vertex that already reach a core.
        home: gain in the home term of the cost on a core.
        slots, words: savings against lists of their own.
        mask, stamp, listed: per source; out: change of used output axons.
        here: what the vertex has or frees on its own core: kept weight, lost home weight,
            freed slots, freed words; then its whole weight, slots and words.
    """

    near: Float
    home: Float
    slots: Int
    words: Int
    mask: Int
    stamp: Int
    listed: Int
    out: Int
    here: Float


def new_scan(n_cores: int) -> Scan:
    """Working space."""
    ints: list[Any] = [np.zeros(n_cores, dtype=np.int64) for _ in range(6)]
    ints[3][:] = -1
    return Scan(
        np.zeros(n_cores),
        np.zeros(n_cores),
        ints[0],
        ints[1],
        ints[2],
        ints[3],
        ints[4],
        ints[5],
        np.zeros(7),
    )


@kernel()
def scan(level: Level, caps: Caps, state: State, v: int, hop: float, work: Scan) -> None:
    """Price all moves of vertex `v`; see `Scan`. One visit of the lists of its sources."""
    near, home, saved_slots, saved_words = work.near, work.home, work.slots, work.words
    here = work.here
    near[:] = 0.0
    home[:] = 0.0
    saved_slots[:] = 0
    saved_words[:] = 0
    # Arrays are taken out of their tuples once: each access would count references.
    pin_source, pin_form, pin_size = level.source, level.form, level.synapses
    weight, vertex_of, one_form = level.weight, level.vertex_of, level.one_form
    core_of, list_start, list_len = state.core_of, state.list_start, state.list_len
    list_core, list_size = state.list_core, state.list_size
    words, bit, tight = caps.words, caps.bit, caps.count_lists
    core = core_of[v]
    kept_weight, lost, freed_slots, freed_words = 0.0, 0.0, 0, 0
    whole, all_slots, all_words = 0.0, 0, 0
    i, end = level.pin_start[v], level.pin_start[v + 1]
    while i < end:
        source = pin_source[i]
        w = weight[source]
        vertex = vertex_of[source]
        at_home = core_of[vertex] if vertex >= 0 and vertex != v else -1
        away = at_home >= 0 and at_home != core
        whole += w
        if one_form[source]:
            form, n = pin_form[i], pin_size[i]
            my_slots, my_words = slots_of(bit[form]), words[form, n]
            all_slots += my_slots
            all_words += my_words
            first = list_start[source]
            last = first + list_len[source]
            mine_at, at_home_too = first, False
            for at in range(first, last):  # without branches, which cost more than the sums
                c = list_core[at]
                near[c] += w
                mine_at = at if c == core else mine_at
                at_home_too |= c == at_home
            if tight:
                for at in range(first, last):
                    c, size = list_core[at], list_size[at]
                    if c != core:
                        saved_slots[c] += my_slots
                        saved_words[c] += words[form, size] + my_words - words[form, size + n]
            if core >= 0:
                size = list_size[mine_at]
                freed_words += words[form, size] - words[form, size - n]
                if size > n:
                    kept_weight += w
                else:
                    freed_slots += my_slots
                    if at_home == core:
                        lost += hop * w
            away &= not at_home_too
            i += 1
        else:
            stop = i
            while stop < end and pin_source[stop] == source:
                stop += 1
            away = _scan_forms(level, caps, state, source, i, stop, core, at_home, hop, work)
            kept_weight += here[0]
            lost += here[1]
            freed_slots += int(here[2])
            freed_words += int(here[3])
            all_slots += int(here[5])
            all_words += int(here[6])
            i = stop
        if away:
            home[at_home] += hop * w
    here[0], here[1], here[2], here[3] = kept_weight, lost, freed_slots, freed_words
    here[4], here[5], here[6] = whole, all_slots, all_words
    if hop > 0.0:
        _scan_own(level, state, v, core, hop, work)


@kernel()
def _scan_forms(
    level: Level,
    caps: Caps,
    state: State,
    source: int,
    i: int,
    stop: int,
    core: int,
    at_home: int,
    hop: float,
    work: Scan,
) -> bool:
    """The part of `scan` for a source with lists of several formats, pins ``i:stop``.

    Fills `work.here` for this source; True when its own core would become a target.
    """
    near, saved_slots, saved_words = work.near, work.slots, work.words
    mask, stamp, listed, here = work.mask, work.stamp, work.listed, work.here
    list_core, list_form, list_size = state.list_core, state.list_form, state.list_size
    pin_form, pin_size, bit, words = level.form, level.synapses, caps.bit, caps.words
    w, own_mask, count, full_here = level.weight[source], 0, 0, 0
    here[:] = 0.0
    for pin in range(i, stop):
        own_mask |= bit[pin_form[pin]]
        here[6] += words[pin_form[pin], pin_size[pin]]
    my_slots = slots_of(own_mask)
    here[5] = my_slots
    first = state.list_start[source]
    for at in range(first, first + state.list_len[source]):
        c, form = list_core[at], list_form[at]
        if stamp[c] != source:
            stamp[c] = source
            mask[c] = 0
            listed[count] = c
            count += 1
        n = 0
        for pin in range(i, stop):
            if pin_form[pin] == form:
                n = pin_size[pin]
        if n == 0:
            mask[c] |= bit[form]
            if c == core:
                full_here |= bit[form]
            continue
        size = list_size[at]
        if c == core:
            full_here |= bit[form]
            if size > n:
                mask[c] |= bit[form]
            here[3] += words[form, size] - words[form, size - n]
        else:
            mask[c] |= bit[form]
            saved_words[c] += words[form, size] + words[form, n] - words[form, size + n]
    away = at_home >= 0 and at_home != core
    for k in range(count):
        c = listed[k]
        stamp[c] = -1
        if c == core:
            here[2] += slots_of(full_here) - slots_of(mask[c])
            if mask[c]:
                here[0] += w
            elif at_home == c:
                here[1] += hop * w
        else:
            near[c] += w
            saved_slots[c] += my_slots + slots_of(mask[c]) - slots_of(mask[c] | own_mask)
            if c == at_home:
                away = False
    return away


@kernel()
def _scan_own(level: Level, state: State, v: int, core: int, hop: float, work: Scan) -> None:
    """The home term of the sources inside `v`; those that reach `v` itself are always at home."""
    pin_source, own, stamp, home = level.source, level.own, work.stamp, work.home
    list_core = state.list_core
    for at in range(level.own_start[v], level.own_start[v + 1]):
        source = own[at]
        low, high = level.pin_start[v], level.pin_start[v + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if pin_source[middle] < source:
                low = middle + 1
            else:
                high = middle
        if low < end and pin_source[low] == source:
            continue
        gain = hop * level.weight[source]
        first = state.list_start[source]
        last = first + state.list_len[source]
        for entry in range(first, last):
            c = list_core[entry]
            if stamp[c] == source:
                continue
            stamp[c] = source
            if c == core:
                work.here[1] += gain
            else:
                home[c] += gain
        for entry in range(first, last):
            stamp[list_core[entry]] = -1


@kernel()
def kinds_fit(level: Level, caps: Caps, state: State, v: int, core: int) -> bool:
    """Whether formats, classes, traces and epochs of a core stay in number with `v` on it.

    A vertex that brings nothing new always fits.
    """
    new = False
    forms, traces, epochs = 0, 0, 0
    begin, end = level.pin_start[v], level.pin_start[v + 1]
    for form in range(caps.bit.size):
        on_core = state.form_count[core, form] > 0
        if not on_core:
            for pin in range(begin, end):
                if level.form[pin] == form:
                    on_core, new = True, True
                    break
        if on_core:
            forms += 1
            if caps.trace[form] >= 0:
                traces |= 1 << caps.trace[form]
            if caps.epoch[form] >= 0:
                epochs |= 1 << caps.epoch[form]
    if new and (forms > caps.forms or _ones(traces) > caps.traces or _ones(epochs) > caps.epochs):
        return False
    count, more = 0, 0
    for c in range(caps.n_classes):
        count += state.class_count[core, c] > 0
    for at in range(level.class_start[v], level.class_start[v + 1]):
        more += state.class_count[core, level.classes[at]] == 0
    return more == 0 or count + more <= caps.classes


@kernel()
def _ones(mask: int) -> int:
    count = 0
    while mask:
        count += mask & 1
        mask >>= 1
    return count


@kernel()
def out_overflow_change(
    level: Level, caps: Caps, state: State, v: int, target: int, out: Int
) -> float:
    """Change of the overflow of output axons when `v` moves; `out` (K,) is working space."""
    out[:] = 0
    origin = state.core_of[v]
    end = level.pin_start[v + 1]
    i = level.pin_start[v]
    while i < end:
        source = level.source[i]
        own_mask = 0
        stop = i
        while stop < end and level.source[stop] == source:
            own_mask |= caps.bit[level.form[stop]]
            stop += 1
        at_origin, remaining, at_target = 0, 0, 0
        first = state.list_start[source]
        for at in range(first, first + state.list_len[source]):
            form = state.list_form[at]
            if state.list_core[at] == target:
                at_target |= caps.bit[form]
            elif state.list_core[at] == origin:
                at_origin |= caps.bit[form]
                n = 0
                for pin in range(i, stop):
                    if level.form[pin] == form:
                        n = level.synapses[pin]
                if state.list_size[at] > n:
                    remaining |= caps.bit[form]
        change = axons_of(remaining) - axons_of(at_origin)
        change += axons_of(at_target | own_mask) - axons_of(at_target)
        vertex = level.vertex_of[source]
        if vertex >= 0:
            out[target if vertex == v else state.core_of[vertex]] += change
        i = stop
    for at in range(level.own_start[v], level.own_start[v + 1]):
        out[origin] -= state.reach[level.own[at]]
        out[target] += state.reach[level.own[at]]
    limit = caps.most[OUT]
    total = 0.0
    for core in range(out.size):
        if out[core]:
            use = state.used[core, OUT]
            total += max(0, use + out[core] - limit) - max(0, use - limit)
    share: float = total / limit
    return share
