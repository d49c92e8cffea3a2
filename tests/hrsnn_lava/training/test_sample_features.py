"""Features of samples against a loop over their spikes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.sample_features import SampleFeatures, record_samples, sample_features
from hrsnn_lava.training.simulation import Stimulus


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.5, 100.0))
def test_rates_and_traces_are_those_of_a_loop(seed, steps, tau):
    rng = np.random.default_rng(seed)
    at, who = np.nonzero(rng.random((steps, 3)) < 0.3)
    rates, trace = np.zeros(3), np.zeros(3)
    for t in range(steps):
        trace *= np.exp(-1 / tau)
        for i in who[at == t]:
            rates[i] += 1 / steps
            trace[i] += 1
    features = sample_features((at, who), steps, 3, SampleFeatures(trace_steps=(tau,)))
    np.testing.assert_allclose(features, np.concatenate([rates, trace]), rtol=1e-12, atol=1e-15)


class Copy:
    """Not a network: what a channel sends, its neuron sends."""

    n_neurons = 2

    def __init__(self):
        self.starts = 0

    def reset(self, _=None):
        self.starts += 1

    def run_events(self, inputs, first, steps):
        inside = (inputs.steps >= first) & (inputs.steps < first + steps)
        return inputs.steps[inside] - np.int32(first), inputs.neurons[inside]


def test_samples_of_different_lengths_are_cut_where_they_begin():
    spikes = SpikeInput(np.array([0, 9, 10, 11, 12]), np.array([0, 1, 0, 0, 0]), 30, 2)
    stimulus = Stimulus(spikes, 10, np.array([0, 1]))
    network = Copy()
    recording = record_samples(network, stimulus, SampleFeatures(trace_steps=()), None)
    np.testing.assert_array_equal(recording.lengths, [10, 20])
    np.testing.assert_array_equal(recording.counts, [[1, 1], [3, 0]])
    np.testing.assert_allclose(recording.features, [[0.1, 0.1], [0.15, 0.0]])
    assert network.starts == 2


def test_a_long_sample_is_run_in_pieces_and_gives_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    at, who = np.nonzero(rng.random((50, 2)) < 0.4)
    stimulus = Stimulus(SpikeInput(at, who, 50, 2), 1, np.array([0, 20]))
    whole = list(stimulus.play_samples(Copy(), None))
    monkeypatch.setattr("hrsnn_lava.training.simulation.LONGEST", 7)
    pieces = list(stimulus.play_samples(Copy(), None))
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_parts_of_a_stimulus_keep_its_spikes_payloads_and_starts():
    spikes = SpikeInput(np.array([1, 4, 7]), np.zeros(3, int), 8, 1, payloads=np.array([5, 6, 7]))
    stimulus = Stimulus(spikes, 2, np.array([0, 1, 3]))
    part = stimulus.samples(1, 2)
    assert part.inputs.steps.tolist() == [2, 5]
    assert part.inputs.payloads.tolist() == [6, 7]
    assert part.bounds.tolist() == [0, 2, 3]
    twice = part.repeated(2)
    assert twice.bounds.tolist() == [0, 2, 3, 5, 6]
    assert twice.inputs.payloads.tolist() == [6, 7, 6, 7]
    assert twice.events(None).samples.tolist() == [0, 4, 6, 10]
