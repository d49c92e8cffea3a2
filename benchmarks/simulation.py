"""Time of a step: native against reference and live Lava, the same network in one run.

Random balanced networks, 80 % excitatory, about 3 % of the neurons firing in a step. The time per
step is the slope between a short and a long run, so start-up does not count; it is printed apart.
All runs must give the same spikes, otherwise the script fails.

    uv run python benchmarks/simulation.py            # N = 1000 and 5000, Lava included
    uv run python benchmarks/simulation.py --no-lava  # on a Python without Lava
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
from scipy import sparse

from hrsnn_lava import QuantizedNetwork, QuantizedPopulation, QuantizedProjection, Trace
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.lava import LavaBackend, lava_obstacle
from hrsnn_lava.sim_backends.layout import Events
from hrsnn_lava.sim_backends.native import IntegerSimulator, NativeBackend
from hrsnn_lava.sim_backends.parity import compare
from hrsnn_lava.sim_backends.reference import ReferenceBackend

CASES = {1000: 0.10, 5000: 0.05}


def network(n: int, p: float, seed: int = 0) -> QuantizedNetwork:
    """A balanced network with per-neuron decays, thresholds and biases."""
    rng = generator(seed, f"benchmark/{n}")
    sizes = {"exc": round(0.8 * n), "inh": n - round(0.8 * n)}
    populations = [
        QuantizedPopulation(
            name,
            size,
            du=rng.integers(700, 900, size),
            dv=rng.integers(150, 400, size),
            vth=rng.integers(3000, 6000, size),
            bias_mant=rng.integers(2000, 4000, size),
            bias_exp=3,
        )
        for name, size in sizes.items()
    ]
    projections = []
    for pre, n_pre in sizes.items():
        for post, n_post in sizes.items():
            count = rng.binomial(n_pre * n_post, p)
            weight = rng.integers(1, 12, count) if pre == "exc" else -rng.integers(4, 48, count)
            places = (rng.integers(0, n_post, count), rng.integers(0, n_pre, count))
            matrix = sparse.coo_matrix((weight, places), shape=(n_post, n_pre)).tocsr()
            mode = "excitatory" if pre == "exc" else "inhibitory"
            projections.append(QuantizedProjection(f"{pre}_{post}", pre, post, matrix, 0, mode))
    return QuantizedNetwork(tuple(populations), tuple(projections)).verify()


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Smallest wall time of several calls."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def slope(run: Callable[[int], Any], short: int, long: int, repeats: int) -> tuple[float, float]:
    """Seconds per step, and seconds of everything that does not grow with the steps."""
    first, second = (seconds(lambda t=t: run(t), repeats) for t in (short, long))
    per_step = (second - first) / (long - short)
    return per_step, first - short * per_step


def native_per_step(net: QuantizedNetwork, steps: int, repeats: int) -> float:
    """Seconds per step of the kernel, from rest, spikes recorded."""
    simulator = IntegerSimulator(net)
    mantissas = net.gather("bias_mant")[None, :]
    chunk = 100

    def run() -> None:
        simulator.reset()
        for first in range(0, steps, chunk):
            simulator.advance(chunk, Events.none(chunk), np.array([first]), mantissas)

    run()
    return seconds(run, repeats) / steps


def measure(n: int, steps: int, repeats: int, with_lava: bool) -> dict[str, Any]:
    """All figures of one size."""
    net = network(n, CASES[n])
    trace = NativeBackend().run(net, None, steps)
    events = sum(
        int(np.diff(p.weights.tocsc().indptr)[trace_part(trace, net, p.pre)].sum())
        for p in net.projections
    )
    reference_steps = min(steps, 200)
    check(trace, ReferenceBackend().run(net, None, reference_steps), reference_steps)
    row: dict[str, Any] = {
        "neurons": n,
        "synapses": net.n_synapses,
        "steps": steps,
        "rate": trace.n_spikes / steps / n,
        "events_per_step": events / steps,
        "native_s": native_per_step(net, steps, repeats),
        "reference_s": slope(
            lambda t: ReferenceBackend().run(net, None, t), 20, reference_steps, 2
        )[0],
    }
    if with_lava:
        backend = LavaBackend()
        runs: dict[int, Trace] = {}

        def lava(t: int) -> None:
            runs[t] = backend.run(net, None, t)

        row["lava_s"], row["lava_start_s"] = slope(lava, 100, steps, 2)
        check(trace, runs[steps], steps)
    return row


def trace_part(trace: Trace, net: QuantizedNetwork, name: str) -> Any:
    """Neurons of a population that fired, one entry per spike, counted within it."""
    first = net.offset(name)
    inside = (trace.spike_neurons >= first) & (
        trace.spike_neurons < first + net.population(name).size
    )
    return trace.spike_neurons[inside] - first


def check(a: Trace, b: Trace, steps: int) -> None:
    """Fail when two runs differ within the first `steps` steps."""
    early = a.spike_steps < steps
    cut = Trace(a.spike_steps[early], a.spike_neurons[early], steps, a.n_neurons)
    mismatches, first = compare(cut, b, ("native", "other"))
    if mismatches:
        sys.exit(f"the runs differ, so their times mean nothing: {first}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-lava", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    obstacle = "left out" if arguments.no_lava else lava_obstacle()
    if obstacle:
        print(f"without Lava: {obstacle}")
    rows = [
        measure(n, arguments.steps, arguments.repeats, obstacle is None) for n in arguments.sizes
    ]
    print(
        f"{'N':>6} {'synapses':>9} {'rate':>6} {'events/step':>11} {'native':>10} {'ns/event':>8} "
        f"{'reference':>10} {'ratio':>6} {'Lava':>10} {'ratio':>6}"
    )
    for row in rows:
        native = row["native_s"]
        lava = row.get("lava_s")
        print(
            f"{row['neurons']:6d} {row['synapses']:9d} {row['rate']:6.3f} "
            f"{row['events_per_step']:11.0f} {1e6 * native:7.1f} us "
            f"{1e9 * native / row['events_per_step']:8.2f} "
            f"{1e6 * row['reference_s']:7.0f} us {row['reference_s'] / native:5.0f}x "
            + (f"{1e6 * lava:7.0f} us {lava / native:5.0f}x" if lava else f"{'-':>10} {'-':>6}")
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
