"""Consistency and log-volume against closed forms and NumPy, and the ranks of several networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.criteria.dynamics import Dynamics, consistency, log_volume
from hrsnn_lava.training.criterion import DrivenRun


def run_of(a: np.ndarray, b: np.ndarray, varies: bool = True) -> DrivenRun:
    ends = np.arange(len(a))
    inputs = ends[:, None].astype(float) if varies else np.zeros((len(a), 1))
    return DrivenRun(a, b, inputs, ends, 0 * ends, False)


def test_identical_states_are_consistent() -> None:
    a = np.random.default_rng(0).standard_normal((50, 7)) + 3.0
    assert consistency(a, a) == pytest.approx(1.0, abs=1e-14)
    assert consistency(a, -a) == pytest.approx(-1.0, abs=1e-14)
    assert consistency(a, 2.0 * a + 5.0) == pytest.approx(1.0, abs=1e-14)


def test_consistency_of_a_common_signal_in_noise() -> None:
    """cov = 1 and Var = 1 + s^2 of every neuron: 1 / (1 + s^2)."""
    rng = np.random.default_rng(1)
    signal = rng.standard_normal((200_000, 2))
    a, b = (signal + 0.5 * rng.standard_normal(signal.shape) for _ in range(2))
    assert consistency(a, b) == pytest.approx(1 / 1.25, abs=0.005)


def test_what_never_moves_is_consistent_with_nothing() -> None:
    a = np.random.default_rng(0).standard_normal((50, 7))
    assert consistency(np.ones((50, 7)), a) == 0.0
    assert log_volume(np.ones((50, 7)), 1e-3) == 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(1, 30), st.sampled_from([1e-3, 1.0, 100.0]))
def test_the_volume_is_the_determinant(n: int, size: int, noise: float) -> None:
    """Whether neurons or rows are more: the definition, by NumPy."""
    traces = np.random.default_rng(100 * n + size).gamma(1.0, size=(n, size))
    c = np.cov(traces.T, ddof=0).reshape(size, size)
    sign, truth = np.linalg.slogdet(np.eye(size) + size / noise * c)
    assert sign == 1
    assert log_volume(traces, noise) == pytest.approx(truth, rel=1e-9, abs=1e-9)


def test_the_volume_of_independent_neurons_is_a_sum() -> None:
    rows = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * [2.0, 3.0]
    expected = np.log1p(2 * 4.0 / 1e-3) + np.log1p(2 * 9.0 / 1e-3)
    assert log_volume(rows, 1e-3) == pytest.approx(expected, rel=1e-12)


def test_scores_are_sums_of_ranks() -> None:
    figures = [
        {"consistency": 0.9, "log_volume": 10.0},
        {"consistency": 0.1, "log_volume": 12.0},
        {"consistency": 0.5, "log_volume": 11.0},
        {"consistency": 0.5, "log_volume": 20.0},
    ]
    assert Dynamics().scores(figures).tolist() == [4 + 1, 1 + 3, 2.5 + 2, 2.5 + 4]
    assert Dynamics().scores(figures[:1]).tolist() == [2.0]


def test_figures_of_a_run() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 20, 4))
    found = Dynamics(noise=0.5).figures(run_of(a, b))
    assert found == {"consistency": consistency(a, b), "log_volume": log_volume(a, 0.5)}


def test_inputs_without_meaning_are_refused() -> None:
    a = np.ones((5, 2))
    with pytest.raises(SpecError, match="dynamics has no meaning"):
        Dynamics().figures(run_of(a, a, varies=False))
    run = DrivenRun(a[:1], a[:1], np.arange(3.0)[:, None], np.array([2]), np.array([0]), True)
    with pytest.raises(SpecError, match="too few samples"):
        Dynamics().figures(run)
