"""Prune the synapses with the smallest weights."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import PruningBudget, budget_report, costs_of, largest
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import options


@options
class PruneMagnitude(PruningBudget, Pass[Network, Network]):
    """Keep the recurrent synapses with the largest ``|w|``, over all projections together.

    Attributes:
        rescale: gains of the kept weights, ``none``, ``match`` or ``refit``.
        per_sop: by ``|w|`` for each synaptic operation; of a budget of SOPs alone.
    """

    name: ClassVar[str] = "prune_magnitude"

    rescale: RescaleOption = field(default_factory=Rescale)
    per_sop: bool = False

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        seen = context.observed
        return prune_magnitude(network, self, seen.neuron_rates, seen.covariance)


def prune_magnitude(
    network: Network,
    options: PruneMagnitude,
    rates: NDArray[np.float64] | None = None,
    covariance: NDArray[np.float64] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Keep the synapses with the largest ``|w|``; equal weights in edge order.

    Args:
        network: float.
        options: budget and rescaling.
        rates: (n_neurons,) spikes per step, for a budget of SOPs.
        covariance: (N, N) of the spike traces of a run, for a rescaling by it.

    Raises:
        SpecError: a rescaling that divides by probabilities, of which there are none, no rates
            for a budget of SOPs, or no covariance where one is needed.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    size = np.abs(edges.weight)
    costs = costs_of(edges, options, rates)
    keep = largest(size / costs.each if options.per_sop else size, costs)
    gain, rescaled = rescale_gains(edges, keep, options.rescale, covariance=covariance)
    keep &= gain > 0.0
    report = synapse_report(network, edges, keep)
    report |= budget_report(edges, keep, options, costs, rates)
    report |= {
        "smallest_kept": float(size[keep].min()) if keep.any() else 0.0,
        "rescale": rescaled,
    }
    return keep_synapses(network, edges, keep, gain).verify(), report
