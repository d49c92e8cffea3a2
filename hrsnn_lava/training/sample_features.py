"""What a readout sees of a sample: how often every neuron fired, and its traces at the end.

    rate_i = spikes_i / T
    trace_i = sum over its spikes of exp(-(T - 1 - step) / tau)

with T steps of the sample. Spikes alone enter, so that a host can work it out from what a chip
sends. Both are our choice; the papers do not say what their readouts see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.training.simulation import Simulator, Spikes, Stimulus

__all__ = ["SampleFeatures", "SampleRecording", "record_samples", "sample_features"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SampleFeatures:
    """Which features are made of a sample.

    Attributes:
        rates: the mean spikes per step.
        trace_steps: time constants of the traces, steps.
    """

    rates: bool = True
    trace_steps: tuple[float, ...] = (50.0,)

    @property
    def kinds(self) -> int:
        """Features of each neuron."""
        return int(self.rates) + len(self.trace_steps)

    def describe(self) -> str:
        """In words, in the order of the features."""
        rates = ["spikes per step of the sample"] if self.rates else []
        traces = ["traces at its end"] if self.trace_steps else []
        return f"{', then '.join([*rates, *traces])}, each over all neurons"


@dataclass(frozen=True, eq=False)
class SampleRecording:
    """What samples showed.

    Attributes:
        features: (n_samples, kinds * n_neurons).
        counts: (n_samples, n_neurons) spikes.
        lengths: (n_samples,) steps.
    """

    features: Floats
    counts: Floats
    lengths: NDArray[np.int64]


def sample_features(spikes: Spikes, steps: int, n_neurons: int, options: SampleFeatures) -> Floats:
    """The features of one sample, (kinds * n_neurons,).

    Args:
        spikes: steps, from the first one of the sample on, and neurons.
        steps: of the sample.
        n_neurons: of the network.
        options: which features.
    """
    at, who = spikes
    parts: list[Floats] = []
    if options.rates:
        parts.append(np.asarray(np.bincount(who, minlength=n_neurons) / max(steps, 1)))
    for tau in options.trace_steps:
        worth = np.exp((at - (steps - 1.0)) / tau)
        parts.append(np.bincount(who, weights=worth, minlength=n_neurons).astype(np.float64))
    return np.concatenate(parts) if parts else np.zeros(0)


def record_samples(
    simulator: Simulator,
    stimulus: Stimulus,
    options: SampleFeatures,
    rng: np.random.Generator | None,
    progress: Callable[[float], None] = lambda _: None,
) -> SampleRecording:
    """Show samples to a network; the network starts afresh where the stimulus says.

    Args:
        simulator: the network.
        stimulus: the samples, `Stimulus.bounds` of blocks.
        options: which features.
        rng: draws the initial potentials; None starts from 0.
        progress: called with the share that is done.
    """
    n, lengths = simulator.n_neurons, np.diff(stimulus.bounds) * stimulus.block
    features = np.zeros((lengths.size, options.kinds * n))
    counts = np.zeros((lengths.size, n))
    for k, spikes in enumerate(stimulus.play_samples(simulator, rng)):
        features[k] = sample_features(spikes, int(lengths[k]), n, options)
        counts[k] = np.bincount(spikes[1], minlength=n)
        progress((k + 1) / lengths.size)
    return SampleRecording(features, counts, lengths)
