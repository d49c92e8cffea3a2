"""What a partitioner works on: vertices with synapse lists, and what a core may hold.

A vertex is a neuron, or a cluster of neurons while the network is coarsened. Its pins are its
incoming synapses, one per (source, synapse format), with the number of synapses; clusters add
them up, so that lists, axons and memory of a core come out exact at every level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.core_filling import limits_of
from hrsnn_lava.compiler.analysis.occupancy.utilization import index_bits, list_words, stored_bits
from hrsnn_lava.compiler.palettes.clustering import compartment_classes
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]
Float = NDArray[np.float64]
#: Columns of what a core uses that add up over its vertices or lists.
NEURONS, SLOTS, WORDS, SYNAPSES, OUT = range(5)
UNLIMITED = 2**60


class Level(NamedTuple):
    """Vertices of one level, V of them, as the kernels read them.

    Attributes:
        pin_start: (V + 1,); pins of vertex v are ``pin_start[v]:pin_start[v + 1]``, sorted by
            source, then format.
        source, form, synapses: (P,) source, format and number of synapses of every pin.
        own_start, own: CSR lists of the sources (neurons) inside every vertex.
        vertex_of: (n_sources,) vertex of every source, -1 for input channels.
        size: (V,) neurons. total: (V,) synapses.
        class_start, classes: CSR lists of the compartment classes inside every vertex.
        first, second: (V, D) and (V,): sums of the palette coordinates and of their squares.
        weight: (n_sources,) spikes per step.
        one_form: (n_sources,) whether all synapses of a source have one format.
    """

    pin_start: Int
    source: NDArray[np.int32]
    form: NDArray[np.int32]
    synapses: NDArray[np.int32]
    own_start: Int
    own: NDArray[np.int32]
    vertex_of: NDArray[np.int32]
    size: Int
    total: Int
    class_start: Int
    classes: NDArray[np.int32]
    first: Float
    second: Float
    weight: Float
    one_form: NDArray[np.bool_]


class Caps(NamedTuple):
    """What a core may hold; `UNLIMITED` where there is no limit.

    Attributes:
        most: (5,) limits of neurons, input axon slots, words, synapses, output axon slots.
        forms, classes, traces, epochs: most distinct ones.
        words: (F, longest + 1) memory words of a list, by format and length.
        bit: (F,) bit of a format in the mask that decides its slots: 1 without learning, else
            2 << setting of the traces.
        trace, epoch: (F,) setting of the traces and epoch of each format, -1 for none.
        count_out: whether output axons can overflow at all; count_kinds: whether formats,
            classes, traces or epochs can; count_lists: whether input axons or words can.
    """

    most: Int
    forms: int
    classes: int
    traces: int
    epochs: int
    words: Int
    bit: Int
    trace: Int
    epoch: Int
    n_classes: int
    count_out: bool
    count_kinds: bool
    count_lists: bool


@dataclass(frozen=True, eq=False)
class PartitionProblem:
    """A network to be put on cores of a profile.

    Attributes:
        network: for the rules that look at single weights; None leaves them out.
        pins: CSR (V, n_sources * F), column ``source * F + format``, data the synapses.
        member: vertex of every neuron, (n_neurons,).
    """

    links: Connectivity
    profile: HardwareProfile
    weight: Float
    neurons_per_core: int
    pins: sparse.csr_matrix
    member: Int
    coordinates: Float
    class_of: Int
    level: Level
    network: QuantizedNetwork | None = None

    @staticmethod
    def of(
        links: Connectivity,
        profile: HardwareProfile,
        weight: Float,
        neurons_per_core: int | None = None,
        coordinates: Float | None = None,
        network: QuantizedNetwork | None = None,
    ) -> PartitionProblem:
        """Every neuron a vertex of its own.

        Args:
            weight: (n_sources,) spikes per step.
            coordinates: (n_neurons, D) whose spread on a core costs; see `palette_coordinates`.
        """
        n, kinds = links.n_neurons, max(len(links.formats), 1)
        pins = sparse.csr_matrix((n, links.n_sources * kinds), dtype=np.int64)
        for number, pattern in enumerate(links.inbound):
            columns = pattern.indices.astype(np.int64) * kinds + number
            part = (pattern.data.astype(np.int64), columns, pattern.indptr.astype(np.int64))
            pins = pins + sparse.csr_matrix(part, shape=pins.shape)
        pins.sort_indices()
        du, dv, refractory, _ = links.parameters.T
        classes = compartment_classes(du, dv, refractory) if n else np.zeros(0, dtype=np.int64)
        points = np.zeros((n, 1)) if coordinates is None else np.ascontiguousarray(coordinates)
        bound = min(x for x in (neurons_per_core, profile.core.neurons.value, n) if x is not None)
        member = np.arange(n, dtype=np.int64)
        level = _level(pins, (member, n), kinds, _Neurons(weight, points, classes))
        return PartitionProblem(
            links, profile, weight, max(bound, 1), pins, member, points, classes, level, network
        )

    @property
    def n_vertices(self) -> int:
        """Vertices of this level."""
        return int(self.level.size.size)

    def contract(self, labels: Int) -> PartitionProblem:
        """The level whose vertices are the clusters ``labels`` (V,), numbered from 0."""
        count = int(labels.max(initial=-1)) + 1
        ones = np.ones(labels.size, dtype=np.int64)
        join = sparse.csr_matrix((ones, (labels, np.arange(labels.size))), (count, labels.size))
        pins = sparse.csr_matrix(join @ self.pins)
        pins.sort_indices()
        member = labels[self.member]
        kinds = max(len(self.links.formats), 1)
        neurons = _Neurons(self.weight, self.coordinates, self.class_of)
        level = _level(pins, (member, count), kinds, neurons)
        return replace(self, pins=pins, member=member, level=level)

    def caps(self, neurons_per_core: int | None = None, n_cores: int = 1) -> Caps:
        """The limits of cores of at most so many neurons, whose size sets the index width.

        With fewer neurons a list takes at most the words counted here, so what fits these caps
        fits the chip.
        """
        bound = limits_of(self.links, self.profile)
        neurons = min(neurons_per_core or self.neurons_per_core, self.neurons_per_core)
        core, forms = self.profile.core, self.links.formats
        most = [
            neurons,
            *(_or_unlimited(bound[n]) for n in ("in_axons", "synapse_memory", "synapses")),
            _or_unlimited(core.out_axons.value),
        ]
        traces = self.links.trace_settings
        slots = 1 if not self.links.learns else 2 * (max(traces) + 1)
        words = words_table(self.links, self.profile, self.longest_list, neurons)
        return Caps(
            most=np.asarray(most, dtype=np.int64),
            forms=_or_unlimited(bound["synapse_formats"]),
            classes=_or_unlimited(bound["compartment_classes"]),
            traces=_or_unlimited(bound["trace_profiles"]),
            epochs=_or_unlimited(bound["learning_epochs"]),
            words=words,
            bit=np.asarray([1 if t < 0 else 2 << t for t in traces] or [1], dtype=np.int64),
            trace=np.asarray(traces or [-1], dtype=np.int64),
            epoch=np.asarray([_position(self.links.epochs, e) for e in self.links.epochs] or [-1]),
            n_classes=int(self.class_of.max(initial=0)) + 1,
            count_out=bool(forms) and neurons * n_cores * max(slots // 2, 1) > most[OUT],
            count_lists=bool(
                self.n_active * slots > most[SLOTS]
                or self.fan_in[:neurons].sum() * words[:, :2].max() > most[WORDS]
            ),
            count_kinds=bool(
                len(forms) > _or_unlimited(bound["synapse_formats"])
                or self.class_of.max(initial=0) + 1 > _or_unlimited(bound["compartment_classes"])
                or len(set(traces) - {-1}) > _or_unlimited(bound["trace_profiles"])
                or len(set(self.links.epochs) - {-1}) > _or_unlimited(bound["learning_epochs"])
            ),
        )

    @cached_property
    def longest_list(self) -> int:
        """Most synapses of one source in one format."""
        counts = np.bincount(self.pins.indices, self.pins.data, minlength=1)
        return int(counts.max(initial=0))

    @cached_property
    def n_active(self) -> int:
        """Sources with targets."""
        return int(np.unique(self.level.source).size)

    @cached_property
    def fan_in(self) -> Int:
        """Synapses of every neuron, falling, (n_neurons,)."""
        return np.sort(self.links.fan_in)[::-1]


def _or_unlimited(limit: int | None) -> int:
    return UNLIMITED if limit is None else int(limit)


def _position(values: tuple[int, ...], value: int) -> int:
    return -1 if value < 0 else sorted(set(values) - {-1}).index(value)


def words_table(links: Connectivity, profile: HardwareProfile, longest: int, neurons: int) -> Int:
    """Memory words of a list of 0..longest synapses on a core of so many neurons, (F, longest+1).

    All 0 for a chip whose synapse memory is not published.
    """
    lengths = np.arange(longest + 1, dtype=np.int64)
    memory = profile.synapse_memory
    if memory is None or not links.formats:
        return np.zeros((max(len(links.formats), 1), lengths.size), dtype=np.int64)
    width = int(index_bits(neurons, memory))
    rows = [
        list_words(
            lengths,
            memory,
            weight_bits=int(stored_bits(form.weight_bits, memory.weight_bits.values)),
            index_bits=width,
            delay_bits=form.delay_bits,
        )
        for form in links.formats
    ]
    return np.ascontiguousarray(np.stack(rows), dtype=np.int64)


class _Neurons(NamedTuple):
    """What no contraction changes: weight of every source, and of every neuron its coordinates
    among the tables' entries and its compartment class."""

    weight: Float
    points: Float
    class_of: Int


