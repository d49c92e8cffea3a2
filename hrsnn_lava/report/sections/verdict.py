"""The head of a report: PASS or FAIL, broken rules, budgets, and a few key figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.compiler.design_rules.check import check
from hrsnn_lava.findings import SEVERITIES, Finding
from hrsnn_lava.report import format as forms
from hrsnn_lava.report import headline
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import UNKNOWN, Plain
from hrsnn_lava.report.section import Section, render
from hrsnn_lava.report.sections.constraints import constraints
from hrsnn_lava.report.spread import cells
from hrsnn_lava.report.spread import note as spread_note

#: Findings that a headline spells out.
FINDINGS_SHOWN = 3
#: Broken rules that a summary spells out.
VIOLATIONS_SHOWN = 8
UNCHECKED = "parity not checked"
_MARKS = {"error": "x", "warning": "!", "note": "-"}


def data(facts: Facts) -> Plain:
    """Names, verdict with one sentence of why, every violation, and sizes of the network."""
    compiled = facts.compiled
    network, profile, before = compiled.network, compiled.profile, facts.synapses_before
    violations = list(check(facts.placed))
    findings = facts.findings
    number = {s: sum(f.severity == s for f in findings) for s in SEVERITIES}
    mismatches = (facts.evidence.parity or {}).get("mismatches") or 0
    failed = violations or mismatches or number["error"]
    return {
        "project": network.name,
        "profile": profile.name,
        "verdict": "FAIL" if failed else "PASS",
        "summary": _summary(facts, len(violations), mismatches, number),
        "violations": [vars(v) for v in violations],
        "findings": [finding.to_dict() for finding in findings],
        "findings_count": {**number, "serious": number["error"] + number["warning"]},
        "network": {
            "neurons": network.n_neurons,
            "inputs": network.n_inputs,
            "synapses": network.n_synapses,
            "synapses_before": before,
            "density_kept": network.n_synapses / before if before else None,
            "populations": {p.name: p.size for p in network.populations},
            "profile_title": profile.title,
            "chips": facts.chips,
        },
    }


def _summary(facts: Facts, broken: int, mismatches: int, number: Mapping[str, int]) -> str:
    """Whether it fits, what limits it, and what speaks against it."""
    return "; ".join([_fit(facts, broken, mismatches), *_remarks(facts, number)])


def _remarks(facts: Facts, number: Mapping[str, int]) -> list[str]:
    """How many findings there are, and whether backends were compared."""
    counts = [
        f"{number[severity]} {severity}{'' if number[severity] == 1 else 's'}"
        for severity in ("error", "warning")
        if number[severity]
    ]
    compared = "mismatches" in (facts.evidence.parity or {})
    return [*([" and ".join(counts)] if counts else []), *([] if compared else [UNCHECKED])]


def _fit(facts: Facts, broken: int, mismatches: int) -> str:
    profile = facts.compiled.profile.name
    disagree = f"backends disagree: {mismatches:,} mismatches"
    if broken:
        some = "rule is" if broken == 1 else "rules are"
        summary = f"does not fit {profile}: {broken} design {some} broken"
        return f"{summary}; {disagree}" if mismatches else summary
    if mismatches:
        return f"fits {profile}, but {disagree}"
    rows = constraints(facts.placed.used, facts.compiled.profile)
    cores = next(row for row in rows if row["rule"] == "cores")
    limit = "" if cores["limit"] is None else f" of {cores['limit']:,}"
    summary = f"fits {profile} on {cores['used']:,}{limit} cores"
    tight = next((row for row in rows if row["binding"]), None)
    if tight is not None:
        rule = forms.label(tight["rule"])
        summary += f"; tightest: {rule} on core {tight['worst_core']}, "
        summary += f"{tight['used']:,} of {tight['limit']:,}"
    return summary


def findings_lines(findings: Sequence[Plain], most: int | None = FINDINGS_SHOWN) -> list[str]:
    """The first few, the worst first, as lines; notes are counted where others are shown.

    Args:
        most: how many of them; None: all, the notes too.
    """
    serious = [f for f in findings if f["severity"] != "note"]
    shown = list(findings) if most is None else serious[:most] or list(findings[:most])
    lines = [
        forms.wrap(f"  {_MARKS[f['severity']]} {f['severity']}: {Finding.from_dict(f)}", "    ")
        for f in shown
    ]
    left = len(findings) - len(shown)
    return [*lines, f"  {left} more in the JSON and on the page"] if left else lines


def text(report: Plain) -> str:
    """The head, then the budgets."""
    return forms.parts(head(report, None), forms.titled("Budgets", _budgets(report["budgets"])))


def head(report: Plain, most: int | None = FINDINGS_SHOWN) -> str:
    """Verdict, what speaks against it, and the answers of `hrsnn_lava.report.headline`.

    Args:
        most: findings that are spelled out; None: all.
    """
    verdict = f"{report['verdict']}  {report['project']}: {report['summary']}"
    lines = [forms.wrap(verdict, "      ")]
    for v in report["violations"]:
        broken = f"{v['rule']}: {v['where']}: {v['measured']}; limit {v['limit']}; {v['fix']}"
        lines.append(forms.wrap(f"  - {broken}", "    "))
    lines += findings_lines(report["findings"], most)
    return "\n".join([*lines, *headline.lines(report)])


def summary(report: Plain, hint: str = "") -> str:
    """About twenty lines: the head with the worst broken rules, the budgets, and the networks on
    several seeds, where there are some.

    Args:
        hint: a last line, such as how to see more.
    """
    broken = report["violations"]
    short = {**report, "violations": broken[:VIOLATIONS_SHOWN]}
    more = len(broken) - VIOLATIONS_SHOWN
    budgets, unmet = report["budgets"], [row for row in report["budgets"] if not row["ok"]]
    kept = f"budgets: {len(budgets) - len(unmet)} of {len(budgets)} kept" if budgets else ""
    rest = f"{more} more broken rules; --section verdict lists them" if more > 0 else ""
    lines = "\n".join(filter(None, [head(short), rest, kept, _budgets(unmet)]))
    return "\n".join(filter(None, [forms.parts(lines, _networks(report)), hint]))


def _networks(report: Plain) -> str:
    """The table of the networks on several seeds."""
    section = report.get("spread")
    if not section:
        return ""
    return f"{forms.table(*cells(section))}\n{forms.wrap(spread_note(section))}"


def _budgets(rows: Sequence[Plain]) -> str:
    """One line per budget, then why those that are not kept are not; empty without budgets."""
    if not rows:
        return ""
    cells = [
        [
            row["key"],
            shown(row["value"], row["unit"]),
            f"{'<=' if row['most'] else '>='} {shown(row['limit'], row['unit'])}",
            UNKNOWN if row["margin_percent"] is None else f"{row['margin_percent']:.4g} %",
            ("kept" if row["ok"] else "NOT KEPT") + (" (proxy)" if row["proxy"] else ""),
        ]
        for row in rows
    ]
    lines = [forms.table(["budget", "measured", "allowed", "room", ""], cells, (0, 4))]
    lines += [f"{row['key']}: {row['reason']}" for row in rows if not row["ok"]]
    return "\n".join(lines)


def html(report: Plain, _: Facts) -> Markup:
    """What stands above all sections."""
    size = headline.size(report)
    return render(
        "verdict.html.j2",
        report,
        tiles=headline.tiles(report),
        size=size,
        target=headline.target(report),
    )


SECTION = Section("verdict", "Verdict", data, text, html)
