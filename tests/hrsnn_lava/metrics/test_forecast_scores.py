"""Forecast scores on errors that were put together by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.forecast import (
    ForecastScores,
    headline_rmse,
    nrmse,
    rmse_over_time,
    score_forecasts,
    valid_prediction_time,
)


def test_rmse_over_time_by_hand() -> None:
    truth = np.zeros((2, 2))
    prediction = np.array([[3.0, 4.0], [0.0, 2.0]])
    # sqrt(mean of squares of (3/3, 4/2)) and (0, 2/2)
    expected = [np.sqrt((1 + 4) / 2), np.sqrt(0.5)]
    np.testing.assert_allclose(rmse_over_time(prediction, truth, [3.0, 2.0]), expected)


def test_headline_is_the_quadratic_mean_over_time() -> None:
    rng = np.random.default_rng(0)
    prediction, truth = rng.normal(size=(2, 30, 3))
    over_time = rmse_over_time(prediction, truth, 1.5)
    expected = np.sqrt(np.mean(over_time**2))
    assert headline_rmse(prediction, truth, 1.5) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("errors", "threshold", "expected"),
    [
        ([0.05, 0.2, 0.3], 0.1, 1),
        ([0.2, 0.01, 0.01], 0.1, 0),
        ([0.1, 0.1, 0.1], 0.1, 3),  # "exceeds": the threshold itself is still valid
        ([0.0, 0.5, 0.0], 0.3, 1),  # a later return below the threshold does not count
        ([0.0, np.nan, 0.0], 0.3, 1),
        ([], 0.3, 0),
    ],
)
def test_valid_prediction_time(errors: list[float], threshold: float, expected: int) -> None:
    assert valid_prediction_time(errors, threshold) == expected


@given(
    start=st.floats(1e-6, 1e-2),
    growth=st.floats(0.01, 0.5),
    threshold=st.sampled_from([0.1, 0.3, 0.5]),
)
def test_valid_prediction_time_of_an_exponential(
    start: float, growth: float, threshold: float
) -> None:
    """e(t) = e0 exp(g t), t = 1..100, first exceeds eps at t > ln(eps / e0) / g."""
    t = np.arange(1, 101)
    crossing = np.log(threshold / start) / growth
    if abs(crossing - round(crossing)) < 1e-6:
        return
    expected = min(100, int(np.floor(crossing)))
    assert valid_prediction_time(start * np.exp(growth * t), threshold) == expected


@given(st.lists(st.floats(0, 2), min_size=1, max_size=50))
def test_valid_prediction_time_grows_with_the_threshold(errors: list[float]) -> None:
    times = [valid_prediction_time(errors, threshold) for threshold in (0.1, 0.3, 0.5)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(errors)


RAMP = 0.05 + 0.1 * np.arange(10)


def make_scores(factor: float = 1.0) -> ForecastScores:
    truth = np.zeros((2, 10, 1))
    loops = np.stack([np.full((10, 1), 0.2), RAMP[:, None]]) * factor
    return score_forecasts(
        loops, loops / 10, truth, 1.0, dt=0.02, lyapunov_exponent=0.906, thresholds=(0.1, 0.3)
    )


def test_scores_of_two_starts() -> None:
    scores = make_scores()
    ramp = np.sqrt(np.mean(RAMP**2))
    np.testing.assert_allclose(scores.rmse, [0.2, ramp])
    np.testing.assert_allclose(scores.one_step_nrmse, [0.02, ramp / 10])
    np.testing.assert_array_equal(scores.vpt_steps, [[0, 10], [1, 3]])
    assert scores.mean_rmse == pytest.approx((0.2 + ramp) / 2)
    assert scores.median_rmse == pytest.approx((0.2 + ramp) / 2)
    assert scores.mean_vpt(0.3) == 6.5
    assert (scores.n_starts, scores.horizon) == (2, 10)


def test_lyapunov_times() -> None:
    scores = make_scores()
    assert scores.vpt_lyapunov is not None
    np.testing.assert_allclose(scores.vpt_lyapunov[0, 1], 10 * 0.02 * 0.906)


def test_scores_by_name_and_details_are_plain_numbers() -> None:
    scores = make_scores()
    named = scores.named()
    summary = {**scores.details(), **named.values()}
    assert summary["vpt_0.3_steps_mean"] == 6.5
    assert summary["vpt_0.3_lyapunov_mean"] == pytest.approx(6.5 * 0.02 * 0.906)
    assert summary.pop("nrmse") is None  # the truth does not vary
    assert all(isinstance(value, (int, float, list)) for value in summary.values())
    assert (named.headline.name, named.headline.better) == ("rmse_mean", "lower")
    assert named["vpt_0.1_steps_mean"].describe() == {
        "name": "vpt_0.1_steps_mean",
        "title": "VPT .1",
        "better": "higher",
        "unit": "steps",
    }


def test_nrmse_is_over_the_spread_of_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 40, 2)) * [1.0, 50.0] + [7.0, -3.0]
    means = np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)
    assert nrmse(means, truth) == pytest.approx(1.0)
    wrong = truth + 0.5 * truth.std(axis=(0, 1))
    assert nrmse(wrong, truth) == pytest.approx(0.5)
    scores = score_forecasts(wrong, truth, truth, 2.0, dt=1.0)
    assert scores.nrmse == pytest.approx(0.5)
    assert nrmse(np.ones((4, 1)), np.zeros((4, 1))) is None
    with pytest.raises(SpecError, match=r"shapes \(4, 1\), \(3, 1\)"):
        nrmse(np.ones((4, 1)), np.ones((3, 1)))


def test_the_next_step_may_be_the_headline_and_is_related_to_persistence() -> None:
    named = make_scores().named("one_step", make_scores(2.0))
    assert [score.name for score in named][:4] == [
        "one_step_nrmse_mean",
        "one_step_to_persistence",
        "rmse_mean",
        "rmse_median",
    ]
    assert named["one_step_to_persistence"].value == pytest.approx(0.5)
    still = score_forecasts(*[np.zeros((1, 3, 1))] * 3, 1.0, dt=1.0)
    assert make_scores().named("one_step", still)["one_step_to_persistence"].value is None
    assert "one_step_to_persistence" not in make_scores().named().values()


def test_scores_of_several_series_are_joined_start_by_start() -> None:
    one, two = make_scores(), make_scores(3.0)
    both = ForecastScores.joined([one, two])
    np.testing.assert_array_equal(both.rmse, [*one.rmse, *two.rmse])
    np.testing.assert_array_equal(both.vpt_steps, [*one.vpt_steps, *two.vpt_steps])
    assert (both.n_starts, both.horizon, both.nrmse) == (4, 10, None)
    assert ForecastScores.joined([one]) is one


def test_errors_name_shapes_and_thresholds() -> None:
    with pytest.raises(SpecError, match=r"\(3, 2\), \(4, 2\)"):
        rmse_over_time(np.zeros((3, 2)), np.zeros((4, 2)), 1.0)
    with pytest.raises(SpecError, match=r"shape \(3,\); allowed: \(\) or \(2,\)"):
        rmse_over_time(np.zeros((3, 2)), np.zeros((3, 2)), np.ones(3))
    with pytest.raises(SpecError, match="smallest value 0"):
        rmse_over_time(np.zeros((3, 2)), np.zeros((3, 2)), [1.0, 0.0])
    with pytest.raises(SpecError, match="threshold: 0"):
        valid_prediction_time([0.1], 0)
    with pytest.raises(SpecError, match=r"threshold: 0.7; allowed: one of 0.1, 0.3"):
        make_scores().mean_vpt(0.7)
    with pytest.raises(SpecError, match="n_starts > 0"):
        score_forecasts(np.zeros((0, 5, 1)), np.zeros((0, 5, 1)), np.zeros((0, 5, 1)), 1.0, dt=1.0)
