"""Energy of the run: prices, what they add up to, and the same run under every cost set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from hrsnn_lava.compiler.analysis.pricing.cost_set_table import NOTE, by_cost_set
from hrsnn_lava.compiler.analysis.pricing.ops_45nm import ops_45nm
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import (
    UNKNOWN,
    Plain,
    at_least,
    integer,
    label,
    marks,
    parts,
    si,
    table,
    titled,
    wrap,
)
from hrsnn_lava.report.section import Section, render

_KEYS = (
    "cost_set",
    "evidence",
    "dynamic_j",
    "static_j",
    "wall_time_s",
    "total_j",
    "total_low_j",
    "total_high_j",
)


def data(facts: Facts) -> Plain:
    """``energy``, ``energy_by_cost_set`` and ``conventions``."""
    priced, events, ops = facts.energy, facts.events, facts.operations
    if priced is None or events is None or ops is None:
        lists: dict[str, list[Any]] = {"terms": [], "unpriced": [], "excluded": []}
        return {
            "energy": {**dict.fromkeys(_KEYS), **lists, "unpruned": None},
            "energy_by_cost_set": [],
            "conventions": {"ops_45nm": None, "energy_by_cost_set": NOTE},
        }
    profile, steps = facts.compiled.profile, priced.steps
    rows = by_cost_set(events, profile, steps, priced.step_time_s, facts.chips, used=facts.cost_set)
    shapes = [p.weights.shape for p in facts.compiled.network.projections if p.target == "synapse"]
    dense = sum(n_post * n_pre for n_post, n_pre in shapes)
    acs, macs = events.get("synaptic_operations"), events.get("macs")
    return {
        "energy": {**priced.to_dict(), "unpruned": _unpruned(facts)},
        "energy_by_cost_set": [row.to_dict() for row in rows],
        "conventions": {
            "ops_45nm": ops_45nm(acs, macs, ops.host_macs, dense, steps).to_dict(),
            "energy_by_cost_set": NOTE,
        },
    }


def _unpruned(facts: Facts) -> Plain | None:
    """The unpruned run at the same prices and pace; None where it is not known."""
    before = facts.unpruned
    if before is None:
        return None
    pace, profile = facts.pace, facts.compiled.profile
    return before.priced(facts.cost_set, profile, pace.step_time_s, facts.chips)


def ends(low: float | None, high: float | None, unit: str) -> str:
    """A range such as ``24 pJ to 35.5 pJ``; empty where there is none that can be seen."""
    texts = (si(low, unit), si(high, unit))
    return "" if low is None or texts[0] == texts[1] else " to ".join(texts)


def text(report: Plain) -> str:
    """The run under its cost set, under all of them, and by the 45 nm convention."""
    conventions = report["conventions"]
    return parts(
        titled("Energy", energy_text(report["energy"])),
        titled(
            "Energy by cost set",
            cost_sets_text(report["energy_by_cost_set"], conventions["energy_by_cost_set"]),
        ),
        titled("45 nm convention", ops_45nm_text(conventions["ops_45nm"])),
    )


def energy_text(section: Plain) -> str:
    """The terms and their sum; every line that a proxy or an override touches says so."""
    if not section["terms"]:
        return "no run: give a trace to price it"
    name = section["cost_set"] or "none"
    title = f"cost set {name}{' (proxy: prices of another chip)' if section['proxy'] else ''}"
    if section["bases"]:
        title += f", which extends {', '.join(section['bases'])}"
    lines = [wrap(title), *_terms(section), *_static(section)]
    any_overridden = any(term["overridden"] for term in section["terms"])
    mark = marks(section["proxy"], any_overridden)
    priced = "dynamic, priced terms only" if section["unpriced"] else "dynamic"
    line = f"{priced}: {si(section['dynamic_j'], 'J')}{mark}"
    lines.append(line + _span(section["dynamic_low_j"], section["dynamic_high_j"]))
    if section["total_j"] is None:
        lines.append("total: null, since counts without a price remain" + mark)
    else:
        mark = marks(section["proxy"], bool(section["overridden"]))
        total = f"total: {si(section['total_j'], 'J')}{mark}"
        total += _span(section["total_low_j"], section["total_high_j"])
        total += f", {si(section['per_step_j'], 'J')} a step"
        if section["per_sample_j"] is not None:
            total += f", {si(section['per_sample_j'], 'J')} a sample"
        lines.append(total)
    lines += _unpruned_lines(section)
    lines += _reasons("unpriced" + mark, section["unpriced"])
    lines += _reasons("not included", section["excluded"])
    return "\n".join(lines)


def _unpruned_lines(section: Plain) -> Iterator[str]:
    """The unpruned run beside this one; nothing where it is not known."""
    before = section.get("unpruned")
    if before is None:
        return
    proxy = marks(section["proxy"], False)
    energies = f"dynamic {at_least(before, 'dynamic_j')}, total {at_least(before, 'total_j')}"
    cores = "" if before["cores"] is None else f" on {integer(before['cores'])} cores"
    reason = f": {before['reason']}" if before["reason"] else ""
    yield wrap(f"unpruned{cores}{proxy}: {energies}{reason}")


def _span(low: float | None, high: float | None) -> str:
    joules = ends(low, high, "J")
    return f", {joules} where sources differ" if joules else ""


def _terms(section: Plain) -> Iterator[str]:
    """The table of terms, the sources that it numbers, the ranges and the overrides."""
    numbers: dict[str, int] = {}
    rows = []
    for term in section["terms"]:
        words = [term["evidence"], *["overridden"] * term["overridden"], *["proxy"] * term["proxy"]]
        source = numbers.setdefault(term["source"], len(numbers) + 1)
        rows.append(
            [
                term["name"],
                integer(term["count"]),
                si(term["coefficient_j"], "J"),
                si(term["energy_j"], "J"),
                ", ".join(words),
                f"[{source}]",
            ]
        )
    yield table(["term", "count", "x price", "= energy", "evidence", "source"], rows, (0, 4, 5))
    for source_text, k in numbers.items():
        yield wrap(f"[{k}] {source_text}", "    ")
    for term in section["terms"]:
        mark = marks(term["proxy"], term["overridden"])
        prices = ends(term["coefficient_low_j"], term["coefficient_high_j"], "J")
        if prices and term["low_j"] is not None:
            energies = ends(term["low_j"], term["high_j"], "J")
            line = f"range of {term['name']}{mark}: {prices}, so {energies}"
            yield wrap(f"{line}: {term['range_source']}", "    ")
        if term["overridden"]:
            line = f"overridden: {term['name']}{marks(term['proxy'], False)}"
            line += f": {si(term['coefficient_j'], 'J')} in place of "
            line += "no price" if term["replaces_j"] is None else si(term["replaces_j"], "J")
            yield wrap(f"{line}: {term['condition']}", "    ")


def _static(section: Plain) -> Iterator[str]:
    if section["scope"] == "all_in":
        yield "static: inside the all-in price" + marks(section["proxy"], False)
        return
    static = section["static"]
    chips = "1 chip" if static["chips"] == 1 else f"{static['chips']} chips"
    words = [static["evidence"]]
    words += ["overridden"] * static["overridden"] + ["proxy"] * static["proxy"]
    yield (
        f"static: {si(static['power_w'], 'W')} x {chips} x "
        f"{si(section['wall_time_s'], 's')} ({integer(section['steps'])} steps of "
        f"{si(section['step_time_s'], 's')}) = {si(static['energy_j'], 'J')}"
        f"  [{', '.join(words)}]"
    )
    mark = marks(static["proxy"], static["overridden"])
    if static["low_j"] is not None:
        watts = ends(static["power_low_w"], static["power_high_w"], "W")
        line = f"range of the idle power{mark}: {watts}"
        line += f", so {ends(static['low_j'], static['high_j'], 'J')}"
        yield wrap(f"{line}: {static['range_source']}", "    ")
    if static["overridden"]:
        was = "no figure" if static["replaces_w"] is None else si(static["replaces_w"], "W")
        yield wrap(
            f"overridden: idle power{marks(static['proxy'], False)}: "
            f"{si(static['power_w'], 'W')} in place of {was}: {static['source']}",
            "    ",
        )


def _reasons(title: str, rows: Sequence[Plain]) -> list[str]:
    """One line per reason, with all that it holds for."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        count = "" if row["count"] is None else f" ({integer(row['count'])})"
        reasons.setdefault(row["reason"], []).append(label(row["name"]) + count)
    return [wrap(f"{title}: {', '.join(names)}: {why}") for why, names in reasons.items()]


