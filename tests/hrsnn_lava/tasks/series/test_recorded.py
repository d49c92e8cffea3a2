"""Recordings: how they are cut, what is printed of them, and the two that travel along."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.series.forecast import ForecastTrial, fit_readout
from hrsnn_lava.tasks.series.goog import Goog
from hrsnn_lava.tasks.series.recorded import walk_forward
from hrsnn_lava.tasks.series.wind import Wind
from hrsnn_lava.tasks.series.windows import System

COUNT = System("count", 1.0)


def test_every_window_has_the_samples_before_it_and_none_of_its_own():
    raw = np.cumsum(np.random.default_rng(0).normal(size=(1000, 1)), axis=0)
    folds = walk_forward(raw, COUNT, 300, 20, 5)
    firsts = [0, 170, 340, 510, 680]
    for first, fold in zip(firsts, folds, strict=True):
        np.testing.assert_allclose(fold.to_raw(fold.train), raw[first : first + 300])
        (window,) = fold.windows
        np.testing.assert_allclose(fold.to_raw(window.truth), raw[first + 300 : first + 320])
        np.testing.assert_allclose(fold.train.mean(), 0.0, atol=1e-9)
    (last,) = walk_forward(raw, COUNT, 300, 20, 1)
    np.testing.assert_allclose(last.to_raw(last.windows[0].truth), raw[-20:])


def test_a_short_recording_is_said():
    with pytest.raises(SpecError, match=r"321 samples; allowed: >= 322 for train \+ horizon and 3"):
        walk_forward(np.zeros((321, 1)), COUNT, 300, 20, 3)


@pytest.mark.parametrize(("value", "spread"), [(7.0, "0"), (1e300, "inf")])
def test_training_samples_that_cannot_be_z_scored_are_named(value, spread):
    raw = np.random.default_rng(0).normal(size=(1000, 2))
    raw[100:500, 1] = value
    if spread == "inf":
        raw[300, 1] = -value
    message = rf"samples 171 to 470, component 2: standard deviation {spread}; allowed: finite"
    with pytest.raises(SpecError, match=message):
        walk_forward(raw, COUNT, 300, 20, 5)


def test_google_closed_at_what_is_known():
    """100.34 on 2004-08-19, the first day; 806.19 on 2013-03-01, the last."""
    raw, system = Goog(log=False).recording()
    assert (raw.shape, system.name) == ((2148, 1), "goog")
    assert raw[0, 0] == pytest.approx(100.34, abs=0.01)
    assert raw[-1, 0] == pytest.approx(806.19, abs=0.01)
    np.testing.assert_allclose(Goog().recording()[0], np.log(raw))


def test_the_wind_is_one_of_this_planet():
    raw, _ = Wind().recording()
    assert raw.shape == (17568, 1)
    assert 0 <= raw.min() < raw.mean() < 15 < raw.max() < 60
    hours = np.corrcoef(raw[1:, 0], raw[:-1, 0])[0, 1]
    assert hours > 0.95


@pytest.mark.parametrize("name", ["goog_close", "merra2_wind"])
def test_the_data_say_where_they_are_from(name):
    folder = resources.files("hrsnn_lava.tasks.series")
    text = folder.joinpath(f"{name}.LICENSE.txt").read_text()
    assert re.search("public domain|NASA", text)


def test_persistence_and_autoregression_come_first_with_what_they_score():
    trial = Goog(starts=4).trial(3)
    names = list(trial.baselines(10))
    assert names == [
        "persistence",
        "AR(10)",
        "training mean",
        "NVAR, 2 lags, quadratic",
        "echo-state network, 10 units",
    ]
    persistence, linear, mean = (trial.baselines(10)[name]() for name in names[:3])
    log = np.log(Goog(log=False).recording()[0][:, 0])
    by_hand = []
    for first in np.rint(np.linspace(0, 2148 - 600, 4)).astype(int):
        train, path = log[first : first + 500], log[first + 499 : first + 600]
        by_hand.append(np.sqrt(np.mean(np.diff(path) ** 2)) / train.std())
    assert persistence.scores.headline.name == "one_step_nrmse_mean"
    assert persistence.scores.headline.value == pytest.approx(np.mean(by_hand))
    assert persistence.scores["one_step_to_persistence"].value == pytest.approx(1.0)
    share = linear.scores.headline.value / np.mean(by_hand)
    assert linear.scores["one_step_to_persistence"].value == pytest.approx(share)
    assert 0.9 < share < 1.2
    assert mean.scores.headline.value > 5 * np.mean(by_hand)
    assert len(persistence.details["one_step_nrmse"]) == persistence.details["starts"] == 4


def test_autoregression_forecasts_the_next_hour_of_the_wind():
    """0.65 to 0.75 of persistence, over many windows of two years."""
    trial = Wind(starts=12).trial(0)
    linear = trial.baselines(10)["AR(10)"]()
    assert 0.6 < linear.scores["one_step_to_persistence"].value < 0.8


def test_the_readout_is_linear_and_its_penalty_chosen_by_the_next_step(reservoir):
    """Of a random walk there is nothing to learn: the strongest penalty does least harm."""
    walk = np.cumsum(np.random.default_rng(5).normal(size=(300, 1)), axis=0)
    (fold,) = walk_forward(walk, COUNT, 270, 20, 1)
    protocol = Goog(steps_per_sample=3, replays=1, alphas=(1e-4, 1e-1, 100.0)).protocol()
    assert (protocol.headline, protocol.readout.products) == ("one_step", False)
    rng = np.random.default_rng(0)
    trained = fit_readout(Repeated(reservoir), fold.train, protocol, rng)
    assert trained.readout.alpha == 100.0
    losses = trained.validation_losses
    assert losses[100.0] < losses[0.1] < losses[1e-4]


class Repeated:
    """A reservoir with three inputs, all of which show the one value there is."""

    def __init__(self, reservoir):
        self._reservoir = reservoir
        self.n_neurons = reservoir.n_neurons

    def reset(self, rng=None):
        self._reservoir.reset(rng)

    def run(self, x, steps):
        return self._reservoir.run(np.repeat(x, 3), steps)


def test_scores_of_folds_are_those_of_each(reservoir):
    walk = np.cumsum(np.random.default_rng(5).normal(size=(330, 1)), axis=0)
    folds = walk_forward(walk, COUNT, 270, 20, 3)
    protocol = Goog(steps_per_sample=2, replays=1).protocol()
    trial = ForecastTrial(folds, protocol, 0)
    outcome = trial.evaluate(Repeated(reservoir), np.random.default_rng(1))
    each = outcome.details["one_step_nrmse"]
    assert len(each) == len(outcome.details["rmse"]) == 3
    assert outcome.scores.headline.value == pytest.approx(np.mean(each))
    # rates and the program: the first fold; the readout: the newest
    np.testing.assert_array_equal(trial.lesson.inputs, folds[0].train[:-1])
    assert outcome.readout_meta["series_mean"] == folds[2].mean.tolist()
    assert outcome.neuron_spikes.shape == (reservoir.n_neurons,)
    rng = np.random.default_rng(1)
    alone = ForecastTrial(folds[:1], protocol, 0).evaluate(Repeated(reservoir), rng)
    assert alone.details["one_step_nrmse"] == [each[0]]
