"""Cutting a series, and the two loops that every forecaster goes through."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.series.windows import (
    ForecastWindow,
    Layout,
    System,
    closed_loop,
    evaluate,
    one_step,
    split_series,
)

Floats = NDArray[np.float64]


class Recorder:
    """Answers twice the value it was shown, and remembers what that was."""

    def __init__(self, factor: float = 2.0) -> None:
        self.seen: list[float] = []
        self.factor = factor

    def reset(self) -> None:
        self.seen = []

    def observe(self, value: Floats) -> Floats:
        self.seen.append(float(value[0]))
        return value * self.factor


NOISE = System("noise", 1.0)
WINDOW = ForecastWindow(np.array([[1.0], [0.5]]), np.array([[0.25], [0.125], [0.0625]]))


def test_closed_loop_feeds_its_answers_back() -> None:
    recorder = Recorder()
    np.testing.assert_array_equal(closed_loop(recorder, WINDOW)[:, 0], [1.0, 2.0, 4.0])
    assert recorder.seen == [1.0, 0.5, 1.0, 2.0]


def test_closed_loop_clips_what_it_feeds_back() -> None:
    recorder = Recorder(-10.0)
    np.testing.assert_array_equal(closed_loop(recorder, WINDOW, clip=4.0)[:, 0], [-4.0, 4.0, -4.0])
    assert recorder.seen == [1.0, 0.5, -4.0, 4.0]


def test_one_step_feeds_the_truth() -> None:
    recorder = Recorder()
    np.testing.assert_array_equal(one_step(recorder, WINDOW)[:, 0], [1.0, 0.5, 0.25])
    assert recorder.seen == [1.0, 0.5, 0.25, 0.125]


def test_a_perfect_forecaster_scores_zero() -> None:
    """u(t+1) = u(t) / 2 is what the series does."""
    raw = 0.5 ** np.arange(30, dtype=np.float64)[:, None]
    series = split_series(raw, System("halving", 1.0), Layout(10, (10, 20), context=2, horizon=5))

    class Halving(Recorder):
        def observe(self, value: Floats) -> Floats:
            return (series.to_raw(value) / 2 - series.mean) / series.scale

    scores = evaluate(Halving(), series)
    np.testing.assert_allclose(scores.rmse, 0.0, atol=1e-12)
    np.testing.assert_array_equal(scores.vpt_steps, 5)
    assert scores.vpt_lyapunov is None


def test_split_refuses_a_start_in_the_training_samples() -> None:
    with pytest.raises(SpecError, match=r"starts: \[9\]; allowed: at least one, all >= 10"):
        Layout(10, (9,), context=2, horizon=5)


def test_split_refuses_short_constant_and_infinite_series() -> None:
    raw = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(SpecError, match="40 samples; allowed: >= 45"):
        split_series(raw, NOISE, Layout(10, (40,), context=2, horizon=5))
    raw[:, 1] = 3.0
    with pytest.raises(SpecError, match="> 0 in each component"):
        split_series(raw, NOISE, Layout(10, (20,), context=2, horizon=5))
    raw[:, 1] = 1e300 * np.arange(-20, 20)
    with pytest.raises(SpecError, match="finite, > 0 in each component"):
        split_series(raw, NOISE, Layout(10, (20,), context=2, horizon=5))
    raw[3, 0] = np.nan
    with pytest.raises(SpecError, match=r"nan .* in sample 4; allowed: finite values"):
        split_series(raw, NOISE, Layout(10, (20,), context=2, horizon=5))
