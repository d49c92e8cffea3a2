"""Which pairs of neurons get a new connection, by what it does to the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.localisation import participation_slopes

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
Objective = Literal["max_degree_variance", "min_degree_variance", "min_ipr", "random"]
Within = Literal["neighbourhoods", "anywhere"]
#: Share of the neurons, those with fewest neighbours, that `min_ipr` joins: others become hubs.
JOINED_SHARE = 0.9
#: Parts in which `min_ipr` joins them, eigenvectors found anew for each.
BATCHES = 16


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph, and the pairs that may be joined in it.

    Attributes:
        adjacency: CSR (N, N), symmetric, of ones, no self-loops.
        group: (N,) group of every neuron.
        allowed: (G, G) groups whose neurons may be joined, symmetric.
        blocked: (B, 2) pairs that may not.
    """

    adjacency: sparse.csr_matrix
    group: Int
    allowed: Bool
    blocked: Int


@dataclass(frozen=True, eq=False)
class NewPairs:
    """Pairs to join, in the order in which they were chosen.

    Attributes:
        pairs: (C, 2) neurons, none twice.
        by_degree: how many of them `min_ipr` chose by degree, having found none that lower the
            ratio.
    """

    pairs: Int
    by_degree: int = 0


def choose_pairs(
    graph: Graph, count: int, objective: Objective, within: Within, rng: np.random.Generator
) -> NewPairs:
    r"""Up to `count` pairs, one after the other, each the best at its time.

    The mean degree is fixed by their number, so the variance of degrees rises with
    :math:`\sum_v d_v^2`, to which a new edge adds ``2 (d_u + d_v) + 2``: the pair with most, or
    fewest, neighbours is chosen, of equal ones any (by `rng`). Choosing so is greedy, and without a
    guarantee. ``min_ipr`` joins in parts, in each the pairs that lower most the inverse
    participation ratios of the leading Laplacian eigenvectors, to first order; a neuron once a
    part, and only the nine tenths of fewest neighbours, since large degrees localise (ours).

    Costs 3 N^2 bits and, for every pair, N / 64 + d looks, d the pairs that its ends could be
    joined in: 2 to 4 s for 50000 pairs of 5000 neurons that have 100 neighbours. ``min_ipr`` adds,
    `BATCHES` times or more, the eigenvectors and a look at every candidate: 45 s there.

    Args:
        within: ``neighbourhoods``: pairs that have a common neighbour by then; or ``anywhere``.
    """
    from hrsnn_lava.compiler.pruning import pair_kernels as kernels

    n = graph.group.size
    if n == 0 or count == 0:
        return NewPairs(np.zeros((0, 2), dtype=np.int64))
    # Neurons are numbered anew, so that the first of equal pairs is any of them.
    order = rng.permutation(n)
    number = np.empty(n, dtype=np.int64)
    number[order] = np.arange(n)
    adjacency = graph.adjacency[order][:, order].tocsr()
    tables = kernels.pairs_of(
        adjacency.indptr.astype(np.int64),
        adjacency.indices.astype(np.int64),
        graph.group[order].astype(np.int64),
        graph.allowed,
        number[graph.blocked].reshape(-1, 2),
        within == "anywhere",
    )
    by_degree = 0
    if objective == "random":
        pairs = kernels.join_at_random(tables, rng.random(count))
    elif objective == "min_ipr":
        first = _lower_participation(tables, adjacency, count)
        rest = kernels.join_by_degree(tables, count - len(first), 1)
        pairs, by_degree = np.concatenate([first, rest]), len(rest)
    else:
        sign = 1 if objective == "min_degree_variance" else -1
        pairs = kernels.join_by_degree(tables, count, sign)
    return NewPairs(order[pairs].reshape(-1, 2), by_degree)


def _lower_participation(tables: Any, adjacency: sparse.csr_matrix, count: int) -> Int:
    """Join what lowers the participation of leading eigenvectors, until nothing does."""
    from threadpoolctl import threadpool_limits

    from hrsnn_lava.compiler.pruning.pair_kernels import join_by_slope

    chosen = np.zeros((0, 2), dtype=np.int64)
    part = -(-count // BATCHES)
    while len(chosen) < count and adjacency.nnz:
        with threadpool_limits(limits=1):  # sums in another order would give other last bits
            vectors, slopes = participation_slopes(adjacency)
        eligible = tables.degree <= np.quantile(tables.degree, JOINED_SHARE)
        asked = min(part, count - len(chosen))
        pairs = join_by_slope(tables, asked, eligible, vectors, slopes)
        if not len(pairs):
            break
        chosen = np.concatenate([chosen, pairs])
        ends = np.concatenate([pairs, pairs[:, ::-1]])
        ones = np.ones(len(ends), dtype=adjacency.dtype)
        adjacency = adjacency + sparse.csr_matrix((ones, tuple(ends.T)), shape=adjacency.shape)
    return chosen
