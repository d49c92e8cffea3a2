"""What the gate found, as JUnit XML: a case per budget and per comparison."""

from __future__ import annotations

from xml.etree import ElementTree

from hrsnn_lava.deploy.gate.check import CheckResult
from hrsnn_lava.deploy.gate.plain_text import remarks, visible

CLASS = "hrsnn-lava"


def render(result: CheckResult) -> str:
    """One suite. Characters that XML 1.0 forbids are spelled out."""
    culprits = [visible(line, 300) for line in result.culprits()]
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name=_name(result))
    _properties(suite, result)
    failed = "" if result.report_verdict == "PASS" else f"report: {result.summary}"
    _case(suite, "report", "verdict", failed, culprits)
    for row in result.rows:
        _case(suite, "budget", row.key, "" if row.ok else row.line(), culprits)
    for change in result.changes:
        failed = "" if change.ok else change.line()
        left = change.reason if change.ok and not change.compared else ""
        _case(suite, "baseline", change.key, failed, culprits, left)
    suite.set("tests", str(result.checked))
    suite.set("failures", str(len(result.breaches)))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", "0")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}\n"


def _name(result: CheckResult) -> str:
    return f"hrsnn-lava check: {visible(result.project)} on {visible(result.profile)}"


def _properties(suite: ElementTree.Element, result: CheckResult) -> None:
    group = ElementTree.SubElement(suite, "properties")
    given = [("verdict", result.verdict), ("energy", result.prices.line())]
    given += [("remark", note) for note in remarks(result)]
    for name, value in given:
        ElementTree.SubElement(group, "property", name=name, value=visible(value, 300))


def _case(
    suite: ElementTree.Element,
    kind: str,
    name: str,
    failed: str,
    culprits: list[str],
    left_out: str = "",
) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"{CLASS}.{kind}", name=visible(name), time="0"
    )
    if failed:
        message = visible(failed, 600)
        failure = ElementTree.SubElement(case, "failure", type="GateError", message=message)
        failure.text = "\n".join([message, *culprits])
    elif left_out:
        ElementTree.SubElement(case, "skipped", message=visible(left_out, 300))
