"""Errors of series against closed forms, and prediction times against the forecast's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.forecast import headline_rmse, score_forecasts
from hrsnn_lava.metrics.series_error import nrmse, rmse, valid_prediction_times

RNG = np.random.default_rng(1)
TRUTH, ANSWERS = RNG.normal(size=(2, 40, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 2.0]


def test_rmse_by_hand():
    assert rmse([0.0, 0.0], [3.0, 4.0]) == pytest.approx(np.sqrt(12.5))
    assert rmse(TRUTH, ANSWERS) == pytest.approx(np.sqrt(((ANSWERS - TRUTH) ** 2).mean()))
    assert rmse([1, 2], [1, 2]) == 0.0


def test_the_mean_as_answer_has_nrmse_one():
    mean = np.tile(TRUTH.mean(axis=0), (40, 1))
    assert nrmse(TRUTH, mean) == pytest.approx(1.0)
    line = np.linspace(0.0, 1.0, 11)
    assert nrmse(line, line + 0.25, "range") == pytest.approx(0.25)
    assert nrmse(line, line + 0.25) == pytest.approx(0.25 / np.sqrt(0.1))


def test_nrmse_is_the_error_of_a_forecast_in_its_own_deviations():
    assert nrmse(TRUTH, ANSWERS) == pytest.approx(headline_rmse(ANSWERS, TRUTH, TRUTH.std(axis=0)))
    residual = ((ANSWERS - TRUTH) ** 2).sum(axis=0) / ((TRUTH - TRUTH.mean(0)) ** 2).sum(axis=0)
    assert 1.0 - nrmse(TRUTH, ANSWERS) ** 2 == pytest.approx(np.mean(1.0 - residual))


@settings(max_examples=25)
@given(st.floats(0.01, 100.0), st.floats(-50.0, 50.0), st.permutations(range(40)))
def test_units_origin_and_order_do_not_matter(scale, shift, order):
    before = nrmse(TRUTH, ANSWERS)
    after = nrmse(TRUTH[order] * scale + shift, ANSWERS[order] * scale + shift)
    assert after == pytest.approx(before, rel=1e-6)
    assert rmse(TRUTH * scale, ANSWERS * scale) == pytest.approx(scale * rmse(TRUTH, ANSWERS))


def test_a_truth_that_does_not_vary_has_no_nrmse():
    assert nrmse([0.1, 0.1, 0.1], [0.0, 1.0, 2.0]) is None
    assert nrmse([[0.1, 1.0], [0.1, 2.0]], [[0.0, 1.0], [0.0, 1.0]], "range") is None


@pytest.mark.parametrize("blown", [np.inf, -np.inf, np.nan, 1e300])
def test_a_forecast_that_blew_up_is_infinitely_wrong(blown):
    assert rmse([1.0, 2.0], [1.0, blown]) == np.inf
    assert nrmse([1.0, 2.0], [1.0, blown]) == np.inf
    times = valid_prediction_times([[0.0], [1.0], [2.0]], [[0.0], [1.0], [blown]])
    assert times.steps.tolist() == [[2, 2, 2]]


def test_prediction_times_are_those_of_a_scored_forecast():
    truth = RNG.normal(size=(4, 30, 2))
    drift = np.linspace(0.0, 1.0, 30)[None, :, None] * RNG.uniform(0.1, 1.0, (4, 1, 2))
    scale = np.array([1.0, 2.0])
    forecast = score_forecasts(truth + drift, truth, truth, scale, dt=0.02, lyapunov_exponent=0.906)
    times = valid_prediction_times(truth, truth + drift, scale, dt=0.02, lyapunov_exponent=0.906)
    assert times.steps.tolist() == forecast.vpt_steps.tolist()
    np.testing.assert_allclose(times.lyapunov_times, forecast.vpt_lyapunov)
    assert times.value == forecast.mean_vpt(0.1)
    assert times.horizon == 30


def test_a_time_by_hand():
    # the error is t / 10 deviations: 0.1 is exceeded at step 2, 0.3 at step 4 (0.3 is not above)
    truth = np.zeros((9, 1))
    answers = np.arange(9.0)[:, None] / 10.0
    times = valid_prediction_times(
        truth, answers, [1.0], thresholds=(0.1, 0.35, 2.0), dt=0.5, lyapunov_exponent=2.0
    )
    assert times.steps.tolist() == [[2, 4, 9]]
    assert times.lyapunov_times.tolist() == [[2.0, 4.0, 9.0]]
    assert times.capped == (0.0, 0.0, 1.0)
    assert str(times).splitlines()[0] == "VPT at 0.1 sd: 2 of 9 steps, 2 Lyapunov times"
    assert "100 % of the starts to the end" in str(times)
    assert times.to_dict()["steps_mean"] == [2.0, 4.0, 9.0]


def test_a_series_of_one_component_needs_no_second_axis():
    truth, answers = TRUTH[:, 0], TRUTH[:, 0] + np.linspace(0.0, 2.0, 40)
    flat = valid_prediction_times(truth, answers)
    column = valid_prediction_times(truth[:, None], answers[:, None])
    assert flat.steps.tolist() == column.steps.tolist()
    assert 0 < flat.value < 40


@pytest.mark.parametrize(
    ("truth", "answers", "told"),
    [
        ([], [], "not empty"),
        ([1.0, 2.0], [1.0], r"shapes \(2,\), \(1,\)"),
        ([1.0, np.nan], [1.0, 2.0], "truth: 1 values that are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(truth, answers, told):
    for call in (rmse, nrmse):
        with pytest.raises(SpecError, match=told):
            call(truth, answers)


def test_wrong_options_of_functions_are_refused():
    with pytest.raises(SpecError, match="normalizer: 'mean'; allowed: std, range"):
        nrmse([1.0, 2.0], [1.0, 2.0], "mean")
    with pytest.raises(SpecError, match="thresholds: none"):
        valid_prediction_times([[0.0]], [[0.0]], [1.0], thresholds=())
    with pytest.raises(SpecError, match="scale: text"):
        valid_prediction_times([[0.0]], [[0.0]], "std")
    with pytest.raises(SpecError, match="scale: smallest value 0"):
        valid_prediction_times([[0.0]], [[0.0]])
