"""Which pruning keeps what a network can do, at equal synaptic operations.

Every setting is a network and a task that needs its recurrence. The network is pruned by each
method to the same budget of recurrent synaptic operations (SOPs), rescaled alike (``match``, except
where a row says none), brought back to the unpruned rates by the same homeostasis, with the same
fall-back to smaller gains where spikes inflate, and a readout is fitted anew. Methods that draw are
drawn twice and averaged; rows that are screened keep one of six candidates, by the training input
without labels. SOPs and spikes are those of the task's run, after homeostasis.

Scores are in log units, higher is better: ln of the memory capacity, or minus ln of the error.
A difference of .10 is 10 per cent.

    python experiments/pruning.py --size full --workers 2
"""

from __future__ import annotations

import argparse
import math
import shlex
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from command import command_line, main, seeds
from scipy import sparse
from scipy.sparse.csgraph import structural_rank

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.experiment.compilation import without_recurrence
from hrsnn_lava.experiment.preparation import prepare
from hrsnn_lava.experiment.scoring import Arm as Scored
from hrsnn_lava.experiment.scoring import score_network, training_counts
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.network import Network
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import Aftercare, AftercareOptions, aftercare
from hrsnn_lava.training.balance import GENTLE
from hrsnn_lava.training.screening import (
    Candidate,
    ScreeningOptions,
    candidate_passes,
    judge,
    settle,
)

UNIFORM = {"distribution": "uniform", "low": -1.0, "high": 1.0}
#: The network that all settings start from; 30 per cent of the neurons hear the input.
BASE: dict[str, Any] = {
    "network": {
        "size": 400,
        "connectivity": {"mean_degree": 40.0, "gain": 0.1, "inhibitory_factor": 4.0},
        "input": {"share": 0.3, "weight": UNIFORM},
    },
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 120},
}
MEMORY = {"kind": "memory", "train": 1200, "validation": 300, "test": 1000, "delays": 15}
MEMORY |= {"amplitude": 1.0}
#: Eight clusters of slow synapses.
CLUSTERED: dict[str, Any] = {
    "network.connectivity.clusters": 8,
    "network.connectivity.cluster_ratio": 4.0,
    "network.connectivity.mean_degree": 25.0,
    "network.connectivity.inhibitory_factor": 6.0,
    "network.connectivity.gain": 0.03,
    "network.neurons.excitatory.tau_syn": 0.050,
}


@dataclass(frozen=True)
class Setting:
    """A network and a task.

    Attributes:
        task: its table.
        network: what differs from `BASE`, by dotted path.
        score: of the task, by name.
        samples: of the training input that homeostasis sees in a pass.
    """

    task: dict[str, Any]
    network: dict[str, Any]
    score: str
    samples: int = 450

    def log_score(self, scored: Scored) -> float:
        """In log units, higher is better; an error of nothing counts as one in a thousand."""
        value = next(s.value for s in scored.outcome.scores if s.name == self.score)
        if self.score == "memory_capacity":
            return math.log(max(value, 1e-3))
        error = 1.0 - value if self.score == "recall_accuracy" else value
        return -math.log(max(error, 1e-3))


