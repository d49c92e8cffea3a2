"""Builds heterogeneous recurrent spiking networks (HRSNN, and the clustered CHRSNN) from a spec.

Neurons sit on random cells of the smallest cubic grid that holds them, excitatory and inhibitory
4:1 by default, and connect by eq. (2) of Chakraborty and Mukhopadhyay (2023)::

    P_ij = C_type exp(-(D_ij / length)^2)

with C by the types of both ends (Maass, Natschlaeger and Markram 2002). Every parameter comes
from a distribution of its own, and Dale's sign is kept. `length` is bisected so that the mean
out-degree is the asked one: our choice, the papers fix it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import SpecError
from hrsnn_lava.hrsnn_options import NetworkSpec, NeuronSpec, RuleOptions, distribution
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import DRAWN_FIELDS, draw_stdp
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
#: Rows (postsynaptic neurons) that are drawn at a time; memory is this times the presynaptic size.
_ROWS = 256
#: Neurons whose expected degree is averaged when `length` is bisected.
_DEGREE_SAMPLE = 256
TYPES = ("exc", "inh")


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where neurons are and which cluster they belong to, by type."""

    positions: dict[str, Float]
    clusters: dict[str, NDArray[np.int64]]
    size: int


class Described(Protocol):
    """What a network is built from: a `Spec`, or anything that has these."""

    @property
    def name(self) -> str:
        """Of the network."""
        ...

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        ...

    @property
    def network(self) -> NetworkSpec:
        """Neurons, synapses and input."""
        ...

    @property
    def stdp(self) -> RuleOptions | None:
        """Learning rules of some projections."""
        ...


def build_hrsnn(
    spec: Described | NetworkSpec, seed: int | None = None, n_inputs: int = 3
) -> Network:
    """Build the network of a spec.

    Args:
        spec: a whole `hrsnn_lava.Spec` or its network table.
        seed: overrides the spec's seed.
        n_inputs: channels of the input population ``inp``; 0 for none.

    Returns:
        A verified `Network` with populations ``inp``, ``exc``, ``inh``; the projections that the
        spec's ``[stdp]`` names have rules, whether they are to act on the chip or in training.

    Raises:
        SpecError: the asked mean degree cannot be reached with these connection factors.
    """
    whole = None if isinstance(spec, NetworkSpec) else spec
    table = spec if isinstance(spec, NetworkSpec) else spec.network
    if seed is None:
        seed = 0 if whole is None else whole.seed
    n_exc = min(max(round(table.size * table.excitatory), 1), table.size - 1)
    sizes = {"exc": n_exc, "inh": table.size - n_exc}
    geometry = _geometry(table, sizes, seed)
    neurons = {"exc": table.neurons.excitatory, "inh": table.neurons.inhibitory}
    populations = [
        Population(
            kind,
            sizes[kind],
            _parameters(neurons[kind], sizes[kind], seed, kind),
            "excitatory" if kind == "exc" else "inhibitory",
            geometry.positions[kind],
        )
        for kind in TYPES
    ]
    projections = _recurrent(table, geometry, sizes, seed)
    rule = None if whole is None else whole.stdp
    if rule is not None:
        projections = [_plastic(p, rule, seed) for p in projections]
    if n_inputs:
        populations.insert(0, Population("inp", n_inputs, Input(graded=True)))
        projections = _inputs(table, sizes, n_inputs, seed) + projections
    name = "hrsnn" if whole is None else whole.name
    return Network(table.dt, tuple(populations), tuple(projections), name).verify()


def _geometry(table: NetworkSpec, sizes: dict[str, int], seed: int) -> Geometry:
    n = table.size
    side = 1
    while side**3 < n:
        side += 1
    rng = generator(seed, "build/positions")
    cells = rng.permutation(side**3)[:n]
    xyz = np.stack(np.unravel_index(cells, (side, side, side)), axis=1).astype(np.float64)
    cluster = rng.integers(0, table.connectivity.clusters, n)
    first = sizes["exc"]
    parts = {"exc": slice(0, first), "inh": slice(first, n)}
    return Geometry(
        {kind: xyz[part] for kind, part in parts.items()},
        {kind: cluster[part] for kind, part in parts.items()},
        n,
    )


def _parameters(spec: NeuronSpec, size: int, seed: int, kind: str) -> LIF:
    values = {
        field: distribution(getattr(spec, field)).sample(
            generator(seed, f"build/{kind}/{field}"), size
        )
        for field in ("tau_mem", "tau_syn", "v_threshold", "bias", "refractory")
    }
    return LIF(**values)


def _factor(table: NetworkSpec, pre: str, post: str) -> float:
    return float(getattr(table.connectivity.c, pre[0] + post[0]))


def _closeness(geometry: Geometry, pre: str, post: str, rows: NDArray[np.int64]) -> Float:
    """Squared distances from the neurons `rows` of `post` to all of `pre`, (rows, n_pre)."""
    a, b = geometry.positions[post][rows], geometry.positions[pre]
    squared: Float = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * (a @ b.T)
    return np.maximum(squared, 0.0)


