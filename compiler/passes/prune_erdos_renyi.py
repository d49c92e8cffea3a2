"""Draw a random graph of as many synapses: the baseline that keeps nothing of the graph."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import PruningBudget, costs_of, fill, spent_report
from hrsnn_lava.compiler.pruning.grafting import donors, replace_synapses
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, replaced_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, replaced_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import Seed, options
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Groups of `Donors` by what their senders send: both signs or nothing, one sign, the other.
EITHER, EXCITATORY, INHIBITORY = 0, 1, 2


@options
class PruneErdosRenyi(PruningBudget, Pass[Network, Network]):
    """Put a random graph of the same neurons in the place of the recurrence.

    The baseline of the paper on LNP: as many neurons and synapses, in no order. Every projection
    keeps the same share, its synapses at places drawn anew: each is a copy, with weight, delay and
    learning parameters, of one of that projection, of the sign that its sender has (ours).

    Attributes:
        rescale: gains of the weights, ``none``, ``match`` or ``refit``, as if they were what is
            left of the network.
        seed: of the random stream ``prune_erdos_renyi``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_erdos_renyi"

    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    seed: Seed | None = None

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The random network and the report of what was done."""
        rng, seen = generator(self.seed or 0, self.name), context.observed
        return prune_erdos_renyi(network, self, rng, seen.neuron_rates, seen.covariance)


def prune_erdos_renyi(
    network: Network,
    options: PruneErdosRenyi,
    rng: np.random.Generator,
    rates: Float | None = None,
    covariance: Float | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Draw the graph, of the same share of every projection, to a budget.

    No neuron gets a synapse onto itself in a projection that has none, and no pair two in one.
    A budget of SOPs counts by the senders that were drawn.

    Args:
        network: float.
        options: budget and rescaling.
        rng: draws places and copies.
        rates: (n_neurons,) spikes per step, for a budget of SOPs.
        covariance: (N, N) of the spike traces of a run, for a rescaling by it.

    Raises:
        SpecError: there are no rates, or no covariance, where they are needed.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    costs = costs_of(edges, options, rates)
    post, pre, donor = _drawn(network, edges, rng)
    kept = fill(_in_step(edges, rng), replace(costs, each=costs.neuron[pre]))
    drawn = replace_synapses(network, edges, post[kept], pre[kept], donor[kept])
    after = recurrent_edges(drawn)
    gain, rescaled = replaced_gains(edges, after, options.rescale, covariance)
    stays = gain > 0.0
    left = after.select(stays)
    old, new = (e.post * e.n_neurons + e.pre for e in (edges, left))
    report = replaced_report(network, edges, left)
    report |= spent_report(edges, left, options, costs, rates)
    report |= {"at_old_places": int(np.isin(new, old).sum()), "rescale": rescaled}
    return keep_synapses(drawn, after, stays, gain).verify(), report


def _drawn(
    network: Network, edges: RecurrentEdges, rng: np.random.Generator
) -> tuple[Int, Int, Int]:
    """As many synapses as there are, projection by projection: post, pre and donor, (E,) each."""
    kind = _kinds(network, edges, rng)
    table = np.empty((3, edges.n_edges), dtype=np.int64)
    for k in range(len(edges.names)):
        own = slice(int(edges.bounds[k]), int(edges.bounds[k + 1]))
        table[:, own] = _projection(network, edges, k, kind, rng)
    return table[0], table[1], table[2]


def _kinds(network: Network, edges: RecurrentEdges, rng: np.random.Generator) -> Int:
    """What every neuron sends, (N,); one that sends nothing is taken to be like one that does."""
    kind = donors(network, edges).group % 3
    sends = np.bincount(edges.pre[edges.weight != 0], minlength=edges.n_neurons) > 0
    for population in network.compute_populations:
        first = network.offset(population.name)
        own = slice(first, first + population.size)
        open_ = np.flatnonzero(~sends[own] & (kind[own] == EITHER))
        known = kind[own][sends[own]]
        if open_.size and known.size:
            kind[first + open_] = rng.choice(known, open_.size)
    return kind


def _projection(
    network: Network, edges: RecurrentEdges, k: int, kind: Int, rng: np.random.Generator
) -> tuple[Int, Int, Int]:
    """As many places as one projection has synapses, and a copy for each."""
    projection = network.projection(edges.names[k])
    own = np.arange(edges.bounds[k], edges.bounds[k + 1])
    to, since = network.offset(projection.post), network.offset(projection.pre)
    rows, columns = projection.weights.shape
    sign = np.sign(edges.weight[own])
    pools = {EITHER: own, EXCITATORY: own[sign > 0], INHIBITORY: own[sign < 0]}
    filled = np.array([pools[c].size > 0 for c in (EITHER, EXCITATORY, INHIBITORY)])
    senders = np.flatnonzero(filled[kind[since : since + columns]])
    alone = projection.post == projection.pre and not (edges.post[own] == edges.pre[own]).any()
    height = rows - alone
    column, row = np.divmod(rng.choice(senders.size * height, own.size, replace=False), height)
    pre = senders[column]
    if alone:  # the place on the diagonal is left out of every column
        row = row + (row >= pre)
    donor = np.empty(own.size, dtype=np.int64)
    for c, pool in pools.items():
        here = kind[since + pre] == c
        if here.any():
            donor[here] = rng.choice(pool, int(here.sum()))
    return row + to, pre + since, donor


def _in_step(edges: RecurrentEdges, rng: np.random.Generator) -> Int:
    """All synapses, the projections in step: the first ones are the same share of each."""
    sizes = np.diff(edges.bounds)
    owner = np.repeat(np.arange(sizes.size), sizes)
    rank = np.arange(edges.n_edges) - edges.bounds[owner]
    place = (rank + rng.random(sizes.size)[owner]) / np.maximum(sizes, 1)[owner]
    order: Int = np.argsort(place, kind="stable")
    return order
