"""A `QuantizedNetwork` as a file of lava-dl's network exchange (``.net``), where it fits one.

The format knows layers one after the other, each with weights from the one before and, where it is
recurrent, from itself. What is written acts in lava-dl's netx as it acts here: weights that netx or
Lava would change, thresholds of single neurons, refractory steps, learning and so on are refused,
all of them at once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h5py
import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import PathLike, atomic_write
from hrsnn_lava.csr import rows_of
from hrsnn_lava.deploy.interchange.netx_file import Notes
from hrsnn_lava.deploy.interchange.netx_grid import acting, optimized
from hrsnn_lava.errors import SpecError, raise_if
from hrsnn_lava.fields import instance
from hrsnn_lava.findings import Finding, warn, worst_first
from hrsnn_lava.integer_format import (
    CURRENT_OFFSET,
    NEURON_RANGES,
    STATE_SHIFT,
    STATE_UNIT,
    WEIGHT_BITS,
)
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

__all__ = ["NetxLayer", "netx_layers", "to_netx"]

Int = NDArray[np.int64]
#: Weights of all layers, zeros included: the format has no sparse ones.
MAX_WEIGHTS = 2**26


@dataclass(frozen=True, eq=False)
class NetxLayer:
    """One layer as it is written.

    Attributes:
        kind: input, dense or dense_rec.
        size: of its neurons, or of the channels of an input without any.
        values: data sets by name, ``weight``, ``weight_rec``, ``bias`` and ``delay`` among them.
        neuron: iDecay, vDecay and vThMant, or None for an input of spikes.
    """

    kind: str
    size: int
    values: Mapping[str, Int] = field(default_factory=dict)
    neuron: Mapping[str, Int] | None = None


def to_netx(network: QuantizedNetwork, path: PathLike) -> tuple[Finding, ...]:
    """Write a ``.net`` file that lava-dl's ``netx.hdf5.Network`` loads; needs no lava-dl.

    Equal networks give equal bytes. `from_netx` reads it back: the same integers act, under the
    names ``input``, ``layer_1``, ``layer_2`` and so on.

    Returns:
        What is lost, and a `FindingWarning` of each that is more than a note.

    Raises:
        SpecError: the format cannot hold the network; every reason is listed.
        OutputError: the file cannot be written.
    """
    layers, findings = netx_layers(network)
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver="earliest") as file:
        _write(file, layers, network.dt)
    with atomic_write(path) as handle:
        handle.write(memory.getbuffer())
    warn(findings)
    return findings


def netx_layers(network: QuantizedNetwork) -> tuple[tuple[NetxLayer, ...], tuple[Finding, ...]]:
    """The layers of a network and what is lost; raises as `to_netx` does."""
    instance("network", network, QuantizedNetwork, "quantize it first").verify()
    notes = Notes()
    chain = _chain(network, notes)
    layers = tuple(_layers(network, chain, notes)) if not notes.problems else ()
    raise_if(SpecError, f"network {network.name!r} cannot be written as netx", notes.problems)
    names = [network.input_populations[0].name, *(population.name for population in chain)]
    first = int(layers[0].neuron is None)  # neurons of an input are layer 0
    if names != ["input", *(f"layer_{k + first}" for k in range(len(chain)))]:
        listed = ", ".join(names)
        notes.tell(
            "netx_names_lost",
            f"network {network.name!r}",
            f"{len(names)} populations: {listed:.60}",
            "the format has no names; layers are counted from 0, the input",
            severity="note",
        )
    return layers, worst_first(notes.findings)


def _write(file: h5py.File, layers: tuple[NetxLayer, ...], dt: float) -> None:
    """As SLAYER's blocks write themselves (``slayer/block/base.py``, `export_hdf5`)."""
    milliseconds = dt * 1e3
    whole = round(milliseconds)
    file["simulation/Ts"] = whole if abs(milliseconds - whole) < 1e-9 and whole else milliseconds
    for index, layer in enumerate(layers):
        group = file.create_group(f"layer/{index}")
        group.create_dataset("type", (1,), "S10", [layer.kind.encode()])
        group["shape"] = np.array([layer.size])
        for name, values in layer.values.items():
            group[name] = values.astype(np.int16) if name.startswith("weight") else values
        if layer.neuron is not None:
            group["neuron/type"] = "CUBA"
            for name, values in layer.neuron.items():
                group[f"neuron/{name}"] = values
            group["neuron/refDelay"] = 1
            group["neuron/gradedSpike"] = False


