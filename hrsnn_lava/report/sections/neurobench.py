"""NeuroBench's metrics of the network and the run."""

from __future__ import annotations

from markupsafe import Markup

from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, pairs, titled
from hrsnn_lava.report.section import Section, render_pairs


def data(facts: Facts) -> Plain:
    """``neurobench``; workload metrics are null without a run."""
    network, ops, run = facts.compiled.network, facts.operations, facts.activity
    block = neurobench(network, ops, run, trace=facts.trace, samples=facts.samples)
    return {"neurobench": block}


def text(report: Plain) -> str:
    """A line a metric."""
    return titled("NeuroBench", pairs(report["neurobench"]))


def html(report: Plain, _: Facts) -> Markup:
    """A list of the metrics."""
    return render_pairs(report["neurobench"])


SECTION = Section("neurobench", "NeuroBench", data, text, html)
