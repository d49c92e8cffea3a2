"""Metrics by name: those there are, what a wrong name or option is told, parts of one's own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.metrics.scores import Score

NAMES = {
    "accuracy",
    "active_neurons",
    "average_activation",
    "confusion",
    "effective_rank",
    "heterogeneity",
    "mean_correlation",
    "memory_capacity",
    "memory_of_predictions",
    "nrmse",
    "participation_ratio",
    "rmse",
    "separation",
    "spike_efficiency",
    "valid_prediction_time",
}
#: What each can be called with.
ROWS = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 5.0], [4.0, 4.0]])
CALLS = {
    "accuracy": ([0, 1, 1, 0], [0, 1, 0, 0]),
    "active_neurons": ([0, 3, 1],),
    "average_activation": ([0, 3, 1],),
    "confusion": ([0, 1, 1, 0], [0, 1, 0, 0]),
    "effective_rank": (ROWS,),
    "heterogeneity": (ROWS,),
    "mean_correlation": (ROWS,),
    "memory_capacity": (np.sin(np.arange(400.0) ** 2), np.cos(np.arange(800.0)).reshape(400, 2)),
    "memory_of_predictions": (ROWS, ROWS[::-1]),
    "nrmse": (ROWS, ROWS + 0.5),
    "participation_ratio": (ROWS,),
    "rmse": (ROWS, ROWS + 0.5),
    "separation": (ROWS, [0, 0, 1, 1]),
    "spike_efficiency": (0.8, [1, 2, 3]),
    "valid_prediction_time": (ROWS, ROWS + 0.5),
}


def test_the_metrics_of_the_package():
    assert set(registry.names("metric")) == NAMES
    for name in NAMES:
        made = hl.metric(name)
        assert made.name == name
        assert registry.summary("metric", name).endswith(".")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_metric_is_called_and_gives_a_score(name):
    made = hl.metric(name)
    result = made(*CALLS[name])
    value = getattr(result, "value", result)
    score = made.score(*CALLS[name], better=made.better or "higher")
    assert (score.name, score.value) == (name, float(value))
    assert np.isfinite(score.value)
    assert score.title
    if result is not value:  # a result has a line or a table, and plain values
        import json

        assert str(result).strip()
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize(
    "wrong", [None, "text", [[1], [1, 2]], np.ma.masked_array([1.0, 2.0], [True, False]), [1j]]
)
def test_what_is_no_measurement_is_refused_by_name(name, wrong):
    first, *others = CALLS[name]
    with pytest.raises(SpecError):
        hl.metric(name)(wrong, *others)
    if others:
        with pytest.raises(SpecError):
            hl.metric(name)(first, wrong)


def test_an_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(SpecError, match="there is no metric 'acuracy'") as caught:
        hl.metric("acuracy")
    (problem,) = caught.value.problems
    assert set(problem.allowed.split(", ")) == NAMES
    assert problem.fix == "did you mean 'accuracy'?"
    with pytest.raises(SpecError, match="name of a metric: int; allowed: a str"):
        hl.metric(3)


def test_a_wrong_option_is_named():
    with pytest.raises(SpecError, match="definition: 'rank'; allowed: 'sum', 'energy'"):
        hl.metric("effective_rank", definition="rank")
    with pytest.raises(SpecError, match="shares: unknown key"):
        hl.metric("effective_rank", shares=0.9)


def test_options_are_kept_and_a_list_is_a_tuple():
    made = hl.metric("confusion", classes=["left", "right"])
    assert made.classes == ("left", "right")
    assert made([0, 1], [1, 1]).recall == (0.0, 1.0)


def test_a_metric_without_a_direction_asks_for_one():
    spikes = [[1, 2], [2, 4], [3, 6]]
    with pytest.raises(SpecError, match="neither good nor bad"):
        hl.metric("mean_correlation").score(spikes)
    score = hl.metric("mean_correlation").score(spikes, better="lower")
    assert (score.value, score.better) == (pytest.approx(1.0), "lower")


def test_a_value_that_is_not_defined_is_none():
    assert hl.metric("spike_efficiency").score(0.9, [0, 0]).value is None


MEAN = '''"""The mean."""

from typing import ClassVar

import numpy as np

from hrsnn_lava.metrics.base import Metric
from hrsnn_lava.options import options


@options
class Mean(Metric):
    """The mean.

    Attributes:
        scale: of it.
    """

    name: ClassVar[str] = "mean"
    better: ClassVar[str] = "higher"
    scale: float = 1.0

    def __call__(self, values):
        return self.scale * float(np.mean(values))
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of metrics of one's own, known while a test runs."""
    (tmp_path / "metric").mkdir()
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    yield tmp_path / "metric"
    monkeypatch.undo()
    registry.forget()
    for name in [n for n in sys.modules if n.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


def test_a_metric_of_ones_own(folder):
    (folder / "mean.py").write_text(MEAN, encoding="utf-8")
    registry.forget()
    assert hl.metric("mean", scale=2.0)([1.0, 3.0]) == 4.0
    assert hl.metric("mean").score([1.0, 3.0]).value == 2.0
    with pytest.raises(SpecError, match="Did you mean 'mean'"):
        hl.metric("means")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MEAN.replace("(Metric)", ""), "Mean is no Metric"),
        (MEAN.replace('"mean"', '"median"'), "no class with name = 'mean'"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        (MEAN.replace("    def __call__", "    def call"), "TypeError"),
    ],
)
def test_a_file_that_is_no_metric_is_named(folder, text, told):
    (folder / "mean.py").write_text(text, encoding="utf-8")
    registry.forget()
    with pytest.raises(PartError, match=told) as caught:
        hl.metric("mean")
    assert "mean.py" in str(caught.value)


