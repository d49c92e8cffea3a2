"""Prune the neurons that matter least: step II of Lyapunov Noise Pruning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.arrays import Device
from hrsnn_lava.compiler.analysis.dynamics.centrality import weakly_connected_sizes
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.pruning.budget import (
    BUDGETS,
    Costs,
    PruningBudget,
    costs_of,
    spent_report,
)
from hrsnn_lava.compiler.pruning.neuron_choice import Candidates, equal_shares
from hrsnn_lava.compiler.pruning.neuron_score import Float, ScoredNeurons
from hrsnn_lava.compiler.pruning.surgery import drop_neurons
from hrsnn_lava.errors import SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, NonNegative, Positive, Registered, Seed, Share, options
from hrsnn_lava.seeding import generator

Int = NDArray[np.int64]


@options
class PruneNeurons(Pass[Network, Network]):
    """Drop the neurons with the lowest score, the same share of every population.

    Step II of Lyapunov Noise Pruning goes by betweenness; its threshold is not published, so a
    share is asked for, or a budget of what is left of the recurrence (ours), which also keeps the
    ratio of excitatory to inhibitory neurons. The other scores, that the network stays connected
    and that no input loses all its neurons are ours. Give the fraction or one of the budgets.

    Attributes:
        fraction: share of the neurons to drop, 0 <= fraction < 1; every population keeps at
            least one neuron.
        rounds: the share is dropped in that many equal parts, the scores computed anew; to a
            budget, each round keeps the same share of the recurrence.
        score: ``betweenness`` (the paper's), ``leverage``, ``activity`` or ``random``.
        connected: neurons that are connected, in whatever direction, stay so: one whose loss would
            split others off stays, and the next one in order goes.
        n_pivots: of ``betweenness``. Not set: exact up to 2000 neurons, 256 pivots above; 0: always
            exact.
        ridge: of ``leverage``, in units of the mean variance.
        seed: of the random stream ``prune_neurons`` that draws pivots and random scores; by default
            that of the compilation.
        density: instead of the fraction: neurons go until this share of the recurrent synapses is
            left.
        sops_per_spike: until the recurrent synaptic operations (SOPs) are so many for each spike
            of the network as it was.
        sop_ratio: until the recurrent SOPs have fallen by it, >= 1.
        sops: until there are so many recurrent SOPs per step.
        device: of the dense algebra of ``betweenness`` and ``leverage``: ``cpu``, or ``cuda`` by
            torch.
    """

    name: ClassVar[str] = "prune_neurons"
    younger: ClassVar[tuple[str, ...]] = (*BUDGETS, "device")

    fraction: Annotated[float, Field(ge=0, lt=1)] | None = None
    rounds: Count = 1
    score: Annotated[str, Registered("neuron_score")] = "betweenness"
    connected: bool = True
    n_pivots: Annotated[int, Field(ge=0)] | None = None
    ridge: Positive = 1e-3
    seed: Seed | None = None
    density: Share | None = None
    sops_per_spike: NonNegative | None = None
    sop_ratio: Annotated[float, Field(ge=1)] | None = None
    sops: NonNegative | None = None
    device: Device = "cpu"

    def __post_init__(self) -> None:
        """A fraction or a budget; none and several are refused."""
        names = ("fraction", *BUDGETS)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            stated = " and ".join(given) or "none of them"
            raise ValueError(f"one of {', '.join(names)}; given: {stated}")

    @property
    def budget(self) -> PruningBudget | None:
        """The budget of what is left, where it is not a fraction of the neurons that goes."""
        if self.fraction is not None:
            return None
        return PruningBudget(**{name: getattr(self, name) for name in BUDGETS})

    @property
    def needs_rates(self) -> bool:
        """Whether score or budget ask for the rates of a run."""
        in_sops = self.budget is not None and self.budget.in_sops
        return in_sops or bool(registry.load("neuron_score", self.score).needs_rates)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        return prune_neurons(network, self, context.observed, rng)


def prune_neurons(
    network: Network, options: PruneNeurons, observed: Observed, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Drop the neurons that matter least; of equal ones those that come last.

    The report's ``kept`` lists the global indices, before pruning, of the neurons that stay;
    ``spared`` counts those that their score alone would have dropped, in all rounds.

    Raises:
        SpecError: the score asks for what no run showed, or what was shown does not fit.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    sizes = {p.name: p.size for p in network.compute_populations}
    before = recurrent_edges(network)
    survivors = np.arange(network.n_neurons)
    seen = _seen(options.score, network, observed)
    goal = _goal(before, options, observed)
    facts: dict[str, list[Any]] = {}
    spared = last_fed = asked = 0
    missing: dict[str, int] = {}
    for step in range(1, options.rounds + 1):
        here = seen.of_neurons(survivors)
        scored = ScoredNeurons(network, here, rng, options.n_pivots, options.ridge, options.device)
        score, found = neuron_scores(options.score, scored)
        candidates = Candidates(network, score, options.connected)
        if goal is None:
            share = (options.fraction or 0.0) * step / options.rounds
            choice = candidates.choose(equal_shares(sizes, share))
        else:
            allowed, each = goal.after(step / options.rounds), goal.costs.neuron[survivors]
            choice, asked = candidates.choose_within(sizes, each, allowed, asked)
        network, survivors = drop_neurons(network, choice.keep), survivors[choice.keep]
        for key, value in found.items():
            facts.setdefault(key, []).append(value)
        spared, last_fed = spared + choice.spared, last_fed + choice.last_fed
        missing = dict(choice.missing)
    edges = recurrent_edges(network)
    components = weakly_connected_sizes(edges.matrix)
    report: dict[str, Any] = facts | {
        "neurons_before": sum(sizes.values()),
        "synapses_before": before.n_edges,
        "fraction": options.fraction,
        "score": options.score,
        "neurons_after": network.n_neurons,
        "kept": [int(neuron) for neuron in survivors],
        "synapses_after": edges.n_edges,
        "populations": {
            p.name: {"before": sizes[p.name], "after": p.size} for p in network.compute_populations
        },
        "largest_component": components[0],
        "components": len(components),
        "connected": options.connected,
        "spared": spared,
        "last_fed": last_fed,
        "missing": missing,
    }
    findings = [_fewer(missing)] if missing else []
    if goal is not None:
        report |= goal.report(edges, survivors, observed)
        spent = report["budget"]["spent"]
        findings = [_exceeded(spent, goal)] if spent > goal.costs.allowed else findings
    if findings:
        report["findings"] = [finding.to_dict() for finding in findings]
    return network.verify(), report


@dataclass(frozen=True, eq=False)
class _Goal:
    """What may be left of the recurrence.

    Attributes:
        edges: synapses of the network as it was.
        budget: what is asked for.
        costs: of these synapses.
    """

    edges: RecurrentEdges
    budget: PruningBudget
    costs: Costs

    def after(self, progress: float) -> float:
        """What may be left after a share of the rounds: each keeps the same share."""
        if progress == 1.0:
            return self.costs.allowed
        whole, share = float(self.costs.each.sum()), min(self.costs.share, 1.0)
        return float(whole * share**progress)

    def report(self, edges: RecurrentEdges, survivors: Int, observed: Observed) -> dict[str, Any]:
        """As the methods that prune synapses report it."""
        left = replace(
            edges,
            n_neurons=self.edges.n_neurons,
            post=survivors[edges.post],
            pre=survivors[edges.pre],
        )
        rates = observed.neuron_rates
        return spent_report(self.edges, left, self.budget, self.costs, rates)


def _goal(edges: RecurrentEdges, options: PruneNeurons, observed: Observed) -> _Goal | None:
    """The budget of the options, where they have one; its rates have to fit."""
    if options.budget is None:
        return None
    costs = costs_of(edges, options.budget, observed.neuron_rates)
    return _Goal(edges, options.budget, costs)


def neuron_scores(name: str, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
    """What a score of neurons says, looked at: (N,) finite, and facts for the report.

    Raises:
        SpecError: it asks for what no run showed.
        PartError: a score of the user's fails, or gives anything else.
    """
    part = registry.load("neuron_score", name)
    with registry.guarded("neuron_score", name):
        values, facts = part().of(scored)
        score: Float = np.asarray(values, dtype=np.float64)
    n = scored.network.n_neurons
    if score.shape != (n,) or not np.isfinite(score).all():
        what = f"scores of shape {score.shape}, {np.count_nonzero(~np.isfinite(score))} not finite"
        raise registry.failure("neuron_score", name, f"{what}; allowed: ({n},) finite numbers")
    return score, dict(facts)


def _seen(name: str, network: Network, observed: Observed) -> Observed:
    """What the run showed, for a score that looks at it: then it has to fit."""
    part = registry.load("neuron_score", name)
    if not (part.uses_run or part.needs_rates):
        return Observed()
    problems = list(observed.problems(network))
    raise_if(SpecError, "what a run showed does not fit the network", problems)
    return observed


def _exceeded(spent: float, goal: _Goal) -> Finding:
    unit = "SOPs per step" if goal.budget.in_sops else "synapses"
    return Finding(
        "warning",
        "pruning of neurons",
        f"{spent:.5g} {unit} are left, where {goal.costs.allowed:.5g} are allowed",
        "every neuron left is the last of its population, would split others off, or is the last "
        "that an input feeds",
        "prune synapses as well, or set connected = false",
        kind="budget_not_met",
    )


def _fewer(missing: dict[str, int]) -> Finding:
    counts = ", ".join(f"{count} of {name!r}" for name, count in missing.items())
    return Finding(
        "warning",
        "pruning of neurons",
        f"{counts} stay that were to be dropped",
        "every neuron left of the population would split others off, or is the last that an "
        "input feeds",
        "drop a smaller fraction, or set connected = false",
        kind="neurons_not_dropped",
    )
