"""Draws the figures of the benchmarks with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

OURS, THEIRS, LIMIT = "#1b6ca8", "#9aa5b1", "#c1440e"


def draw_simulation(cases: Sequence[dict[str, Any]], path: Path) -> None:
    """Time per synaptic event of every tool, one panel for each size."""
    _save(path, [lambda axes, case=case: _tools(axes, case) for case in cases])


def draw_scaling(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Time of a step against what was varied, and time per event."""
    _save(path, [lambda axes: _sizes(axes, rows), lambda axes: _density(axes, rows)])


def draw_all(documents: dict[str, Any], path: Path) -> None:
    """The page's figure: peers without and with learning, and growth with the network."""
    panels = []
    if "simulation" in documents:
        case = documents["simulation"]["rows"][-1]
        panels.append(lambda axes: _tools(axes, case))
    if "learning" in documents:
        cases = documents["learning"]["rows"]
        plastic = next((c for c in cases if c["neurons"] == 1000), cases[-1])
        panels.append(lambda axes: _tools(axes, plastic, "with STDP"))
    if "scaling" in documents:
        panels.append(lambda axes: _sizes(axes, documents["scaling"]["rows"]))
    _save(path, panels)


def _save(path: Path, panels: Sequence[Any]) -> None:
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.8 * len(panels), 3.6), layout="constrained", squeeze=False
    )
    for place, draw in zip(axes[0], panels, strict=True):
        draw(place)
        place.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _tools(axes: Any, case: dict[str, Any], remark: str = "") -> None:
    rows = [row for row in case["tools"] if row["tool"] != "reference"][::-1]
    values = [row["ns_per_event"] for row in rows]
    names = [row["tool"] for row in rows]
    colours = [OURS if name.startswith("native") else THEIRS for name in names]
    axes.barh(names, values, color=colours)
    for place, value in enumerate(values):
        axes.text(value * 1.15, place, f"{value:.3g}", va="center", fontsize=8)
    if "bound_ns_per_event" in case:
        axes.axvline(case["bound_ns_per_event"], color=LIMIT, linewidth=1)
        axes.text(
            case["bound_ns_per_event"],
            len(rows) - 0.45,
            "bare additions",
            color=LIMIT,
            fontsize=8,
            ha="center",
        )
    axes.set_xscale("log")
    axes.set_xlim(right=max(values) * 8)
    axes.set_xlabel("ns per synaptic event")
    axes.set_title(f"N = {case['neurons']} {remark}".strip(), fontsize=10)


def _sizes(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    mine = [row for row in rows if row["vary"] == "neurons"]
    axes.loglog(
        [row["neurons"] for row in mine],
        [1e6 * row["s_per_step"] for row in mine],
        marker="o",
        color=OURS,
    )
    axes.set_xlabel("neurons")
    axes.set_ylabel("us per step")
    axes.set_title("fan-out 100, about 3 % rate", fontsize=10)


def _density(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    for vary, label in (("density", "density"), ("rate", "rate")):
        mine = [row for row in rows if row["vary"] == vary]
        axes.semilogx(
            [row["events_per_step"] for row in mine],
            [row["ns_per_event"] for row in mine],
            marker="o",
            label=label,
        )
    axes.set_xlabel("synaptic events a step")
    axes.set_ylabel("ns per event, neurons included")
    axes.legend()
