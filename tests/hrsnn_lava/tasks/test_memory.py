"""Memory capacity of systems whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.memory import Memory, past_values, squared_correlations

SHORT = {"train": 400, "validation": 100, "test": 300, "washout": 30, "delays": 8}


class Counters:
    """Not a network: neuron k fires as often in a sample as the value k samples ago says."""

    def __init__(self, length):
        self.n_neurons = length

    def reset(self, _=None):
        self.past = [0.0] * self.n_neurons

    def run(self, x, steps):
        self.past = [float(x[0]), *self.past[:-1]]
        counts = [max(0, round(1000 * value + 2000)) for value in self.past]
        neurons = np.repeat(np.arange(self.n_neurons), counts)
        return np.full(neurons.size, steps - 1, np.int32), neurons


def test_past_values_by_hand():
    expected = [[0, 0], [1, 0], [2, 1], [3, 2]]
    np.testing.assert_array_equal(past_values(np.array([1.0, 2.0, 3.0, 4.0]), 2), expected)


def test_squared_correlations_are_numpys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3))
    expected = [np.corrcoef(a[:, k], b[:, k])[0, 1] ** 2 for k in range(3)]
    np.testing.assert_allclose(squared_correlations(a, b), expected, rtol=1e-10)
    np.testing.assert_array_equal(squared_correlations(np.ones((4, 1)), np.eye(4)[:, :1]), [0.0])


def test_a_system_that_holds_five_values_has_a_capacity_of_four():
    """Neuron 0 shows the present value, neurons 1 to 4 those of the delays 1 to 4."""
    trial = Memory(**SHORT, trace_samples=(1e-3,)).trial(1)
    outcome = trial.evaluate(Counters(5), np.random.default_rng(0))
    curve = np.array(outcome.details["memory_curve"])
    np.testing.assert_allclose(curve[:4], 1.0, atol=1e-3)
    assert (curve[4:] < 0.05).all()
    capacity = outcome.scores["memory_capacity"]
    by_chance = sum(outcome.details["memory_chance_curve"])
    assert capacity.value == pytest.approx(curve.sum() - by_chance)
    assert outcome.scores["memory_chance"].value == pytest.approx(by_chance)
    assert (outcome.scores.headline, capacity.better) == (capacity, "higher")
    # 8 delays, 300 held-out samples: 8 / 300 by chance
    assert outcome.scores["memory_chance"].value == pytest.approx(8 / 300, abs=0.05)
    assert outcome.validation == pytest.approx(-4.0, abs=0.1)
    assert outcome.readout["weights"].shape == (5, 8)
    # every neuron stands for a value of mean 0, and fires 2000 times at 0
    np.testing.assert_allclose(outcome.neuron_spikes, 2000, rtol=0.05)


def test_the_delay_line_has_its_length_as_capacity_and_the_esn_more():
    outcomes = {name: run() for name, run in Memory(**SHORT).trial(2).baselines(60).items()}
    assert list(outcomes) == ["delay line, 5 values", "echo-state network, 60 units"]
    line, esn = (o.scores["memory_capacity"].value for o in outcomes.values())
    assert line == pytest.approx(5.0, abs=0.1)
    assert 5.0 < esn <= 8.0
    assert all(o.neuron_spikes is None and not o.readout for o in outcomes.values())


LONG = {"train": 500, "validation": 100, "test": 10000, "delays": 20, "alphas": (1e-6,)}


@pytest.mark.parametrize("a", [0.5, 0.8])
def test_a_leaky_integrator_has_the_capacity_of_the_closed_form(a):
    """x(t) = a x(t-1) + u(t): r_k^2 = (1 - a^2) a^(2 k), so MC = a^2 over k >= 1."""
    trial = Memory(**LONG).trial(3)
    x, states = 0.0, []
    for u in trial.values:
        x = a * x + u
        states.append([x])
    outcome = trial.scored(np.array(states))
    expected = (1 - a**2) * a ** (2.0 * np.arange(1, 21))
    np.testing.assert_allclose(outcome.details["memory_curve"], expected, atol=0.02)
    assert outcome.scores.headline.value == pytest.approx(a**2 * (1 - a**40), abs=0.04)


def test_a_shift_register_of_n_holds_its_n_values_in_any_basis():
    """An orthogonal mixture of the last eight values: MC is 8, of which the present one is none."""
    trial = Memory(**LONG).trial(4)
    line = np.column_stack([trial.values, past_values(trial.values, 7)])
    mixed = line @ np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    outcome = trial.scored(mixed)
    assert outcome.scores.headline.value == pytest.approx(7.0, abs=0.05)
    np.testing.assert_allclose(outcome.details["memory_curve"][:7], 1.0, atol=1e-3)


def test_no_linear_system_holds_more_than_it_has_states():
    """Six units, twenty delays: Jaeger (2001), proposition 2."""
    trial = Memory(**LONG).trial(5)
    weights = 0.95 * np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    x, states = np.zeros(6), []
    for u in trial.values:
        x = weights @ x + u * np.ones(6)
        states.append(x)
    capacity = trial.scored(np.array(states)).scores.headline.value
    assert 3.0 < capacity <= 6.0


def test_noise_has_no_capacity():
    """As many noisy features as a third of the samples: what chance gives is taken off."""
    trial = Memory(**SHORT).trial(6)
    noise = np.random.default_rng(2).normal(size=(len(trial.values), 150))
    outcome = trial.scored(noise)
    assert outcome.scores.headline.value == pytest.approx(0.0, abs=0.06)


def test_a_seed_draws_its_input():
    one, same, other = (Memory(**SHORT).trial(seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() <= 1.7
    assert one.std() == pytest.approx(1.7 / np.sqrt(3), rel=0.1)
    assert Memory(**SHORT).trial(1).lesson.n_blocks == 430


def test_delays_longer_than_the_washout_are_refused():
    with pytest.raises(SpecError, match="washout: 5; allowed: >= delays = 20"):
        Memory(washout=5)
