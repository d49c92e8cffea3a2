"""Networks as SLAYER blocks of lava-dl, to train them further, and trained blocks as networks.

SLAYER computes in floats that stand for the chip's integers: weights and thresholds in 1/64, decays
in 1/4096. Blocks hand a spike on one step later, as Lava does, so that with equal integers every
block gives the spikes of its layer in the same steps. lava-dl is imported when blocks are made;
it comes with the extra ``dl``, on Python 3.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.deploy.interchange.from_netx import Weights, network_of
from hrsnn_lava.deploy.interchange.netx_file import NetxFile, Notes, layers_of
from hrsnn_lava.deploy.interchange.to_netx import NetxLayer, netx_layers
from hrsnn_lava.errors import ArtifactError, BackendMissingError, SpecError, raise_if
from hrsnn_lava.fields import is_positive, refusal
from hrsnn_lava.findings import warn
from hrsnn_lava.integer_format import DECAY_ONE, STATE_UNIT
from hrsnn_lava.quantized import QuantizedNetwork

__all__ = ["SlayerLayer", "from_slayer", "slayer_layers", "to_slayer"]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SlayerLayer:
    """Arguments of one ``slayer.block.cuba`` block, and what it holds.

    Attributes:
        block: ``Dense`` or ``Recurrent``.
        in_neurons, out_neurons: sizes.
        threshold: in SLAYER's unit, vth / 64.
        current_decay, voltage_decay: shares of a step, () or (out_neurons,).
        weight: (out_neurons, in_neurons).
        weight_rec: (out_neurons, out_neurons), or None.
        delay: (out_neurons,) steps, or None.
    """

    block: str
    in_neurons: int
    out_neurons: int
    threshold: float
    current_decay: Float
    voltage_decay: Float
    weight: Float
    weight_rec: Float | None = None
    delay: Float | None = None

    @property
    def shared(self) -> bool:
        """Whether all neurons have the same decays."""
        return self.current_decay.ndim == self.voltage_decay.ndim == 0


def slayer_layers(network: QuantizedNetwork) -> tuple[SlayerLayer, ...]:
    """What SLAYER's blocks of a network are made of; needs no lava-dl.

    Raises:
        SpecError: SLAYER cannot hold the network: all that `to_netx` refuses, biases, odd weights,
            held inputs, and delays of single synapses; every reason is listed.
    """
    layers, _ = netx_layers(network)
    notes = Notes()
    for index, layer in enumerate(layers):
        _check(f"layer {index}", layer, notes)
    raise_if(SpecError, f"network {network.name!r} has no SLAYER blocks", notes.problems)
    return tuple(_layer(layer) for layer in layers if layer.neuron is not None)


def _check(where: str, layer: NetxLayer, notes: Notes) -> None:
    if layer.kind == "input" and layer.neuron is not None:
        notes.refuse(where, "an input with neurons", "spikes", "use slayer.block.cuba.Input")
        return
    if "bias" in layer.values:
        notes.refuse(where, "biases", "none: those of SLAYER belong to a normalization")
    for name in ("weight", "weight_rec"):
        if np.any(layer.values.get(name, np.zeros((), int)) % 2):
            fix = "quantize with weight_bits=7, or train with SLAYER's quantization"
            notes.refuse(f"{where}, {name}", "odd weights", "even ones: SLAYER's step is 2", fix)
    if layer.values.get("delay", np.zeros(1)).ndim > 1:
        notes.refuse(f"{where}, delay", "delays of single synapses", "one for each neuron")


def _layer(layer: NetxLayer) -> SlayerLayer:
    values, neuron = layer.values, layer.neuron or {}
    rec, delay = values.get("weight_rec"), values.get("delay")
    return SlayerLayer(
        "Dense" if rec is None else "Recurrent",
        int(values["inFeatures"]),
        layer.size,
        float(neuron["vThMant"]) / STATE_UNIT,
        neuron["iDecay"] / DECAY_ONE,
        neuron["vDecay"] / DECAY_ONE,
        values["weight"] / STATE_UNIT,
        None if rec is None else rec / STATE_UNIT,
        None if delay is None else delay.astype(np.float64),
    )


def to_slayer(network: QuantizedNetwork) -> list[Any]:
    """Blocks of lava-dl's ``slayer.block.cuba`` that hold the network; their order is the layers'.

    Raises:
        SpecError: as `slayer_layers`.
        BackendMissingError: lava-dl is not installed.
    """
    layers = slayer_layers(network)
    torch, slayer = _lava_dl()
    return [_block(torch, slayer, layer) for layer in layers]


def _lava_dl() -> tuple[Any, Any]:
    try:
        slayer = import_module("lava.lib.dl.slayer")
        return import_module("torch"), slayer
    except ImportError as error:
        raise BackendMissingError(
            f"SLAYER needs lava-dl 0.6.0, which the extra 'dl' brings on Python 3.10 ({error})"
        ) from error


def _block(torch: Any, slayer: Any, layer: SlayerLayer) -> Any:
    parameters: dict[str, Any] = {"threshold": layer.threshold, "shared_param": layer.shared}
    for name in ("current_decay", "voltage_decay"):
        parameters[name] = float(np.mean(getattr(layer, name)))
    block = getattr(slayer.block.cuba, layer.block)(
        parameters,
        layer.in_neurons,
        layer.out_neurons,
        **({"delay": True} if layer.delay is not None else {}),
    )
    with torch.no_grad():
        if layer.weight_rec is None:
            _fill(torch, block.synapse, layer.weight)
        else:
            _fill(torch, block.input_synapse, layer.weight)
            _fill(torch, block.recurrent_synapse, layer.weight_rec)
        if layer.delay is not None:
            block.delay.delay.data = torch.FloatTensor(layer.delay)
            block.delay.init = True
        neuron = block.neuron
        if not layer.shared:  # SLAYER would draw them at the first step
            neuron.num_neurons = layer.out_neurons
            for name in ("current_decay", "voltage_decay"):
                decay = np.broadcast_to(getattr(layer, name), layer.out_neurons) * DECAY_ONE
                getattr(neuron, name).data = torch.FloatTensor(np.ascontiguousarray(decay))
        neuron.shape = torch.Size([layer.out_neurons])
    return block


def _fill(torch: Any, synapse: Any, weight: Float) -> None:
    synapse.weight.data = torch.FloatTensor(weight).reshape(synapse.weight.shape)


def from_slayer(
    blocks: Sequence[Any],
    *,
    weights: Weights = "lava",
    input_shape: tuple[int, ...] | None = None,
    dt: float = 1e-3,
) -> QuantizedNetwork:
    """The integer network of trained SLAYER blocks, as `from_netx` of the file they write.

    Each block writes itself (`export_hdf5`), and what it writes is read without a file in between.
    Run them once before: SLAYER finds shapes, and draws decays, in the first step.

    Raises:
        ArtifactError: a block that cannot be taken; every one is named. See `from_netx`.
        SpecError: an item is no block, or `dt` is none.
    """
    if not is_positive(dt):
        raise refusal("dt", f"{dt!r:.40}", "seconds > 0", error=SpecError)
    groups = {}
    for index, block in enumerate(blocks):
        if not hasattr(block, "export_hdf5"):
            allowed = "a block of lava.lib.dl.slayer"
            raise refusal(f"blocks[{index}]", type(block).__name__, allowed, error=SpecError)
        recorder = _Recorder()
        block.export_hdf5(recorder)
        groups[str(index)] = recorder.tree
    notes = Notes()
    layers = layers_of(groups, notes)
    raise_if(ArtifactError, "these blocks cannot be taken", notes.problems)
    file = NetxFile(layers, dt, tuple(notes.findings))
    network = network_of(file, "these blocks", weights, input_shape)
    warn(network.findings)
    return network


class _Recorder:
    """What a block takes for an HDF5 group: it keeps what is written, as `read_hdf5` gives it."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}

    def create_dataset(self, name: str, *shape_dtype_data: Any, data: Any = None) -> None:
        """Keep one data set, whose data may be the last argument; ``a/b`` is b in the group a."""
        data = shape_dtype_data[-1] if shape_dtype_data else data
        *path, last = name.split("/")
        place = self.tree
        for part in path:
            place = place.setdefault(part, {})
        if isinstance(data, list):  # texts, as bytes
            data = data[0].decode()
        place[last] = data if isinstance(data, str) else np.asarray(data)
