"""Pruned networks as programs of a chip: score, cores, messages, operations, energy.

The rows of `pruning.py` at one synaptic operation (SOP) a spike, each brought back to the unpruned
rates, compiled for ``loihi1`` with every limit of that chip, and given a readout of its own. Score
and spikes are those of the integer program; messages, operations and dynamic energy those of 1000
steps of it on the task's input, by the prices of SANA-FE's fit of Loihi. A network alone on a chip
wakes few cores, so the messages are mostly to its own.

    python experiments/pruning_on_chip.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from command import main, seeds
from pruning import ROWS_OF, Setting, pooled, sized, unpruned

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.experiment.compilation import without_recurrence
from hrsnn_lava.experiment.scoring import score_network, training_counts
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedInput
from hrsnn_lava.training.aftercare import AftercareOptions, aftercare
from hrsnn_lava.training.balance import GENTLE

CHIP = "loihi1"
STEPS = 1000
#: Settings that separate, and that a chip runs as they are.
CHOSEN = ("memory", "hidden variable", "memory, near neighbours")
ROWS = ("balanced", "random", "LNP", "magnitude", "activity")


@dataclass(frozen=True, eq=False)
class Bench:
    """A setting with its data and its unpruned network."""

    setting: Setting
    trial: Any
    full: Network
    rates: Any
    seed: int
    care: AftercareOptions

    def figures(self, network: Network) -> dict[str, float | None]:
        """What the program of a network does and costs."""
        rates = training_counts(network, self.trial, self.seed) / self.trial.lesson.n_steps
        chip = hl.HardwareProfile.load(CHIP)
        compiled = compile_network(network, chip, observed=Observed(rates), seed=self.seed)
        scored = score_network("", compiled.network, self.trial, self.seed)
        population = compiled.network.input_populations[0]
        scale = population.payload_scale if isinstance(population, QuantizedInput) else None
        inputs = self.trial.stimulus.first(STEPS).events(scale)
        trace = hl.simulate(compiled, inputs, min(STEPS, inputs.n_steps))
        report = hl.report(compiled, trace, cost_set="sanafe_loihi").to_dict()
        spikes = float(self.rates.sum()) * self.trial.steps_per_sample
        return {
            "score": self.setting.log_score(scored),
            "sops": (scored.sops or 0.0) / spikes,
            "spikes": (scored.spikes or 0.0) / spikes,
            "cores": float(compiled.placement.n_cores),
            "messages": report["mapping"]["messages_per_step"],
            "nanojoules": 1e9 * report["energy"]["dynamic_j"] / STEPS,
        }

    def settled(self, network: Network) -> Network:
        """The network at the rates of the unpruned one."""
        return aftercare(network, self.trial.lesson, self.rates, self.care, seed=self.seed).network


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """All rows of a setting on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    passes = settings.pop("passes")
    base = unpruned(settings, seed)
    setting, data, full, rates = base.setting, base.trial, base.network, base.rates
    care = AftercareOptions(balance=replace(GENTLE, samples=setting.samples, passes=passes))
    bench = Bench(setting, data, full, rates, seed, care)
    figures = bench.figures(full)
    for name in ROWS:
        method, options, budget, _ = ROWS_OF[name]
        step = registry.load("pruning", method)(sops_per_spike=budget, **options)
        pruned = step(full, Context(observed=Observed(rates), seed=seed))
        found = bench.figures(bench.settled(pruned))
        figures |= {f"{name}/{key}": value for key, value in found.items()}
    found = bench.figures(bench.settled(without_recurrence(full)))
    return figures | {f"no recurrence/{key}": value for key, value in found.items()}


def study(arguments: argparse.Namespace) -> Study:
    """The study: settings as arms, methods as their variants."""
    small = arguments.size == "small"
    names = CHOSEN[:1] if small else CHOSEN
    common: dict[str, Any] = {"passes": 4 if small else 120}
    common |= sized(arguments.size)
    others = [row for row in (*ROWS, "no recurrence") if row != "random"]
    return Study(
        "pruning_on_chip",
        trial,
        tuple(Arm(name, ({"setting": name},)) for name in names),
        tuple((f"{name}, {row}", f"{name}, random") for name in names for row in others),
        "score",
        seeds=seeds(arguments, 2, 8, 740),
        common=common,
        variants=(*ROWS, "no recurrence"),
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """Its page."""
    return StudyPage(
        f"Pruned networks on {CHIP}",
        (__doc__ or "").split("\n\n    python")[0],
        f"python experiments/pruning_on_chip.py --size {arguments.size}",
        (
            Column("score", "score", True),
            Column("sops", "SOPs a spike"),
            Column("spikes", "spikes / unpruned"),
            Column("cores", "cores"),
            Column("messages", "messages a step"),
            Column("nanojoules", "nJ a step, dynamic"),
        ),
        verdict,
        draw=draw,
    )


def draw(result: StudyResult, figure: Any) -> None:
    """A panel a setting: score over dynamic energy, a dot a row with its standard errors."""
    rows = ("", *result.study.variants)
    figure.set_size_inches(1.0 + 3.3 * len(result.study.arms), 3.4)
    panels = figure.subplots(1, len(result.study.arms), squeeze=False).ravel()
    for panel, arm in zip(panels, result.study.arms, strict=True):
        for row in rows:
            name = f"{arm.name}, {row}" if row else arm.name
            points = [result.values(name, key) for key in ("nanojoules", "score")]
            means = [values.mean() for values in points]
            errors = [values.std(ddof=1) / np.sqrt(values.size) for values in points]
            label = row or "unpruned"
            dot = {"fmt": "o", "markersize": 4, "label": label}
            panel.errorbar(*means, xerr=errors[0], yerr=errors[1], **dot)
        panel.set_title(arm.name, fontsize=9)
        panel.tick_params(labelsize=8)
    panels[0].set_ylabel("score in integers", fontsize=9)
    panels[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.supxlabel("dynamic energy, nJ a step", fontsize=9)


def verdict(result: StudyResult) -> str:
    """The pooled differences of the programs."""
    lines = [f"- Programs, pooled over {len(result.study.arms)} settings, against random:"]
    lines += [
        f"  - {row}: {pooled(result, row, 'random')}"
        for row in result.study.variants
        if row != "random"
    ]
    for arm in result.study.arms:
        costs = {
            row: float(
                np.mean(result.values(f"{arm.name}, {row}" if row else arm.name, "nanojoules"))
            )
            for row in ("", "balanced", "random")
        }
        lines.append(
            f"- {arm.name}: {costs['']:.3g} nJ a step unpruned, {costs['balanced']:.3g} balanced, "
            f"{costs['random']:.3g} random"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(study, page, __doc__ or "")
