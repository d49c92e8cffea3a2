"""What a search over distributions is worth on a network: memory, spikes, or one over the other.

A heterogeneous recurrent network of 200 neurons remembers its input. Free are the gamma
distributions of tau_mem and the normal ones of the threshold, of excitatory and of inhibitory
neurons, each by mean and coefficient of variation: 8 numbers. Rates are not balanced, so the search
sets them, too. A trial is 3 networks, or as many as ``--networks`` says; searches of one seed share
networks and data. Their winners are measured on 5 networks that no search saw.

*Efficiency* is the memory capacity less that of shuffled input, over the spikes of a neuron in a
sample; spikes below `FLOOR` count as so many, since the plain ratio (*bare*) is best in networks
that hardly fire.

    python experiments/search_memory.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from command import command_line, main, seeds, sentence
from searched import Search, best_so_far, winner_figures

from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec

STEPS = 5
#: Networks of a trial.
REPEATS = 3
#: Spikes of a neuron in a sample that efficiency counts at least: 20 a second at 1 ms a step.
FLOOR = 0.1
NETWORKS = 5
NEURON = {"tau_syn": 0.005, "v_threshold": 1.0, "bias": 0.5}
BASE: dict[str, Any] = {
    "network": {
        "size": 200,
        "neurons": {
            "excitatory": {**NEURON, "tau_mem": 0.020},
            "inhibitory": {**NEURON, "tau_mem": 0.010},
        },
        "connectivity": {"mean_degree": 20.0, "gain": 0.5},
        "input": {"weight": {"distribution": "uniform", "low": -1.0, "high": 1.0}},
    },
    "task": {
        "kind": "memory",
        "steps_per_sample": STEPS,
        "delays": 30,
        "train": 1200,
        "validation": 300,
        "test": 1000,
        "trace_samples": [1.0],
    },
}
TAU = {
    "distribution": "gamma",
    "cv": {"low": 0.1, "high": 1.5, "prior": "log"},
    "mean": {"low": 0.003, "high": 0.08, "prior": "log"},
    "low": 0.001,
    "high": 0.4,
}
THRESHOLD = {
    "distribution": "normal",
    "mean": [0.6, 1.5],
    "cv": [0.02, 0.4],
    "low": 0.3,
    "high": 3.0,
}
SPACE = {
    f"network.neurons.{kind}.{name}": free
    for kind in ("excitatory", "inhibitory")
    for name, free in (("tau_mem", TAU), ("v_threshold", THRESHOLD))
}
#: Objectives by name, the papers' three and ours.
OBJECTIVES = {
    "efficiency": "maximize efficiency",
    "memory": "maximize memory",
    "spikes": "minimize spikes",
    "bare": "maximize bare",
}
#: Ways to choose points, the controls last.
SUGGESTERS: dict[str, Any] = {
    "wasserstein": "wasserstein",
    "matern": "matern",
    "quasi_random": "quasi_random",
    "random": "random",
}
#: After so many trials the best so far is kept, for the figure.
MOMENTS = (5, 10, 15, 20, 25, 30, 35, 40)


def memory_figures(tables: Mapping[str, Any], seed: int) -> dict[str, float | None]:
    """Memory, spikes, and one over the other, of a network."""
    figures = figures_of(Spec.parse(dict(tables)), seed)
    memory = (figures["memory_capacity"] or 0.0) - (figures["memory_chance"] or 0.0)
    spikes = (figures["rate"] or 0.0) * STEPS
    return {
        "memory": memory,
        "spikes": spikes,
        "efficiency": memory / max(spikes, FLOOR),
        "bare": memory / spikes if spikes > 0 else None,
    }


def measure(tables: Mapping[str, Any], seed: int, what: str) -> dict[str, Any]:
    """`memory_figures` as a search asks for them."""
    del what
    return {"figures": memory_figures(tables, seed)}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """A search, and its winner on fresh networks; or the spec as it is."""
    del tuning
    settings = dict(settings)
    names = ("objective", "suggester", "trials")
    objective, suggester, trials = (settings.pop(name) for name in names)
    repeats = settings.pop("repeats", REPEATS)
    tables, found = merged(BASE, settings), {}
    if trials:
        search = Search(SPACE, objective, "search_memory:measure", suggester, trials, repeats)
        result = search.run(tables, seed)
        tables = merged(tables, result.best.asked.settings)
        found = {f"best_{k}": best_so_far(result, k) for k in MOMENTS if k <= trials}
        found["measured"] = best_so_far(result, trials)
    return {**winner_figures(memory_figures, tables, seed, NETWORKS), **found}


def _networks(arguments: argparse.Namespace) -> int:
    return getattr(arguments, "networks", REPEATS)


def more(parser: argparse.ArgumentParser) -> None:
    """Arguments of this experiment alone."""
    told = f"of a trial; with others than {REPEATS}, suggesters alone are compared"
    parser.add_argument("--networks", type=int, default=REPEATS, help=told)


def study(arguments: argparse.Namespace) -> Study:
    """Every suggester for efficiency, one of them for every objective, and no search."""
    small = arguments.size == "small"
    trials = 20 if small else 40
    common: dict[str, Any] = {}
    if small:
        common = {"network.size": 60, "network.connectivity.mean_degree": 10.0}
        common |= {"task.train": 400, "task.validation": 100, "task.test": 300}
    arms = [
        Arm(name, ({"objective": "maximize efficiency", "suggester": which, "trials": trials},))
        for name, which in SUGGESTERS.items()
    ]
    if _networks(arguments) != REPEATS:
        return Study(
            f"search_memory_{_networks(arguments)}",
            trial,
            tuple(arm for arm in arms if arm.name != "quasi_random"),
            (("wasserstein", "random"), ("matern", "random"), ("wasserstein", "matern")),
            "efficiency",
            seeds=seeds(arguments, 2, 10, 2100),
            common=common | {"repeats": _networks(arguments)},
        )
    arms += [
        Arm(f"for {name}", ({"objective": text, "suggester": "wasserstein", "trials": trials},))
        for name, text in OBJECTIVES.items()
        if name != "efficiency"
    ]
    arms.append(Arm("as it is", ({"objective": "", "suggester": "", "trials": 0},)))
    pairs = [(name, "random") for name in SUGGESTERS if name != "random"]
    pairs += [("wasserstein", "matern"), ("random", "as it is"), ("wasserstein", "as it is")]
    pairs += [("wasserstein", f"for {name}") for name in OBJECTIVES if name != "efficiency"]
    return Study(
        "search_memory",
        trial,
        tuple(arms),
        tuple(pairs),
        "efficiency",
        seeds=seeds(arguments, 2, 10, 2100),
        common=common,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    command = command_line(arguments, "search_memory")
    if _networks(arguments) != REPEATS:
        command += f" --networks {_networks(arguments)}"
    return StudyPage(
        "A search over distributions: memory and spikes",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        command,
        (
            Column("efficiency", "efficiency, fresh networks"),
            Column("measured", "best trial of the search"),
            Column("memory", "memory", True),
            Column("spikes", "spikes a neuron and sample", True),
            Column("bare", "memory / spikes"),
        ),
        verdict,
        "The papers search with each of the three objectives, memory capacity, spike count and "
        "their ratio, and prefer the ratio (Fig. 9); budget, bounds and priors are not stated.",
        draw,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each claim."""
    lines, arms = [], result.study.all_arms
    for name in [name for name in SUGGESTERS if name in arms and name != "random"]:
        for figure, of in (("measured", "the best trial"), ("efficiency", "on fresh networks")):
            claim = f"{name} minus random search at the same budget, {of}"
            lines.append(sentence(result.difference(name, "random", figure), claim, 0.0))
    kernels = result.difference("wasserstein", "matern", "efficiency")
    lines.append(f"Wasserstein minus the plain Matern kernel: {kernels}.")
    if "as it is" not in arms:
        return "\n".join(f"- {line}" for line in lines)
    as_is = result.difference("wasserstein", "as it is", "efficiency")
    lines.append(f"A search minus the spec as it is: {as_is}.")
    for name in OBJECTIVES:
        arm = "wasserstein" if name == "efficiency" else f"for {name}"
        means = {f: np.nanmean(result.values(arm, f)) for f in ("memory", "spikes", "efficiency")}
        told = ", ".join(f"{figure} {value:.3g}" for figure, value in means.items())
        lines.append(f"Searched for {name}: {told}.")
    return "\n".join(f"- {line}" for line in lines)


