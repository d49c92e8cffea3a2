"""Prune the synapses with the smallest weights."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import Share, options

Bool = NDArray[np.bool_]


@options
class PruneMagnitude(Pass[Network, Network]):
    """Keep the recurrent synapses with the largest ``|w|``, over all projections together.

    Attributes:
        density: share of the network's recurrent synapses to keep, 0 to 1.
        rescale: gains of the kept weights, ``none`` or ``match``.
    """

    name: ClassVar[str] = "prune_magnitude"

    density: Share
    rescale: RescaleOption = field(default_factory=Rescale)

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        del context
        return prune_magnitude(network, self)


def largest(score: NDArray[np.float64], count: int) -> Bool:
    """Marks the `count` largest scores; of equal ones those that come first."""
    keep = np.zeros(score.size, dtype=np.bool_)
    keep[np.argsort(-score, kind="stable")[:count]] = True
    return keep


def prune_magnitude(network: Network, options: PruneMagnitude) -> tuple[Network, dict[str, Any]]:
    """Keep the synapses with the largest ``|w|``; equal weights in edge order.

    Raises:
        SpecError: a rescaling that divides by probabilities, of which there are none.
    """
    options.rescale.check(sampled=False)
    edges = recurrent_edges(network)
    size = np.abs(edges.weight)
    keep = largest(size, round(options.density * edges.n_edges))
    gain, rescaled = rescale_gains(edges, keep, options.rescale)
    report = synapse_report(network, edges, keep)
    report |= {
        "density": options.density,
        "smallest_kept": float(size[keep].min()) if keep.any() else 0.0,
        "rescale": rescaled,
    }
    return keep_synapses(network, edges, keep, gain).verify(), report
