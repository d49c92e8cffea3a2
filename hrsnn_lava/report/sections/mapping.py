"""The mapping part of a report: messages, hops and link loads beside baselines, and what fitting
the parameters into the chip's tables and integers cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.congestion import LinkLoads, link_loads
from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report, per_step
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import (
    UNKNOWN,
    Cells,
    Plain,
    integer,
    label,
    number,
    percent,
    table,
    titled,
    wrapped,
)
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import Section, render

#: Tiles that are drawn; of a larger mesh the table has to do.
MAX_TILES = 1024
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


def data(facts: Facts) -> Plain:
    """``mapping``: traffic at the measured rates, beside baselines; without a run, as the placement
    has it. Errors of palette and quantization are those that the passes recorded."""
    compiled, counts = facts.compiled, facts.counts
    placement = compiled.placement
    placed_mapping: Plain = placement.info.get("mapping", {})
    extra = {
        "search": placed_mapping.get("search", {}),
        "partition": _partition(placement.info),
        **_errors(facts),
    }
    if counts is None or not counts.steps:
        unmeasured: dict[str, Any] = {**dict.fromkeys(FIGURES), "congestion": None, "baselines": {}}
        figures = {"rates": "as placed", "cores": placement.n_cores, **unmeasured, **placed_mapping}
        return {"mapping": {**figures, **extra}}
    # counts, not rates, go in: their sums are exact
    totals = mapping_report(
        compiled.network,
        placement.core_of,
        compiled.profile,
        placement.coordinates,
        rates=counts.done.spikes_of,
        input_rates=counts.done.input_events_of,
    )
    return {"mapping": {"rates": "measured", **per_step(totals, counts.steps), **extra}}


def _partition(info: Plain) -> Plain:
    """Ours and the baselines of the partition, at the rates that the compiler was given."""
    others = info.get("baselines")
    if not others:
        return {}
    ours: dict[str, Any] = {"method": info.get("method"), **info.get("traffic", {})}
    keys = ("method", "messages_per_step")
    same = [r for r in info.get("tried", ()) if all(r.get(k) == ours.get(k) for k in keys)]
    error = same[0].get("error_p95") if same else None
    return {**ours, "error_p95": error, "baselines": dict(others)}


def _errors(facts: Facts) -> Plain:
    """Relative errors of the palette by quantity; of quantization, the rms error of the weights
    by projection and the largest errors of the neurons' parameters by population."""
    palette, quantize = facts.pass_report("palette"), facts.pass_report("quantize")
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


def rows(section: Plain) -> Cells:
    """Headings and rows of the table of mappings, this one first; empty without traffic."""
    if section["messages_per_step"] is None:
        return [], []
    congestion = section.get("congestion") or {}
    here = {**section, "max_link_per_step": congestion.get("max_per_step")}
    baselines = {name: entry for name, entry in section["baselines"].items() if entry}
    entries = {"this placement": here, **{ROWS.get(k, label(k)): v for k, v in baselines.items()}}
    chips = section.get("chips") or 1
    columns = [
        key
        for key in COLUMNS
        if any(entry.get(key) is not None for entry in entries.values())
        and (chips > 1 or key != "inter_chip_messages_per_step")
    ]
    head = ["placement", *(COLUMNS[key] for key in columns)]
    return head, [[n, *(number(entry.get(k)) for k in columns)] for n, entry in entries.items()]


def partition_rows(section: Plain) -> Cells:
    """Headings and rows of the table of partitions, ours first; empty where none was compared."""
    partition = section.get("partition") or {}
    ours = partition.get("messages_per_step")
    if not partition or ours is None:
        return [], []
    title = f"this partition ({partition['method']})"
    here = {**partition, "cores": section["cores"], "fits": True}
    cells = []
    for name, entry in {title: here, **partition["baselines"]}.items():
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


def lines(section: Plain) -> list[str]:
    """What stands under the table, a sentence each."""
    if section["messages_per_step"] is None:
        return []
    host = section.get("input_messages_per_step")
    sentences = (
        f"Rates: {section['rates']}.",
        f"From the host: {number(host)} messages a step." if host else "",
        _congestion(section),
        _hops(section),
        _search(section),
        _skipped(section),
        *_error_lines(section),
    )
    return [sentence for sentence in sentences if sentence]


