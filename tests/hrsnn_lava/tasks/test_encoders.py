"""Encoders on values whose input is known, by name and by table."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Spec, registry
from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import table_of
from hrsnn_lava.tasks.encoders import Held, Latency, Population, Rate

RNG = np.random.default_rng


def test_held_values_are_scaled_and_stay_values():
    values = np.array([[0.0, 1.0], [2.0, -1.0]])
    np.testing.assert_array_equal(Held(gain=0.5).encode(values, 7, RNG(0)), values / 2)


def test_rates_follow_the_values_and_are_clipped():
    values = np.array([[0.0, 0.5, 1.0, 3.0, -1.0]])
    spikes = Rate(max_rate=0.4).encode(values, 20_000, RNG(0))
    counts = np.bincount(spikes.neurons, minlength=5) / spikes.n_steps
    assert (spikes.n_steps, spikes.n_neurons, spikes.payloads) == (20_000, 5, None)
    # standard error of a share of 0.4 over 20,000 steps: 0.0035
    np.testing.assert_allclose(counts, [0, 0.2, 0.4, 0.4, 0], atol=0.012)


def test_rates_change_with_the_block():
    spikes = Rate(max_rate=1.0).encode(np.array([[1.0], [0.0], [1.0]]), 4, RNG(0))
    np.testing.assert_array_equal(spikes.steps, [0, 1, 2, 3, 8, 9, 10, 11])


def test_the_larger_a_value_the_earlier_its_spike():
    spikes = Latency(threshold=0.1).encode(np.array([[1.0, 0.5, 0.1], [0.2, 2.0, 0.0]]), 11, RNG(0))
    events = sorted(zip(spikes.neurons.tolist(), spikes.steps.tolist(), strict=True))
    assert events == [(0, 0), (0, 11 + 8), (1, 5), (1, 11)]
    assert (spikes.n_steps, spikes.n_neurons) == (22, 3)


def test_a_population_fires_most_at_its_own_value():
    encoder = Population(channels=5, low=-2.0, high=2.0, width=0.5, max_rate=0.5)
    spikes = encoder.encode(np.array([[1.0, -2.0]]), 20_000, RNG(0))
    rates = np.bincount(spikes.neurons, minlength=10).reshape(2, 5) / spikes.n_steps
    away = (np.array([1.0, -2.0])[:, None] - np.linspace(-2, 2, 5)) / 0.5
    np.testing.assert_allclose(rates, 0.5 * np.exp(-(away**2) / 2), atol=0.012)


def test_a_spec_names_an_encoder_or_gives_its_options():
    def encoder(value):
        return Spec.parse({"task": {"kind": "digit_rows", "encoder": value}}).task.encoder

    assert encoder("latency") == Latency()
    assert encoder({"kind": "rate", "max_rate": 0.1}) == Rate(max_rate=0.1)
    spec = Spec.parse({"task": {"kind": "digit_rows", "encoder": "rate"}})
    assert table_of(spec.task)["encoder"] == {"kind": "rate", "max_rate": 0.2}
    assert '"encoder": {"kind": "rate", "max_rate": 0.2}' in spec.canonical()
    with pytest.raises(
        SpecError, match=r"task.encoder.kind: 'morse'; allowed: held, latency, population, rate"
    ):
        encoder("morse")
    with pytest.raises(SpecError, match=r"task.encoder.max_rate: 3.*<= 1"):
        encoder({"kind": "rate", "max_rate": 3.0})
    with pytest.raises(SpecError, match=r"task.encoder.speed: unknown key; allowed: .*max_rate"):
        encoder({"kind": "rate", "speed": 3.0})


def test_the_file_is_the_list_of_encoders():
    assert registry.names("encoder") == ("held", "latency", "population", "rate")
    assert registry.load("encoder", "rate") is Rate
    assert registry.summary("encoder", "rate").startswith("Poisson spikes")
