"""Candidates that were pruned to one budget, and why one of them is the network of this report."""

from __future__ import annotations

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import UNKNOWN, Cells, Plain, label, number, table, titled
from hrsnn_lava.report.section import Section, render


def data(facts: Facts) -> Plain:
    """``screening``: the criterion, the winner and a row a candidate; empty without screening."""
    keys = ("criterion", "winner", "candidates")
    reports = [r.report for r in facts.compiled.records if r.name == "screening"]
    return {"screening": {key: reports[-1][key] for key in keys} if reports else {}}


def cells(report: Plain) -> Cells:
    """Headings and rows; figures of the criterion have a column each where there are several."""
    said = report["screening"]
    names = list(dict.fromkeys(key for row in said["candidates"] for key in row["figures"]))
    names = names if len(names) > 1 else []
    head = ["candidate", *map(label, names), "score", "spikes", "gain", "rate error", "kept"]
    rows = []
    for row in said["candidates"]:
        figures = [number(row["figures"].get(key)) for key in names]
        score = UNKNOWN if row["score"] is None else number(row["score"])
        shares = [f"x{row['spikes']:.3f}", number(row["gain"]), f"{row['rate_error']:.3f}"]
        kept = "kept" if row["name"] == said["winner"] else row["dropped"]
        rows.append([row["name"], *figures, score, *shares, kept])
    return head, rows


def text(report: Plain) -> str:
    """A line a candidate."""
    if not report.get("screening"):
        return ""
    head, rows = cells(report)
    told = f"by {label(report['screening']['criterion'])}, without labels"
    return titled("Screening", f"{table(head, rows, (0, len(head) - 1))}\n{told}")


def html(report: Plain, _: Facts) -> Markup:
    """The same as a table."""
    if not report.get("screening"):
        return Markup("")
    head, rows = cells(report)
    return render("screening.html.j2", report, head=head, rows=rows)


SECTION = Section("screening", "Screening", data, text, html)
