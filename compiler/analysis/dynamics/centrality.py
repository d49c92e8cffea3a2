"""Betweenness centrality of the neurons of a directed network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]


def betweenness(
    weights: sparse.csr_matrix,
    *,
    n_pivots: int | None = None,
    rng: np.random.Generator | None = None,
) -> Float:
    r"""Betweenness of every neuron on shortest directed paths, each synapse counting one step.

    .. math:: B(v) = \sum_{s \ne v \ne t} \sigma_{st}(v) / \sigma_{st}

    (Freeman; algorithm of Brandes 2001.) With `n_pivots` the sum over s runs over that many
    neurons drawn without replacement and is scaled by ``N / n_pivots`` (Brandes and Pich 2007).

    Args:
        weights: CSR (n_post, n_pre); a stored entry is a synapse pre -> post, whatever its weight.
        n_pivots: None for the exact value; at N = 5000 and 10 % use 256.
        rng: draws the pivots.

    Returns:
        (N,) not normalised, as ``networkx.betweenness_centrality(..., normalized=False)``.

    Raises:
        SpecError: the matrix is not square, or the pivots cannot be drawn.
    """
    from hrsnn_lava.compiler.analysis.dynamics.graph_kernels import brandes

    n = weights.shape[0]
    if weights.shape != (n, n):
        raise SpecError(f"betweenness needs a square matrix; its shape is {weights.shape}")
    sources = np.arange(n, dtype=np.int64)
    if n_pivots is not None:
        if rng is None or n_pivots < 1:
            raise SpecError(f"n_pivots {n_pivots}: give at least 1 pivot and a random generator")
        if n_pivots < n:
            sources = np.sort(rng.choice(n, size=n_pivots, replace=False)).astype(np.int64)
    successors = weights.tocsc()
    score: Float = brandes(
        successors.indptr.astype(np.int64), successors.indices.astype(np.int64), sources
    )
    score *= n / max(sources.size, 1)
    return score


def weakly_connected_sizes(weights: sparse.csr_matrix) -> list[int]:
    """Sizes of the weakly connected components, largest first; `weights` is CSR (N, N)."""
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(weights, directed=True, connection="weak")
    sizes = np.sort(np.bincount(labels))[::-1]
    return [int(size) for size in sizes]
