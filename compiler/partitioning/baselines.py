"""What other ways of partitioning would cost, so that ours can be judged.

All get the same number of cores and the same repair, and are weighed by the same rates. The
costly ones are left out of large networks, which is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning import metis, mtkahypar
from hrsnn_lava.compiler.partitioning.candidates import Candidate
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.legality import repair
from hrsnn_lava.compiler.partitioning.multilevel import compact
from hrsnn_lava.compiler.partitioning.ordered import MANY_PINS, filled, grouped
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.compiler.partitioning.streaming import streaming

Int = NDArray[np.int64]
#: Most synapse lists for which each is computed while compiling; our choice, about a second each.
LARGEST = {"random": 1_000_000, "streaming": 1_000_000, "metis": 1_000_000, "mtkahypar": 100_000}


def baselines(
    problem: PartitionProblem,
    graph: Hypergraph,
    n_cores: int,
    *,
    seed: int = 0,
    largest: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Traffic of every baseline on about `n_cores` cores, or why it was left out.

    In large networks nothing is repaired, and ``fits`` says what breaks a limit.
    """
    bounds = LARGEST if largest is None else largest
    result: dict[str, Any] = {}
    for name, make in makers(problem, graph, n_cores, seed).items():
        pins = int(problem.level.source.size)
        if name in bounds and pins > bounds[name]:
            result[name] = {"skipped": f"{pins} synapse lists; computed up to {bounds[name]}"}
            continue
        cores = make() if pins > MANY_PINS else repair(problem, make())
        row = Candidate.of(name, cores, problem, graph).row()
        result[name] = {k: v for k, v in row.items() if k not in ("method", "neurons_per_core")}
    for name, module in (("metis", metis), ("mtkahypar", mtkahypar)):
        if not module.available():
            result[name] = {"skipped": 'not installed; pip install "hrsnn-lava[partition]"'}
    return result


def makers(
    problem: PartitionProblem, graph: Hypergraph, n_cores: int, seed: int = 0
) -> dict[str, Callable[[], Int]]:
    """The baselines that can run here, by name; each gives the core of every neuron."""
    n = problem.links.n_neurons
    size = min(-(-n // n_cores), problem.neurons_per_core)

    def along(order: Int) -> Int:
        return compact(filled(problem, grouped(problem, order), size))

    methods: dict[str, Callable[[], Int]] = {
        "neuron_order": lambda: along(np.arange(n)),
        "random": lambda: along(np.random.Generator(np.random.Philox(seed)).permutation(n)),
        "streaming": lambda: streaming(problem, n_cores),
    }
    if metis.available():
        methods["metis"] = lambda: metis.metis(graph, n_cores, seed)
    if mtkahypar.available():
        methods["mtkahypar"] = lambda: mtkahypar.mtkahypar_blocks(graph, n_cores, seed)
    return methods
