"""Integer networks that brian2-loihi can run too, drawn from a seed.

brian2-loihi (Michaelis et al. 2022) emulates Loihi 1 in Brian2: currents and potentials in floats
without an end, so networks here stay within 24 bits; one set of parameters a group; `du` from 0 on;
weights of both signs even; exponents that floor nothing.
"""

from __future__ import annotations

import numpy as np

import hrsnn_lava as hl
from hrsnn_lava.sim_backends.runs.session import simulate

STEPS = 150
NETWORKS = 200


def peer_seeds() -> list[int]:
    """The first seeds whose networks stay within 24 bits, as brian2-loihi has no end to wrap at."""
    seeds, seed = [], 0
    while len(seeds) < NETWORKS:
        trace = simulate(*peer_network(seed), STEPS, "native")
        if not (trace.wraps.any() or trace.saturations.any()):
            seeds.append(seed)
        seed += 1
    return seeds


def peer_network(seed: int) -> tuple[hl.QuantizedNetwork, hl.SpikeInput]:
    """A network of one to three populations, recurrent, and spikes for its input."""
    rng = np.random.Generator(np.random.PCG64([seed, 8121]))
    n_in = int(rng.integers(1, 8))
    sizes = {name: int(rng.integers(1, 12)) for name in "abc"[: int(rng.integers(1, 4))]}
    populations: list[hl.QuantizedInput | hl.QuantizedPopulation]
    populations = [hl.QuantizedInput("i", n_in)]
    for name, size in sizes.items():
        fields = {
            "du": int(rng.choice([0, 4095, int(rng.integers(1, 4096))])),
            "dv": int(rng.choice([0, 4096, int(rng.integers(1, 4096))])),
            "vth": int(rng.integers(1, 4000)),
            "refractory": int(rng.choice([0, 0, 1, 3, 10, 62])),
        }
        populations.append(hl.QuantizedPopulation(name, size, **fields))
    projections = []
    pairs = [("i", post) for post in sizes] + [(a, b) for a in sizes for b in sizes]
    for pre, post in pairs:
        if pre != "i" and rng.random() < 0.4:
            continue
        shape = (sizes[post], n_in if pre == "i" else sizes[pre])
        mode = str(rng.choice(["mixed", "excitatory", "inhibitory"], p=[0.5, 0.3, 0.2]))
        if pre == "i":
            mode = "excitatory" if rng.random() < 0.7 else "mixed"
        weights = rng.integers(1, 128, shape)
        weights = {
            "mixed": 2 * (weights * rng.choice([-1, 1], shape)),
            "excitatory": 2 * weights - 1,
            "inhibitory": 1 - 2 * weights,
        }[mode]
        weights = weights * (rng.random(shape) < rng.uniform(0.3, 1.0))
        exponent, delay = int(rng.choice([0, 0, 1, 2])), int(rng.choice([0, 0, 1, 5, 62]))
        projection = hl.QuantizedProjection(
            f"{pre}_{post}", pre, post, weights, exponent, mode, delays=delay
        )
        projections.append(projection)
    sent = rng.random((STEPS, n_in)) < rng.uniform(0.02, 0.5)
    steps, channels = np.nonzero(sent)
    inputs = hl.SpikeInput(steps, channels, STEPS, n_in)
    network = hl.QuantizedNetwork(tuple(populations), tuple(projections), f"peer{seed}")
    return network, inputs
