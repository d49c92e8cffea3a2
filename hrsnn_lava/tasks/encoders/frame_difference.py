"""What changed from a frame to the next: more, or less, of each channel."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import NonNegative, Positive, Share, options
from hrsnn_lava.tasks.encoders._spikes import poisson, regular
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample
from hrsnn_lava.trace import SpikeInput


@options
class FrameDifference:
    """ON and OFF spikes from the difference of successive frames, ``d = x_k - x_{k-1}``.

    A channel's ON side fires with ``p = max_rate min(max(d, 0) / scale, 1)`` in every step of frame
    k, its OFF side likewise with -d. With a `threshold` it is one spike in the first step instead,
    where ``|d|`` is above it. The first frame sends nothing. Of C channels, 0 to C - 1 are ON, C to
    2 C - 1 are OFF.

    Attributes:
        scale: difference at which the rate is largest, in the unit of the values.
        max_rate: probability of a spike in a step there.
        threshold: above it, one spike a frame and side, and no rates; not set: rates.
        regular: spikes of a rate at even distances, none drawn.
    """

    name: ClassVar[str] = "frame_difference"
    takes: ClassVar[Takes] = "frames"
    scale: Positive = 1.0
    max_rate: Share = 0.2
    threshold: NonNegative | None = None
    regular: bool = False

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        values = frames_of(self, sample)
        change = np.diff(values, axis=0, prepend=values[:1])
        sides = np.concatenate([change, -change], axis=1)
        if self.threshold is not None:
            frames, channels = np.nonzero(sides > self.threshold)
            return SpikeInput(frames * block, channels, len(values) * block, sides.shape[1])
        rates = self.max_rate * np.clip(sides / self.scale, 0.0, 1.0)
        return regular(rates, block, 0.5) if self.regular else poisson(rates, block, rng)
