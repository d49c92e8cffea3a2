"""How many labels a readout needs, with and without heterogeneity (the papers' Fig. 8).

Four arms; the network learns by STDP from all training samples, the readout from so many labelled
ones of each class. Labels of the validation samples choose the readout's penalty and each arm's
mean tau_mem, with 5 labels a class, over the same grid for all arms; they train nothing.

    python experiments/few_labels.py --set digit_rows --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

from command import main, of_a_set, seeds, sentence
from networks import SPIKING, neurons, stdp, task

from hrsnn_lava.arms import ARMS
from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage, draw_lines
from hrsnn_lava.spec import Spec

LABELS = (1, 2, 5, 10, 20)
TAUS = (0.005, 0.010, 0.020, 0.040)


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Accuracy of an arm whose readout sees so many labels."""
    del tuning
    settings = dict(settings)
    arm, tau, labels = settings.pop("arm"), settings.pop("tau_mem"), settings.pop("labels")
    own = {
        "task.labels_per_class": labels,
        "stdp": stdp() | {"train_passes": 1, "on_chip": False},
    }
    tables = merged(merged(SPIKING, neurons(tau)), settings)
    return figures_of(Spec.parse(merged(tables, own)).arm(arm), seed)


def study(arguments: argparse.Namespace) -> Study:
    """All arms at all numbers of labels."""
    small = arguments.size == "small"
    grid = [{"tau_mem": tau} for tau in (TAUS[1:3] if small else TAUS)]
    arms = []
    for name in ARMS:
        points = tuple({"arm": name, "labels": 5, **point} for point in grid)
        arms.append(Arm(f"{name} 5", points))
        arms += [Arm(f"{name} {n:g}", ({"labels": n},), f"{name} 5") for n in LABELS if n != 5]
    common: dict[str, Any] = {
        "task": task(arguments.set, arguments.path, small),
        "balance.samples": 100,
    }
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 15.0}
    if arguments.size == "paper":
        common |= {"network.size": 2000}
    return Study(
        f"few_labels_{arguments.set}",
        trial,
        tuple(arms),
        tuple((f"HeNHeS {n:g}", f"HoNHoS {n:g}") for n in LABELS),
        "accuracy",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 2, 10, 1200),
        common=common,
        axes=("tau_mem",),
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""

    def draw(result: StudyResult, figure: Any) -> None:
        axes = figure.subplots()
        draw_lines(result, axes, ARMS, LABELS, "accuracy")
        axes.set(xlabel="labelled samples a class", ylabel="accuracy", xscale="log")

    def verdict(result: StudyResult) -> str:
        return "\n".join(
            "- "
            + sentence(
                result.difference(f"HeNHeS {n:g}", f"HoNHoS {n:g}", "accuracy"),
                f"{n} label{'s' * (n > 1)} a class, HeNHeS - HoNHoS",
                0.0,
            )
            for n in LABELS
        )

    return StudyPage(
        f"Few labels on {arguments.set}",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/few_labels.py --set {arguments.set} --size {arguments.size}",
        (Column("accuracy", "accuracy"), Column("spikes_per_sample", "spikes a sample")),
        verdict,
        "The papers show a curve (Fig. 8): heterogeneous networks lose less with few labels.",
        draw,
    )


if __name__ == "__main__":
    main(study, page, __doc__, of_a_set)
