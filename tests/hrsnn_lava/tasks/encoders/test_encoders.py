"""Encoders on values whose input is known, by name and by table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava import Spec, registry
from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import table_of
from hrsnn_lava.tasks.encoders import (
    Delta,
    FrameDifference,
    Held,
    Latency,
    Population,
    Rate,
    takes,
)
from hrsnn_lava.tasks.readers.base import Events

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
    assert table_of(spec.task)["encoder"] == {
        "kind": "rate",
        "max_rate": 0.2,
        "regular": False,
        "phase": 0.5,
    }
    assert '"encoder": {"kind": "rate", "max_rate": 0.2, "phase": 0.5' in spec.canonical()
    with pytest.raises(
        SpecError, match=r"kind: 'morse'; allowed: delta, events, frame_difference, held, latency, "
    ):
        encoder("morse")
    with pytest.raises(SpecError, match=r"task.encoder.max_rate: 3.*<= 1"):
        encoder({"kind": "rate", "max_rate": 3.0})
    with pytest.raises(SpecError, match=r"task.encoder.speed: unknown key; allowed: .*max_rate"):
        encoder({"kind": "rate", "speed": 3.0})


def test_the_folder_is_the_list_of_encoders():
    every = ("delta", "events", "frame_difference", "held", "latency", "population", "rate")
    assert registry.names("encoder") == every
    assert registry.load("encoder", "rate") is Rate
    assert registry.summary("encoder", "rate").startswith("Poisson spikes")
    assert {name: takes(registry.load("encoder", name)) for name in every} == {
        name: "events" if name == "events" else "frames" for name in every
    }


@pytest.mark.parametrize("rate", [0.0, 0.013, 0.1, 0.2, 1 / 3, 0.5, 0.97, 1.0])
def test_regular_spikes_are_exact_in_number_and_even(rate):
    steps, values = 120, np.array([[rate], [rate], [rate]])
    for phase in (0.0, 0.5):
        spikes = Rate(max_rate=1.0, regular=True, phase=phase).encode(values, 40, RNG(0))
        assert spikes.steps.size == int(np.floor(phase + rate * steps + 1e-9))
        gaps = np.diff(spikes.steps)
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
    assert spikes.n_steps == steps


def test_regular_spikes_go_on_from_frame_to_frame_and_draw_nothing():
    """At 0.15 a step: steps 6, 13, 19, 26 ... of an accumulator that starts at 0."""
    values, encoder = np.full((4, 2), 0.15), Rate(max_rate=1.0, regular=True, phase=0.0)
    spikes = encoder.encode(values, 10, RNG(0))
    np.testing.assert_array_equal(spikes.steps[spikes.neurons == 1], [6, 13, 19, 26, 33, 39])
    other = encoder.encode(values, 10, RNG(1))
    np.testing.assert_array_equal(other.steps, spikes.steps)
    accumulator, steps = 0.0, []
    for step in range(40):
        accumulator += 0.15
        if accumulator >= 1.0 - 1e-9:
            accumulator -= 1.0
            steps.append(step)
    np.testing.assert_array_equal(spikes.steps[spikes.neurons == 0], steps)


@settings(max_examples=30)
@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=8, unique=True))
def test_latency_keeps_the_order_of_the_values(values):
    spikes = Latency(threshold=0.0).encode(np.array([values]), 1000, RNG(0))
    first = dict(zip(spikes.neurons.tolist(), spikes.steps.tolist(), strict=True))
    assert set(first) == {k for k, value in enumerate(values) if value > 0}
    for a in first:
        for b in first:
            if values[a] > values[b]:
                assert first[a] <= first[b]
            if values[a] > values[b] + 2e-3:
                assert first[a] < first[b]


def test_a_population_of_values_from_0_to_1():
    encoder = Population(channels=3, low=0.0, high=1.0, width=0.25, max_rate=0.4, regular=True)
    spikes = encoder.encode(np.array([[0.0, 0.5], [1.0, 0.75]]), 1000, RNG(0))
    counts = np.zeros((2, 6))
    np.add.at(counts, (spikes.steps // 1000, spikes.neurons), 1)
    tuned = 400 * np.exp(-0.5 * (np.array([0.0, 0.5, 1.0]) / 0.25) ** 2)
    near, far = 400 * np.exp(-0.5), 400 * np.exp(-0.5 * 9)
    truth = [[*tuned, tuned[1], 400, tuned[1]], [*tuned[::-1], far, near, near]]
    np.testing.assert_allclose(counts, truth, atol=1)
    with pytest.raises(SpecError, match=r"low: 1; allowed: below high = 1"):
        Population(low=1.0, high=1.0)


def plain_delta(values, threshold, from_zero):
    """Send on delta, one spike at a time."""
    level = np.zeros(values.shape[1]) if from_zero else values[0].copy()
    sent = np.zeros((len(values), 2 * values.shape[1]), dtype=int)
    for k, row in enumerate(values):
        for c, value in enumerate(row):
            while value - level[c] >= threshold - 1e-9:
                level[c] += threshold
                sent[k, c] += 1
            while level[c] - value >= threshold - 1e-9:
                level[c] -= threshold
                sent[k, values.shape[1] + c] += 1
    return sent


@pytest.mark.parametrize("from_zero", [False, True])
def test_send_on_delta_is_that_of_a_plain_loop(from_zero):
    values = np.cumsum(RNG(3).normal(0, 0.3, (30, 3)), axis=0)
    block = 40
    spikes = Delta(threshold=0.1, from_zero=from_zero).encode(values, block, RNG(0))
    counts = np.zeros((30, 6), dtype=int)
    np.add.at(counts, (spikes.steps // block, spikes.neurons), 1)
    np.testing.assert_array_equal(counts, plain_delta(values, 0.1, from_zero))
    # what was sent says the value to within a threshold
    net = 0.1 * np.cumsum(counts[:, :3] - counts[:, 3:], axis=0)
    start = 0.0 if from_zero else values[0]
    assert np.abs(start + net - values).max() < 0.1


def test_what_does_not_fit_into_a_block_follows_later():
    spikes = Delta(threshold=1.0).encode(np.array([[0.0], [5.0], [5.0], [4.0]]), 3, RNG(0))
    assert list(zip(spikes.steps, spikes.neurons, strict=True)) == [
        *((3, 0), (4, 0), (5, 0)),  # three of five
        *((6, 0), (7, 0)),  # the other two, evenly spread over three steps
        (9, 1),
    ]


def test_frame_differences_follow_the_change_on_two_sides():
    values = np.array([[0.0, 3.0], [0.5, 3.0], [0.5, 1.0], [0.25, 9.0]])
    encoder = FrameDifference(scale=1.0, max_rate=0.4, regular=True)
    spikes = encoder.encode(values, 1000, RNG(0))
    counts = np.zeros((4, 4))
    np.add.at(counts, (spikes.steps // 1000, spikes.neurons), 1)
    truth = [[0, 0, 0, 0], [200, 0, 0, 0], [0, 0, 0, 400], [0, 400, 100, 0]]
    np.testing.assert_array_equal(counts, truth)
    drawn = FrameDifference(max_rate=0.4).encode(values[:2], 20_000, RNG(0))
    # of 20,000 steps at 0.2: standard error 57
    np.testing.assert_allclose(np.bincount(drawn.neurons, minlength=4), [4000, 0, 0, 0], atol=250)


def test_a_threshold_gives_one_spike_for_each_frame_that_moved():
    values = np.array([[0.0, 3.0], [0.5, 3.0], [0.5, 1.0], [0.25, 9.0]])
    spikes = FrameDifference(threshold=0.25).encode(values, 10, RNG(0))
    assert list(zip(spikes.steps, spikes.neurons, strict=True)) == [(10, 0), (20, 3), (30, 1)]


def test_the_other_kind_of_sample_is_refused_by_name():
    events = Events(np.array([0.001]), np.array([2]), 5, 0.01)
    for name in registry.names("encoder"):
        encoder = registry.load("encoder", name)()
        if name == "events":
            with pytest.raises(SpecError, match=r"'events', and samples that are frames") as caught:
                encoder.encode(np.ones((2, 3)), 10, RNG(0))
        else:
            with pytest.raises(
                SpecError, match=rf"'{name}', and samples that are events"
            ) as caught:
                encoder.encode(events, 10, RNG(0))
        assert caught.value.problems[0].allowed == takes(encoder)