ROWS = {"kind": "digit_rows", "train": 600, "validation": 200, "test": 797, "encoder": "held"}
ROWS |= {"steps_per_frame": 10, "trace_steps": [10.0]}
RECALL = {"kind": "delayed_recall", "symbols": 10, "delay": 6, "train": 400, "test": 300}
HIDDEN = {"kind": "lorenz63_hidden"}
SETTINGS = {
    "memory": Setting(MEMORY, {}, "memory_capacity"),
    "hidden variable": Setting(HIDDEN | {"steps_per_sample": 10}, {}, "nrmse"),
    "hidden variable, clustered": Setting(HIDDEN | {"steps_per_sample": 20}, CLUSTERED, "nrmse"),
    "patterns recalled": Setting(RECALL, {}, "recall_accuracy", 100),
    "digit rows": Setting(ROWS, {}, "squared_error", 100),
    "memory, all neurons driven": Setting(MEMORY, {"network.input.share": 1.0}, "memory_capacity"),
    "memory, near neighbours": Setting(
        MEMORY,
        {"network.connectivity.mean_degree": 20.0, "network.connectivity.length": 1.5},
        "memory_capacity",
    ),
    "memory, clustered": Setting(MEMORY | {"steps_per_sample": 20}, CLUSTERED, "memory_capacity"),
    "memory, 1000 neurons": Setting(
        MEMORY,
        {"network.size": 1000, "network.connectivity.mean_degree": 60.0},
        "memory_capacity",
    ),
}
#: The setting whose differences in log units outweigh all others.
WEIGHTY = "patterns recalled"
#: Methods by the name of their row: method, its options, SOPs a spike, how often it is drawn.
ROWS_OF: dict[str, tuple[str, dict[str, Any], float, int]] = {
    "random": ("random", {}, 1.0, 2),
    "balanced": ("balanced", {}, 1.0, 2),
    "one input": ("balanced", {"rule": "one_input"}, 1.0, 2),
    "one output": ("balanced", {"rule": "one_output"}, 1.0, 2),
    "random, systematic": ("random", {"sampling": "systematic"}, 1.0, 2),
    "LNP": ("lyapunov", {}, 1.0, 2),
    "magnitude": ("magnitude", {"rescale": "match"}, 1.0, 1),
    "magnitude, none": ("magnitude", {}, 1.0, 1),
    "activity": ("activity", {"rescale": "match"}, 1.0, 1),
    "activity, none": ("activity", {}, 1.0, 1),
    "random at 2": ("random", {}, 2.0, 2),
    "balanced at 2": ("balanced", {"beyond": "rule"}, 2.0, 2),
    "LNP at 2": ("lyapunov", {}, 2.0, 2),
    "magnitude at 2": ("magnitude", {"rescale": "match"}, 2.0, 1),
    "activity at 2": ("activity", {"rescale": "match"}, 2.0, 1),
    "random at 4": ("random", {}, 4.0, 1),
    "balanced at 4": ("balanced", {"beyond": "rule"}, 4.0, 1),
    "LNP at 4": ("lyapunov", {}, 4.0, 1),
    "magnitude at 4": ("magnitude", {"rescale": "match"}, 4.0, 1),
    "activity at 4": ("activity", {"rescale": "match"}, 4.0, 1),
}
#: Rows that are chosen among candidates, with their SOPs a spike: random alone is the control, of
#: as many candidates as the portfolio has.
SCREENED = {
    "portfolio": (ScreeningOptions(), 1.0),
    "portfolio, dynamics": (ScreeningOptions(criterion="dynamics"), 1.0),
    "random, screened": (ScreeningOptions(candidates=("random",), draws=6), 1.0),
    "portfolio at 2": (ScreeningOptions(), 2.0),
    "portfolio at 4": (ScreeningOptions(), 4.0),
}
#: Rows that are scored in integers, too.
INTEGER = ("random", "balanced", "LNP", "magnitude", "portfolio")
FIGURES = ("score", "integers", "sops", "spikes", "rate_error", "gain", "rank")


