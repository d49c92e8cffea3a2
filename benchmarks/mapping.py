"""Partitioning against other partitioners: messages, cores and time, on a network of communities.

    python benchmarks/mapping.py [--neurons N] [--parts K] [--seed S] [--json FILE]

By default 2,048 neurons in 16 shuffled communities (a synapse with chance .10 within one, .004
between two), log-normal rates, 16 parts of at most 3 % above the mean. METIS and mt-kahypar
join when installed: ``pip install "hrsnn-lava[partition]"``. Times are CPU times of one call,
mt-kahypar on one thread; of the others the better of two, since the first loads kernels.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.partitioning import mtkahypar
from hrsnn_lava.compiler.partitioning.baselines import makers
from hrsnn_lava.compiler.partitioning.hypergraph import Hypergraph
from hrsnn_lava.compiler.partitioning.legality import is_legal, repair
from hrsnn_lava.compiler.partitioning.multilevel import multilevel
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection


def communities(
    n: int, parts: int, seed: int, inside: float = 0.10, outside: float = 0.004
) -> tuple[QuantizedNetwork, NDArray[np.float64]]:
    """A network of `parts` communities in shuffled order, and log-normal rates per step."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(n) * parts // n)
    rows = []
    for i in range(n):
        chance = np.where(member == member[i], inside, outside)
        rows.append(sparse.csr_matrix((rng.random(n) < chance) * rng.integers(1, 128, n)))
    weights = sparse.csr_matrix(sparse.vstack(rows))
    population = QuantizedPopulation("a", n, 742, 200, 1000)
    projection = QuantizedProjection("a_a", "a", "a", weights, sign_mode="excitatory")
    return QuantizedNetwork((population,), (projection,)).verify(), rng.lognormal(-3.0, 1.0, n)


def timed(make: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The result, and the least CPU time of `repeats` calls in seconds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        found = make()
        times.append(time.process_time() - started)
    return found, min(times)


def measure(n: int, parts: int, seed: int) -> dict[str, Any]:
    """One row per partitioner."""
    network, rates = communities(n, parts, seed)
    links = Connectivity.of(network)
    graph = Hypergraph.of(links, rates)
    bound = int(1.03 * n / parts) + 1
    problem = PartitionProblem.of(links, HardwareProfile.load("loihi1"), graph.rate, bound)
    ways = makers(problem, graph, parts, seed)
    if mtkahypar.available():
        ways["mtkahypar"] = lambda: mtkahypar.mtkahypar_blocks(graph, parts, seed, preset="DEFAULT")
    ways["ours"] = lambda: multilevel(problem, parts, seed=seed)
    rows = {}
    for name, make in ways.items():
        found, seconds = timed(make, 1 if name == "mtkahypar" else 2)
        legal = repair(problem, found)
        rows[name] = {
            **graph.traffic(legal),
            "cores": int(legal.max()) + 1,
            "fits": is_legal(problem, legal),
            "seconds": seconds,
        }
    return {
        "neurons": n,
        "parts": parts,
        "seed": seed,
        "synapses": network.n_synapses,
        "rows": rows,
    }


def table(case: dict[str, Any]) -> str:
    """The rows as text, with ratios to neuron order, and to mt-kahypar where it ran."""
    rows = case["rows"]
    lines = [
        f"{case['neurons']} neurons, {case['synapses']} synapses, {case['parts']} parts, "
        f"seed {case['seed']}",
        f"{'partitioner':<14}{'cores':>6}{'messages':>12}{'between':>12}"
        f"{'vs order':>10}{'CPU s':>9}",
    ]
    base = rows["neuron_order"]["between_cores_per_step"]
    for name, row in rows.items():
        between = row["between_cores_per_step"]
        lines.append(
            f"{name:<14}{row['cores']:>6}{row['messages_per_step']:>12.1f}{between:>12.1f}"
            f"{between / base - 1.0:>+10.1%}{row['seconds']:>9.3f}"
        )
    ours, other = rows["ours"], rows.get("mtkahypar")
    if other is not None:
        keys = ("messages_per_step", "between_cores_per_step", "seconds")
        messages, between, seconds = (ours[key] / other[key] for key in keys)
        lines.append(
            f"ours / mt-kahypar: messages {messages:.3f}, between cores {between:.3f}, "
            f"time {seconds:.3f}"
        )
    else:
        lines.append('mt-kahypar is not installed: pip install "hrsnn-lava[partition]"')
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--neurons", type=int, default=2048)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    case = measure(given.neurons, given.parts, given.seed)
    print(table(case))
    if given.json:
        given.json.write_text(json.dumps(case, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
