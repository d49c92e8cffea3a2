"""Forecasts of pruned networks at equal synaptic operations (the papers' Table V).

The network forecasts 100 samples in closed loop after 500 samples of training. It is pruned by
each method to a fortieth of its recurrent synaptic operations (SOPs), brought back to its rates
and given a readout of its own. ``active neurons`` are the papers' AP: the least active neurons go
until the SOPs that are left meet the budget, then homeostasis and readout are trained anew. With
rates brought back, dropping them in rounds drops the same ones; ``rates left`` is without
homeostasis, a tenth of the neurons a round. Rows are rescaled by ``match``, unless they say
otherwise. Networks: HRSNN, the same after one pass of STDP, and a clustered one (CHRSNN), likewise.
The error is the RMSE in closed loop, or that of the next step where the series is a recording.

    python experiments/forecast_pruning.py --set lorenz63 --size full --workers 1
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from command import main, seeds
from networks import stdp
from pruned_rows import WAYS, Bench, Figures, Ratio, chosen, log_ratio, ratio_of_means

from hrsnn_lava.experiment.scoring import Arm as Scored
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE

#: Tasks, and the sizes of their networks; recordings are forecast from windows of their own.
SETS: dict[str, dict[str, Any]] = {
    "lorenz63": {"task": {"kind": "lorenz63", "starts": 10}, "network": {}},
    "rossler": {"task": {"kind": "rossler", "starts": 10}, "network": {}},
    "goog": {
        "task": {"kind": "goog", "starts": 6},
        "network": {"size": 300, "connectivity": {"mean_degree": 40.0}},
    },
    "wind": {
        "task": {"kind": "wind", "starts": 6},
        "network": {"size": 300, "connectivity": {"mean_degree": 40.0}},
    },
}
RECORDED = ("goog", "wind")
LEARNT = {"stdp": stdp(inputs=False) | {"on_chip": False, "train_passes": 1}}
#: 1000 neurons in eight clusters cannot have more than 68 synapses each.
CLUSTERED = {"network.model": "chrsnn", "network.connectivity.mean_degree": 60.0}
NETWORKS: dict[str, dict[str, Any]] = {
    "HRSNN": {},
    "HRSNN, STDP": LEARNT,
    "CHRSNN": CLUSTERED,
    "CHRSNN, STDP": CLUSTERED | LEARNT,
}
RATIO = 40.0
#: What the papers' table asks of LNP: ratio of SOPs, error over the unpruned, and over that of AP.
TARGETS = (39.0, 1.1, 0.41)
ROWS = tuple(WAYS)
FEW = ("balanced", "LNP", "random", "active neurons", "no recurrence")
AP, AP_LEFT = "active neurons", "active neurons, rates left"
HEAD = ("balanced", "LNP", "random")
PLAIN = tuple(f"{row}, not rescaled" for row in HEAD)
PAPER = """
SOPs in millions, RMSE, and valid prediction time in samples, of Lorenz-63:

| network | | SOPs | RMSE | VPT |
|---|---|---:|---:|---:|
| unpruned | HRSNN, STDP | 710.76 | .315 +- .042 | 35.75 |
| | CHRSNN, STDP | 744.97 | .285 +- .021 | 40.17 |
| activity pruning | HRSNN, STDP | 92.68 | 1.718 +- .195 | 21.10 |
| | CHRSNN, STDP | 118.77 | 1.596 +- .194 | 29.41 |
| LNP | HRSNN, STDP | 18.22 | .705 +- .104 | 32.17 |
| | CHRSNN, STDP | 14.79 | .679 +- .098 | 39.24 |

