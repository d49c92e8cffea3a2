"""The steps of one iteration of Lyapunov Noise Pruning, all of it, and a cover of balanced pruning.

    python benchmarks/pruning.py [--neurons N] [--density P] [--chains K] [--peer-neurons N]
                                 [--device cpu|cuda] [--json FILE]

A random network, 80 % excitatory, tau_mem of Gamma(3). Every step runs in a process of its own,
which makes the network, warms the kernels up on a small one and prints seconds and memory: CPU
time of all threads together, wall time, and the largest resident set, what is loaded included.
Peers of two steps run at `--peer-neurons`, the size that they can do, beside our step at that size:
``scipy.linalg.solve_continuous_lyapunov`` for the covariance and networkx for betweenness.
Results have to agree with the peer's, or the script ends with an error.

A step is a function of `Case` in `STEPS`; one more is one more line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from timing import machine, table, write

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance
from hrsnn_lava.compiler.analysis.dynamics.edge_variances import VarianceSettings, edge_variances
from hrsnn_lava.compiler.analysis.dynamics.lyapunov_matrix import lyapunov_matrix
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import isolated_exponents
from hrsnn_lava.compiler.analysis.dynamics.stability import StableSystem, stabilise
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.pruning.edge_sampling import inclusion_probabilities, sample_edges
from hrsnn_lava.compiler.pruning.edge_score import ScoredSystem
from hrsnn_lava.compiler.pruning.surgery import pruned_synapses
from hrsnn_lava.csr import rows_of
from hrsnn_lava.network import LIF, Network, Population, Projection
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
KEPT = 0.1  # share of the synapses that a step of sampling keeps
DROPPED, ADDED = 0.1, 0.05  # share of the neurons that go, and of synapses that come, in one
WARM_UP = 60  # neurons
AGREEMENT = 1e-6  # relative, of a peer's result and ours


@dataclass(frozen=True, eq=False)
class Case:
    """The network of a run, and what the steps before a step hand to it.

    Attributes:
        neurons, density: N, and synapses per pair.
        chains: of the sampled covariance.
        device: of dense algebra.
    """

    neurons: int
    density: float
    chains: int = 256
    device: Any = "cpu"

    @cached_property
    def weights(self) -> sparse.csr_matrix:
        """W, CSR (N, N), rows post; made row by row, so that nothing dense is counted."""
        rng = generator(0, f"benchmark/pruning/{self.neurons}")
        n = self.neurons
        kind = np.where(np.arange(n) < 0.8 * n, 0.1, -0.4)
        indptr, indices, data = [0], [], []
        for _ in range(n):
            pre = np.flatnonzero(rng.random(n) < self.density)
            indices.append(pre)
            data.append(kind[pre] * rng.gamma(2.0, 0.5, pre.size))
            indptr.append(indptr[-1] + pre.size)
        arrays = (np.concatenate(data), np.concatenate(indices), np.array(indptr))
        return sparse.csr_matrix(arrays, shape=(n, n))

    @cached_property
    def tau_mem(self) -> Float:
        """(N,) membrane time constants in seconds."""
        rng = generator(0, f"benchmark/pruning/tau/{self.neurons}")
        tau: Float = 0.003 + rng.gamma(3.0, 0.006, self.neurons)
        return tau

    @cached_property
    def coupling(self) -> sparse.csr_matrix:
        """L, the Lyapunov matrix."""
        return lyapunov_matrix(self.weights, isolated_exponents(self.tau_mem)).matrix

    @cached_property
    def system(self) -> StableSystem:
        """``A = -D + L``."""
        return stabilise(self.coupling, 1.0 / self.tau_mem)

    @cached_property
    def network(self) -> Network:
        """The network of these weights: excitatory and inhibitory neurons, four projections."""
        n_exc = int(np.ceil(0.8 * self.neurons))
        parts = {"exc": slice(0, n_exc), "inh": slice(n_exc, self.neurons)}
        signs: dict[str, Any] = {"exc": "excitatory", "inh": "inhibitory"}
        populations = tuple(
            Population(name, part.stop - part.start, LIF(self.tau_mem[part]), sign=signs[name])
            for name, part in parts.items()
        )
        projections = tuple(
            Projection(f"{pre}_{post}", pre, post, self.weights[rows][:, columns])
            for post, rows in parts.items()
            for pre, columns in parts.items()
        )
        return Network(1e-3, populations, projections).verify()

    def variances(self, method: Any) -> Float:
        """Of every synapse, ``Var(x_i - s x_j)``."""
        ends = (rows_of(self.weights), self.weights.indices, np.sign(self.coupling.data))
        abscissa = self.system.abscissa
        settings = VarianceSettings(method, 1.0, abscissa, "auto", self.chains, self.device)
        rng = generator(0, "benchmark/pruning/chains")
        return edge_variances(self.system.matrix, *ends, settings, rng=rng).values


def _exact(case: Case) -> str:
    """The report of a covariance; its edges are read as well, as the pass does."""
    found = covariance(case.system.matrix, abscissa=case.system.abscissa, device=case.device)
    return f"{found.precision}, {found.iterations} doublings, residual {found.residual:.1e}"


def _sampled(case: Case) -> str:
    case.variances("sampled")
    return f"{case.chains} chains, error {np.sqrt(2 / case.chains):.2f}"


def _scores(case: Case) -> str:
    variance = np.full(case.weights.nnz, 1.0) + case.weights.data**2
    scores = ScoredSystem(case.weights, case.coupling, None, variance).noise_driven()
    chance = inclusion_probabilities(scores, KEPT * scores.size)
    keep = sample_edges(chance, "bernoulli", generator(0, "benchmark/pruning/sampling"))
    return f"{np.count_nonzero(keep):,} of {keep.size:,} kept"


def _betweenness(method: Any) -> Callable[[Case], str]:
    def step(case: Case) -> str:
        score = betweenness(case.weights, method=method, device=case.device)
        return f"sum {score.sum():.6g}"

    return step


def _pivots(case: Case) -> str:
    rng = generator(0, "benchmark/pruning/pivots")
    betweenness(case.weights, n_pivots=256, rng=rng, method="brandes")
    return "256 sources"


def _balanced(case: Case) -> str:
    """One cover, and no run: biases are not compensated."""
    density = case.neurons / case.network.n_synapses
    _, report = PruneBalanced(density=density, compensate=False).apply(case.network)
    return f"{report['synapses_after']:,} kept, rank {report['structural_rank']}"


def _iteration(case: Case) -> str:
    """Steps I to III of the paper's algorithm: synapses, neurons, new synapses."""
    context = Context(seed=0)
    options = PruneLyapunov(KEPT, device=case.device)
    thin, _ = options.apply(case.network, context)
    small, report = PruneNeurons(DROPPED, device=case.device).apply(thin, context)
    gone = pruned_synapses(case.network, small, np.array(report["kept"]))
    grown, added = Delocalize(ADDED).apply(small, Context(seed=0, pruned=gone))
    return f"{grown.n_neurons:,} neurons, {grown.n_synapses:,} synapses, {added['added']:,} new"


