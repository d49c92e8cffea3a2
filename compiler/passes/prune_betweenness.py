"""Prune neurons that few shortest paths run through: `prune_neurons` by betweenness alone."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from hrsnn_lava.compiler.analysis.arrays import Device
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons, prune_neurons
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, Seed, options
from hrsnn_lava.seeding import generator


@options
class PruneBetweenness(Pass[Network, Network]):
    """Drop the neurons with the lowest betweenness, the same share of every population.

    `PruneNeurons` with that score, whether or not the network stays connected: what dropped neurons
    before there was another score, kept for those who name it.

    Attributes:
        fraction: share of the neurons to drop, 0 <= fraction < 1; every population keeps at
            least one neuron.
        rounds: the share is dropped in that many equal parts, the betweenness computed anew.
        n_pivots: not set: exact up to 2000 neurons, 256 pivots above; 0: always exact.
        seed: of the random stream ``prune_betweenness`` that draws the pivots; by default that
            of the compilation.
        device: where dense products are made: ``cpu``, or ``cuda`` by torch.
    """

    name: ClassVar[str] = "prune_betweenness"

    fraction: Annotated[float, Field(ge=0, lt=1)]
    rounds: Count = 1
    n_pivots: Annotated[int, Field(ge=0)] | None = None
    seed: Seed | None = None
    device: Device = "cpu"

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        del context
        return prune_betweenness(network, self, generator(self.seed or 0, self.name))

    def among_scores(self, *, connected: bool = False) -> PruneNeurons:
        """The same as one of the scores of neurons."""
        return PruneNeurons(
            self.fraction,
            rounds=self.rounds,
            connected=connected,
            n_pivots=self.n_pivots,
            seed=self.seed,
            device=self.device,
        )


def prune_betweenness(
    network: Network, options: PruneBetweenness, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Drop the least central neurons; of equally central ones those that come last.

    The report's ``kept`` lists the global indices, before pruning, of the neurons that stay.
    """
    return prune_neurons(network, options.among_scores(), Observed(), rng)
