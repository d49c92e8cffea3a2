"""The forecast protocol, from the training runs to the scores, on a small reservoir."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.baselines import Persistence
from hrsnn_lava.tasks.series.forecast import (
    ForecastOptions,
    SpikingForecaster,
    fit_and_forecast,
    fit_readout,
    forecast,
    validation_starts,
)
from hrsnn_lava.tasks.series.lorenz63 import Lorenz63System
from hrsnn_lava.tasks.series.windows import (
    Layout,
    System,
    closed_loop,
    evaluate,
    one_step,
    split_series,
)
from hrsnn_lava.training.readout import FeatureOptions, ReadoutOptions, record_features
from hrsnn_lava.training.simulation import Stimulus

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]

SHORT = ForecastOptions(
    washout=20, context=20, readout=ReadoutOptions(validation_windows=2, validation_length=20)
)
SERIES = Lorenz63System().series(generator(3, "task"), Layout.spaced(200, 30, 2, context=20))
LESSON = Stimulus(SERIES.train[:-1], 20)


class Counter:
    """Not a network: every channel fires as many spikes as its value says, in the last step.

    With features of this, the readout can be checked by hand.
    """

    n_neurons = 1

    def reset(self, rng: np.random.Generator | None = None) -> None:
        pass

    def run(self, x: Floats, steps: int) -> tuple[Int32s, Int32s]:
        spikes = max(0, round(float(x[0]) * 1000 + 5000))
        return np.full(spikes, steps - 1, np.int32), np.zeros(spikes, np.int32)


def test_a_linear_map_is_learned_and_continued() -> None:
    """u(t+1) = -u(t): the feature is a count that says u, the increment to learn is -2 u."""
    raw = np.where(np.arange(260) % 2 == 0, 1.0, -1.0)[:, None]
    series = split_series(raw, System("flip", 1.0), Layout(200, (200,), context=20, horizon=30))
    options = ForecastOptions(
        steps_per_sample=5,
        washout=20,
        context=20,
        replays=1,
        features=FeatureOptions(trace_samples=(1e-3,), squared=()),
        readout=ReadoutOptions(alphas=(1e-8,), validation_windows=0, balance=False, products=False),
    )
    result = fit_and_forecast(Counter(), series, options, np.random.default_rng(0))
    np.testing.assert_allclose(result.predictions[0], series.windows[0].truth, atol=1e-6)
    assert result.scores.rmse[0] < 1e-6
    assert result.readout.weights[0, 0] == pytest.approx(-2e-3, rel=1e-6)


def test_protocol_beats_persistence(reservoir: Any) -> None:
    result = fit_and_forecast(reservoir, SERIES, SHORT, generator(0, "train"))
    scores, trivial = result.scores, evaluate(Persistence(), SERIES)
    assert scores.mean_one_step_nrmse < 0.6 * trivial.mean_one_step_nrmse
    assert scores.mean_vpt(0.5) > trivial.mean_vpt(0.5)
    assert result.predictions.shape == result.one_step.shape == (2, 30, 3)
    assert np.all(np.abs(result.predictions) <= 4.0)
    assert result.readout.alpha in SHORT.readout.alphas
    assert set(result.trained.validation_losses) == set(SHORT.readout.alphas)


def test_same_generator_same_bytes(reservoir: Any) -> None:
    one, two = (fit_and_forecast(reservoir, SERIES, SHORT, generator(1, "train")) for _ in range(2))
    np.testing.assert_array_equal(one.predictions, two.predictions)
    np.testing.assert_array_equal(one.readout.weights, two.readout.weights)
    other = fit_and_forecast(reservoir, SERIES, SHORT, generator(2, "train"))
    assert not np.array_equal(one.predictions, other.predictions)


def test_spikes_are_counted(reservoir: Any) -> None:
    result = fit_and_forecast(reservoir, SERIES, SHORT, generator(1, "train"))
    rng = generator(1, "train")
    by_hand = sum(
        record_features(reservoir, LESSON, SHORT.features, rng).spike_counts for _ in range(2)
    )
    np.testing.assert_array_equal(result.trained.spike_counts, by_hand)
    assert result.trained.samples == 2 * 199
    assert result.spikes_per_sample == pytest.approx(np.sum(by_hand) / 398)
    assert result.neuron_spikes_per_sample.shape == (100,)
    ratio = result.closed_loop_spikes.sum() / result.spikes_per_sample
    assert ratio == pytest.approx(1.0, abs=0.2)


def test_readout_is_fitted_on_increments_after_the_washout(reservoir: Any) -> None:
    """One replay, one penalty: ridge on rows 20 to 198, targets u(t+1) - u(t)."""
    options = ForecastOptions(
        washout=20,
        replays=1,
        context=20,
        readout=ReadoutOptions(alphas=(1e-3,), validation_windows=0, balance=False, products=False),
    )
    trained = fit_readout(reservoir, SERIES.train, options, generator(4, "train"))
    recording = record_features(reservoir, LESSON, options.features, generator(4, "train"))
    x = recording.features[20:]
    y = np.diff(SERIES.train, axis=0)[20:]
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    gram = xc @ xc.T
    dual = np.linalg.solve(gram + 1e-3 * np.trace(gram) / len(x) * np.eye(len(x)), yc)
    np.testing.assert_allclose(trained.readout.weights, xc.T @ dual, rtol=1e-6, atol=1e-9)
    assert trained.validation_losses == {}


def test_forecaster_is_deterministic_after_reset(reservoir: Any) -> None:
    trained = fit_readout(reservoir, SERIES.train, SHORT, generator(0, "train"))
    forecaster = SpikingForecaster(reservoir, trained.readout, SHORT, seed=5)
    window = SERIES.windows[0]
    np.testing.assert_array_equal(closed_loop(forecaster, window), closed_loop(forecaster, window))
    samples = forecaster.samples
    assert samples == 2 * (20 + 29)
    one_step(forecaster, window)
    assert forecaster.samples == samples + 49


def test_a_readout_can_forecast_with_another_network(reservoir: Any) -> None:
    trained = fit_readout(reservoir, SERIES.train, SHORT, generator(0, "train"))
    reservoir.bias = reservoir.bias + 1e-9
    result = forecast(reservoir, trained, SERIES, SHORT, generator(0, "forecast"))
    assert result.trained is trained
    assert result.scores.n_starts == 2


def test_validation_windows_are_kept_out(reservoir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a validation window, and the one whose target it starts with, are not fitted."""
    kept: list[NDArray[np.bool_]] = []

    def spy(fitter: Any, keep: NDArray[np.bool_], alphas: Any, loss: Any) -> Any:
        assert loss is not None
        kept.append(keep)
        return fitter.fit(alphas[0]), {}

    monkeypatch.setattr("hrsnn_lava.tasks.series.forecast.select_readout", spy)
    fit_readout(reservoir, SERIES.train, SHORT, generator(0, "train"))
    expected = np.ones(199, dtype=bool)
    for start in (40, 180):  # washout + length, and n_train - length
        expected[start - 1 : start + 20] = False
    np.testing.assert_array_equal(kept[0], np.tile(expected[20:], 2))


def test_validation_windows_are_spread_and_fit() -> None:
    assert validation_starts(500, 50, 50, 3, 50) == [100, 275, 450]
    assert validation_starts(500, 0, 80, 1, 50) == [450]
    assert validation_starts(60, 50, 50, 0, 50) == []
    starts = validation_starts(250, 50, 50, 3, 50)
    assert starts == [100, 150, 200]
    with pytest.raises(SpecError, match=r"249 samples; allowed: >= 250 for 3 windows of 50"):
        validation_starts(249, 50, 50, 3, 50)


def test_errors(reservoir: Any) -> None:
    with pytest.raises(SpecError, match="the training series is too short to validate on"):
        fit_readout(reservoir, SERIES.train, ForecastOptions(), generator(0, "train"))
    with pytest.raises(SpecError) as caught:
        ForecastOptions(steps_per_sample=0, replays=0, clip=0.0, context=0, washout=-1)
    assert len(caught.value.problems) == 5
