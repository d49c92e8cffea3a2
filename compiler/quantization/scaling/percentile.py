"""``percentile`` or ``percentile:P``: the P-th percentile of the sizes decides, larger ones clip.

A few huge weights, such as pruning with rescaling leaves, no longer cost all others their
resolution. They are clipped only where that is the smaller error of the synaptic currents. 99.9 by
default; this is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrsnn_lava.compiler.quantization.current_error import CurrentTerms, hopeful_sum
from hrsnn_lava.compiler.quantization.scaling.base import Plain
from hrsnn_lava.compiler.quantization.target import Synapses, Target, exponent_for
from hrsnn_lava.errors import Problem, SpecError


@dataclass(frozen=True)
class Option(Plain):
    """A percentile of the weights decides the exponent.

    Attributes:
        percentile: above 0, at most 100, which clips nothing.
    """

    percentile: float = 99.9

    @classmethod
    def parse(cls, value: str) -> Option:
        """From the text after the colon."""
        try:
            percentile = float(value)
        except ValueError:
            percentile = np.nan
        if not 0.0 < percentile <= 100.0:
            problem = Problem("scaling", repr(f"percentile:{value}"), "percentile:P, 0 < P <= 100")
            raise SpecError("how weights become integers", problems=[problem])
        return cls(percentile)

    def exponent(self, target: Target, synapses: Synapses, scale: float) -> int:
        """The one that holds the percentile, or the largest, whichever shifts currents less."""
        sizes = np.abs(synapses.weights.data)
        # an actual weight: between two of them there is nothing to hold
        top = np.percentile(sizes, self.percentile, method="lower") if sizes.size else 0.0
        clipping = exponent_for(synapses, float(top) * scale)
        whole = exponent_for(synapses, synapses.largest * scale)
        if clipping == whole:
            return whole
        costs = [
            hopeful_sum(CurrentTerms.of(target, synapses, scale, exponent).cost)
            for exponent in (clipping, whole)
        ]
        return clipping if costs[0] < costs[1] else whole
