"""What the gate found, as Markdown for the comment of a pull request or the summary of a job."""

from __future__ import annotations

import re

from hrsnn_lava.budgets.values import shown
from hrsnn_lava.deploy.gate.check import NAMED, CheckResult
from hrsnn_lava.deploy.gate.plain_text import percent, remarks, state, visible

#: Punctuation that Markdown or HTML could read as theirs, wherever it is in a line.
_SPECIAL = re.compile(
    r"[\\`*{}\[\]<>|~&$\"]|(?<![^\W_])_|_(?![^\W_])|:(?=/)|(?<=www)\.", re.IGNORECASE
)
_ARROWS = {"<=": "≤", ">=": "≥", "->": "→"}
_SIGN = {"ok": "✅", "better": "✅ better", "left out": "➖ left out", "FAIL": "❌ FAIL"}


def escape(text: str, longest: int = 300) -> str:
    """`text` as Markdown shows it unchanged: no markup, no link, no mention, one line."""
    text = visible(text, longest)
    text = re.sub("(?<!\\S)(<=|>=|->)(?!\\S)", lambda found: _ARROWS[found.group()], text)
    # a mark is put behind what would mention somebody or something once entities are resolved
    return re.sub("[@#](?!\\d+;)", lambda found: f"{_entity(found)}&#8203;", _quoted(text))


def code(name: str) -> str:
    """A name in the type of code, in which nobody is mentioned and nothing is linked."""
    return f"<code>{_quoted(visible(name)).replace('@', '&#64;')}</code>"


def _quoted(text: str) -> str:
    return _SPECIAL.sub(_entity, text)


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found.group())};"


def render(result: CheckResult) -> str:
    """Verdict, budgets, changes, the projections to look at, and what the energies rest on."""
    passed = result.verdict == "PASS"
    count = "every check passed" if passed else f"{len(result.breaches)} failed"
    head = f"{'✅' if passed else '❌'} {result.verdict}"
    said = f", {escape(result.summary)}" if result.summary else ""
    blocks = [
        f"## {head}: {code(result.project)} on {code(result.profile)}",
        f"{result.checked} checks, {count}. Report: {result.report_verdict}{said}",
        _budgets(result),
        _changes(result),
        _projections(result),
    ]
    if not passed:
        lines = [f"- {escape(line, 600)}" for line in result.breaches]
        blocks.insert(2, "\n".join(["**What failed**", "", *lines]))
    foot = [escape(result.prices.line()), *(f"Note: {escape(n)}" for n in remarks(result))]
    blocks.append("<sub>" + "<br>".join(foot) + "</sub>")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _budgets(result: CheckResult) -> str:
    rows = [
        [
            _SIGN["ok" if row.ok else "FAIL"],
            code(row.key),
            _value(row.value, row.unit, row.proxy),
            escape(row.allowed),
            "–" if row.margin_percent is None else f"{row.margin_percent:.4g} %",
        ]
        for row in result.rows
    ]
    return _table(["", "budget", "measured", "allowed", "room"], rows, "llrrr")


def _changes(result: CheckResult) -> str:
    rows = [
        [
            _SIGN[state(row.compared, row.ok, row.better)],
            code(row.key),
            _value(row.baseline, row.unit, False),
            _value(row.value, row.unit, row.proxy),
            percent(row.change_percent),
            escape(row.allowed),
        ]
        for row in result.changes
    ]
    return _table(
        ["", "against the baseline", "before", "now", "change", "allowed"], rows, "llrrrr"
    )


def _projections(result: CheckResult) -> str:
    if result.baseline:
        if not result.growth:
            return ""
        lines = [f"- {code(g.projection)}: {escape(g.text())}" for g in result.growth[:NAMED]]
        more = len(result.growth) - NAMED
        if more > 0:
            lines.append(f"- and {more} more")
        return "\n".join(["**Projections that grew**", "", *lines])
    shares = [f"{code(name)} {100 * share:.3g} %" for name, share in result.shares[:NAMED]]
    return f"Most synaptic operations: {', '.join(shares)}" if shares else ""


def _value(value: float | None, unit: str, proxy: bool) -> str:
    return escape(shown(value, unit)) + (" (proxy)" if proxy else "")


def _table(head: list[str], rows: list[list[str]], align: str) -> str:
    if not rows:
        return ""
    rule = ["---:" if a == "r" else "---" for a in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])
