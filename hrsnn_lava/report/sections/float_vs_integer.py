"""How far the integers are from the float network on the same input, as the caller measured it."""

from __future__ import annotations

from hrsnn_lava.report.section import listed

_NOTE = (
    "The same input on the float network and on the program. A recurrent network is chaotic: "
    "single spikes part sooner or later, counts and rates are what can agree."
)
SECTION = listed(
    "float_vs_integer",
    "Float against integers",
    lambda facts: facts.evidence.float_vs_integer or {},
    _NOTE,
)
