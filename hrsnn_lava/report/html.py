"""A report as one HTML page: inline style and drawings, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.report import (
    drawings,
    dynamics,
    mapping,
    mesh_plots,
    pruning_curve,
    quantization,
    timing,
    weights,
)
from hrsnn_lava.report import format as forms
from hrsnn_lava.report.comparison import Comparison
from hrsnn_lava.report.heterogeneity import palette_lines
from hrsnn_lava.report.text import CORE_COLUMNS, core_groups, learning_lines
from hrsnn_lava.report.tiles import tiles

if TYPE_CHECKING:
    from hrsnn_lava.report.model import Figures, Report

TEMPLATES = Path(__file__).parent
FILTERS = ("integer", "si", "percent", "number", "show", "label", "measured", "caption")

#: Control characters and overrides of the direction of writing: a name may hold them.
_UNSAFE = dict.fromkeys(
    (
        *(k for k in range(32) if chr(k) not in "\t\n"),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    ),
    "\ufffd",
)


def render_html(report: Report) -> str:
    """The page; every name that a user chose is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in FILTERS:
        environment.filters[name] = getattr(forms, name)
    environment.filters["budget"] = shown
    environment.filters["unique_in_order"] = lambda items: list(dict.fromkeys(items))
    data = report.to_dict()
    names = {"r": data, "tiles": tiles(data), "energy_top": _largest_term(data["energy"])}
    names |= _drawn(report.figures, data) | _tables(data)
    return environment.get_template("report.html.j2").render(names)


def _harmless(value: Any) -> Any:
    """Text without characters that turn or break the text around them; escaping comes after."""
    return value.translate(_UNSAFE) if isinstance(value, str) else value


def _drawn(figures: Figures, data: Mapping[str, Any]) -> dict[str, Any]:
    hops = data["mapping"].get("messages_by_hops_per_step") or ()
    return {
        "raster": drawings.raster(figures),
        "rate": drawings.rate(figures),
        "sops": drawings.operations(figures),
        "heat": drawings.cores(figures),
        "parameters": drawings.parameters(figures),
        "weights": weights.drawings(figures.weights_before, figures.weights_after),
        "mesh": mesh_plots.mesh_plot(figures),
        "hops": mesh_plots.hops_plot(hops),
        "curve": pruning_curve.drawing(data["pruning_curve"]),
        "eigenvalues": dynamics.eigenvalue_plot(data["dynamics"]),
        "lyapunov": dynamics.lyapunov_plot(data["dynamics"]),
    }


def _tables(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "palette": palette_lines(data["heterogeneity"]["palette"]),
        "learning": learning_lines(data["heterogeneity"].get("stdp", {})),
        "quantized": list(quantization.tables(data["quantization"])),
        "quantized_options": quantization.options_line(data["quantization"]),
        "quantized_cost": quantization.sentence(data["quantization"]),
        "core_head": list(CORE_COLUMNS.values()),
        "core_rows": core_groups(data["cores"], list(CORE_COLUMNS)),
        "placements": mapping.rows(data["mapping"]),
        "partitions": mapping.partition_rows(data["mapping"]),
        "mapping_lines": mapping.lines(data["mapping"]),
        "comparison": Comparison.of(data["comparison"]) if data["comparison"] else None,
        "sop_bars": drawings.sop_bars(data["sop"]["per_projection"]),
        "dynamics_rows": dynamics.rows(data["dynamics"]),
        "dynamics_notes": dynamics.notes(data["dynamics"]),
        "contents": _contents(data),
        "timed": _timed(data),
        "timing_lines": timing.lines(data["timing"]),
    }


def _timed(data: Mapping[str, Any]) -> bool:
    """True when there is a run, whose time is known or not, or samples of one."""
    return bool(timing.lines(data["timing"]) or data.get("per_sample") or data.get("per_second"))


def _contents(data: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Identifier and title of every section, in the order of the page."""
    ran = data["activity"]["spikes"] is not None
    every = (
        ("activity", "Activity", ran),
        ("sop", "Synaptic operations", True),
        ("constraints", "Cores", True),
        ("energy", "Energy", True),
        ("timing", "Time and rates", _timed(data)),
        ("network", "Neurons and weights", True),
        ("quantization", "Quantization", True),
        ("comparison", "Comparison", bool(data["comparison"])),
        ("accuracy", "Accuracy", bool(data["accuracy"])),
        ("float-vs-integer", "Float against integers", bool(data["float_vs_integer"])),
        ("dynamics", "Dynamics", bool(data["dynamics"])),
        ("mapping", "Mapping", True),
        ("transforms", "Transforms", bool(data["transforms"])),
        ("parity", "Parity", bool(data["parity"])),
        ("neurobench", "NeuroBench", True),
        ("provenance", "Provenance", True),
    )
    return [(name, title) for name, title, there in every if there]


def _largest_term(energy: Mapping[str, Any]) -> float:
    """What the bars of the energy terms are drawn against."""
    ends = [t.get("high_j") or t["energy_j"] or 0.0 for t in energy["terms"]]
    return max(ends, default=0.0)
