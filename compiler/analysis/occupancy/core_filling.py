"""Filling of cores with neurons in a given order, by exact counts.

What a set of neurons uses only grows with the set, so the longest run of neurons that fits a
core is found by bisection, and filling core after core is exact without a formula of its own.
Output axons depend on where everybody else is; `split_out_axons` deals with them afterwards.
`hrsnn_lava.compiler.partitioning.first_fit` does the same faster, for large networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.learning_limits import (
    attainable_limits,
    learning_limits,
)
from hrsnn_lava.compiler.analysis.occupancy.utilization import (
    index_bits,
    list_words,
    stored_bits,
    utilization,
)
from hrsnn_lava.compiler.palettes.clustering import compartment_classes
from hrsnn_lava.hardware_profiles import HardwareProfile

Int = NDArray[np.int64]
#: Resources that a set of neurons uses whatever the placement of the others.
FILL_RESOURCES = (
    "neurons",
    "in_axons",
    "synapses",
    "synapse_memory",
    "synapse_formats",
    "compartment_classes",
    "trace_profiles",
    "learning_epochs",
)


def limits(profile: HardwareProfile) -> dict[str, int | None]:
    """Limit per core of each of `FILL_RESOURCES`.

    Compartment classes are what snapping cannot merge (distinct refractory periods above all).
    """
    core, memory = profile.core, profile.synapse_memory
    return {
        "neurons": core.neurons.value,
        "in_axons": core.in_axons.value,
        "synapses": core.synapses.value,
        "synapse_memory": None if memory is None else memory.words.value,
        "synapse_formats": core.synapse_formats.value,
        "compartment_classes": core.compartment_profiles.value,
        **learning_limits(profile),
    }


def limits_of(
    links: Connectivity, profile: HardwareProfile, only: str | None = None
) -> dict[str, int | None]:
    """The limits that filling respects: what a single neuron needs is always allowed."""
    bound = limits(profile) | attainable_limits(links, profile)
    return bound if only is None else {only: bound[only]}


def run_usage(
    links: Connectivity,
    rows: tuple[sparse.csr_matrix, ...],
    members: Int,
    start: int,
    stop: int,
    profile: HardwareProfile,
) -> dict[str, int]:
    """What neurons ``members[start:stop]`` use as one core; `rows` are their inbound rows."""
    size, memory = stop - start, profile.synapse_memory
    parts = [slice(pattern.indptr[start], pattern.indptr[stop]) for pattern in rows]
    sources, n_local = [p.indices[part] for p, part in zip(rows, parts, strict=True)], 0
    if rows and 4 * sum(s.size for s in sources) < links.n_sources:
        # Few synapses: renumber their sources, instead of touching all sources every time.
        distinct, local = np.unique(np.concatenate(sources), return_inverse=True)
        sources = np.split(local.ravel(), np.cumsum([s.size for s in sources])[:-1])
        n_local = distinct.size
    else:
        n_local = links.n_sources
    total = np.zeros(n_local, dtype=np.int64)
    learning: dict[int, Any] = {}  # per setting of the traces, the sources that need it
    epochs = set()
    words, formats = 0, 0
    kinds = zip(links.formats, links.trace_settings, links.epochs, strict=True)
    for (form, trace, epoch), pattern, part, source in zip(
        kinds, rows, parts, sources, strict=True
    ):
        if not source.size:
            continue
        count = np.bincount(source, pattern.data[part], minlength=n_local).astype(np.int64)
        formats += 1
        total += count
        if form.learning and count.any():
            learning[trace] = learning.get(trace, False) | (count > 0)
            epochs.add(epoch)
        if memory is not None:
            lists = list_words(
                count[count > 0],
                memory,
                weight_bits=int(stored_bits(form.weight_bits, memory.weight_bits.values)),
                index_bits=int(index_bits(size, memory)),
                delay_bits=form.delay_bits,
            )
            words += int(lists.sum())
    du, dv, refractory, _ = links.parameters[members[start:stop]].T
    return {
        "neurons": size,
        "in_axons": _slots(total, list(learning.values())),
        "synapses": int(total.sum()),
        "synapse_memory": words,
        "synapse_formats": formats,
        "compartment_classes": int(compartment_classes(du, dv, refractory).max(initial=-1)) + 1,
        "trace_profiles": len(learning),
        "learning_epochs": len(epochs),
    }


def _slots(total: Int, learning: list[NDArray[np.bool_]]) -> int:
    """Input axons: one a source, and two for each setting of traces where some synapse learns."""
    slots = np.count_nonzero(total)
    if learning:
        slots += int(2 * sum(np.count_nonzero(s) for s in learning))
        slots -= np.count_nonzero(np.any(learning, axis=0))
    return int(slots)


def fill(
    links: Connectivity,
    order: Any,
    profile: HardwareProfile,
    *,
    neurons_per_core: int | None = None,
    only: str | None = None,
) -> Int:
    """Ends of the runs of `order` that go to one core each: bounds (n_cores + 1,), from 0.

    Each core takes the longest run that fits. A neuron that fits no core has one for itself;
    the design rules name it later.

    Args:
        order: neurons in the order of filling.
        neurons_per_core: upper bound besides the profile's.
        only: respect this resource alone.
    """
    members = np.asarray(order, dtype=np.int64)
    rows = tuple(sparse.csr_matrix(pattern[members]) for pattern in links.inbound)
    bound = limits_of(links, profile, only)
    sizes = [s for s in (bound.get("neurons"), neurons_per_core) if s is not None]
    largest = min([*sizes, max(members.size, 1)])

    def fits(start: int, stop: int) -> bool:
        usage = run_usage(links, rows, members, start, stop, profile)
        return all(limit is None or usage[name] <= limit for name, limit in bound.items())

    bounds, guess = [0], largest
    while bounds[-1] < members.size:
        start = bounds[-1]
        low, high = 1, min(largest, members.size - start)
        # Neighbours are alike: bracket around the last core's size, then bisect.
        trial, step = min(guess, high), 1
        while low < high and low < trial:
            if not fits(start, start + trial):
                high = trial - 1
                break
            low, trial, step = trial, min(trial + step, high), 2 * step
        step = 1
        while low < high:
            middle = max((low + high + 1) // 2, high - step)
            if fits(start, start + middle):
                low = middle
            else:
                high, step = middle - 1, 2 * step
        guess = low
        bounds.append(start + low)
    return np.asarray(bounds, dtype=np.int64)


def cores_from_bounds(order: Any, bounds: Int) -> NDArray[np.int32]:
    """`core_of` (N,) of neurons filled in `order` with the given bounds."""
    core_of = np.empty(len(order), dtype=np.int32)
    core_of[order] = np.repeat(np.arange(bounds.size - 1, dtype=np.int32), np.diff(bounds))
    return core_of


def split_out_axons(links: Connectivity, order: Any, bounds: Int, profile: HardwareProfile) -> Int:
    """Divide cores until no core has too many output axons; new bounds.

    A division adds destinations for others, so this repeats. It ends when all fits, when the
    cores at fault hold one neuron each, or when the chip has no more cores.
    """
    limit, most = profile.core.out_axons.value, profile.total_cores
    order = np.asarray(order, dtype=np.int64)
    while limit is not None and (most is None or bounds.size - 1 <= most):
        usage = utilization(links, cores_from_bounds(order, bounds), profile)
        sizes = np.diff(bounds)
        over = [c for c in usage["out_axons"].over() if sizes[c] > 1]
        if not over:
            break
        reach = usage.reach[order]
        extra = []
        for core in over:
            total = 0
            for position in range(bounds[core], bounds[core + 1]):
                total += int(reach[position])
                if total > limit and position > bounds[core]:
                    extra.append(position)
                    total = int(reach[position])
        bounds = np.unique(np.concatenate([bounds, np.asarray(extra, dtype=np.int64)]))
    return bounds
