"""Send on delta: a channel speaks when its value has moved, as an event camera's pixel does."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Positive, options
from hrsnn_lava.tasks.encoders._spikes import ROUNDING, burst
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample
from hrsnn_lava.trace import SpikeInput


@options
class Delta:
    """An ON spike whenever a value has risen by a threshold, an OFF spike when it has fallen by it.

    Every channel has a level ``L``, which starts at the first value (at 0 with `from_zero`). In
    each frame it sends ``n = floor(|x - L| / threshold)`` spikes and moves: ``L += sign(x - L) n
    threshold``, so that ``|x - L| < threshold``. n is at most the steps of a block; what is left
    follows in the next frames. The n spikes are evenly spread over the block. Of C channels, 0 to
    C - 1 are ON, C to 2 C - 1 are OFF.

    Attributes:
        threshold: of the move, in the unit of the values.
        from_zero: levels start at 0, so that the first frame sends what it holds.
    """

    name: ClassVar[str] = "delta"
    takes: ClassVar[Takes] = "frames"
    threshold: Positive = 0.1
    from_zero: bool = False

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        del rng
        values = frames_of(self, sample)
        width = values.shape[1]
        # in thresholds: whole levels are exact however often they move
        target = (values if self.from_zero else values - values[0]) / self.threshold
        level = np.zeros(width)
        steps, channels = [], []
        for k, row in enumerate(target):
            moved = row - level
            count = np.minimum(np.floor(np.abs(moved) + ROUNDING), block)
            level += np.sign(moved) * count
            entry, at = burst(count.astype(np.int64), block)
            steps.append(k * block + at)
            channels.append(entry + width * (moved[entry] < 0))
        return SpikeInput(
            np.concatenate(steps), np.concatenate(channels), len(values) * block, 2 * width
        )
