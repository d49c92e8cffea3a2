"""Prune neurons that few shortest paths run through."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness, weakly_connected_sizes
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.surgery import drop_neurons
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, Seed, options
from hrsnn_lava.seeding import generator

EXACT_UP_TO = 2000
PIVOTS = 256


@options
class PruneBetweenness(Pass[Network, Network]):
    """Drop the neurons with the lowest betweenness, the same share of every population.

    Step II of Lyapunov Noise Pruning; its threshold is not published, so a share is asked for
    (ours), which also keeps the ratio of excitatory to inhibitory neurons.

    Attributes:
        fraction: share of the neurons to drop, 0 <= fraction < 1; every population keeps at
            least one neuron.
        rounds: the share is dropped in that many equal parts, the betweenness computed anew.
        n_pivots: not set: exact up to 2000 neurons, 256 pivots above; 0: always exact.
        seed: of the random stream ``prune_betweenness`` that draws the pivots; by default that
            of the compilation.
    """

    name: ClassVar[str] = "prune_betweenness"

    fraction: Annotated[float, Field(ge=0, lt=1)]
    rounds: Count = 1
    n_pivots: Annotated[int, Field(ge=0)] | None = None
    seed: Seed | None = None

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        del context
        return prune_betweenness(network, self, generator(self.seed or 0, self.name))


def prune_betweenness(
    network: Network, options: PruneBetweenness, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Drop the least central neurons; of equally central ones those that come last.

    The report's ``kept`` lists the global indices, before pruning, of the neurons that stay.
    """
    sizes = {p.name: p.size for p in network.compute_populations}
    survivors = np.arange(network.n_neurons)
    report: dict[str, Any] = {
        "neurons_before": network.n_neurons,
        "synapses_before": recurrent_edges(network).n_edges,
        "pivots": [],
    }
    for step in range(1, options.rounds + 1):
        share = options.fraction * step / options.rounds
        targets = {name: max(1, size - round(share * size)) for name, size in sizes.items()}
        n_pivots = _pivots(options.n_pivots, network.n_neurons)
        matrix = recurrent_edges(network).matrix
        score = betweenness(matrix, n_pivots=n_pivots, rng=rng)
        central = _most_central(network, score, targets)
        network, survivors = drop_neurons(network, central), survivors[central]
        report["pivots"].append(n_pivots or "exact")
    edges = recurrent_edges(network)
    components = weakly_connected_sizes(edges.matrix)
    report |= {
        "fraction": options.fraction,
        "neurons_after": network.n_neurons,
        "kept": [int(neuron) for neuron in survivors],
        "synapses_after": edges.n_edges,
        "populations": {
            p.name: {"before": sizes[p.name], "after": p.size} for p in network.compute_populations
        },
        "largest_component": components[0],
        "components": len(components),
    }
    return network.verify(), report


def _pivots(n_pivots: int | None, n_neurons: int) -> int | None:
    if n_pivots is None:
        return None if n_neurons <= EXACT_UP_TO else PIVOTS
    return n_pivots or None


def _most_central(
    network: Network, score: NDArray[np.float64], targets: dict[str, int]
) -> NDArray[np.bool_]:
    keep = np.zeros(network.n_neurons, dtype=np.bool_)
    for population in network.compute_populations:
        start = network.offset(population.name)
        part = score[start : start + population.size]
        best = np.argsort(-part, kind="stable")[: targets[population.name]]
        keep[start + best] = True
    return keep
