"""`LavaProgram`: a network as arrays that a Lava process graph can be built from, and its file.

It needs no Lava, so a parent on any Python can write one for a child that has Lava. Names and
numbers are those of `HeterogeneousLIF` and of Lava's `Sparse` and `DelaySparse`.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, LearningRule, rule_from_dict, rule_to_dict
from hrsnn_lava.csr import from_rows, held_drive, rows_of
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32, MESSAGE_BITS_MAX, NEURON_RANGES, WEIGHT_BITS
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import (
    QuantizedNetwork,
    QuantizedProjection,
    drive_schedule,
    in_counts,
    learning_problems,
)
from hrsnn_lava.resets import Reset
from hrsnn_lava.third_factor import ThirdFactor
from hrsnn_lava.time_constants import membrane_gain
from hrsnn_lava.trace import SpikeInput

__all__ = ["PROBES", "Connection", "LavaProgram", "Neurons", "Source", "lava_program"]

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
        """Write an uncompressed ``.npz``: arrays, and a JSON header stored as bytes."""
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
        with open(path, "wb") as handle:
            np.savez(handle, **arrays)

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


def lava_program(
    network: QuantizedNetwork | Network,
    inputs: SpikeInput | None,
    steps: int,
    probes: Iterable[str] = ("spikes",),
) -> LavaProgram:
    """Return the program of an integer network (fixed_pt) or of a float one (floating_pt).

    An event of step s acts on neurons in step s + 1 + delay; the value of a ``target="bias"``
    input acts in its own step. A float network is rewritten for Lava's float LIF, which does not
    scale its input by 1 - beta::

        v' = v / (1 - beta),  vth' = v_threshold / (1 - beta),  du = 1 - alpha,  dv = 1 - beta

    Raises:
        NetworkError: the network contradicts itself.
        SpecError: steps < 0, an unknown probe, inputs for another number of channels, a float
            projection that learns, or several learning profiles with a negative exponent.
    """
    network.verify()
    probes = set(probes)
    if unknown := sorted(probes - set(PROBES)):
        raise SpecError(f"unknown probe {', '.join(unknown)}; allowed: {', '.join(PROBES)}")
    steps = whole_number("steps", steps, (0, INT32[1]), error=SpecError)
    inputs = SpikeInput.empty(max(steps, 1), network.n_inputs) if inputs is None else inputs
    if inputs.n_neurons != network.n_inputs:
        raise SpecError(
            f"the input has {inputs.n_neurons} channels, the network {network.n_inputs}"
        )
    _refuse_learning(network)
    if isinstance(network, QuantizedNetwork):
        inputs = in_counts(network, inputs)
    ordered = tuple(p for p in PROBES if p == "spikes" or p in probes)
    sources = _sources(network, inputs, steps)
    if isinstance(network, QuantizedNetwork):
        neurons, connections = _fixed(network, inputs, steps)
        return LavaProgram("fixed_pt", steps, neurons, sources, connections, ordered)
    neurons, connections = _floating(network, inputs, steps)
    return LavaProgram("floating_pt", steps, neurons, sources, connections, ordered)


def _refuse_learning(network: QuantizedNetwork | Network) -> None:
    if isinstance(network, QuantizedNetwork):
        problems = list(learning_problems(network))
    else:
        problems = [
            Problem(
                f"projection {p.name!r}",
                "a float learning rule",
                "fixed weights in the lava backend",
                "quantize the network, or fix the weights first",
            )
            for p in network.projections
            if p.plasticity is not None
        ]
    raise_if(SpecError, "the lava backend cannot run this network", problems)


def _sources(
    network: QuantizedNetwork | Network, inputs: SpikeInput, steps: int
) -> tuple[Source, ...]:
    """Input populations that send spikes; values for ``target="bias"`` go another way."""
    sending = {p.pre for p in network.projections if p.target != "bias" and p.n_synapses}
    if isinstance(network, QuantizedNetwork):
        learning = [p.learning for p in network.projections if p.learning is not None]
        thirds = [entry.third_factor for entry in learning if entry.third_factor is not None]
        sending |= {sender for third in thirds for sender in third.senders if sender is not None}
    result = []
    for population in network.input_populations:
        if population.name in sending:
            channels = inputs.neurons - network.offset(population.name)
            inside = (inputs.steps < steps) & (channels >= 0) & (channels < population.size)
            events = inputs.steps[inside], channels[inside], inputs.payload_values()[inside]
            result.append(Source(population.name, population.size, *events))
    return tuple(result)


def _fixed(
    network: QuantizedNetwork, inputs: SpikeInput, steps: int
) -> tuple[tuple[Neurons, ...], tuple[Connection, ...]]:
    change, mantissa = drive_schedule(network, inputs, steps)
    neurons = []
    for population in network.compute_populations:
        first = network.offset(population.name)
        parameters = {k: population.parameter(k) for k in PARAMETERS}
        drive = mantissa[:, first : first + population.size] - parameters["bias_mant"]
        neurons.append(Neurons(population.name, parameters, change, drive, reset=population.reset))
    connections = [
        Connection(
            name=p.name,
            weights=p.weights,
            delays=p.delay_steps if p.delays is not None and np.any(p.delay_steps) else None,
            **_form(p),
        )
        for p in network.projections
        if p.target != "bias" and p.n_synapses and p.learning is None
    ]
    for p in network.projections:
        if p.learning is not None and p.n_synapses:
            number = sum(c.learning is not None for c in connections)
            connections += _profile_connections(p, p.learning, number)
    return tuple(neurons), tuple(connections)


def _form(projection: QuantizedProjection) -> dict[str, Any]:
    """What all connections of a projection share."""
    return {
        "pre": projection.pre,
        "post": projection.post,
        "weight_exp": int(projection.weight_exp),
        "sign_mode": projection.sign_mode.name,
        "num_weight_bits": int(projection.num_weight_bits),
        "num_message_bits": int(projection.num_message_bits),
        "target": projection.target,
    }


def _profile_connections(
    projection: QuantizedProjection, learning: Learning, first: int
) -> Iterator[Connection]:
    """One connection for each learning profile, with the synapses that follow it."""
    n_synapses = projection.n_synapses
    profile, whole = learning.profile_of(n_synapses), projection.weights
    rows = rows_of(whole)
    for number, k in enumerate(learning.used_rules(n_synapses), start=first):
        place = np.flatnonzero(profile == k)
        yield Connection(
            name=f"{projection.name}/{k}",
            weights=from_rows(rows[place], whole.indices[place], whole.data[place], whole.shape),
            learning=ConnectionLearning(
                learning.rules[k],
                learning.tag("tag_1", n_synapses)[place],
                learning.tag("tag_2", n_synapses)[place],
                learning.graded_spikes,
                bool(learning.plastic_zeros),
                number,
                learning.third_factor,
                projection.name,
                place,
                k,
            ),
            **_form(projection),
        )


def _floating(
    network: Network, inputs: SpikeInput, steps: int
) -> tuple[tuple[Neurons, ...], tuple[Connection, ...]]:
    driven = any(p.target == "bias" for p in network.projections)
    change, values = inputs.held_values(steps if driven else 0)
    drive = held_drive(network, values.astype(np.float64))
    neurons = []
    for population in network.compute_populations:
        lif = {k: population.parameter(k) for k in ("tau_mem", "tau_syn", "v_threshold", "bias")}
        gain = membrane_gain(lif["tau_mem"], network.dt)
        with np.errstate(divide="ignore"):  # tau_syn = 0 is no filter: du = 1
            du = -np.expm1(-network.dt / lif["tau_syn"])
        parameters = {
            "du": du,
            "dv": -np.expm1(-network.dt / lif["tau_mem"]),
            "vth": lif["v_threshold"] / gain,
            "bias_mant": lif["bias"],
            "bias_exp": np.zeros(population.size, dtype=np.int32),
            "refractory": np.rint(population.parameter("refractory") / network.dt).astype(np.int32),
        }
        first = network.offset(population.name)
        part = drive[:, first : first + population.size]
        neurons.append(
            Neurons(population.name, parameters, change, part, v_unit=gain, reset=population.reset)
        )
    graded = inputs.payloads is not None
    is_input = {p.name for p in network.input_populations}
    connections = []
    for p in network.projections:
        if p.target != "synapse" or not p.n_synapses:
            continue
        delays = None
        if p.delays is not None:
            delays = np.rint(np.asarray(p.delays) / network.dt).astype(np.int64)
            delays = np.broadcast_to(delays, (p.n_synapses,)) if np.any(delays) else None
        bits = MESSAGE_BITS_MAX if graded and p.pre in is_input else 0
        connections.append(
            Connection(p.name, p.pre, p.post, p.weights, delays, num_message_bits=bits)
        )
    return tuple(neurons), tuple(connections)
