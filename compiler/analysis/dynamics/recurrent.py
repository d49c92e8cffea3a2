"""The recurrent synapses of a network as one edge list over the global neuron index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import rows_of
from hrsnn_lava.network import Network

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RecurrentEdges:
    """Every synapse between neurons, projection by projection; inputs are left out.

    Attributes:
        n_neurons: N, inputs not counted.
        post, pre: (E,) global neuron indices of the two ends.
        weight: (E,) weights, dimensionless.
        names: the projections the edges come from, in order.
        bounds: (len(names) + 1,) edges of projection k are ``bounds[k]:bounds[k + 1]``, in the
            order of its canonical CSR.
    """

    n_neurons: int
    post: Int
    pre: Int
    weight: Float
    names: tuple[str, ...]
    bounds: Int

    @property
    def n_edges(self) -> int:
        """E, the number of recurrent synapses."""
        return int(self.weight.size)

    @cached_property
    def _slots(self) -> tuple[Int, Int]:
        # Two projections may join the same pair of neurons; an (N, N) matrix has one place for it.
        keys, slot = np.unique(self.post * self.n_neurons + self.pre, return_inverse=True)
        return keys, slot.reshape(-1)

    @property
    def slot(self) -> Int:
        """(E,) position of every edge in the data of `matrix`."""
        return self._slots[1]

    @cached_property
    def matrix(self) -> sparse.csr_matrix:
        """W as CSR (N, N), rows post; weights of parallel synapses are summed, zeros kept."""
        keys, slot = self._slots
        data = np.bincount(slot, weights=self.weight, minlength=keys.size)
        starts = np.arange(self.n_neurons + 1) * self.n_neurons
        indptr = np.searchsorted(keys, starts)
        indices = keys % max(self.n_neurons, 1)
        return sparse.csr_matrix((data, indices, indptr), shape=(self.n_neurons, self.n_neurons))

    def select(self, keep: Bool) -> RecurrentEdges:
        """The edges for which `keep` (E,) is true."""
        counts = np.concatenate([[0], np.cumsum(keep)])
        return RecurrentEdges(
            self.n_neurons,
            self.post[keep],
            self.pre[keep],
            self.weight[keep],
            self.names,
            counts[self.bounds],
        )


def recurrent_edges(network: Network) -> RecurrentEdges:
    """Stack the projections between populations of neurons into one edge list.

    Args:
        network: with N neurons, whose global order is that of its populations.
    """
    inputs = {p.name for p in network.input_populations}
    recurrent = [p for p in network.projections if p.target == "synapse" and p.pre not in inputs]
    post, pre, weight = [], [], []
    for projection in recurrent:
        csr = projection.weights
        post.append(rows_of(csr) + network.offset(projection.post))
        pre.append(csr.indices.astype(np.int64) + network.offset(projection.pre))
        weight.append(csr.data)
    bounds = np.cumsum([0, *(len(w) for w in weight)]).astype(np.int64)
    return RecurrentEdges(
        network.n_neurons,
        np.concatenate([np.zeros(0, np.int64), *post]),
        np.concatenate([np.zeros(0, np.int64), *pre]),
        np.concatenate([np.zeros(0), *weight]),
        tuple(p.name for p in recurrent),
        bounds,
    )
