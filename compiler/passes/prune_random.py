"""Prune synapses at random: the control that every score has to beat."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import PruningBudget, budget_report, costs_of, fill
from hrsnn_lava.compiler.pruning.edge_sampling import inclusion_probabilities, sample_edges
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import Seed, options
from hrsnn_lava.seeding import generator


@options
class PruneRandom(PruningBudget, Pass[Network, Network]):
    """Keep recurrent synapses at random, as many as a budget allows.

    Attributes:
        sampling: ``exact``: in random order, until the budget is spent; independent
            ``bernoulli``; or ``systematic``, which also spreads the kept synapses evenly over the
            neurons.
        rescale: gains of the kept weights: ``none``, ``inverse``, ``match`` or ``refit``.
        seed: of the random stream ``prune_random``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_random"
    samples: ClassVar[bool] = True

    sampling: Literal["exact", "bernoulli", "systematic"] = "exact"
    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    seed: Seed | None = None

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        rng = generator(self.seed or 0, self.name)
        seen = context.observed
        return prune_random(network, self, rng, seen.neuron_rates, seen.covariance)


def prune_random(
    network: Network,
    options: PruneRandom,
    rng: np.random.Generator,
    rates: NDArray[np.float64] | None = None,
    covariance: NDArray[np.float64] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Keep every recurrent synapse with the same probability.

    Args:
        network: float.
        options: budget, sampling and rescaling.
        rng: draws.
        rates: (n_neurons,) spikes per step, for a budget of SOPs.
        covariance: (N, N) of the spike traces of a run, for a rescaling by it.
    """
    edges = recurrent_edges(network)
    costs = costs_of(edges, options, rates)
    p = inclusion_probabilities(np.ones(edges.n_edges), costs.budget, costs.each)
    if options.sampling == "exact":
        most = min(edges.n_edges, int(costs.allowed / costs.each.min()) if edges.n_edges else 0)
        keep = fill(rng.choice(edges.n_edges, size=most, replace=False), costs)
    else:
        keep = sample_edges(p, options.sampling, rng)
    gain, rescaled = rescale_gains(edges, keep, options.rescale, p, covariance)
    keep &= gain > 0.0
    report = synapse_report(network, edges, keep)
    report |= budget_report(edges, keep, options, costs, rates)
    report |= {"sampling": options.sampling, "rescale": rescaled}
    return keep_synapses(network, edges, keep, gain).verify(), report
