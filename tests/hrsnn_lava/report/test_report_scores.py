"""Scores by name: a task that is no forecast has its table, its curve, its figures."""

from __future__ import annotations

import re

import pytest
from pages import Page

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.scores import Score
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.sections.comparison import Comparison, curve_plot, points

ACCURACY = Score("accuracy", None, "accuracy", "higher")
TIME = Score("decision_steps", None, "decision", "lower", "steps")
SCORES = [ACCURACY.describe(), TIME.describe()]
ROWS = [
    {"name": "unpruned", "density": 1.0, "sops": 9000, "accuracy": 0.97, "decision_steps": 11.0},
    {"name": "LNP 10 %", "method": "LNP", "density": 0.1, "sops": 800, "accuracy": 0.94},
    {"name": "LNP 5 %", "method": "LNP", "density": 0.05, "sops": 350, "accuracy": 0.81},
    {"name": "nearest digit", "accuracy": 0.9, "spikes": 0},
]


@pytest.fixture(scope="module")
def classified(compiled, trace):
    return build_report(
        compiled,
        trace,
        comparison=ROWS,
        scores=SCORES,
        accuracy={
            "task": "digits",
            "accuracy_unpruned": 0.97,
            "accuracy_ratio_integer": 0.98,
            "integer": {"accuracy": 0.93, "decision_steps": 12.0},
        },
    )


def test_the_scores_head_their_columns_in_their_order():
    table = Comparison.of(ROWS, SCORES)
    assert table.head == (
        "network",
        "density",
        "SOPs",
        "accuracy",
        "decision (steps)",
        "spikes",
        "method",
    )
    assert table.rows[1][3:5] == ("0.94", "–")
    other = Comparison.of(ROWS, SCORES[::-1])
    assert other.head[3:5] == ("decision (steps)", "accuracy")


def test_a_score_of_any_name_is_known_by_its_description():
    rows = [{"name": "a", "f1": 0.5, "sops": 10}, {"name": "b", "f1": 0.7, "sops": 20}]
    scores = [Score("f1", None, "F1", "higher").describe()]
    assert Comparison.of(rows, scores).head == ("network", "SOPs", "F1")
    assert Comparison.of(rows).head == ("network", "SOPs", "f1")
    assert points(rows) == []
    assert [p["score_name"] for p in points(rows, scores)] == ["F1", "F1"]


def test_the_curve_draws_the_headline_the_way_it_is_better(classified):
    curve = classified.to_dict()["pruning_curve"]
    assert [p["name"] for p in curve] == ["unpruned", "LNP 10 %", "LNP 5 %"]
    assert {(p["score_name"], p["less_is_better"]) for p in curve} == {("accuracy", False)}
    plot = curve_plot(curve)
    assert plot.note == "more is better; best towards the left"
    assert plot.y_label == "accuracy"
    heights = [
        float(y) for _, y in re.findall(r"mark p\d\" d=\"M([\d.]+) ([\d.]+)h0", str(plot.body))
    ]
    assert heights[0] < heights[1] < heights[2]  # the higher score is the higher point


def test_a_headline_that_too_few_rows_have_gives_way_to_the_next():
    rows = [
        {"name": str(k), "b": 0.1 * k, "sops": k + 1, **({"a": 1.0} if k else {})} for k in (0, 1)
    ]
    scores = [Score("a", None, "A").describe(), Score("b", None, "B", "higher").describe()]
    assert [(p["score_name"], p["less_is_better"]) for p in points(rows, scores)] == [
        ("B", False)
    ] * 2


def test_text_and_page_say_which_way_is_better(classified):
    text = classified.to_text().split("\nCOMPARISON\n")[1].split("\n\n")[0]
    assert text.splitlines()[0].split()[:4] == ["network", "density", "SOPs", "accuracy"]
    assert text.endswith("accuracy: more is better; decision: less is better")
    page = classified.to_html()
    assert "accuracy: more is better; decision: less is better." in page
    assert ["LNP 10 %", "0.1", "800", "0.94", "–", "–", "LNP"] in [
        row for table in Page(page).tables for row in table
    ]


def test_the_headline_is_a_figure_at_the_top_and_a_cost_of_quantization(classified):
    page = classified.to_html()
    assert "<span>accuracy</span><b>0.93</b><small>unpruned: 0.97</small>" in page
    assert "accuracy 0.98 times the float one" in page
    assert "accuracy 0.98 times the float one's" in classified.to_text()
    cost = classified.to_dict()["quantization"]["cost"]
    assert cost == {"task_score_ratio": 0.98}


def test_rows_without_descriptions_are_shown_as_they_were(whole, classified):
    assert whole.to_dict()["scores"] == []
    assert classified.to_dict()["scores"] == SCORES
    assert "is better" not in whole.to_text()


@pytest.mark.parametrize(
    "wrong", [{"name": "a"}, {"name": "a", "title": "A", "better": "bigger"}, {"title": "A"}]
)
def test_a_description_that_says_too_little(compiled, wrong):
    with pytest.raises(SpecError, match=r"allowed: name, title, better \(lower or higher\), unit"):
        build_report(compiled, scores=[wrong])