def draw(result: StudyResult, figure: Any) -> None:
    """The best so far of every suggester, and the winners of every objective."""
    left, right = figure.subplots(1, 2)
    for name in [name for name in SUGGESTERS if name in result.study.all_arms]:
        kept = [k for k in MOMENTS if f"best_{k}" in result.figures]
        best = [result.values(name, f"best_{k}") for k in kept]
        mean = np.array([values.mean() for values in best])
        error = np.array([values.std(ddof=1) / values.size**0.5 for values in best])
        (line,) = left.plot(kept, mean, label=name)
        left.fill_between(kept, mean - error, mean + error, alpha=0.15, color=line.get_color())
    left.set(xlabel="trials", ylabel="efficiency of the best so far")
    left.legend(fontsize=7)
    arms = {name: "wasserstein" if name == "efficiency" else f"for {name}" for name in OBJECTIVES}
    for label, arm in {**arms, "as it is": "as it is"}.items():
        if arm not in result.study.all_arms:
            continue
        right.plot(
            np.maximum(result.values(arm, "spikes"), 1e-4),
            result.values(arm, "memory"),
            "o",
            markersize=4,
            label=label,
        )
    right.set(xscale="log", xlabel="spikes a neuron and sample", ylabel="memory of the winner")
    right.axvline(FLOOR, color="#bbbbbb", linewidth=1)
    right.legend(fontsize=7, title="searched for", title_fontsize=7)


if __name__ == "__main__":
    main(study, page, __doc__, more)
