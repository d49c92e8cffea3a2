"""The bias rule on neurons whose counts are known functions of their bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.homeostasis import (
    HomeostasisOptions,
    bias_counter,
    homeostasis,
    rate_error,
)
from hrsnn_lava.training.simulation import Stimulus, spike_counts


def linear(bias: NDArray[np.float64]) -> NDArray[np.int64]:
    """Neurons that spike 100 times per unit of bias."""
    counts: NDArray[np.int64] = np.maximum(0, np.rint(100 * bias)).astype(np.int64)
    return counts


def test_one_pass_is_the_formula() -> None:
    target = np.array([10.0, 50.0, 0.0])
    result = homeostasis(linear, [0.2, 0.2, 0.2], target, HomeostasisOptions(passes=1))
    steps = [0.25 * np.log(11 / 21), 0.25 * np.log(51 / 21), -0.3]
    assert 0.25 * np.log(1 / 21) < -0.3  # the third one is clipped
    np.testing.assert_allclose(result.bias, 0.2 + np.array(steps), rtol=1e-12)


def test_counts_come_back() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(20, 150, 200).astype(np.float64)
    result = homeostasis(linear, np.full(200, 3.0), target, HomeostasisOptions(passes=30))
    assert result.errors[0] > 1.0
    assert result.achieved_error < 0.02
    assert result.total_ratio == pytest.approx(1.0, abs=0.02)
    assert len(result.errors) == 31
    np.testing.assert_array_equal(result.counts, linear(result.bias))


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_pass_moves_towards_the_target_and_not_too_far(
    count: int, target: int, gain: float, limit: float
) -> None:
    options = HomeostasisOptions(passes=1, gain=gain, limit=limit)
    result = homeostasis(lambda bias: np.full(len(bias), count), [0.0], [target], options)
    assert np.sign(result.bias[0]) == np.sign(target - count)
    assert abs(result.bias[0]) <= limit


def test_no_pass_only_measures() -> None:
    result = homeostasis(linear, [0.1, 0.2], [10, 30], HomeostasisOptions(passes=0))
    np.testing.assert_array_equal(result.bias, [0.1, 0.2])
    assert result.achieved_error == 10 / 40


def test_rate_error() -> None:
    assert rate_error([1, 5], [2, 2]) == 1.0
    assert rate_error([3], [0]) == 3.0


def test_restores_a_reservoir_that_lost_its_recurrence(reservoir: Any) -> None:
    """Inhibition prevails here, so without the recurrence the rates are too high."""
    inputs = Stimulus(np.random.default_rng(1).normal(size=(20, 3)), 20)
    reservoir.weights = reservoir.weights * 3
    target = spike_counts(reservoir, inputs, np.random.default_rng(2))
    reservoir.weights = np.zeros_like(reservoir.weights)

    count = bias_counter(reservoir, inputs, lambda: np.random.default_rng(2))
    result = homeostasis(count, reservoir.bias, target)
    assert result.errors[0] > 3 * result.achieved_error
    assert result.total_ratio == pytest.approx(1.0, abs=0.3)


def test_errors() -> None:
    with pytest.raises(SpecError, match=r"shapes \(2,\), \(3,\)"):
        homeostasis(linear, [0.0, 0.0], [1, 2, 3])
    with pytest.raises(SpecError, match="smallest count -1"):
        homeostasis(linear, [0.0], [-1])
    with pytest.raises(SpecError) as caught:
        HomeostasisOptions(passes=-1, gain=0.0, limit=0.0)
    assert len(caught.value.problems) == 3
