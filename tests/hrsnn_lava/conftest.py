"""A small spiking network in plain NumPy, with what the training protocol asks of a simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]


@dataclass
class TinyReservoir:
    """LIF neurons with exponential synapses, all of one threshold, driven through their biases.

    weights (n, n) post by pre, input_weights (n, n_inputs), bias (n,), beta (n,).
    """

    weights: Floats
    input_weights: Floats
    bias: Floats
    beta: Floats
    alpha: float = 0.95

    def __post_init__(self) -> None:
        self.resets = 0
        self.reset()

    @property
    def n_neurons(self) -> int:
        return len(self.bias)

    def reset(self, rng: np.random.Generator | None = None) -> None:
        n = self.n_neurons
        self.v = np.zeros(n) if rng is None else rng.random(n)
        self.i, self.spikes = np.zeros(n), np.zeros(n)
        self.resets += 1

    def run(self, x: Floats, steps: int) -> tuple[Int32s, Int32s]:
        drive = self.bias + self.input_weights @ x
        out_steps, out_neurons = [], []
        for step in range(steps):
            self.i = self.alpha * self.i + self.weights @ self.spikes
            self.v = self.beta * self.v + (1 - self.beta) * (drive + self.i)
            fired = self.v > 1.0
            self.v[fired] = 0.0
            self.spikes = fired.astype(np.float64)
            neurons = np.flatnonzero(fired).astype(np.int32)
            out_neurons.append(neurons)
            out_steps.append(np.full(len(neurons), step, dtype=np.int32))
        return np.concatenate(out_steps), np.concatenate(out_neurons)


def make_reservoir(
    n: int = 100, n_inputs: int = 3, coupling: float = 0.02, seed: int = 0
) -> TinyReservoir:
    """Recurrent reservoir, a fifth of it inhibitory, with biases that make all neurons fire."""
    rng = np.random.default_rng(seed)
    signs = np.where(np.arange(n) < 0.8 * n, 1.0, -4.0)
    present = rng.random((n, n)) < 0.1
    return TinyReservoir(
        np.where(present, rng.gamma(2.0, 0.5, (n, n)) * coupling * signs, 0.0),
        rng.uniform(-2.0, 2.0, (n, n_inputs)),
        rng.uniform(0.1, 2.1, n),
        np.exp(-1.0 / np.clip(rng.gamma(3.0, 10.0 / 3.0, n), 3.0, 100.0)),
    )


@pytest.fixture
def reservoir() -> TinyReservoir:
    return make_reservoir()
