"""A report as one HTML page: inline style and drawings, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hrsnn_lava.report import format as forms
from hrsnn_lava.report import mapping, mesh_plots, plots, quantization
from hrsnn_lava.report.comparison import Comparison
from hrsnn_lava.report.heterogeneity import QUANTITIES, palette_lines
from hrsnn_lava.report.text import CORE_COLUMNS, core_groups, learning_lines

if TYPE_CHECKING:
    from hrsnn_lava.report.model import Figures, Report

TEMPLATES = Path(__file__).parent
#: Cores that the heat map draws one by one; of more, neighbours share a column.
MAX_COLUMNS = 128


def render_html(report: Report) -> str:
    """The page; every name that a user chose is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("integer", "si", "percent", "number", "show", "label"):
        environment.filters[name] = getattr(forms, name)
    environment.filters["unique_in_order"] = lambda items: list(dict.fromkeys(items))
    data = report.to_dict()
    figures = report.figures
    return environment.get_template("report.html.j2").render(
        r=data,
        tiles=tiles(data),
        raster=_raster(figures),
        rate=_rate(figures),
        sops=_sops(figures),
        heat=_heat(figures),
        parameters=_parameters(figures),
        weights=_weights(figures),
        palette=palette_lines(data["heterogeneity"]["palette"]),
        learning=learning_lines(data["heterogeneity"].get("stdp", {})),
        quantized=list(quantization.tables(data["quantization"])),
        quantized_options=quantization.options_line(data["quantization"]),
        quantized_cost=quantization.sentence(data["quantization"]),
        core_head=list(CORE_COLUMNS.values()),
        core_rows=core_groups(data["cores"], list(CORE_COLUMNS)),
        mapping_head=mapping.rows(data["mapping"])[0],
        mapping_rows=mapping.rows(data["mapping"])[1],
        partition_head=mapping.partition_rows(data["mapping"])[0],
        partition_rows=mapping.partition_rows(data["mapping"])[1],
        mapping_lines=mapping.lines(data["mapping"]),
        mesh=mesh_plots.mesh_plot(figures),
        hops=mesh_plots.hops_plot(data["mapping"].get("messages_by_hops_per_step") or ()),
        comparison=Comparison.of(data["comparison"]) if data["comparison"] else None,
        sop_bars=_sop_bars(data["sop"]["per_projection"]),
        energy_top=max([t["energy_j"] or 0.0 for t in data["energy"]["terms"]], default=0.0),
    )


def tiles(data: dict[str, Any]) -> list[dict[str, str]]:
    """The figures at the top: name, value, what it is about."""
    size, ops, done, joules = data["network"], data["sop"], data["activity"], data["energy"]
    cores = next(row for row in data["constraints"] if row["rule"] == "cores")
    of = "" if cores["limit"] is None else f" of {forms.integer(cores['limit'])}"
    kept = size["density_kept"]
    found = [
        ("neurons", forms.integer(size["neurons"]), f"{forms.integer(size['inputs'])} inputs"),
        (
            "synapses",
            forms.integer(size["synapses"]),
            "" if kept is None else f"{forms.percent(kept)} of {size['synapses_before']:,}",
        ),
        ("cores", forms.integer(cores["used"]), f"{of.strip()} on {data['profile']}".strip()),
    ]
    if ops["total"] is not None:
        ratio = ops["ratio"] if ops["ratio"] is not None else ops["ratio_recurrent"]
        note = f"{forms.integer(ops['total'])} in {forms.integer(done['steps'])} steps"
        note = note if ratio is None else f"{ratio:.1f}× fewer than the reference"
        found.append(("SOPs per step", forms.number(ops["per_step"]), note))
        proxy = " (proxy)" if joules["proxy"] else ""
        total = "not known" if joules["total_j"] is None else forms.si(joules["total_j"], "J")
        static = forms.si(joules["static_j"], "J")
        found.append(
            (
                f"energy of the run{proxy}",
                total,
                f"dynamic {forms.si(joules['dynamic_j'], 'J')}, static {static}",
            )
        )
    parity = data["parity"]
    if "mismatches" in parity:
        names = " = ".join(str(name) for name in parity.get("backends", ()))
        found.append(("mismatches", forms.integer(parity["mismatches"]), names))
    return [dict(zip(("name", "value", "note"), item, strict=True)) for item in found]


