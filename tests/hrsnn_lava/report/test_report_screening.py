"""The table of candidates: which was kept, what was dropped and why."""

from __future__ import annotations

from dataclasses import replace

from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.report.document import build_report

ROWS = [
    {
        "name": "<b>balanced",
        "score": 7.0,
        "figures": {"consistency": 0.75, "log_volume": 100.5},
        "spikes": 1.012,
        "gain": 1.0,
        "rate_error": 0.04,
        "dropped": "",
    },
    {
        "name": "random",
        "score": None,
        "figures": {"consistency": 0.9, "log_volume": 300.0},
        "spikes": 1.3,
        "gain": 0.5,
        "rate_error": 0.5,
        "dropped": "spikes x1.3, above 1.1",
    },
]


def report_of(compiled, rows):
    told = {"criterion": "dynamics", "winner": rows[0]["name"], "candidates": rows, "gain": 1.0}
    record = PassRecord("screening", {}, {}, {}, 0.0, told)
    return build_report(replace(compiled, records=(*compiled.records, record)))


def test_a_line_says_what_each_was_and_what_became_of_it(compiled):
    report = report_of(compiled, ROWS)
    assert set(report.data["screening"]) == {"criterion", "winner", "candidates"}
    head, _, *lines = report.to_text().partition("SCREENING\n")[2].splitlines()[:5]
    expected = ["candidate", "consistency", "log", "volume", "score", "spikes", "gain"]
    assert head.split() == [*expected, "rate", "error", "kept"]
    words = ["<b>balanced", "0.75", "100.5", "7", "x1.012", "1", "0.040", "kept"]
    assert lines[0].split() == words
    assert lines[1].split()[:7] == ["random", "0.9", "300", "–", "x1.300", "0.5", "0.500"]
    assert lines[1].endswith("spikes x1.3, above 1.1")
    assert lines[2] == "by dynamics, without labels"
    page = report.to_html()
    assert "&lt;b&gt;balanced" in page
    assert 'id="screening"' in page


def test_one_figure_is_the_score_and_has_no_column(compiled):
    rows = [row | {"figures": {"memory": 7.0}} for row in ROWS]
    head = report_of(compiled, rows).to_text().partition("SCREENING\n")[2].splitlines()[0]
    assert head.split() == ["candidate", "score", "spikes", "gain", "rate", "error", "kept"]


def test_without_screening_there_is_no_section(compiled, trace):
    report = build_report(compiled, trace)
    assert report.data["screening"] == {}
    assert "SCREENING" not in report.to_text()
    assert 'id="screening"' not in report.to_html()
