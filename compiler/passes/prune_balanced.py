"""Balanced pruning: keep cycle covers of the graph, so that no neuron falls silent or deaf."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, Literal

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
    structural_rank,
)
from hrsnn_lava.compiler.pruning.mean_current import mean_current
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.options import Positive, Seed, options
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
        rule: ``covers``; or a synapse of every neuron, drawn at random: ``one_input`` of those
            that it hears through, ``one_output`` of those that it sends along.
        beyond: what fills a budget of more than 1.5 synapses per neuron, where covers were no
            better than chance: ``random`` synapses, or the ``rule`` in any case.
        rescale: gains of the kept weights, ``none`` or ``match``.
        gain: of all kept weights, besides.
        compensate: add the mean current that is lost to the biases, where rates are known.
        seed: of the random stream ``prune_balanced``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_balanced"

    rule: Literal["covers", "one_input", "one_output"] = "covers"
    beyond: Literal["random", "rule"] = "random"
    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    gain: Positive = 1.0
    compensate: bool = True
    seed: Seed | None = None

    @property
    def needs_rates(self) -> bool:
        """True where SOPs are counted, and where biases make up for lost currents."""
        return self.in_sops or self.compensate

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        return prune_balanced(network, self, rng, context.observed.neuron_rates)


def prune_balanced(
    network: Network,
    options: PruneBalanced,
    rng: np.random.Generator,
    rates: Float | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Keep covers within a budget, rescale, and make up for the mean current that is lost.

    Args:
        network: float.
        options: budget, rule and rescaling.
        rng: draws which of equal covers is taken.
        rates: (n_neurons,) spikes per step; needed for a budget of SOPs, and to compensate.

    Raises:
        SpecError: there are no rates for a budget of SOPs, or those given do not fit the network.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    if rates is not None:
        rates = checked_rates(edges.n_neurons, rates)
    costs = costs_of(edges, options, rates)
    covers, findings = _kept(edges, options, costs, rng)
    keep = covers.keep
    gain, rescaled = rescale_gains(edges, keep, options.rescale)
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
        "covers": covers.whole,
        "matched": list(covers.matched),
        "added": covers.added,
        "structural_rank": structural_rank(edges, keep),
        "gain": options.gain,
        "rescale": rescaled,
        "findings": findings,
    }
    return pruned.verify(), report


def _kept(
    edges: RecurrentEdges, options: PruneBalanced, costs: Costs, rng: np.random.Generator
) -> tuple[Covers, tuple[Finding, ...]]:
    """The synapses that stay, and what has to be said of it."""
    if costs.per_neuron > BALANCE_HELPS and options.beyond == "random":
        keep = fill(rng.permutation(edges.n_edges), costs)
        # all or next to all: nothing was chosen
        told = () if keep.all() else (_no_better_than_chance(costs.per_neuron),)
        return Covers(keep), told
    if options.rule == "covers":
        graph = Graph(edges.n_neurons, edges.pre, edges.post, rng.random(edges.n_edges))
        return cycle_covers(graph, costs, rng), ()
    ends = edges.post if options.rule == "one_input" else edges.pre
    return Covers(fill(one_each(ends, rng), costs)), ()


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
