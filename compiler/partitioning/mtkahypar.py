"""Baseline: mt-kahypar on the rate-weighted connectivity, when installed (extra ``partition``).

One hyperedge holds a source and its targets. Blocks are balanced within 3 %; limits of axons and
memory are unknown to it. One thread and the deterministic preset, so that a run can be repeated.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph

Int = NDArray[np.int64]


def available() -> bool:
    """Whether mtkahypar can be imported."""
    return find_spec("mtkahypar") is not None


def mtkahypar_blocks(
    graph: Hypergraph,
    n_cores: int,
    seed: int = 0,
    *,
    preset: str = "DETERMINISTIC",
    threads: int = 1,
    imbalance: float = 0.03,
) -> Int:
    """Core of every neuron, (n_neurons,).

    Args:
        preset: a name of ``mtkahypar.PresetType``.
        imbalance: most neurons of a block over the mean, less 1.
    """
    mtkahypar: Any = import_module("mtkahypar")

    n, targets = graph.n_neurons, graph.targets
    start = mtkahypar.initialize(threads)
    context: Any = start.context_from_preset(getattr(mtkahypar.PresetType, preset))
    context.set_partitioning_parameters(n_cores, imbalance, mtkahypar.Objective.KM1)
    context.logging = False
    mtkahypar.set_seed(seed)
    scale = 1000.0 / max(float(graph.rate.mean()), 1e-300)
    edges, weights = [], []
    for source in range(targets.shape[0]):
        pins = set(targets.indices[targets.indptr[source] : targets.indptr[source + 1]].tolist())
        if pins and source < n:
            pins.add(source)
        if len(pins) > 1:
            edges.append(sorted(pins))
            weights.append(max(1, round(float(graph.rate[source]) * scale)))
    hypergraph = start.create_hypergraph(context, n, len(edges), edges, [1] * n, weights)
    partition = hypergraph.partition(context)
    return np.asarray([partition.block_id(v) for v in range(n)], dtype=np.int64)
