"""Cycle covers of the recurrent graph: by these synapses every neuron keeps an input and an output.

A cover is a matching between the neurons as senders and the same neurons as receivers: each sends
along one synapse and hears along one, so that its synapses form chains and cycles. Covers are
maximum-weight bipartite matchings on the synapses that there are. Their weights lie between 1 and
1 + 1 / (N + 1), so that no heavier synapse ever costs a neuron its synapse: the matching is a
maximum one, and among these the heaviest. Drawn weights make it one of many; those of a score,
by `ranked`, the one that keeps most of it.

Where no perfect matching exists, some neurons stay without a sender or a receiver. Each of those
that has a synapse left gets one, to or from the neuron that has fewest by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.compiler.pruning.budget import Costs, fill
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Graph:
    """Synapses between neurons.

    Attributes:
        n_neurons: N.
        pre, post: (E,) senders and receivers.
        weight: (E,) 0 to 1: which of them a cover prefers.
    """

    n_neurons: int
    pre: Int
    post: Int
    weight: Float


@dataclass(frozen=True, eq=False)
class Covers:
    """Synapses that covers keep.

    Attributes:
        keep: (E,) which.
        whole: covers that fitted into the budget as a whole.
        matched: (number of covers,) synapses of each matching.
        added: synapses for neurons that no matching reaches.
    """

    keep: Bool
    whole: int = 0
    matched: tuple[int, ...] = ()
    added: int = 0


def ranked(score: Float, ties: Float) -> Float:
    """Ranks of scores as weights of a `Graph`, evenly between 0 and 1, (E,); the largest is last.

    Weights have to lie there for a matching to stay a maximum one, so that of scores of any size
    and spread the order alone counts (ours).

    Args:
        score: (E,) finite.
        ties: (E,) the order of equal ones.

    Raises:
        SpecError: a score is not finite.
    """
    if not np.isfinite(score).all():
        raise SpecError("scores that weigh the synapses of covers must be finite")
    weight = np.empty(score.size)
    weight[np.lexsort((ties, score))] = (np.arange(score.size) + 0.5) / max(score.size, 1)
    return weight


def matching(graph: Graph, free: Bool) -> Int:
    """Indices of the synapses of a maximum matching of the heaviest ones, (M,).

    Args:
        graph: all synapses.
        free: (E,) those that may be taken.
    """
    n, edges = graph.n_neurons, np.flatnonzero(free)
    if not edges.size:
        return edges
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # of parallel synapses the heaviest stands for the pair
    keys = graph.pre[edges] * n + graph.post[edges]
    order = np.lexsort((-graph.weight[edges], keys))
    first = np.append(True, np.diff(keys[order]) > 0)
    edges = edges[order[first]]
    values = 1.0 + graph.weight[edges] / (n + 1.0)
    # a column of its own for every sender, worth next to nothing, makes the matching a full one
    rows = np.concatenate([graph.pre[edges], np.arange(n)])
    columns = np.concatenate([graph.post[edges], n + np.arange(n)])
    data = np.concatenate([values, np.full(n, 1e-9)])
    table = sparse.csr_matrix((data, (rows, columns)), shape=(n, 2 * n))
    sender, receiver = min_weight_full_bipartite_matching(table, maximize=True)
    real = receiver < n
    pairs = np.sort(sender[real].astype(np.int64) * n + receiver[real])
    chosen = graph.pre[edges] * n + graph.post[edges]
    matched: Int = edges[np.searchsorted(chosen, pairs)]
    return matched


def cycle_covers(graph: Graph, costs: Costs, rng: np.random.Generator) -> Covers:
    """Cover after cover, as long as the budget lasts.

    The last one is walked along its chains and cycles, in random order, and what fits is kept.
    Where neurons that fire much more than the others leave too much of the budget, more follow.

    Args:
        graph: the synapses.
        costs: of each, and the budget.
        rng: draws the order of chains, and among equals.
    """
    each, keep = costs.each, np.zeros(costs.each.size, dtype=np.bool_)
    sizes, whole, added, broken = list[int](), 0, 0, False
    while True:
        left = costs.allowed - float(each[keep].sum())
        free = ~keep & (each <= left)
        if not free.any() or (broken and left <= costs.rest):
            break
        # kept synapses first, so that `fill` spends on the others what these have left
        kept, edges = np.flatnonzero(keep), matching(graph, free)
        sizes.append(edges.size)
        if float(each[kept].sum() + each[edges].sum()) > costs.allowed:
            keep = fill(np.concatenate([kept, walked(graph, edges, rng)]), costs)
            if np.count_nonzero(keep) == kept.size:  # what rounding alone let fit
                break
            broken = True
            continue
        keep[edges] = True
        whole += 1
        if edges.size < graph.n_neurons:
            before = int(np.count_nonzero(keep))
            extra = _unreached(graph, keep, edges, rng)
            keep = fill(np.concatenate([np.flatnonzero(keep), extra]), costs)
            added += int(np.count_nonzero(keep)) - before
    return Covers(keep, whole, tuple(sizes), added)


def walked(graph: Graph, edges: Int, rng: np.random.Generator) -> Int:
    """The synapses of a matching along its chains and cycles, these in random order."""
    n = graph.n_neurons
    by_sender = np.full(n, -1, dtype=np.int64)
    by_sender[graph.pre[edges]] = edges
    reached = np.zeros(n, dtype=np.bool_)
    reached[graph.post[edges]] = True
    senders = rng.permutation(graph.pre[edges])
    # chains begin where nobody sends to; what is left then are cycles
    starts = np.concatenate([senders[~reached[senders]], senders])
    seen, order = np.zeros(n, dtype=np.bool_), list[int]()
    for start in starts.tolist():
        at = start
        while not seen[at] and by_sender[at] >= 0:
            seen[at] = True
            order.append(int(by_sender[at]))
            at = int(graph.post[order[-1]])
    return np.array(order, dtype=np.int64)


def _unreached(graph: Graph, keep: Bool, edges: Int, rng: np.random.Generator) -> Int:
    """A synapse for each neuron that a matching leaves without a sender or a receiver."""
    degrees = [
        np.bincount(side[keep], minlength=graph.n_neurons) for side in (graph.pre, graph.post)
    ]
    ends, chosen = (graph.post, graph.pre), list[int]()
    for side, (end, other) in enumerate((ends, ends[::-1])):
        missing = np.ones(graph.n_neurons, dtype=np.bool_)
        missing[end[edges]] = False
        free = np.flatnonzero(~keep & missing[end])
        free = free[rng.permutation(free.size)]
        # to or from the neuron that has fewest, neuron by neuron
        for neuron in np.unique(end[free]).tolist():
            own = free[end[free] == neuron]
            best = int(own[np.argmin(degrees[side][other[own]])])
            degrees[side][other[best]] += 1
            chosen.append(best)
    return np.unique(np.array(chosen, dtype=np.int64))


def one_each(ends: Int, rng: np.random.Generator, weight: Float | None = None) -> Int:
    """All synapses in random order, but first one of every neuron, then a second one, and so on.

    Args:
        ends: (E,) the neurons at one of their ends.
        rng: draws.
        weight: (E,) the heaviest first, instead of a random order; all different.
    """
    shuffled = rng.permutation(ends.size) if weight is None else np.argsort(-weight)
    by_neuron = shuffled[np.argsort(ends[shuffled], kind="stable")]
    sizes = np.bincount(ends)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    turn = np.empty(ends.size, dtype=np.int64)
    turn[by_neuron] = np.arange(ends.size) - first
    order: Int = shuffled[np.argsort(turn[shuffled], kind="stable")]
    return order


def structural_rank(edges: RecurrentEdges, keep: Bool) -> int:
    """Largest rank that the kept synapses can have: the size of their largest matching."""
    from scipy.sparse.csgraph import structural_rank as rank

    kept = (edges.post[keep], edges.pre[keep])
    shape = (edges.n_neurons, edges.n_neurons)
    return int(rank(sparse.csr_matrix((np.ones(kept[0].size), kept), shape))) if keep.any() else 0
