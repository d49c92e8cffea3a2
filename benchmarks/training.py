"""Time of STDP training in float: samples and synaptic events a second, beside no learning at all.

All synapses onto excitatory neurons learn, those of the inputs among them; about 3 % of the neurons
fire in a step, samples take 100 steps and the network starts afresh with each. One thread. Rows:

- fixed: the float engine without learning, on the same samples
- uniform: one rule for a projection; traces belong to neurons
- amplitudes: A+ and A- of every synapse by itself, one pair of time constants
- classes: 8 values of each time constant, as a chip has profiles; traces belong to synapses
- synapses: every synapse with time constants of its own

    uv run python benchmarks/training.py
    uv run python benchmarks/training.py --sizes 2000 --repeats 3
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from scipy import sparse
from simulation import parser
from timing import table, write

from hrsnn_lava import LIF, Input, Network, Population, Projection, SpikeInput
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.course import stimulus_of
from hrsnn_lava.training.monitoring import Monitoring
from hrsnn_lava.training.stdp import source_fan_out, train_stdp

STEPS, CHANNELS, CLASSES = 100, 100, 8
ARMS = ("uniform", "amplitudes", "classes", "synapses")


def network(n: int, arm: str, degree: int, seed: int = 0) -> Network:
    """A network of `n` neurons, `degree` synapses each, with rules of one kind."""
    rng, n_exc = np.random.default_rng(seed), n * 4 // 5
    sizes = {"inp": CHANNELS, "exc": n_exc, "inh": n - n_exc}

    def connect(pre: str, post: str, weight: float, density: float) -> Projection:
        shape = (sizes[post], sizes[pre])
        matrix = sparse.random(*shape, density=density, random_state=seed, format="csr")
        matrix.data = weight * rng.gamma(4, 0.25, matrix.nnz)
        rule = None
        if post == "exc":
            rule = _rule(rng, arm, matrix.nnz, 3 * abs(weight))
        return Projection(f"{pre}_{post}", pre, post, matrix, plasticity=rule)

    scale = 1.0 / degree
    lif = LIF(0.020, tau_syn=0.005, bias=0.5)
    return Network(
        1e-3,
        (
            Population("inp", CHANNELS, Input()),
            Population("exc", n_exc, lif, "excitatory"),
            Population("inh", n - n_exc, lif, "inhibitory"),
        ),
        (
            connect("inp", "exc", 0.05, 0.3),
            connect("inp", "inh", 0.05, 0.3),
            connect("exc", "exc", 0.4 * scale, degree / n),
            connect("exc", "inh", 1.2 * scale, degree / n),
            connect("inh", "exc", -4.0 * scale, degree / n),
            connect("inh", "inh", -4.0 * scale, degree / n),
        ),
    ).verify()


def _rule(rng: np.random.Generator, arm: str, count: int, top: float) -> STDP:
    a_plus: Any = 1e-4 * top
    tau: Any = (0.020, 0.020)
    if arm != "uniform":
        a_plus = a_plus * rng.gamma(3, 1 / 3, count)
    if arm == "classes":
        tau = tuple(
            0.020 * rng.gamma(3, 1 / 3, CLASSES)[rng.integers(CLASSES, size=count)]
            for _ in range(2)
        )
    if arm == "synapses":
        tau = tuple(0.020 * rng.gamma(3, 1 / 3, count) for _ in range(2))
    return STDP(a_plus, 1.05 * a_plus, *tau, top)


def lesson(samples: int, seed: int = 1) -> list[SpikeInput]:
    """Bernoulli spikes, a rate of its own for every channel of a sample."""
    rng = np.random.default_rng(seed)
    active = rng.random((samples, STEPS, CHANNELS)) < 0.2 * rng.random((samples, 1, CHANNELS))
    return [SpikeInput(*np.nonzero(one), STEPS, CHANNELS) for one in active]


def fixed_seconds(net: Network, shown: list[SpikeInput]) -> tuple[float, int, float]:
    """Seconds, synaptic events and rate without learning."""
    stimulus = stimulus_of(shown, CHANNELS, 1)
    simulator = FloatSimulator(net.without_plasticity())
    counts = np.zeros(net.n_neurons, dtype=np.int64)
    began = time.process_time()
    for _, who in stimulus.play_samples(simulator, np.random.default_rng(0)):
        counts += np.bincount(who, minlength=net.n_neurons)
    seconds = time.process_time() - began
    fan_out = source_fan_out(net)
    sent = sum(np.bincount(s.neurons, minlength=CHANNELS) for s in shown)
    events = int(counts @ fan_out[: net.n_neurons]) + int(sent @ fan_out[net.n_neurons :])
    return seconds, events, counts.sum() / (net.n_neurons * STEPS * len(shown))


def measure(n: int, degree: int, samples: int, repeats: int) -> list[dict[str, Any]]:
    """A row for every arm: the least seconds of some runs."""
    shown, rows = lesson(samples), []
    plain = network(n, "uniform", degree)
    best = min((fixed_seconds(plain, shown) for _ in range(repeats + 1)), key=lambda r: r[0])
    rows.append({"arm": "fixed", "seconds": best[0], "events": best[1], "rate": best[2]})
    for arm in ARMS:
        net = network(n, arm, degree)
        least, outline = float("inf"), train_stdp(net, shown[:1], seed=0).outline  # compile
        for _ in range(repeats):
            began = time.process_time()
            outline = train_stdp(net, shown, seed=0, monitoring=Monitoring(probe=1)).outline
            least = min(least, time.process_time() - began)
        rows.append({"arm": arm, "seconds": least, "events": outline.events, "rate": outline.rate})
    for row in rows:
        row |= {"neurons": n, "synapses": plain.n_synapses, "samples": samples}
        row["ratio"] = row["seconds"] / row["events"] / (rows[0]["seconds"] / rows[0]["events"])
    return rows


COLUMNS = {
    "arm": "rule",
    "seconds": "s",
    "samples": "samples/s",
    "events": "M synaptic events/s",
    "ratio": "x fixed, an event",
    "rate": "rate",
}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of `COLUMNS`."""
    return {
        "arm": row["arm"],
        "seconds": f"{row['seconds']:.3f}",
        "samples": f"{row['samples'] / row['seconds']:.1f}",
        "events": f"{row['events'] / row['seconds'] / 1e6:.1f}",
        "ratio": f"{row['ratio']:.2f}",
        "rate": f"{row['rate']:.4f}",
    }


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(repeats=3)
    options.add_argument("--sizes", type=int, nargs="+", default=[500, 2000])
    options.add_argument("--degree", type=int, default=100)
    options.add_argument("--samples", type=int, default=30)
    arguments = options.parse_args()
    results = []
    for n in arguments.sizes:
        rows = measure(n, arguments.degree, arguments.samples, arguments.repeats)
        results += rows
        print(f"N = {n}, {rows[0]['synapses']:,} synapses, {arguments.samples} x {STEPS} steps")
        print(table([display(row) for row in rows], COLUMNS))
        print(flush=True)
    write(arguments.json, "training", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
