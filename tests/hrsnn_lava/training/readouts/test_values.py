"""Readouts of values: what each of them can tell, and that their arrays say all."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import Spec
from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.readout import ReadoutOptions, select_readout
from hrsnn_lava.training.readouts.values import ValueLesson, value_fitter, value_readout
from hrsnn_lava.training.simulation import simulator_of

pytest.importorskip("sklearn")

from hrsnn_lava.training.readouts.network import Network


def lesson(n=600, seed=0):
    """Two kinds of features of three neurons, and values that no linear map tells: |x|, 5 x."""
    x = np.random.default_rng(seed).uniform(-1, 1, n)
    rare = (np.random.default_rng(seed + 1).random(n) < 0.01).astype(float)
    features = np.stack([x, rare, 0 * x, 3 * x, rare, 0 * x], axis=1)
    return ValueLesson(features, x[:, None], np.stack([np.abs(x), 5 * x + 40], axis=1), 2)


def error(readout, seed=2):
    test = lesson(seed=seed)
    return np.sqrt(np.mean((readout.predict(test.features) - test.targets) ** 2, axis=0))


def test_hidden_units_tell_what_is_not_linear():
    ridge = value_fitter(lesson(), ReadoutOptions(products=False)).fit(1e-6)
    three = value_fitter(lesson(), ReadoutOptions(), Network(neurons=1.0)).fit(1e-6)
    two = value_fitter(lesson(), ReadoutOptions(), Network(neurons=1.0, hidden=0)).fit(1e-6)
    assert error(three)[0] < 0.03
    assert min(error(ridge)[0], error(two)[0]) > 0.25
    assert max(error(ridge)[1], error(two)[1], error(three)[1]) < 0.1


def test_a_neuron_that_hardly_fires_throws_no_answer_off():
    """Divided by its own deviation, its one spike in a hundred samples would count for ten."""
    readout = value_fitter(lesson(), ReadoutOptions(), Network(neurons=1.0)).fit(1e-3)
    quiet = lesson().features[:1].copy()
    quiet[:, [1, 4]] = 0.0
    fires = quiet.copy()
    fires[:, [1, 4]] = 1.0
    moved = np.abs(readout.predict(fires) - readout.predict(quiet)) / lesson().targets.std(axis=0)
    assert moved.max() < 0.6


@pytest.mark.parametrize("how", ["linear", "quadratic", "three", "two"])
def test_arrays_say_all(how):
    network = {"three": Network(), "two": Network(hidden=0)}.get(how)
    options = ReadoutOptions(products=how == "quadratic")
    fitted = value_fitter(lesson(), options, network).fit(1e-3)
    again = value_readout(fitted.arrays(), fitted.alpha)
    np.testing.assert_array_equal(
        again.predict(lesson().features), fitted.predict(lesson().features)
    )
    assert again.predict(lesson().features[0]).shape == (2,)
    assert again.alpha == 1e-3


def test_the_penalty_is_chosen_on_rows_that_do_not_train():
    fitter = value_fitter(lesson(), ReadoutOptions(), Network(neurons=1.0))
    test = lesson(seed=5)

    def loss(readout):
        return float(np.mean((readout.predict(test.features) - test.targets) ** 2))

    chosen, losses = select_readout(fitter, np.arange(600) < 500, (1e-4, 1e4), loss)
    assert chosen.alpha == 1e-4
    assert losses[1e-4] < 0.1 * losses[1e4]


def spec(kind, readout):
    task = {"kind": kind, **TASKS[kind], "readout": readout}
    network = {"size": 60, "connectivity": {"mean_degree": 10.0}}
    return Spec.parse({"network": network, "task": task})


TASKS = {
    "lorenz63": {"train": 300, "horizon": 20, "starts": 1},
    "goog": {"train": 300, "horizon": 10, "starts": 2},
    "narma10": {"train": 300, "validation": 100, "test": 100},
}


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_on_series_takes_the_papers_readout(kind):
    """6 neurons of most betweenness, each with all its kinds of features, 20 units, the values."""
    whole = spec(kind, "network")
    assert whole.task.readout == Network()
    assert Spec.parse(json.loads(whole.model_dump_json())) == whole
    trial = whole.task.trial(0)
    network = hl.build_hrsnn(whole, n_inputs=trial.lesson.width)
    outcome = trial.evaluate(simulator_of(network), np.random.default_rng(0))
    kinds = {"lorenz63": 3, "goog": 4, "narma10": 3}[kind]
    values = {"lorenz63": 3}.get(kind, 1)
    shapes = {name: array.shape for name, array in outcome.readout.items()}
    assert shapes["weights"] == (6 * kinds, 20)
    assert shapes["weights_2"] == (20, values)
    columns = outcome.readout["features"].reshape(kinds, 6)
    assert (np.diff(columns, axis=0) == 60).all()
    assert outcome.readout_meta["readout"] == "network"
    assert np.isfinite(outcome.scores.headline.value)


@pytest.mark.parametrize(
    ("readout", "text"),
    [
        ("cubic", "task.readout: 'cubic'; allowed: 'quadratic' or 'linear', or 'network'"),
        ("ridge", "task.readout: 'ridge'; allowed: 'quadratic' or 'linear', or 'network'"),
        ({"hidden": 3}, "allowed: 'quadratic' or 'linear', or 'network'"),
        ({"kind": "network", "hiden": 3}, "task.readout.hiden: unknown key"),
        ({"kind": "network", "neurons": 0.0}, "task.readout.neurons"),
        (3, "task.readout: 3; allowed: 'quadratic'"),
        (["network"], "task.readout: ['network']; allowed: 'quadratic'"),
    ],
)
@pytest.mark.parametrize("kind", TASKS)
def test_what_is_no_readout_is_refused(kind, readout, text):
    with pytest.raises(SpecError) as caught:
        spec(kind, readout)
    assert text in str(caught.value)


def test_a_forecaster_and_its_program_have_it(tmp_path):
    t = 0.2 * np.arange(460)
    series = np.stack([np.sin(t), np.cos(t)], axis=1)
    table = {"kind": "network", "neurons": 1.0}
    forecaster = hl.ReservoirForecaster(network={"size": 60}, readout=table).fit(series[:400])
    assert forecaster.score(series[400:]) > 0
    forecaster.compile("loihi1").save(tmp_path / "own.hlx")
    loaded = hl.CompiledForecaster.load(tmp_path / "own.hlx")
    ahead = loaded.predict(10, series[350:400])
    np.testing.assert_array_equal(ahead, forecaster.predict(10, series[350:400], on="chip"))
    assert set(loaded.compiled.readout) == {
        "weights",
        "offset",
        "weights_2",
        "offset_2",
        "features",
    }
