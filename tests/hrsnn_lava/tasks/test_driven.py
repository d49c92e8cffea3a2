"""Tasks in which an input drives a network: NARMA-10, and Lorenz-63 seen through x."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.driven import DrivenSeries, DrivenTrial
from hrsnn_lava.tasks.series.lorenz63 import Lorenz63System
from hrsnn_lava.tasks.series.lorenz63_hidden import Lorenz63Hidden
from hrsnn_lava.tasks.series.narma10 import Narma10, narma10

SHORT = {"train": 300, "validation": 80, "test": 120, "washout": 20}


class Counters:
    """Not a network: neuron k fires as often in a sample as the input k samples ago says."""

    n_neurons = 4

    def reset(self, _=None):
        self.past = [0.0] * self.n_neurons

    def run(self, x, steps):
        self.past = [float(x[0]), *self.past[:-1]]
        counts = [max(0, round(1000 * value + 5000)) for value in self.past]
        neurons = np.repeat(np.arange(self.n_neurons), counts)
        return np.full(neurons.size, steps - 1, np.int32), neurons


def test_narma10_is_the_published_recursion():
    u = np.random.default_rng(0).uniform(0, 0.5, 60)
    y = [0.0] * 61  # y[t], y[0] = 0
    for t in range(60):
        past = sum(y[t - k] for k in range(10) if t - k >= 0)
        first = u[t - 9] if t >= 9 else 0.0
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * past + 1.5 * first * u[t] + 0.1
    np.testing.assert_allclose(narma10(u), y[1:], rtol=1e-13)


def test_an_input_that_runs_away_is_drawn_anew():
    """u = 0.5 has no fixed point: 0.5 y^2 - 0.7 y + 0.475 = 0 has no real root."""
    assert narma10(np.full(300, 0.5))[-1] > 1e10

    class First:
        def __init__(self):
            self.calls, self.rng = 0, np.random.default_rng(0)

        def uniform(self, low, high, n):
            self.calls += 1
            return np.full(n, 0.5) if self.calls == 1 else self.rng.uniform(low, high, n)

    series = Narma10(**SHORT).data(First())
    assert series.details == {"discarded_inputs": 1}
    assert 0.1 < series.targets[20:].min() < series.targets.max() < 1.0

    class Always(First):
        def uniform(self, *given):
            return np.full(given[-1], 0.5)

    with pytest.raises(SpecError, match="NARMA-10 diverges"):
        Narma10(**SHORT).data(Always())


def trial_of(inputs, targets, **options):
    return DrivenTrial(Narma10(**SHORT, **options), DrivenSeries(inputs, targets), 0)


def test_what_the_spikes_hold_is_told_and_what_they_do_not_is_not():
    """Targets: the input two samples ago, which neuron 2 counts, and five ago, which none does."""
    u = np.random.default_rng(1).uniform(-1, 1, 520)
    targets = np.column_stack([np.roll(u, 2), np.roll(u, 5)])
    trial = trial_of(u[:, None], targets, trace_samples=(1e-3,), steps_per_sample=2)
    outcome = trial.evaluate(Counters(), np.random.default_rng(0))
    near, far = outcome.details["nrmse_each"]
    assert near < 0.05
    assert far > 0.95
    together = np.sqrt((near**2 + far**2) / 2)
    assert outcome.scores.headline.value == pytest.approx(together)
    assert outcome.scores["squared_correlation"].value == pytest.approx(0.5, abs=0.03)
    assert outcome.readout["weights"].shape == (8, 2)  # counts, then their squares
    assert outcome.neuron_spikes.shape == (4,)
    assert trial.lesson.n_blocks == 320


def test_a_quadratic_readout_multiplies_what_it_decodes():
    u = np.random.default_rng(2).uniform(-1, 1, 520)
    target = (np.roll(u, 1) * np.roll(u, 2))[:, None]
    errors = {
        readout: trial_of(
            u[:, None], target, trace_samples=(1e-3,), steps_per_sample=2, readout=readout, lags=4
        )
        .evaluate(Counters(), np.random.default_rng(0))
        .scores.headline.value
        for readout in ("linear", "quadratic")
    }
    assert errors["linear"] > 0.9
    assert errors["quadratic"] < 0.1


def test_baselines_without_spikes_know_what_they_should():
    """A linear map of ten lags knows an input nine samples ago, and none eleven ago."""
    u = np.random.default_rng(3).uniform(-1, 1, 520)
    outcomes = {}
    for lag in (9, 11):
        for name, run in trial_of(u[:, None], np.roll(u, lag)[:, None]).baselines(40).items():
            outcomes[name, lag] = run().scores.headline.value
    assert outcomes["training mean", 9] == pytest.approx(1.0, abs=0.05)
    assert outcomes["linear, 10 lags", 9] < 1e-6
    assert outcomes["NVAR, 10 lags, quadratic", 9] < 0.01
    assert outcomes["linear, 10 lags", 11] > 0.95
    assert [n for n, lag in outcomes if lag == 9][-1] == "echo-state network, 40 units"


def test_narma_needs_products():
    outcomes = {name: run() for name, run in Narma10().trial(1).baselines(60).items()}
    linear, nvar = (outcomes[n].scores.headline.value for n in list(outcomes)[1:3])
    assert 0.3 < nvar < linear < 0.7
    assert outcomes["training mean"].details["discarded_inputs"] == 0


def test_hidden_lorenz63_shows_x_and_asks_for_z():
    task = Lorenz63Hidden(**SHORT)
    raw = Lorenz63System().trajectory(generator(4, "task"), 520)
    series = task.data(generator(4, "task"))
    np.testing.assert_array_equal(series.inputs, raw[:, :1])
    np.testing.assert_array_equal(series.targets, raw[:, 2:])
    assert series.persistence is None
    trial = task.trial(4)
    np.testing.assert_allclose(trial.targets[20:320].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(trial.inputs[20:320].std(axis=0), 1)


def test_hidden_lorenz63_can_look_ahead():
    ahead = Lorenz63Hidden(**SHORT, predict="x", ahead=3)
    raw = Lorenz63System().trajectory(generator(4, "task"), 523)
    series = ahead.data(generator(4, "task"))
    np.testing.assert_array_equal(series.targets, raw[3:, :1])
    np.testing.assert_array_equal(series.persistence, raw[:520, :1])
    outcomes = {name: run() for name, run in ahead.trial(4).baselines(20).items()}
    error = (raw[400:520, 0] - raw[403:523, 0]) ** 2
    by_hand = np.sqrt(error.mean() / raw[403:523, 0].var())
    assert outcomes["persistence"].scores.headline.value == pytest.approx(by_hand)
    assert outcomes["linear, 10 lags"].scores.headline.value < 0.3 * by_hand
    assert Lorenz63Hidden(**SHORT, predict="xyz", ahead=1).data(
        generator(4, "task")
    ).targets.shape == (520, 3)
    with pytest.raises(SpecError, match=r'ahead: 0; allowed: >= 1 with predict = "x"'):
        Lorenz63Hidden(predict="x")


def test_z_needs_the_past_of_x_and_a_nonlinear_map():
    """The equations are alike under (x, y, z) to (-x, -y, z): no linear map of x tells z."""
    outcomes = {name: run() for name, run in Lorenz63Hidden().trial(2).baselines(80).items()}
    mean, linear, nvar, esn = (o.scores.headline.value for o in outcomes.values())
    assert mean == pytest.approx(1.0, abs=0.1)
    assert linear > 0.9
    assert nvar < 0.25
    assert esn < nvar


def test_options_that_disagree():
    with pytest.raises(SpecError, match=r"washout: 5; allowed: >= lags = 10"):
        Narma10(washout=5)
    with pytest.raises(SpecError, match="cannot be z-scored"):
        trial_of(np.zeros((520, 1)), np.ones((520, 1)))
