"""Accuracy and active neurons over the reach of connections and the scale of weights (Fig. 7).

The length lambda of the connection probability grows linearly, the scale of the recurrent weights
by factors, as in the papers' 9 x 9 map; a neuron is active that fires at least once on the test
samples. Biases are balanced once at the middle of the map and kept, so that activity can follow.

    python experiments/connectivity_map.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, seeds
from networks import SPIKING, neurons, task

from hrsnn_lava.experiment.preparation import built_network, prepare
from hrsnn_lava.experiment.spec_trial import merged, outcome_figures
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.simulation import simulator_of, spike_counts

LENGTHS = tuple(np.linspace(0.5, 4.5, 9).tolist())
SCALES = tuple((2.0 ** np.arange(-4, 5)).tolist())
MIDDLE = {"network.connectivity.length": 2.5, "network.connectivity.gain": 0.3}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Accuracy, and the share of neurons that fire on the test samples."""
    del tuning
    settings = dict(settings)
    length, scale = settings.pop("length"), settings.pop("scale")
    base = merged(SPIKING, neurons() | MIDDLE | settings)
    middle = Spec.parse(base)
    task_trial = middle.task.trial(seed)
    biases = prepare(middle, task_trial, seed).network.gather("bias")
    here = {
        "network.connectivity.length": length,
        "network.connectivity.gain": MIDDLE["network.connectivity.gain"] * scale,
    }
    network = built_network(Spec.parse(merged(base, here)), task_trial, seed).with_biases(biases)
    outcome = task_trial.evaluate(simulator_of(network), generator(seed, "train"))
    figures = outcome_figures(outcome, network, task_trial)
    test = task_trial.test_stimulus
    counts = spike_counts(simulator_of(network), test, generator(seed, "train"))
    figures["active"] = float(np.mean(counts > 0))
    figures["synapses"] = float(sum(p.n_synapses for p in network.projections))
    return figures


def points(arguments: argparse.Namespace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lengths and scales of the map."""
    every = slice(None, None, 4) if arguments.size == "small" else slice(None)
    return LENGTHS[every], SCALES[every]


def study(arguments: argparse.Namespace) -> Study:
    """Every point of the map is an arm; nothing is tuned."""
    lengths, scales = points(arguments)
    small = arguments.size == "small"
    arms = tuple(
        Arm(f"{length:g} {scale:g}", ({"length": length, "scale": scale},))
        for length in lengths
        for scale in scales
    )
    size = {"small": 80, "full": 300, "paper": 2000}[arguments.size]
    common = {"task": task("digit_rows", small=small), "network.size": size}
    common |= {"balance.samples": 60, "network.connectivity.mean_degree": 30.0}
    return Study(
        "connectivity_map",
        trial,
        arms,
        (),
        "accuracy",
        seeds=seeds(arguments, 1, 5, 1300),
        common=common,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The map."""
    lengths, scales = points(arguments)

    def grid(result: StudyResult, figure: str) -> Any:
        return np.array(
            [
                [np.nanmean(result.values(f"{length:g} {scale:g}", figure)) for scale in scales]
                for length in lengths
            ]
        )

    def draw(result: StudyResult, figure: Any) -> None:
        shown = {"accuracy": "accuracy", "active": "active neurons"}
        for axes, (what, title) in zip(figure.subplots(1, 2), shown.items(), strict=True):
            image = axes.imshow(grid(result, what), origin="lower", aspect="auto", cmap="viridis")
            axes.set_xticks(range(len(scales)), [f"{s:g}" for s in scales])
            axes.set_yticks(range(len(lengths)), [f"{length:g}" for length in lengths])
            axes.set(xlabel="scale of recurrent weights", ylabel="lambda", title=title)
            figure.colorbar(image, ax=axes)

    def verdict(result: StudyResult) -> str:
        accuracy, active = grid(result, "accuracy"), grid(result, "active")
        best = np.unravel_index(np.argmax(accuracy), accuracy.shape)
        return (
            f"- Best accuracy {accuracy.max():.3f} at lambda = {lengths[best[0]]:g} and scale "
            f"{scales[best[1]]:g}; worst {accuracy.min():.3f}.\n"
            f"- Active neurons from {active.min():.2f} to {active.max():.2f}; rank correlation of "
            f"accuracy and active neurons over the map: {_rank_correlation(accuracy, active):+.2f}."
        )

    return StudyPage(
        "Reach of connections and scale of weights",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/connectivity_map.py --size {arguments.size}",
        (
            Column("accuracy", "accuracy"),
            Column("active", "active neurons"),
            Column("rate", "spikes a step"),
        ),
        verdict,
        "The papers' Fig. 7 is a map of 81 points, 5 repeats each, on other data.",
        draw,
    )


def _rank_correlation(a: Any, b: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a.ravel(), b.ravel()).statistic)


if __name__ == "__main__":
    main(study, page, __doc__)
