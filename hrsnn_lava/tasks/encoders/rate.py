"""A rate code: the larger a value, the more often its channel fires."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Share, options
from hrsnn_lava.tasks.encoders._spikes import poisson, regular
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample
from hrsnn_lava.trace import SpikeInput


@options
class Rate:
    """Poisson spikes: a channel fires in every step with a probability that follows its value.

    ``p = max_rate * min(max(x, 0), 1)``. With `regular`, the spikes of a channel are as evenly
    spaced as whole steps allow, and their number is exact: ``floor(phase + p t)`` after t steps.

    Attributes:
        max_rate: probability in a step at the value 1; values are clipped to 0..1.
        regular: spikes at even distances, none drawn.
        phase: of the first spike, 0 to 1, where they are regular: 0.5 rounds their number to the
            nearest, 0 down.
    """

    name: ClassVar[str] = "rate"
    takes: ClassVar[Takes] = "frames"
    max_rate: Share = 0.2
    regular: bool = False
    phase: Share = 0.5

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        rates = self.max_rate * np.clip(frames_of(self, sample), 0.0, 1.0)
        return regular(rates, block, self.phase) if self.regular else poisson(rates, block, rng)
