"""What a placed network uses of every core, exactly.

A source is a neuron or an input channel. Counts per core, for synapses with
``target="synapse"`` whose effective weight is not 0:

- input axons: distinct sources with a synapse onto the core; two slots for each setting of the
  presynaptic traces that learning synapses of the source need, since the second holds the trace;
- output axons: (neuron, destination core) pairs, on the neuron's core, its own core included, once
  for each such setting; input channels are injected by the host and have none;
- synapse memory: one list per (source, core, synapse format), see `list_words`;
- trace profiles: distinct settings of presynaptic traces; learning epochs: distinct lengths;
- compartment profiles: distinct (du, dv, refractory); threshold profiles: distinct vth.

Projections with ``target="bias"`` use none of it: the host writes the neurons' biases.
Limits and encodings follow nengo-loihi 1.1.0; see `hardware_profiles/*.toml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.hardware_profiles import HardwareProfile, SynapseMemory
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]


def list_words(
    lengths: Any,
    memory: SynapseMemory,
    *,
    weight_bits: int,
    index_bits: Any = 0,
    delay_bits: int = 0,
    tag_bits: int = 0,
) -> Int:
    """Words of synapse memory that lists of the given lengths take.

    Per group of at most `group_size` synapses ``ceil((n bits + header) / word)`` words, with
    ``bits = weight + delay + tag + index`` (nengo-loihi 1.1.0, `bits_per_axon`, compression 0;
    ``index_bits=0`` gives its dense compression 3). All widths are stored widths in bits.

    Args:
        lengths: synapses per list, any shape.
        memory: the encoding; it has no groups when `group_size` has no value.
        weight_bits, delay_bits, tag_bits: scalars.
        index_bits: scalar, or an array that broadcasts with `lengths`.
    """
    count = np.asarray(lengths, dtype=np.int64)
    bits = np.asarray(index_bits, dtype=np.int64) + (weight_bits + delay_bits + tag_bits)
    word, header = memory.word_bits.value or 1, memory.header_bits.value or 0
    if memory.group_size.value is None:
        return np.where(count > 0, -(-(count * bits + header) // word), 0)
    full, rest = np.divmod(count, memory.group_size.value)
    words_full = -(-(memory.group_size.value * bits + header) // word)
    words_rest = np.where(rest > 0, -(-(rest * bits + header) // word), 0)
    return np.asarray(full * words_full + words_rest, dtype=np.int64)


def stored_bits(needed: Any, choices: tuple[int, ...]) -> Int:
    """The smallest of the rising `choices` that holds `needed` bits; the largest at most."""
    table = np.asarray(choices, dtype=np.int64)
    position = np.searchsorted(table, np.asarray(needed, dtype=np.int64))
    return np.asarray(table[np.minimum(position, table.size - 1)], dtype=np.int64)


def index_bits(n_neurons: Any, memory: SynapseMemory) -> Int:
    """Bits of a target index on a core of `n_neurons`, rounded up to what can be stored.

    The core's size decides, as if every list reached its last neuron: our choice, exact when
    one does and never too low.
    """
    last = np.maximum(np.asarray(n_neurons, dtype=np.int64) - 1, 0)
    bits = np.ceil(np.log2(last + 1.0)).astype(np.int64)
    return stored_bits(bits, memory.index_bits.values)


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of a core.

    Attributes:
        name, unit: such as ``"in_axons"``, ``"axon"``.
        used: (n_cores,) int64.
        limit: per core; None when not published.
    """

    name: str
    unit: str
    used: Int
    limit: int | None

    @property
    def worst_core(self) -> int:
        """The core that uses most; the first of several."""
        return int(np.argmax(self.used)) if self.used.size else 0

    @property
    def worst(self) -> int:
        """What that core uses."""
        return int(self.used.max(initial=0))

    @property
    def fraction(self) -> float | None:
        """Share of the limit that the worst core uses; None without a limit."""
        return None if self.limit is None else self.worst / self.limit

    def over(self) -> Int:
        """The cores above the limit, rising."""
        if self.limit is None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.used > self.limit)


