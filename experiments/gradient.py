"""Gradient training against STDP and no training at all, and what rounding while training brings.

The papers' HoNB and HeNB are networks trained by surrogate gradients with one tau_mem for all
neurons of a type and with one for each. Here both learn all weights and the bias of every neuron;
HoNB a factor of tau_mem and one of v_threshold for each type, from equal ones; HeNB such factors
for each neuron, from heterogeneous ones. STDP is HeNHeS of the papers. ``readout alone`` is the
heterogeneous network as it was drawn. All have the same readout fitted to them in the end. STDP and
gradients raise rates, so on classifications, whose rates are balanced at first, both are there once
more with rates that are brought back, or held. The forecast's readout is linear here: with products
of decoded values, which it has otherwise, it does what gradients would have to learn.

Every network is scored in float, as integers with weights of 8, 4 and 2 bits, and as a program of
``loihi1``, where the neurons of a core share a table of time constants and one of thresholds.
``rounded while`` trains with the integers of 4 bits in the forward run; the others are rounded
after their training.

    python experiments/gradient.py --set digit_rows --size full

It needs torch: ``pip install 'hrsnn-lava[train]'``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from command import main, seeds, sentence
from networks import SPIKING, TASKS, neurons, stdp, task

from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.experiment.preparation import Prepared, prepare
from hrsnn_lava.experiment.scoring import training_counts
from hrsnn_lava.experiment.spec_trial import merged, outcome_figures
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.metrics.paired import PairedDifference
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.seeding import generator
from hrsnn_lava.spec import Spec
from hrsnn_lava.tasks.base import Trial
from hrsnn_lava.training.simulation import observe_if_needed, simulator_of

SERIES = "lorenz63"
CHIP = "loihi1"
BITS = (8, 4, 2)
#: Arm of `hrsnn_lava.arms`, and which factors are learned by gradients; None: none.
WAYS: dict[str, tuple[str, str | None]] = {
    "readout alone": ("HeN", None),
    "STDP": ("HeNHeS", None),
    "HoNB": ("HoN", "population"),
    "HeNB": ("HeN", "neuron"),
}
#: Seconds; half of it for inhibitory neurons.
TAUS = {"classification": (0.005, 0.020), "forecast": (0.010,)}
#: Spikes a neuron and step that gradients are held to, as networks are balanced at first.
RATE = 0.03
HELD: dict[str, Any] = {"held": True}
FORECAST: dict[str, Any] = {
    "network": {"neurons": {"excitatory": {}, "inhibitory": {}}},
    "task": {"kind": SERIES, "starts": 10, "readout": "linear"},
}
BIAS = {"distribution": "uniform", "low": 0.1, "high": 2.1}
WHILE = "HeNB, rounded while"
#: Arms, and what the first is claimed to be beside the second.
CLAIMS = (
    ("HeNB", "STDP", "Gradients (HeNB) above STDP"),
    ("HoNB", "STDP", "Gradients (HoNB) above STDP"),
    ("HeNB, rates held", "STDP, rates held", "Gradients (HeNB) above STDP, rates held"),
    ("HeNB", "readout alone", "Gradients (HeNB) above no training"),
    ("HeNB, rates held", "readout alone", "Gradients (HeNB) above no training, rates held"),
    ("HeNB", "HoNB", "HeNB above HoNB"),
    ("HeNB, rates held", "HoNB, rates held", "HeNB above HoNB, rates held"),
)
PAPER = """
| | KTH | UCF11 | UCF101 | DVS128 |
|---|---:|---:|---:|---:|
| HeNB, by gradients | 96.84 | 88.36 | 84.32 | 98.12 |
| HoNB, by gradients | 94.87 | 82.89 | 80.25 | 97.06 |
| HeNHeS, by STDP | 94.32 | 79.58 | 77.33 | 96.54 |
| HoNHoS, by STDP | 86.33 | 75.23 | 74.45 | 90.33 |

