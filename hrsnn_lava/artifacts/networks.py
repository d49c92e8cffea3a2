"""Networks to and from ``.hlx`` artifacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.artifacts.container import Artifact, read_artifact, write_artifact
from hrsnn_lava.chip_learning import Learning, rule_from_dict, rule_to_dict
from hrsnn_lava.errors import ArtifactError, NetworkError
from hrsnn_lava.network import LIF, LIF_FIELDS, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.quantized import (
    RANGES,
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

Arrays = dict[str, NDArray[Any]]
_PER_SYNAPSE = ("profile", "tag_1", "tag_2")
T = TypeVar("T")
_LIF_UNITS = {"tau_mem": "s", "tau_syn": "s", "refractory": "s"}


def network_parts(network: Network) -> Artifact:
    """A float network as meta data and arrays."""
    arrays: Arrays = {}
    units: dict[str, str] = {}
    populations = []
    for population in network.populations:
        key = f"population/{population.name}"
        entry = {"name": population.name, "size": int(population.size), "sign": population.sign}
        entry["input"] = population.is_input
        if isinstance(population.neuron, Input):
            entry["graded"] = population.neuron.graded
        else:
            for field in LIF_FIELDS:
                arrays[f"{key}/{field}"] = population.parameter(field)
                units[f"{key}/{field}"] = _LIF_UNITS.get(field, "1")
        if population.positions is not None:
            arrays[f"{key}/positions"] = np.asarray(population.positions)
        populations.append(entry)
    projections = []
    for projection in network.projections:
        key = f"projection/{projection.name}"
        _put_csr(arrays, key, projection.weights)
        entry = _ends(projection)
        if projection.delays is not None:
            arrays[f"{key}/delays"] = np.asarray(projection.delays, dtype=np.float64)
            units[f"{key}/delays"] = "s"
        if projection.plasticity is not None:
            entry["plasticity"] = "stdp"
            for item in fields(STDP):
                value = getattr(projection.plasticity, item.name)
                if value is not None:
                    arrays[f"{key}/stdp/{item.name}"] = np.asarray(value, dtype=np.float64)
                    units[f"{key}/stdp/{item.name}"] = "s" if "tau" in item.name else "1"
        projections.append(entry)
    meta = {
        "name": network.name,
        "dt": float(network.dt),
        "populations": populations,
        "projections": projections,
    }
    return Artifact("network", meta, arrays, units)


def network_from(artifact: Artifact) -> Network:
    """The inverse of `network_parts`; verifies the result."""
    meta, arrays = artifact.meta, artifact.arrays
    populations = []
    for entry in meta["populations"]:
        key = f"population/{entry['name']}"
        neuron: LIF | Input = Input(bool(entry.get("graded", False)))
        if not entry["input"]:
            neuron = LIF(**{f: arrays[f"{key}/{f}"] for f in LIF_FIELDS})
        positions = arrays.get(f"{key}/positions")
        populations.append(
            Population(entry["name"], entry["size"], neuron, entry["sign"], positions)
        )
    projections = []
    for entry in meta["projections"]:
        key = f"projection/{entry['name']}"
        plasticity = None
        if entry.get("plasticity"):
            values = {f.name: arrays.get(f"{key}/stdp/{f.name}") for f in fields(STDP)}
            plasticity = STDP(**values)  # type: ignore[arg-type]
        projections.append(
            Projection(
                entry["name"],
                entry["pre"],
                entry["post"],
                _get_csr(arrays, key, entry["shape"]),
                arrays.get(f"{key}/delays"),
                plasticity,
                entry["target"],
            )
        )
    return Network(meta["dt"], tuple(populations), tuple(projections), meta["name"]).verify()


def quantized_parts(network: QuantizedNetwork) -> Artifact:
    """An integer network as meta data and arrays."""
    arrays: Arrays = {}
    populations: list[dict[str, Any]] = []
    for population in network.populations:
        entry: dict[str, Any] = {"name": population.name, "size": int(population.size)}
        entry["input"] = population.is_input
        if isinstance(population, QuantizedInput):
            entry["payload_scale"] = population.payload_scale
        else:
            for field in RANGES:
                arrays[f"population/{population.name}/{field}"] = population.parameter(field)
        populations.append(entry)
    projections = []
    for projection in network.projections:
        key = f"projection/{projection.name}"
        _put_csr(arrays, key, projection.weights)
        if projection.delays is not None:
            arrays[f"{key}/delays"] = np.asarray(projection.delays, dtype=np.int32)
        learning = {}
        if projection.learning is not None:
            learning = {"learning": _put_learning(arrays, key, projection.learning)}
        projections.append(
            _ends(projection)
            | learning
            | {
                "weight_exp": int(projection.weight_exp),
                "sign_mode": projection.sign_mode.value,
                "num_weight_bits": int(projection.num_weight_bits),
                "num_message_bits": int(projection.num_message_bits),
            }
        )
    meta = {
        "name": network.name,
        "dt": float(network.dt),
        "populations": populations,
        "projections": projections,
    }
    return Artifact("quantized", meta, arrays)


def quantized_from(artifact: Artifact) -> QuantizedNetwork:
    """The inverse of `quantized_parts`; verifies the result."""
    meta, arrays = artifact.meta, artifact.arrays
    populations: list[QuantizedPopulation | QuantizedInput] = []
    for entry in meta["populations"]:
        if entry["input"]:
            populations.append(QuantizedInput(entry["name"], entry["size"], entry["payload_scale"]))
            continue
        values = {f: arrays[f"population/{entry['name']}/{f}"] for f in RANGES}
        populations.append(QuantizedPopulation(entry["name"], entry["size"], **values))
    projections = []
    for entry in meta["projections"]:
        key = f"projection/{entry['name']}"
        projections.append(
            QuantizedProjection(
                entry["name"],
                entry["pre"],
                entry["post"],
                _get_csr(arrays, key, entry["shape"]),
                entry["weight_exp"],
                entry["sign_mode"],
                entry["num_weight_bits"],
                arrays.get(f"{key}/delays"),
                _get_learning(arrays, key, entry.get("learning")),
                entry["num_message_bits"],
                entry["target"],
            )
        )
    name, dt = meta["name"], meta["dt"]
    return QuantizedNetwork(tuple(populations), tuple(projections), name, dt).verify()


def _put_learning(arrays: Arrays, key: str, learning: Learning) -> dict[str, Any]:
    """Meta data of the rules; per-synapse values go into `arrays`."""
    entry: dict[str, Any] = {
        "rules": [rule_to_dict(rule) for rule in learning.rules],
        "graded_spikes": learning.graded_spikes,
        "plastic_zeros": bool(learning.plastic_zeros),
    }
    for field in _PER_SYNAPSE:
        value = getattr(learning, field)
        if value is not None and np.ndim(value) > 0:
            arrays[f"{key}/learning/{field}"] = np.asarray(value, dtype=np.int32)
        elif value is not None:
            entry[field] = int(value)
    return entry


def _get_learning(arrays: Arrays, key: str, entry: Any) -> Learning | None:
    if entry is None:
        return None
    values = {f: arrays.get(f"{key}/learning/{f}", entry.get(f)) for f in _PER_SYNAPSE}
    return Learning(
        tuple(rule_from_dict(rule) for rule in entry["rules"]),
        graded_spikes=entry["graded_spikes"],
        plastic_zeros=bool(entry["plastic_zeros"]),
        **{field: value for field, value in values.items() if value is not None},
    )


def _ends(projection: Any) -> dict[str, Any]:
    return {
        "name": projection.name,
        "pre": projection.pre,
        "post": projection.post,
        "shape": [int(n) for n in projection.weights.shape],
        "target": projection.target,
    }


def _put_csr(arrays: Arrays, key: str, matrix: sparse.csr_matrix) -> None:
    arrays[f"{key}/data"] = matrix.data
    arrays[f"{key}/indices"] = matrix.indices.astype(np.int32)
    arrays[f"{key}/indptr"] = matrix.indptr.astype(np.int64)


def _get_csr(arrays: Arrays, key: str, shape: Any) -> sparse.csr_matrix:
    data, indices, indptr = (arrays[f"{key}/{part}"] for part in ("data", "indices", "indptr"))
    n_post, n_pre = (int(n) for n in shape)
    bad = (
        indptr.shape != (n_post + 1,)
        or indptr[0] != 0
        or np.any(np.diff(indptr) < 0)
        or indptr[-1] != data.size
        or indices.shape != data.shape
        or (indices.size and (indices.min() < 0 or indices.max() >= n_pre))
    )
    if bad:
        raise ArtifactError(f"{key}: not a CSR matrix of shape ({n_post}, {n_pre})")
    return sparse.csr_matrix((data, indices, indptr), shape=(n_post, n_pre))


def rebuild(path: Any, stage: str, build: Callable[[Artifact], T]) -> T:
    """Read `path`, check its stage, and build from it; every fault becomes an `ArtifactError`."""
    artifact = read_artifact(path)
    if artifact.stage != stage:
        raise ArtifactError(f"{path}: holds a {artifact.stage} network; expected: {stage}")
    try:
        return build(artifact)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ArtifactError(f"{path}: content is incomplete or wrong ({error!r})") from error
    except NetworkError as error:
        raise ArtifactError(f"{path}: {error.message}", problems=error.problems) from error


def save_network(network: Network, path: Any) -> str:
    """Write a float network; return the file's SHA-256."""
    return write_artifact(path, network_parts(network.verify()))


def load_network(path: Any) -> Network:
    """Read a float network."""
    return rebuild(path, "network", network_from)


def save_quantized(network: QuantizedNetwork, path: Any) -> str:
    """Write an integer network; return the file's SHA-256."""
    return write_artifact(path, quantized_parts(network.verify()))


def load_quantized(path: Any) -> QuantizedNetwork:
    """Read an integer network."""
    return rebuild(path, "quantized", quantized_from)
