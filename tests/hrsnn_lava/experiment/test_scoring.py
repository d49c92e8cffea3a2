"""Rows of a comparison: a score never takes the place of another column, nor the other way."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.scoring import COLUMNS, Arm, with_metrics, with_ratios
from hrsnn_lava.metrics.scores import Score, Scores
from hrsnn_lava.tasks.base import Outcome


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
    with pytest.raises(SpecError, match=r"metric 'separation': needs labels; allowed: answers"):
        with_metrics(outcome(np.ones(2)), [hl.metric("separation")])
