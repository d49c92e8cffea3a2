"""What heterogeneity buys when it is searched for, against one time constant of each kind.

Three tasks: memory; z of Lorenz-63, of which the network hears x alone; and digits shown row by
row (real data). Free are tau_mem and tau_syn of excitatory and of inhibitory neurons. Three ways
have the same number of trials:

- *heterogeneous*: the mean and the coefficient of variation of four gamma distributions,
- *homogeneous*: the same means of four single values, by the same search,
- *mean on a grid*: tau_mem alone, one value for all, in equal ratios over its interval.

A trial is one network, and its value the error on validation samples. Synapses are
charge-normalised, so that tau_syn says nothing of the gain, and rates are balanced alike; a network
whose rates cannot be balanced within `UNBALANCED` counts as failed. What was
chosen is measured on the test samples of 5 networks that no trial saw, the same for all three.

Scores are in log units, higher is better: ln of the memory capacity, minus ln of the error.
A difference of .10 is 10 per cent.

    python experiments/search_heterogeneity.py --size full --workers 2
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from command import command_line, main, seeds, sentence
from searched import Search, winner_figures

from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.search.space import Space
from hrsnn_lava.spec import Spec

NETWORKS = 5
#: Mean error of the rates after balancing, over the rates wanted, that a trial may have.
UNBALANCED = 0.25
NEURON = {"tau_mem": 0.020, "tau_syn": 0.010, "v_threshold": 1.0, "bias": 0.5}
UNIFORM = {"distribution": "uniform", "low": -1.0, "high": 1.0}
#: Seconds, steps of 1 ms.
BOUNDS = {"tau_mem": (0.001, 0.1), "tau_syn": (0.002, 0.1)}
BASE: dict[str, Any] = {
    "network": {
        "size": 200,
        "neurons": {"excitatory": NEURON, "inhibitory": NEURON},
        "connectivity": {"mean_degree": 20.0, "gain": 1.65, "synapse": "charge"},
        "input": {"weight": UNIFORM},
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 40, "samples": 200},
}
MEMORY = {"kind": "memory", "train": 1200, "validation": 600, "test": 1000, "delays": 30}
MEMORY |= {"steps_per_sample": 5, "trace_samples": [1.0]}
HIDDEN = {"kind": "lorenz63_hidden", "train": 1200, "validation": 600, "test": 1000}
HIDDEN |= {"steps_per_sample": 5}
ROWS = {"kind": "digit_rows", "train": 500, "validation": 300, "test": 797, "encoder": "held"}
ROWS |= {"steps_per_frame": 10, "trace_steps": [10.0]}
#: Tasks by name: the table, and the figure that is compared.
TASKS: dict[str, tuple[dict[str, Any], str]] = {
    "memory": (MEMORY, "memory_capacity"),
    "hidden variable": (HIDDEN, "nrmse"),
    "digit rows": (ROWS, "squared_error"),
}
WAYS = ("heterogeneous", "homogeneous", "mean on a grid")


def space() -> dict[str, Any]:
    """Gamma distributions of every time constant, by path."""
    return {
        f"network.neurons.{kind}.{name}": {
            "distribution": "gamma",
            "cv": {"low": 0.1, "high": 1.5, "prior": "log"},
            "mean": {"low": low, "high": high, "prior": "log"},
            "low": 0.001,
            "high": 0.4,
        }
        for name, (low, high) in BOUNDS.items()
        for kind in ("excitatory", "inhibitory")
    }


def network_figures(tables: Mapping[str, Any], seed: int) -> dict[str, float | None]:
    """All figures of a network, its headline in log units."""
    figures = figures_of(Spec.parse(dict(tables)), seed)
    name = next(score for task, score in TASKS.values() if task["kind"] == tables["task"]["kind"])
    value = figures[name] or 0.0
    sign = 1.0 if name == "memory_capacity" else -1.0
    failed = (figures["rate_error"] or 0.0) > UNBALANCED
    return {
        "score": sign * math.log(max(value, 1e-3)),
        "validation": None if failed else figures["validation"],
        "rate": figures["rate"],
        "rate_error": figures["rate_error"],
    }


def measure(tables: Mapping[str, Any], seed: int, what: str) -> dict[str, Any]:
    """`network_figures` as a search asks for them."""
    del what
    return {"figures": network_figures(tables, seed)}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """What one way chooses for a task, on fresh networks."""
    del tuning
    settings = dict(settings)
    way, trials = settings.pop("way"), settings.pop("trials")
    tables = merged(BASE, settings)
    if way == "mean on a grid":
        chosen = _on_a_grid(tables, seed, trials)
    else:
        free = space()
        if way == "homogeneous":
            free = Space.parse(free).homogeneous.table()
        search = Search(free, "minimize validation", "search_heterogeneity:measure", trials=trials)
        chosen = search.run(tables, seed).best.asked.settings
    figures = winner_figures(network_figures, merged(tables, chosen), seed, NETWORKS)
    return {**figures, **_chosen(chosen)}


def _on_a_grid(tables: Mapping[str, Any], seed: int, trials: int) -> dict[str, Any]:
    """tau_mem of all neurons, the best of so many values on the validation samples."""
    tried = [
        {f"network.neurons.{kind}.tau_mem": value for kind in ("excitatory", "inhibitory")}
        for value in np.geomspace(*BOUNDS["tau_mem"], trials).tolist()
    ]
    errors = [network_figures(merged(tables, one), seed)["validation"] for one in tried]
    return tried[int(np.nanargmin([np.nan if e is None else e for e in errors]))]


def _chosen(settings: Mapping[str, Any]) -> dict[str, float]:
    """Means in milliseconds and coefficients of variation of what was chosen."""
    found = {}
    for path, value in settings.items():
        *_, kind, name = path.split(".")
        label = f"{name}_{kind[:3]}"
        if isinstance(value, Mapping):
            found[f"{label}_cv"] = value["shape"] ** -0.5
            value = value["mean"]
        found[f"{label}_ms"] = 1e3 * value
    return found


def study(arguments: argparse.Namespace) -> Study:
    """Three ways on every task."""
    small = arguments.size == "small"
    common: dict[str, Any] = {"trials": 15 if small else 40}
    if small:
        common |= {"network.size": 60, "network.connectivity.mean_degree": 10.0}
        common |= {"balance.passes": 10, "balance.samples": 60}
    arms, pairs = [], []
    for name, (task, _) in TASKS.items():
        shown = task | ({"train": 300, "validation": 100, "test": 300} if small else {})
        arms += [Arm(f"{name}, {way}", ({"task": shown, "way": way},)) for way in WAYS]
        pairs += [(f"{name}, {WAYS[0]}", f"{name}, {other}") for other in WAYS[1:]]
        pairs.append((f"{name}, {WAYS[1]}", f"{name}, {WAYS[2]}"))
    return Study(
        "search_heterogeneity",
        trial,
        tuple(arms),
        tuple(pairs),
        "score",
        seeds=seeds(arguments, 2, 10, 2300),
        common=common,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    return StudyPage(
        "What a search for heterogeneity buys",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        command_line(arguments, "search_heterogeneity"),
        (
            Column("score", "score, fresh networks"),
            Column("rate", "spikes a step", True),
            Column("rate_error", "rate error"),
            Column("tau_mem_exc_ms", "tau_mem E, ms"),
            Column("tau_mem_exc_cv", "its cv"),
            Column("tau_syn_exc_ms", "tau_syn E, ms"),
            Column("tau_syn_exc_cv", "its cv"),
        ),
        verdict,
        "The papers: the best distribution beats homogeneous networks on every task; whether those "
        "were tuned is not said.",
        draw,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each task and comparison."""
    lines = []
    for name in TASKS:
        for arm, other in ((WAYS[0], WAYS[1]), (WAYS[0], WAYS[2]), (WAYS[1], WAYS[2])):
            difference = result.difference(f"{name}, {arm}", f"{name}, {other}", "score")
            lines.append(sentence(difference, f"{name}: {arm} minus {other}", 0.0))
    return "\n".join(f"- {line}" for line in lines)


def draw(result: StudyResult, figure: Any) -> None:
    """Every task by itself: a line a seed over the three ways, and their means."""
    for axes, name in zip(figure.subplots(1, len(TASKS)), TASKS, strict=True):
        scores = np.array([result.values(f"{name}, {way}", "score") for way in WAYS])
        axes.plot(range(len(WAYS)), scores, "o-", color="#bbbbbb", markersize=3, linewidth=0.8)
        axes.plot(range(len(WAYS)), scores.mean(axis=1), "D", color="#1f4e79", markersize=7)
        axes.set_xticks(range(len(WAYS)), [way.replace(" ", "\n", 1) for way in WAYS], fontsize=7)
        axes.set(title=name, xlim=(-0.5, len(WAYS) - 0.5))
    figure.axes[0].set_ylabel("score on fresh networks, log units")


if __name__ == "__main__":
    main(study, page, __doc__)
