"""A latency code: the larger a value, the earlier its spike."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Share, options
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample
from hrsnn_lava.trace import SpikeInput


@options
class Latency:
    """One spike a block: the larger the value, the earlier; the value 1 fires in its first step.

    ``t = round((1 - x) (block - 1))``.

    Attributes:
        threshold: values that are not above it send nothing.
    """

    name: ClassVar[str] = "latency"
    takes: ClassVar[Takes] = "frames"
    threshold: Share = 0.1

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        del rng
        values = frames_of(self, sample)
        frame, channel = np.nonzero(values > self.threshold)
        delay = np.rint((1.0 - np.minimum(values[frame, channel], 1.0)) * (block - 1))
        steps = frame * block + delay.astype(np.int64)
        return SpikeInput(steps, channel, len(values) * block, values.shape[1])
