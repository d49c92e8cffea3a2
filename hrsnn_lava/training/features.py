"""What the readout sees of a spiking network: filtered spike trains, sampled once per input value.

    z(t) = lambda z(t-1) + s(t),   lambda = exp(-1 / tau)

z is a sum over past spikes, each worth lambda^age. Only spikes enter, no membrane potential, so
that a host can compute the features from what a chip sends out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

__all__ = ["FeatureOptions", "FeatureRecording", "Simulator", "SpikeFeatures", "record_features"]

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]


class Simulator(Protocol):
    """A network that runs block by block and keeps its state in between."""

    @property
    def n_neurons(self) -> int:
        """Number of neurons, inputs not counted."""

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Start afresh; with a generator, from random potentials in [0, v_threshold)."""

    def run(self, x: Floats, steps: int) -> tuple[Int32s, Int32s]:
        """Hold the analog input x, (n_inputs,), for `steps` steps; return the block's spikes.

        Returns:
            spike_steps, counted from 0 within the block, and spike_neurons, both (n_spikes,).
        """


@dataclass(frozen=True)
class FeatureOptions:
    """Which features are made; all values are our choice.

    trace_samples: time constants tau of the exponential spike traces, in samples of the input
                   (with 20 steps per sample the default traces decay over 60 and 30 steps)
    squared:       indices into `trace_samples` of the traces that enter squared, too
    """

    trace_samples: tuple[float, ...] = (3.0, 1.5)
    squared: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        problems = []
        if not self.trace_samples or min(self.trace_samples) <= 0:
            problems.append(
                Problem("trace_samples", f"{self.trace_samples}", "at least one, all > 0")
            )
        known = range(len(self.trace_samples))
        if any(index not in known for index in self.squared):
            problems.append(Problem("squared", f"{self.squared}", f"indices 0 to {len(known) - 1}"))
        raise_if(SpecError, "options of the spike features", problems)

    @property
    def per_neuron(self) -> int:
        """Features of each neuron."""
        return len(self.trace_samples) + len(self.squared)


class SpikeFeatures:
    """Spike traces of a network, brought forward one block of steps at a time.

    A block of S steps costs one weighted count of its spikes per trace:
    z <- lambda^S z + sum_spikes lambda^(S - 1 - step).
    """

    def __init__(self, n_neurons: int, steps: int, options: FeatureOptions) -> None:
        """Take the number of neurons, the steps S of a block, and what features to make."""
        self.n_neurons, self.steps = n_neurons, steps
        taus = steps * np.asarray(options.trace_samples, dtype=np.float64)
        self._carry: Floats = np.exp(-steps / taus)
        ages = np.arange(steps - 1, -1, -1)
        self._worth: Floats = np.exp(-ages[None, :] / taus[:, None])
        self._squared = list(options.squared)
        self._traces = np.zeros((len(taus), n_neurons))

    @property
    def n_features(self) -> int:
        """Length of the feature vector."""
        return self.n_neurons * (len(self._traces) + len(self._squared))

    def reset(self) -> None:
        """Set all traces to 0."""
        self._traces[:] = 0.0

    def update(self, spike_steps: Int32s, spike_neurons: Int32s) -> Floats:
        """Take in the spikes of one block; return the features at its end, (n_features,).

        Order: the traces one after another, each (n_neurons,), then the squared ones.
        """
        for k, worth in enumerate(self._worth):
            self._traces[k] *= self._carry[k]
            self._traces[k] += np.bincount(
                spike_neurons, weights=worth[spike_steps], minlength=self.n_neurons
            )
        return np.concatenate([self._traces.ravel(), (self._traces[self._squared] ** 2).ravel()])


@dataclass(frozen=True)
class FeatureRecording:
    """What a driven run left: features (n, n_features) after each value, spikes per neuron.

    spike_counts: (n_neurons,) spikes of each neuron over the whole run
    """

    features: Floats
    spike_counts: NDArray[np.int64]


def record_features(
    simulator: Simulator,
    inputs: Floats,
    steps_per_sample: int,
    options: FeatureOptions,
    rng: np.random.Generator | None,
) -> FeatureRecording:
    """Drive a network by a series from a fresh start; row t follows `inputs[t]`.

    Args:
        simulator: the network.
        inputs: (n, n_inputs) analog values, each held for a sample.
        steps_per_sample: network steps of a sample.
        options: which features.
        rng: draws the initial potentials; None starts from 0.
    """
    traces = SpikeFeatures(simulator.n_neurons, steps_per_sample, options)
    rows = np.empty((len(inputs), traces.n_features))
    counts = np.zeros(simulator.n_neurons, dtype=np.int64)
    simulator.reset(rng)
    for t, value in enumerate(inputs):
        spike_steps, spike_neurons = simulator.run(value, steps_per_sample)
        rows[t] = traces.update(spike_steps, spike_neurons)
        counts += np.bincount(spike_neurons, minlength=simulator.n_neurons)
    return FeatureRecording(rows, counts)
