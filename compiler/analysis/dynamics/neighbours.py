"""Who is connected with whom, whatever the direction and the number of synapses."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def neighbours(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    """Undirected adjacency of a network: 1 where neurons have a synapse one way or the other.

    Args:
        weights: CSR (N, N); a stored entry is a synapse, whatever its weight.

    Returns:
        CSR (N, N), symmetric, of int8, rows sorted; synapses of neurons onto themselves are left
        out.
    """
    ones = np.ones(weights.indices.size, dtype=np.int8)
    pattern = sparse.csr_matrix((ones, weights.indices, weights.indptr), shape=weights.shape)
    either = (pattern + pattern.T).tocoo()
    off = either.row != either.col
    places = (either.row[off], either.col[off])
    data = np.ones(places[0].size, dtype=np.int8)
    adjacency = sparse.csr_matrix((data, places), shape=weights.shape)
    adjacency.sort_indices()
    return adjacency
