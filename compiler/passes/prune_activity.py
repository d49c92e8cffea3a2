"""Prune the synapses that carry the least current, at the least cost in synaptic operations."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.passes.prune_magnitude import largest
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Network
from hrsnn_lava.options import Share, options

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@options
class PruneActivity(Pass[Network, Network]):
    """Keep the synapses with the largest ``|w| r_pre r_post``, by number or by SOPs (ours).

    Rates are those of the run that the context observed. Give exactly one of `density` and
    `sop_share`. A synapse costs one synaptic operation (SOP)
    per presynaptic spike, so filling a budget goes by ``|w| r_post``, the value per SOP; synapses
    of silent neurons would be free and useless, and are dropped.

    Attributes:
        density: share of the recurrent synapses to keep, 0 to 1.
        sop_share: share of the recurrent SOPs at these rates to keep, 0 to 1.
        rescale: gains of the kept weights, ``none`` or ``match``.
    """

    name: ClassVar[str] = "prune_activity"
    needs_rates: ClassVar[bool] = True

    density: Share | None = None
    sop_share: Share | None = None
    rescale: RescaleOption = field(default_factory=Rescale)

    def __post_init__(self) -> None:
        if (self.density is None) == (self.sop_share is None):
            raise SpecError("give either density or sop_share, not both and not neither")

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        return prune_activity(network, self, context.observed.neuron_rates)


def prune_activity(
    network: Network, options: PruneActivity, rates: Float | None
) -> tuple[Network, dict[str, Any]]:
    """Keep the synapses that carry most, within a number of synapses or of SOPs.

    Raises:
        SpecError: there are no rates, or they do not fit the network.
    """
    options.rescale.check(sampled=False)
    rates = _checked(network, rates)
    edges = recurrent_edges(network)
    cost = rates[edges.pre]
    value = np.abs(edges.weight) * rates[edges.post]
    if options.density is not None:
        keep = largest(value * cost, round(options.density * edges.n_edges))
    else:
        keep = _fill(value, cost, float(options.sop_share or 0.0))
    gain, rescaled = rescale_gains(edges, keep, options.rescale)
    report = synapse_report(network, edges, keep)
    before = float(cost.sum())
    report |= {
        "density": options.density,
        "sop_share": options.sop_share,
        "sop_before": before,
        "sop_after": float(cost[keep].sum()),
        "silent_synapses": _silent(edges, rates),
        "rescale": rescaled,
    }
    return keep_synapses(network, edges, keep, gain).verify(), report


def _fill(value: Float, cost: Float, share: float) -> Bool:
    order = np.argsort(-value, kind="stable")
    order = order[(value * cost)[order] > 0]
    spent = np.cumsum(cost[order])
    # The sum in another order may differ in the last bits; share 1 must still keep everything.
    budget = share * float(cost.sum()) * (1.0 + 1e-12)
    keep = np.zeros(value.size, dtype=np.bool_)
    keep[order[: int(np.searchsorted(spent, budget, side="right"))]] = True
    return keep


def _silent(edges: RecurrentEdges, rates: Float) -> int:
    return int(np.count_nonzero((rates[edges.pre] == 0) | (rates[edges.post] == 0)))


def _checked(network: Network, rates: Float | None) -> Float:
    problems = []
    if rates is None:
        fix = "give `rates` or `observed` to compile, or measure them: `measure_rates`"
        problems.append(Problem("rates", "not known", f"({network.n_neurons},)", fix))
        rates = np.zeros(network.n_neurons)
    elif rates.shape != (network.n_neurons,):
        problems.append(Problem("rates", f"shape {rates.shape}", f"({network.n_neurons},)"))
    raise_if(SpecError, "the network cannot be pruned by activity", problems)
    return rates