Accuracy in per cent of 2000 neurons, on videos (Tables I and II).
"""


def tables(settings: dict[str, Any]) -> dict[str, Any]:
    """The spec of an arm without its letters; settings that are none of the spec are taken out."""
    way, tau, epochs = (settings.pop(key) for key in ("way", "tau_mem", "epochs"))
    held, bits = settings.pop("held", False), settings.pop("bits", None)
    if settings.pop("set") == SERIES:
        kind, whole = "forecast", merged(FORECAST, neurons(tau, 0.02))
        biases = {f"network.neurons.{name}.bias": BIAS for name in ("excitatory", "inhibitory")}
        whole = merged(whole, biases)
    else:
        kind, whole = "classification", merged(SPIKING, neurons(tau))
    whole, learned = merged(whole, settings), WAYS[way][1]
    if learned is not None:
        table = {"epochs": epochs, "tau_mem": learned, "v_threshold": learned}
        table |= {"rate_weight": 0.3, "rate": RATE} if held else {}
        table |= {"readout": "ridge", "learning_rate": 0.02} if kind == "forecast" else {}
        whole = merged(whole, {"surrogate": table})
        if bits is not None:
            whole = merged(whole, {"surrogate.bits": bits, "quantize.weight_bits": bits})
    if way == "STDP":
        rules = stdp(inputs=kind == "classification") | {"train_passes": 1, "on_chip": False}
        whole = merged(whole, {"stdp": rules})
        if held:
            whole = merged(whole, {"balance.after_stdp": True})
    return whole


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """A network by one way: its score in float, in integers and on the chip, and its training."""
    bench = Bench.of(dict(settings), seed)
    figures = bench.in_float()
    if tuning:
        return figures
    return figures | bench.in_integers() | bench.on_chip() | curve(bench.prepared)


class Bench:
    """A prepared network and what it is scored on."""

    def __init__(self, spec: Spec, seed: int) -> None:
        self.spec, self.seed = spec, seed
        self.trial: Trial = spec.task.trial(seed)
        self.prepared = prepare(spec, self.trial, seed)

    @classmethod
    def of(cls, settings: dict[str, Any], seed: int) -> Bench:
        """The bench of the settings of an arm."""
        arm = WAYS[settings["way"]][0]
        return cls(Spec.parse(tables(settings)).arm(arm), seed)

    @property
    def network(self) -> Network:
        """In float."""
        return self.prepared.network

    def figures(self, network: Network | QuantizedNetwork) -> dict[str, float | None]:
        """Scores of a network with a readout of its own; ``score`` is the headline.

        ``fine`` is an error that varies less from seed to seed: of the answers to the samples, or
        of the next step.
        """
        outcome = self.trial.evaluate(simulator_of(network), generator(self.seed, "train"))
        figures = outcome_figures(outcome, network, self.trial)
        fine = figures.get("squared_error", figures.get("one_step_nrmse_mean"))
        return {"score": outcome.scores.headline.value, "fine": fine} | figures

    def pair(self, network: QuantizedNetwork, name: Any) -> dict[str, float | None]:
        """Both of a network of integers."""
        figures = self.figures(network)
        return {f"{key}_{name}": figures[key] for key in ("score", "fine")}

    def in_float(self) -> dict[str, float | None]:
        """The network as it was trained."""
        return self.figures(self.network)

    def integers(self, bits: int) -> QuantizedNetwork:
        """With weights of so many bits."""
        step, lesson = replace(self.spec.quantize_pass(), weight_bits=bits), self.trial.lesson
        observed = observe_if_needed(step, self.network, (lesson.inputs, lesson.block))
        return quantize(self.network, step, observed)[0]

    def in_integers(self) -> dict[str, float | None]:
        """Scores at several widths of weights."""
        figures: dict[str, float | None] = {}
        for bits in BITS:
            figures |= self.pair(self.integers(bits), bits)
        return figures

    def on_chip(self) -> dict[str, float | None]:
        """The program with all tables of the chip, and how much the neurons of a core share."""
        counts = training_counts(self.network, self.trial, self.seed)
        observed = Observed(counts / self.trial.lesson.n_steps)
        compiled = compile_network(
            self.integers(BITS[0]), HardwareProfile.load(CHIP), observed=observed, seed=self.seed
        )
        before, after = self.integers(BITS[0]), compiled.network
        return self.pair(after, "chip") | {
            "cores": float(compiled.placement.n_cores),
            "constants_before": float(pairs_of(before)),
            "constants_after": float(pairs_of(after)),
        }


def pairs_of(network: QuantizedNetwork) -> int:
    """Different decays, (du, dv), in the network."""
    return len(np.unique(np.stack([network.gather("du"), network.gather("dv")]), axis=1).T)


def curve(prepared: Prepared) -> dict[str, float | None]:
    """The error of the answers in training, epoch by epoch; nothing where no gradients trained."""
    for record in prepared.records:
        if record.name == "train_surrogate":
            errors = record.report["history"]["error"]
            return {f"error_{k + 1:03d}": float(error) for k, error in enumerate(errors)}
    return {}


def study(arguments: argparse.Namespace) -> Study:
    """All ways, each tuned over the same mean time constants."""
    small, series = arguments.size == "small", arguments.set == SERIES
    taus = TAUS["forecast" if series else "classification"]
    common: dict[str, Any] = {"set": arguments.set, "epochs": 20 if series else 10}
    if not series:
        common |= {"task": task(arguments.set, arguments.path, small), "balance.samples": 100}
    common |= {"network.size": 150, "network.connectivity.mean_degree": 20.0}
    if small:
        common |= {"network.size": 60, "network.connectivity.mean_degree": 10.0, "epochs": 2}
    if arguments.size == "paper":
        common |= {"network.size": 2000, "network.connectivity.mean_degree": 100.0}
    grid = [{"tau_mem": tau} for tau in (taus[:1] if small else taus)]
    arms = [Arm(name, tuple({"way": name, **point} for point in grid)) for name in WAYS]
    # the forecast is not balanced, so there are no rates to bring back
    again = () if series else ("STDP", "HoNB", "HeNB")
    arms += [Arm(f"{name}, rates held", (HELD,), name) for name in again]
    arms.append(Arm(WHILE, ({"bits": BITS[1]},), "HeNB"))
    names = {arm.name for arm in arms}
    return Study(
        f"gradient_{arguments.set}",
        trial,
        tuple(arms),
        (*((a, b) for a, b, _ in CLAIMS if {a, b} <= names), (WHILE, "HeNB")),
        "score",
        better="lower" if series else "higher",
        validation="lower",
        tuning_seeds=() if small or series else (0, 1),
        seeds=seeds(arguments, 2, 5, 2100),
        common=common,
        axes=("tau_mem",),
        # sizes, readouts and rates that were tried before
        searched=4 if series else 2,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""
    series = arguments.set == SERIES
    what = "RMSE" if series else "accuracy"
    error = "next step" if series else "squared error"
    ways = (("fine_8", f"{error}, 8 bits"), ("fine_4", "4 bits"), ("fine_chip", CHIP))
    few = [Column(*way) for way in ways if series]
    return StudyPage(
        f"Gradient training on {arguments.set}",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/gradient.py --set {arguments.set} --size {arguments.size}"
        + (f" --seeds {arguments.seeds}" if arguments.seeds else ""),
        (
            Column("score", f"{what}, float"),
            Column("fine", f"{error}, float", True),
            Column("score_8", "8 bits", True),
            Column("score_4", "4 bits", True),
            Column("score_2", "2 bits", True),
            Column("score_chip", CHIP, True),
            *few,
            Column("rate", "spikes a neuron and step"),
            Column("sops_per_sample", "recurrent SOPs a sample"),
            Column("constants_before", "pairs of decays"),
            Column("constants_after", f"on {CHIP}"),
        ),
        verdict,
        PAPER,
        draw,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each claim; a gain is above 0 for errors, too."""
    flip = result.study.better == "lower"

    def gain(arm: str, other: str, key: str = "score") -> PairedDifference:
        lower = flip or key.startswith("fine")
        return result.difference(*((other, arm) if lower else (arm, other)), key)

    lines = [f"Gains, in {'lower RMSE' if flip else 'accuracy'}, seed by seed:\n"]
    for arm, other, text in CLAIMS:
        if {arm, other} <= set(result.study.all_arms):
            lines.append("- " + sentence(gain(arm, other), text, 0.0))
    text = f"Rounding while training above rounding after it, as integers of {BITS[1]} bits"
    lines.append("- " + sentence(gain(WHILE, "HeNB", f"score_{BITS[1]}"), text, 0.0))
    error = "the error of the next step" if flip else "the squared error of the answers"
    lines.append(f"\nGains in {error}:\n")
    for arm, other, said in CLAIMS:
        if {arm, other} <= set(result.study.all_arms):
            lines.append("- " + sentence(gain(arm, other, "fine"), said, 0.0))
    few = f"fine_{BITS[1]}"
    if np.isfinite(result.values(WHILE, few)).any():
        lines.append("- " + sentence(gain(WHILE, "HeNB", few), text, 0.0))
        lines.append(f"- Rounding after training to {BITS[1]} bits takes {lost(result, 'HeNB')}.")
    lines.append(f"- The same two in float: {gain(WHILE, 'HeNB', 'fine')}.\n")
    return "\n".join([*lines, *(f"- {text}" for text in on_the_chip(result))])