@dataclass(frozen=True)
class Step:
    """One step of an iteration.

    Attributes:
        prepare: what it takes from the steps before it, not timed.
        run: what is timed; a remark on the result.
    """

    prepare: Callable[[Case], Any]
    run: Callable[[Case], str]


STEPS: dict[str, Step] = {
    "Lyapunov matrix": Step(
        lambda case: (case.weights, case.tau_mem), lambda case: f"{case.coupling.nnz:,} synapses"
    ),
    "stable system": Step(
        lambda case: case.coupling,
        lambda case: f"abscissa {case.system.abscissa:.3g}, {case.system.estimate}",
    ),
    "covariance, exact": Step(lambda case: case.system, _exact),
    "covariance, sampled": Step(lambda case: case.system, _sampled),
    "scores and sampling": Step(lambda case: case.coupling, _scores),
    "betweenness": Step(lambda case: case.weights, _betweenness("auto")),
    "betweenness, Brandes": Step(lambda case: case.weights, _betweenness("brandes")),
    "betweenness, 256 pivots": Step(lambda case: case.weights, _pivots),
    "balanced": Step(lambda case: case.network, _balanced),
    "iteration": Step(lambda case: case.network, _iteration),
}


def _scipy_lyapunov(case: Case) -> tuple[Float, dict[str, float]]:
    from scipy import linalg

    dense = case.system.matrix.toarray()
    return timed(lambda: linalg.solve_continuous_lyapunov(dense, -np.eye(case.neurons)))


def _networkx(case: Case) -> tuple[Float, dict[str, float]]:
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(range(case.neurons))
    graph.add_edges_from(
        zip(case.weights.indices.tolist(), rows_of(case.weights).tolist(), strict=True)
    )
    found, seconds = timed(lambda: nx.betweenness_centrality(graph, normalized=False))
    return np.array([found[v] for v in range(case.neurons)]), seconds


