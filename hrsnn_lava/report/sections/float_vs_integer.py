"""How far the integers are from the float network on the same input."""

from __future__ import annotations

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, pairs, titled
from hrsnn_lava.report.section import Section, render_pairs

_NOTE = Markup(
    '<p class="note">The same input on the float network and on the program. A recurrent network '
    "is chaotic: single spikes part sooner or later, counts and rates are what can agree.</p>"
)


def data(facts: Facts) -> Plain:
    """``float_vs_integer``, as given."""
    return {"float_vs_integer": dict(facts.evidence.float_vs_integer or {})}


def text(report: Plain) -> str:
    """A line a figure."""
    return titled("Float against integers", pairs(report["float_vs_integer"]))


def html(report: Plain, _: Facts) -> Markup:
    """A list of the figures, and what may be expected of them."""
    section = report["float_vs_integer"]
    return render_pairs(section) + _NOTE if section else Markup("")


SECTION = Section("float_vs_integer", "Float against integers", data, text, html)
