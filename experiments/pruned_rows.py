"""What the experiments on the papers' tables share: a row is a way to prune, all else is alike.

A `Bench` is an unpruned network under its task. Each row prunes a copy of it to the same budget of
recurrent synaptic operations (SOPs), brings the rates back to the unpruned ones
(`hrsnn_lava.training.aftercare`), fits a readout of its own and scores it. SOPs and spikes are
those of the task's run, after all that.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.experiment.compilation import without_recurrence
from hrsnn_lava.experiment.preparation import prepare
from hrsnn_lava.experiment.scoring import (
    Arm,
    recurrent_fan_out,
    score_network,
    training_counts,
)
from hrsnn_lava.experiment.study import StudyResult
from hrsnn_lava.network import Network
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions, aftercare
from hrsnn_lava.training.balance import rate_balance

Floats = NDArray[np.float64]
Figures = dict[str, float | None]
#: Share of the neurons that a round of pruning by activity drops.
ROUND = 0.1
#: Methods that draw.
DRAWN = ("random", "balanced", "lyapunov")


@dataclass(frozen=True)
class Way:
    """A way to prune.

    Attributes:
        method: name of a pass; ``neurons`` drops the least active ones until the SOPs that are left
            meet the budget, ``neurons in rounds`` a tenth of them at a time, with rates measured
            anew; ``no-recurrence`` ignores the budget.
        options: of the pass.
        drop: share of the neurons that go first, by betweenness: step II of LNP.
        care: bring the rates back.
        integers: score it in integers, too.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    drop: float = 0.0
    care: bool = True
    integers: bool = False


MATCH = {"rescale": "match"}
NONE = {"rescale": "none"}
#: The rows of the tables by name.
WAYS: dict[str, Way] = {
    "balanced": Way("balanced", integers=True),
    "LNP": Way("lyapunov", integers=True),
    "random": Way("random", integers=True),
    "magnitude": Way("magnitude", MATCH),
    "activity": Way("activity", MATCH),
    "balanced, not rescaled": Way("balanced", NONE),
    "LNP, not rescaled": Way("lyapunov", NONE),
    "random, not rescaled": Way("random", NONE),
    "LNP, half of the neurons": Way("lyapunov", drop=0.5),
    "active neurons": Way("neurons"),
    "active neurons, rates left": Way("neurons in rounds", care=False),
    "no recurrence": Way("no-recurrence"),
}


