"""Put synapses into a network that are like those it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.csr import rows_of
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.plasticity import STDP_FIELDS

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Donors:
    """Recurrent synapses that a new synapse may be a copy of, for each pair of groups.

    A group holds neurons of one population whose outgoing recurrent weights have one sign, or
    both signs, or that have none: three groups a population. Donors of a new synapse are those of
    the projections between its populations, with the sign that the presynaptic neuron has.

    Attributes:
        edges: of the network.
        group: (N,) group of every neuron, ``3 * population + 0, 1 or 2``: both signs or no
            synapses, excitatory, inhibitory.
    """

    edges: RecurrentEdges
    group: Int

    @cached_property
    def _pools(self) -> dict[tuple[int, int], Int]:
        """Donors by (group of pre, population of post), in the order of the edges."""
        edges, population = self.edges, self.group // 3
        n_populations = int(population.max(initial=-1)) + 1
        pair = population[edges.pre] * n_populations + population[edges.post]
        pools = {}
        for key in np.unique(pair):
            pre, post = divmod(int(key), n_populations)
            members = np.flatnonzero(pair == key)
            signs = np.sign(edges.weight[members])
            pools[3 * pre, post] = members
            pools[3 * pre + 1, post] = members[signs > 0]
            pools[3 * pre + 2, post] = members[signs < 0]
        return pools

    def of(self, pre: int, post: int) -> Int:
        """Donors of a synapse between two groups, edge indices."""
        return self._pools.get((pre, post // 3), np.zeros(0, dtype=np.int64))

    @cached_property
    def joinable(self) -> Bool:
        """(G, G) whether neurons of two groups can be joined, in one direction or the other."""
        n_groups = 3 * (int(self.group.max(initial=-1)) // 3 + 1)
        table = np.zeros((n_groups, n_groups), dtype=np.bool_)
        for pre in range(n_groups):
            for post in range(n_groups):
                table[pre, post] = self.of(pre, post).size > 0
        return table | table.T

    def draw(
        self, u: int, v: int, forbidden: set[tuple[int, int]], number: float
    ) -> tuple[int, int, int]:
        """A direction and a donor, evenly over the donors of both directions.

        Args:
            u, v: neurons that can be joined.
            forbidden: (post, pre) that may not be, of which not both are asked for.
            number: drawn from [0, 1).

        Returns:
            post, pre, and the donor's index among the edges.
        """
        onto_u = self.of(self.group[v], self.group[u])
        onto_v = self.of(self.group[u], self.group[v])
        sizes = [
            0 if way in forbidden else pool.size
            for way, pool in (((u, v), onto_u), ((v, u), onto_v))
        ]
        at = min(int(number * sum(sizes)), sum(sizes) - 1)
        if at < sizes[0]:
            return u, v, int(onto_u[at])
        return v, u, int(onto_v[at - sizes[0]])


def donors(network: Network, edges: RecurrentEdges) -> Donors:
    """The donors of a network; `edges` are all its recurrent synapses."""
    sizes = [p.size for p in network.compute_populations]
    population = np.repeat(np.arange(len(sizes)), sizes)
    n = edges.n_neurons
    positive = np.bincount(edges.pre[edges.weight > 0], minlength=n) > 0
    negative = np.bincount(edges.pre[edges.weight < 0], minlength=n) > 0
    fixed = {"excitatory": 1, "inhibitory": 2, None: 0}
    given = np.repeat([fixed[p.sign] for p in network.compute_populations], sizes)
    sign = np.where(positive & ~negative, 1, np.where(negative & ~positive, 2, 0))
    return Donors(edges, (3 * population + np.where(given > 0, given, sign)).astype(np.int64))


def add_synapses(
    network: Network, edges: RecurrentEdges, post: Int, pre: Int, donor: Int
) -> Network:
    """Add copies of synapses at other places, with weight, delay and learning parameters.

    Args:
        edges: all recurrent synapses of `network`.
        post, pre: (M,) global neuron indices, where no synapse is yet.
        donor: (M,) edge that each is a copy of; it goes into the donor's projection.
    """
    return _grafted(network, edges, (post, pre, donor), keep=True)


def replace_synapses(
    network: Network, edges: RecurrentEdges, post: Int, pre: Int, donor: Int
) -> Network:
    """Put copies of synapses at other places in the place of all recurrent synapses.

    Args:
        edges: all recurrent synapses of `network`.
        post, pre: (M,) global neuron indices, no pair twice in one projection.
        donor: (M,) edge that each is a copy of; it goes into the donor's projection.
    """
    return _grafted(network, edges, (post, pre, donor), keep=False)


def _grafted(
    network: Network, edges: RecurrentEdges, new: tuple[Int, Int, Int], *, keep: bool
) -> Network:
    """Copies of synapses beside those there are, or instead of them."""
    post, pre, donor = new
    owner = np.searchsorted(edges.bounds, donor, side="right") - 1
    for k in np.unique(owner) if keep else range(len(edges.names)):
        name, here = edges.names[k], owner == k
        projection = network.projection(name)
        rows = post[here] - network.offset(projection.post)
        columns = pre[here] - network.offset(projection.pre)
        source = donor[here] - edges.bounds[k]
        if keep:
            csr = projection.weights
            rows = np.concatenate([rows_of(csr), rows])
            columns = np.concatenate([csr.indices.astype(np.int64), columns])
            source = np.concatenate([np.arange(csr.nnz), source])
        network = network.with_projection(_copies(projection, rows, columns, source))
    return network


def _copies(projection: Projection, row: Int, column: Int, source: Int) -> Projection:
    """A projection of copies of its synapses, (M,) by their number, at other places."""
    csr = projection.weights
    order = np.lexsort((column, row))
    source = source[order]
    starts = np.append(0, np.cumsum(np.bincount(row, minlength=csr.shape[0])))
    weights = sparse.csr_matrix((csr.data[source], column[order], starts), shape=csr.shape)

    def copied(values: Any) -> Any:
        return values if values is None or np.ndim(values) == 0 else np.asarray(values)[source]

    rule = projection.plasticity
    if rule is not None:
        rule = replace(rule, **{field: copied(getattr(rule, field)) for field in STDP_FIELDS})
    return replace(projection, weights=weights, delays=copied(projection.delays), plasticity=rule)