def _congestion(section: Plain) -> str:
    loads = section.get("congestion")
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


def _hops(section: Plain) -> str:
    counts: Sequence[float] = section.get("messages_by_hops_per_step") or ()
    total = sum(counts)
    if not total or len(counts) == 1:
        return ""
    rest = sum(counts[8:])
    shares = [f"{k}: {percent(value / total)}" for k, value in enumerate(counts[:8])]
    shares += [f"more: {percent(rest / total)}"] if rest else []
    return f"Messages by hops: {', '.join(shares)}."


def _search(section: Plain) -> str:
    search = section.get("search") or {}
    start = search.get("starts", {}).get(search.get("start"))
    if not start or not start["cost"]:
        return ""
    sentence = (
        f"Places: from the start '{search['start']}' at {number(start['cost'])} hops a step to "
        f"{number(search['cost'])}"
    )
    if (section.get("chips") or 1) > 1:
        hops = number(search["crossing"])
        sentence += f", each border between chips counted as {hops} hops more"
    return f"{sentence}."


def _skipped(section: Plain) -> str:
    reasons: dict[str, list[str]] = {}
    for name, entry in (section.get("partition") or {}).get("baselines", {}).items():
        if "skipped" in entry:
            reasons.setdefault(entry["skipped"], []).append(label(name))
    parts = [f"{', '.join(names)} ({why})" for why, names in reasons.items()]
    return f"Partitions not compared: {'; '.join(parts)}." if parts else ""


def _error_lines(section: Plain) -> list[str]:
    palette = [
        f"{label(name)} {percent(error['mean'], 2)} in the mean, {percent(error['max'], 2)} at most"
        for name, error in section.get("palette_error", {}).items()
        if error["max"]
    ]
    quantized = section.get("quantization_error") or {}
    weights = [f"{name} {percent(e, 2)}" for name, e in quantized.get("weights_rms", {}).items()]
    return [
        f"Palette error: {'; '.join(palette)}." if palette else "",
        f"Quantization error, rms of the weights: {', '.join(weights)}." if weights else "",
    ]


def text(report: Plain) -> str:
    """The tables of placements and partitions, then the sentences."""
    section = report["mapping"]
    placements, partitions = rows(section), partition_rows(section)
    if not placements[1]:
        return titled("Mapping", "not placed on tiles: no traffic was counted")
    blocks = [table(*placements)]
    if partitions[1]:
        blocks += ["", table(*partitions), PARTITIONS]
    return titled("Mapping", "\n".join([*blocks, wrapped(lines(section))]))


def mesh_plot(facts: Facts) -> Plot | None:
    """Tiles by the cores on them, links by the messages of the run that pass them.

    None without a mesh, and for more than `MAX_TILES` tiles.
    """
    compiled, counts = facts.compiled, facts.counts
    places = compiled.placement.coordinates
    mesh = Mesh.of(compiled.profile, compiled.placement.n_cores)
    if mesh is None or places is None or mesh.n_tiles > MAX_TILES:
        return None
    loads = None
    if counts is not None and counts.steps:
        rates = counts.done.spikes_of / counts.steps
        flow = CoreTraffic.of(compiled.network, compiled.core_of, rates=rates)
        loads = link_loads(flow, places, mesh.total_width, mesh.height)
    return drawing(mesh, places, loads)