@dataclass(frozen=True, eq=False)
class Utilization:
    """Use of every resource on every core.

    Attributes:
        resources: in a fixed order; see `Utilization.__getitem__` for access by name.
        n_cores: cores in use.
        cores_limit: cores there are; None when not published.
        destinations: CSR (n_cores, n_sources), the number of synapses from a source onto a core.
        reach: (n_sources,) int64, output axons that each source needs.
    """

    resources: tuple[Resource, ...]
    n_cores: int
    cores_limit: int | None
    destinations: sparse.csr_matrix
    reach: Int

    def __getitem__(self, name: str) -> Resource:
        return next(r for r in self.resources if r.name == name)

    def constraints(self) -> Iterator[dict[str, Any]]:
        """Rows of the constraint table: rule, worst core, used, limit, fraction."""
        limit = self.cores_limit
        yield {
            "rule": "cores",
            "worst_core": None,
            "used": self.n_cores,
            "limit": limit,
            "fraction": None if limit is None else self.n_cores / limit,
        }
        for resource in self.resources:
            yield {
                "rule": resource.name,
                "worst_core": resource.worst_core,
                "used": resource.worst,
                "limit": resource.limit,
                "fraction": resource.fraction,
            }

    def cores(self) -> Iterator[dict[str, int]]:
        """Rows of the per-core table: the core and its use of every resource."""
        for core in range(self.n_cores):
            yield {"core": core, **{r.name: int(r.used[core]) for r in self.resources}}


def utilization(
    network: QuantizedNetwork | Connectivity, core_of: Any, profile: HardwareProfile
) -> Utilization:
    """Count what `network` uses of every core when neuron i is on core ``core_of[i]``.

    Args:
        network: integer network, or its `Connectivity` where several placements are compared.
        core_of: (n_neurons,) ints from 0; the cores in use are 0..max.
        profile: gives the limits and the encoding of the synapse memory.
    """
    links = network if isinstance(network, Connectivity) else Connectivity.of(network)
    cores = np.asarray(core_of, dtype=np.int64)
    n_cores = int(cores.max(initial=-1)) + 1
    counts = fan_in_counts(links, cores, n_cores)
    total = _sum(counts, (n_cores, links.n_sources))
    traces = _per_trace(links, counts, total.shape)
    reach = _reach(total, traces)
    neurons = np.bincount(cores, minlength=n_cores)
    du_dv_refractory, vth = links.parameters[:, :3], links.parameters[:, 3:]
    core = profile.core
    resources = [
        Resource("neurons", "neuron", neurons, core.neurons.value),
        Resource("in_axons", "axon", _in_axons(total, traces), core.in_axons.value),
        Resource("out_axons", "axon", _out_axons(reach, cores, n_cores), core.out_axons.value),
        Resource("synapses", "synapse", np.asarray(total.sum(axis=1)).ravel(), core.synapses.value),
        _memory(links, counts, neurons, profile),
        Resource(
            "compartment_profiles",
            "profile",
            distinct_rows(cores, du_dv_refractory, n_cores),
            core.compartment_profiles.value,
        ),
        Resource(
            "threshold_profiles",
            "profile",
            distinct_rows(cores, vth, n_cores),
            core.threshold_profiles.value,
        ),
        Resource(
            "synapse_formats",
            "format",
            sum((_per_row(c) > 0).astype(np.int64) for c in counts)
            + np.zeros(n_cores, dtype=np.int64),
            core.synapse_formats.value,
        ),
    ]
    if links.learns:
        resources += _learning(links, counts, traces, profile)
    return Utilization(tuple(resources), n_cores, profile.total_cores, total, reach)


def fan_in_counts(links: Connectivity, cores: Int, n_cores: int) -> list[sparse.csr_matrix]:
    """Per format, the number of synapses from every source onto every core.

    CSR (n_cores, n_sources): membership (n_cores, n_neurons) times the inbound pattern.
    """
    ones = np.ones(cores.size, dtype=np.int64)
    member = sparse.csr_matrix((ones, (cores, np.arange(cores.size))), (n_cores, cores.size))
    return [sparse.csr_matrix(member @ pattern) for pattern in links.inbound]


