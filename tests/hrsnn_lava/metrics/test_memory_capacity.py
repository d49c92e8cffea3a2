"""Memory capacity of systems whose memory is known, of noise, and of predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.memory import memory_of_predictions, past_values, squared_correlations

N = 3000
RNG = np.random.default_rng(5)
INPUTS = RNG.uniform(-1.7, 1.7, N)


def test_a_delay_line_holds_what_it_is_long():
    made = hl.metric("memory_capacity", delays=12)(INPUTS, past_values(INPUTS, 7))
    np.testing.assert_allclose(made.curve[:7], 1.0, atol=1e-6)
    assert made.curve[7:].max() < 0.02
    assert made.value == pytest.approx(7.0, abs=0.06)
    assert made.bound == 7
    assert made.samples == 725


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_a_noisy_delay_line_has_the_closed_form(noise):
    # r^2 of a line of unit-variance values seen through noise: 1 / (1 + noise^2) a delay
    inputs = INPUTS / INPUTS.std()
    seen = past_values(inputs, 6) + noise * RNG.normal(size=(N, 6))
    made = hl.metric("memory_capacity", delays=10)(inputs, seen)
    assert made.value == pytest.approx(6.0 / (1.0 + noise**2), abs=0.25)


def test_noise_holds_nothing_however_many_features():
    # in sample, 600 features of noise tell 600 / 1740 of any target
    noise = RNG.normal(size=(N, 600))
    made = hl.metric("memory_capacity", delays=10, surrogates=3)(INPUTS, noise)
    assert abs(made.value) < 0.06
    assert made.uncorrected < 0.08
    assert made.chance.shape == (10,)


def test_what_the_same_sample_says_is_no_memory():
    assert abs(hl.metric("memory_capacity")(INPUTS, INPUTS[:, None]).value) < 0.1


def test_features_may_outnumber_samples_and_their_order_does_not_matter():
    inputs = INPUTS[:400]
    features = np.concatenate([past_values(inputs, 4), RNG.normal(size=(400, 500))], axis=1)
    measure = hl.metric("memory_capacity", delays=6, washout=20)
    made = measure(inputs, features)
    again = measure(inputs, features[:, RNG.permutation(504)])
    np.testing.assert_allclose(made.curve, again.curve, atol=1e-8)
    assert made.value > 0.8


def test_both_forms_of_the_regression_are_the_textbook_one():
    from hrsnn_lava.metrics.memory import _ridge_answers

    for n, width in ((50, 8), (20, 60)):
        x, y, z = RNG.normal(size=(n, width)), RNG.normal(size=(n, 2)), RNG.normal(size=(5, width))
        (told,) = _ridge_answers(x, y, z, (0.3,))
        centred = x - x.mean(0)
        penalty = 0.3 * np.trace(centred.T @ centred) / n
        weights = np.linalg.solve(
            centred.T @ centred + penalty * np.eye(width), centred.T @ (y - y.mean(0))
        )
        np.testing.assert_allclose(told, (z - x.mean(0)) @ weights + y.mean(0), rtol=1e-9)


def test_silent_features_hold_nothing():
    made = hl.metric("memory_capacity", surrogates=0)(INPUTS, np.zeros((N, 3)))
    assert made.value == pytest.approx(0.0, abs=1e-20)
    assert made.chance.tolist() == [0.0] * 20


def test_the_same_seed_gives_the_same_chance():
    line = past_values(INPUTS, 3)
    first, second = (hl.metric("memory_capacity", seed=3)(INPUTS, line) for _ in range(2))
    assert first.chance.tolist() == second.chance.tolist()
    other = hl.metric("memory_capacity", seed=4)(INPUTS, line)
    assert other.chance.tolist() != first.chance.tolist()
    assert other.curve.tolist() == first.curve.tolist()


def test_memory_of_predictions_of_ones_own():
    targets = RNG.normal(size=(500, 3))
    told = targets * [1.0, -2.0, 0.0] + [0.0, 0.0, 1.0]
    made = memory_of_predictions(targets, told)
    np.testing.assert_allclose(made.curve, [1.0, 1.0, 0.0])
    assert made.value == pytest.approx(2.0)
    noise = RNG.normal(size=(500, 3))
    corrected = memory_of_predictions(targets, told, noise, noise[::-1])
    by_hand = sum(np.corrcoef(noise[:, k], noise[::-1, k])[0, 1] ** 2 for k in range(3))
    assert corrected.value == pytest.approx(2.0 - by_hand)
    facts = json.loads(json.dumps(corrected.to_dict(), allow_nan=False))
    assert facts["chance"] == pytest.approx(by_hand)
    assert "of 3 at most (3 delays, 500 held-out samples" in str(made)


def test_the_task_takes_the_same_equations():
    from hrsnn_lava.tasks import memory

    assert memory.squared_correlations is squared_correlations
    assert memory.past_values is past_values


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"washout": 5}, "washout: 5; allowed: >= delays = 20"),
        ({"train": 0.9, "validation": 0.1}, "together < 1"),
        ({"alphas": ()}, "alphas: none"),
    ],
)
def test_options_that_leave_no_samples_are_refused(options, told):
    with pytest.raises(SpecError, match=told):
        hl.metric("memory_capacity", **options)


def test_arrays_that_do_not_fit_are_refused():
    measure = hl.metric("memory_capacity")
    with pytest.raises(SpecError, match="features: 10 rows; allowed: 3000"):
        measure(INPUTS, np.zeros((10, 2)))
    with pytest.raises(SpecError, match="inputs: 102 samples; allowed: two samples or more"):
        measure(INPUTS[:102], np.zeros((102, 2)))
    with pytest.raises(SpecError, match="one of them; allowed: both or none"):
        memory_of_predictions([[1.0], [2.0]], [[1.0], [2.0]], [[1.0], [2.0]])
    with pytest.raises(SpecError, match="targets: 1 sample"):
        memory_of_predictions([[1.0]], [[1.0]])
    with pytest.raises(SpecError, match="chance_targets: 1 delays; allowed: 2"):
        memory_of_predictions(np.eye(2), np.eye(2), [[1.0], [2.0]], [[1.0], [2.0]])
