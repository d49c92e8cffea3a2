"""From scores of neurons to those that are dropped: shares, connectedness, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.neighbours import neighbours
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.network import Network

Float = NDArray[np.float64]
Int = NDArray[np.int64]
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


@dataclass(frozen=True, eq=False)
class Candidates:
    """Neurons in the order in which they go, and the rules by which they may.

    A neuron may go while its population has more neurons than its target, while it is not the last
    that an input population feeds, and, where `connected`, while the neurons that it was connected
    with, in whatever direction, stay connected with each other without it. So neurons of one weakly
    connected component stay in one. Of equal scores the neuron that comes last goes first.

    In a connected network two neurons can always go; but when they are of a population that has
    reached its target, fewer are dropped than asked.

    Attributes:
        network: of N neurons.
        score: (N,) how much each of them matters.
        connected: whether what is connected has to stay so.
    """

    network: Network
    score: Float
    connected: bool

    @cached_property
    def edges(self) -> RecurrentEdges:
        """The recurrent synapses."""
        return recurrent_edges(self.network)

    @cached_property
    def _order(self) -> Int:
        order: Int = np.lexsort((-np.arange(self.network.n_neurons), self.score)).astype(np.int64)
        return order

    @cached_property
    def _adjacency(self) -> tuple[Int, Int]:
        table = neighbours(self.edges.matrix)
        return table.indptr.astype(np.int64), table.indices.astype(np.int64)

    def choose(self, targets: Mapping[str, int]) -> NeuronChoice:
        """Drop the lowest-scored neuron that may go, again and again, until targets are met.

        Args:
            targets: neurons that each population is to keep.
        """
        from hrsnn_lava.compiler.pruning.neuron_kernels import drop_lowest

        populations = self.network.compute_populations
        sizes = np.array([p.size for p in populations])
        group = np.repeat(np.arange(sizes.size), sizes).astype(np.int64)
        quota = sizes - np.array([targets[p.name] for p in populations])
        gone, last_fed = drop_lowest(
            *self._adjacency,
            self._order,
            group,
            quota.astype(np.int64),
            input_fed(self.network),
            self.connected,
        )
        dropped = np.bincount(group, weights=gone, minlength=sizes.size).astype(np.int64)
        short = quota - dropped
        missing = {p.name: int(k) for p, k in zip(populations, short, strict=True) if k}
        lowest = _lowest(self._order, group, quota)
        return NeuronChoice(~gone, int(np.count_nonzero(lowest & ~gone)), missing, int(last_fed))

    def cost(self, choice: NeuronChoice, each: Float) -> float:
        """What the synapses between the neurons that stay cost; `each` (N,) is that of a sender."""
        edges, keep = self.edges, choice.keep
        return float(each[edges.pre[keep[edges.pre] & keep[edges.post]]].sum())

    def choose_within(
        self, sizes: Mapping[str, int], each: Float, allowed: float, least: int = 0
    ) -> tuple[NeuronChoice, int]:
        """Drop the same share of every population, the smallest that leaves a cost within a budget.

        By bisection: the more neurons are to go, the less is left, but for exceptions where the
        rules let others go instead.

        Args:
            sizes: of the populations, as the shares count.
            each: (N,) cost of a synapse of every sender.
            allowed: what all that are left may cost.
            least: neurons of all populations that are to go in any case.

        Returns:
            The choice, and how many neurons were asked to go, at most all; the budget is exceeded
            where the rules let no more go.
        """
        total = sum(sizes.values())

        def tried(asked: int) -> NeuronChoice:
            return self.choose(equal_shares(sizes, asked / max(total, 1)))

        low, high, choice = least, total, tried(least)
        if self.cost(choice, each) <= allowed:
            return choice, least
        choice = tried(total)
        if self.cost(choice, each) > allowed:
            return choice, total
        while high - low > 1:
            middle = (low + high) // 2
            other = tried(middle)
            if self.cost(other, each) <= allowed:
                high, choice = middle, other
            else:
                low = middle
        return choice, high


def equal_shares(sizes: Mapping[str, int], share: float) -> dict[str, int]:
    """Neurons that populations keep when the same share of each goes; one at least."""
    return {name: max(1, size - round(share * size)) for name, size in sizes.items()}


def choose_neurons(
    network: Network, score: Float, targets: Mapping[str, int], *, connected: bool
) -> NeuronChoice:
    """`Candidates.choose` of neurons with a score."""
    return Candidates(network, score, connected).choose(targets)


def _lowest(order: Int, group: Int, quota: Int) -> Bool:
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
