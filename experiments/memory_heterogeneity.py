"""Memory capacity and spike efficiency against the spread of tau_mem, at equal means and tuned.

The membrane time constants are log-normal with the exact mean in every sample; sigma is the
standard deviation of their logarithm, 0 for one time constant. Biases bring every neuron to the
same rate in all arms. Means are given in samples of the input, of 5 steps each. At equal means the
arms share everything but the spread; the tuned arms have each its own best mean, chosen on the
validation samples of other seeds over the same grid.

    python experiments/memory_heterogeneity.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, seeds, sentence

from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage, draw_lines
from hrsnn_lava.spec import Spec

STEPS = 5
SIGMAS = (0.0, 0.3, 0.6, 1.15)
#: Mean tau_mem of excitatory neurons, in samples; half of it for inhibitory ones.
MEANS = (1.0, 2.0, 4.0, 8.0, 16.0)
BASE: dict[str, Any] = {
    "network": {
        "size": 300,
        "neurons": {"excitatory": {}, "inhibitory": {}},
        "connectivity": {"mean_degree": 30.0, "gain": 0.5},
        "input": {"weight": {"distribution": "uniform", "low": -1.0, "high": 1.0}},
    },
    "task": {
        "kind": "memory",
        "steps_per_sample": STEPS,
        "delays": 40,
        "train": 2400,
        "validation": 600,
        "test": 1300,
        "trace_samples": [1.0],
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 80, "samples": 800},
}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Capacity, spikes and their ratio of a network with one spread and one mean."""
    del tuning
    settings = dict(settings)
    sigma, mean = settings.pop("sigma"), settings.pop("mean")
    tables = merged(BASE, settings)
    for kind, factor in (("excitatory", 1.0), ("inhibitory", 0.5)):
        tau = factor * mean * STEPS * 1e-3
        drawn = {"distribution": "lognormal", "mean": tau, "sigma": sigma, "exact_mean": True}
        tables["network"]["neurons"][kind] = {
            "tau_mem": drawn | {"low": 0.001, "high": 40 * tau} if sigma else tau,
            "tau_syn": 0.005,
            "v_threshold": 1.0,
            "bias": 0.5,
        }
    figures = figures_of(Spec.parse(tables), seed)
    capacity, chance = figures["memory_capacity"], figures["memory_chance"]
    figures["memory"] = (capacity or 0.0) - (chance or 0.0)
    rate = figures["rate"] or 0.0
    figures["efficiency"] = figures["memory"] / (rate * STEPS) if rate > 1e-4 else None
    return figures


def study(arguments: argparse.Namespace) -> Study:
    """Every spread at every mean, and every spread with its own best mean."""
    small = arguments.size == "small"
    sigmas, means = (SIGMAS[::3], MEANS[::2]) if small else (SIGMAS, MEANS)
    common: dict[str, Any] = {}
    if small:
        common = {"network.size": 80, "network.connectivity.mean_degree": 12.0}
        common |= {"task.train": 400, "task.validation": 100, "task.test": 300}
        common |= {"task.delays": 15, "balance.passes": 20}
    if arguments.size == "paper":
        common = {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    arms, pairs = [], []
    for sigma in sigmas:
        name = f"sigma {sigma:g}"
        grid = tuple({"sigma": sigma, "mean": mean} for mean in means)
        arms.append(Arm(f"{name}, tuned", grid))
        arms += [Arm(f"{name} {p['mean']:g}", (p,)) for p in grid]
        if sigma:
            pairs.append((f"{name}, tuned", "sigma 0, tuned"))
            pairs += [(f"{name} {mean:g}", f"sigma 0 {mean:g}") for mean in means]
    return Study(
        "memory_heterogeneity",
        trial,
        tuple(arms),
        tuple(pairs),
        "memory",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 2, 10, 1500),
        common=common,
        axes=("mean",),
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    small = arguments.size == "small"
    sigmas, means = (SIGMAS[::3], MEANS[::2]) if small else (SIGMAS, MEANS)
    names = [f"sigma {sigma:g}" for sigma in sigmas]

    def draw(result: StudyResult, figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        draw_lines(result, left, names, means, "memory")
        draw_lines(result, right, names, means, "efficiency")
        left.set(xlabel="mean tau_mem, samples", ylabel="memory capacity", xscale="log")
        right.set(xlabel="mean tau_mem, samples", ylabel="capacity / spikes a neuron and sample")
        right.set(xscale="log")

    def verdict(result: StudyResult) -> str:
        lines = []
        for name in names[1:]:
            tuned = result.difference(f"{name}, tuned", "sigma 0, tuned", "memory")
            lines.append(sentence(tuned, f"{name}, each arm with its own tuned mean", 0.0))
            for mean in means:
                equal = result.difference(f"{name} {mean:g}", f"sigma 0 {mean:g}", "memory")
                lines.append(f"{name} at an equal mean of {mean:g} samples: {equal}.")
        spread = {
            name: np.ptp([np.nanmean(result.values(f"{name} {m:g}", "memory")) for m in means])
            for name in names
        }
        told = ", ".join(f"{name} {value:.2f}" for name, value in spread.items())
        lines.append(f"Capacity of the best mean minus that of the worst: {told}.")
        return "\n".join(f"- {line}" for line in lines)

    return StudyPage(
        "Memory and spikes against the spread of time constants",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/memory_heterogeneity.py --size {arguments.size}",
        (
            Column("memory", "capacity"),
            Column("efficiency", "capacity / spikes", True),
            Column("rate", "spikes a step"),
            Column("rate_error", "rate error"),
        ),
        verdict,
        "The papers: heterogeneous neurons raise memory capacity (Theorem 1, Fig. 2).",
        draw,
    )


if __name__ == "__main__":
    main(study, page, __doc__)
