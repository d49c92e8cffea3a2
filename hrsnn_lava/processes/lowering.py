"""Makes the `LavaProgram` of a network, integer or float. It needs no Lava."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hrsnn_lava.chip_learning import Learning
from hrsnn_lava.csr import from_rows, held_drive, rows_of
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32, MESSAGE_BITS_MAX
from hrsnn_lava.network import Network
from hrsnn_lava.processes.program import (
    PARAMETERS,
    PROBES,
    Connection,
    ConnectionLearning,
    LavaProgram,
    Neurons,
    Source,
)
from hrsnn_lava.quantized import (
    QuantizedNetwork,
    QuantizedProjection,
    drive_schedule,
    in_counts,
    learning_problems,
)
from hrsnn_lava.resets import sends_several
from hrsnn_lava.time_constants import membrane_gain
from hrsnn_lava.trace import SpikeInput

__all__ = ["lava_program"]


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
    is_graded = {p.name for p in network.populations if (p.is_input and graded) or sends_several(p)}
    connections = []
    for p in network.projections:
        if p.target != "synapse" or not p.n_synapses:
            continue
        delays = None
        if p.delays is not None:
            delays = np.rint(np.asarray(p.delays) / network.dt).astype(np.int64)
            delays = np.broadcast_to(delays, (p.n_synapses,)) if np.any(delays) else None
        bits = MESSAGE_BITS_MAX if p.pre in is_graded else 0
        connections.append(
            Connection(p.name, p.pre, p.post, p.weights, delays, num_message_bits=bits)
        )
    return tuple(neurons), tuple(connections)
