"""An import held against the spikes of its source: in float on our engine, and in integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.deploy.interchange.diagnosis import Cause, cause, suspect, terms
from hrsnn_lava.deploy.interchange.from_nir import Imported
from hrsnn_lava.deploy.interchange.recording import Recording, differing
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerAgreement:
    """One layer in the source, in our floats, and in integers.

    Attributes:
        layer: its name. shift: steps by which its spikes come later here.
        source: spikes of the source; None where they were not recorded.
        most: spikes that a neuron of the source sends in a step at most.
        floats: spikes of our float run. differing: cells (step, neuron) in which they differ from
            the source.
        integers: spikes after quantization. moved: cells in which they differ from our floats.
    """

    layer: str
    shift: int
    source: int | None
    most: int | None
    floats: int
    differing: int | None
    integers: int
    moved: int


@dataclass(frozen=True)
class FirstDifference:
    """Where a run first parts from its source.

    Attributes:
        layer, step, neuron: step as the source counts.
        expected, found: spikes of the source, and ours.
        terms: what made up the potential there, by the rule.
        cause: the term that explains it.
    """

    layer: str
    step: int
    neuron: int
    expected: int
    found: int
    terms: Mapping[str, float]
    cause: Cause

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.4g}" for name, value in self.terms.items())
        return (
            f"first difference: layer {self.layer}, step {self.step}, neuron {self.neuron}: "
            f"{self.found} instead of {self.expected} spikes\n  {parts}\n  {self.cause}"
        )


@dataclass(frozen=True)
class Agreement:
    """How far an import does what its source did.

    Attributes:
        steps: of the recording.
        layers: one after the other.
        first: difference; None where there is none.
    """

    steps: int
    layers: tuple[LayerAgreement, ...]
    first: FirstDifference | None

    @property
    def exact(self) -> bool:
        """Whether no recorded spike differs."""
        return self.first is None

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {**asdict(self), "exact": self.exact}


def against(found: Imported, recording: Recording) -> Agreement:
    """Replay the inputs of a recording and compare what was recorded.

    The float network runs on our engine, and its integers on the native one; shifts of layers are
    taken off before anything is compared.
    """
    network = found.network
    ours = _by_layer(found, recording, _float_spikes(network, *_padded(found, recording)))
    integer, _ = Quantize().apply(network, Context())
    fixed = _by_layer(found, recording, _integer_spikes(integer, *_padded(found, recording)))
    rows = []
    for name, spikes in ours.items():
        source = recording.layers.get(name)
        rows.append(
            LayerAgreement(
                name,
                found.timing.visible[name],
                None if source is None else int(source.sum()),
                None if source is None else int(source.max(initial=0)),
                int(spikes.sum()),
                None if source is None else int((spikes != source).sum()),
                int(fixed[name].sum()),
                int((fixed[name] != spikes).sum()),
            )
        )
    return Agreement(recording.steps, tuple(rows), _first(found, recording, ours))


def _padded(found: Imported, recording: Recording) -> tuple[SpikeInput, int]:
    """The input with as many empty steps behind it as the last layer is late, and all steps."""
    late = max(found.timing.crossing.values())
    empty = np.zeros((late, recording.inputs.shape[1]), dtype=bool)
    events = np.vstack([recording.inputs.astype(bool), empty])
    return SpikeInput.from_dense(events), int(events.shape[0])


def _float_spikes(network: Network, events: SpikeInput, steps: int) -> Array:
    simulator = FloatSimulator(network, several=True)
    at, who = simulator.run_events(events)
    spikes = np.zeros((steps, network.n_neurons), dtype=np.int64)
    spikes[at, who] = 1 if simulator.sent is None else simulator.sent
    return spikes


def _integer_spikes(network: QuantizedNetwork, events: SpikeInput, steps: int) -> Array:
    return simulate(network, events, steps, "native").dense().astype(np.int64)


def _by_layer(found: Imported, recording: Recording, spikes: Array) -> dict[str, Array]:
    """Spikes of each layer in the steps of the source."""
    parts = {}
    for layer in found.model.layers:
        if layer.rule.spikes:
            first, shift = found.network.offset(layer.name), found.timing.visible[layer.name]
            parts[layer.name] = spikes[shift : shift + recording.steps, first : first + layer.size]
    return parts


def _first(
    found: Imported, recording: Recording, ours: Mapping[str, Array]
) -> FirstDifference | None:
    """The first difference by step, then by the order of the layers."""
    places = []
    for order, (name, source) in enumerate(recording.layers.items()):
        if name in ours and (place := next(differing(ours[name], source), None)) is not None:
            places.append((place[0], order, place[1], name))
    if not places:
        return None
    step, _, neuron, name = min(places)
    source = recording.layers[name]
    of = suspect(found.model, name, recording.inputs, recording.layers)
    why = cause(of)
    if why.before == 0:  # the rule is right, and the network is told to send less than it says
        text = f"up to {int(source.max())} spikes are sent in a step, where a neuron here sends one"
        why = Cause("reset", text, int((ours[name] != source).sum()), 0)
    return FirstDifference(
        name,
        step,
        neuron,
        int(source[step, neuron]),
        int(ours[name][step, neuron]),
        terms(of, step, neuron),
        why,
    )