def test_every_metric_has_a_row_on_its_page():
    page = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
    rows = re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), flags=re.M)
    assert set(rows) >= NAMES


def test_a_metric_takes_what_it_needs_of_what_was_measured():
    measured = {"truth": [0, 1, 1], "answers": [0, 1, 0], "spikes": [2.0, 4.0], "quality": 0.9}
    assert hl.metric("accuracy").measure(measured) == pytest.approx(2 / 3)
    assert hl.metric("average_activation").measure(measured) == 3.0
    assert hl.metric("spike_efficiency").measure(measured) == pytest.approx(0.3)
    told = r"metric 'separation': needs states, labels; allowed: answers, quality, spikes, truth"
    with pytest.raises(SpecError, match=told):
        hl.metric("separation").measure(measured)


def test_an_error_is_not_taken_for_a_score():
    error, score = (Score("a", 0.5, "a", better) for better in ("lower", "higher"))
    spikes = {"spikes": [2.0, 2.0]}
    of_errors = hl.metric("spike_efficiency", of="error")
    assert of_errors.measure({"quality": error, **spikes}) == 1.0
    assert hl.metric("spike_efficiency").measure({"quality": score, **spikes}) == 0.25
    for metric, quality in ((of_errors, score), (hl.metric("spike_efficiency"), error)):
        with pytest.raises(SpecError, match="is better where it is"):
            metric.measure({"quality": quality, **spikes})


def test_metrics_with_other_options_have_columns_of_their_own():
    assert hl.metric("effective_rank").key == "effective_rank"
    entropy = hl.metric("effective_rank", definition="entropy")
    assert entropy.key == "effective_rank_definition_entropy"
    assert hl.metric("mean_correlation").scored(0.1).better is None
    assert entropy.scored(3.0).describe() == {
        "name": "effective_rank_definition_entropy",
        "title": "effective rank, definition entropy",
        "better": "higher",
        "unit": "",
    }


def test_every_set_of_options_has_a_name_of_its_own():
    given = [{"delays": 30}, {"washout": 130}, {"surrogates": 3}, {"seed": 3}, {"delays": 3}]
    keys = [hl.metric("memory_capacity", **options).key for options in given]
    assert len(set(keys)) == len(keys)
    times = hl.metric("valid_prediction_time", thresholds=[0.2, 0.5])
    assert times.key == "valid_prediction_time_thresholds_0_2_0_5"
    assert times.heading == "VPT, thresholds 0.2 0.5"


@pytest.mark.parametrize("name", ["rmse", "nrmse", "valid_prediction_time"])
def test_errors_of_series_are_not_taken_of_classes(name):
    classes = {"truth": [0, 1, 1], "answers": [0, 1, 0], "answers_are": "classes"}
    with pytest.raises(SpecError, match="needs values told from the spikes; allowed: classes"):
        hl.metric(name).measure(classes)
    series = {"truth": [0.5, 1.0, 1.0], "answers": [0.5, 1.0, 0.0], "answers_are": "values"}
    assert hl.metric(name).measure(series) is not None
    with pytest.raises(SpecError, match="needs classes told from the spikes; allowed: values"):
        hl.metric("accuracy").measure(series)


def test_forecasts_from_several_places_are_no_single_series():
    truth = np.zeros((3, 5, 2))
    answers = truth.copy()
    answers[:, 3:] = 1.0
    answers[2, 1:] = 1.0
    scale = np.ones(2)
    times = hl.metric("valid_prediction_time", thresholds=[0.2])(truth, answers, scale)
    assert times.steps.ravel().tolist() == [3, 3, 1]
    flat = answers.reshape(-1, 2), truth.reshape(-1, 2)
    assert hl.metric("rmse")(truth, answers) == hl.metric("rmse")(*flat)
    truth[:, :, 0] = np.arange(15.0).reshape(3, 5)
    truth[:, :, 1] = truth[:, :, 0] ** 2
    both = (truth.reshape(-1, 2), answers.reshape(-1, 2))
    assert hl.metric("nrmse")(truth, answers) == hl.metric("nrmse")(*both)
