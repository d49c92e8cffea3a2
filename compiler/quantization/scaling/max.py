"""``max``: no weight is clipped; the largest decides the exponent."""

from __future__ import annotations

from hrsnn_lava.compiler.quantization.scaling.base import Plain
from hrsnn_lava.compiler.quantization.target import Synapses, Target, exponent_for


class Option(Plain):
    """The largest weight of a projection decides its exponent."""

    def exponent(self, target: Target, synapses: Synapses, scale: float) -> int:
        """The smallest that holds the largest weight and floors no sum."""
        del target
        return exponent_for(synapses, synapses.largest * scale)
