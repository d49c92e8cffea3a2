"""The table of a pruning loop: what every iteration left, and why it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.report.document import build_report


def rows(count, **more):
    """Halves synapses and operations every time."""
    return [
        {
            "iteration": k,
            "neurons": 100 - k,
            "synapses": 4096 >> k,
            "sops": 200.0 / 2**k,
            "spikes": 8.0,
            "rate_error": 0.01 * k,
            "gain": 1.0,
            **{key: values[k] for key, values in more.items()},
        }
        for k in range(count)
    ]


def report_of(compiled, table):
    told = {
        "why": "fits <tiny> on 2 of 2 cores",
        "iterations": len(table) - 1,
        "taken": len(table) - 1,
        "rows": table,
        "step": "prune_random",
    }
    record = PassRecord("pruning_loop", {}, {}, {}, 0.0, told)
    return build_report(replace(compiled, records=(*compiled.records, record)))


def section(report):
    return report.to_text().partition("ITERATIONS\n")[2].splitlines()


def test_a_line_an_iteration(compiled):
    fits = {"fits": [False, False, True], "broken": [["synapses"], ["cores_on_chip"], None]}
    report = report_of(compiled, rows(3, **fits, cores=[None, None, 2], loss=[1.0, 1.25, 2.0]))
    assert set(report.data["pruning_loop"]) == {"why", "iterations", "taken", "rows"}
    head, _, *lines = section(report)
    words = ["iteration", "neurons", "synapses", "SOPs", "a", "step", "spikes", "rate", "error"]
    assert head.split() == [*words, "loss", "chip"]
    first = ["0", "100", "4,096", "200", "x1.000", "0.000", "1", "synapses"]
    assert lines[0].split() == first
    assert lines[2].split() == ["2", "98", "1,024", "50", "x1.000", "0.020", "2", "2", "cores"]
    assert lines[3] == "fits <tiny> on 2 of 2 cores; the network is that of iteration 2"
    page = report.to_html()
    assert 'id="iterations"' in page
    assert "fits &lt;tiny&gt;" in page
    assert "shares of neurons, synapses, operations and spikes over 2 iterations" in page


@pytest.mark.parametrize(("count", "lines"), [(2, 2), (12, 12), (13, 12), (101, 12)])
def test_the_text_shows_a_dozen_and_the_page_all(compiled, count, lines):
    report = report_of(compiled, rows(count))
    numbers = [line.split()[0] for line in section(report)[2 : 2 + lines]]
    assert numbers[0] == "0"
    assert numbers[-1] == str(count - 1)
    assert section(report)[2 + lines].startswith("fits ")
    # the unpruned network among them
    assert report.to_html().count(f">{100 - count + 1}<") >= 1


def test_a_loop_that_had_nothing_to_do(compiled):
    report = report_of(compiled, rows(1))
    assert section(report)[2].split()[:3] == ["0", "100", "4,096"]
    assert 'id="iterations"' in report.to_html()


def test_without_a_loop_there_is_no_section(compiled, trace):
    report = build_report(compiled, trace)
    assert report.data["pruning_loop"] == {}
    assert "ITERATIONS" not in report.to_text()
    assert 'id="iterations"' not in report.to_html()
