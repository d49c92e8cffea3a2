"""Random input of every kind of channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.random_input import random_input


def built(**layer: object) -> hl.Network:
    table = {"size": 20, "connectivity": {"mean_degree": 4.0}, "input": layer}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=3)


def test_held_values_are_uniform_with_unit_variance() -> None:
    given = random_input(built(), 0, 20_000, 7)
    values = given.stimulus.inputs
    assert isinstance(values, np.ndarray)
    assert values is given.values
    assert given.stimulus.block == 7
    assert np.abs(values).max() <= np.sqrt(3.0)
    np.testing.assert_allclose(values.var(axis=0), 1.0, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(values[1:, 0], values[:-1, 0])[0, 1], 0, atol=0.02)
    assert given.told == "uniform in +-1.73, held for 7 steps"


def test_spikes_come_with_probability_a_tenth_and_are_counted() -> None:
    given = random_input(built(target="synapse", graded=False), 0, 2000, 5)
    spikes = given.stimulus.inputs
    assert isinstance(spikes, SpikeInput)
    assert spikes.payloads is None
    assert spikes.n_steps == 10_000
    rates = np.bincount(spikes.neurons, minlength=3) / spikes.n_steps
    np.testing.assert_allclose(rates, 0.1, atol=0.01)
    counts = np.zeros((2000, 3))
    np.add.at(counts, (spikes.steps // 5, spikes.neurons), 1.0)
    np.testing.assert_array_equal(given.values, counts)
    assert given.told == "spikes with probability 0.1 a step"


def test_graded_channels_send_integers_once_a_sample() -> None:
    given = random_input(built(target="synapse", graded=True), 0, 2000, 5)
    spikes = given.stimulus.inputs
    assert isinstance(spikes, SpikeInput)
    assert spikes.payloads is not None
    assert set(np.unique(spikes.steps % 5)) == {0}
    sent = np.zeros((2000, 3))
    sent[spikes.steps // 5, spikes.neurons] = spikes.payloads
    np.testing.assert_array_equal(given.values, sent)
    values, counts = np.unique(given.values, return_counts=True)
    np.testing.assert_array_equal(values, [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(counts / counts.sum(), 0.2, atol=0.02)
    assert given.told == "payloads -2 to 2 every 5 steps"


def test_channels_of_two_kinds_are_refused() -> None:
    held = built()
    first = held.projection("inp_exc")
    mixed = held.with_projection(replace(first, target="synapse"))
    with pytest.raises(SpecError, match="held values and spikes; allowed: inputs of one kind"):
        random_input(mixed, 0)


def test_the_seed_decides() -> None:
    network = built()
    one, same, other = (random_input(network, seed, 300).values for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
