"""What the gate found: text for a terminal, Markdown for a pull request, JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.deploy.compare.rendering import code, escape, visible
from hrsnn_lava.deploy.gate.baseline import BaselineRow
from hrsnn_lava.deploy.gate.check import NAMED, CheckResult

_SIGN = {"ok": "✅", "better": "✅ better", "left out": "➖ left out", "FAIL": "❌ FAIL"}
#: Of all cases in JUnit XML.
CLASS = "hrsnn-lava"


def render_text(result: CheckResult) -> str:
    """A table per question: budgets, changes, then what they rest on."""
    lines = [f"{result.verdict}  {visible(result.project)} on {visible(result.profile)}"]
    summary = f", {visible(result.summary, 300)}" if result.summary else ""
    lines.append(f"report: {result.report_verdict}{summary}")
    for head, rows in _tables(result):
        cells = [
            [row.state, visible(row.key), *row.cells, "proxy" if row.proxy else ""] for row in rows
        ]
        lines += ["", *_columns(["", *head, ""], cells)]
    lines += ["", *(f"  {visible(line, 300)}" for line in result.culprits())]
    if result.prices.cost_set is not None:
        lines.append(f"  {visible(result.prices.line(), 300)}")
    lines += [f"  note: {visible(note, 300)}" for note in _remarks(result)]
    return "\n".join(lines).rstrip()


def render_markdown(result: CheckResult) -> str:
    """Verdict, budgets, changes, the projections to look at, and what the energies rest on."""
    passed = result.verdict == "PASS"
    count = "every check passed" if passed else f"{len(result.breaches)} failed"
    head = f"{'✅' if passed else '❌'} {result.verdict}"
    summary = f", {escape(result.summary)}" if result.summary else ""
    blocks = [
        f"## {head}: {code(result.project)} on {code(result.profile)}",
        f"{result.checked} checks, {count}. Report: {result.report_verdict}{summary}",
        *(_markdown_table(head, rows) for head, rows in _tables(result)),
        _projections(result),
    ]
    if not passed:
        lines = [f"- {escape(line, 600)}" for line in result.breaches]
        blocks.insert(2, "\n".join(["**What failed**", "", *lines]))
    foot = [escape(result.prices.line()), *(f"Note: {escape(n)}" for n in _remarks(result))]
    blocks.append("<sub>" + "<br>".join(foot) + "</sub>")
    return "\n\n".join(block for block in blocks if block) + "\n"


def render_junit(result: CheckResult) -> str:
    """One suite, a case per budget and per comparison; what XML 1.0 forbids is spelled out."""
    culprits = [visible(line, 300) for line in result.culprits()]
    root = ElementTree.Element("testsuites")
    name = f"hrsnn-lava check: {visible(result.project)} on {visible(result.profile)}"
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    group = ElementTree.SubElement(suite, "properties")
    properties = [("verdict", result.verdict), ("energy", result.prices.line())]
    for key, value in (*properties, *(("remark", note) for note in _remarks(result))):
        ElementTree.SubElement(group, "property", name=key, value=visible(value, 300))

    def case(kind: str, key: str, failed: str, left_out: str = "") -> None:
        entry = ElementTree.SubElement(
            suite, "testcase", classname=f"{CLASS}.{kind}", name=visible(key), time="0"
        )
        if failed:
            message = visible(failed, 600)
            failure = ElementTree.SubElement(entry, "failure", type="GateError", message=message)
            failure.text = "\n".join([message, *culprits])
        elif left_out:
            ElementTree.SubElement(entry, "skipped", message=visible(left_out, 300))

    failed = "" if result.report_verdict == "PASS" else f"report: {result.summary}"
    case("report", "verdict", failed)
    for row in result.rows:
        case("budget", row.key, "" if row.ok else row.line())
    for change in result.changes:
        left_out = "" if change.compared else change.reason
        case("baseline", change.key, "" if change.ok else change.line(), left_out)
    suite.set("tests", str(result.checked))
    suite.set("failures", str(len(result.breaches)))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", "0")
    return _document(root)


def error_markdown(report: str, lines: Sequence[str], exit_code: int) -> str:
    """A page that says why nothing was checked.

    Args:
        report: path of what was to be checked.
        lines: what is wrong, the main line first.
        exit_code: of the command.
    """
    first, *rest = lines
    blocks = [
        f"## ❌ ERROR: {code(report)} was not checked",
        f"Exit code {exit_code}. {escape(first, 600)}",
        "\n".join(f"- {escape(line, 600)}" for line in rest),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def error_junit(report: str, kind: str, lines: Sequence[str]) -> str:
    """A suite of one case with an error, which is no failure of what it tests.

    Args:
        report: path of what was to be checked.
        kind: of the error.
        lines: what is wrong, the main line first.
    """
    root = ElementTree.Element("testsuites")
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0"}
    name = f"hrsnn-lava check: {visible(report, 300)}"
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    attributes = {"classname": f"{CLASS}.check", "name": "check", "time": "0"}
    entry = ElementTree.SubElement(suite, "testcase", attributes)
    message = visible(lines[0], 600)
    error = ElementTree.SubElement(entry, "error", type=kind, message=message)
    error.text = "\n".join(visible(line, 600) for line in lines)
    return _document(root)


def _document(root: ElementTree.Element) -> str:
    """The XML with its declaration."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _remarks(result: CheckResult) -> list[str]:
    """The notes, with what was left out of the comparison."""
    unasked = (row for row in result.changes if not row.compared and row.ok)
    return [*result.notes, *(f"{row.key}: {row.reason}" for row in unasked)]