def drawing(mesh: Mesh, places: NDArray[np.int32], loads: LinkLoads | None) -> Plot:
    """The mesh with its cores, and the loads of its links where they are known.

    Args:
        mesh: the tiles.
        places: (n_cores, 2) tile of every core.
        loads: messages per step; a line stands for both directions, drawn by the larger.
    """
    n_x, n_y = mesh.total_width, mesh.height
    on_tile = np.bincount(places[:, 0] * n_y + places[:, 1], minlength=mesh.n_tiles)
    wide, high = SIDE / n_x, SIDE / n_y
    pieces = []
    top = 0.0 if loads is None else float(loads.values.max(initial=0.0))
    if loads is not None and top > 0:
        pieces += _links(loads, wide, high, top)
    for tile in range(mesh.n_tiles):
        x, y = divmod(tile, n_y)
        share = on_tile[tile] / max(int(mesh.capacity[tile]), 1)
        cores = ", ".join(str(c) for c in np.flatnonzero((places == [x, y]).all(axis=1)))
        hint = f"tile ({x}, {y}): {f'cores {cores}' if cores else 'no cores'}"
        x0, y0 = (x + 0.25) * wide, SIDE - (y + 0.75) * high
        pieces.append(
            f'<rect class="tile" x="{x0:.1f}" y="{y0:.1f}" width="{wide / 2:.1f}" '
            f'height="{high / 2:.1f}"/><rect class="cell" x="{x0:.1f}" y="{y0:.1f}" '
            f'width="{wide / 2:.1f}" height="{high / 2:.1f}" '
            f'fill-opacity="{0.04 + 0.96 * share:.3f}"><title>{escape(hint)}</title></rect>'
        )
    for border in range(1, mesh.chips):
        at = border * mesh.width * wide
        pieces.append(f'<path class="rule" d="M{at:.1f} 0V1000"/>')
    note = f"{len(places)} cores on {int(np.count_nonzero(on_tile))} of {mesh.n_tiles} tiles"
    if top > 0:
        note += f"; thickest link {number(top)} messages a step"
    every = max(1, -(-n_x // 16))
    return Plot(
        "Cores on the mesh" if loads is None else "Cores and link loads on the mesh",
        Markup("".join(pieces)),
        tuple((100 * (x + 0.5) / n_x, str(x)) for x in range(0, n_x, every)),
        tuple((100 * (y + 0.5) / n_y, str(y)) for y in range(n_y)),
        "tile x" if mesh.chips == 1 else f"tile x, {mesh.chips} chips side by side",
        "",
        note,
        height=min(max(48 * n_y, 90), 640),
        wide=True,
        alt=f"mesh of {n_x} by {n_y} tiles: {note}",
        rows=True,
    )


def _links(loads: LinkLoads, wide: float, high: float, top: float) -> list[str]:
    pieces = []
    for forth, back, step in ((loads.right, loads.left, (1, 0)), (loads.up, loads.down, (0, 1))):
        for x, y in np.argwhere(np.maximum(forth, back) > 0):
            most = max(forth[x, y], back[x, y]) / top
            x0, y0 = (x + 0.5) * wide, SIDE - (y + 0.5) * high
            x1, y1 = x0 + step[0] * wide, y0 - step[1] * high
            hint = (
                f"({x}, {y}) to ({x + step[0]}, {y + step[1]}): {number(float(forth[x, y]))}, "
                f"back: {number(float(back[x, y]))} messages a step"
            )
            pieces.append(
                f'<path class="link" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" '
                f'stroke-width="{1 + 9 * most:.1f}" stroke-opacity="{0.25 + 0.75 * most:.2f}">'
                f"<title>{escape(hint)}</title></path>"
            )
    return pieces


def hops_plot(counts: Sequence[float]) -> Plot | None:
    """Messages per step by their hops; None when all have the same."""
    if len(counts) < 2 or not sum(counts):
        return None
    top, width = max(counts) * 1.05, SIDE / len(counts)
    total = sum(counts)
    bars = []
    for k, value in enumerate(counts):
        tall = SIDE * value / top
        hint = f"{k} hops: {number(float(value))} messages a step, {100 * value / total:.1f} %"
        bars.append(
            f'<rect class="bin" x="{(k + 0.1) * width:.1f}" y="{SIDE - tall:.1f}" '
            f'width="{0.8 * width:.1f}" height="{tall:.1f}"><title>{escape(hint)}</title></rect>'
        )
    every = max(1, -(-len(counts) // 24))
    return Plot(
        "Messages by hops",
        Markup("".join(bars)),
        tuple((100 * (k + 0.5) / len(counts), str(k)) for k in range(0, len(counts), every)),
        axis(0, top, 4),
        "hops",
        "messages/step",
        height=150,
        alt=f"messages by hops, at most {len(counts) - 1}",
    )


def html(report: Plain, facts: Facts) -> Markup:
    """The tables, the mesh with its loads, and messages by hops."""
    section = report["mapping"]
    return render(
        "mapping.html.j2",
        report,
        placements=rows(section),
        partitions=partition_rows(section),
        mesh=mesh_plot(facts),
        hops=hops_plot(section.get("messages_by_hops_per_step") or ()),
        lines=lines(section),
    )


SECTION = Section("mapping", "Mapping", data, text, html)
