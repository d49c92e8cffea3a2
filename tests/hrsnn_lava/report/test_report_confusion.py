"""Which class was taken for which: the matrix, or the pairs that are mistaken most."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.report.document import build_report

TRUTH, ANSWERS = [0, 0, 0, 1, 1, 2], [0, 0, 2, 1, 0, 2]


def test_a_small_matrix_is_shown_whole(compiled, trace):
    matrix = hl.metric("confusion", classes=["left", "up", "<b>"])(TRUTH, ANSWERS)
    report = build_report(compiled, trace, confusion=matrix)
    assert report.data["confusion"]["counts"] == [[2, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert report.data["confusion"]["accuracy"] == pytest.approx(4 / 6)
    assert str(matrix) in report.to_text()
    page = report.to_html()
    assert '<td class="n" style="--v:0.667">2</td>' in page
    assert "&lt;b&gt;" in page
    assert "<bdi><b></bdi>" not in page
    assert "0.6667 of 6 samples right" in page
    again = build_report(compiled, trace, confusion=report.data["confusion"])
    assert again.data["confusion"] == report.data["confusion"]


def test_of_many_classes_the_pairs_that_are_mistaken_most(compiled, trace):
    truth = np.repeat(np.arange(30), 10)
    answers = truth.copy()
    answers[:4] = 7
    matrix = hl.metric("confusion")(truth, answers)
    report = build_report(compiled, trace, confusion=matrix)
    assert len(report.data["confusion"]["counts"]) == 30
    assert "MISTAKEN MOST" in report.to_text()
    cells = '<th scope="row">0</th><td class="n">7</td><td class="n">4</td>'
    assert cells in report.to_html()
    assert "--v:0.600" not in report.to_html()


def test_without_it_there_is_no_section(compiled, trace):
    report = build_report(compiled, trace)
    assert report.data["confusion"] == {}
    assert 'id="confusion"' not in report.to_html()
    assert "CONFUSION" not in report.to_text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"classes": ["a", "b"], "counts": [[1, 2]]},
        {"classes": ["a", "b"], "counts": [[1.5, 2.0], [0.0, 1.0]]},
        {"classes": ["a", "b"], "counts": [[1, -2], [0, 1]]},
        {"classes": ["a", "b"]},
        {"counts": [[1]]},
        {},
        "accuracy",
        3,
        [[1, 2], [3, 4]],
    ],
)
def test_what_is_no_matrix_is_refused(compiled, trace, wrong):
    with pytest.raises(SpecError, match=r"confusion: .*; allowed: classes, and counts"):
        build_report(compiled, trace, confusion=wrong)


def test_names_are_text_in_the_text_too(compiled, trace):
    names = ["one\ntwo", "right\u202eleft", "<script>"]
    matrix = hl.metric("confusion", classes=names)([0, 1, 2], [0, 1, 1])
    report = build_report(compiled, trace, confusion=matrix)
    assert "one\ufffdtwo" in report.to_text()
    assert "\u202e" not in report.to_text() + report.to_html()
    assert "<script>" not in report.to_html()


def test_of_many_classes_nothing_may_be_mistaken(compiled, trace):
    labels = np.arange(30)
    text = build_report(compiled, trace, confusion=hl.metric("confusion")(labels, labels)).to_text()
    assert "MISTAKEN MOST\nnone\naccuracy 1.0000 of 30 samples" in text
