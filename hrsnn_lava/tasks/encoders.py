"""How values become an input: currents that are held, or spikes. Parts of the kind ``encoder``.

An encoder turns values (n_frames, n_channels), each row shown for a block of steps, into what a
`hrsnn_lava.training.simulation.Stimulus` takes: values to hold, or a recording of spikes. Its
options are a table of a task: ``encoder = { kind = "rate", max_rate = 0.2 }``, or ``"rate"`` alone.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.options import Count, Number, Part, Positive, Share, options
from hrsnn_lava.trace import SpikeInput

__all__ = ["Encoder", "EncoderOption", "Held", "Latency", "Population", "Rate"]

Floats = NDArray[np.float64]


class Encoder(Protocol):
    """What turns values into an input."""

    name: ClassVar[str]

    def encode(self, values: Floats, block: int, rng: np.random.Generator) -> Floats | SpikeInput:
        """The input.

        Args:
            values: (n_frames, n_channels).
            block: steps for which a row is shown.
            rng: where spikes are drawn.

        Returns:
            (n_frames, n_inputs) values to hold, or spikes of ``n_frames * block`` steps.
        """


#: A field for an `Encoder`, its table or its name.
EncoderOption = Annotated[Any, Part("encoder"), Field(validate_default=True)]


@options
class Held:
    """Values are currents, held for the steps of their block.

    Attributes:
        gain: what a value is multiplied by.
    """

    name: ClassVar[str] = "held"
    gain: Number = 1.0

    def encode(self, values: Floats, block: int, rng: np.random.Generator) -> Floats:
        """See `Encoder`."""
        del block, rng
        return self.gain * values


@options
class Rate:
    """Poisson spikes: a channel fires in every step with a probability that follows its value.

    Attributes:
        max_rate: probability in a step at the value 1; values are clipped to 0..1.
    """

    name: ClassVar[str] = "rate"
    max_rate: Share = 0.2

    def encode(self, values: Floats, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        return _poisson(self.max_rate * np.clip(values, 0.0, 1.0), block, rng)


@options
class Latency:
    """One spike a block: the larger the value, the earlier; the value 1 fires in its first step.

    Attributes:
        threshold: values that are not above it send nothing.
    """

    name: ClassVar[str] = "latency"
    threshold: Share = 0.1

    def encode(self, values: Floats, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        del rng
        frame, channel = np.nonzero(values > self.threshold)
        delay = np.rint((1.0 - np.minimum(values[frame, channel], 1.0)) * (block - 1))
        steps = frame * block + delay.astype(np.int64)
        return SpikeInput(steps, channel, len(values) * block, values.shape[1])


@options
class Population:
    """A code for signed values: Poisson channels, each tuned to a value of its own.

    Attributes:
        channels: for each value of a row, evenly spread over the range.
        low, high: the range; values outside excite the outermost channels.
        width: standard deviation of the Gaussian tuning.
        max_rate: probability of a spike in a step at a channel's own value.
    """

    name: ClassVar[str] = "population"
    channels: Count = 100
    low: Number = -1.7
    high: Number = 1.7
    width: Positive = 0.35
    max_rate: Share = 0.2

    def encode(self, values: Floats, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        centres = np.linspace(self.low, self.high, self.channels)
        away = (values[:, :, None] - centres) / self.width
        rates = self.max_rate * np.exp(-0.5 * away**2)
        return _poisson(rates.reshape(len(values), -1), block, rng)


def _poisson(rates: Floats, block: int, rng: np.random.Generator) -> SpikeInput:
    """Spikes drawn in every step of a block with the probabilities of its row."""
    active = rng.random((len(rates) * block, rates.shape[1])) < np.repeat(rates, block, axis=0)
    steps, channels = np.nonzero(active)
    return SpikeInput(steps, channels, len(active), rates.shape[1])
