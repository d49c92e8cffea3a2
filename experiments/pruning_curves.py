"""Neurons, synapses, operations and score against the pruning (the shape of the papers' Fig. 10).

A network of 300 neurons of 40 synapses remembers a random input; 30 per cent of the neurons hear
it. It is pruned to budgets from 20 down to half a recurrent synaptic operation (SOP) a spike, each
time from the unpruned network, brought back to its rates, and given a readout of its own. ``active
neurons`` drops the least active neurons until the SOPs meet the budget; the other methods drop
synapses alone, and a neuron counts while a recurrent synapse of its own is left. Bands are standard
deviations over ten repeats, each with another network, another input and another draw.

    python experiments/pruning_curves.py --size full
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from command import main, seeds
from pruned_rows import WAYS, Bench, Figures

from hrsnn_lava.experiment.scoring import Arm as Scored
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE

BASE: dict[str, Any] = {
    "network": {
        "size": 300,
        "connectivity": {"mean_degree": 40.0, "gain": 0.1, "inhibitory_factor": 4.0},
        "input": {
            "share": 0.3,
            "weight": {"distribution": "uniform", "low": -1.0, "high": 1.0},
        },
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 120, "samples": 450},
    "task": {
        "kind": "memory",
        "train": 1200,
        "validation": 300,
        "test": 1000,
        "delays": 15,
        "amplitude": 1.0,
    },
}
#: SOPs a spike that are kept; the unpruned network has about 40.
BUDGETS = (20.0, 10.0, 4.0, 2.0, 1.0, 0.5)
METHODS = ("balanced", "LNP", "random", "magnitude", "activity", "active neurons")
NETWORK = "memory"
#: Panels of the figure.
PANELS = (
    ("linked", "neurons with a synapse, share"),
    ("synapses_left", "synapses left, share"),
    ("sops_per_spike", "SOPs / unpruned spikes"),
    ("score", "memory capacity"),
)


def told(scored: Scored) -> Figures:
    """The memory capacity."""
    return {"score": scored.outcome.scores.headline.value}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> Figures:
    """All methods at all budgets on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    methods, budgets = settings.pop("methods"), settings.pop("budgets")
    spec = Spec.parse(merged({**BASE, "seed": seed}, settings))
    care = AftercareOptions(balance=replace(GENTLE, samples=300, passes=80))
    bench = Bench.of(spec, seed, told, care)
    figures = _with_shares(bench, bench.unpruned() | {"linked": 1.0})
    for method in methods:
        way = replace(WAYS[method], integers=False)
        for budget in budgets:
            row = _with_shares(bench, bench.row(way, {"sops_per_spike": budget}))
            figures |= {f"{method} {budget:g}/{key}": value for key, value in row.items()}
    alone = _with_shares(bench, bench.row(WAYS["no recurrence"], {"sops_per_spike": 0.0}))
    return figures | {f"no recurrence/{key}": value for key, value in alone.items()}


def _with_shares(bench: Bench, figures: Figures) -> Figures:
    """Figures with what is left as shares of the unpruned network."""
    left = 1.0 - (figures["synapse_sparsity"] or 0.0) / 100.0
    spikes = bench.whole.spikes or 1.0
    return figures | {"synapses_left": left, "sops_per_spike": (figures["sops"] or 0.0) / spikes}


