"""Whether the backends agree, bit for bit, as the caller compared them."""

from __future__ import annotations

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, pairs, titled
from hrsnn_lava.report.section import Section, render


def data(facts: Facts) -> Plain:
    """``parity``, as given."""
    return {"parity": dict(facts.evidence.parity or {})}


def text(report: Plain) -> str:
    """Backends, steps and mismatches in one line, then what else is known."""
    section = report["parity"]
    if not {"backends", "steps", "mismatches"} <= set(section):
        return titled("Parity", pairs(section))
    names = " = ".join(str(name) for name in section["backends"])
    line = f"parity: {names}, {section['steps']} steps, {section['mismatches']} mismatches"
    line = section.get("line", line)
    in_line = ("backends", "steps", "mismatches", "line", "network_digest")
    rest = {k: v for k, v in section.items() if k not in in_line and v not in (None, {}, [])}
    return titled("Parity", "\n".join(part for part in (line, pairs(rest)) if part))


def html(report: Plain, _: Facts) -> Markup:
    """The verdict and a row a backend."""
    return render("parity.html.j2", report) if report["parity"] else Markup("")


SECTION = Section("parity", "Parity", data, text, html)
