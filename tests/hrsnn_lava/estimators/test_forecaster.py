"""The forecaster: against a series whose future is known, and against carrying values over."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import ArtifactError, SpecError

SMALL = {"network": {"size": 60}, "steps_per_sample": 10}


def waves(n):
    """Two incommensurable waves, of which the future is known."""
    t = 0.2 * np.arange(n)
    return 5.0 + 3.0 * np.stack([np.sin(t) + 0.5 * np.sin(2.3 * t), np.cos(t)], 1)


@pytest.fixture(scope="module")
def fitted():
    forecaster = hl.ReservoirForecaster(**SMALL).fit(waves(400))
    forecaster.compile("loihi1")
    return forecaster


@pytest.mark.parametrize("on", ["float", "chip"])
def test_it_goes_on_with_a_series(fitted, on):
    series = waves(520)
    known, truth = series[:400], series[400:420]
    ahead = fitted.predict(20, on=on)
    assert ahead.shape == (20, 2)
    error = np.sqrt(np.mean((ahead - truth) ** 2))
    carried = np.sqrt(np.mean((known[-1] - truth) ** 2))
    assert error < 0.4 * carried
    np.testing.assert_allclose(fitted.predict(20, known[-50:], on=on), ahead, rtol=1e-9)
    assert not np.allclose(fitted.predict(20, series[420:470], on=on), ahead, atol=0.1)
    steps = fitted.one_step(series[400:], on=on)
    assert steps.shape == (119, 2)
    missed = np.sum(((steps - series[401:])[50:] / known.std(axis=0)) ** 2)
    moved = np.sum((np.diff(series[400:], axis=0)[50:] / known.std(axis=0)) ** 2)
    assert fitted.score(series[400:], on=on) == pytest.approx(1 - missed / moved)
    assert fitted.score(series[400:], on=on) > 0.8
    assert 0 < fitted.validation_error_ < 0.5


def test_a_program_forecasts_by_its_file(fitted, tmp_path):
    series = waves(450)
    fitted.compiled_.save(tmp_path / "own.hlx")
    loaded = hl.CompiledForecaster.load(tmp_path / "own.hlx")
    np.testing.assert_array_equal(
        loaded.predict(30, series[400:]), fitted.predict(30, series[400:], on="chip")
    )
    np.testing.assert_array_equal(
        loaded.one_step(series[400:]), fitted.one_step(series[400:], on="chip")
    )
    report = loaded.report(series[400:], cost_set="sanafe_loihi").to_dict()
    assert report["per_sample"]["samples"] == 50
    assert report["sop"]["total"] == fitted.report(series[400:]).to_dict()["sop"]["total"]
    with pytest.raises(SpecError, match="this program does not classify"):
        hl.CompiledClassifier(loaded.compiled)


@pytest.mark.once
def test_the_program_of_a_run_forecasts(tmp_path):
    from hrsnn_lava.experiment.run import run_spec

    spec = hl.Spec.parse(
        {
            "network": {"size": 30, "connectivity": {"mean_degree": 3.0}},
            "task": {"kind": "lorenz63", "train": 260, "horizon": 5, "starts": 1}
            | {"steps_per_sample": 4, "replays": 1},
            "prune": {"method": "none", "rescale": "none", "controls": [], "homeostasis": False},
            "verify": {"backends": ["native"], "steps": 24},
        }
    )
    run_spec(spec, tmp_path)
    loaded = hl.CompiledForecaster.load(tmp_path / "compiled.hlx")
    series = spec.task.trial(spec.seed).series
    window = series.windows[0]
    ahead = loaded.predict(5, series.to_raw(window.context))
    error = np.abs(ahead - series.to_raw(window.truth)) / series.scale
    assert error[0].max() < 0.5  # a step of Lorenz-63 is a third of a deviation at most
    assert ahead.shape == (5, 3)


def test_one_component_and_one_row_of_numbers():
    series = waves(300)[:, 1]
    forecaster = hl.ReservoirForecaster(**SMALL, rate=0.1, validation_windows=0).fit(series)
    assert forecaster.predict(3).shape == (3, 1)
    assert forecaster.validation_error_ is None
    assert forecaster.rates_.mean() == pytest.approx(0.1, rel=0.2)
    linear = hl.ReservoirForecaster(**SMALL, readout="linear").fit(series)
    assert linear.readout_.decoder is None
    trained = hl.ReservoirForecaster(**SMALL, stdp={"a_plus": 0.02}).fit(series)
    weights = [f.network_.projection("exc_exc").weights for f in (linear, trained)]
    assert abs(weights[0] - weights[1]).max() > 0


WRONG = {
    "X: 20 values; allowed: >= 53": lambda f: f.fit(waves(20)),
    "n_train: 200 samples; allowed: >= 250": lambda f: f.fit(waves(200)),
    r"X\[:, 1\]: 2 throughout; allowed: values that change": lambda f: f.fit(
        np.stack([waves(300)[:, 0], np.full(300, 2.0)], 1)
    ),
    r"X: shape \(3, 2, 2\)": lambda f: f.fit(np.zeros((3, 2, 2))),
    "values that are not finite: the first in row 4": lambda f: f.fit(
        np.where(np.arange(300) == 4, np.nan, waves(300)[:, 0])
    ),
    "readout: 'cubic'; allowed: 'quadratic' or 'linear'": lambda f: f.set_params(
        readout="cubic"
    ).fit(waves(300)),
    "not fitted; call fit first": lambda f: f.predict(3),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_series_that_cannot_be_used(text):
    with pytest.raises(SpecError, match=text):
        WRONG[text](hl.ReservoirForecaster(**SMALL))


def test_wrong_questions(fitted):
    for horizon in (0, 2.5, "3"):
        with pytest.raises(SpecError, match="horizon: "):
            fitted.predict(horizon)
    with pytest.raises(SpecError, match="context: 1 channels; allowed: 2, as in fit"):
        fitted.predict(3, np.zeros(5))
    with pytest.raises(SpecError, match="X: 20 values; allowed: >= 52"):
        fitted.score(waves(20))
    with pytest.raises(SpecError, match="a series that does not change"):
        fitted.score(np.ones((80, 2)))


def test_programs_that_do_not_forecast(fitted):
    from dataclasses import replace

    program, meta = fitted.compiled_, dict(fitted.compiled_.readout_meta)
    with pytest.raises(SpecError, match=r"target 'none', 2 inputs; allowed: the increment"):
        hl.CompiledForecaster(replace(program, readout_meta={}))
    with pytest.raises(ArtifactError, match=r"weights \(180, 2\)|weights \(180, 2\); allowed"):
        hl.CompiledForecaster(replace(program, readout_meta=meta | {"trace_samples": [3.0]}))
    with pytest.raises(ArtifactError, match=r"readout.steps_per_sample: 0; allowed: >= 1"):
        hl.CompiledForecaster(replace(program, readout_meta=meta | {"steps_per_sample": 0}))
