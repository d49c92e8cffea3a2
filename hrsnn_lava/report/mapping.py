"""The mapping part of a report: messages, hops and link loads beside baselines, and what fitting
the parameters into the chip's tables and integers cost."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report, per_step
from hrsnn_lava.compiler.analysis.operations.counting import Counts
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.report.format import UNKNOWN, integer, label, number, percent, table

Plain = dict[str, Any]
WIDTH = 100
#: Columns of the table of mappings by key; a column that no row knows is left out.
COLUMNS = {
    "messages_per_step": "messages/step",
    "between_cores_per_step": "between cores",
    "inter_chip_messages_per_step": "between chips",
    "mean_hops": "mean hops",
    "max_hops": "max hops",
    "max_link_per_step": "busiest link",
}
#: Always there, known or not.
FIGURES = ("messages_per_step", "between_cores_per_step", "mean_hops", "max_hops")
#: What the table calls its rows, where the name alone would not say it.
ROWS = {
    "neuron_order": "neuron order",
    "neuron_order_row": "neuron order, tiles in rows",
    "neuron_order_hilbert": "neuron order, Hilbert curve",
    "same_cores_row": "these cores, tiles in rows",
    "same_cores_hilbert": "these cores, Hilbert curve",
    "same_cores_random": "these cores, random tiles",
}


PARTITIONS = "Partitions: at the rates given to the compiler; palette error: 95th percentile."


def section(compiled: CompiledNetwork, counts: Counts | None) -> Plain:
    """Traffic at the measured rates, beside baselines; without a run, as the placement has it.

    Errors of palette and quantization are those that the passes recorded.
    """
    placement = compiled.placement
    stored: Mapping[str, Any] = placement.info.get("mapping", {})
    search = stored.get("search", {})
    extra = {"search": search, "partition": _partition(placement.info), **_errors(compiled)}
    if counts is None or not counts.steps:
        known = {**dict.fromkeys(FIGURES), "congestion": None, "baselines": {}, **stored}
        return {"rates": "as placed", "cores": placement.n_cores, **known, **extra}
    # counts, not rates, go in: their sums are exact
    counted = mapping_report(
        compiled.network,
        placement.core_of,
        compiled.profile,
        placement.coordinates,
        rates=counts.done.spikes_of,
        input_rates=counts.done.input_events_of,
    )
    found: Plain = per_step(counted, counts.steps)
    return {"rates": "measured", **found, **extra}


def _partition(info: Mapping[str, Any]) -> Plain:
    """Ours and the baselines of the partition, at the rates that the compiler was given."""
    others = info.get("baselines")
    if not others:
        return {}
    ours: Plain = {"method": info.get("method"), **info.get("traffic", {})}
    mine = ("method", "messages_per_step")
    same = [r for r in info.get("tried", ()) if all(r.get(k) == ours.get(k) for k in mine)]
    error = same[0].get("error_p95") if same else None
    return {**ours, "error_p95": error, "baselines": dict(others)}


def _errors(compiled: CompiledNetwork) -> Plain:
    """Relative errors of the palette by quantity; of quantization, the rms error of the weights
    by projection and the largest errors of the neurons' parameters by population."""
    reports = {record.name: record.report for record in compiled.records}
    palette, quantize = reports.get("palette", {}), reports.get("quantize", {})
    quantities = ("tau_mem", "tau_syn", "threshold")
    weights = {
        name: entry["rms_error"]
        for name, entry in quantize.get("projections", {}).items()
        if entry.get("rms_error") is not None
    }
    neurons = {
        name: {q: entry[f"{q}_error_max"] for q in quantities if f"{q}_error_max" in entry}
        for name, entry in quantize.get("populations", {}).items()
    }
    return {
        "palette_error": {q: dict(palette[q]) for q in quantities if q in palette},
        "quantization_error": {"weights_rms": weights, "neurons_max": neurons} if weights else {},
    }


