"""A population code: channels that are tuned to values."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import Count, Number, Positive, Share, options
from hrsnn_lava.tasks.encoders._spikes import poisson, regular
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample
from hrsnn_lava.trace import SpikeInput


@options
class Population:
    """A code for values of either sign: Poisson channels, each tuned to a value of its own.

    Channel j fires with ``p = max_rate exp(-(x - c_j)^2 / (2 width^2))``; the c_j are evenly spread
    from `low` to `high`. For values from 0 to 1 set ``low = 0``, ``high = 1`` and a smaller width.
    The channels of a value stand side by side: value k has those from ``k * channels`` on.

    Attributes:
        channels: for each value of a row, evenly spread over the range.
        low, high: the range; values outside excite the outermost channels.
        width: standard deviation of the Gaussian tuning.
        max_rate: probability of a spike in a step at a channel's own value.
        regular: spikes at even distances, none drawn.
    """

    name: ClassVar[str] = "population"
    takes: ClassVar[Takes] = "frames"
    channels: Count = 100
    low: Number = -1.7
    high: Number = 1.7
    width: Positive = 0.35
    max_rate: Share = 0.2
    regular: bool = False

    def __post_init__(self) -> None:
        if self.low >= self.high:
            problem = Problem("low", f"{self.low:g}", f"below high = {self.high:g}")
            raise_if(SpecError, "options of population", [problem])

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        values = frames_of(self, sample)
        centres = np.linspace(self.low, self.high, self.channels)
        away = (values[:, :, None] - centres) / self.width
        rates = (self.max_rate * np.exp(-0.5 * away**2)).reshape(len(values), -1)
        return regular(rates, block, 0.5) if self.regular else poisson(rates, block, rng)
