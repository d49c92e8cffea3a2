"""Float networks in ``.hlx`` files, and the entries of projections that all networks share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.artifacts.container import Arrays, Artifact, Codec
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.network import (
    LIF,
    LIF_FIELDS,
    AnyProjection,
    Input,
    Network,
    Population,
    Projection,
)
from hrsnn_lava.plasticity import STDP

_LIF_UNITS = {"tau_mem": "s", "tau_syn": "s", "refractory": "s"}


def _to_artifact(network: Network) -> Artifact:
    arrays: dict[str, NDArray[Any]] = {}
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
            entry |= reset_entry(population)
        if population.positions is not None:
            arrays[f"{key}/positions"] = np.asarray(population.positions)
        populations.append(entry)
    projections = []
    for projection in network.projections:
        key = f"projection/{projection.name}"
        arrays |= csr_arrays(key, projection.weights)
        entry = projection_entry(projection)
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
    return Artifact(Network.stage, meta, arrays, units)


def _from_artifact(artifact: Artifact) -> Network:
    meta, arrays = artifact.meta, artifact.arrays
    populations = []
    for entry in meta["populations"]:
        key = f"population/{entry['name']}"
        neuron: LIF | Input = Input(bool(entry.get("graded", False)))
        if not entry["input"]:
            values = {f: arrays[f"{key}/{f}"] for f in LIF_FIELDS}
            neuron = LIF(**values, reset=entry.get("reset", "zero"))
        positions = arrays.get(f"{key}/positions")
        populations.append(
            Population(entry["name"], entry["size"], neuron, entry["sign"], positions)
        )
    projections = []
    for entry in meta["projections"]:
        key = f"projection/{entry['name']}"
        plasticity = None
        if entry.get("plasticity"):
            rule = {f.name: arrays.get(f"{key}/stdp/{f.name}") for f in fields(STDP)}
            plasticity = STDP(**rule)  # type: ignore[arg-type]
        projections.append(
            Projection(
                entry["name"],
                entry["pre"],
                entry["post"],
                csr_from(arrays, key, entry["shape"]),
                arrays.get(f"{key}/delays"),
                plasticity,
                entry["target"],
            )
        )
    return Network(meta["dt"], tuple(populations), tuple(projections), meta["name"]).verify()


def reset_entry(population: Any) -> dict[str, str]:
    """What the manifest says of the reset of a population: nothing where it is to zero, as in files
    from before there was another."""
    return {} if population.reset == "zero" else {"reset": population.reset}


def projection_entry(projection: AnyProjection) -> dict[str, Any]:
    """What the manifest says of every projection."""
    return {
        "name": projection.name,
        "pre": projection.pre,
        "post": projection.post,
        "shape": [int(n) for n in projection.weights.shape],
        "target": projection.target,
    }


def csr_arrays(key: str, matrix: sparse.csr_matrix) -> dict[str, NDArray[Any]]:
    """The three arrays of a matrix, below `key`."""
    return {
        f"{key}/data": matrix.data,
        f"{key}/indices": matrix.indices.astype(np.int32),
        f"{key}/indptr": matrix.indptr.astype(np.int64),
    }


def csr_from(arrays: Arrays, key: str, shape: tuple[int, int]) -> sparse.csr_matrix:
    """The matrix of these arrays; nothing in them is trusted.

    Raises:
        ArtifactError: they are no CSR of that shape.
    """
    data, indices, indptr = (arrays[f"{key}/{part}"] for part in ("data", "indices", "indptr"))
    n_post, n_pre = (int(n) for n in shape)
    bad = (
        indices.dtype.kind not in "iu"
        or indptr.dtype.kind not in "iu"
        or indptr.shape != (n_post + 1,)
        or indptr[0] != 0
        or np.any(np.diff(indptr) < 0)
        or indptr[-1] != data.size
        or indices.shape != data.shape
        or (indices.size and (indices.min() < 0 or indices.max() >= n_pre))
    )
    if bad:
        raise ArtifactError(f"{key}: not a CSR matrix of shape ({n_post}, {n_pre})")
    return sparse.csr_matrix((data, indices, indptr), shape=(n_post, n_pre))


CODEC = Codec(_to_artifact, _from_artifact)
