"""What one event of every source sets off: the tables that all counting rests on.

A source is a neuron, or N + channel of an input. A synapse acts when its weight on the grid is
not 0, or when it learns; a stored weight of 0 that does not learn is none, on Lava either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import rows_of
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection

Int = NDArray[np.int64]
Kind = Literal["sop", "mac", "host_mac"]


@dataclass(frozen=True, eq=False)
class ProjectionFan:
    """Fan-out of the sources of one projection.

    Attributes:
        name, pre, post: of the projection.
        kind: ``sop`` (binary spikes), ``mac`` (graded spikes) or ``host_mac`` (through biases).
        recurrent: from neurons, not from an input.
        first: index of the first source.
        acting, stored: (n_pre,) synapses of every source, those that act and all.
        shape: (n_post, n_pre).
    """

    name: str
    pre: str
    post: str
    kind: Kind
    recurrent: bool
    first: int
    acting: Int
    stored: Int
    shape: tuple[int, int]

    @property
    def sources(self) -> slice:
        """Where its sources are among all of them."""
        return slice(self.first, self.first + self.acting.size)


@dataclass(frozen=True, eq=False)
class Table:
    """Synapses that act by source, for the projections of G populations; all int32.

    Attributes:
        group: (n_sources,) population of every source.
        bound: (G + 1,) its first source.
        slots: (G + 1,) its first slot; a slot is a projection that it feeds.
        projection: (S,) index of the projection.
        offset: (S,) where the slot begins in `fan`.
        fan: synapses of the sources of every slot, one slot after the other.
    """

    group: NDArray[np.int32]
    bound: NDArray[np.int32]
    slots: NDArray[np.int32]
    projection: NDArray[np.int32]
    offset: NDArray[np.int32]
    fan: NDArray[np.int32]

    @property
    def arrays(self) -> tuple[NDArray[np.int32], ...]:
        """As `counting_kernels.tally` takes them."""
        return self.group, self.bound, self.slots, self.projection, self.offset, self.fan

    @staticmethod
    def of(sizes: list[int], fans: Sequence[tuple[int, ProjectionFan]]) -> Table:
        """From the sizes of all populations in the order of sources, and numbered projections."""
        bound = np.append(0, np.cumsum(sizes, dtype=np.int64))
        ordered_fans = sorted(fans, key=lambda fan: (fan[1].first, fan[0]))
        where = np.searchsorted(bound, [fan.first for _, fan in ordered_fans], side="right") - 1
        parts = [np.zeros(0, dtype=np.int64), *(fan.acting for _, fan in ordered_fans)]
        arrays = (
            np.repeat(np.arange(len(sizes)), sizes),
            bound,
            np.searchsorted(where, np.arange(len(sizes) + 1)),
            np.array([k for k, _ in ordered_fans], dtype=np.int32),
            np.cumsum([part.size for part in parts])[:-1],
            np.concatenate(parts),
        )
        return Table(*_int32(*arrays))


@dataclass(frozen=True, eq=False)
class FanOut:
    """Fan-out of a network, by source and core.

    Attributes:
        n_neurons, n_inputs: sizes; the sources are the neurons, then the channels.
        n_cores: cores in use; 1 when not placed.
        placed: False when all neurons count as on one core, since no placement is known.
        projections: in the order of the network.
        synaptic, host: synapses of projections onto synapses, and of those through biases.
        listened: (n_inputs,) channels whose population has a projection onto synapses.
        sops, macs: CSR (n_sources, n_cores), synapses that act.
        destinations: CSR (n_sources, n_cores), 1 where a message goes.
        onto: the same by core, int32: where each core begins (n_cores + 1,), then for every
            source that reaches it the source and the SOPs that one of its events causes there.
        learning: per learning projection, the synapses that learn and the steps of an epoch.
    """

    n_neurons: int
    n_inputs: int
    n_cores: int
    placed: bool
    projections: tuple[ProjectionFan, ...]
    synaptic: Table
    host: Table
    listened: NDArray[np.bool_]
    sops: sparse.csr_matrix
    macs: sparse.csr_matrix
    destinations: sparse.csr_matrix
    onto: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
    learning: tuple[tuple[int, int], ...]

    @property
    def n_sources(self) -> int:
        """Neurons and channels."""
        return self.n_neurons + self.n_inputs

    @staticmethod
    def of(network: QuantizedNetwork, core_of: Any | None = None) -> FanOut:
        """Count the synapses of every source.

        Args:
            network: integer network.
            core_of: (n_neurons,) core of every neuron, from 0; None for a single core.
        """
        fans = tuple(_fan(network, p) for p in network.projections)
        n = network.n_neurons
        sizes = [p.size for p in network.compute_populations]
        sizes += [p.size for p in network.input_populations]
        onto = {p.pre for p in network.projections if p.target == "synapse"}
        heard = [np.full(p.size, p.name in onto) for p in network.input_populations]
        learning = tuple(
            (int(p.plastic_synapses().sum()), p.learning.t_epoch)
            for p in network.projections
            if p.learning is not None
        )
        cores = None if core_of is None else np.asarray(core_of, dtype=np.int64)
        n_cores = 1 if cores is None else int(cores.max(initial=-1)) + 1
        sops, macs = (_by_core(network, fans, cores, n_cores, kind) for kind in ("sop", "mac"))
        destinations = sparse.csr_matrix(sops + macs)
        destinations.data = np.ones_like(destinations.data)
        # one more for every entry, so that those of graded spikes alone stay
        onto = sparse.csr_matrix((sops + destinations).T)
        return FanOut(
            n,
            network.n_inputs,
            n_cores,
            core_of is not None,
            fans,
            Table.of(sizes, [(k, f) for k, f in enumerate(fans) if f.kind != "host_mac"]),
            Table.of(sizes, [(k, f) for k, f in enumerate(fans) if f.kind == "host_mac"]),
            np.concatenate([np.zeros(0, np.bool_), *heard]),
            sops,
            macs,
            destinations,
            _int32(onto.indptr, onto.indices, onto.data - 1),
            learning,
        )


def _int32(*arrays: Any) -> Any:
    return tuple(np.ascontiguousarray(a, dtype=np.int32) for a in arrays)


def acting(projection: QuantizedProjection) -> NDArray[np.bool_]:
    """Stored synapses that act, (nnz,); all that learn do, whose weight may leave 0 any time.

    Those of a third factor do not: they change no current.
    """
    if projection.target == "factor":
        return np.zeros(projection.n_synapses, dtype=np.bool_)
    if projection.learning is not None:
        return projection.plastic_synapses()
    alive: NDArray[np.bool_] = projection.effective_weights().data != 0
    return alive


def _fan(network: QuantizedNetwork, projection: QuantizedProjection) -> ProjectionFan:
    weights = projection.weights
    n_post, n_pre = (int(k) for k in weights.shape)
    kind: Kind = "mac" if projection.num_message_bits else "sop"
    if projection.target == "bias":
        kind = "host_mac"
    is_input = network.population(projection.pre).is_input
    # what arrives as a third factor is added to no current: it counts as no operation
    stored = weights.indices if projection.target != "factor" else weights.indices[:0]
    return ProjectionFan(
        projection.name,
        projection.pre,
        projection.post,
        kind,
        not is_input,
        network.offset(projection.pre) + (network.n_neurons if is_input else 0),
        np.bincount(weights.indices[acting(projection)], minlength=n_pre).astype(np.int64),
        np.bincount(stored, minlength=n_pre).astype(np.int64),
        (n_post, n_pre),
    )


def _by_core(
    network: QuantizedNetwork,
    fans: tuple[ProjectionFan, ...],
    cores: Int | None,
    n_cores: int,
    kind: str,
) -> sparse.csr_matrix:
    """Synapses of a kind that act, from every source onto every core."""
    n_sources = network.n_neurons + network.n_inputs
    total = sparse.csr_matrix((n_sources, n_cores), dtype=np.int64)
    for projection, fan in zip(network.projections, fans, strict=True):
        if fan.kind != kind:
            continue
        if cores is None:
            source = np.flatnonzero(fan.acting)
            place = (fan.first + source, np.zeros_like(source))
            total = total + sparse.csr_matrix((fan.acting[source], place), shape=total.shape)
            continue
        alive, weights = acting(projection), projection.weights
        first = network.offset(projection.post)
        rows = first + rows_of(weights)
        place = (fan.first + weights.indices[alive].astype(np.int64), cores[rows[alive]])
        ones = np.ones(place[0].size, dtype=np.int64)
        total = total + sparse.csr_matrix((ones, place), shape=total.shape)
    return sparse.csr_matrix(total)