@dataclass(frozen=True)
class Bench:
    """A setting with its data and its unpruned network."""

    setting: Setting
    spec: Spec
    trial: Any
    full: Network
    rates: Any
    seed: int
    candidates: dict[tuple[float, str], Candidate] = field(default_factory=dict)

    @property
    def care(self) -> AftercareOptions:
        """How rates are brought back, the same for every row."""
        balance = replace(GENTLE, samples=self.setting.samples)
        return AftercareOptions(confirm=False, balance=balance)

    def scored(self, network: Network, integers: bool = False) -> Scored:
        """A readout fitted to the network, in float or in integers, and its scores."""
        program: Any = network
        if integers:
            program = quantize(network, Quantize())[0]
        return score_network("", program, self.trial, self.seed)

    def settled(self, network: Network, integers: bool) -> dict[str, float | None]:
        """Rates brought back, then all figures."""
        after = aftercare(network, self.trial.lesson, self.rates, self.care, seed=self.seed)
        return self.figures(after, integers)

    def screened(self, row: str, integers: bool) -> dict[str, float | None]:
        """The figures of the network that a screening keeps, and of which method it is; rows share
        their candidates."""
        screening, budget = SCREENED[row]
        options = replace(screening, aftercare=self.care)
        passes = candidate_passes(Amount("sops_per_spike", budget), options, self.seed)
        lesson = self.trial.lesson
        for name, step in passes.items():
            if (budget, name) not in self.candidates:
                made = (name, step)
                self.candidates[budget, name] = settle(
                    self.full, lesson, made, self.rates, self.care, seed=self.seed
                )
        among = [self.candidates[budget, name] for name in passes]
        kept = judge(self.full, lesson, among, options, seed=self.seed).winner
        own = {method: float(kept.name.startswith(method)) for method in options.candidates}
        return self.figures(kept.after, integers) | own

    def figures(self, after: Aftercare, integers: bool) -> dict[str, float | None]:
        """All figures; SOPs and spikes a step are over the unpruned spikes a step."""
        scored = self.scored(after.network)
        edges = recurrent_edges(after.network)
        table = sparse.csr_matrix(
            (np.ones(edges.n_edges), (edges.post, edges.pre)),
            shape=(edges.n_neurons, edges.n_neurons),
        )
        figures: dict[str, float | None] = {
            "score": self.setting.log_score(scored),
            "sops": (scored.sops or 0.0) / self._spikes,
            "spikes": (scored.spikes or 0.0) / self._spikes,
            "rate_error": after.error,
            "gain": after.gain,
            "rank": structural_rank(table) / edges.n_neurons if edges.n_edges else 0.0,
        }
        if integers:
            figures["integers"] = self.setting.log_score(self.scored(after.network, True))
        return figures

    @property
    def _spikes(self) -> float:
        return float(self.rates.sum()) * self.trial.steps_per_sample


@dataclass(frozen=True)
class Unpruned:
    """A setting on one seed: its spec and data, the network, and (n_neurons,) its rates."""

    setting: Setting
    spec: Spec
    trial: Any
    network: Network
    rates: Any


def unpruned(settings: dict[str, Any], seed: int) -> Unpruned:
    """Build and balance the network of a setting; `settings` are its name and keys of the spec."""
    keys = dict(settings)
    setting = SETTINGS[keys.pop("setting")]
    table = merged({**BASE, "task": setting.task, "seed": seed}, setting.network | keys)
    table["balance"] |= {"samples": setting.samples}
    spec = Spec.parse(table)
    data = spec.task.trial(seed)
    network = prepare(spec, data, seed).network
    rates = training_counts(network, data, seed) / data.lesson.n_steps
    return Unpruned(setting, spec, data, network, rates)


def control(row: str) -> str:
    """The row of random pruning at the same SOPs a spike."""
    budget = row.rpartition(" at ")[2]
    return f"random at {budget}" if budget in ("2", "4") else "random"


def with_control(rows: tuple[str, ...]) -> list[str]:
    """The rows that are told beside random pruning, where that is there."""
    return [row for row in rows if row != control(row) and control(row) in rows]