def distinct_rows(cores: Int, rows: Int, n_cores: int) -> Int:
    """Number of distinct parameter rows on every core, (n_cores,)."""
    table = np.unique(np.column_stack([cores, rows]), axis=0)
    return np.bincount(table[:, 0], minlength=n_cores).astype(np.int64)


def _sum(matrices: list[sparse.csr_matrix], shape: tuple[int, int]) -> sparse.csr_matrix:
    total = sparse.csr_matrix(shape, dtype=np.int64)
    for matrix in matrices:
        total = total + matrix
    return total


def _per_row(matrix: sparse.csr_matrix) -> Int:
    return np.diff(matrix.indptr).astype(np.int64)


def _per_trace(
    links: Connectivity, counts: list[sparse.csr_matrix], shape: tuple[int, int]
) -> list[sparse.csr_matrix]:
    """Learning synapses from every source onto every core, per setting of presynaptic traces."""
    settings = links.trace_settings
    return [
        _sum([c for c, s in zip(counts, settings, strict=True) if s == setting], shape)
        for setting in range(max(settings, default=-1) + 1)
    ]


def _in_axons(total: sparse.csr_matrix, traces: list[sparse.csr_matrix]) -> Int:
    learning = _per_row(_sum(traces, total.shape))
    slots = _per_row(total) - learning
    for trace in traces:
        slots = slots + 2 * _per_row(trace)
    return slots


def _reach(total: sparse.csr_matrix, traces: list[sparse.csr_matrix]) -> Int:
    """Output axons of every source, (n_sources,): the input axons that it feeds."""

    def cores_of(matrix: sparse.csr_matrix) -> Int:
        return np.bincount(matrix.indices, minlength=total.shape[1]).astype(np.int64)

    parts = [cores_of(trace) for trace in traces]
    reach: Int = np.sum([cores_of(total), -cores_of(_sum(traces, total.shape)), *parts], axis=0)
    return reach


def _out_axons(reach: Int, cores: Int, n_cores: int) -> Int:
    pairs = np.zeros(n_cores, dtype=np.int64)
    np.add.at(pairs, cores, reach[: cores.size])
    return pairs


def _learning(
    links: Connectivity,
    counts: list[sparse.csr_matrix],
    traces: list[sparse.csr_matrix],
    profile: HardwareProfile,
) -> list[Resource]:
    """What learning alone takes of a core."""
    shape = counts[0].shape
    epochs = [
        _sum([c for c, e in zip(counts, links.epochs, strict=True) if e == epoch], shape)
        for epoch in sorted(set(links.epochs) - {-1})
    ]

    def used(parts: list[sparse.csr_matrix]) -> Int:
        present = [_per_row(part) > 0 for part in parts]
        return np.asarray(np.sum(present, axis=0), dtype=np.int64)

    return [
        Resource("trace_profiles", "profile", used(traces), profile.trace_profiles),
        Resource("learning_epochs", "epoch", used(epochs), profile.learning_epochs),
    ]


def _memory(
    links: Connectivity, counts: list[sparse.csr_matrix], neurons: Int, profile: HardwareProfile
) -> Resource:
    memory = profile.synapse_memory
    core_words = np.zeros(neurons.size, dtype=np.int64)
    if memory is None:
        return Resource("synapse_memory", "word", core_words, None)
    widths = index_bits(neurons, memory)
    for form, count in zip(links.formats, counts, strict=True):
        core = np.repeat(np.arange(neurons.size), _per_row(count))
        words = list_words(
            count.data,
            memory,
            weight_bits=int(stored_bits(form.weight_bits, memory.weight_bits.values)),
            index_bits=widths[core],
            delay_bits=form.delay_bits,
        )
        np.add.at(core_words, core, words)
    return Resource(
        "synapse_memory", f"{memory.word_bits.value}-bit word", core_words, memory.words.value
    )
