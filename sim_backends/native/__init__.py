"""The fast engine: numba kernels, equal to `reference` bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Backend, Engine


@dataclass(frozen=True)
class NativeBackend(Backend):
    """Compiled kernels, one thread a network; they run without Python's lock."""

    name = "native"

    def open(self, network: QuantizedNetwork) -> Engine:
        """See `Backend.open`."""
        from hrsnn_lava.sim_backends.native.simulator import NativeEngine

        return NativeEngine(network)


ENGINE = NativeBackend()