def cost_sets_text(rows: Sequence[Plain], note: str) -> str:
    """The run under every cost set, a row each, and what the table is not."""
    if not rows:
        return ""
    cells = [
        [
            row["cost_set"] + (" *" if row["used"] else ""),
            row["chip"],
            "proxy" if row["proxy"] else "",
            row["scope"],
            ", ".join(row["evidence"]),
            ("" if row["dynamic_complete"] else "≥ ") + si(row["dynamic_j"], "J"),
            "null" if row["total_j"] is None else si(row["total_j"], "J"),
        ]
        for row in rows
    ]
    head = ["cost set", "chip", "", "scope", "evidence", "dynamic", "total"]
    lines = [table(head, cells, (0, 1, 2, 3, 4))]
    for row in rows:
        if row["unpriced"]:
            names = ", ".join(label(count["name"]) for count in row["unpriced"])
            mark = marks(row["proxy"], bool(row["overridden"]))
            lines.append(wrap(f"{row['cost_set']}{mark}: unpriced: {names}"))
    return "\n".join([*lines, wrap(f"* in use above. {note}", "")])


def ops_45nm_text(convention: Plain | None) -> str:
    """The 45 nm convention on three lines."""
    if convention is None:
        return ""
    energy = si(convention["energy_j"], "J") if convention["energy_j"] is not None else UNKNOWN
    counts = (
        f"{integer(convention['acs'])} AC x {si(convention['ac_j'], 'J')} + "
        f"{integer(convention['macs'])} MAC x {si(convention['mac_j'], 'J')} = {energy}"
    )
    dense = (
        f"a dense ANN of equal size: {integer(convention['dense_macs'])} MAC, one pass a step, "
        f"{si(convention['dense_ann_energy_j'], 'J')}; one pass alone: "
        f"{si(convention['dense_ann_per_pass_j'], 'J')}"
    )
    source = f"{convention['label']}  [{convention['evidence']}] {convention['source']}"
    return "\n".join([counts, wrap(dense), wrap(source)])


def html(report: Plain, _: Facts) -> Markup:
    """The table of terms with bars, then all cost sets and the 45 nm convention."""
    # what the bars are drawn against: the high end of a range, where there is one
    tops = [t.get("high_j") or t["energy_j"] or 0.0 for t in report["energy"]["terms"]]
    return render("energy.html.j2", report, energy_top=max(tops, default=0.0))


SECTION = Section("energy", "Energy", data, text, html)
