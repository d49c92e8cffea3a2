"""One network for data of unknown speed, with tau_syn of every neuron its own, or a common one.

A network is built and balanced once, at 10 steps a frame. Then the data are shown at 3, 10 and 40
steps a frame, 13-fold apart, and the readout alone is fitted anew at each. Arms: the best common
tau_syn over a grid at whose end the optimum must not lie, and a log-normal one over two decades,
with as many settings; a common one tuned for each speed by itself; no recurrence; a readout of
rates alone. Synapses are charge-normalised, so that tau_syn says nothing of the gain.

    python experiments/unknown_speed.py --set digit_rows --size full --workers 2

Sets: ``digit_rows`` travels with the package. ``japanese_vowels`` (speech), ``watch`` (actions),
``osuleaf`` and ``plaid`` need ``--path``, see `hrsnn-lava data NAME`.
"""

from __future__ import annotations

import argparse
from typing import Any

from command import main, of_a_set, seeds, sentence
from networks import task

from hrsnn_lava.experiment.spec_trial import figures_at_speeds, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec

SPEEDS = (3, 10, 40)
#: Seconds; steps of 1 ms.
MEANS = (
    *(0.0015, 0.003, 0.005, 0.010, 0.017, 0.025),
    *(0.035, 0.050, 0.070, 0.100, 0.200, 0.400),
)
#: Standard deviation of the logarithm: plus and minus two of them are two decades.
SIGMA = 1.15
NEURON = {"tau_mem": 0.020, "tau_syn": 0.020, "v_threshold": 1.0, "bias": 0.5}
BASE: dict[str, Any] = {
    "network": {
        "size": 200,
        "neurons": {"excitatory": NEURON, "inhibitory": NEURON},
        "connectivity": {"mean_degree": 30.0, "gain": 1.65, "synapse": "charge"},
        "input": {
            "target": "synapse",
            "graded": False,
            "fan_in": 0.3,
            "normalise": True,
            "synapse": "charge",
            "weight": {"distribution": "gamma", "shape": 2.0, "mean": 11.0},
        },
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 40, "samples": 300},
}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Accuracy at every speed, its mean, and the integers' of one network."""
    settings = {key: value for key, value in settings.items() if key != "tau"}
    speeds, each = tuple(settings.pop("speeds")), settings.pop("balance_each", False)
    spec = Spec.parse(merged(BASE, settings))
    return figures_at_speeds(spec, seed, speeds, integers=not tuning, balance_each=each)


def tau_syn(value: Any) -> dict[str, Any]:
    """Settings of a synaptic time constant, a number or a distribution, for all neurons."""
    return {f"network.neurons.{kind}.tau_syn": value for kind in ("excitatory", "inhibitory")}


def spread(mean: float) -> dict[str, Any]:
    """A log-normal one over two decades, of exactly this mean before it is clipped."""
    table = {"distribution": "lognormal", "mean": mean, "sigma": SIGMA, "low": 0.001, "high": 0.4}
    return tau_syn({**table, "exact_mean": True})


def study(arguments: argparse.Namespace) -> Study:
    """The study of a set."""
    small = arguments.size == "small"
    shown = task(arguments.set, arguments.path, small and arguments.set == "digit_rows")
    shown |= {"steps_per_frame": 10, "trace_steps": [50.0]}
    means = MEANS[2::3] if small else MEANS
    common: dict[str, Any] = {"task": shown, "speeds": SPEEDS}
    if small:
        common |= {"network.size": 60, "network.connectivity.mean_degree": 12.0}
        common |= {"balance.samples": 60, "balance.passes": 10}
    if arguments.size == "paper":
        common |= {"network.size": 2000}
    grid = tuple({"tau": t, **tau_syn(t)} for t in means)
    wide = tuple({"tau": t, **spread(t)} for t in means)
    alone: dict[str, Any] = {"task.trace_steps": []}
    arms = [Arm("common", grid), Arm("log-normal", wide)]
    arms += [Arm("common, rates alone", tuple(point | alone for point in grid))]
    arms += [Arm("log-normal, rates alone", tuple(point | alone for point in wide))]
    off, equal = {"network.connectivity.gain": 0.0}, {"balance_each": True}
    for name in ("common", "log-normal"):
        arms += [Arm(f"{name}, equal rates", (equal,), name)]
        arms += [Arm(f"{name}, no recurrence", (off,), name)]
    for steps in SPEEDS:
        own = {"speeds": (steps,), "task.steps_per_frame": steps}
        arms.append(Arm(f"common, tuned at {steps}", tuple({**point, **own} for point in grid)))
    return Study(
        f"unknown_speed_{arguments.set}",
        trial,
        tuple(arms),
        (
            ("log-normal", "common"),
            ("log-normal, equal rates", "common, equal rates"),
            ("log-normal, rates alone", "common, rates alone"),
            ("common, no recurrence", "common"),
            ("log-normal, no recurrence", "log-normal"),
        ),
        "accuracy",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 3, 12, 900),
        common=common,
        axes=("tau",),
        searched=10,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""
    return StudyPage(
        f"One network for {arguments.set} of unknown speed",
        __doc__.split("\n\n    python")[0],
        f"python experiments/unknown_speed.py --set {arguments.set} --size {arguments.size}",
        (
            Column("accuracy", "accuracy, mean of 3 speeds"),
            Column("accuracy_worst", "worst speed", True),
            *(Column(f"accuracy_at_{s}", f"at {s} steps") for s in SPEEDS),
            Column("accuracy_integer", "integers"),
            Column("rate", "spikes a step"),
            Column("rate_error", "rate error"),
        ),
        verdict,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each claim."""
    pair = "log-normal", "common"
    lines = [
        sentence(
            result.difference(*pair, "accuracy"),
            "Log-normal minus the best common tau_syn, one network for all speeds",
            0.015,
        ),
        sentence(
            result.difference(*(f"{name}, equal rates" for name in pair), "accuracy"),
            "The same with rates equal at every speed",
            0.02,
        ),
        sentence(
            result.difference(*(f"{name}, rates alone" for name in pair), "accuracy"),
            "The same where the readout sees rates alone, without traces at the end",
            0.015,
        ),
        f"At the worst speed: {result.difference(*pair, 'accuracy_worst')}.",
    ]
    for steps in SPEEDS:
        own = f"common, tuned at {steps}"
        difference = result.difference("log-normal", own, f"accuracy_at_{steps}")
        lines.append(f"Against a common one tuned for {steps} steps alone: {difference}.")
    for name in pair:
        difference = result.difference(f"{name}, no recurrence", name, "accuracy")
        lines.append(f"{name.capitalize()}, without recurrence: {difference}.")
        integers = result.values(name, "accuracy_integer") - result.values(name, "accuracy")
        lines.append(f"{name.capitalize()}, integers minus float: {integers.mean():+.4f}.")
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    main(study, page, __doc__, of_a_set)
