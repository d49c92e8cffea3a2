"""Compiled graph kernels; imported on first use, since numba takes a third of a second to load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Float = NDArray[np.float64]
Index = NDArray[np.int64]


@kernel()
def shared_neighbours(
    indptr: Index, indices: Index, row: Index, column: Index, value: Float
) -> tuple[Index, Float]:
    """Number and summed `value` of the neighbours that both ends of every edge share.

    Args:
        indptr, indices: undirected adjacency in CSR form.
        row, column: (E,) ends of the edges, sorted by row.
        value: (N,) one number per neuron.
    """
    n = indptr.size - 1
    marked = np.full(n, -1, dtype=np.int64)
    count = np.zeros(row.size, dtype=np.int64)
    total = np.zeros(row.size)
    current = -1
    for edge in range(row.size):
        i, j = row[edge], column[edge]
        if i != current:
            current = i
            for at in range(indptr[i], indptr[i + 1]):
                marked[indices[at]] = i
        for at in range(indptr[j], indptr[j + 1]):
            k = indices[at]
            if marked[k] == i:
                count[edge] += 1
                total[edge] += value[k]
    return count, total


@kernel(nogil=True)
def brandes(indptr: Index, indices: Index, sources: Index) -> Float:
    """Unweighted directed betweenness summed over the paths that leave `sources` (Brandes 2001).

    NaN everywhere if there are more shortest paths between two nodes than a float can count.

    Args:
        indptr, indices: successors of every node in CSR form.
        sources: nodes to start from.
    """
    n = indptr.size - 1
    score = np.zeros(n)
    distance = np.empty(n, dtype=np.int64)
    paths = np.empty(n)
    dependency = np.empty(n)
    order = np.empty(n, dtype=np.int64)
    for source in sources:
        distance[:] = -1
        paths[:] = 0.0
        dependency[:] = 0.0
        distance[source] = 0
        paths[source] = 1.0
        order[0] = source
        head, tail = 0, 1
        while head < tail:
            v = order[head]
            head += 1
            for at in range(indptr[v], indptr[v + 1]):
                w = indices[at]
                if distance[w] < 0:
                    distance[w] = distance[v] + 1
                    order[tail] = w
                    tail += 1
                if distance[w] == distance[v] + 1:
                    paths[w] += paths[v]
        for position in range(tail - 1, 0, -1):
            v = order[position]
            if np.isinf(paths[v]):
                score[:] = np.nan
                return score
            for at in range(indptr[v], indptr[v + 1]):
                w = indices[at]
                if distance[w] == distance[v] + 1:
                    dependency[v] += paths[v] / paths[w] * (1.0 + dependency[w])
            score[v] += dependency[v]
    return score
