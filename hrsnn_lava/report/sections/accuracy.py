"""Scores of the task, as the caller measured them."""

from __future__ import annotations

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, pairs, titled
from hrsnn_lava.report.section import Section, render_pairs


def data(facts: Facts) -> Plain:
    """``accuracy``, as given."""
    return {"accuracy": dict(facts.evidence.accuracy or {})}


def text(report: Plain) -> str:
    """A line a score."""
    return titled("Accuracy", pairs(report["accuracy"]))


def html(report: Plain, _: Facts) -> Markup:
    """A list of the scores."""
    return render_pairs(report["accuracy"]) if report["accuracy"] else Markup("")


SECTION = Section("accuracy", "Accuracy", data, text, html)
