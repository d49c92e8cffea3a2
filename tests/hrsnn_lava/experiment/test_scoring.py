"""Rows of a comparison: a score never takes the place of another column, nor the other way."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.preparation import prepare
from hrsnn_lava.experiment.scoring import (
    COLUMNS,
    Arm,
    check_metrics,
    with_metrics,
    with_ratios,
)
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.tasks.base import Outcome
from hrsnn_lava.training.simulation import simulator_of


def arm(name):
    """A network with one score."""
    return Arm("net", Outcome(Scores((Score(name, 0.25, "figure"),))), 10, 20, 2.0, 0.1)


def test_a_row_has_its_columns_and_the_scores():
    (row,) = with_ratios([arm("figure").row()])
    assert row["figure"] == 0.25
    assert row.keys() - COLUMNS == {"figure"}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_score_that_is_called_like_a_column_is_refused(name):
    with pytest.raises(SpecError, match=f"score: '{name}'; allowed: none of .*{name}.*Rename"):
        arm(name)


def outcome(spikes):
    scores = Scores((Score("accuracy", 0.8, "accuracy", "higher"),))
    measured = {"truth": [0, 1], "answers": [0, 1], "states": np.eye(2), "spikes": np.array([1, 3])}
    return Outcome(scores, neuron_spikes=spikes, measured={} if spikes is None else measured)


def test_metrics_stand_behind_the_scores_of_a_task():
    metrics = [hl.metric(name) for name in ("spike_efficiency", "effective_rank", "accuracy")]
    values = with_metrics(outcome(np.ones(2)), metrics).scores.values()
    # the task's own accuracy stays
    assert values == {"accuracy": 0.8, "spike_efficiency": 0.4, "effective_rank": 2.0}
    baseline = with_metrics(outcome(None), metrics).scores.values()
    assert baseline == {"accuracy": 0.8, "spike_efficiency": None, "effective_rank": None}


def test_a_metric_that_the_task_cannot_give():
    told = r"metrics: separation: .*\n.*metric 'separation': needs labels; allowed: answers"
    with pytest.raises(SpecError, match=told):
        with_metrics(outcome(np.ones(2)), [hl.metric("separation")])


def test_a_metric_takes_no_column_of_the_task_away():
    scores = Scores((Score("rmse_mean", 0.8, "RMSE"),))
    measured = {"truth": np.zeros(4), "answers": np.ones(4)}
    own = Outcome(scores, {"rmse": [0.7, 0.9]}, np.ones(2), measured=measured)
    row = Arm("net", with_metrics(own, [hl.metric("rmse")])).row()
    assert row["rmse"] == [0.7, 0.9]
    assert row["metric_rmse"] == 1.0


@pytest.mark.parametrize(
    ("task", "metric", "text"),
    [
        ("lorenz63", {"kind": "effective_rank"}, "metrics.0: 'effective_rank', which needs states"),
        ("digits", {"kind": "rmse"}, "metrics.0: 'rmse', which needs truth, answers"),
        ("memory", {"kind": "accuracy"}, "metrics.0: 'accuracy', which needs truth, answers"),
        ("narma10", {"kind": "separation"}, "metrics.0: 'separation', which needs states, labels"),
    ],
)
def test_what_a_task_cannot_give_is_said_before_anything_is_built(task, metric, text):
    spec = hl.Spec.parse({"task": {"kind": task}, "metrics": [metric]})
    with pytest.raises(SpecError) as caught:
        check_metrics(spec.metrics, spec.task)
    assert text in str(caught.value)


TASKS = {
    "lorenz63": {"train": 300, "horizon": 3, "starts": 2},
    "goog": {"train": 300, "horizon": 4, "starts": 2},
    "narma10": {"train": 200, "validation": 50, "test": 5},
    "memory": {"train": 150, "validation": 40, "test": 5, "delays": 5},
    "delayed_recall": {"train": 40, "validation": 8, "test": 4, "symbols": 2, "delay": 3},
    "patterns": {"train": 40, "validation": 10, "test": 10, "classes": 2},
    "digits": {"train": 60, "validation": 20, "test": 20},
}


@pytest.mark.parametrize("kind", TASKS)
def test_what_tasks_measure_is_what_they_say(kind):
    """Every name that a task promises is there; spikes are whole numbers of a part of the run."""
    target = {"input": {"target": "synapse"}} if kind == "patterns" else {}
    network = {"size": 40, "connectivity": {"mean_degree": 8.0}, **target}
    spec = hl.Spec.parse({"network": network, "task": {"kind": kind, **TASKS[kind]}})
    trial = spec.task.trial(0)
    built = prepare(spec, trial).network
    outcome = trial.evaluate(simulator_of(built), np.random.default_rng(0))
    assert set(spec.task.measures) <= set(outcome.measured)
    assert outcome.measured.get("answers_are") == spec.task.answers_are
    spikes = outcome.measured["spikes"]
    assert spikes.shape == (40,)
    np.testing.assert_array_equal(spikes, np.rint(spikes))
    assert spikes.sum() > 0
    for name in registry.names("metric"):
        metric = hl.metric(name)
        try:
            check_metrics([metric], spec.task)
        except SpecError:
            continue
        if name not in ("spike_efficiency", "memory_capacity", "heterogeneity"):
            metric.measure({"quality": outcome.scores.headline, **outcome.measured})
    if kind == "lorenz63":
        times = hl.metric("valid_prediction_time").measure(outcome.measured)
        assert times.steps.shape[0] == 2
        assert times.value == outcome.scores["vpt_0.1_steps_mean"].value
    if kind == "memory":
        found = hl.metric("memory_of_predictions").measure(outcome.measured)
        chance = outcome.scores["memory_chance"].value
        assert found.chance.sum() == pytest.approx(chance)