def sized(size: str) -> dict[str, Any]:
    """Keys of the spec that the size of an experiment changes."""
    if size == "paper":
        return {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    if size != "small":
        return {}
    network = {"network.size": 60, "network.connectivity.mean_degree": 12.0}
    task = {"task.train": 300, "task.validation": 100, "task.test": 200}
    return network | task | {"balance.passes": 10}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """All rows of a setting on one seed, as variants of the unpruned network."""
    del tuning
    settings = dict(settings)
    rows = settings.pop("rows")
    base = unpruned(settings, seed)
    setting, data, full, rates = base.setting, base.trial, base.network, base.rates
    bench = Bench(setting, base.spec, data, full, rates, seed)
    whole = bench.scored(full)
    per_spike = float(rates.sum()) * data.steps_per_sample
    figures: dict[str, float | None] = {
        "score": setting.log_score(whole),
        "integers": setting.log_score(bench.scored(full, True)),
        "sops": (whole.sops or 0.0) / per_spike,
        "spikes": (whole.spikes or 0.0) / per_spike,
    }
    for row in rows:
        figures |= {f"{row}/{key}": value for key, value in drawn(bench, row).items()}
    alone = bench.settled(without_recurrence(full), integers=False)
    figures |= {f"no recurrence/{key}": value for key, value in alone.items()}
    return figures


def drawn(bench: Bench, row: str) -> dict[str, float | None]:
    """The figures of a row, averaged over its draws."""
    if row in SCREENED:
        return bench.screened(row, row in INTEGER)
    method, options, budget, draws = ROWS_OF[row]
    pass_class = registry.load("pruning", method)
    found = []
    for draw in range(draws):
        if method in ("random", "balanced", "lyapunov"):
            options = options | {"seed": 1000 * draw + bench.seed}
        step = pass_class(sops_per_spike=budget, **options)
        pruned = step(bench.full, Context(observed=Observed(bench.rates)))
        found.append(bench.settled(pruned, row in INTEGER))
    return {key: float(np.mean([f[key] for f in found])) for key in found[0]}


def study(arguments: argparse.Namespace) -> Study:
    """The study: settings as arms, methods as their variants."""
    small = arguments.size == "small"
    names = ("memory",) if small else arguments.settings or tuple(SETTINGS)
    rows = ("random", "balanced", "magnitude") if small else tuple(ROWS_OF)
    rows = tuple(getattr(arguments, "rows", None) or (*rows, *SCREENED))
    common: dict[str, Any] = {"rows": rows} | sized(arguments.size)
    arms = tuple(Arm(name, ({"setting": name},)) for name in names)
    pairs = [(row, control(row)) for row in (*rows, "no recurrence") if row != control(row)]
    pairs += [("balanced", "random at 2"), ("balanced", "one input")]
    pairs += [("portfolio", "balanced"), ("portfolio", "random, screened")]
    there = {*rows, "no recurrence"}
    pairs = [pair for pair in pairs if there.issuperset(pair)]
    return Study(
        getattr(arguments, "name", "pruning"),
        trial,
        arms,
        tuple((f"{name}, {a}", f"{name}, {b}") for name in names for a, b in pairs),
        "score",
        seeds=seeds(arguments, 3, 8, 700),
        common=common,
        variants=(*rows, "no recurrence"),
        searched=2,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """Its page."""
    command = command_line(arguments, "pruning")
    name = getattr(arguments, "name", "pruning")
    if name != "pruning":
        command += f" --name {name}"
    if getattr(arguments, "rows", None):
        command += " --rows " + shlex.join(arguments.rows)
    return StudyPage(
        "Pruning at equal synaptic operations",
        (__doc__ or "").split("\n\n    python")[0],
        command,
        (
            Column("score", "score", True),
            Column("integers", "in integers"),
            Column("sops", "SOPs a spike"),
            Column("spikes", "spikes / unpruned"),
            Column("rate_error", "rate error"),
            Column("gain", "gain"),
            Column("rank", "structural rank / N"),
        ),
        verdict,
        draw=draw,
    )


def draw(result: StudyResult, figure: Any) -> None:
    """What each row gains over random at equal SOPs: a panel a setting, a dot a row."""
    settings = result.study.arms
    rows = with_control(result.study.variants)
    across = min(len(settings), 3)
    down = -(-len(settings) // across)
    figure.set_size_inches(2.2 + 2.9 * across, 0.8 + (0.6 + 0.2 * len(rows)) * down)
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for panel, arm in zip(panels, settings, strict=False):
        for place, row in enumerate(rows):
            base = result.values(f"{arm.name}, {control(row)}", "score")
            gains = result.values(f"{arm.name}, {row}", "score") - base
            gains = gains[np.isfinite(gains)]
            error = gains.std(ddof=1) / math.sqrt(gains.size) if gains.size > 1 else 0.0
            ours = row.startswith(("balanced", "portfolio"))
            colour = "#b03a2e" if ours else "#1f4e79"
            panel.errorbar(gains.mean(), place, xerr=error, fmt="o", color=colour, markersize=4)
        panel.axvline(0.0, color="#999999", linewidth=0.8)
        panel.set_title(arm.name, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.set_yticks(range(len(rows)), rows)
    for panel in panels[len(settings) :]:
        panel.set_visible(False)
    panels[0].invert_yaxis()
    figure.supxlabel(
        "score minus that of random at as many SOPs a spike, mean and standard error", fontsize=9
    )


def pooled(
    result: StudyResult, row: str, reference: str, figure: str = "score", without: str = ""
) -> str:
    """Mean over the settings of their mean differences, with its standard error, and wins."""
    means, errors, wins, pairs = [], [], 0, 0
    for arm in result.study.arms:
        if arm.name == without:
            continue
        a = result.values(f"{arm.name}, {row}", figure)
        b = result.values(f"{arm.name}, {reference}", figure)
        difference = (a - b)[np.isfinite(a - b)]
        if not difference.size:
            continue
        means.append(float(difference.mean()))
        spread = difference.std(ddof=1) if difference.size > 1 else math.nan
        errors.append(float(spread / math.sqrt(difference.size)))
        wins, pairs = wins + int((difference > 0).sum()), pairs + difference.size
    error = math.sqrt(sum(e * e for e in errors)) / max(len(errors), 1)
    return f"{np.mean(means):+.3f} +- {error:.3f}, {wins} of {pairs} seeds"


def verdict(result: StudyResult) -> str:
    """The pooled differences, and what every setting says of its recurrence."""
    rows = result.study.variants
    lines = [f"- Pooled over {len(result.study.arms)} settings, against random at equal SOPs:"]
    lines += [f"  - {row}: {pooled(result, row, control(row))}" for row in with_control(rows)]
    if {arm.name for arm in result.study.arms} > {WEIGHTY}:
        lines.append(f"- The same without {WEIGHTY}, where errors nearly vanish:")
        lines += [
            f"  - {row}: {pooled(result, row, control(row), without=WEIGHTY)}"
            for row in with_control(rows)
        ]
    if "balanced" in rows:
        lines.append(f"- In integers, balanced against random: {pooled_integers(result)}")
    for text, row, reference in SENTENCES:
        if {row, reference} <= set(rows):
            lines.append(f"- {text}: {pooled(result, row, reference)}")
    if "portfolio" in rows:
        lines.append(f"- The portfolio kept {kept_methods(result)}.")
    for arm in result.study.arms:
        full, none = (
            result.values(arm.name, "score"),
            result.values(f"{arm.name}, no recurrence", "score"),
        )
        lines.append(f"- {arm.name}: unpruned minus no recurrence {np.mean(full - none):+.2f}")
    return "\n".join(lines)


#: Further comparisons, and what they say.
SENTENCES = (
    ("Balanced at one SOP a spike against random at two", "balanced", "random at 2"),
    ("Balanced against one input", "balanced", "one input"),
    ("Portfolio against balanced", "portfolio", "balanced"),
    ("Portfolio against random, screened alike", "portfolio", "random, screened"),
    ("Portfolio by memory against portfolio by dynamics", "portfolio", "portfolio, dynamics"),
)


def kept_methods(result: StudyResult) -> str:
    """How often the portfolio kept which method."""
    counts = {
        method: int(
            sum(
                np.nansum(result.values(f"{arm.name}, portfolio", method))
                for arm in result.study.arms
            )
        )
        for method in SCREENED["portfolio"][0].candidates
    }
    return ", ".join(f"{method} {count} times" for method, count in counts.items())


def pooled_integers(result: StudyResult) -> str:
    """The same of the integers."""
    return pooled(result, "balanced", "random", "integers")


def more(parser: argparse.ArgumentParser) -> None:
    """Which settings, which rows, and the name of the page."""
    parser.add_argument("--settings", nargs="*", choices=sorted(SETTINGS), help="default: all")
    rows = (*ROWS_OF, *SCREENED)
    parser.add_argument("--rows", nargs="*", choices=rows, help="default: all of the size")
    parser.add_argument("--name", default="pruning", help="of the page  [default: pruning]")


if __name__ == "__main__":
    main(study, page, __doc__ or "", more)
