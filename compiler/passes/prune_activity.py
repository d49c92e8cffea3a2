"""Prune the synapses that carry the least current, at the least cost in synaptic operations."""

from __future__ import annotations

import warnings
from dataclasses import field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.budget import (
    PruningBudget,
    budget_report,
    checked_rates,
    costs_of,
    fill,
    largest,
)
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import options

Float = NDArray[np.float64]


@options
class PruneActivity(PruningBudget, Pass[Network, Network]):
    """Keep the synapses with the largest ``|w| r_pre r_post``, by number or by SOPs (ours).

    Rates are those of the run that the context observed, and are needed in any case. A synapse
    costs one synaptic operation (SOP) per presynaptic spike, so filling a budget of SOPs goes by
    ``|w| r_post``, the value per SOP; synapses of silent neurons would be free and useless, and
    are dropped.

    Attributes:
        rescale: gains of the kept weights, ``none``, ``match`` or ``refit``.
    """

    name: ClassVar[str] = "prune_activity"

    rescale: RescaleOption = field(default_factory=Rescale)

    @property
    def needs_rates(self) -> bool:
        """True: they are what it goes by."""
        return True

    @classmethod
    def current_spelling(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """``sop_share`` s is ``sop_ratio`` 1/s now."""
        args, kwargs = super().current_spelling(args, kwargs)
        share = kwargs.pop("sop_share", None)
        if isinstance(share, float | int) and share > 0 and "sop_ratio" not in kwargs:
            warnings.warn(
                "prune_activity: sop_share s is sop_ratio 1/s", FutureWarning, stacklevel=4
            )
            kwargs["sop_ratio"] = 1.0 / share
        elif share is not None:
            kwargs["sop_share"] = share  # refused as unknown
        return args, kwargs

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        seen = context.observed
        return prune_activity(network, self, seen.neuron_rates, seen.covariance)


def prune_activity(
    network: Network,
    options: PruneActivity,
    rates: Float | None,
    covariance: Float | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Keep the synapses that carry most, within a number of synapses or of SOPs.

    Raises:
        SpecError: there are no rates, no covariance where one is needed, or they do not fit the
            network.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    rates = checked_rates(edges.n_neurons, rates)
    costs = costs_of(edges, options, rates)
    value = np.abs(edges.weight) * rates[edges.post]
    carried = value * rates[edges.pre]
    if options.in_sops:
        order = np.argsort(-value, kind="stable")
        keep = fill(order[carried[order] > 0], costs)
    else:
        keep = largest(carried, costs)
    gain, rescaled = rescale_gains(edges, keep, options.rescale, covariance=covariance)
    keep &= gain > 0.0
    report = synapse_report(network, edges, keep)
    report |= budget_report(edges, keep, options, costs, rates)
    report |= {
        "silent_synapses": _silent(edges, rates),
        "rescale": rescaled,
    }
    return keep_synapses(network, edges, keep, gain).verify(), report


def _silent(edges: RecurrentEdges, rates: Float) -> int:
    return int(np.count_nonzero((rates[edges.pre] == 0) | (rates[edges.post] == 0)))
