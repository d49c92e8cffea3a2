"""Networks and inputs for the tests of gradient training, drawn from a seed."""

from __future__ import annotations

import numpy as np

import hrsnn_lava as hl

DT = 1e-3


def small_network(seed: int, held: bool = False, delays: int = 3) -> hl.Network:
    """Two populations with signs, of all parameters different; inputs that spike, or are held."""
    rng = np.random.default_rng([seed, 3])
    sizes = {"exc": int(rng.integers(3, 14)), "inh": int(rng.integers(1, 6))}
    n_inputs = int(rng.integers(1, 6))
    populations = [hl.Population("inp", n_inputs, hl.Input(graded=held))]
    for name, sign in (("exc", "excitatory"), ("inh", "inhibitory")):
        size = sizes[name]
        tau_mem = rng.uniform(2e-3, 40e-3, size)
        tau_mem[rng.random(size) < 0.1] = np.inf
        tau_syn = np.where(rng.random(size) < 0.2, 0.0, rng.uniform(1e-3, 10e-3, size))
        lif = hl.LIF(
            tau_mem,
            tau_syn,
            rng.uniform(0.5, 1.5, size),
            rng.uniform(-0.1, 0.6, size),
            rng.integers(0, 4, size) * DT if rng.random() < 0.7 else 0.0,
        )
        populations.append(hl.Population(name, size, lif, sign=sign))
    projections = []
    for post, size in sizes.items():
        weights = rng.normal(0.4, 1.0, (size, n_inputs)) * (rng.random((size, n_inputs)) < 0.8)
        target = "bias" if held else "synapse"
        delay = None if held else int(rng.integers(0, delays + 1)) * DT
        projections.append(hl.Projection(f"inp_{post}", "inp", post, weights, delay, target=target))
        for pre, sign in (("exc", 1), ("inh", -1)):
            shape = (size, sizes[pre])
            weights = sign * rng.gamma(2.0, 0.3, shape) * (rng.random(shape) < 0.5)
            each = rng.integers(0, delays + 1, np.count_nonzero(weights)) * DT
            name = f"{pre}_{post}"
            projections.append(hl.Projection(name, pre, post, weights, each if delays else None))
    return hl.Network(DT, tuple(populations), tuple(projections))


def spikes_for(network: hl.Network, seed: int, steps: int, rate: float = 0.2) -> hl.SpikeInput:
    """Spikes of its channels."""
    sent = np.random.default_rng([seed, 5]).random((steps, network.n_inputs)) < rate
    at, channels = np.nonzero(sent)
    return hl.SpikeInput(at, channels, n_steps=steps, n_neurons=network.n_inputs)
