"""From scores of neurons to those that are dropped: shares, connectedness, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.neighbours import neighbours
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.network import Network

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NeuronChoice:
    """Which neurons stay.

    Attributes:
        keep: (N,) those that stay.
        spared: neurons that their score alone would have dropped, and that stay.
        missing: by population, how many neurons fewer than asked could be dropped.
        last_fed: neurons that stay as the last that an input feeds.
    """

    keep: Bool
    spared: int
    missing: Mapping[str, int]
    last_fed: int


def choose_neurons(
    network: Network, score: Float, targets: Mapping[str, int], *, connected: bool
) -> NeuronChoice:
    """Drop the lowest-scored neuron that may go, again and again, until targets are met.

    A neuron may go while its population has more neurons than its target, while it is not the last
    that an input population feeds, and, with `connected`, while the neurons that it was connected
    with, in whatever direction, stay connected with each other without it. So neurons of one weakly
    connected component stay in one. Of equal scores the neuron that comes last goes first.

    In a connected network two neurons can always go; but when they are of a population that has
    reached its target, fewer are dropped than asked.

    Args:
        score: (N,) how much each neuron matters.
        targets: neurons that each population is to keep.
    """
    from hrsnn_lava.compiler.pruning.neuron_kernels import drop_lowest

    n = network.n_neurons
    populations = network.compute_populations
    sizes = np.array([p.size for p in populations])
    group = np.repeat(np.arange(sizes.size), sizes)
    quota = sizes - np.array([targets[p.name] for p in populations])
    order = np.lexsort((-np.arange(n), score))
    adjacency = neighbours(recurrent_edges(network).matrix)
    gone, last_fed = drop_lowest(
        adjacency.indptr.astype(np.int64),
        adjacency.indices.astype(np.int64),
        order.astype(np.int64),
        group.astype(np.int64),
        quota.astype(np.int64),
        input_fed(network),
        connected,
    )
    dropped = np.bincount(group, weights=gone, minlength=sizes.size).astype(np.int64)
    short = quota - dropped
    missing = {p.name: int(k) for p, k in zip(populations, short, strict=True) if k}
    lowest = _lowest(order, group, quota)
    return NeuronChoice(~gone, int(np.count_nonzero(lowest & ~gone)), missing, int(last_fed))


def _lowest(order: NDArray[np.int64], group: NDArray[np.int64], quota: NDArray[np.int64]) -> Bool:
    """The neurons that go where nothing counts but the score."""
    lowest = np.zeros(order.size, dtype=np.bool_)
    for k, count in enumerate(quota):
        lowest[order[group[order] == k][:count]] = True
    return lowest


def input_fed(network: Network) -> Bool:
    """(P, N) which neurons each of the P input populations has connections to, of any target."""
    names = [p.name for p in network.input_populations]
    fed = np.zeros((len(names), network.n_neurons), dtype=np.bool_)
    for projection in network.projections:
        if projection.pre in names:
            rows = np.flatnonzero(np.diff(projection.weights.indptr))
            fed[names.index(projection.pre), network.offset(projection.post) + rows] = True
    return fed
