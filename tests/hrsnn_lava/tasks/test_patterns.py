"""Spike patterns: what a sample is, and what can tell the templates apart."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.patterns import Patterns

SMALL = {"train": 100, "validation": 40, "test": 100, "classes": 4, "channels": 8, "steps": 50}
EXACT = Patterns(**SMALL, jitter=0.0, deletion=0.0, noise=0.0)


def played(trial):
    """(n_samples, steps, channels) whether there was a spike."""
    dense = np.zeros((trial.spikes.n_steps, trial.spikes.n_neurons), bool)
    dense[trial.spikes.steps, trial.spikes.neurons] = True
    return dense.reshape(len(trial.labels), -1, trial.spikes.n_neurons)


def test_without_noise_a_sample_is_its_template():
    trial = EXACT.trial(3)
    assert trial.templates.shape == (4, 8, 3)
    assert (np.diff(trial.templates, axis=2) > 0).all()
    for sample, label in zip(played(trial), trial.labels, strict=True):
        for channel in range(8):
            np.testing.assert_array_equal(
                np.flatnonzero(sample[:, channel]), trial.templates[label, channel]
            )
    np.testing.assert_array_equal(np.bincount(trial.labels[:100]), 25)


def test_spikes_are_moved_lost_and_added_as_often_as_asked():
    lost = Patterns(**SMALL, jitter=0.0, deletion=0.25, noise=0.0).trial(3)
    assert played(lost).sum() / (240 * 8 * 3) == pytest.approx(0.75, abs=0.02)
    noisy = Patterns(**SMALL, jitter=0.0, deletion=1.0, noise=0.02).trial(3)
    assert played(noisy).mean() == pytest.approx(0.02, abs=0.003)
    one = SMALL | {"channels": 100, "steps": 300, "classes": 2}
    moved = Patterns(**one, spikes=1, jitter=3.0, deletion=0.0, noise=0.0).trial(3)
    sample = played(moved).argmax(axis=1)  # the step of each channel
    shift = sample - moved.templates[moved.labels, :, 0]
    inside = (moved.templates[moved.labels, :, 0] > 20) & (
        moved.templates[moved.labels, :, 0] < 280
    )
    assert shift[inside].std() == pytest.approx(np.sqrt(9 + 1 / 12), rel=0.03)
    assert played(moved).sum() == 240 * 100


def test_counts_say_nothing_and_times_say_all():
    outcomes = {name: run() for name, run in EXACT.trial(1).baselines(10).items()}
    counts, bins = (outcome.scores.headline.value for outcome in outcomes.values())
    assert counts == pytest.approx(0.25, abs=0.01)
    assert bins == 1.0


class Echo:
    """Not a network: every input channel has a neuron that repeats it."""

    def __init__(self, n):
        self.n_neurons = n

    def reset(self, _=None):
        pass

    def run_events(self, inputs, first, steps):
        inside = (inputs.steps >= first) & (inputs.steps < first + steps)
        return (inputs.steps[inside] - first).astype(np.int32), inputs.neurons[inside]


def test_traces_see_when_a_spike_was():
    """Counts of neurons that repeat the input are blind; with traces at the end they are not."""
    accuracy = {}
    for traces in ((), (20.0,)):
        task = Patterns(**SMALL, jitter=0.5, deletion=0.0, noise=0.0, trace_steps=traces)
        outcome = task.trial(1).evaluate(Echo(8), np.random.default_rng(0))
        accuracy[len(traces)] = outcome.scores.headline.value
        assert outcome.readout["weights"].shape == (8 * (1 + len(traces)), 4)
        np.testing.assert_allclose(outcome.neuron_spikes, 3.0, atol=0.1)
    assert accuracy[0] < 0.5
    assert accuracy[1] > 0.95
    assert outcome.scores["accuracy_worst_class"].value == min(outcome.details["class_accuracy"])


def test_options_that_disagree():
    with pytest.raises(SpecError, match=r"train: 3; allowed: >= classes = 5"):
        Patterns(train=3)
    with pytest.raises(SpecError, match=r"spikes: 200; allowed: <= steps = 100"):
        Patterns(spikes=200)