def _kernel(
    table: NetworkSpec,
    geometry: Geometry,
    ends: tuple[str, str],
    rows: NDArray[np.int64],
    length: float,
    squared: Float | None = None,
) -> Float:
    """Connection probabilities onto the neurons `rows`, (rows, n_pre); self-connections are 0."""
    pre, post = ends
    distance = _closeness(geometry, pre, post, rows) if squared is None else squared
    p: Float = _factor(table, pre, post) * np.exp(-distance / length**2)
    if table.connectivity.clusters > 1:
        same = geometry.clusters[post][rows][:, None] == geometry.clusters[pre][None, :]
        p *= np.where(same, 1.0, 1.0 / table.connectivity.cluster_ratio)
    if pre == post:
        p[np.arange(rows.size), rows] = 0.0
    return p


def _find_length(table: NetworkSpec, geometry: Geometry, sizes: dict[str, int], seed: int) -> float:
    """The `length` at which the mean out-degree is the asked one, by bisection on a sample."""
    mean_degree = table.connectivity.mean_degree
    if table.connectivity.length is not None:
        return table.connectivity.length
    if mean_degree is None:
        raise SpecError("network.connectivity: give length or mean_degree")
    rng = generator(seed, "build/length")
    share = min(1.0, _DEGREE_SAMPLE / geometry.size)
    samples = []
    for post in TYPES:
        count = min(sizes[post], max(1, round(sizes[post] * share)))
        rows = np.sort(rng.permutation(sizes[post])[:count])
        for pre in TYPES:
            ends = (pre, post)
            samples.append((ends, rows, _closeness(geometry, *ends, rows), sizes[post] / count))

    def degree(length: float) -> float:
        total = sum(
            weight * _kernel(table, geometry, ends, rows, length, squared).sum()
            for ends, rows, squared, weight in samples
        )
        return float(total) / geometry.size

    low, high = 1e-2, 1e3 * geometry.size ** (1 / 3)
    if degree(high) < mean_degree:
        raise SpecError(
            f"network.connectivity.mean_degree: {mean_degree:g} synapses per neuron; "
            f"with these factors c at most {degree(high):.1f} are possible. "
            "Lower mean_degree, raise c, or lower cluster_ratio"
        )
    for _ in range(40):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if degree(middle) < mean_degree else (low, middle)
    return float(high)


def _recurrent(
    table: NetworkSpec, geometry: Geometry, sizes: dict[str, int], seed: int
) -> list[Projection]:
    connectivity = table.connectivity
    length = _find_length(table, geometry, sizes, seed)
    degree = connectivity.mean_degree or 1.0
    scale = connectivity.gain / np.sqrt(degree)
    magnitude = distribution(connectivity.weight)
    projections = []
    for pre in TYPES:
        for post in TYPES:
            name = f"{pre}_{post}"
            rng = generator(seed, f"build/{name}")
            pattern = _draw(table, geometry, (pre, post), sizes[post], length, rng)
            weights = magnitude.sample(rng, pattern.nnz) * scale
            if pre == "inh":
                weights = -connectivity.inhibitory_factor * weights
            pattern.data = weights
            delay = connectivity.delay or None
            projections.append(Projection(name, pre, post, pattern, delay))
    return projections


def _plastic(projection: Projection, table: RuleOptions, seed: int) -> Projection:
    """The projection with its rule; nothing else that is drawn depends on it."""
    if projection.name not in table.projections:
        return projection
    sources = {field: distribution(getattr(table, field)) for field in DRAWN_FIELDS}
    rule = draw_stdp(
        sources,
        projection.weights.data,
        table.w_max,
        lambda field: generator(seed, f"build/{projection.name}/{field}"),
    )
    return replace(projection, plasticity=rule)


def _draw(
    table: NetworkSpec,
    geometry: Geometry,
    ends: tuple[str, str],
    n_post: int,
    length: float,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Draw every synapse independently, some rows at a time: memory follows the synapses."""
    n_pre = geometry.positions[ends[0]].shape[0]
    counts, columns = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)]
    for first in range(0, n_post, _ROWS):
        rows = np.arange(first, min(first + _ROWS, n_post))
        p = _kernel(table, geometry, ends, rows, length)
        hit = rng.random(p.shape, dtype=np.float32) < p
        counts.append(hit.sum(axis=1))
        columns.append(np.nonzero(hit)[1].astype(np.int32))
    indptr, indices = np.cumsum(np.concatenate(counts)), np.concatenate(columns)
    return sparse.csr_matrix((np.ones(indices.size), indices, indptr), shape=(n_post, n_pre))


def _inputs(
    table: NetworkSpec, sizes: dict[str, int], n_inputs: int, seed: int
) -> list[Projection]:
    """Dense weights from the input channels to a random share of the neurons."""
    has_input = generator(seed, "build/input-share").random(sum(sizes.values())) < table.input.share
    weight = distribution(table.input.weight)
    projections, start = [], 0
    for kind in TYPES:
        rng = generator(seed, f"build/inp_{kind}")
        dense = weight.sample(rng, sizes[kind] * n_inputs).reshape(sizes[kind], n_inputs)
        dense[~has_input[start : start + sizes[kind]]] = 0.0
        start += sizes[kind]
        projections.append(
            Projection(
                f"inp_{kind}", "inp", kind, sparse.csr_matrix(dense), target=table.input.target
            )
        )
    return projections