#: Peer, its call, and ours: both return the result and the seconds.
PEERS: dict[str, tuple[Callable[[Case], Any], Callable[[Case], Any]]] = {
    "SciPy solve_continuous_lyapunov": (
        _scipy_lyapunov,
        lambda case: timed(
            lambda: covariance(case.system.matrix, abscissa=case.system.abscissa).matrix
        ),
    ),
    "networkx betweenness_centrality": (
        _networkx,
        lambda case: timed(lambda: betweenness(case.weights)),
    ),
}


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """A result, and its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = call()
    return result, {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def measure(name: str, case: Case) -> dict[str, Any]:
    """One step in this process: seconds, peak memory, remark."""
    small = Case(min(WARM_UP, case.neurons), 0.5, 2, case.device)
    STEPS[name].prepare(small)
    STEPS[name].run(small)
    STEPS[name].prepare(case)
    remark, seconds = timed(lambda: STEPS[name].run(case))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"step": name, **seconds, "peak_bytes": peak, "remark": remark}


def in_a_process(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """`measure` in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--step", name, "--neurons", str(given.neurons)]
    command += ["--density", str(given.density), "--chains", str(given.chains)]
    command += ["--device", given.device]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def against_peers(case: Case) -> list[dict[str, Any]]:
    """A row for each peer that is installed.

    Raises:
        RuntimeError: a peer's result is another one.
    """
    rows = []
    for name, (theirs, ours) in PEERS.items():
        ours(Case(WARM_UP, 0.5))
        try:
            expected, their_seconds = theirs(case)
        except ImportError as error:
            rows.append({"peer": name, "remark": str(error)})
            continue
        found, seconds = ours(case)
        difference = float(np.abs(found - expected).max() / np.abs(expected).max())
        if not difference <= AGREEMENT:
            raise RuntimeError(f"{name}: the results differ by {difference:.2g}")
        rows.append(
            {
                "peer": name,
                "peer_cpu_s": their_seconds["cpu_s"],
                "cpu_s": seconds["cpu_s"],
                "ratio": their_seconds["cpu_s"] / seconds["cpu_s"],
                "difference": difference,
            }
        )
    return rows


def step_table(rows: list[dict[str, Any]]) -> str:
    """The steps as text."""
    steps = [
        {
            "step": row["step"],
            "cpu": f"{row['cpu_s']:.2f}",
            "wall": f"{row['wall_s']:.2f}",
            "peak": f"{row['peak_bytes'] / 1e9:.2f}",
            "remark": row["remark"],
        }
        for row in rows
    ]
    columns = {"step": "step", "cpu": "CPU s", "wall": "wall s", "peak": "peak GB", "remark": ""}
    return table(steps, columns)


def tables(document: dict[str, Any]) -> str:
    """Both tables as text."""
    peers = [
        {
            "peer": row["peer"],
            "theirs": f"{row['peer_cpu_s']:.2f}",
            "ours": f"{row['cpu_s']:.3f}",
            "ratio": f"{row['ratio']:.0f}x",
            "difference": f"{row['difference']:.0e}",
        }
        if "ratio" in row
        else {"peer": f"{row['peer']}: {row['remark']}"}
        for row in document["peers"]
    ]
    parts = [
        f"N = {document['neurons']}, density {document['density']:g}, "
        f"{document['cores']} cores, load {machine()['load_average']}\n",
        step_table(document["steps"]),
    ]
    if peers:
        against = {"peer": f"peer, N = {document['peer_neurons']}", "theirs": "CPU s"}
        against |= {"ours": "ours, CPU s", "ratio": "ratio", "difference": "differ by"}
        parts += ["", table(peers, against)]
    return "\n".join(parts)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--neurons", type=int, default=1000)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--chains", type=int, default=256)
    parser.add_argument("--peer-neurons", type=int, default=500, help="0 leaves them out")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--step", choices=list(STEPS), help="this one alone, here, as JSON")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.step:
        case = Case(given.neurons, given.density, given.chains, given.device)
        print(json.dumps(measure(given.step, case)))
        return 0
    document: dict[str, Any] = {
        "neurons": given.neurons,
        "density": given.density,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "peer_neurons": given.peer_neurons,
        "steps": [in_a_process(name, given) for name in given.only],
        "peers": [],
    }
    if given.peer_neurons:
        document["peers"] = against_peers(Case(given.peer_neurons, given.density))
    print(tables(document))
    rows = {"steps": document.pop("steps"), "peers": document.pop("peers")}
    write(given.json, "pruning", rows, **document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