So the papers' LNP has 2.2 to 2.4 times the error of the unpruned network, and .41 to .43 of that of
activity pruning, which has five to eight times the SOPs of LNP. The SOPs are those of Table IV, an
image classification; their ratios are 39.0 and 50.4.
"""


def told(scored: Scored) -> Figures:
    """Errors and valid prediction times."""
    values = {score.name: score.value for score in scored.outcome.scores}
    return {
        "score": scored.outcome.scores.headline.value,
        "rmse": values["rmse_mean"],
        "one_step": values["one_step_nrmse_mean"],
        "vpt": values["vpt_0.1_steps_mean"],
        "vpt_half": values["vpt_0.5_steps_mean"],
    }


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> Figures:
    """All rows of a network on one seed, as variants of the unpruned one."""
    del tuning
    settings = dict(settings)
    base, ratio = SETS[settings.pop("set")], settings.pop("sop_ratio")
    rows, passes = settings.pop("rows"), settings.pop("passes")
    spec = Spec.parse(merged({**base, "seed": seed}, settings))
    care = AftercareOptions(balance=replace(GENTLE, passes=passes, enough=0.01))
    bench = Bench.of(spec, seed, told, care)
    figures = bench.unpruned()
    for name in rows:
        row = bench.row(WAYS[name], {"sop_ratio": ratio})
        figures |= {f"{name}/{key}": value for key, value in row.items()}
    return figures


def study(arguments: argparse.Namespace) -> Study:
    """The study: networks as arms, ways to prune as their variants."""
    name, small = set_of(arguments), arguments.size == "small"
    rows = FEW if small else ROWS
    common: dict[str, Any] = {"set": name, "sop_ratio": RATIO, "rows": rows, "passes": 60}
    # 300 neurons in eight clusters cannot have 40 synapses each
    there = tuple(NETWORKS)[: 2 if name in RECORDED else None]
    networks = tuple(getattr(arguments, "networks", None) or there)
    if small:
        common |= {"network.size": 120, "network.connectivity.mean_degree": 12.0, "passes": 20}
        common |= {"sop_ratio": 10.0, "task.starts": 2}
        networks = networks[:1]
    if arguments.size == "paper":
        common |= {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    pairs = [(row, "unpruned") for row in rows]
    pairs += [(row, AP) for row in HEAD] + [("balanced", "LNP"), ("LNP", "random")]
    return Study(
        f"forecast_pruning_{name}",
        trial,
        tuple(Arm(network, (NETWORKS[network],)) for network in networks),
        tuple((of(n, a), of(n, b)) for n in networks for a, b in pairs),
        "score",
        better="lower",
        seeds=seeds(arguments, 2, 20, 2600),
        common=common,
        variants=rows,
        searched=2,
    )


def of(network: str, row: str) -> str:
    """The name of a row of a network in the study."""
    return network if row == "unpruned" else f"{network}, {row}"


def set_of(arguments: argparse.Namespace) -> str:
    """The series that is forecast."""
    return str(getattr(arguments, "series", "lorenz63"))


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    name = set_of(arguments)
    recorded = name in RECORDED
    return StudyPage(
        f"Forecasts of pruned networks: {name}",
        (__doc__ or "").split("\n\n    python", maxsplit=1)[0],
        f"python experiments/forecast_pruning.py --set {name} --size {arguments.size}"
        + chosen(arguments),
        (
            Column("score", "error of the next step" if recorded else "RMSE"),
            Column("integers", "in integers"),
            Column("rmse" if recorded else "one_step", "RMSE" if recorded else "next step"),
            Column("vpt", "VPT .1", not recorded),
            Column("vpt_half", "VPT .5"),
            Column("sops", "SOPs a sample"),
            Column("sop_ratio", "SOP ratio"),
            Column("spikes", "spikes / unpruned"),
            Column("neuron_sparsity", "neurons gone, %"),
            Column("synapse_sparsity", "synapses gone, %"),
            Column("rate_error", "rate error"),
        ),
        verdict,
        PAPER if name == "lorenz63" else "",
        draw,
    )


def verdict(result: StudyResult) -> str:
    """The ratios that the papers' table is about, and whether they reach it."""
    rows = result.study.variants
    references = [row for row in (AP, AP_LEFT) if row in rows]
    lines = [
        "Errors are ratios of means over seeds, with 95 % intervals of paired seeds: over the "
        f"unpruned network, over {', over '.join(references)}."
    ]
    for arm in result.study.arms:
        n = arm.name
        there, asked = int(np.isfinite(result.values(n, "score")).sum()), len(result.study.seeds)
        lines.append(f"\n**{n}**" + (f", {there} of {asked} seeds" if there < asked else "") + "\n")
        for row in rows:
            ratios = [ratio_of_means(result, of(n, row), n, "score")]
            ratios += [
                ratio_of_means(result, of(n, row), of(n, base), "score")
                for base in references
                if row not in references
            ]
            text = f"- {row}: {'; '.join(map(str, ratios))}"
            sops = result.values(of(n, row), "sop_ratio")
            if np.isfinite(sops).any():
                text += f"; {np.nanmean(sops):.1f} times fewer SOPs"
            lines.append(text)
        judged_rows = [row for row in (*HEAD, *PLAIN) if row in rows]
        lines += [f"- Targets, {row}: {reached(result, n, row)}" for row in judged_rows]
        for a, b in (("LNP", "random"), ("balanced", "LNP")):
            text = log_ratio(result, of(n, a), of(n, b), "score")
            lines.append(f"- {a} over {b}, ratio of geometric means: {text}")
    return "\n".join(lines)


