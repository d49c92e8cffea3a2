"""Many trials of one network on one and on several threads: seconds a trial, and the gain.

Every trial has its own Poisson input. Runs with different numbers of threads take turns, the least
wall time of each counts, and their traces must be equal, otherwise the script fails (exit code 1).
Wall time is what matters here, so the figure needs a quiet machine: the load average before the
run is printed, the cores that this process really got (CPU time over wall time), and the CPU time
of a trial, from which the gain with all cores free follows.

    uv run python benchmarks/trials.py
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

import numpy as np
from networks import CASES, network
from peers import Different, check
from simulation import parser
from timing import rounds, table, wall_seconds, write

from hrsnn_lava import QuantizedInput, QuantizedNetwork, QuantizedProjection, SpikeInput, Trace
from hrsnn_lava.quantized import SignMode
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.runs.batch import simulate_batch
from hrsnn_lava.threads import available_cores


def driven_network(n: int, p: float) -> QuantizedNetwork:
    """The standard network with 100 input channels onto 10 % of the excitatory neurons each."""
    from scipy import sparse

    net = network(n, p)
    rng = generator(0, "benchmark/input")
    size = net.population("exc").size
    matrix = sparse.random(size, 100, 0.1, format="csr", random_state=rng)
    matrix.data[:] = rng.integers(8, 64, matrix.nnz)
    projection = QuantizedProjection("inp_exc", "inp", "exc", matrix, 0, SignMode.EXCITATORY)
    populations = (QuantizedInput("inp", 100), *net.populations)
    return QuantizedNetwork(populations, (projection, *net.projections)).verify()


def poisson(trial: int, steps: int) -> SpikeInput:
    """100 channels at 20 spikes per 1000 steps."""
    at, channel = np.nonzero(generator(0, "benchmark/poisson", trial).random((steps, 100)) < 0.02)
    return SpikeInput(at.astype(np.int32), channel.astype(np.int32), steps, 100)


def measure(n: int, p: float, steps: int, trials: int, repeats: int) -> list[dict[str, Any]]:
    """One row for each number of threads, 1 to all cores."""
    net = driven_network(n, p)
    inputs = [poisson(k, steps) for k in range(trials)]
    traces: dict[int, list[Trace]] = {}
    used: dict[int, tuple[float, float]] = {}

    def run(workers: int) -> float:
        before = _cpu()
        seconds = wall_seconds(
            lambda: traces.update(
                {workers: list(simulate_batch(net, inputs, steps, workers=workers))}
            )
        )
        used[workers] = min(used.get(workers, (float("inf"), 0.0)), (seconds, _cpu() - before))
        return seconds

    counts = sorted({1, 2, available_cores()})
    list(simulate_batch(net, inputs[:1], steps, workers=1))  # compiles
    best = rounds({str(w): lambda w=w: run(w) for w in counts}, repeats)  # type: ignore[misc]
    for workers in counts[1:]:
        for ours, theirs in zip(traces[1], traces[workers], strict=True):
            check(ours, theirs, f"{workers} threads")
    return [
        {
            "neurons": n,
            "trials": trials,
            "steps": steps,
            "threads": workers,
            "s_per_trial": best[str(workers)] / trials,
            "gain": best["1"] / best[str(workers)],
            "cpu_s_per_trial": used[workers][1] / trials,
            "expected_gain": workers * used[1][1] / used[workers][1],
            "cores_used": used[workers][1] / used[workers][0],
        }
        for workers in counts
    ]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


COLUMNS = {
    "neurons": "N",
    "threads": "threads",
    "trial": "ms/trial",
    "cpu": "CPU ms/trial",
    "gain": "gain",
    "cores": "cores got",
    "expected": "gain if free",
}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "neurons": str(row["neurons"]),
        "threads": str(row["threads"]),
        "trial": f"{1e3 * row['s_per_trial']:.1f}",
        "cpu": f"{1e3 * row['cpu_s_per_trial']:.1f}",
        "gain": f"{row['gain']:.2f}x",
        "cores": f"{row['cores_used']:.2f}",
        "expected": f"{row['expected_gain']:.2f}x",
    }


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="+", default=list(CASES))
    options.add_argument("--trials", type=int, default=64)
    arguments = options.parse_args()
    load = os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    for n in arguments.sizes:
        density = CASES.get(n, min(0.1, 100 / n))
        try:
            rows += measure(n, density, arguments.steps, arguments.trials, arguments.repeats)
        except Different as difference:
            print(difference, file=sys.stderr)
            return 1
    print(f"{arguments.trials} trials of {arguments.steps} steps; load average before: {load:.1f}")
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "trials", rows, load_before=load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
