"""Cut populations into parts, and every projection with them, without changing a bit.

A chip runs a population in pieces: on one core each, or as one Lava Process for each set of
parameters. `split_network` makes such pieces populations of their own. What decides the grid of a
projection (sign mode, bits, exponent) goes to all its parts unchanged: Lava would derive the sign
mode of a part anew, and a part that happens to be positive would get another grid than the whole.

One thing cannot be cut freely. With ``weight_exp < 0`` the sum of a step is shifted to the right
and rounded down, once for every projection, delay and neuron, and::

    floor(a + b) = floor(a) + floor(b)   only where a or b is a whole number

so the sum of a neuron may come from several parts only if at most one has a remainder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

__all__ = ["Piece", "Pieces", "Split", "rounded_apart", "split_network"]

Int = NDArray[np.int64]


class Piece(NamedTuple):
    """A part of a projection: its number, or None for the projection itself, and what is in it."""

    projection: str
    synapses: Int


@dataclass(frozen=True, eq=False)
class Split:
    """A network whose populations were cut, and the way back.

    Attributes:
        whole: before the cut.
        network: after it. A part of population P is ``P.0``, ``P.1``, ... in the order of its
            labels; one that stays whole keeps its name. A part of projection Q from part j onto
            part i is ``Q.i.j``. Parts without a synapse are left out.
        neurons: (n_neurons,) global index in `whole` of every neuron of `network`.
        pieces: for every projection of `network` the one that it is part of, and where its
            synapses stand among that one's stored weights, (nnz,).
    """

    whole: QuantizedNetwork
    network: QuantizedNetwork
    neurons: Int
    pieces: Mapping[str, Piece]


class Pieces:
    """Where each neuron and each input channel goes, by population.

    Attributes:
        part: number of the part of every neuron, (size,); an input is one part.
        place: index of every neuron within its part, (size,).
        sizes: of the parts.
    """

    def __init__(self, network: QuantizedNetwork, labels: ArrayLike) -> None:
        values = np.asarray(labels)
        if values.shape != (network.n_neurons,):
            raise SpecError(f"labels have shape {values.shape}; allowed: ({network.n_neurons},)")
        self.part: dict[str, Int] = {}
        self.place: dict[str, Int] = {}
        self.sizes: dict[str, Int] = {}
        for population in network.populations:
            name, size = population.name, population.size
            part = np.zeros(size, dtype=np.int64)
            if not population.is_input:
                first = network.offset(name)
                part = np.unique(values[first : first + size], return_inverse=True)[1].reshape(-1)
            self.part[name] = part
            self.sizes[name] = np.bincount(part)
            order = np.argsort(part, kind="stable")
            starts = np.cumsum(self.sizes[name]) - self.sizes[name]
            self.place[name] = np.empty(size, dtype=np.int64)
            self.place[name][order] = np.arange(size) - np.repeat(starts, self.sizes[name])

    def members(self, name: str) -> list[Int]:
        """Neurons of each part, in order."""
        order = np.argsort(self.part[name], kind="stable")
        return np.split(order, np.cumsum(self.sizes[name])[:-1])

    def cut(self, projection: QuantizedProjection) -> Iterator[tuple[int, int, Int]]:
        """Parts with a synapse: number of the post- and presynaptic part, and its synapses.

        Synapses that a learning projection has lost to truncation are in no part.
        """
        rows, cols = _places(projection)
        n_pre = self.sizes[projection.pre].size
        pair = self.part[projection.post][rows] * n_pre + self.part[projection.pre][cols]
        live = np.arange(pair.size)
        if projection.learning is not None:
            live = np.flatnonzero(projection.plastic_synapses())
        if not live.size:
            return
        order = live[np.argsort(pair[live], kind="stable")]
        pair_numbers, first = np.unique(pair[order], return_index=True)
        for value, synapses in zip(pair_numbers.tolist(), np.split(order, first[1:]), strict=True):
            yield value // n_pre, value % n_pre, synapses


def split_network(network: QuantizedNetwork, labels: ArrayLike) -> Split:
    """Cut every population into the neurons of equal label.

    Spikes, states and learned weights stay the same bit for bit, as long as `rounded_apart` finds
    nothing.

    Args:
        network: integers.
        labels: (n_neurons,) of any kind that can be sorted, in global order: cores, or numbers
            of sets of parameters.

    Raises:
        SpecError: another number of labels, or a cut through a network with a three-factor rule,
            whose senders and neurons go together in order.
    """
    pieces = Pieces(network, labels)
    cut = any(len(sizes) > 1 for sizes in pieces.sizes.values())
    learning = [p.learning for p in network.projections if p.learning is not None]
    if cut and any(entry.third_factor is not None for entry in learning):
        raise SpecError("a network with a three-factor rule is not cut into parts")
    used_names = {p.name for p in network.populations}
    populations: list[QuantizedPopulation | QuantizedInput] = []
    names: dict[str, list[str]] = {}
    neurons: list[Int] = []
    for population in network.populations:
        name = population.name
        members, names[name] = pieces.members(name), [name]
        if isinstance(population, QuantizedInput):
            populations.append(population)
            continue
        neurons += [network.offset(name) + part for part in members]
        if len(members) == 1:
            populations.append(population)
            continue
        names[name] = [_free(f"{name}.{k}", used_names) for k in range(len(members))]
        for part_name, part in zip(names[name], members, strict=True):
            fields: dict[str, Any] = {f: population.parameter(f)[part] for f in RANGES}
            populations.append(replace(population, name=part_name, size=part.size, **fields))
    projections, origin = [], {}
    used_names = {p.name for p in network.projections}
    for projection in network.projections:
        whole = len(names[projection.post]) == len(names[projection.pre]) == 1
        for post, pre, synapses in pieces.cut(projection):
            name = (
                projection.name if whole else _free(f"{projection.name}.{post}.{pre}", used_names)
            )
            origin[name] = Piece(projection.name, synapses)
            ends = (names[projection.post][post], names[projection.pre][pre])
            shape = (
                int(pieces.sizes[projection.post][post]),
                int(pieces.sizes[projection.pre][pre]),
            )
            projections.append(_part(projection, pieces, synapses, name, ends, shape))
    part_network = replace(network, populations=tuple(populations), projections=tuple(projections))
    return Split(network, part_network, np.concatenate(neurons), origin)


def _part(
    projection: QuantizedProjection,
    pieces: Pieces,
    synapses: Int,
    name: str,
    ends: tuple[str, str],
    shape: tuple[int, int],
) -> QuantizedProjection:
    """Some synapses of a projection; their order, row by row, is kept."""
    rows, cols = _places(projection)
    row = pieces.place[projection.post][rows[synapses]]
    col = pieces.place[projection.pre][cols[synapses]]
    starts = np.append(0, np.cumsum(np.bincount(row, minlength=shape[0])))
    matrix = sparse.csr_matrix((projection.weights.data[synapses], col, starts), shape=shape)
    delays, learning = projection.delays, projection.learning
    return replace(
        projection,
        name=name,
        post=ends[0],
        pre=ends[1],
        weights=matrix,
        delays=delays if delays is None or np.ndim(delays) == 0 else delays[synapses],
        learning=None if learning is None else learning.select(synapses),
    )


def rounded_apart(projection: QuantizedProjection, part: Int) -> Int:
    """Postsynaptic neurons whose sum of a step several parts would round apart.

    Args:
        projection: with any exponent; those of 0 and more are never rounded.
        part: (n_pre,) number of the part of each presynaptic neuron.

    Returns:
        Indices of rows, rising. A weight that is learned counts as one with a remainder.
    """
    shift = -projection.weight_exp
    if shift <= 0 or projection.target == "bias":
        return np.zeros(0, dtype=np.int64)
    rows, cols = _places(projection)
    if projection.learning is None:
        has_remainder = projection.effective_weights().data & ((1 << shift) - 1) != 0
    else:
        has_remainder = projection.plastic_synapses()
    sums = np.stack([rows, projection.delay_steps.astype(np.int64)], axis=1)[has_remainder]
    sources = np.unique(np.column_stack([sums, part[cols[has_remainder]]]), axis=0)
    again = np.all(sources[1:, :2] == sources[:-1, :2], axis=1)
    neurons: Int = np.unique(sources[1:][again, 0])
    return neurons


def _places(projection: QuantizedProjection) -> tuple[Int, Int]:
    """Row and column of every stored weight, (nnz,)."""
    weights = projection.weights
    return rows_of(weights), weights.indices.astype(np.int64)


def _free(name: str, used_names: set[str]) -> str:
    """`name`, longer where something else is called so; it is taken from then on."""
    while name in used_names:
        name += "'"
    used_names.add(name)
    return name
