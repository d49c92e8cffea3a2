"""Prune synapses at random: the control that every score has to beat."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, Literal

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.edge_sampling import sample_edges
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption, rescale_gains
from hrsnn_lava.compiler.pruning.surgery import keep_synapses, synapse_report
from hrsnn_lava.network import Network
from hrsnn_lava.options import Seed, Share, options
from hrsnn_lava.seeding import generator


@options
class PruneRandom(Pass[Network, Network]):
    """Keep a random share of the recurrent synapses.

    Attributes:
        density: share of the network's recurrent synapses to keep, 0 to 1.
        sampling: ``exact`` count, independent ``bernoulli``, or ``systematic``, which also spreads
            the kept synapses evenly over the neurons.
        rescale: gains of the kept weights: ``none``, ``inverse`` or ``match``.
        seed: of the random stream ``prune_random``; by default that of the compilation.
    """

    name: ClassVar[str] = "prune_random"
    samples: ClassVar[bool] = True

    density: Share
    sampling: Literal["exact", "bernoulli", "systematic"] = "exact"
    rescale: RescaleOption = field(default_factory=lambda: Rescale("match"))
    seed: Seed | None = None

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The pruned network and the report of what was done."""
        del context
        return prune_random(network, self, generator(self.seed or 0, self.name))


def prune_random(
    network: Network, options: PruneRandom, rng: np.random.Generator
) -> tuple[Network, dict[str, Any]]:
    """Keep every recurrent synapse with the same probability."""
    edges = recurrent_edges(network)
    p = np.full(edges.n_edges, options.density)
    if options.sampling == "exact":
        count = round(options.density * edges.n_edges)
        keep = np.zeros(edges.n_edges, dtype=np.bool_)
        keep[rng.choice(edges.n_edges, size=count, replace=False)] = True
    else:
        keep = sample_edges(p, options.sampling, rng)
    gain, rescaled = rescale_gains(edges, keep, options.rescale, p)
    report = synapse_report(network, edges, keep)
    report |= {"density": options.density, "sampling": options.sampling, "rescale": rescaled}
    return keep_synapses(network, edges, keep, gain).verify(), report
