"""Builds heterogeneous recurrent spiking networks (HRSNN, and the clustered CHRSNN) from a spec.

Neurons sit on random cells of a grid, the smallest cubic one that holds them where none is asked
for, excitatory and inhibitory 4:1 by default, and connect by eq. (2) of Chakraborty and
Mukhopadhyay (2023)::

    P_ij = C_type exp(-(D_ij / length)^2)

with C by the types of both ends (Maass, Natschlaeger and Markram 2002). Every parameter comes
from a distribution of its own, and Dale's sign is kept. `length` is bisected so that the mean
out-degree is the asked one: our choice, the papers fix it.

Every parameter has a random stream of its own, so making one homogeneous, or giving it another
distribution, moves nothing else: same positions, same synapses, same weights.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import rows_of, with_values
from hrsnn_lava.distributions import sample_mean
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hrsnn_options import (
    InputSpec,
    NetworkSpec,
    NeuronSpec,
    RuleOptions,
    Synapse,
    by_type,
    distribution,
)
from hrsnn_lava.network import LIF, LIF_FIELDS, Input, Network, Population, Projection, Sign
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
            _parameters(neurons[kind], sizes[kind], (seed, kind), table.homogeneous),
            "excitatory" if kind == "exc" else "inhibitory",
            geometry.positions[kind],
        )
        for kind in TYPES
    ]
    taus = {p.name: p.parameter("tau_syn") for p in populations}
    rule = None if whole is None else whole.stdp
    drawn = [(p, table.connectivity.synapse) for p in _recurrent(table, geometry, sizes, seed)]
    if n_inputs:
        populations.insert(0, _input_population(table.input, n_inputs))
        into = [(p, table.input.synapse) for p in _inputs(table, sizes, n_inputs, seed)]
        drawn = into + drawn
    _require_learning(rule, [p for p, _ in drawn], table.input)
    projections = []
    for projection, synapse in drawn:
        # the rule is that of the weight as it is drawn, and is scaled along with it
        learning = projection if rule is None else _plastic(projection, rule, seed)
        projections.append(with_synapse(learning, synapse, taus[projection.post], table.dt))
    name = "hrsnn" if whole is None else whole.name
    return Network(table.dt, tuple(populations), tuple(projections), name).verify()


def with_synapse(projection: Projection, synapse: Synapse, tau_syn: Float, dt: float) -> Projection:
    """The projection with weights, and amplitudes and bounds of its rule, as the synapse has them.

    ``current`` leaves them; ``charge`` multiplies those onto neuron i by
    ``1 - exp(-dt / tau_syn_i)``, so that the current of one spike has the sum w over all steps.

    Args:
        tau_syn: (n_post,) seconds.
        dt: seconds of a step.
    """
    if synapse == "current" or projection.target == "bias":
        return projection
    return scaled(projection, charge_factors(tau_syn, dt))


def charge_factors(tau_syn: Float, dt: float) -> Float:
    """What a synaptic current loses in a step, ``1 - exp(-dt / tau_syn)``, (n,); 1 at tau_syn 0."""
    with np.errstate(divide="ignore"):
        factors: Float = -np.expm1(-dt / tau_syn)
    return factors


def scaled(projection: Projection, factor: Float) -> Projection:
    """The projection with the weights onto each neuron, and their rules, times `factor` (n_post,).

    Where all factors are equal, parameters of the rule that are one number stay so.
    """
    weights, rule = projection.weights, projection.plasticity
    each = factor[rows_of(weights)]
    if rule is not None:
        common = each.size > 0 and np.ptp(each) == 0
        rule = rule.scaled(each[0] if common else each)
    return replace(projection, weights=with_values(weights, weights.data * each), plasticity=rule)


def _geometry(table: NetworkSpec, sizes: dict[str, int], seed: int) -> Geometry:
    n, grid = table.size, table.grid
    if grid is None:
        side = 1
        while side**3 < n:
            side += 1
        grid = (side, side, side)
    rng = generator(seed, "build/positions")
    cells = rng.permutation(prod(grid))[:n]
    xyz = np.stack(np.unravel_index(cells, grid), axis=1).astype(np.float64)
    cluster = rng.integers(0, table.connectivity.clusters, n)
    first = sizes["exc"]
    parts = {"exc": slice(0, first), "inh": slice(first, n)}
    return Geometry(
        {kind: xyz[part] for kind, part in parts.items()},
        {kind: cluster[part] for kind, part in parts.items()},
        n,
    )


def _parameters(
    spec: NeuronSpec, size: int, stream: tuple[int, str], homogeneous: Collection[str]
) -> LIF:
    """Parameters of a population, each drawn from a stream of its own, named by seed and kind."""
    seed, kind = stream
    values: dict[str, Any] = {}
    for field in LIF_FIELDS:
        rng = generator(seed, f"build/{kind}/{field}")
        sample = distribution(getattr(spec, field)).sample(rng, size)
        values[field] = sample_mean(sample) if field in homogeneous else sample
    return LIF(**values, reset=spec.reset)


def _factor(table: NetworkSpec, pre: str, post: str) -> float:
    return float(by_type(table.connectivity.c, pre, post))


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
    degree = (connectivity.mean_degree or 1.0) if connectivity.normalise else 1.0
    scale = connectivity.gain / np.sqrt(degree)
    projections = []
    for pre in TYPES:
        for post in TYPES:
            name = f"{pre}_{post}"
            rng = generator(seed, f"build/{name}")
            pattern = _draw(table, geometry, (pre, post), sizes[post], length, rng)
            magnitude = distribution(by_type(connectivity.weight, pre, post))
            weights = magnitude.sample(rng, pattern.nnz) * scale
            if pre == "inh":
                weights = -connectivity.inhibitory_factor * weights
            pattern.data = weights
            delay = by_type(connectivity.delay, pre, post) or None
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
    return replace(projection, plasticity=rule.homogeneous(table.homogeneous))


def _require_learning(
    rule: RuleOptions | None, projections: list[Projection], table: InputSpec
) -> None:
    """Refuse rules for input channels that are not there, or send no spikes of one size."""
    asked = () if rule is None else [name for name in rule.projections if name.startswith("inp_")]
    if not asked:
        return
    if not {p.name for p in projections}.issuperset(asked):
        problem = Problem("stdp.projections", ", ".join(asked), "those of a network with inputs")
        raise SpecError("rules of the network", problems=[problem])
    if table.carries_values:
        measured = "graded" if table.target == "synapse" else "held"
        allowed = 'inputs that spike: target = "synapse" and graded = false'
        problem = Problem("network.input", f"{measured}, and {', '.join(asked)} learn", allowed)
        raise SpecError("rules of the network", problems=[problem])


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


def _input_population(table: InputSpec, n_inputs: int) -> Population:
    """The channels; those of plain spikes are excitatory where no weight can be below 0."""
    plain = not table.carries_values
    sign: Sign | None = "excitatory" if plain and table.excitatory else None
    return Population("inp", n_inputs, Input(graded=not plain), sign)


def _inputs(
    table: NetworkSpec, sizes: dict[str, int], n_inputs: int, seed: int
) -> list[Projection]:
    """Weights from the input channels to a random share of the neurons."""
    options, n = table.input, sum(sizes.values())
    has_input = generator(seed, "build/input-share").random(n) < options.share
    heard = _channels(options, has_input, n_inputs, seed) if options.sparse else None
    scale = 1.0
    if options.normalise:
        count = n_inputs * has_input.sum() if heard is None else heard.nnz
        scale = 1.0 / np.sqrt(max(count / max(has_input.sum(), 1), 1.0))
    projections, start = [], 0
    for kind in TYPES:
        value = options.weight
        if kind == "inh" and options.weight_inhibitory is not None:
            value = options.weight_inhibitory
        weight, rng = distribution(value), generator(seed, f"build/inp_{kind}")
        rows = slice(start, start + sizes[kind])
        start += sizes[kind]
        if heard is None:
            dense = weight.sample(rng, sizes[kind] * n_inputs).reshape(sizes[kind], n_inputs)
            dense[~has_input[rows]] = 0.0
            matrix = sparse.csr_matrix(dense * scale)
        else:
            matrix = heard[rows]
            matrix.data = weight.sample(rng, matrix.nnz) * scale
        projections.append(Projection(f"inp_{kind}", "inp", kind, matrix, target=options.target))
    return projections


def _channels(
    options: InputSpec, has_input: NDArray[np.bool_], n_inputs: int, seed: int
) -> sparse.csr_matrix:
    """Which channels reach which neurons, ones of shape (n_neurons, n_inputs).

    With `fan_in` every neuron that has input hears so many channels, with `fan_out` every channel
    reaches so many of those neurons; each choice is drawn without replacement.
    """
    chosen = np.flatnonzero(has_input)
    rng = generator(seed, "build/input-channels")
    if options.fan_in is not None:
        k = _number("fan_in", options.fan_in, n_inputs, "channels")
        channels = _choices(rng, chosen.size, n_inputs, k)
        neurons = np.repeat(chosen, k)
    else:
        share = options.fan_out or 1.0
        k = _number("fan_out", share, chosen.size, "neurons with input")
        neurons = chosen[_choices(rng, n_inputs, chosen.size, k)]
        channels = np.repeat(np.arange(n_inputs), k)
    shape = (has_input.size, n_inputs)
    return sparse.csr_matrix((np.ones(neurons.size), (neurons, channels)), shape=shape)


def _number(key: str, value: float, available: int, what: str) -> int:
    """How many of those `available` a count, or a share, asks for; at least one of them."""
    if not isinstance(value, int):
        return min(max(round(value * available), 1), available)
    if value > available:
        problem = Problem(f"network.input.{key}", f"{value} {what}", f"{available} at most")
        raise SpecError("the input layer of the network", problems=[problem])
    return value


def _choices(rng: np.random.Generator, rows: int, size: int, k: int) -> NDArray[np.int64]:
    """For each row, k of ``0..size-1`` without replacement, (rows k,); some rows at a time."""
    parts = [np.zeros(0, np.int64)]
    for first in range(0, rows, _ROWS):
        keys = rng.random((min(_ROWS, rows - first), size))
        parts.append(np.argsort(keys, axis=1, kind="stable")[:, :k].ravel())
    return np.concatenate(parts)
