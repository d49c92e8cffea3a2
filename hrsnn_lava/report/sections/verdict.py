"""The head of a report: PASS or FAIL, broken rules, budgets, and a few key figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from hrsnn_lava.budgets.quantities import is_number, shown
from hrsnn_lava.compiler.design_rules.check import check
from hrsnn_lava.findings import SEVERITIES, Finding
from hrsnn_lava.report import format as forms
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import UNKNOWN, Plain
from hrsnn_lava.report.section import Section, render
from hrsnn_lava.report.sections.comparison import headline
from hrsnn_lava.report.sections.constraints import constraints

#: Findings that a headline spells out.
FINDINGS_SHOWN = 5
UNCHECKED = "parity not checked"
_MARKS = {"error": "x", "warning": "!", "note": "-"}


class Tile(NamedTuple):
    """A figure at the top: its name, its value, and what it is about."""

    name: str
    value: str
    note: str


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


def findings_lines(findings: Sequence[Plain], most: int = FINDINGS_SHOWN) -> list[str]:
    """The first few, the worst first, as lines; notes are counted where others are shown."""
    serious = [f for f in findings if f["severity"] != "note"]
    shown = serious[:most] or list(findings[:most])
    lines = [
        forms.wrap(f"  {_MARKS[f['severity']]} {f['severity']}: {Finding.from_dict(f)}", "    ")
        for f in shown
    ]
    left = len(findings) - len(shown)
    return [*lines, f"  {left} more in the JSON and on the page"] if left else lines


def tiles(report: Plain) -> list[Tile]:
    """Seven figures at most."""
    size, joules = report["network"], report["energy"]
    cores = next(row for row in report["constraints"] if row["rule"] == "cores")
    of = "" if cores["limit"] is None else f"of {forms.integer(cores['limit'])}"
    share = size["density_kept"]
    before = "" if share is None else f"{forms.percent(share)} of {size['synapses_before']:,}"
    figures = [
        Tile("neurons", forms.integer(size["neurons"]), f"{forms.integer(size['inputs'])} inputs"),
        Tile("synapses", forms.integer(size["synapses"]), before),
        Tile("cores", forms.integer(cores["used"]), f"{of} on {report['profile']}".strip()),
    ]
    operations = report["sop"]
    if operations["total"] is not None:
        ratio = operations["ratio"]
        ratio = operations["ratio_recurrent"] if ratio is None else ratio
        steps = forms.integer(report["activity"]["steps"])
        note = f"{forms.integer(operations['total'])} in {steps} steps"
        note = note if ratio is None else f"{ratio:.1f}× fewer than the reference"
        figures.append(Tile("SOPs per step", forms.number(operations["per_step"]), note))
        proxy = " (proxy)" if joules["proxy"] else ""
        total = "not known" if joules["total_j"] is None else forms.si(joules["total_j"], "J")
        dynamic, static = (forms.si(joules[key], "J") for key in ("dynamic_j", "static_j"))
        note = f"dynamic {dynamic}, static {static}"
        figures.append(Tile(f"energy of the run{proxy}", total, note))
    figures += _score(report)
    parity = report["parity"]
    if "mismatches" in parity:
        names = " = ".join(str(name) for name in parity.get("backends", ()))
        figures.append(Tile("mismatches", forms.integer(parity["mismatches"]), names))
    return figures


def _score(report: Plain) -> list[Tile]:
    """The headline score of the program on the chip, beside that of the unpruned network."""
    first, accuracy = headline(report), report["accuracy"]
    scores = accuracy.get("integer")
    value = scores.get(first["name"]) if first and isinstance(scores, dict) else None
    if first is None or not is_number(value):
        return []
    before = accuracy.get(f"{first['name'].removesuffix('_mean')}_unpruned")
    note = f"unpruned: {forms.number(before)}" if is_number(before) else "on the chip"
    return [Tile(first["title"], f"{forms.number(value)} {first['unit']}".strip(), note)]


def text(report: Plain) -> str:
    """Verdict, size and violations, then the budgets."""
    size = report["network"]
    head = f"{report['verdict']}  {report['project']}: {report['summary']}"
    line = f"{forms.integer(size['neurons'])} neurons, {forms.integer(size['synapses'])} synapses"
    if size["synapses_before"]:
        before = forms.integer(size["synapses_before"])
        line += f" ({forms.percent(size['density_kept'])} of {before} before pruning)"
    lines = [forms.wrap(head, "      "), f"{line}; target {size['profile_title']}"]
    lines += findings_lines(report["findings"])
    for v in report["violations"]:
        broken = f"{v['rule']}: {v['where']}: {v['measured']}; limit {v['limit']}; {v['fix']}"
        lines.append(forms.wrap(f"  - {broken}", "    "))
    return forms.parts("\n".join(lines), forms.titled("Budgets", _budgets(report["budgets"])))


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
    return render("verdict.html.j2", report, tiles=tiles(report))


SECTION = Section("verdict", "Verdict", data, text, html)
