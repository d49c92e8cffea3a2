"""Which step of a pruning method does the work: one left out, or one added, at a time.

Two families. Lyapunov Noise Pruning goes through a loop of five iterations to one synaptic
operation a spike: with step I alone (noise pruning), then with one other step added to it (II drops
three neurons in ten by betweenness, III adds a twentieth of the synapses by the literal objective,
IV searches the time constants), and with all four. Random pruning in the same loop stands beside
them. Balanced pruning goes at once to the same budget: as it is, and without its covers, rescaling,
bias correction or homeostasis; and a portfolio is screened without labels.

Scores are in log units, higher is better; SOPs and spikes are those of the task's run.

    python experiments/ablation.py --size full --workers 2
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from command import main, seeds
from pruning import Setting, pooled, sized, unpruned

from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.passes.rescale_time import RescaleTime
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.experiment.scoring import score_network
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.network import Network
from hrsnn_lava.training.aftercare import AftercareOptions, aftercare
from hrsnn_lava.training.balance import GENTLE
from hrsnn_lava.training.loop_plan import PruningLoop
from hrsnn_lava.training.pruning_loop import run_loop
from hrsnn_lava.training.screening import ScreeningOptions, screen

BUDGET = 1.0
ITERATIONS = 5
#: Passes over so many samples that bring rates back, in every iteration and in the end.
PASSES = 60


@dataclass(frozen=True)
class Row:
    """A way to prune.

    Attributes:
        step: prunes synapses; None: candidates are screened.
        before, after: further steps of every iteration.
        loop: in iterations, or at once.
        care: bring the rates back.
    """

    step: AnyPass | None
    before: tuple[AnyPass, ...] = ()
    after: tuple[AnyPass, ...] = ()
    loop: bool = False
    care: bool = True


LNP = PruneLyapunov(sops_per_spike=BUDGET)
NEURONS = PruneNeurons(fraction=0.3)
EDGES = Delocalize(share=0.05)
TIMES = RescaleTime(evaluations=8)
ROWS: dict[str, Row] = {
    "random, in a loop": Row(PruneRandom(sops_per_spike=BUDGET), loop=True),
    "A: I": Row(LNP, loop=True),
    "B: I, II": Row(LNP, before=(NEURONS,), loop=True),
    "C: I, III": Row(LNP, after=(EDGES,), loop=True),
    "D: I, IV": Row(LNP, after=(TIMES,), loop=True),
    "E: I, II, III, IV": Row(LNP, (NEURONS,), (EDGES, TIMES), loop=True),
    "balanced": Row(PruneBalanced(sops_per_spike=BUDGET)),
    "balanced, in a loop": Row(PruneBalanced(sops_per_spike=BUDGET), loop=True),
    "without covers": Row(PruneRandom(sops_per_spike=BUDGET)),
    "without rescaling": Row(PruneBalanced(sops_per_spike=BUDGET, rescale="none")),
    "without bias correction": Row(PruneBalanced(sops_per_spike=BUDGET, compensate=False)),
    "without homeostasis": Row(PruneBalanced(sops_per_spike=BUDGET), care=False),
    "with screening": Row(None),
}
#: What each row is compared with.
AGAINST = {
    **{name: "A: I" for name in ROWS if name[0] in "BCDE" and name[1] == ":"},
    "A: I": "random, in a loop",
    **{name: "balanced" for name in ROWS if name.startswith(("without", "with ", "balanced, in"))},
}


@dataclass(frozen=True, eq=False)
class Bench:
    """A setting with its data and its unpruned network."""

    setting: Setting
    trial: Any
    full: Network
    rates: Any
    seed: int
    care: AftercareOptions = field(default_factory=AftercareOptions)

    def pruned(self, row: Row) -> Network:
        """The network of a row with its rates brought back."""
        lesson, seed = self.trial.lesson, self.seed
        if row.step is None:
            options = ScreeningOptions(aftercare=self.care)
            amount = Amount("sops_per_spike", BUDGET)
            return screen(self.full, lesson, amount, self.rates, options, seed=seed).network
        if row.loop:
            loop = PruningLoop(row.step, ITERATIONS, row.before, row.after, aftercare=self.care)
            return run_loop(self.full, loop, lesson, seed=seed).network
        network = row.step(self.full, Context(observed=Observed(self.rates), seed=seed))
        if not row.care:
            return network
        return aftercare(network, lesson, self.rates, self.care, seed=seed).network

    def figures(self, network: Network) -> dict[str, float | None]:
        """Score, and SOPs and spikes over the unpruned spikes."""
        scored = score_network("", network, self.trial, self.seed)
        spikes = float(self.rates.sum()) * self.trial.steps_per_sample
        return {
            "score": self.setting.log_score(scored),
            "sops": (scored.sops or 0.0) / spikes,
            "spikes": (scored.spikes or 0.0) / spikes,
            "neurons": float(network.n_neurons),
        }


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """All rows of a setting on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    rows = settings.pop("rows")
    passes = settings.pop("passes")
    base = unpruned(settings, seed)
    setting, data, full, rates = base.setting, base.trial, base.network, base.rates
    samples = min(setting.samples, 200)
    care = AftercareOptions(balance=replace(GENTLE, samples=samples, passes=passes))
    bench = Bench(setting, data, full, rates, seed, care)
    figures = bench.figures(full)
    for name in rows:
        found = bench.figures(bench.pruned(ROWS[name]))
        figures |= {f"{name}/{key}": value for key, value in found.items()}
    return figures