def study(arguments: argparse.Namespace) -> Study:
    """The study: one network, methods at budgets as its variants."""
    small = arguments.size == "small"
    methods = ("balanced", "random") if small else METHODS
    budgets = (4.0, 1.0) if small else BUDGETS
    common: dict[str, Any] = {"methods": methods, "budgets": budgets}
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 15.0}
        common |= {"balance.passes": 30, "task.train": 400, "task.test": 300}
    if arguments.size == "paper":
        common |= {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    pairs = [(f"{m} {b:g}", f"random {b:g}") for b in budgets for m in methods if m != "random"]
    pairs += [(f"{m} {b:g}", "") for b in budgets for m in methods]
    return Study(
        "pruning_curves",
        trial,
        (Arm(NETWORK),),
        tuple((of(a), of(b)) for a, b in pairs),
        "score",
        seeds=seeds(arguments, 2, 10, 2700),
        common=common,
        variants=(*(f"{m} {b:g}" for m in methods for b in budgets), "no recurrence"),
        searched=2,
    )


def of(row: str) -> str:
    """The name of a row in the study."""
    return f"{NETWORK}, {row}" if row else NETWORK


def page(arguments: argparse.Namespace) -> StudyPage:
    """Its page."""
    return StudyPage(
        "What is left, and what it does, against the pruning",
        (__doc__ or "").split("\n\n    python", maxsplit=1)[0],
        f"python experiments/pruning_curves.py --size {arguments.size}",
        (
            Column("score", "memory capacity"),
            Column("sops_per_spike", "SOPs / unpruned spikes"),
            Column("sop_ratio", "SOP ratio"),
            Column("synapses_left", "synapses left"),
            Column("linked", "neurons with a synapse"),
            Column("neuron_sparsity", "neurons gone, %"),
            Column("spikes", "spikes / unpruned"),
            Column("rate_error", "rate error"),
            Column("gain", "gain"),
        ),
        verdict,
        draw=draw,
    )


def grid(result: StudyResult) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Methods and budgets of a study."""
    common = result.study.common
    return tuple(common["methods"]), tuple(common["budgets"])


def draw(result: StudyResult, figure: Any) -> None:
    """Four panels against the budget, a line a method, bands of a standard deviation."""
    methods, budgets = grid(result)
    figure.set_size_inches(10, 6.4)
    panels = figure.subplots(2, 2, sharex=True).ravel()
    whole = float(np.mean(result.values(NETWORK, "sops_per_spike")))
    for panel, (name, title) in zip(panels, PANELS, strict=True):
        for k, method in enumerate(methods):
            rows = [NETWORK, *(of(f"{method} {budget:g}") for budget in budgets)]
            each = np.array([result.values(row, name) for row in rows])
            middle = each.mean(axis=1)
            spread = each.std(axis=1, ddof=1) if each.shape[1] > 1 else 0.0 * middle
            at = (whole, *budgets)
            panel.plot(at, middle, "o-", color=f"C{k}", markersize=3, label=method)
            panel.fill_between(at, middle - spread, middle + spread, color=f"C{k}", alpha=0.15)
        if name == "score":
            alone = float(np.mean(result.values(of("no recurrence"), name)))
            panel.axhline(alone, color="#999999", linewidth=0.8, linestyle=":")
        panel.set_xscale("log")
        panel.set_yscale("linear" if name in ("linked", "score") else "log")
        panel.set_ylabel(title, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(color="#eeeeee")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].invert_xaxis()
    panels[0].legend(frameon=False, fontsize=8)
    figure.supxlabel(
        "SOPs a spike that the pruning keeps (left: unpruned); dots: no recurrence", fontsize=9
    )


def verdict(result: StudyResult) -> str:
    """How far each method prunes before the score falls, and what wins where."""
    methods, budgets = grid(result)
    full = result.values(NETWORK, "score")
    lines = [f"- Unpruned: memory capacity {full.mean():.2f}, standard deviation {_sd(full):.2f}."]
    for method in methods:
        cells = []
        for budget in budgets:
            values = result.values(of(f"{method} {budget:g}"), "score")
            cells.append(f"{values.mean():.2f} ({_sd(values):.2f}) at {budget:g}")
        lines.append(f"- {method}: {', '.join(cells)}.")
    for budget in budgets:
        means = {m: float(result.values(of(f"{m} {budget:g}"), "score").mean()) for m in methods}
        best = max(means, key=lambda method: means[method])
        told_so = result.difference(of(f"{best} {budget:g}"), of(f"random {budget:g}"), "score")
        beside = "" if best == "random" else f", over random {told_so}"
        lines.append(f"- Best at {budget:g} SOPs a spike: {best}{beside}.")
    return "\n".join(lines)


def _sd(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else 0.0


if __name__ == "__main__":
    main(study, page, __doc__ or "")