def lost(result: StudyResult, arm: str) -> str:
    """What few bits take from a network that was trained without: of its error, in per cent."""
    exact, few = (result.values(arm, key) for key in ("fine", f"fine_{BITS[1]}"))
    change = 100 * (few / exact - 1)
    error = change.std(ddof=1) / np.sqrt(change.size) if change.size > 1 else np.nan
    return f"{np.mean(change):+.1f} +- {error:.1f} % of that error"


def on_the_chip(result: StudyResult) -> Iterator[str]:
    """What the tables of the chip take from the networks that learned."""
    flip = result.study.better == "lower"
    for arm in ("HeNB", "HoNB", "readout alone"):
        whole, chip = result.values(arm, "score_8"), result.values(arm, "score_chip")
        change = (whole - chip) if flip else (chip - whole)
        error = change.std(ddof=1) / np.sqrt(change.size) if change.size > 1 else np.nan
        pairs = [result.values(arm, f"constants_{when}").mean() for when in ("before", "after")]
        yield (
            f"{arm} as a program of {CHIP}: {np.mean(whole):.3f} as integers, {np.mean(chip):.3f} "
            f"through its tables (gain {np.mean(change):+.4f} +- {error:.4f}); "
            f"{pairs[0]:.0f} pairs of decays became {pairs[1]:.0f}."
        )


