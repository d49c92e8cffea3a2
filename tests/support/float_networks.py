"""Float networks of every scale, drawn from a seed: what quantization has to keep.

Time constants of 1 ms to 10 s in one population, thresholds over three decades, single huge
weights, tiny projections, mixed signs, steps of 0.1 to 10 ms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import hrsnn_lava as hl
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

Float = NDArray[np.float64]
STEPS = 4000


class Driven(NamedTuple):
    """A network, its input, and the spikes of each neuron in floats, (n_neurons,)."""

    network: hl.Network
    inputs: hl.SpikeInput
    counts: NDArray[np.int64]

    @property
    def observed(self) -> Observed:
        """Rates of neurons and channels."""
        sent = np.bincount(self.inputs.neurons, minlength=self.inputs.n_neurons)
        return Observed(self.counts / STEPS, sent / STEPS)


def driven_network(seed: int) -> Driven:
    """A network, and what it does in floats."""
    rng = np.random.default_rng([seed, 77])
    dt = 10 ** rng.uniform(-4, -2)
    n_inputs = int(rng.integers(10, 150))
    sizes = {"e": int(rng.integers(5, 50)), "i": int(rng.integers(0, 15))}
    rate = 10 ** rng.uniform(-2.5, -1)
    wide = rng.random() < 0.6
    neurons = {name: _neurons(rng, n, wide) for name, n in sizes.items() if n}
    populations = [hl.Population("in", n_inputs, hl.Input())]
    for name, lif in neurons.items():
        refractory = float(rng.choice([0, 0, 2e-3]))
        populations.append(hl.Population(name, sizes[name], hl.LIF(**lif, refractory=refractory)))
    style = str(rng.choice(["gamma", "equal", "lognormal", "outlier", "mixed"]))
    by_row = rng.random() < 0.6
    projections = []

    def connect(pre: str, post: str, rate: float, gain: float) -> Float:
        shape = (sizes[post], n_inputs if pre == "in" else sizes[pre])
        density = rng.uniform(0.1, 1)
        weights = _weights(rng, style, shape, density)
        threshold, tau_syn = (neurons[post][f] for f in ("v_threshold", "tau_syn"))
        unit = threshold if by_row else np.full(shape[0], np.median(threshold))
        leak = 1 - np.exp(-dt / np.maximum(tau_syn, 1e-12))
        return weights * (gain * unit * leak / (max(shape[1] * density, 1) * rate))[:, None]

    for post in neurons:
        weights = connect("in", post, rate, rng.uniform(0.5, 3))
        projections.append(hl.Projection(f"in_{post}", "in", post, weights))
        for pre, sign in (("e", 1), ("i", -1)):
            if pre in neurons and rng.random() < 0.8:
                weights = sign * connect(pre, post, 0.05, rng.uniform(0.05, 0.6))
                if rng.random() < 0.2:
                    weights = weights * 10 ** -rng.uniform(1, 3)
                projections.append(hl.Projection(f"{pre}_{post}", pre, post, weights))
    network = hl.Network(dt, tuple(populations), tuple(projections), name=f"net{seed}")
    steps, channels = np.nonzero(rng.random((STEPS, n_inputs)) < rate)
    inputs = hl.SpikeInput(steps, channels, n_steps=STEPS, n_neurons=n_inputs)
    who = FloatSimulator(network).run_events(inputs)[1]
    return Driven(network, inputs, np.bincount(who, minlength=network.n_neurons))


def _neurons(rng: np.random.Generator, n: int, wide: bool) -> dict[str, Float]:
    low, high = (1e-3, 10.0) if wide else (5e-3, 50e-3)
    tau_mem = np.exp(rng.uniform(np.log(low), np.log(high), n))
    if rng.random() < 0.3:  # one slow neuron among fast ones
        tau_mem = np.full(n, 0.02)
        tau_mem[0] = rng.choice([1.0, 4.0, 10.0])
    threshold = np.full(n, 10 ** rng.uniform(-2, 2))
    if rng.random() < 0.4:
        threshold = 10 ** rng.uniform(-1.5, 1.5, n)
    tau_syn = np.zeros(n)
    if rng.random() < 0.8:
        longest = 0.05 if rng.random() < 0.7 else 2.0
        tau_syn = np.exp(rng.uniform(np.log(1e-3), np.log(longest), n))
    bias = np.zeros(n)
    if rng.random() < 0.5:
        bias = threshold * rng.uniform(0, 1.2, n)
    return {"tau_mem": tau_mem, "tau_syn": tau_syn, "v_threshold": threshold, "bias": bias}


def _weights(rng: np.random.Generator, style: str, shape: tuple[int, int], density: float) -> Float:
    weights = {
        "gamma": lambda: rng.gamma(2, 0.5, shape),
        "equal": lambda: np.ones(shape),
        "lognormal": lambda: rng.lognormal(0, 1.2, shape),
        "outlier": lambda: rng.gamma(2, 0.5, shape),
        "mixed": lambda: rng.normal(0.3, 1, shape),
    }[style]()
    weights *= rng.random(shape) < density
    if style == "outlier":
        for _ in range(int(rng.integers(1, 4))):
            where = rng.integers(shape[0]), rng.integers(shape[1])
            weights[where] *= 10 ** rng.uniform(1, 3)
    return weights
