"""Design rules about how a neuron's spikes reach the cores, for chips with few ways to do so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.design_rules.expressible import Synapses, worst_of_each
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.errors import Violation

Int = NDArray[np.int64]


def destinations(placed: PlacedNetwork) -> Iterator[Violation]:
    """A neuron sends to a bounded number of cores."""
    if (limit := placed.profile.limit("neuron.destinations")) is None:
        return
    n_sources, cores = placed.links.n_sources, placed.used.destinations.indices
    reach = np.bincount(cores, minlength=n_sources)[: placed.links.n_neurons]
    yield from worst_of_each(
        placed,
        "destinations",
        reach,
        limit,
        "destination cores",
        "gather the targets of {where} on {limit} cores instead of {use}, or relay its spikes by "
        "further neurons",
    )


def axon_types(placed: PlacedNetwork) -> Iterator[Violation]:
    """The axons of a core fall into few types, each with one weight for every neuron."""
    if (limit := placed.profile.limit("core.axon_types")) is None:
        return
    synapses = Synapses.of(placed.network)
    core_of = placed.core_of.astype(np.int64)[synapses.post]
    order = np.lexsort((synapses.source, core_of))
    bounds = np.flatnonzero(np.diff(core_of[order], prepend=-1))
    for part in np.split(order, bounds[1:]) if order.size else ():
        core = int(core_of[part[0]])
        most = 4 * limit  # beyond, the exact number would help nobody and takes long to find
        n_types = types_needed(
            synapses.source[part], synapses.post[part], synapses.weight[part], most + 1
        )
        if n_types > limit:
            yield Violation(
                "axon_types",
                f"core {core}",
                f"more than {most} types of axons"
                if n_types > most
                else f"{n_types} types of axons",
                str(limit),
                f"quantize to fewer bits, or give projections onto its neurons weights in common: "
                f"{'at least ' if n_types > most else ''}{n_types - limit} types too many",
                share=n_types / limit,
            )


def types_needed(source: Int, post: Int, weight: Int, most: int) -> int:
    """Types that the sources of one core are put into, one after the other.

    Two sources can share a type unless some neuron hears both with different weights. The fewest
    types are a colouring of that conflict graph, which is hard to find; sources take the first
    type that is free of conflict, those with most synapses first (our choice). The number is exact
    where sources conflict in groups, as those of populations do; elsewhere fewer may be possible.

    Args:
        source, post, weight: (E,) each, the synapses onto the core, sorted by source.
        most: counting stops there.
    """
    local = np.unique(post, return_inverse=True)[1].ravel()
    starts = np.flatnonzero(np.diff(source, prepend=-1))
    # Sources with the same synapses end in the same type, so one of them will do.
    alike: dict[tuple[bytes, bytes], tuple[Int, Int]] = {}
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), source.size], strict=True):
        alike.setdefault((local[a:b].tobytes(), weight[a:b].tobytes()), (local[a:b], weight[a:b]))
    groups = sorted(alike.values(), key=lambda group: -group[0].size)
    unset = np.iinfo(np.int64).min
    types: list[Int] = []
    for rows, values in groups:
        for table in types:
            entries = table[rows]
            if np.all((entries == unset) | (entries == values)):
                break
        else:
            if len(types) == most:
                break
            table = np.full(int(local.max()) + 1, unset, dtype=np.int64)
            types.append(table)
        table[rows] = values
    return len(types)


AXON_RULES: tuple[Rule, ...] = (destinations, axon_types)