@dataclass(frozen=True, eq=False)
class Cut:
    """A pruned network, and which neurons of the unpruned one it has."""

    network: Network
    survivors: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bench:
    """An unpruned network under its task.

    Attributes:
        trial: of the task.
        full: the network.
        rates: (n_neurons,) its spikes per step on the training inputs.
        goal: (n_neurons,) those that the aftercare aims at: on the samples that it shows, where
            samples are separate, since a part of them has rates of its own.
        whole: its scores.
        seed: of everything.
        told: what is told of a scored network, by name.
        options: of the aftercare.
    """

    trial: Any
    full: Network
    rates: Floats
    goal: Floats
    whole: Arm
    seed: int
    told: Callable[[Arm], Figures]
    options: AftercareOptions

    @staticmethod
    def of(
        spec: Spec, seed: int, told: Callable[[Arm], Figures], options: AftercareOptions
    ) -> Bench:
        """Build the network of a spec, train it where the spec says so, and score it."""
        trial = spec.task.trial(seed)
        full = prepare(spec, trial, seed).network.without_plasticity()
        rates = training_counts(full, trial, seed) / trial.lesson.n_steps
        goal = rates
        if options.balance.samples is not None and trial.lesson.starts is not None:
            measure = replace(options.balance, passes=0)
            goal = rate_balance(full, trial.lesson, rates, measure, seed=seed).rates
        whole = score_network("unpruned", full, trial, seed)
        return Bench(trial, full, rates, goal, whole, seed, told, options)

    def unpruned(self) -> Figures:
        """Figures of the network as it is."""
        return self._figures(self.whole) | {"integers": self._in_integers(self.full)}

    def row(self, way: Way, budget: Mapping[str, float]) -> Figures:
        """Figures of the network pruned to a budget in SOPs, such as ``{"sop_ratio": 40.0}``."""
        cut = self.pruned(way, budget)
        network, figures = cut.network, Figures()
        if way.care:
            target = self.goal[cut.survivors]
            after = aftercare(network, self.trial.lesson, target, self.options, seed=self.seed)
            network = after.network
            figures |= {"rate_error": after.error, "gain": after.gain}
        edges = recurrent_edges(network)
        linked = np.union1d(edges.pre, edges.post).size
        figures |= {"linked": linked / self.full.n_neurons}
        figures |= self._figures(score_network("", network, self.trial, self.seed))
        if way.integers:
            figures["integers"] = self._in_integers(network)
        return figures

    def pruned(self, way: Way, budget: Mapping[str, float]) -> Cut:
        """The network after the passes of a way alone."""
        network, rates = self.full, self.rates
        survivors = np.arange(network.n_neurons)
        if way.method == "no-recurrence":
            return Cut(without_recurrence(network), survivors)
        allowed = self._allowed(budget)
        if way.method == "neurons":
            return self._active(allowed)
        if way.method == "neurons in rounds":
            return self._in_rounds(allowed)
        if way.drop:
            step = PruneNeurons(fraction=way.drop, seed=self.seed)
            network, survivors = _dropped(network, step, rates)
            rates = rates[survivors]
            budget = {"sops": min(allowed, self._sops(network, rates))}
        options = dict(way.options)
        if way.method in DRAWN:
            options["seed"] = self.seed
        step = registry.load("pruning", way.method)(**budget, **options)
        return Cut(step(network, Context(observed=Observed(rates))), survivors)

    def _active(self, allowed: float) -> Cut:
        """The most active neurons, as many as the SOPs allow, by bisection."""
        n = self.full.n_neurons
        few, many = -1, n - 1  # neurons dropped: too few to meet the budget, enough to do so
        while many - few > 1:
            middle = (few + many) // 2
            step = PruneNeurons(fraction=middle / n, score="activity")
            network, survivors = _dropped(self.full, step, self.rates)
            if self._sops(network, self.rates[survivors]) <= allowed:
                many = middle
            else:
                few = middle
        step = PruneNeurons(fraction=many / n, score="activity")
        return Cut(*_dropped(self.full, step, self.rates))

    def _in_rounds(self, allowed: float) -> Cut:
        """The least active neurons dropped round by round, until the SOPs meet the budget."""
        network, survivors, rates = self.full, np.arange(self.full.n_neurons), self.rates
        while self._sops(network, rates) > allowed:
            step = PruneNeurons(fraction=ROUND, score="activity")
            smaller, kept = _dropped(network, step, rates)
            if smaller.n_neurons == network.n_neurons:
                break
            network, survivors = smaller, survivors[kept]
            rates = training_counts(network, self.trial, self.seed) / self.trial.lesson.n_steps
        return Cut(network, survivors)

    def _allowed(self, budget: Mapping[str, float]) -> float:
        """Recurrent SOPs per step of a budget, ``sop_ratio`` or ``sops_per_spike``."""
        if "sop_ratio" in budget:
            return self._sops(self.full, self.rates) / budget["sop_ratio"]
        return budget["sops_per_spike"] * float(self.rates.sum())

    def _sops(self, network: Network, rates: Floats) -> float:
        """Recurrent SOPs per step."""
        return float(rates @ recurrent_fan_out(network))

    def _figures(self, scored: Arm) -> Figures:
        full = self.whole
        return self.told(scored) | {
            "sops": scored.sops,
            "sop_ratio": full.sops / scored.sops if full.sops and scored.sops else None,
            "spikes": scored.spikes / full.spikes if scored.spikes and full.spikes else None,
            "neuron_sparsity": 100.0 * (1.0 - (scored.neurons or 0) / (full.neurons or 1)),
            "synapse_sparsity": 100.0 * (1.0 - (scored.synapses or 0) / (full.synapses or 1)),
        }

    def _in_integers(self, network: Network) -> float | None:
        """The headline of the quantized network, with a readout of its own."""
        program = quantize(network, Quantize())[0]
        return self.told(score_network("", program, self.trial, self.seed))["score"]


def _dropped(
    network: Network, step: PruneNeurons, rates: Floats
) -> tuple[Network, NDArray[np.int64]]:
    smaller, report = step.apply(network, Context(observed=Observed(rates)))
    return smaller, np.asarray(report["kept"], dtype=np.int64)


def chosen(arguments: argparse.Namespace) -> str:
    """Seeds and networks of a command, where they are not those of the size."""
    text = f" --seeds {arguments.seeds}" if arguments.seeds else ""
    names = getattr(arguments, "networks", None) or ()
    return text + (" --networks" + "".join(f' "{name}"' for name in names) if names else "")


@dataclass(frozen=True)
class Ratio:
    """Ratio of the means of two arms over the same seeds, with its 95 % interval (BCa)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def ratio_of_means(result: StudyResult, arm: str, reference: str, figure: str) -> Ratio:
    """Mean of an arm over the mean of another; seeds are drawn again in pairs, 10,000 times.

    A single seed, or values without spread, have no interval: it is the ratio itself.
    """
    from scipy import stats

    a, b = result.values(arm, figure), result.values(reference, figure)
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not a.size:
        return Ratio(np.nan, np.nan, np.nan)
    value = float(a.mean() / b.mean())
    if np.ptp(a * b.mean() - b * a.mean()) <= 1e-12 * abs(a.mean() * b.mean()):
        return Ratio(value, value, value)
    found = stats.bootstrap(
        (a, b),
        lambda x, y, axis=-1: x.mean(axis=axis) / y.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        method="BCa",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Ratio(value, float(found.low), float(found.high))


def log_ratio(result: StudyResult, arm: str, reference: str, figure: str) -> str:
    """Ratio of geometric means, with Student's interval of the paired differences of logarithms."""
    from scipy import stats

    a, b = result.values(arm, figure), result.values(reference, figure)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.log(a) - np.log(b)
    d = d[np.isfinite(d)]
    if d.size < 2:
        return f"{np.exp(d.mean()):.3g}" if d.size else "-"
    half = float(stats.t.ppf(0.975, d.size - 1) * d.std(ddof=1) / np.sqrt(d.size))
    low, middle, high = np.exp(d.mean() + np.array([-half, 0.0, half]))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