def _bands(figures: Figures) -> list[tuple[str, int]]:
    return [(p.name, p.size) for p in figures.compiled.network.compute_populations]


def _raster(figures: Figures) -> plots.Plot | None:
    trace = figures.trace
    if trace is None:
        return None
    dt = figures.compiled.network.dt
    return plots.raster(trace.spike_steps, trace.spike_neurons, trace.n_steps, _bands(figures), dt)


def _rate(figures: Figures) -> plots.Plot | None:
    trace = figures.trace
    if trace is None:
        return None
    spikes = np.bincount(trace.spike_steps, minlength=trace.n_steps)
    dt = figures.compiled.network.dt
    return plots.over_time("Spikes per step", spikes, dt, "spikes", "p2")


def _sops(figures: Figures) -> plots.Plot | None:
    if figures.ops is None:
        return None
    dt = figures.compiled.network.dt
    title = "Synaptic operations per step"
    return plots.over_time(title, figures.ops.per_step, dt, "SOPs", "a", wide=False)


def _heat(figures: Figures) -> plots.Plot | None:
    resources = [r for r in figures.used.resources if r.limit]
    n = figures.used.n_cores
    if not resources or not n:
        return None
    group = -(-n // MAX_COLUMNS)
    shares = np.stack([r.used / float(r.limit or 1) for r in resources])
    starts = np.arange(0, n, group)
    worst = np.maximum.reduceat(shares, starts, axis=1)
    hints = []
    for resource, row in zip(resources, worst, strict=True):
        name = forms.label(resource.name)
        hints.append([f"core {starts[k]}: {name} {100 * v:.1f} %" for k, v in enumerate(row)])
    return plots.heat(
        "Share of each limit, by core",
        [forms.label(r.name) for r in resources],
        worst,
        hints,
        "core" if group == 1 else f"group of {group} cores",
    )


def _parameters(figures: Figures) -> list[plots.Plot]:
    """Distributions that have any spread, the program filled and what it comes from outlined."""
    drawn = []
    for name, unit in QUANTITIES.items():
        after = np.concatenate([np.zeros(0), *figures.after[name].values()])
        before = np.zeros(0)
        if figures.before is not None:
            before = np.concatenate([before, *figures.before[name].values()])
        whole = np.concatenate([after, before])
        if not whole.size or np.ptp(whole) <= 0.01 * abs(float(whole.mean())):
            continue
        series = [("a", "on the chip", after)] if after.size else []
        if before.size:
            series.append(("b", "before", before))
        scale, shown = (
            (1e3, f"{forms.label(name)} (ms)") if unit == "s" else (1.0, forms.label(name))
        )
        drawn.append(plots.histogram(shown.split(" (")[0], series, shown, scale))
    return drawn


def _weights(figures: Figures) -> plots.Plot | None:
    """Weights on their grid times their exponent, of all synapses that act."""
    network = figures.compiled.network
    parts = [
        p.effective_weights().data * 2.0**p.weight_exp
        for p in network.projections
        if p.target == "synapse"
    ]
    values = np.concatenate([np.zeros(0), *parts])
    values = values[values != 0]
    if not values.size:
        return None
    series = [("a", "weights", values)]
    return plots.histogram("Weights", series, "weight (integer units)", bins=48)


def _sop_bars(projections: dict[str, Any]) -> Sequence[dict[str, Any]]:
    top = max((p["operations"] for p in projections.values() if p["kind"] != "host_mac"), default=0)
    return [
        {"name": name, "share": p["operations"] / top if top else 0.0, **p}
        for name, p in projections.items()
        if p["kind"] != "host_mac"
    ]