def _chain(network: QuantizedNetwork, notes: Notes) -> list[QuantizedPopulation]:
    """Populations of neurons in the order of the layers; what is no chain is reported."""
    inputs = network.input_populations
    if len(inputs) != 1:
        notes.refuse("populations", f"{len(inputs)} inputs", "one", "join them")
        return []
    chain: list[QuantizedPopulation] = []
    sender = inputs[0].name
    while True:
        targets = {p.post for p in network.projections if p.pre == sender and p.post != sender}
        placed = {population.name for population in chain}
        for name in sorted(targets & placed):
            notes.refuse(f"population {sender!r}", f"sends back to {name!r}", "one layer onward")
        if len(targets - placed) > 1:
            listed = ", ".join(sorted(targets))
            notes.refuse(f"population {sender!r}", f"sends to {listed}", "one layer onward")
        if len(targets - placed) != 1 or notes.problems:
            break
        sender = (targets - placed).pop()
        chain.append(network.population(sender))
    if not notes.problems:
        for population in network.compute_populations:
            if population not in chain:
                where = f"population {population.name!r}"
                notes.refuse(where, "nothing leads to it from the input", "layers in one row")
    return chain


def _layers(
    network: QuantizedNetwork, chain: list[QuantizedPopulation], notes: Notes
) -> Iterator[NetxLayer]:
    """The layers of a chain; what the format does not hold is reported."""
    source = network.input_populations[0]
    sender, total = source.name, 0
    driven = any(p.target == "bias" for p in network.projections)
    if not driven:
        if source.payload_scale is not None:
            where = f"population {source.name!r}.payload_scale"
            notes.refuse(where, f"{source.payload_scale:g}", "None: spikes without payload")
        yield NetxLayer("input", source.size)
    for population in chain:
        incoming = [p for p in network.projections if p.post == population.name]
        for projection in incoming:
            _check_projection(projection, notes)
        neuron, bias = _neuron(population, notes)
        if driven and population is chain[0]:
            drive = _drive(source, population, incoming, notes)
            drive["bias"] = _one_bias(population, bias, notes)
            yield NetxLayer("input", population.size, drive, neuron)
            sender = population.name
            continue
        n_in = network.population(sender).size
        recurrent = [p for p in incoming if p.pre == population.name]
        total += population.size * (n_in + (population.size if recurrent else 0))
        if total > MAX_WEIGHTS:
            fix = "the format has no sparse weights"
            notes.refuse(
                f"population {population.name!r}",
                f"{total:,} weights up to here, zeros included",
                f"{MAX_WEIGHTS:,}",
                fix,
            )
            return
        matrices = {"weight": [p for p in incoming if p.pre == sender]}
        if recurrent:
            matrices["weight_rec"] = recurrent
        values: dict[str, Int] = {"inFeatures": np.array(n_in)}
        values["outFeatures"] = np.array(population.size)
        values |= _matrices(population, matrices, n_in, notes)
        if np.any(bias):
            values["bias"] = bias
        yield NetxLayer("dense_rec" if recurrent else "dense", population.size, values, neuron)
        sender = population.name


def _check_projection(projection: QuantizedProjection, notes: Notes) -> None:
    where = f"projection {projection.name!r}"
    if projection.learning is not None:
        fix = "write the network with the weights that it learned, without learning"
        notes.refuse(f"{where}.learning", "learning on the chip", "fixed weights", fix)
    if projection.target == "factor":
        notes.refuse(f"{where}.target", "factor", "synapse")
    if projection.target == "synapse" and projection.num_message_bits:
        measured = f"{projection.num_message_bits}"
        notes.refuse(f"{where}.num_message_bits", measured, "0: spikes without payload")


def _neuron(population: QuantizedPopulation, notes: Notes) -> tuple[dict[str, Int], Int]:
    """Decays and threshold as the format has them, and biases in the unit of weights, (n,)."""
    where = f"population {population.name!r}"
    vth = population.parameter("vth")
    if np.any(vth != vth[0]):
        measured = f"{np.unique(vth).size} thresholds, {vth.min()}..{vth.max()}"
        fix = "let weights take them up, see `compile --absorb-thresholds`"
        notes.refuse(f"{where}.vth", measured, "one for all neurons", fix)
    if population.reset != "zero":
        notes.refuse(f"{where}.reset", population.reset, "zero, as of Lava's neurons")
    refractory = population.parameter("refractory")
    if np.any(refractory):
        notes.refuse(f"{where}.refractory", f"up to {refractory.max()} steps", "0")
    mantissa = population.parameter("bias_mant").astype(np.int64)
    total = mantissa << population.parameter("bias_exp")
    low, high = NEURON_RANGES["bias_mant"]
    bias = total >> STATE_SHIFT
    if np.any(total % STATE_UNIT):
        measured = f"{int((total % STATE_UNIT != 0).sum())} biases between units of weights"
        notes.refuse(f"{where}.bias_mant", measured, f"bias_mant << bias_exp in {STATE_UNIT}s")
    elif np.any((bias < low) | (bias > high)):
        measured = f"{bias.min()}..{bias.max()} in units of weights"
        notes.refuse(f"{where}.bias_mant", measured, f"{low}..{high}")
    neuron = {
        "iDecay": _one_or_all(population.parameter("du").astype(np.int64) + CURRENT_OFFSET),
        "vDecay": _one_or_all(population.parameter("dv").astype(np.int64)),
        "vThMant": np.array(int(vth[0])),
    }
    return neuron, bias


def _one_or_all(values: Int) -> Int:
    return np.array(values[0]) if np.all(values == values[0]) else values


