"""The network as a hypergraph: one hyperedge per source, since one message serves a whole core.

A spike of source s sends one message to every core that holds a target of s (its own core too, as
SANA-FE counts), however many synapses wait there. With r_s spikes per step the traffic is

    messages = sum_s r_s lambda_s,    lambda_s = number of cores with a target of s,

the rate-weighted connectivity of hypergraph partitioning; the edge cut counts something else.
A message to another core also takes hops. Before cores have places these are not known, so each
counts as `HOP_WEIGHT` of a message: ``cost = messages + HOP_WEIGHT * messages between cores``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: About 4 hops of 3.6 pJ against 111 pJ a message, both of SANA-FE's fit of Loihi. Our choice.
HOP_WEIGHT = 0.13


@dataclass(frozen=True, eq=False)
class Hypergraph:
    """Sources and their targets.

    Attributes:
        targets: CSR (n_sources, n_neurons), non-zero where a source has a synapse on a neuron;
            neurons are the first sources, input channels follow.
        rate: (n_sources,) spikes per step, >= 0.
    """

    targets: sparse.csr_matrix
    rate: Float

    @property
    def n_neurons(self) -> int:
        """Neurons, which are what is put on cores."""
        return int(self.targets.shape[1])

    @staticmethod
    def of(links: Connectivity, rates: Any = 1.0, input_rates: Any = 1.0) -> Hypergraph:
        """Join the formats of `links`; rates are scalars, or one number per source."""
        total = sparse.csr_matrix((links.n_neurons, links.n_sources), dtype=np.int64)
        for pattern in links.inbound:
            total = total + pattern
        rate = source_rates(links, rates, input_rates)
        return Hypergraph(sparse.csr_matrix(total.T), rate)

    def spread(self, core_of: Any) -> tuple[Int, NDArray[np.bool_]]:
        """lambda of every source, (n_sources,), and whether its own core is among them."""
        cores = np.asarray(core_of, dtype=np.int64)
        n_cores = int(cores.max(initial=0)) + 1
        n_sources = self.targets.shape[0]
        source = np.repeat(np.arange(n_sources, dtype=np.int64), np.diff(self.targets.indptr))
        reached = np.unique(source * n_cores + cores[self.targets.indices])
        source, core = np.divmod(reached, n_cores)
        own = np.zeros(n_sources, dtype=np.bool_)
        neuron = source < cores.size
        at_home = source[neuron][cores[source[neuron]] == core[neuron]]
        own[at_home] = True
        return np.bincount(source, minlength=n_sources).astype(np.int64), own

    def traffic(self, core_of: Any) -> dict[str, float]:
        """Messages per step, those between cores, and the cost that partitioners minimise.

        Messages of input channels are counted, and none of them is at home.
        """
        reach, own = self.spread(core_of)
        messages = float(self.rate @ reach)
        between = float(self.rate @ (reach - own))
        return {
            "messages_per_step": messages,
            "between_cores_per_step": between,
            "cost": messages + HOP_WEIGHT * between,
        }


def source_rates(links: Connectivity, rates: Any, input_rates: Any) -> Float:
    """Spikes per step of every source, (n_sources,): neurons, then input channels."""
    n = links.n_neurons
    rate = np.empty(links.n_sources, dtype=np.float64)
    rate[:n] = np.asarray(rates, dtype=np.float64)
    rate[n:] = np.asarray(input_rates, dtype=np.float64)
    return rate
