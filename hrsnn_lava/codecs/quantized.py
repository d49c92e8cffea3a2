"""Integer networks in ``.hlx`` files, on-chip learning included."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Arrays, Artifact, Codec
from hrsnn_lava.chip_learning import PER_SYNAPSE, Learning, rule_from_dict, rule_to_dict
from hrsnn_lava.codecs.network import csr_arrays, csr_from, projection_entry, reset_entry
from hrsnn_lava.findings import Finding
from hrsnn_lava.integer_format import NEURON_RANGES
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.third_factor import ThirdFactor


def _to_artifact(network: QuantizedNetwork) -> Artifact:
    arrays: dict[str, NDArray[Any]] = {}
    populations: list[dict[str, Any]] = []
    for population in network.populations:
        entry: dict[str, Any] = {"name": population.name, "size": int(population.size)}
        entry["input"] = population.is_input
        if isinstance(population, QuantizedInput):
            entry["payload_scale"] = population.payload_scale
        else:
            for field in NEURON_RANGES:
                arrays[f"population/{population.name}/{field}"] = population.parameter(field)
            entry |= reset_entry(population)
        populations.append(entry)
    projections = []
    for projection in network.projections:
        key = f"projection/{projection.name}"
        arrays |= csr_arrays(key, projection.weights)
        if projection.delays is not None:
            arrays[f"{key}/delays"] = np.asarray(projection.delays, dtype=np.int32)
        entry = projection_entry(projection) | {
            "weight_exp": int(projection.weight_exp),
            "sign_mode": projection.sign_mode.value,
            "num_weight_bits": int(projection.num_weight_bits),
            "num_message_bits": int(projection.num_message_bits),
        }
        if projection.learning is not None:
            entry["learning"], values = _learning_entry(projection.learning)
            arrays |= {f"{key}/learning/{name}": value for name, value in values.items()}
        projections.append(entry)
    meta = {
        "name": network.name,
        "dt": float(network.dt),
        "populations": populations,
        "projections": projections,
    }
    if network.findings:
        meta["findings"] = [finding.to_dict() for finding in network.findings]
    return Artifact(QuantizedNetwork.stage, meta, arrays)


def _from_artifact(artifact: Artifact) -> QuantizedNetwork:
    meta, arrays = artifact.meta, artifact.arrays
    populations: list[QuantizedPopulation | QuantizedInput] = []
    for entry in meta["populations"]:
        if entry["input"]:
            populations.append(QuantizedInput(entry["name"], entry["size"], entry["payload_scale"]))
            continue
        values = {f: arrays[f"population/{entry['name']}/{f}"] for f in NEURON_RANGES}
        reset = entry.get("reset", "zero")
        populations.append(QuantizedPopulation(entry["name"], entry["size"], **values, reset=reset))
    projections = []
    for entry in meta["projections"]:
        key = f"projection/{entry['name']}"
        projections.append(
            QuantizedProjection(
                entry["name"],
                entry["pre"],
                entry["post"],
                csr_from(arrays, key, entry["shape"]),
                entry["weight_exp"],
                entry["sign_mode"],
                entry["num_weight_bits"],
                arrays.get(f"{key}/delays"),
                _learning(arrays, f"{key}/learning", entry.get("learning")),
                entry["num_message_bits"],
                entry["target"],
            )
        )
    name, dt = meta["name"], meta["dt"]
    findings = tuple(Finding.from_dict(entry) for entry in meta.get("findings", ()))
    return QuantizedNetwork(tuple(populations), tuple(projections), name, dt, findings).verify()


def _learning_entry(learning: Learning) -> tuple[dict[str, Any], dict[str, NDArray[np.int32]]]:
    """Rules and what all synapses share, for the manifest; values by synapse, for the arrays."""
    entry: dict[str, Any] = {
        "rules": [rule_to_dict(rule) for rule in learning.rules],
        "graded_spikes": learning.graded_spikes,
        "plastic_zeros": bool(learning.plastic_zeros),
    }
    if learning.third_factor is not None:
        entry["third_factor"] = asdict(learning.third_factor)
    values: dict[str, NDArray[np.int32]] = {}
    for field in PER_SYNAPSE:
        value = getattr(learning, field)
        if value is not None and np.ndim(value) > 0:
            values[field] = np.asarray(value, dtype=np.int32)
        elif value is not None:
            entry[field] = int(value)
    return entry, values


def _learning(arrays: Arrays, key: str, entry: Any) -> Learning | None:
    if entry is None:
        return None
    values = {f: arrays.get(f"{key}/{f}", entry.get(f)) for f in PER_SYNAPSE}
    return Learning(
        tuple(rule_from_dict(rule) for rule in entry["rules"]),
        graded_spikes=entry["graded_spikes"],
        plastic_zeros=bool(entry["plastic_zeros"]),
        third_factor=ThirdFactor(**entry["third_factor"]) if "third_factor" in entry else None,
        **{field: value for field, value in values.items() if value is not None},
    )


CODEC = Codec(_to_artifact, _from_artifact)
