"""`LavaProgram`: a network as arrays that a Lava process graph can be built from, and its file.

It needs no Lava, so a parent on any Python can write one for a child that has Lava. Names and
numbers are those of `HeterogeneousLIF` and of Lava's `Sparse` and `DelaySparse`. No network is
known here: `lowering` makes a program of one, and a bundle has this module without the rest.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import LearningRule, rule_from_dict, rule_to_dict
from hrsnn_lava.integer_format import NEURON_RANGES, WEIGHT_BITS
from hrsnn_lava.resets import Reset
from hrsnn_lava.third_factor import ThirdFactor

__all__ = ["PROBES", "Connection", "ConnectionLearning", "LavaProgram", "Neurons", "Source"]

Array = NDArray[Any]
Precision = Literal["fixed_pt", "floating_pt"]

#: What a run can record; spikes are always recorded.
PROBES = ("spikes", "v", "u")
#: Per-neuron parameters of `HeterogeneousLIF`, in the order of the file.
PARAMETERS = tuple(NEURON_RANGES)


@dataclass(frozen=True, eq=False)
class Neurons:
    """One `HeterogeneousLIF`: `parameters` by name, each (size,).

    `drive_values` (K, size) are added to the bias; row k holds from step `drive_steps[k]` on.
    `v_unit` (size,) turns a recorded potential back into the network's unit, None where it is 1;
    it stays with the parent and is not in the file. `reset` is that of the population.
    """

    name: str
    parameters: dict[str, Array]
    drive_steps: Array
    drive_values: Array
    v_unit: Array | None = None
    reset: Reset = "zero"

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.parameters["vth"].size)

    @property
    def several(self) -> bool:
        """Whether a neuron may send several spikes in a step."""
        return self.reset == "subtract_all"


@dataclass(frozen=True, eq=False)
class Source:
    """One input population: channel `channels[k]` sends `values[k]` in step `steps[k]`."""

    name: str
    size: int
    steps: Array
    channels: Array
    values: Array


@dataclass(frozen=True, eq=False)
class ConnectionLearning:
    """Learning of one connection: one rule, tags (nnz,), and the `number` of its result's file.

    `third_factor` names the populations and connections that send y1, y2 and y3.

    `projection`, `profile` and `place` (nnz,) say which rule and which stored weights of the
    network these are; they stay with the parent and are not in the file.
    """

    rule: LearningRule
    tag_1: Array
    tag_2: Array
    graded_spikes: str
    plastic_zeros: bool
    number: int
    third_factor: ThirdFactor | None = None
    projection: str = ""
    place: Array | None = None
    profile: int = 0


@dataclass(frozen=True, eq=False)
class Connection:
    """One `Sparse`, `DelaySparse` where `delays` (nnz,) in steps is given, or a learning one.

    `weights` is CSR (n_post, n_pre); `sign_mode` is the name of Lava's `SignMode` member. With
    `target` "factor" it feeds the learning connections that name it, and not `post`.
    """

    name: str
    pre: str
    post: str
    weights: sparse.csr_matrix
    delays: Array | None = None
    weight_exp: int = 0
    sign_mode: str = "MIXED"
    num_weight_bits: int = WEIGHT_BITS
    num_message_bits: int = 0
    target: str = "synapse"
    learning: ConnectionLearning | None = None


@dataclass(frozen=True, eq=False)
class LavaProgram:
    """Everything that a run needs: neurons, sources, connections, steps, probes.

    `stock` asks for Lava's own `LIF` instead of `HeterogeneousLIF`; then du, dv and vth are one
    value in each of `neurons`, nothing is refractory, and spikes reset to 0 (`stock`).
    """

    precision: Precision
    n_steps: int
    neurons: tuple[Neurons, ...]
    sources: tuple[Source, ...]
    connections: tuple[Connection, ...]
    probes: tuple[str, ...] = ("spikes",)
    stock: bool = False

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `arrays` as an uncompressed ``.npz``."""
        with open(path, "wb") as handle:
            np.savez(handle, **self.arrays())

    def arrays(self) -> dict[str, Array]:
        """The arrays of the file, and a JSON header as bytes."""
        arrays: dict[str, Array] = {}
        for i, group in enumerate(self.neurons):
            arrays |= {f"neurons/{i}/{k}": group.parameters[k] for k in PARAMETERS}
            arrays |= {f"neurons/{i}/drive_{k}": getattr(group, f"drive_{k}") for k in _DRIVE}
        for i, source in enumerate(self.sources):
            arrays |= {f"sources/{i}/{k}": getattr(source, k) for k in _EVENTS}
        for i, connection in enumerate(self.connections):
            weights = connection.weights
            arrays |= {f"connections/{i}/{k}": getattr(weights, k) for k in _CSR}
            if connection.delays is not None:
                arrays[f"connections/{i}/delays"] = connection.delays
            if connection.learning is not None:
                arrays |= {f"connections/{i}/{k}": getattr(connection.learning, k) for k in _TAGS}
        header = {
            "precision": self.precision,
            "n_steps": self.n_steps,
            "probes": list(self.probes),
            "stock": self.stock,
            "neurons": [[group.name, group.reset] for group in self.neurons],
            "sources": [[source.name, source.size] for source in self.sources],
            "connections": [
                {k: getattr(c, k) for k in _CONNECTION}
                | {"shape": list(c.weights.shape), "learning": _learning_header(c.learning)}
                for c in self.connections
            ],
        }
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        return arrays

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LavaProgram":
        """Read what `save` wrote; no pickle is ever read."""
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        neurons = tuple(
            Neurons(
                name,
                {k: arrays[f"neurons/{i}/{k}"] for k in PARAMETERS},
                arrays[f"neurons/{i}/drive_steps"],
                arrays[f"neurons/{i}/drive_values"],
                reset=reset,
            )
            for i, (name, reset) in enumerate(header["neurons"])
        )
        sources = tuple(
            Source(name, size, *(arrays[f"sources/{i}/{k}"] for k in _EVENTS))
            for i, (name, size) in enumerate(header["sources"])
        )
        connections = []
        for i, entry in enumerate(header["connections"]):
            shape = tuple(entry.pop("shape"))
            parts = tuple(arrays[f"connections/{i}/{k}"] for k in _CSR)
            weights = sparse.csr_matrix(parts, shape=shape)
            delays = arrays.get(f"connections/{i}/delays")
            learning = entry.pop("learning")
            if learning is not None:
                rule = rule_from_dict(learning.pop("rule"))
                third = learning.pop("third_factor")
                learning["third_factor"] = None if third is None else ThirdFactor(**third)
                tags = {k: arrays[f"connections/{i}/{k}"] for k in _TAGS}
                learning = ConnectionLearning(rule, **tags, **learning)
            connections.append(
                Connection(weights=weights, delays=delays, learning=learning, **entry)
            )
        return cls(
            header["precision"],
            header["n_steps"],
            neurons,
            sources,
            tuple(connections),
            tuple(header["probes"]),
            header["stock"],
        )


_DRIVE = ("steps", "values")
_EVENTS = ("steps", "channels", "values")
_CSR = ("data", "indices", "indptr")
_TAGS = ("tag_1", "tag_2")
_CONNECTION = (
    "name",
    "pre",
    "post",
    "weight_exp",
    "sign_mode",
    "num_weight_bits",
    "num_message_bits",
    "target",
)


def _learning_header(learning: ConnectionLearning | None) -> dict[str, Any] | None:
    if learning is None:
        return None
    fields = ("graded_spikes", "plastic_zeros", "number")
    third = None if learning.third_factor is None else asdict(learning.third_factor)
    numbers = {k: getattr(learning, k) for k in fields}
    return {"rule": rule_to_dict(learning.rule), "third_factor": third, **numbers}
