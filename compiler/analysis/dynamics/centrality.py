"""Betweenness centrality of the neurons of a directed network."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device, arrays_on
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.threads import in_order

Float = NDArray[np.float64]
Int = NDArray[np.int64]
BetweennessMethod = Literal["auto", "algebraic", "brandes"]
SOURCES = 128  # of a piece of Brandes' algorithm; fixed, so that sums have one order
THREADS_FROM = 10**7  # synapses times sources, a fiftieth of a second; below it one thread
ALGEBRA_FROM = 150  # synapses per neuron
# Synapses per pair of neurons and step of the longest path from which products of matrices cost
# less: 2.8e-11 s a pair and source for each product on one core, against 2.2e-9 s a synapse.
DENSITY_PER_STEP = {"cpu": 0.026, "cuda": 2.6e-4}  # cuda: an estimate, not measured


def betweenness(
    weights: sparse.csr_matrix,
    *,
    n_pivots: int | None = None,
    rng: np.random.Generator | None = None,
    method: BetweennessMethod = "auto",
    device: Device | Arrays = "cpu",
) -> Float:
    r"""Betweenness of every neuron on shortest directed paths, each synapse counting one step.

    .. math:: B(v) = \sum_{s \ne v \ne t} \sigma_{st}(v) / \sigma_{st}

    (Freeman; algorithm of Brandes 2001.) With `n_pivots` the sum over s runs over that many
    neurons drawn without replacement and is scaled by ``N / n_pivots`` (Brandes and Pich 2007).

    Two methods give the same numbers up to rounding (1e-9 relative and less), and each the same
    bytes for any number of threads: ``brandes`` follows synapses, and ``algebraic`` multiplies
    dense matrices, two products where every pair is within two steps; it needs ``8 N^2`` bytes.
    ``auto`` takes products on a network of more than 150 synapses per neuron whose paths are
    short enough for its density (ours; measured).

    Args:
        weights: CSR (n_post, n_pre); a stored entry is a synapse pre -> post, whatever its weight.
        n_pivots: None for the exact value, which takes 9 CPU seconds at N = 5000 and 10 %.
        rng: draws the pivots.
        method: see above.
        device: ``cpu`` (NumPy) or ``cuda`` (torch): where the products are; ``brandes`` is on the
            CPU always.

    Returns:
        (N,) not normalised, as ``networkx.betweenness_centrality(..., normalized=False)``.

    Raises:
        SpecError: the matrix is not square, the pivots cannot be drawn, the method is unknown, or
            there are more shortest paths between two neurons than a float can count (1e308).
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    n = weights.shape[0]
    if weights.shape != (n, n):
        raise SpecError(f"betweenness needs a square matrix; its shape is {weights.shape}")
    sources = np.arange(n, dtype=np.int64)
    if n_pivots is not None:
        if rng is None or n_pivots < 1:
            raise SpecError(f"n_pivots {n_pivots}: give at least 1 pivot and a random generator")
        if n_pivots < n:
            sources = np.sort(rng.choice(n, size=n_pivots, replace=False)).astype(np.int64)
    if method not in ("auto", "algebraic", "brandes"):
        raise SpecError(str(Problem("method", repr(method), "auto, algebraic, brandes")))
    arrays = arrays_on(device)
    successors = weights.tocsc(copy=True)
    successors.sum_duplicates()
    if method == "algebraic" or (method == "auto" and _suits_algebra(successors, arrays)):
        from hrsnn_lava.compiler.analysis.dynamics.path_algebra import path_dependencies

        score = path_dependencies(successors, sources, arrays)
    else:
        score = _brandes(successors, sources)
    if not np.all(np.isfinite(score)):
        problem = Problem("shortest paths between two neurons", "more than 1e308", "1e308")
        raise SpecError(f"betweenness cannot be computed: {problem}")
    score *= n / max(sources.size, 1)
    return score


def _brandes(successors: sparse.csc_matrix, sources: Int) -> Float:
    """Dependencies summed over `sources`, piece by piece, on threads."""
    from hrsnn_lava.compiler.analysis.dynamics.graph_kernels import brandes

    indptr = successors.indptr.astype(np.int64)
    indices = successors.indices.astype(np.int64)
    pieces = [sources[at : at + SOURCES] for at in range(0, sources.size, SOURCES)]
    threads = None if sources.size * indices.size >= THREADS_FROM else 1
    score: Float = np.zeros(indptr.size - 1)
    for part in in_order(lambda piece: brandes(indptr, indices, piece), pieces, threads):
        score += part
    return score


def _suits_algebra(successors: sparse.csc_matrix, arrays: Arrays) -> bool:
    """Whether products of dense matrices take less time than following synapses."""
    n, synapses = successors.shape[0], successors.nnz
    if n == 0 or (arrays.device == "cpu" and synapses <= ALGEBRA_FROM * n):
        return False
    starts = sorted({0, n // 4, n // 2, 3 * n // 4})
    steps = max(_eccentricity(successors, start) for start in starts) - 1
    return bool(synapses > DENSITY_PER_STEP[arrays.device] * steps * n * n)


def _eccentricity(successors: sparse.csc_matrix, start: int) -> int:
    """Steps of the longest of the shortest paths from a neuron."""
    reached = np.zeros(successors.shape[0], dtype=np.bool_)
    reached[start] = True
    frontier, depth = np.array([start]), 0
    while True:
        new = np.zeros_like(reached)
        new[successors[:, frontier].indices] = True
        new &= ~reached
        if not new.any():
            return depth
        reached |= new
        frontier, depth = np.flatnonzero(new), depth + 1


def weakly_connected_sizes(weights: sparse.csr_matrix) -> list[int]:
    """Sizes of the weakly connected components, largest first; `weights` is CSR (N, N)."""
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(weights, directed=True, connection="weak")
    sizes = np.sort(np.bincount(labels))[::-1]
    return [int(size) for size in sizes]