def study(arguments: argparse.Namespace) -> Study:
    """The study: settings as arms, rows as their variants."""
    small = arguments.size == "small"
    names = ("memory",) if small else ("memory", "hidden variable")
    rows = ("random, in a loop", "A: I", "B: I, II", "balanced") if small else tuple(ROWS)
    common: dict[str, Any] = {"rows": rows, "passes": 4 if small else PASSES}
    common |= sized(arguments.size)
    pairs = [(row, AGAINST[row]) for row in rows if row in AGAINST and AGAINST[row] in rows]
    return Study(
        "ablation",
        trial,
        tuple(Arm(name, ({"setting": name},)) for name in names),
        tuple((f"{name}, {a}", f"{name}, {b}") for name in names for a, b in pairs),
        "score",
        seeds=seeds(arguments, 2, 8, 720),
        common=common,
        variants=rows,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """Its page."""
    return StudyPage(
        "Which step of pruning does the work",
        (__doc__ or "").split("\n\n    python")[0],
        f"python experiments/ablation.py --size {arguments.size}",
        (
            Column("score", "score", True),
            Column("sops", "SOPs a spike"),
            Column("spikes", "spikes / unpruned"),
            Column("neurons", "neurons"),
        ),
        verdict,
        draw=draw,
    )


def draw(result: StudyResult, figure: Any) -> None:
    """A panel a setting, a bar a row with its standard error."""
    rows = list(result.study.variants)
    figure.set_size_inches(2.6 + 3.4 * len(result.study.arms), 0.9 + 0.28 * len(rows))
    panels = figure.subplots(1, len(result.study.arms), sharey=True, squeeze=False).ravel()
    for panel, arm in zip(panels, result.study.arms, strict=True):
        for place, row in enumerate(rows):
            values = result.values(f"{arm.name}, {row}", "score")
            values = values[np.isfinite(values)]
            error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
            colour = "#1f4e79" if row[1:2] == ":" or "loop" in row else "#b03a2e"
            panel.errorbar(values.mean(), place, xerr=error, fmt="o", color=colour, markersize=4)
        full = result.values(arm.name, "score")
        panel.axvline(full.mean(), color="#999999", linewidth=0.8)
        panel.set_title(f"{arm.name} (line: unpruned)", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    figure.supxlabel("score, mean and standard error", fontsize=9)


def verdict(result: StudyResult) -> str:
    """The pooled differences."""
    rows = result.study.variants
    lines = [f"- Pooled over {len(result.study.arms)} settings:"]
    lines += [
        f"  - {row} against {AGAINST[row]}: {pooled(result, row, AGAINST[row])}"
        for row in rows
        if row in AGAINST and AGAINST[row] in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(study, page, __doc__ or "")