def _level(
    pins: sparse.csr_matrix, members: tuple[Int, int], kinds: int, neurons: _Neurons
) -> Level:
    """The vertices of one level; `members` are the vertex of every neuron and their number."""
    (member, count), (weight, points, class_of) = members, neurons
    n_sources = weight.size
    source, form = np.divmod(pins.indices.astype(np.int64), kinds)
    vertex_of = np.full(n_sources, -1, dtype=np.int32)
    vertex_of[: member.size] = member
    pairs = np.unique(np.stack([member, class_of], axis=1), axis=0)
    first = np.stack([np.bincount(member, x, count) for x in points.T], axis=1)
    return Level(
        pin_start=pins.indptr.astype(np.int64),
        source=source.astype(np.int32),
        form=form.astype(np.int32),
        synapses=pins.data.astype(np.int32),
        own_start=_starts(member, count),
        own=np.argsort(member, kind="stable").astype(np.int32),
        vertex_of=vertex_of,
        size=np.bincount(member, minlength=count).astype(np.int64),
        total=np.asarray(pins.sum(axis=1), dtype=np.int64).ravel(),
        class_start=_starts(pairs[:, 0], count),
        classes=pairs[:, 1].astype(np.int32),
        first=np.ascontiguousarray(first, dtype=np.float64),
        second=np.bincount(member, (points**2).sum(axis=1), count).astype(np.float64),
        weight=np.ascontiguousarray(weight, dtype=np.float64),
        one_form=_one_form(source, form, n_sources),
    )


def _one_form(source: Int, form: Int, n_sources: int) -> NDArray[np.bool_]:
    least = np.full(n_sources, UNLIMITED, dtype=np.int64)
    most = np.full(n_sources, -1, dtype=np.int64)
    np.minimum.at(least, source, form)
    np.maximum.at(most, source, form)
    return most <= least


def _starts(rows: Any, count: int) -> Int:
    sizes = np.bincount(np.asarray(rows, dtype=np.int64), minlength=count)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
