"""Accuracy of pruned networks at equal synaptic operations (the shape of the papers' Table IV).

A network of 300 heterogeneous neurons of 40 synapses hears every sample as spikes: ``digits`` as
the papers show images, 100 ms of Poisson spikes and 100 ms of silence. It is pruned by each method
to a tenth, a twentieth and a fortieth of its recurrent synaptic operations (SOPs), brought back to
its rates, and given a readout of its own. ``active neurons`` drops the least active neurons until
the SOPs meet the budget; the others drop synapses. A second network has learned by STDP, without
labels, before it is pruned. Inputs and readouts are not pruned, and not counted.

    python experiments/classification_pruning.py --set digits --size full
    python experiments/classification_pruning.py --set japanese_vowels --path FILE --size full
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from command import main, seeds
from networks import SPIKING, TASKS, neurons, stdp
from pruned_rows import WAYS, Bench, Figures, chosen

from hrsnn_lava.experiment.scoring import Arm as Scored
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE

#: The papers' protocol for images, on the digits that travel with the package.
DIGITS = {
    "kind": "digits",
    "train": 600,
    "validation": 150,
    "test": 800,
    "steps_per_frame": 100,
    "silence_steps": 100,
    "encoder": {"kind": "rate", "max_rate": 0.1},
}
SETS = {"digits": DIGITS, **{k: TASKS[k] for k in ("digit_rows", "japanese_vowels", "watch")}}
NETWORKS: dict[str, dict[str, Any]] = {
    "HRSNN": {},
    "HRSNN, STDP": {
        "stdp": stdp(0.0005) | {"on_chip": False, "train_passes": 1},
        "balance.after_stdp": True,
    },
}
RATIOS = (10.0, 20.0, 40.0)
METHODS = ("balanced", "LNP", "random", "magnitude", "activity", "active neurons")
ALONE = "no recurrence"
PAPER = """
CIFAR-10, HRSNN with STDP, pruned by LNP:

| network | accuracy | loss | neurons gone, % | synapses gone, % | SOP ratio |
|---|---:|---:|---:|---:|---:|
| HRSNN, STDP | 90.26 +- .88 | -.76 +- .07 | 94.03 | 95.06 | 39.01 +- .47 |
| CHRSNN, STDP | 91.58 +- .83 | -.62 +- .07 | 95.04 | 96.68 | 50.37 +- .61 |

Per cent; another set, and thousands of neurons.
"""


def told(scored: Scored) -> Figures:
    """Accuracy, in per cent."""
    return {"score": 100.0 * (scored.outcome.scores.headline.value or 0.0)}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> Figures:
    """All methods at all ratios on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    methods, ratios = settings.pop("methods"), settings.pop("ratios")
    samples = settings.pop("samples")
    tables = merged(SPIKING, neurons() | settings)
    spec = Spec.parse({**tables, "seed": seed})
    care = AftercareOptions(balance=replace(GENTLE, passes=60, enough=0.02, samples=samples))
    bench = Bench.of(spec, seed, told, care)
    figures = bench.unpruned()
    full = figures["score"] or 0.0
    for method in methods:
        for ratio in ratios:
            row = bench.row(WAYS[method], {"sop_ratio": ratio})
            row["loss"] = (row["score"] or 0.0) - full
            figures |= {f"{method} {ratio:g}x/{key}": value for key, value in row.items()}
    alone = bench.row(WAYS[ALONE], {"sop_ratio": 1.0})
    alone["loss"] = (alone["score"] or 0.0) - full
    return figures | {f"{ALONE}/{key}": value for key, value in alone.items()}


