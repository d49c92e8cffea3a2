"""Filling of cores along an order, one neuron at a time; compiled, imported on first use.

The same result as the plain `core_filling.fill`, which finds each run by bisection and counts it
anew: a core takes neurons while all of its counts stay within their limits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.core_filling import limits_of
from hrsnn_lava.compiler.analysis.occupancy.utilization import index_bits
from hrsnn_lava.compiler.partitioning.core_state import slots_of
from hrsnn_lava.compiler.partitioning.problem import (
    UNLIMITED,
    Caps,
    Level,
    PartitionProblem,
    words_table,
)
from hrsnn_lava.kernels import kernel

Int = NDArray[np.int64]
NAMES = (
    "neurons",
    "in_axons",
    "synapse_memory",
    "synapses",
    "synapse_formats",
    "compartment_classes",
    "trace_profiles",
    "learning_epochs",
)


def fill_fast(
    problem: PartitionProblem,
    order: Int,
    neurons_per_core: int | None = None,
    only: str | None = None,
) -> Int:
    """Ends of the runs of `order` that go to one core each; see `core_filling.fill`."""
    links, profile = problem.links, problem.profile
    bound = limits_of(links, profile, only)
    limits = [bound.get(name) for name in NAMES]
    most = np.asarray([UNLIMITED if x is None else x for x in limits], dtype=np.int64)
    if neurons_per_core is not None:
        most[0] = min(int(most[0]), neurons_per_core)
    largest = int(min(most[0], max(order.size, 1)))
    sizes = np.arange(largest + 1)
    memory = profile.synapse_memory
    widths = np.zeros(largest + 1, dtype=np.int64)
    if memory is not None:
        widths[1:] = index_bits(sizes[1:], memory)
    distinct, kind = np.unique(widths, return_inverse=True)
    tops = [int(sizes[kind.ravel() == k].max()) for k in range(distinct.size)]
    longest = problem.longest_list
    tables = np.stack([words_table(links, profile, longest, max(top, 1)) for top in tops])
    return _runs(
        problem.level, problem.caps(), order, most, tables, kind.ravel().astype(np.int64), largest
    )


@kernel()
def _runs(
    level: Level, caps: Caps, order: Int, most: Int, tables: Int, kind: Int, largest: int
) -> Int:
    """Greedy runs; `tables` (widths, F, longest + 1), `kind` (largest + 1,) width by core size."""
    forms, n_sources = caps.bit.size, level.weight.size
    count = np.zeros(n_sources * forms, dtype=np.int32)
    mask = np.zeros(n_sources, dtype=np.int64)
    keys = np.empty(n_sources * forms, dtype=np.int64)
    lists_of_form = np.zeros(forms, dtype=np.int64)
    in_class = np.zeros(caps.n_classes, dtype=np.int64)
    bounds = np.zeros(order.size + 1, dtype=np.int64)
    cores, size, slots, words, synapses, n_keys = 0, 0, 0, 0, 0, 0
    for at in range(order.size):
        v = order[at]
        if size:
            fits = size < largest
            if fits:
                width = kind[size + 1]
                total = words
                if width != kind[size]:
                    total = 0
                    for k in range(n_keys):
                        total += tables[width, keys[k] % forms, count[keys[k]]]
                more_words, more_slots = _more(level, caps, v, count, mask, tables[width])
                fits = (
                    slots + more_slots <= most[1]
                    and total + more_words <= most[2]
                    and synapses + level.total[v] <= most[3]
                    and _kinds(level, caps, v, lists_of_form, in_class, most)
                )
            if not fits:
                cores += 1
                bounds[cores] = at
                for k in range(n_keys):
                    count[keys[k]] = 0
                    mask[keys[k] // forms] = 0
                lists_of_form[:] = 0
                in_class[:] = 0
                size, slots, words, synapses, n_keys = 0, 0, 0, 0, 0
        width = kind[size + 1]
        if size and width != kind[size]:
            words = 0
            for k in range(n_keys):
                words += tables[width, keys[k] % forms, count[keys[k]]]
        more_words, more_slots = _more(level, caps, v, count, mask, tables[width])
        words += more_words
        slots += more_slots
        synapses += level.total[v]
        size += 1
        for i in range(level.pin_start[v], level.pin_start[v + 1]):
            key = level.source[i] * forms + level.form[i]
            if count[key] == 0:
                keys[n_keys] = key
                n_keys += 1
                lists_of_form[level.form[i]] += 1
            count[key] += level.synapses[i]
            mask[level.source[i]] |= caps.bit[level.form[i]]
        for i in range(level.class_start[v], level.class_start[v + 1]):
            in_class[level.classes[i]] += 1
    if size:
        cores += 1
        bounds[cores] = order.size
    return bounds[: cores + 1]


@kernel()
def _more(
    level: Level, caps: Caps, v: int, count: NDArray[np.int32], mask: Int, table: Int
) -> tuple[int, int]:
    """Words and input axons that a neuron adds to the core that is being filled."""
    forms = caps.bit.size
    words, slots = 0, 0
    i, end = level.pin_start[v], level.pin_start[v + 1]
    while i < end:
        source = level.source[i]
        own_mask = 0
        while i < end and level.source[i] == source:
            form, n = level.form[i], level.synapses[i]
            before = count[source * forms + form]
            words += table[form, before + n] - table[form, before]
            own_mask |= caps.bit[form]
            i += 1
        slots += slots_of(mask[source] | own_mask) - slots_of(mask[source])
    return words, slots


@kernel()
def _kinds(level: Level, caps: Caps, v: int, lists_of_form: Int, in_class: Int, most: Int) -> bool:
    """Whether formats, classes, traces and epochs stay within their limits with `v`."""
    traces, epochs, forms, classes = 0, 0, 0, 0
    for form in range(lists_of_form.size):
        on_core = lists_of_form[form] > 0
        for i in range(level.pin_start[v], level.pin_start[v + 1]):
            if on_core:
                break
            on_core = level.form[i] == form
        if on_core:
            forms += 1
            if caps.trace[form] >= 0:
                traces |= 1 << caps.trace[form]
            if caps.epoch[form] >= 0:
                epochs |= 1 << caps.epoch[form]
    for c in range(in_class.size):
        classes += in_class[c] > 0
    for i in range(level.class_start[v], level.class_start[v + 1]):
        classes += in_class[level.classes[i]] == 0
    n_traces, n_epochs = 0, 0
    for k in range(62):
        n_traces += (traces >> k) & 1
        n_epochs += (epochs >> k) & 1
    fits: bool = (
        forms <= most[4] and classes <= most[5] and n_traces <= most[6] and n_epochs <= most[7]
    )
    return fits
