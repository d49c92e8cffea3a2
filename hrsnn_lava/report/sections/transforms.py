"""The passes that made the program, with their options and what they changed."""

from __future__ import annotations

import textwrap

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, integer, show, table, titled
from hrsnn_lava.report.section import Section, render


def data(facts: Facts) -> Plain:
    """``transforms``: the pass records, without their run times: equal runs, equal reports."""
    unknown = {"neurons": None, "synapses": None}  # which records of old files do not hold
    rows = [
        {
            **{name: value for name, value in record.to_dict().items() if name != "seconds"},
            "before": {**unknown, **record.before},
            "after": {**unknown, **record.after},
        }
        for record in facts.compiled.records
    ]
    return {"transforms": rows}


def text(report: Plain) -> str:
    """A line a pass; long options are cut."""
    rows = [
        [
            record["name"],
            f"{integer(record['before']['neurons'])} -> {integer(record['after']['neurons'])}",
            f"{integer(record['before']['synapses'])} -> {integer(record['after']['synapses'])}",
            textwrap.shorten(show(record["options"]), 50, placeholder=" …"),
        ]
        for record in report["transforms"]
    ]
    head = ["pass", "neurons", "synapses", "options"]
    return titled("Transforms", table(head, rows, (0, 3)) if rows else "")


def html(report: Plain, _: Facts) -> Markup:
    """A row a pass, with all of its options."""
    return render("transforms.html.j2", report) if report["transforms"] else Markup("")


SECTION = Section("transforms", "Transforms", data, text, html)
