"""Components that are shown and components that are hidden."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.baselines import (
    ESNOptions,
    Persistence,
    TrainingMean,
    fit_autoregression,
    fit_esn,
    fit_nvar,
)
from hrsnn_lava.tasks.series.windows import (
    Layout,
    System,
    closed_loop,
    evaluate,
    one_step,
    split_series,
)
from hrsnn_lava.tasks.view import View

#: u_1 is u_0 a sample before, so it can be told from the shown past alone.
NOISE = np.random.default_rng(0).normal(size=401)
RAW = np.column_stack([np.sin(0.3 * np.arange(400)) + 0.1 * NOISE[1:], NOISE[:-1]])
SHIFTED = np.column_stack([NOISE[1:], NOISE[:-1]])
LAYOUT = Layout(250, (250, 330), context=20, horizon=40)


def test_hidden_components_are_left_out_and_start_from_the_mean():
    view = View((0, 2), 4)
    values = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(view.of(values), [[0, 2], [4, 6]])
    np.testing.assert_array_equal(view.carry(view.of(values)), [[0, 0, 2, 0], [4, 0, 6, 0]])
    whole = View.complete(4)
    assert whole.of(values) is values
    assert whole.carry(values) is values
    for shown in ((), (0, 0), (2, 1), (4,)):
        with pytest.raises(SpecError, match="allowed: one or more of 0 to 3, ascending"):
            View(shown, 4)


class Nosy:
    """Answers 0, and remembers what it was given."""

    def __init__(self):
        self.seen = []

    def reset(self):
        pass

    def observe(self, value):
        self.seen.append(np.array(value))
        return np.array([7.0, 8.0])


def test_no_forecaster_is_given_what_is_hidden():
    series = split_series(RAW, System("s", 1.0, shown=(0,)), LAYOUT)
    window = series.windows[0]
    for run, fed in ((one_step, window.truth[:-1, 0]), (closed_loop, np.full(39, 4.0))):
        nosy = Nosy()
        out = run(nosy, window, view=series.view)
        assert out.shape == (40, 2)
        assert all(value.shape == (1,) for value in nosy.seen)
        np.testing.assert_array_equal(
            np.concatenate(nosy.seen), np.concatenate([window.context[:, 0], fed])
        )


def test_a_hidden_component_is_told_from_the_shown_past():
    """The present hidden value is the shown one of the sample before."""
    series = split_series(SHIFTED, System("s", 1.0, shown=(0,)), LAYOUT)
    linear = fit_autoregression(series.train, view=series.view)
    answers = one_step(linear, series.windows[1], series.view)
    truth = series.windows[1].truth
    assert np.abs(answers[:, 1] - truth[:, 1]).max() < 1e-3
    assert np.abs(answers[:, 0] - truth[:, 0]).max() > 0.5


def test_every_baseline_takes_a_view():
    series = split_series(RAW, System("s", 1.0, shown=(0,)), LAYOUT)
    view, rng = series.view, np.random.default_rng(0)
    alphas = (1e-6, 1.0)
    forecasters = [
        fit_autoregression(series.train, view=view, alphas=alphas),
        fit_nvar(series.train, view=view, alphas=alphas),
        fit_esn(series.train, rng, ESNOptions(size=20), view=view, alphas=alphas),
    ]
    mean = evaluate(TrainingMean(view), series).mean_one_step_nrmse
    trivial = evaluate(Persistence(view), series)
    assert trivial.mean_one_step_nrmse > 0.7
    for forecaster in forecasters:
        assert evaluate(forecaster, series).mean_one_step_nrmse < min(mean, 0.8)
    np.testing.assert_array_equal(Persistence(view).observe(np.array([3.0])), [3.0, 0.0])


def test_the_penalty_of_a_baseline_is_the_one_that_generalizes():
    """White noise: a linear map of its past gains nothing, so the strongest penalty wins."""
    noise = np.cumsum(np.random.default_rng(1).normal(size=(300, 1)), axis=0)
    series = split_series(noise, System("walk", 1.0), Layout(250, (250,), 20, 40))
    free = fit_autoregression(series.train, alphas=(1e-10,))
    chosen = fit_autoregression(series.train, alphas=(1e-10, 1e-4, 1.0, 1e4))
    assert np.abs(chosen.readout.weights).max() < 0.1 * np.abs(free.readout.weights).max()
