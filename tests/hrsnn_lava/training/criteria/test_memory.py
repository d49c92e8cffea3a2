"""Recall of the input by a linear readout: delay lines, trials, chance, meaningless inputs."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.criteria.memory import FLOOR, Memory
from hrsnn_lava.training.criterion import DrivenRun

BEST = -np.log(FLOOR)


def series(traces: np.ndarray, inputs: np.ndarray, first: int = 0) -> DrivenRun:
    """A run of one series whose rows begin at bin `first`."""
    ends = np.arange(first, len(inputs))
    return DrivenRun(traces[first:], traces[first:], inputs, ends, 0 * ends, False)


def delay_line(inputs: np.ndarray, length: int, more: int = 0) -> np.ndarray:
    """The last `length` inputs before each one, and `more` neurons of noise."""
    rng = np.random.default_rng(9)
    shifted = [np.roll(inputs[:, 0], k) for k in range(1, length + 1)]
    return np.column_stack([*shifted, *rng.standard_normal((more, len(inputs)))])


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (2000, 1))


@pytest.mark.parametrize("length", [0, 1, 4, 15])
def test_a_delay_line_recalls_as_many_inputs_as_it_holds(inputs: np.ndarray, length: int) -> None:
    run = series(delay_line(inputs, length, more=3), inputs, first=20)
    j = Memory(alphas=(1e-9, 100.0)).figures(run)["memory"]
    assert j == pytest.approx(length * BEST, abs=0.35)


def test_what_lies_beyond_the_delays_does_not_count(inputs: np.ndarray) -> None:
    run = series(delay_line(inputs, 12), inputs, first=20)
    criterion = Memory(delays=5, alphas=(1e-9,))
    assert criterion.figures(run)["memory"] == pytest.approx(5 * BEST, rel=1e-12)


def test_noise_of_a_known_strength_costs_its_share(inputs: np.ndarray) -> None:
    """u + noise of the same variance: NMSE = 1/2 at k = 1, whatever the unit of either."""
    rng = np.random.default_rng(1)
    many = np.random.default_rng(2).uniform(-1, 1, (40_000, 1))
    noisy = np.roll(many, 1) + rng.uniform(-1, 1, many.shape)
    criterion = Memory(delays=1, alphas=(1e-6,))
    j = criterion.figures(series(1e3 * noisy, many, first=1))["memory"]
    assert j == pytest.approx(np.log(2.0), abs=0.03)
    scaled = criterion.figures(series(1e-3 * noisy, 7.0 * many + 3.0, first=1))["memory"]
    assert scaled == pytest.approx(j, rel=1e-6)


def test_the_figure_is_the_sum_over_lags_of_an_independent_regression() -> None:
    """The normal equations solved by hand, on the same rows, with one penalty."""
    rng = np.random.default_rng(3)
    u, traces = rng.standard_normal((400, 2)), rng.standard_normal((400, 6))
    traces[:, :2] += np.roll(u, 2, axis=0)
    j = Memory(delays=3, alphas=(1e-2,)).figures(series(traces, u, first=10))["memory"]
    x, rows = traces[10:], np.arange(10, 400)
    fitted, scored = np.arange(390 - 98 - 3), np.arange(390 - 98, 390)
    total = 0.0
    for lag in (1, 2, 3):
        y = u[rows - lag]
        a, b = x[fitted] - x[fitted].mean(axis=0), y[fitted] - y[fitted].mean(axis=0)
        penalty = 1e-2 * np.trace(a.T @ a) / len(fitted) * np.eye(6)
        w = np.linalg.solve(a.T @ a + penalty, a.T @ b)
        said = (x[scored] - x[fitted].mean(axis=0)) @ w + y[fitted].mean(axis=0)
        missed = ((said - y[scored]) ** 2).mean(axis=0).sum()
        total -= np.log(missed / y[scored].var(axis=0).sum())
    assert j == pytest.approx(total, rel=1e-9)


def test_wide_inputs_give_the_same_in_several_regressions(monkeypatch) -> None:
    rng = np.random.default_rng(4)
    u, traces = rng.standard_normal((300, 3)), rng.standard_normal((300, 5))
    whole = Memory().figures(series(traces, u, first=20))["memory"]
    monkeypatch.setattr("hrsnn_lava.training.criteria.memory.COLUMNS", 6)
    assert Memory().figures(series(traces, u, first=20))["memory"] == pytest.approx(whole)


def trials(lengths: list[int], first_recalled: int) -> DrivenRun:
    """Trials of which the traces hold the inputs from the end, from `first_recalled` bins on."""
    rng = np.random.default_rng(5)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    u = rng.uniform(-1, 1, (bounds[-1], 1))
    ends = bounds[1:] - 1
    traces = np.column_stack([u[ends - k, 0] for k in range(first_recalled)])
    return DrivenRun(traces, traces, u, ends, bounds[:-1], True)


@pytest.mark.parametrize("recalled", [1, 3])
def test_of_trials_all_inputs_are_recalled_from_the_end(recalled: int) -> None:
    """The shortest trial has 3 inputs: no more than these are asked for."""
    run = trials([3, 5, 4, 6] * 200, recalled)
    assert Memory().lags(run).tolist() == [0, 1, 2]
    j = Memory(alphas=(1e-9, 100.0)).figures(run)["memory"]
    assert j == pytest.approx(recalled * BEST, abs=0.15)


def test_inputs_that_are_blank_in_every_trial_do_not_count() -> None:
    run = trials([4] * 200, 4)
    run.inputs[3::4] = 0.0  # the last frame of each
    j = Memory(alphas=(1e-9,)).figures(run)["memory"]
    assert j == pytest.approx(3 * BEST, rel=1e-12)


def test_a_network_that_is_silent_recalls_nothing(inputs: np.ndarray) -> None:
    """All it says is the mean of what was fitted, which is off by chance."""
    j = Memory().figures(series(np.zeros((2000, 4)), inputs, first=20))["memory"]
    rows, u = np.arange(20, 2000), inputs[:, 0]
    fitted, scored = rows[: 1980 - 495 - 15], rows[-495:]
    lags = range(1, 16)
    off = [(u[fitted - k].mean() - u[scored - k].mean()) ** 2 / u[scored - k].var() for k in lags]
    assert j == pytest.approx(-np.log1p(off).sum(), rel=1e-9)
    assert -0.5 < j <= 0.0


def test_an_input_that_does_not_vary_is_refused() -> None:
    flat = np.full((400, 2), 0.3)
    run = series(np.random.default_rng(0).standard_normal((400, 3)), flat, first=20)
    with pytest.raises(
        SpecError, match=r"memory has no meaning.*\n.*400 samples of 2 channels, all"
    ):
        Memory().figures(run)
    late = flat.copy()
    late[50] = 1.0  # where nothing is scored
    run = series(np.random.default_rng(0).standard_normal((400, 3)), late, first=60)
    with pytest.raises(SpecError, match="constant where they are scored"):
        Memory().figures(run)


def test_too_few_samples_are_refused() -> None:
    u = np.random.default_rng(0).standard_normal((30, 1))
    with pytest.raises(SpecError, match=r"too few samples.*\n.*Show more samples"):
        Memory().figures(series(u, u, first=0))
    with pytest.raises(SpecError, match=r"held_out: 0\.6"):
        Memory(held_out=0.6)
