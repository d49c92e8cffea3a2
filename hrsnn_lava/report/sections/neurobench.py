"""NeuroBench's metrics of the network and the run; those of the run are null without one."""

from __future__ import annotations

from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.section import listed


def _metrics(facts: Facts) -> Plain:
    network, ops, run = facts.compiled.network, facts.operations, facts.activity
    return neurobench(network, ops, run, trace=facts.trace, samples=facts.samples)


SECTION = listed("neurobench", "NeuroBench", _metrics)
