"""Balanced pruning: keep cycle covers of the graph, so that no neuron falls silent or deaf."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import (
    Costs,
    PruningBudget,
    budget_report,
    checked_rates,
    costs_of,
    fill,
)
from hrsnn_lava.compiler.pruning.covers import (
    Covers,
    Graph,
    cycle_covers,
    one_each,
    ranked,
    structural_rank,
)
from hrsnn_lava.compiler.pruning.edge_scoring import (
    Evidence,
    Scoring,
    needs_covariance,
    score_edges,
)
from hrsnn_lava.compiler.pruning.mean_current import mean_current
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Positive, Registered, Seed, options
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
#: Synapses per neuron above which covers were no better than chance (measured, ours).
BALANCE_HELPS = 1.5


@options
class PruneBalanced(PruningBudget, Pass[Network, Network]):
    """Keep covers of the graph: every neuron an input and an output, then two, and so on (ours).

    At about one synapse per neuron, chance leaves more than half of the neurons without an input
    or an output, and a cover leaves none; see `hrsnn_lava.compiler.pruning.covers`.

    Attributes:
        rule: ``covers``; or a synapse of every neuron: ``one_input`` of those that it hears
            through, ``one_output`` of those that it sends along.
        weights: which synapses the rule prefers: ``random`` draws, of covers one of many; a score
            of synapses, such as ``lyapunov`` with the defaults of that method, or the
            ``noise_distance`` in an observed run, keeps those that score most, by their ranks.
        beyond: what fills a budget of more than 1.5 synapses per neuron, where covers were no
            better than chance: ``random`` synapses, or the ``rule`` in any case.
        rescale: gains of the kept weights, ``none``, ``match`` or ``refit``.
        gain: of all kept weights, besides.
        compensate: add the mean current that is lost to the biases, where rates are known.
        seed: of the random stream ``prune_balanced``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_balanced"

    rule: Literal["covers", "one_input", "one_output"] = "covers"
    weights: Annotated[str, Registered("score", beside=("random",))] = "random"
    beyond: Literal["random", "rule"] = "random"
    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    gain: Positive = 1.0
    compensate: bool = True
    seed: Seed | None = None

    @property
    def needs_covariance(self) -> bool:
        """Whether weights of covers or the rescaling go by the covariance of an observed run."""
        scored = self.weights != "random" and needs_covariance(self.weights)
        return scored or self.rescale.needs_covariance

    @property
    def needs_rates(self) -> bool:
        """True where SOPs are counted, and where biases make up for lost currents."""
        return self.in_sops or self.compensate

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        seen = context.observed
        return prune_balanced(network, self, rng, seen.neuron_rates, seen.covariance)


def prune_balanced(
    network: Network,
    options: PruneBalanced,
    rng: np.random.Generator,
    rates: Float | None = None,
    covariance: Float | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Keep covers within a budget, rescale, and make up for the mean current that is lost.

    Args:
        network: float.
        options: budget, rule and rescaling.
        rng: draws which of equal covers is taken.
        rates: (n_neurons,) spikes per step; needed for a budget of SOPs, and to compensate.
        covariance: (N, N) of the spike traces of a run, for weights or a rescaling by it.

    Raises:
        SpecError: there are no rates for a budget of SOPs, no covariance where one is
            needed, or those given do not fit the network.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    if rates is not None:
        rates = checked_rates(edges.n_neurons, rates)
    costs = costs_of(edges, options, rates)
    chosen = _chosen(network, edges, options, costs, Evidence(rng, covariance=covariance))
    covers, findings, scores = chosen
    keep = covers.keep
    gain, rescaled = rescale_gains(edges, keep, options.rescale, covariance=covariance)
    keep = keep & (gain > 0.0)
    gain = np.where(keep, gain * options.gain, 1.0)
    pruned = keep_synapses(network, edges, keep, gain)
    if rates is not None and options.compensate:
        lost = edges.weight * np.where(keep, 1.0 - gain, 1.0)
        bias = network.gather("bias") + mean_current(network, edges, lost, rates)
        pruned = pruned.with_biases(bias)
    elif options.compensate and not keep.all():
        findings = (*findings, _not_compensated())
    report = synapse_report(network, edges, keep)
    report |= budget_report(edges, keep, options, costs, rates)
    report |= {
        "rule": options.rule,
        "weights": options.weights,
        "covers": covers.whole,
        "matched": list(covers.matched),
        "added": covers.added,
        "structural_rank": structural_rank(edges, keep),
        "gain": options.gain,
        "rescale": rescaled,
        "findings": findings,
    }
    if scores:
        report["scores"] = scores
    return pruned.verify(), report


def _chosen(
    network: Network,
    edges: RecurrentEdges,
    options: PruneBalanced,
    costs: Costs,
    evidence: Evidence,
) -> tuple[Covers, tuple[Finding, ...], dict[str, Any]]:
    """The synapses that stay, what has to be said of it, and how weights were found."""
    rng = evidence.rng
    if costs.per_neuron > BALANCE_HELPS and options.beyond == "random":
        keep = fill(rng.permutation(edges.n_edges), costs)
        # all or next to all: nothing was chosen
        told = () if keep.all() else (_no_better_than_chance(costs.per_neuron),)
        return Covers(keep), told, {}
    weight, scores = None, dict[str, Any]()
    if options.weights != "random" and edges.n_edges:
        scored = score_edges(network, edges, Scoring(options.weights), evidence)
        weight, scores = ranked(scored.values, rng.random(edges.n_edges)), scored.report
    if options.rule == "covers":
        weight = rng.random(edges.n_edges) if weight is None else weight
        graph = Graph(edges.n_neurons, edges.pre, edges.post, weight)
        return cycle_covers(graph, costs, rng), (), scores
    ends = edges.post if options.rule == "one_input" else edges.pre
    return Covers(fill(one_each(ends, rng, weight), costs)), (), scores


def _not_compensated() -> Finding:
    return Finding(
        "note",
        "balanced pruning",
        "no rates are known",
        "so biases do not make up for the mean current that is lost",
        "give rates, or set compensate to false",
        kind="current_not_compensated",
    )


def _no_better_than_chance(per_neuron: float) -> Finding:
    return Finding(
        "note",
        "balanced pruning",
        f"a budget of {per_neuron:.3g} synapses a neuron",
        f"above {BALANCE_HELPS:g} covers were no better than chance, so synapses are drawn",
        "set beyond to rule for covers in any case",
        kind="balance_buys_nothing",
    )
