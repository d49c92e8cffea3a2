"""Which heterogeneity does what: exact Shapley values over all 2^d configurations (Fig. 4).

Players are the heterogeneity of tau_mem, of the thresholds, of tau_syn, of the amplitudes and of
the time constants of STDP. Each configuration is a network in which the others have their mean.
The values shared out are memory capacity, spikes, and their ratio; input spikes of tuned channels,
STDP of input and recurrent synapses without labels, then a readout. Nothing is tuned.

    python experiments/importance.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, seeds
from networks import SPIKING, gamma, neurons, stdp

from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage, markdown_table
from hrsnn_lava.metrics.paired import plus_minus
from hrsnn_lava.metrics.shapley import Importance, configurations, shapley
from hrsnn_lava.spec import Spec

#: Parameters that each player makes heterogeneous.
PLAYERS: dict[str, tuple[str, ...]] = {
    "tau_mem": ("tau_mem",),
    "threshold": ("v_threshold",),
    "tau_syn": ("tau_syn",),
    "A of STDP": ("a_plus", "a_minus"),
    "tau of STDP": ("tau_plus", "tau_minus"),
}
RULES = ("a_plus", "a_minus", "tau_plus", "tau_minus")
FIGURES = {
    "memory": "memory capacity",
    "spikes_per_sample": "spikes a sample",
    "efficiency": "ratio",
}
TASK = {
    "kind": "memory",
    "encoder": {"kind": "population", "channels": 100},
    "steps_per_sample": 10,
    "train": 1500,
    "validation": 300,
    "test": 700,
    "delays": 20,
}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Capacity and spikes of a configuration."""
    del tuning
    settings = dict(settings)
    given = {field for player in settings.pop("players") for field in PLAYERS[player]}
    same = [field for player in PLAYERS.values() for field in player if field not in given]
    tables = merged(SPIKING, neurons(0.02, gamma(0.005, 0.001, 0.1)))
    tables["network"]["homogeneous"] = [field for field in same if field not in RULES]
    tables["stdp"] = stdp() | {"train_passes": 1, "on_chip": False}
    tables["stdp"]["homogeneous"] = [field for field in same if field in RULES]
    tables["task"] = TASK
    tables["balance"]["samples"] = 300
    figures = figures_of(Spec.parse(merged(tables, settings)), seed)
    capacity, chance = figures["memory_capacity"], figures["memory_chance"]
    figures["memory"] = (capacity or 0.0) - (chance or 0.0)
    spikes = figures["spikes_per_sample"] or 0.0
    figures["efficiency"] = 1e3 * figures["memory"] / spikes if spikes > 1 else None
    return figures


def name_of(players: frozenset[str]) -> str:
    """Of a configuration."""
    return " + ".join(player for player in PLAYERS if player in players) or "none"


def study(arguments: argparse.Namespace) -> Study:
    """Every configuration is an arm."""
    common: dict[str, Any] = {}
    if arguments.size == "small":
        common = {"network.size": 60, "network.connectivity.mean_degree": 10.0}
        common |= {"task.train": 300, "task.validation": 80, "task.test": 200}
        common |= {"balance.passes": 8, "balance.samples": 60}
    if arguments.size == "paper":
        common = {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    arms = tuple(
        Arm(name_of(players), ({"players": sorted(players)},))
        for players in configurations(tuple(PLAYERS))
    )
    everything = name_of(frozenset(PLAYERS))
    return Study(
        "importance",
        trial,
        arms,
        ((everything, "none"),),
        "memory",
        seeds=seeds(arguments, 2, 10, 1600),
        common=common,
    )


def importance(result: StudyResult, figure: str) -> Importance:
    """Shapley values of a figure."""
    values = {
        players: result.values(name_of(players), figure).tolist()
        for players in configurations(tuple(PLAYERS))
    }
    return shapley(values)


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""

    def draw(result: StudyResult, figure: Any) -> None:
        for axes, (what, title) in zip(figure.subplots(1, 3), FIGURES.items(), strict=True):
            found = importance(result, what)
            errors = found.standard_errors
            axes.barh(found.players, found.values, xerr=errors, color="#1f4e79", capsize=2)
            axes.axvline(0, color="#999999", linewidth=1)
            axes.invert_yaxis()
            axes.set_title(title)
            axes.spines[["top", "right"]].set_visible(False)
            if axes is not figure.axes[0]:
                axes.set_yticks([])

    def verdict(result: StudyResult) -> str:
        found = {what: importance(result, what) for what in FIGURES}
        rows = []
        for player in PLAYERS:
            cells = [player]
            for entry in found.values():
                index = entry.players.index(player)
                errors = entry.standard_errors
                error = None if errors is None else float(errors[index])
                cells.append(plus_minus(float(entry.values[index]), error)[0])
            rows.append(cells)
        rows.append(["all together", *(f"{entry.total:+.3g}" for entry in found.values())])
        most = {
            what: max(e.players, key=lambda p, e=e: abs(_value(e, p))) for what, e in found.items()
        }
        return "\n\n".join(
            [
                markdown_table(["heterogeneity of", *FIGURES.values()], rows),
                f"- The papers: tau_mem dominates memory capacity. Here: {most['memory']}.\n"
                f"- The papers: STDP dominates the spikes. Here: {most['spikes_per_sample']}.",
            ]
        )

    return StudyPage(
        "What each heterogeneity is worth",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/importance.py --size {arguments.size}",
        (
            Column("memory", "capacity"),
            Column("spikes_per_sample", "spikes a sample", True),
            Column("efficiency", "capacity / 1000 spikes", True),
        ),
        verdict,
        "The papers (SAGE, Fig. 4): tau_m dominates memory capacity, STDP dominates spikes.",
        draw,
    )


def _value(found: Importance, player: str) -> float:
    return float(np.asarray(found.values)[found.players.index(player)])


if __name__ == "__main__":
    main(study, page, __doc__)