def reached(result: StudyResult, network: str, row: str) -> str:
    """What of the targets a row meets, by its means alone and with its intervals."""
    least, most, of_ap = TARGETS
    rows = result.study.variants
    sops = float(np.nanmean(result.values(of(network, row), "sop_ratio")))
    words = [f"SOP ratio {sops:.1f} {'meets' if sops >= least else 'misses'} {least:g}"]
    bounds = [(base, of_ap) for base in (AP, AP_LEFT) if base in rows]
    for base, bound in [("unpruned", most), *bounds]:
        ratio = ratio_of_means(result, of(network, row), of(network, base), "score")
        words.append(f"error {ratio.value:.2f} of {base} {judged(ratio, bound)} {bound:g}")
    return "; ".join(words) + "."


def judged(ratio: Ratio, most: float) -> str:
    """Whether a ratio is at most so large, in words."""
    if ratio.high <= most:
        return "meets"
    if ratio.value <= most:
        return "meets in the mean, not with its interval,"
    return "misses, with an interval that holds it," if ratio.low <= most else "misses"


def draw(result: StudyResult, figure: Any) -> None:
    """Error over the unpruned network's, a panel a network, a row a way to prune."""
    rows, arms = result.study.variants, result.study.arms
    figure.set_size_inches(2.6 + 2.6 * len(arms), 1.2 + 0.24 * len(rows))
    panels = figure.subplots(1, len(arms), sharey=True, squeeze=False).ravel()
    for panel, arm in zip(panels, arms, strict=True):
        for place, row in enumerate(rows):
            ratio = ratio_of_means(result, of(arm.name, row), arm.name, "score")
            colour = "#b03a2e" if row.startswith("balanced") else "#1f4e79"
            panel.plot([ratio.low, ratio.high], [place, place], color=colour, linewidth=1.5)
            panel.plot(ratio.value, place, "o", color=colour, markersize=4)
        panel.axvline(1.0, color="#999999", linewidth=0.8)
        panel.axvline(TARGETS[1], color="#999999", linewidth=0.8, linestyle=":")
        panel.set_title(arm.name, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    figure.supxlabel("error over that of the unpruned network, 95 %; dots: 1.1", fontsize=9)


def more(parser: argparse.ArgumentParser) -> None:
    """Which series, and which networks."""
    parser.add_argument("--set", dest="series", choices=sorted(SETS), default="lorenz63")
    parser.add_argument("--networks", nargs="*", choices=tuple(NETWORKS), help="default: all")


if __name__ == "__main__":
    main(study, page, __doc__ or "", more)
