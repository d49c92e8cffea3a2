"""What differs in structure between two artifacts: neurons, synapses, passes, placement.

An artifact holds no run, so nothing is said of operations or energy; two reports say that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hrsnn_lava import csr
from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.deploy.compare.differences import Change, Difference, walk
from hrsnn_lava.deploy.compare.reports import pass_changes
from hrsnn_lava.errors import SpecError

#: Fields of a projection that are compared as synapses, not as settings.
_SYNAPSES = ("weights", "delays")


@dataclass(frozen=True)
class SynapseChange:
    """How the synapses of one projection differ.

    Attributes:
        name: of the projection.
        before, after: stored synapses; None where the projection does not exist.
        fan_out: synapses per presynaptic neuron, before and after.
        new, gone: synapses that only one side has; None where the shapes differ.
        reweighted, delayed: of those that both have, how many have another weight or delay.
    """

    name: str
    before: int | None
    after: int | None
    fan_out: tuple[float | None, float | None]
    new: int | None = None
    gone: int | None = None
    reweighted: int = 0
    delayed: int = 0

    @property
    def moved(self) -> bool:
        """True when any synapse differs, or the number of neurons it joins."""
        synapses_differ = bool(self.new or self.gone or self.reweighted or self.delayed)
        return synapses_differ or self.before != self.after or self.fan_out[0] != self.fan_out[1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "fan_out": list(self.fan_out)}


@dataclass(frozen=True)
class NetworkDifference(Difference):
    """What differs between two networks of one stage: ``network``, ``quantized``, ``compiled``.

    Attributes:
        synapses: projections of which a synapse differs, the largest change of their number first.
        sections: ``populations`` and ``projections`` (parameters and settings), ``transforms``
            and ``placement`` (passes and cores, of compiled networks).
    """

    synapses: tuple[SynapseChange, ...] = ()

    def tables(self) -> Mapping[str, Sequence[Any]]:
        """The synapses."""
        return {"synapses": self.synapses}


def compare_networks(
    before: Any, after: Any, names: tuple[str, str] = ("before", "after")
) -> NetworkDifference:
    """Compare two networks of one stage: `Network`, `QuantizedNetwork` or `CompiledNetwork`.

    Raises:
        SpecError: they are of different stages.
    """
    stages = {"Network": "network", "QuantizedNetwork": "quantized", "CompiledNetwork": "compiled"}
    a, b = (stages.get(type(side).__name__, type(side).__name__) for side in (before, after))
    if a != b:
        raise SpecError(f"{names[0]} is {a}, {names[1]} is {b}: compare two of one stage")
    transforms: tuple[Change, ...] = ()
    placement: tuple[Change, ...] = ()
    inner = (before, after)
    if isinstance(before, CompiledNetwork) and isinstance(after, CompiledNetwork):
        inner = (before.network, after.network)
        transforms = tuple(_passes(before, after))
        placement = tuple(_placement(before, after))
    pairs = _pairs(inner[0].projections, inner[1].projections)
    synapse_changes = [_synapses(name, *pair) for name, pair in pairs.items()]
    differing = [change for change in synapse_changes if change.moved]
    return NetworkDifference(
        *names,
        a,
        {
            "populations": (*walk("dt", inner[0].dt, inner[1].dt), *_populations(*inner)),
            "projections": tuple(_settings(pairs, "projection", _SYNAPSES)),
            "transforms": transforms,
            "placement": placement,
        },
        (f"two {a} networks: structure alone, no run",),
        tuple(sorted(differing, key=lambda c: -abs((c.after or 0) - (c.before or 0)))),
    )


def _pairs(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    a, b = ({item.name: item for item in side} for side in (before, after))
    return {name: (a.get(name), b.get(name)) for name in dict.fromkeys((*b, *a))}


def _synapses(name: str, before: Any, after: Any) -> SynapseChange:
    n_a, n_b = (None if side is None else int(side.weights.nnz) for side in (before, after))
    fan_out = (_fan_out(before), _fan_out(after))
    if before is None or after is None:
        gained, lost = (n_b, 0) if before is None else (0, n_a)
        return SynapseChange(name, n_a, n_b, fan_out, gained, lost)
    if before.weights.shape != after.weights.shape:
        return SynapseChange(name, n_a, n_b, fan_out)
    keys_a, keys_b = _keys(before.weights), _keys(after.weights)
    both, at_a, at_b = np.intersect1d(keys_a, keys_b, assume_unique=True, return_indices=True)
    other_weight = before.weights.data[at_a] != after.weights.data[at_b]
    other_delay = _delays(before)[at_a] != _delays(after)[at_b]
    return SynapseChange(
        name,
        n_a,
        n_b,
        fan_out,
        new=keys_b.size - both.size,
        gone=keys_a.size - both.size,
        reweighted=int(np.count_nonzero(other_weight)),
        delayed=int(np.count_nonzero(other_delay)),
    )


def _fan_out(side: Any) -> float | None:
    if side is None or not side.weights.shape[1]:
        return None
    return float(side.weights.nnz / side.weights.shape[1])


def _keys(weights: sparse.csr_matrix) -> Any:
    """One number a stored synapse, in the order of its values."""
    return csr.rows_of(weights) * weights.shape[1] + weights.indices


def _delays(side: Any) -> Any:
    delays = 0 if side.delays is None else np.asarray(side.delays)
    return np.broadcast_to(delays, (side.weights.nnz,))


def _populations(before: Any, after: Any) -> Iterator[Change]:
    yield from _settings(_pairs(before.populations, after.populations), "population", ())


def _settings(
    pairs: Mapping[str, tuple[Any, Any]], what: str, ignored_fields: tuple[str, ...]
) -> Iterator[Change]:
    for name, (a, b) in pairs.items():
        if a is None or b is None:
            words = (None, "there") if a is None else ("there", None)
            yield Change(f"{what} {name}", *words)
        else:
            yield from _fields(f"{what} {name}", a, b, ignored_fields)


def _fields(
    path: str, before: Any, after: Any, ignored_fields: tuple[str, ...] = ()
) -> Iterator[Change]:
    """Fields of two dataclasses that differ, one line an array."""
    if type(before) is not type(after):
        yield Change(path, _word(before), _word(after))
        return
    for entry in dataclasses.fields(before):
        if entry.name in ignored_fields:
            continue
        a, b = getattr(before, entry.name), getattr(after, entry.name)
        where = f"{path}.{entry.name}"
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            yield from _arrays(where, a, b)
        elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
            for k, pair in enumerate(zip(a, b, strict=True)):
                yield from _values(f"{where}[{k}]", *pair)
        else:
            yield from _values(where, a, b)


def _values(where: str, before: Any, after: Any) -> Iterator[Change]:
    if dataclasses.is_dataclass(before) and dataclasses.is_dataclass(after):
        yield from _fields(where, before, after)
    elif before != after:
        yield Change(where, _word(before), _word(after))


def _arrays(where: str, before: Any, after: Any) -> Iterator[Change]:
    """Uniform arrays as their value, others by how many values differ."""
    if before is None or after is None:
        yield Change(
            where, *(None if a is None else f"{np.size(a)} values" for a in (before, after))
        )
        return
    a, b = np.asarray(before), np.asarray(after)
    if a.shape == b.shape and np.array_equal(a, b):
        return
    if a.size and b.size and np.all(a == a.flat[0]) and np.all(b == b.flat[0]):
        if a.flat[0] != b.flat[0]:
            yield Change(where, plain(a.flat[0]), plain(b.flat[0]))
        return
    if a.shape != b.shape:
        yield Change(where, f"{a.size} values", f"{b.size} values")
        return
    other = a != b
    widest = np.abs(b[other].astype(np.float64) - a[other].astype(np.float64)).max()
    text = f"{np.count_nonzero(other)} of them moved, by up to {widest:.4g}"
    yield Change(where, f"{a.size} values", text)


def _word(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return getattr(value, "value", value)
    return type(value).__name__


def _passes(before: CompiledNetwork, after: CompiledNetwork) -> Iterator[Change]:
    sides = [
        {"transforms": [plain(record.to_dict()) for record in side.records]}
        for side in (before, after)
    ]
    yield from pass_changes(*sides)


def _placement(before: CompiledNetwork, after: CompiledNetwork) -> Iterator[Change]:
    yield from walk("profile", before.profile.name, after.profile.name)
    yield from walk("profile digest", before.profile.digest, after.profile.digest)
    yield from walk("seed", before.seed, after.seed)
    yield from walk("synapses before pruning", before.synapses_before, after.synapses_before)
    yield from walk("cores", before.placement.n_cores, after.placement.n_cores)
    yield from _arrays("core of every neuron", before.core_of, after.core_of)
    tiles = before.placement.coordinates, after.placement.coordinates
    if tiles[0] is not None or tiles[1] is not None:
        yield from _arrays("coordinates of every core", *tiles)
    for name in dict.fromkeys((*after.readout, *before.readout)):
        yield from _arrays(f"readout {name}", before.readout.get(name), after.readout.get(name))