@dataclass(frozen=True)
class _TableRow:
    """A row of either table: the last of `measured` cells is the value of this report."""

    state: str
    key: str
    measured: tuple[str, ...]
    judged: tuple[str, ...]
    proxy: bool

    @property
    def cells(self) -> tuple[str, ...]:
        return (*self.measured, *self.judged)


def _tables(result: CheckResult) -> Iterator[tuple[tuple[str, ...], list[_TableRow]]]:
    """Headings and rows of the budgets, and of the comparison; not of an empty one."""
    if result.rows:
        yield (
            ("budget", "measured", "allowed", "room"),
            [
                _TableRow(
                    "ok" if row.ok else "FAIL",
                    row.key,
                    (shown(row.value, row.unit),),
                    (row.allowed, _margin(row.margin_percent)),
                    row.proxy,
                )
                for row in result.rows
            ],
        )
    if result.changes:
        yield (
            ("against the baseline", "baseline", "now", "change", "allowed"),
            [
                _TableRow(
                    _state(row),
                    row.key,
                    (shown(row.baseline, row.unit), shown(row.value, row.unit)),
                    (_percent(row.change_percent), row.allowed),
                    row.proxy,
                )
                for row in result.changes
            ],
        )


def _markdown_table(head: Sequence[str], rows: Sequence[_TableRow]) -> str:
    head = ["", *("before" if name == "baseline" else name for name in head)]
    body = [
        [
            _SIGN[row.state],
            code(row.key),
            *map(escape, row.measured[:-1]),
            escape(row.measured[-1]) + (" (proxy)" if row.proxy else ""),
            *map(escape, row.judged),
        ]
        for row in rows
    ]
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])


def _state(row: BaselineRow) -> str:
    """One word for a row of the comparison."""
    if not row.ok:
        return "FAIL"
    if not row.compared:
        return "left out"
    return "better" if row.better else "ok"


def _percent(change: float | None) -> str:
    """``+1.25 %``; a dash when it is not known."""
    if change is None:
        return "–"
    return f"{change:+.4g} %" if change else "0 %"


def _margin(margin: float | None) -> str:
    return "–" if margin is None else f"{margin:.4g} %"


def _columns(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]


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
