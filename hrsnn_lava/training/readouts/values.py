"""How values are read from spikes: by a ridge with products or without, or by the papers' network.

``readout = "quadratic"`` or ``"linear"`` in the table of a task on a series is a ridge, see
`hrsnn_lava.training.readout`; ``"network"``, or a table with its options, has one output unit for
each value, see `hrsnn_lava.training.readouts.network`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.errors import Problem
from hrsnn_lava.options import Part, table_of
from hrsnn_lava.training.readout import (
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    ValueFitter,
    ValueReadout,
)
from hrsnn_lava.training.readouts.base import Layers
from hrsnn_lava.training.readouts.network import Network, NetworkFitter
from hrsnn_lava.training.ridge import LinearMap

__all__ = [
    "ValueLesson",
    "ValueReadoutOption",
    "value_fitter",
    "value_readout",
    "wiring_of",
]

Floats = NDArray[np.float64]
#: Ridges, by whether products of decoded values enter.
RIDGES = ("quadratic", "linear")


@dataclass(frozen=True)
class _ValuePart(Part):
    """``quadratic``, ``linear``, or the network."""

    def read(self, value: Any) -> Any:
        if value in RIDGES:
            return value
        named = value.get("kind") if isinstance(value, Mapping) else value
        if isinstance(value, Mapping) and named in RIDGES and len(value) == 1:
            return named
        if not isinstance(value, Network) and named != Network.name:
            shown = "a table" if isinstance(value, Mapping) and named is None else repr(named)
            where = "kind" if isinstance(value, Mapping) else ""
            allowed = f"{' or '.join(map(repr, RIDGES))}, or {Network.name!r}"
            raise self.refusal([Problem(where, shown, allowed)])
        return super().read(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            self.read,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: table_of(value) if dataclasses.is_dataclass(value) else value
            ),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        del schema, handler
        return {"enum": [*RIDGES, Network.name]}


#: A field for ``"quadratic"``, ``"linear"``, ``"network"``, or a table of the network's options.
ValueReadoutOption = Annotated[Any, _ValuePart("readout"), Field(validate_default=True)]


@dataclass(frozen=True, eq=False)
class ValueLesson:
    """A recording that a readout of values is fitted to.

    Attributes:
        features: (n, n_features), kind after kind.
        values: (n, d') what was shown: what a quadratic readout decodes.
        targets: (n, d) what is to be told.
        kinds: features of each neuron.
        wiring: see `wiring_of`.
        seed: of what a network draws.
    """

    features: Floats
    values: Floats
    targets: Floats
    kinds: int
    wiring: sparse.csr_matrix | None = None
    seed: int = 0


def value_fitter(
    lesson: ValueLesson, options: ReadoutOptions, network: Network | None = None
) -> ValueFitter[ValueReadout]:
    """What fits readouts to a recording.

    Args:
        lesson: the recording.
        options: of a ridge.
        network: in its place.
    """
    o = lesson
    if network is not None:
        return NetworkFitter(network, o.features, o.targets, o.kinds, o.wiring, o.seed)
    return ReadoutFitter(o.features, o.values, o.targets, o.kinds, options)


def value_readout(arrays: Mapping[str, NDArray[Any]], alpha: float = 0.0) -> ValueReadout:
    """The readout of its arrays, as they are in an artifact."""
    if "weights_2" in arrays or "features" in arrays:
        weights, offsets, ending = [arrays["weights"]], [arrays["offset"]], 2
        while f"weights_{ending}" in arrays:
            weights.append(arrays[f"weights_{ending}"])
            offsets.append(arrays[f"offset_{ending}"])
            ending += 1
        return Layers(weights, offsets, alpha, {}, arrays.get("features"))
    if "product_weights" not in arrays:
        return Readout(arrays["weights"], arrays["offset"], alpha)
    decoder = LinearMap(arrays["decoder_weights"], arrays["decoder_offset"])
    return Readout(arrays["weights"], arrays["offset"], alpha, decoder, arrays["product_weights"])


def wiring_of(simulator: Any) -> Any:
    """CSR (n_neurons, n_neurons) of the recurrent synapses; None of what has no network."""
    network = getattr(simulator, "network", None)
    return None if network is None else recurrent_edges(network).matrix