def draw(result: StudyResult, figure: Any) -> None:
    """Errors in training by epoch, and scores in float, at 4 bits and on the chip."""
    figure.set_size_inches(10, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    names = [name for name in result.figures if name.startswith("error_")]
    for arm in result.study.all_arms:
        each = np.array([result.values(arm, name) for name in names])
        if not each.size or not np.isfinite(each).any():
            continue
        epochs, means = np.arange(1, len(names) + 1), each.mean(axis=1)
        (line,) = left.plot(epochs, means, label=arm)
        spread = each.std(axis=1, ddof=1) / np.sqrt(each.shape[1]) if each.shape[1] > 1 else 0.0
        left.fill_between(epochs, means - spread, means + spread, color=line.get_color(), alpha=0.2)
    left.set_xlabel("epoch")
    left.set_ylabel("error of the answers in training")
    if names:
        left.legend(fontsize=7, frameon=False)
    marks = {"score": ("D", "float"), "score_4": ("o", "4 bits"), "score_chip": ("s", CHIP)}
    for k, (key, (mark, label)) in enumerate(marks.items()):
        for row, arm in enumerate(result.study.all_arms):
            values = result.values(arm, key)
            error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
            right.errorbar(
                np.nanmean(values),
                row + 0.18 * (k - 1),
                xerr=error,
                fmt=mark,
                color=f"C{k}",
                markersize=4,
                label=label if row == 0 else None,
            )
    right.set_yticks(range(len(result.study.all_arms)), result.study.all_arms, fontsize=8)
    right.invert_yaxis()
    right.set_xlabel("RMSE" if result.study.better == "lower" else "accuracy")
    right.legend(fontsize=7, frameon=False)
    right.grid(axis="x", color="#eeeeee")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)


def arguments_of_set(parser: argparse.ArgumentParser) -> None:
    """A classification, or the forecast."""
    choices = [*sorted(TASKS), SERIES]
    parser.add_argument("--set", choices=choices, default="digit_rows", help="what is learned")
    parser.add_argument("--path", type=Path, help="the set's file or folder")


if __name__ == "__main__":
    main(study, page, __doc__, arguments_of_set)
