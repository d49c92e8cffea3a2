"""The readable truth, in plain NumPy: what the other engines are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Backend, Engine


@dataclass(frozen=True)
class ReferenceBackend(Backend):
    """NumPy, line by line as the fixed-point step is defined."""

    name = "reference"

    def open(self, network: QuantizedNetwork) -> Engine:
        """See `Backend.open`."""
        from hrsnn_lava.sim_backends.reference.simulator import ReferenceEngine

        return ReferenceEngine(network)


ENGINE = ReferenceBackend()
