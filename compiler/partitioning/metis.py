"""Baseline: METIS on the edge cut, when pymetis is installed (extra ``partition``).

An edge joins a source and each of its targets, weighted by the source's rate: what most tools
minimise. Each cut synapse counts, although a message serves all synapses of a core.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph

Int = NDArray[np.int64]


def available() -> bool:
    """Whether pymetis can be imported."""
    return find_spec("pymetis") is not None


def metis(graph: Hypergraph, n_cores: int, seed: int = 0) -> Int:
    """Core of every neuron, (n_neurons,), METIS's k-way partition; limits are not looked at."""
    pymetis: Any = import_module("pymetis")

    n = graph.n_neurons
    recurrent = graph.targets[:n]
    scale = 1000.0 / max(float(graph.rate[:n].mean()), 1e-300)
    weights = np.maximum(np.rint(graph.rate[:n] * scale), 1.0)
    directed = sparse.csr_matrix(sparse.diags(weights) @ (recurrent != 0))
    both = sparse.csr_matrix(directed + directed.T)
    both.setdiag(0)
    both.eliminate_zeros()
    _, parts = pymetis.part_graph(
        n_cores,
        adjacency=pymetis.CSRAdjacency(both.indptr, both.indices),
        eweights=both.data.astype(np.int64).tolist(),
        options=pymetis.Options(seed=seed),
    )
    return np.asarray(parts, dtype=np.int64)