def rows(data: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table of mappings, this one first; empty without traffic."""
    if data["messages_per_step"] is None:
        return [], []
    congestion = data.get("congestion") or {}
    here = {**data, "max_link_per_step": congestion.get("max_per_step")}
    named = {name: entry for name, entry in data["baselines"].items() if entry}
    entries = {"this placement": here, **{ROWS.get(k, label(k)): v for k, v in named.items()}}
    chips = data.get("chips") or 1
    shown = [
        key
        for key in COLUMNS
        if any(entry.get(key) is not None for entry in entries.values())
        and (chips > 1 or key != "inter_chip_messages_per_step")
    ]
    head = ["placement", *(COLUMNS[key] for key in shown)]
    return head, [[n, *(number(entry.get(k)) for k in shown)] for n, entry in entries.items()]


def partition_rows(data: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table of partitions, ours first; empty where none was compared."""
    found = data.get("partition") or {}
    ours = found.get("messages_per_step")
    if not found or ours is None:
        return [], []
    named = f"this partition ({found['method']})"
    here = {**found, "cores": data["cores"], "fits": True}
    cells = []
    for name, entry in {named: here, **found["baselines"]}.items():
        if "skipped" in entry:
            continue
        theirs = entry["messages_per_step"]
        ratio = UNKNOWN if entry is here or not theirs else f"{100 * (ours / theirs - 1):+.1f} %"
        keys = ("cores", "messages_per_step", "between_cores_per_step")
        fits = "yes" if entry.get("fits", True) else "no"
        figures = [number(entry.get(k)) for k in keys]
        error = percent(entry.get("error_p95"))
        cells.append([label(name), *figures, ratio, error, fits])
    head = ["partition", "cores", "messages/step", "between cores", "ours is"]
    return [*head, "palette error", "fits"], cells


def lines(data: Mapping[str, Any]) -> list[str]:
    """What stands under the table, a sentence each."""
    if data["messages_per_step"] is None:
        return []
    found = [f"Rates: {data['rates']}."]
    if data.get("input_messages_per_step"):
        found.append(f"From the host: {number(data['input_messages_per_step'])} messages a step.")
    sentences = (_congestion(data), _hops(data), _search(data), _skipped(data))
    found += [text for text in sentences if text]
    return [*found, *_error_lines(data)]


def _congestion(data: Mapping[str, Any]) -> str:
    loads = data.get("congestion")
    if not loads:
        return ""
    if loads["busiest"] is None:
        return f"Links: {integer(loads['links'])}, none used."
    ends = [f"({x}, {y})" for x, y in (loads["busiest"]["from"], loads["busiest"]["to"])]
    return (
        f"Links: {integer(loads['links_used'])} of {integer(loads['links'])} used; messages a "
        f"step: {number(loads['max_per_step'])} on the busiest, {' to '.join(ends)}, "
        f"{number(loads['p99_per_step'])} at the 99th percentile, "
        f"{number(loads['mean_per_step'])} in the mean."
    )


def _hops(data: Mapping[str, Any]) -> str:
    counts: Sequence[float] = data.get("messages_by_hops_per_step") or ()
    total = sum(counts)
    if not total or len(counts) == 1:
        return ""
    shown, rest = counts[:8], sum(counts[8:])
    parts = [f"{k}: {percent(value / total)}" for k, value in enumerate(shown)]
    parts += [f"more: {percent(rest / total)}"] if rest else []
    return f"Messages by hops: {', '.join(parts)}."


def _search(data: Mapping[str, Any]) -> str:
    found = data.get("search") or {}
    best = found.get("starts", {}).get(found.get("start"))
    if not best or not best["cost"]:
        return ""
    text = (
        f"Places: from the start '{found['start']}' at {number(best['cost'])} hops a step to "
        f"{number(found['cost'])}"
    )
    if (data.get("chips") or 1) > 1:
        text += f", each border between chips counted as {number(found['crossing'])} hops more"
    return f"{text}."


def _skipped(data: Mapping[str, Any]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, entry in (data.get("partition") or {}).get("baselines", {}).items():
        if "skipped" in entry:
            reasons.setdefault(entry["skipped"], []).append(label(name))
    parts = [f"{', '.join(names)} ({why})" for why, names in reasons.items()]
    return f"Partitions not compared: {'; '.join(parts)}." if parts else ""


def _error_lines(data: Mapping[str, Any]) -> list[str]:
    palette = [
        f"{label(name)} {percent(error['mean'], 2)} in the mean, {percent(error['max'], 2)} at most"
        for name, error in data.get("palette_error", {}).items()
        if error["max"]
    ]
    quantized = data.get("quantization_error") or {}
    weights = [f"{name} {percent(e, 2)}" for name, e in quantized.get("weights_rms", {}).items()]
    found = [f"Palette error: {'; '.join(palette)}."] if palette else []
    if weights:
        found.append(f"Quantization error, rms of the weights: {', '.join(weights)}.")
    return found


def text(data: Mapping[str, Any]) -> str:
    """The section for a terminal."""
    head, cells = rows(data)
    if not cells:
        return "not placed on tiles: no traffic was counted"
    partitions = partition_rows(data)
    parts = [table(head, cells)]
    if partitions[1]:
        parts += ["", table(*partitions), PARTITIONS]
    wrapped = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines(data)]
    return "\n".join([*parts, *wrapped])