def study(arguments: argparse.Namespace) -> Study:
    """The study of a set: networks as arms, methods at ratios as their variants."""
    name, small = set_of(arguments), arguments.size == "small"
    methods = ("balanced", "LNP", "random", "active neurons") if small else METHODS
    ratios = RATIOS[:1] if small else RATIOS
    task: dict[str, Any] = dict(SETS[name])
    if arguments.path is not None:
        task["path"] = str(arguments.path)
    if small:
        task |= {"train": 150, "validation": 50, "test": 150}
    common: dict[str, Any] = {"methods": methods, "ratios": ratios, "samples": 60, "task": task}
    common |= {"network.connectivity.mean_degree": 40.0}
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 20.0}
        common |= {"balance.samples": 40, "balance.passes": 15}
    if arguments.size == "paper":
        common |= {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    networks = tuple(getattr(arguments, "networks", None) or NETWORKS)
    pairs = [(f"{m} {r:g}x", f"random {r:g}x") for r in ratios for m in methods if m != "random"]
    pairs += [(ALONE, "")]
    return Study(
        f"classification_pruning_{name}",
        trial,
        tuple(Arm(network, (NETWORKS[network],)) for network in networks),
        tuple((of(n, a), of(n, b)) for n in networks for a, b in pairs),
        "score",
        seeds=seeds(arguments, 2, 8, 2800),
        common=common,
        variants=(*(f"{m} {r:g}x" for m in methods for r in ratios), ALONE),
    )


def of(network: str, row: str) -> str:
    """The name of a row of a network in the study."""
    return f"{network}, {row}" if row else network


def set_of(arguments: argparse.Namespace) -> str:
    """The set that is classified."""
    return str(getattr(arguments, "set", "digits"))


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    name = set_of(arguments)
    path = "" if arguments.path is None else " --path FILE"
    return StudyPage(
        f"Classification by pruned networks: {name}",
        (__doc__ or "").split("\n\n    python", maxsplit=1)[0],
        f"python experiments/classification_pruning.py --set {name}{path} --size {arguments.size}"
        + chosen(arguments),
        (
            Column("score", "accuracy, %"),
            Column("loss", "loss"),
            Column("neuron_sparsity", "neurons gone, %"),
            Column("synapse_sparsity", "synapses gone, %"),
            Column("sop_ratio", "SOP ratio"),
            Column("integers", "accuracy in integers, %"),
            Column("spikes", "spikes / unpruned"),
            Column("rate_error", "rate error"),
            Column("gain", "gain"),
        ),
        verdict,
        PAPER,
        draw,
    )


def verdict(result: StudyResult) -> str:
    """What each network loses at the largest ratio, and without any recurrence."""
    methods, ratios = result.study.common["methods"], result.study.common["ratios"]
    lines = []
    for arm in result.study.arms:
        alone = result.difference(of(arm.name, ALONE), arm.name, "score")
        lines.append(f"- **{arm.name}**, no recurrence minus unpruned: {alone}")
        for method in methods:
            row = of(arm.name, f"{method} {ratios[-1]:g}x")
            lost = result.difference(row, arm.name, "score")
            sops = float(np.nanmean(result.values(row, "sop_ratio")))
            text = f"  - {method}, minus unpruned at {sops:.1f} times fewer SOPs: {lost}"
            if method != "random":
                base = of(arm.name, f"random {ratios[-1]:g}x")
                text += f"; minus random {result.difference(row, base, 'score')}"
            lines.append(text)
    return "\n".join(lines)


def draw(result: StudyResult, figure: Any) -> None:
    """Accuracy against the measured ratio of SOPs, a line a method, bands of a standard error."""
    methods, ratios = result.study.common["methods"], result.study.common["ratios"]
    arms = result.study.arms
    figure.set_size_inches(1.0 + 4.2 * len(arms), 3.8)
    panels = figure.subplots(1, len(arms), sharey=True, squeeze=False).ravel()
    for panel, arm in zip(panels, arms, strict=True):
        for k, method in enumerate(methods):
            rows = [arm.name, *(of(arm.name, f"{method} {ratio:g}x") for ratio in ratios)]
            at = [float(np.nanmean(result.values(row, "sop_ratio"))) for row in rows]
            each = np.array([result.values(row, "score") for row in rows])
            each = each[:, np.isfinite(each).all(axis=0)]
            middle, n = each.mean(axis=1), each.shape[1]
            error = each.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else 0.0 * middle
            panel.plot(at, middle, "o-", color=f"C{k}", markersize=3, label=method)
            panel.fill_between(at, middle - error, middle + error, color=f"C{k}", alpha=0.15)
        alone = float(np.nanmean(result.values(of(arm.name, ALONE), "score")))
        panel.axhline(alone, color="#999999", linewidth=0.8, linestyle=":")
        panel.set_xscale("log")
        panel.set_title(arm.name, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(color="#eeeeee")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("accuracy, %", fontsize=9)
    panels[0].legend(frameon=False, fontsize=8)
    figure.supxlabel("unpruned SOPs / SOPs; dots: no recurrence", fontsize=9)


def more(parser: argparse.ArgumentParser) -> None:
    """Which set, and where it lies."""
    parser.add_argument("--set", choices=sorted(SETS), default="digits")
    parser.add_argument("--path", type=Path, help="the set's file or folder")
    parser.add_argument("--networks", nargs="*", choices=tuple(NETWORKS), help="default: all")


if __name__ == "__main__":
    main(study, page, __doc__ or "", more)
