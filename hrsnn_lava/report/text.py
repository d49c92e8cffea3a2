"""A report for the terminal: the verdict first, then what it rests on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hrsnn_lava.report import budgets, dynamics, energy, mapping, quantization, samples, timing
from hrsnn_lava.report.comparison import Comparison
from hrsnn_lava.report.format import UNKNOWN, integer, label, number, percent, show, si, table
from hrsnn_lava.report.heterogeneity import palette_lines

Plain = Mapping[str, Any]
WIDTH = 100
#: Cores that get a line each; more are shown in groups of neighbours.
MAX_CORE_ROWS = 16
#: Columns of the table per core: Lava's compiler log, then memory and the tables of parameters.
CORE_COLUMNS = {
    "in_axons": "AxonIn",
    "neuron_groups": "NeuronGr",
    "neurons": "Neurons",
    "synapses": "Synapses",
    "axon_map": "AxonMap",
    "out_axons": "AxonMem",
    "synapse_memory": "SynMem",
    "compartment_profiles": "Compart",
    "threshold_profiles": "Thresh",
}


def render_text(data: Plain) -> str:
    """The whole report, 100 columns wide where names allow."""
    parts = [
        _head(data),
        _section("Budgets", budgets.text(data["budgets"])),
        _section("Constraints", _constraints(data["constraints"])),
        _section("Per core distribution", _cores(data["cores"])),
        _section("Transforms", _transforms(data["transforms"])),
        _section("Heterogeneity", _heterogeneity(data["heterogeneity"])),
        _section("Quantization", _quantization(data["quantization"])),
        _section("Mapping", mapping.text(data["mapping"])),
        _section("Synaptic operations", _sop(data["sop"], data["activity"])),
        _section("Energy", energy.text(data["energy"])),
        _section(
            "Energy by cost set",
            energy.cost_sets_text(
                data["energy_by_cost_set"], data["conventions"]["energy_by_cost_set"]
            ),
        ),
        _section("45 nm convention", energy.ops_45nm_text(data["conventions"]["ops_45nm"])),
        _section("Timing", timing.text(data["timing"])),
        _section("Per sample", samples.text(data["per_sample"], data["per_second"])),
        _section("Parity", _parity(data["parity"])),
        _section("Accuracy", _pairs(data["accuracy"])),
        _section("Float against integers", _pairs(data["float_vs_integer"])),
        _section("Comparison", _comparison(data["comparison"])),
        _section("Dynamics", dynamics.text(data["dynamics"])),
        _section("NeuroBench", _pairs(data["neurobench"])),
        _section("Provenance", _pairs(data["provenance"])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, body: str) -> str:
    return f"{title.upper()}\n{body}" if body else ""


def _wrap(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False)


def _head(data: Plain) -> str:
    size = data["network"]
    lines = [_wrap(f"{data['verdict']}  {data['project']}: {data['summary']}", "      ")]
    text = f"{integer(size['neurons'])} neurons, {integer(size['synapses'])} synapses"
    if size["synapses_before"]:
        kept = percent(size["density_kept"])
        text += f" ({kept} of {integer(size['synapses_before'])} before pruning)"
    lines.append(f"{text}; target {size['profile_title']}")
    for v in data["violations"]:
        found = f"{v['rule']}: {v['where']}: {v['measured']}; limit {v['limit']}; {v['fix']}"
        lines.append(_wrap(f"  - {found}", "    "))
    return "\n".join(lines)


def _constraints(rows: Sequence[Plain]) -> str:
    cells = [
        [
            label(row["rule"]),
            integer(row["worst_core"]),
            integer(row["used"]),
            "none published" if row["limit"] is None else integer(row["limit"]),
            percent(row["fraction"]),
            row["unit"] + (" <- tightest" if row["binding"] else ""),
        ]
        for row in rows
    ]
    return table(["resource", "worst core", "used", "limit", "share", "unit"], cells, (0, 5))


def core_groups(cores: Sequence[Plain], columns: Sequence[str]) -> list[list[str]]:
    """Rows of the table per core: name, a cell per column (``low-high`` of a group), cores."""
    size = -(-len(cores) // MAX_CORE_ROWS) or 1
    rows = []
    for first in range(0, len(cores), size):
        group = cores[first : first + size]
        names = [str(group[0]["core"]), str(group[-1]["core"])]
        rows.append(
            ["-".join(dict.fromkeys(names))]
            + [_extent([core[column] for core in group]) for column in columns]
            + [str(len(group))]
        )
    return rows


def _extent(values: Sequence[Any]) -> str:
    if any(v is None for v in values):
        return UNKNOWN
    low, high = integer(min(values)), integer(max(values))
    return low if low == high else f"{low}-{high}"


def _cores(cores: Sequence[Plain]) -> str:
    rows = core_groups(cores, list(CORE_COLUMNS))
    total = ["Total", *[""] * len(CORE_COLUMNS), str(len(cores))]
    return table(["Core", *CORE_COLUMNS.values(), "Cores"], [*rows, total])


def _transforms(records: Sequence[Plain]) -> str:
    rows = [
        [
            record["name"],
            f"{integer(record['before']['neurons'])} -> {integer(record['after']['neurons'])}",
            f"{integer(record['before']['synapses'])} -> {integer(record['after']['synapses'])}",
            textwrap.shorten(show(record["options"]), 50, placeholder=" …"),
        ]
        for record in records
    ]
    return table(["pass", "neurons", "synapses", "options"], rows, (0, 3)) if rows else ""


def _heterogeneity(section: Plain) -> str:
    rows = []
    for name, entry in section["quantities"].items():
        for when in ("before", "after"):
            s = entry[when]
            if s is not None:
                unit = entry["unit"]
                shown = [number(s[k]) if unit == "1" else si(s[k], unit) for k in ("mean", "sd")]
                rows.append([label(name), when, *shown, number(s["cv"]), integer(s["distinct"])])
    lines = [table(["quantity", "fit to chip", "mean", "sd", "CV", "distinct"], rows, (0, 1))]
    measure = section["log_det"]
    if measure["after"] is not None:
        over = ", ".join(label(name) for name in measure["over"])
        before = "" if measure["before"] is None else f"{measure['before']:.3f} -> "
        lines.append(f"ln det Cov(ln x) over {over}: {before}{measure['after']:.3f}")
    lines += [_wrap(text, "  ") for text in palette_lines(section["palette"])]
    lines += [_wrap(text, "  ") for text in learning_lines(section.get("stdp", {}))]
    return "\n".join(lines)


def _quantization(section: Plain) -> str:
    lines = [_wrap(quantization.options_line(section)) if section["options"] else ""]
    lines += [table(head, rows, (0,)) for head, rows in quantization.tables(section)]
    return "\n".join(line for line in [*lines, _wrap(quantization.sentence(section))] if line)


def learning_lines(rules: Plain) -> list[str]:
    """One sentence for each projection that learns on the chip."""
    lines = []
    for name, rule in rules.items():
        errors = ", ".join(
            f"{label(key)} {percent(rule['errors'][key]['mean'])}"
            for key in ("tau_plus", "tau_minus")
        )
        most, kept = integer(rule["max_profiles"]), rule["amplitudes"]
        bound = rule["w_max"]
        part = bound["on_chip"] / bound["asked"] if bound["asked"] else 1.0
        lines.append(
            f"{name} learns with {integer(rule['profiles'])} profiles of at most {most}, "
            f"amplitudes in {kept}; mean error: {errors}, change by a pair of spikes "
            f"{percent(rule['pair_error']['mean'])}; w_max on the chip is {number(part)} of the "
            "asked"
        )
    return lines


def _sop(section: Plain, activity: Plain) -> str:
    if section["total"] is None:
        return "no run: give a trace to count them"
    rows = [
        [name, label(p["kind"]), *(integer(p[k]) for k in ("synapses", "events", "operations"))]
        for name, p in section["per_projection"].items()
    ]
    steps = integer(activity["steps"])
    lines = [
        f"{integer(section['total'])} in {steps} steps, {number(section['per_step'])} a step; "
        f"recurrent {integer(section['recurrent'])}",
        f"issued {integer(section['issued'])}, dense {integer(section['dense'])}, "
        f"graded MACs {integer(section['macs'])}",
    ]
    if section["ratio"] is not None:
        lines.append(f"{section['ratio']:.1f} times fewer than the reference run")
    if section["ratio_recurrent"] is not None:
        lines.append(f"{section['ratio_recurrent']:.1f} times fewer recurrent ones")
    if not section["inputs_known"]:
        lines.append("the trace does not hold its inputs: operations of inputs are missing")
    done = (
        f"{integer(activity['spikes'])} spikes ({number(activity['rate_hz'])} Hz a neuron), "
        f"{integer(activity['messages'])} messages, {integer(activity['hops'])} hops, "
        f"{integer(activity['neuron_updates'])} neuron updates, "
        f"{integer(activity['neuron_updates_active'])} of them active"
    )
    lines.append(_wrap(done))
    lines.append(table(["projection", "kind", "synapses", "events", "operations"], rows, (0, 1)))
    lines += [_wrap(f"SOP: {section['convention']}"), _wrap(f"updates: {activity['convention']}")]
    return "\n".join(lines)


def _parity(section: Plain) -> str:
    if not {"backends", "steps", "mismatches"} <= set(section):
        return _pairs(section)
    names = " = ".join(str(name) for name in section["backends"])
    line = f"parity: {names}, {section['steps']} steps, {section['mismatches']} mismatches"
    line = section.get("line", line)
    known = ("backends", "steps", "mismatches", "line")
    rest = {k: v for k, v in section.items() if k not in known and v not in (None, {}, [])}
    return "\n".join(part for part in (line, _pairs(rest)) if part)


def _pairs(section: Plain) -> str:
    width = max((len(label(key)) for key in section), default=0)
    indent = " " * (width + 2)
    return "\n".join(
        _wrap(f"{label(key):<{width}}  {show(value)}", indent)
        for key, value in section.items()
        if value is not None
    )


def _comparison(rows: Sequence[Plain]) -> str:
    if not rows:
        return ""
    whole = Comparison.of(rows)
    shown = whole.cut(WIDTH)
    lines = [table(shown.head, shown.rows)]
    if whole.common:
        lines.append(f"all: {whole.common}")
    left = whole.head[len(shown.head) :]
    if left:
        lines.append(_wrap(f"in report.json and report.html too: {', '.join(left)}"))
    return "\n".join(lines)
