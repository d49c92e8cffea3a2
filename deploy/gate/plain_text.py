"""What the gate found, for a terminal; and names made harmless for files that others read."""

from __future__ import annotations

import unicodedata

from hrsnn_lava.budgets.values import shown
from hrsnn_lava.deploy.gate.check import CheckResult

#: Longest name that is written out.
LONGEST = 80


def visible(text: str, longest: int = LONGEST) -> str:
    """`text` on one line: what is invisible or turns the reading direction is spelled out.

    Control and format characters, surrogates and unassigned code points become ``\\uXXXX``; XML
    1.0 allows none of the former, and a terminal or a browser would obey some.
    """
    shown_text = "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c
        for c in text[: longest + 1]
    )
    return shown_text if len(shown_text) <= longest else shown_text[: longest - 1] + "…"


def render(result: CheckResult) -> str:
    """A table per question: budgets, changes, then what they rest on."""
    lines = [f"{result.verdict}  {visible(result.project)} on {visible(result.profile)}"]
    said = f", {visible(result.summary, 300)}" if result.summary else ""
    lines.append(f"report: {result.report_verdict}{said}")
    if result.rows:
        cells = [
            [
                "ok" if row.ok else "FAIL",
                visible(row.key),
                shown(row.value, row.unit),
                row.allowed,
                _margin(row.margin_percent),
                "proxy" if row.proxy else "",
            ]
            for row in result.rows
        ]
        lines += ["", *_table(["", "budget", "measured", "allowed", "room", ""], cells)]
    if result.changes:
        cells = [
            [
                state(row.compared, row.ok, row.better),
                visible(row.key),
                shown(row.baseline, row.unit),
                shown(row.value, row.unit),
                percent(row.change_percent),
                row.allowed,
                "proxy" if row.proxy else "",
            ]
            for row in result.changes
        ]
        head = ["", "against the baseline", "baseline", "now", "change", "allowed", ""]
        lines += ["", *_table(head, cells)]
    lines += ["", *(f"  {visible(line, 300)}" for line in result.culprits())]
    if result.prices.cost_set is not None:
        lines.append(f"  {visible(result.prices.line(), 300)}")
    lines += [f"  note: {visible(note, 300)}" for note in remarks(result)]
    return "\n".join(lines).rstrip()


def remarks(result: CheckResult) -> list[str]:
    """The notes, with what was left out of the comparison."""
    left = [f"{row.key}: {row.reason}" for row in result.changes if not row.compared and row.ok]
    return [*result.notes, *left]


def state(compared: bool, ok: bool, better: bool) -> str:
    """One word for a row of the comparison."""
    if not ok:
        return "FAIL"
    if not compared:
        return "left out"
    return "better" if better else "ok"


def percent(change: float | None) -> str:
    """``+1.25 %``; a dash when it is not known."""
    if change is None:
        return "–"
    return f"{change:+.4g} %" if change else "0 %"


def _margin(margin: float | None) -> str:
    return "–" if margin is None else f"{margin:.4g} %"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
