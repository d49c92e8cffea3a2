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
    ],
)
def test_what_is_no_matrix_is_refused(compiled, trace, wrong):
    with pytest.raises(SpecError, match=r"confusion: .* classes, counts .*; allowed: classes"):
        build_report(compiled, trace, confusion=wrong)
