"""How far the integers are from the float network on the same input, as the caller measured it."""

from __future__ import annotations

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.section import listed

_NOTE = (
    "The same input on the float network and on the program. A recurrent network is chaotic: "
    "single spikes part sooner or later, counts and rates are what can agree."
)
#: What says of which network it is; findings stand in the head of the report.
_ELSEWHERE = ("network_digest", "findings")


def _shown(facts: Facts) -> Plain:
    said = facts.evidence.float_vs_integer or {}
    return {name: value for name, value in said.items() if name not in _ELSEWHERE}


SECTION = listed("float_vs_integer", "Float against integers", _shown, _NOTE)
