"""What pruning keeps of a network without any task, by method and budget.

A network of 400 neurons and 40 synapses each, whose recurrence matters: 30 per cent of the neurons
hear one input that is random and independent from sample to sample. It is pruned by every method to
one recurrent synaptic operation (SOP) a spike, and to a tenth of the SOPs, brought back to its own
rates by the same homeostasis, and measured again under the same input: correlations with the
unpruned network of rates, of covariances of spike traces, and of each neuron's trace; the largest
Lyapunov exponent, by surrogate slopes; and linear memory of the input.

*Unpruned again* is the unpruned network from other initial potentials under the same input, beyond
which nothing can be kept, *no recurrence* the network with its inputs alone.

    python experiments/kept.py --size full
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from command import main, seeds
from pruning import BASE

from hrsnn_lava import registry
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE, Balance, BalanceOptions
from hrsnn_lava.training.kept import KeptOptions
from hrsnn_lava.training.kept_by_method import (
    CEILING,
    FIGURES,
    FLOOR,
    MethodOptions,
    kept_by_method,
)
from hrsnn_lava.training.random_input import random_input

BUDGETS: dict[str, dict[str, float]] = {
    "one SOP a spike": {"sops_per_spike": 1.0},
    "a tenth of the SOPs": {"sop_ratio": 10.0},
}
#: Methods by the name of their row.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "balanced": ("balanced", {}),
    "LNP": ("lyapunov", {}),
    "magnitude": ("magnitude", {"rescale": "match"}),
    "magnitude, none": ("magnitude", {}),
    "activity": ("activity", {"rescale": "match"}),
    "activity, none": ("activity", {}),
}
#: Steps of the input that the first rates are balanced over, and in how many passes.
RATE_STEPS, PASSES = 4500, 30
#: How rates are brought back: half the passes of the default, over two thirds of its samples.
CARE = AftercareOptions(balance=replace(GENTLE, passes=60))
#: What the verdict is about.
JUDGED = ("covariance_correlation", "trace_correlation", "memory")


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """All rows of a budget on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    budget = BUDGETS[settings.pop("budget")]
    samples, passes = settings.pop("samples"), settings.pop("passes")
    spec = Spec.parse(merged({"network": BASE["network"], "seed": seed}, settings))
    kept = KeptOptions(samples=samples)
    network = build_hrsnn(spec, seed=seed, n_inputs=1)
    shown = random_input(network, seed, samples).stimulus.first(RATE_STEPS)
    balanced = Balance(shown, options=BalanceOptions(passes=passes))
    network, _ = run_pass(network, balanced, Context(seed=seed))
    steps = {row: registry.load("pruning", m)(**budget, **o) for row, (m, o) in ROWS.items()}
    options = MethodOptions(1, rate_samples=300, kept=kept, aftercare=CARE)
    found = kept_by_method(network, steps, seed=seed, options=options)
    figures: dict[str, float | None] = {key: value[0] for key, value in found.unpruned.items()}
    for row, values in found.rows.items():
        figures |= {f"{row}/{key}": _finite(value[0]) for key, value in values.items()}
    return figures


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def study(arguments: argparse.Namespace) -> Study:
    """The study: budgets as arms, methods as their variants."""
    small = arguments.size == "small"
    common: dict[str, Any] = {"samples": 400 if small else 2000, "passes": PASSES}
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 15.0}
        common |= {"passes": 10}
    if arguments.size == "paper":
        common |= {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    arms = tuple(Arm(budget, ({"budget": budget},)) for budget in BUDGETS)
    rows = (*ROWS, FLOOR, CEILING)
    pairs = tuple(
        (f"{arm.name}, {row}", f"{arm.name}, random")
        for arm in arms
        for row in rows
        if row not in ("random", CEILING)
    )
    return Study(
        "kept",
        trial,
        arms,
        pairs,
        "memory",
        seeds=seeds(arguments, 3, 8, 900),
        common=common,
        variants=rows,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """Its page."""
    return StudyPage(
        "What pruning keeps without a task",
        (__doc__ or "").split("\n\n    python")[0],
        f"python experiments/kept.py --size {arguments.size}",
        (
            Column("sops_ratio", "SOPs / unpruned"),
            Column("spikes_ratio", "spikes / unpruned"),
            Column("rate_error", "rate error"),
            Column("rate_correlation", "rates"),
            Column("covariance_correlation", "covariances", True),
            Column("trace_correlation", "traces", True),
            Column("largest_exponent", "exponent (1/s)"),
            Column("memory", "memory", True),
        ),
        verdict,
        draw=draw,
    )


def verdict(result: StudyResult) -> str:
    """Best and worst method of every figure, and what no recurrence keeps."""
    lines = []
    titles = {figure.name: figure.told for figure in FIGURES}
    for arm in result.study.arms:
        for figure in JUDGED:
            means = {
                row: float(np.nanmean(result.values(f"{arm.name}, {row}", figure)))
                for row in result.study.variants
            }
            order = sorted(ROWS, key=lambda row: -means[row])
            best, last = order[0], order[-1]
            lines.append(
                f"- {arm.name}: {titles[figure]} are kept best by {best} ({means[best]:.3f}"
                f"{_over(result, arm.name, best, order[1], figure)}), worst by {last} "
                f"({means[last]:.3f}); no recurrence {means[FLOOR]:.3f}, unpruned again "
                f"{means[CEILING]:.3f}"
            )
    return "\n".join(lines).replace("memory of the input are", "memory of the input is")


def _over(result: StudyResult, arm: str, best: str, second: str, figure: str) -> str:
    """By how much the best row is above the second, seed by seed."""
    a, b = (result.values(f"{arm}, {row}", figure) for row in (best, second))
    error = (a - b).std(ddof=1) / np.sqrt(a.size) if a.size > 1 else np.nan
    return f", {np.mean(a - b):+.3f} +- {error:.3f} over {second}"


def draw(result: StudyResult, figure: Any) -> None:
    """A panel for every arm and figure, a dot a row."""
    arms, rows = result.study.arms, result.study.variants
    figure.set_size_inches(11, 0.9 + (0.5 + 0.2 * len(rows)) * len(arms))
    panels = figure.subplots(len(arms), len(JUDGED), sharey=True, sharex="col", squeeze=False)
    titles = {f.name: f.told for f in FIGURES}
    for arm, line in zip(arms, panels, strict=True):
        for name, panel in zip(JUDGED, line, strict=True):
            for place, row in enumerate(rows):
                values = result.values(f"{arm.name}, {row}", name)
                values = values[np.isfinite(values)]
                error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
                colour = "#1f4e79" if row in ROWS else "#888888"
                panel.errorbar(
                    values.mean(), place, xerr=error, fmt="o", color=colour, markersize=4
                )
            panel.set_yticks(range(len(rows)), rows)
            panel.tick_params(labelsize=8)
            panel.grid(axis="x", linewidth=0.4)
            panel.set_title(f"{titles[name]}: {arm.name}", fontsize=8)
    panels[0, 0].invert_yaxis()
    figure.supxlabel("mean and standard error over the seeds", fontsize=9)


if __name__ == "__main__":
    main(study, page, __doc__ or "")