def _one_bias(population: QuantizedPopulation, bias: Int, notes: Notes) -> Int:
    """The bias of an input with neurons, which all of them share."""
    if np.any(bias != bias[0]):
        where = f"population {population.name!r}.bias_mant"
        notes.refuse(where, f"{np.unique(bias).size} biases", "one for all neurons of an input")
    return bias[:1]


def _drive(
    source: QuantizedInput,
    population: QuantizedPopulation,
    incoming: list[QuantizedProjection],
    notes: Notes,
) -> dict[str, Int]:
    """The weight of an input with neurons, each of which has a channel of its own."""
    where = f"population {population.name!r}"
    if [p.target for p in incoming] != ["bias"]:
        measured = f"{len(incoming)} projections to neurons of held input"
        notes.refuse(where, measured, "one, with target='bias'")
        return {}
    (projection,) = incoming
    matrix, scale = projection.weights, source.payload_scale
    diagonal = matrix.shape[0] == matrix.shape[1] == matrix.nnz and bool(
        np.all(matrix.indices == np.arange(matrix.nnz)) and np.all(matrix.data == matrix.data[0])
    )
    if not diagonal:
        notes.refuse(
            f"projection {projection.name!r}",
            "no multiple of the identity",
            "one weight from each channel to its neuron, the same for all",
        )
        return {}
    # weight x + bias for x = payload / scale
    value = matrix.data[0] * float(scale or 1.0) * 2.0**projection.weight_exp
    if value != int(value):
        notes.refuse(f"projection {projection.name!r}", f"{value:g} for 1.0", "a whole number")
        return {}
    return {"weight": np.array([int(value)])}


def _matrices(
    population: QuantizedPopulation,
    matrices: Mapping[str, list[QuantizedProjection]],
    n_in: int,
    notes: Notes,
) -> dict[str, Int]:
    """Dense weights and delays of a layer, as netx has to find them."""
    values: dict[str, Int] = {}
    for name, projections in matrices.items():
        shape = (population.size, n_in if name == "weight" else population.size)
        weights, delays = _joined(projections, shape, notes)
        values[name] = weights
        if np.any(delays):
            by_row = np.all((delays == delays.max(axis=1, keepdims=True)) | (weights == 0))
            values["delay"] = delays.max(axis=1) if by_row else delays
    if "delay" in values and "weight_rec" in values:
        fix = "lava-dl's netx drops the exponent of recurrent layers with delays"
        where = f"population {population.name!r}"
        notes.refuse(where, "delays in a recurrent layer", "no delays", fix)
    if not notes.problems:
        _check_grid(population, values, n_in, notes)
    return values


def _joined(
    projections: list[QuantizedProjection], shape: tuple[int, int], notes: Notes
) -> tuple[Int, Int]:
    """The sum of projections and their delays, dense, in the unit of weights."""
    weights, delays = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for projection in projections:
        matrix, exponent = projection.effective_weights(), projection.weight_exp
        data = matrix.data.astype(np.int64)
        places = rows_of(matrix), matrix.indices
        if exponent < 0 and np.any(data & ((1 << -exponent) - 1)):
            notes.refuse(
                f"projection {projection.name!r}.weight_exp",
                f"{exponent}, with weights that are no multiples of {1 << -exponent}",
                "sums that need no rounding",
            )
            continue
        data = data << exponent if exponent >= 0 else data >> -exponent
        steps = projection.delay_steps.astype(np.int64)
        taken = (weights[places] != 0) & (data != 0)
        if np.any(taken & (delays[places] != steps)):
            where = f"projection {projection.name!r}.delays"
            notes.refuse(where, "a second delay between the same neurons", "one")
        weights[places] += data
        delays[places] = np.where(data != 0, steps, delays[places])
    return weights, delays


def _check_grid(
    population: QuantizedPopulation, values: Mapping[str, Int], n_in: int, notes: Notes
) -> None:
    """Report weights that would not act in Lava as they do here."""
    where = f"population {population.name!r}"
    rec = values.get("weight_rec")
    together = values["weight"] if rec is None else np.hstack((values["weight"], rec))
    if not together.any():
        notes.refuse(where, "no weight that acts", "one at least: lava-dl's netx fails on zeros")
        return
    shifted = optimized(together)
    changed = together.size
    if shifted is not None:
        halves = np.split(shifted.weights, [n_in], axis=1)
        acts = [acting(shifted._replace(weights=half)) for half in halves if half.size]
        changed = int((np.hstack(acts) != together << shifted.shift).sum())
    if changed or shifted is None:
        low, high = int(together.min()), int(together.max())
        notes.refuse(
            where,
            f"weights {low}..{high}, together with their exponents",
            "weights that lava-dl's netx and Lava leave as they are, within -256..254",
        )
    elif shifted.num_weight_bits > WEIGHT_BITS:
        notes.tell(
            "netx_nine_bits",
            where,
            "weights of both signs that need 9 bits",
            "Lava on the CPU takes them so; a chip has 8 bits",
        )
