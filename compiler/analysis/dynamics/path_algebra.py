r"""Betweenness by products of dense matrices: shortest paths from many neurons at once.

With the adjacency A (``A_st = 1`` for a synapse s -> t, no diagonal), the paths
:math:`\sigma_{st}` of length k + 1 are those of length k times A, where t was not reached before,
and the dependencies of Brandes (2001) run back the same way:

.. math::
    \sigma^{(k+1)} = M^{(k+1)} \circ (\sigma^{(k)} A), \qquad
    \delta^{(k)} = \sigma^{(k)} \circ
        \left( \frac{M^{(k+1)} \circ (1 + \delta^{(k+1)})}{\sigma^{(k+1)}} A^T \right)

with M the mask of the pairs at that distance. Sources are rows and independent of each other, so
they are taken in blocks, which bounds the memory at A and a few blocks. In a dense random network
nearly every pair is within two steps: the few sources that need a third product are put aside and
done together, so that the others do not take part in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Arrays
from hrsnn_lava.threads import in_order

Float = NDArray[np.float64]
Int = NDArray[np.int64]
BLOCK = {"cpu": 512, "cuda": 4096}  # sources
FEW = 0.25  # share of a block below which the sources that go on are put aside


def path_dependencies(successors: sparse.csc_matrix, sources: Int, arrays: Arrays) -> Float:
    """Sum over `sources` s and all t of the share of shortest paths s -> t through every neuron.

    Args:
        successors: CSC (n_post, n_pre) without duplicates; a stored entry is a synapse.
        sources: (S,) neurons that paths start from.
        arrays: where the products are computed, in float64.

    Returns:
        (N,); NaN everywhere if the paths of a pair are too many for a float.
    """
    n = successors.shape[0]
    adjacency = arrays.put(_adjacency(successors))
    # Whom no one drives is at no end of a path: it is not waited for.
    driven = arrays.put(np.diff(successors.tocsr().indptr) > 0)
    block = BLOCK[arrays.device]
    threads = None if arrays.is_numpy and sources.size > block else 1
    score: Float = np.zeros(n)
    later = False
    with arrays.reproducible():
        while sources.size:
            walk = _Walk(adjacency, driven, arrays, may_put_aside=not later)
            pieces = [sources[at : at + block] for at in range(0, sources.size, block)]
            aside = []
            for part, rest in in_order(walk.dependencies, pieces, threads):
                score += part
                aside.append(rest)
            sources, later = np.concatenate(aside), True
    return score


def _adjacency(successors: sparse.csc_matrix) -> Float:
    """A, (n_pre, n_post), 1 for a synapse of any weight; none of a neuron onto itself."""
    ones = np.ones(successors.nnz)
    transposed = sparse.csr_matrix(
        (ones, successors.indices, successors.indptr), shape=successors.shape
    )
    dense: Float = transposed.toarray()
    np.fill_diagonal(dense, 0.0)
    return dense


class _Walk:
    """Out along all shortest paths from a block of sources, and back."""

    def __init__(self, adjacency: Any, driven: Any, arrays: Arrays, *, may_put_aside: bool) -> None:
        self._adjacency, self._driven = adjacency, driven
        self._arrays, self._may_put_aside = arrays, may_put_aside

    def dependencies(self, sources: Int) -> tuple[Float, Int]:
        """(N,) summed over the sources, and those of them that were put aside."""
        arrays, xp = self._arrays, self._arrays.xp
        with np.errstate(over="ignore", invalid="ignore"):  # too many paths, seen below
            paths, level, depth, waiting = self._out(sources)
        if not np.isfinite(float(xp.max(paths))):
            return np.full(paths.shape[1], np.nan), sources[:0]
        total = arrays.get(xp.sum(self._back(paths, level, depth, waiting), axis=0))
        return total, sources[arrays.get(waiting)]

    def _out(self, sources: Int) -> tuple[Any, Any, int, Any]:
        """Paths and level (S, N) of every target, the last level, and (S,) who is put aside.

        The level is the distance; 0 where no path is asked for, -1 where there is none.
        """
        arrays, xp = self._arrays, self._arrays.xp
        rows = arrays.put(sources)
        paths = xp.take(self._adjacency, rows, axis=0)
        own = xp.expand_dims(rows, axis=1) == arrays.put(np.arange(paths.shape[1]))
        apart = xp.astype(own | ~self._driven, xp.int32) - 1
        level = xp.where(paths > 0, xp.ones_like(apart), apart)
        nowhere, depth = xp.zeros_like(paths), 1
        while True:
            at_end = xp.any(level == depth, axis=1)
            unfinished = at_end & xp.any(level < 0, axis=1)
            n_unfinished = int(xp.sum(xp.astype(unfinished, xp.int64)))
            few = 0 < n_unfinished < FEW * sources.size
            if n_unfinished == 0 or (depth > 1 and few and self._may_put_aside):
                return paths, level, depth, unfinished
            reached = arrays.product(xp.where(level == depth, paths, nowhere), self._adjacency)
            new = (level < 0) & (reached > 0)
            depth += 1
            level = xp.where(new, depth * xp.ones_like(level), level)
            paths = xp.where(new, reached, paths)

    def _back(self, paths: Any, level: Any, depth: int, waiting: Any) -> Any:
        """Dependency (S, N) of every source on every neuron."""
        arrays, xp = self._arrays, self._arrays.xp
        level = xp.where(xp.expand_dims(waiting, axis=1), xp.zeros_like(level), level)
        dependency = nothing = xp.zeros_like(paths)
        some = xp.where(level > 0, paths, nothing + 1.0)
        for distance in range(depth, 1, -1):
            share = xp.where(level == distance, (1.0 + dependency) / some, nothing)
            back = arrays.product(share, self._adjacency.T)
            dependency = xp.where(level == distance - 1, paths * back, dependency)
        return dependency
