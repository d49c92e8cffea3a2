"""The comparison of chips as text, Markdown, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hrsnn_lava.report.format import UNKNOWN, integer, label, si, table

Plain = Mapping[str, Any]
WIDTH = 100
FIT = ("profile", "verdict", "cores", "chips", "synapses", "SOPs", "spikes", "messages")
COST = (
    "profile",
    "cost set",
    "",
    "dynamic",
    "static",
    "total",
    "a step",
    "step latency",
    "scope",
    "evidence",
)
#: Columns that are flush left.
FIT_LEFT, COST_LEFT = (0, 1), (0, 1, 2, 8, 9)


def fit_rows(rows: Sequence[Plain]) -> list[list[str]]:
    """One row per chip: verdict, use, counts."""
    keys = ("cores", "chips", "synapses", "sops", "spikes", "messages")
    found = {
        r["profile"]: [r["profile"], r["verdict"], *(integer(r[k]) for k in keys)] for r in rows
    }
    return list(found.values())


def cost_rows(rows: Sequence[Plain]) -> list[list[str]]:
    """One row per chip and cost set; chips that the network does not fit have none."""
    return [
        [
            row["profile"],
            row["cost_set"] or "none",
            "proxy" if row["proxy"] else "",
            _dynamic(row),
            _joules(row["static_j"], row),
            _joules(row["total_j"], row),
            _joules(row["per_step_j"], row),
            _latency(row),
            label(row["scope"] or UNKNOWN),
            _evidence(row),
        ]
        for row in rows
        if row["verdict"] == "PASS"
    ]


def _evidence(row: Plain) -> str:
    found = ", ".join(row["evidence"]) or UNKNOWN
    return found + (f"; static {row['static_evidence']}" if row["static_evidence"] else "")


def _dynamic(row: Plain) -> str:
    if row["dynamic_j"] is None:
        return "null"
    return ("" if row["dynamic_complete"] else "≥ ") + si(row["dynamic_j"], "J")


def _joules(value: float | None, row: Plain) -> str:
    inside = row["scope"] == "all_in" and value is None and row["total_j"] is not None
    return "inside" if inside else "null" if value is None else si(value, "J")


def _latency(row: Plain) -> str:
    if row["step_mean_s"] is not None:
        return f"{si(row['step_mean_s'], 's')} [{', '.join(row['time_evidence'])}]"
    return (
        "null" if row["step_at_least_s"] is None else f"null, ≥ {si(row['step_at_least_s'], 's')}"
    )


def _chips(rows: Sequence[Plain]) -> str:
    count = len(fit_rows(rows))
    return "1 chip" if count == 1 else f"{count} chips"


def remarks(data: Plain) -> list[str]:
    """Why chips do not fit, what has no price or no time, and the footnote."""
    found = []
    for row in data["rows"]:
        mark = " (proxy)" if row["proxy"] else ""
        if row["verdict"] != "PASS":
            found.append(f"{row['profile']} does not fit: {row['reason']}")
            continue
        who = f"{row['profile']}, {row['cost_set'] or 'no cost set'}{mark}"
        if row["cost_set"] and row["unpriced"]:
            names = ", ".join(label(name) for name in row["unpriced"])
            found.append(f"{who}: without a price: {names}")
        if row["cost_set"] and row["unknown_times"]:
            found.append(f"{who}: without a time: {', '.join(row['unknown_times'])}")
    return [*found, data["note"]]


def pace(rows: Sequence[Plain]) -> str:
    """What static energy and latency refer to."""
    ran = [row for row in rows if row["verdict"] == "PASS"]
    if not ran:
        return ""
    times = {row["step_time_s"] for row in ran}
    each = si(times.pop(), "s") if len(times) == 1 and None not in times else "their own latency"
    return (
        f"{integer(ran[0]['steps'])} steps; static power is charged for steps of {each}; "
        "a step latency is the mean estimate"
    )


def text(data: Plain) -> str:
    """For a terminal."""
    rows = data["rows"]
    parts = [
        f"{data['network']} on {_chips(rows)}",
        table(FIT, fit_rows(rows), FIT_LEFT),
    ]
    costs = cost_rows(rows)
    if costs:
        parts += [table(COST, costs, COST_LEFT), pace(rows)]
    notes = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in remarks(data)]
    return "\n\n".join([*parts, "\n".join(notes)]) + "\n"


def markdown(data: Plain) -> str:
    """Two tables in Markdown, and the remarks."""
    rows = data["rows"]
    parts = [f"## {_plain_markdown(data['network'])} on {_chips(rows)}"]
    parts.append(_markdown_table(FIT, fit_rows(rows), FIT_LEFT))
    costs = cost_rows(rows)
    if costs:
        parts += [_markdown_table(COST, costs, COST_LEFT), pace(rows)]
    parts.append("\n".join(f"- {_plain_markdown(line)}" for line in remarks(data)))
    return "\n\n".join(parts) + "\n"


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    rule = [":--" if k in left else "--:" for k in range(len(head))]
    cells = [list(head), rule, *([_plain_markdown(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def _plain_markdown(value: str) -> str:
    """A name as it is, whatever it holds: no markup, no HTML, one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(value.split()))


def csv_text(data: Plain) -> str:
    """Every column of every row; lists are joined by semicolons, null is empty."""
    out = io.StringIO()
    names = list(data["rows"][0])
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in data["rows"]:
        writer.writerow([_csv_cell(row[name]) for name in names])
    return out.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "; ".join(map(str, value))
    # a spreadsheet takes what begins like this for a formula
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else str(value)


def html_table(data: Plain) -> str:
    """Two tables for a notebook; every name is escaped."""

    def one(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"

    rows = data["rows"]
    notes = "".join(f"<p>{html.escape(line)}</p>" for line in (pace(rows), *remarks(data)) if line)
    return one(FIT, fit_rows(rows)) + one(COST, cost_rows(rows)) + notes
