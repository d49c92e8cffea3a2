"""Accuracy against the number of neurons, with and without heterogeneity (the papers' Fig. 5).

Four arms at several sizes, all tuned over the same grid of the mean tau_mem at the middle size, at
equal rates before STDP.

    python experiments/accuracy_neurons.py --set digit_rows --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, of_a_set, seeds
from networks import SPIKING, neurons, stdp, task

from hrsnn_lava.arms import ARMS
from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage, draw_lines
from hrsnn_lava.spec import Spec

SIZES = {"small": (50, 100), "full": (50, 100, 200, 500, 1000), "paper": (100, 500, 1000, 2000)}
#: Seconds; with steps of 1 ms a shorter mean hardly holds anything.
TAUS = (0.0025, 0.005, 0.010, 0.020)


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Accuracy and spikes of an arm at a size, STDP included."""
    del tuning
    settings = dict(settings)
    arm, tau, size = settings.pop("arm"), settings.pop("tau_mem"), settings.pop("size")
    own = {
        "network.size": size,
        "network.connectivity.mean_degree": min(30.0, 0.15 * size),
        "stdp": stdp() | {"train_passes": 1, "on_chip": False},
    }
    spec = Spec.parse(merged(SPIKING, neurons(tau) | own | settings)).arm(arm)
    return figures_of(spec, seed)


def sizes(arguments: argparse.Namespace) -> tuple[int, ...]:
    """Numbers of neurons."""
    return SIZES[arguments.size]


def study(arguments: argparse.Namespace) -> Study:
    """All arms at all sizes; those of the middle size are tuned, the others are like them."""
    small, every = arguments.size == "small", sizes(arguments)
    middle = every[len(every) // 2]
    grid = [{"tau_mem": tau} for tau in (TAUS[1:3] if small else TAUS)]
    arms = []
    for name in ARMS:
        points = tuple({"arm": name, "size": middle, **point} for point in grid)
        arms.append(Arm(f"{name} {middle:g}", points))
        arms += [
            Arm(f"{name} {n:g}", ({"size": n},), f"{name} {middle:g}") for n in every if n != middle
        ]
    pairs = [(f"{name} {n:g}", f"HoNHoS {n:g}") for n in every for name in ("HeNHoS", "HeNHeS")]
    return Study(
        f"accuracy_neurons_{arguments.set}",
        trial,
        tuple(arms),
        tuple(pairs),
        "accuracy",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 2, 10, 1100),
        common={"task": task(arguments.set, arguments.path, small), "balance.samples": 100},
        axes=("tau_mem",),
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""

    def draw(result: StudyResult, figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for axes, what, label in (
            (left, "accuracy", "accuracy"),
            (right, "spikes_per_sample", "spikes a sample"),
        ):
            draw_lines(result, axes, ARMS, sizes(arguments), what)
            axes.set(xlabel="neurons", ylabel=label, xscale="log")

    def verdict(result: StudyResult) -> str:
        lines = []
        for n in sizes(arguments):
            difference = result.difference(f"HeNHeS {n:g}", f"HoNHoS {n:g}", "accuracy")
            lines.append(f"- {n} neurons, HeNHeS - HoNHoS: {difference}.")
        most = max(sizes(arguments))
        best = np.nanmean(result.values(f"HoNHoS {most:g}", "accuracy"))
        enough = [
            n
            for n in sizes(arguments)
            if np.nanmean(result.values(f"HeNHeS {n:g}", "accuracy")) >= best
        ]
        told = f"with {min(enough)}" if enough else "at no size here"
        lines.append(
            "- The papers: 500 heterogeneous neurons do what 2000 homogeneous ones do. Here "
            f"HeNHeS reaches the accuracy of HoNHoS with {most} neurons ({best:.3f}) {told}."
        )
        return "\n".join(lines)

    return StudyPage(
        f"Accuracy against neurons on {arguments.set}",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/accuracy_neurons.py --set {arguments.set} --size {arguments.size}",
        (Column("accuracy", "accuracy"), Column("spikes_per_sample", "spikes a sample")),
        verdict,
        "KTH, UCF11, UCF101, DVS128 in per cent: HoNHoS-2000 86.33, 75.23, 74.45, 90.33; "
        "HeNHeS-500 88.04, 71.42, 70.16, 90.15; HeNHeS-2000 94.32, 79.58, 77.33, 96.54.",
        draw,
    )


if __name__ == "__main__":
    main(study, page, __doc__, of_a_set)
