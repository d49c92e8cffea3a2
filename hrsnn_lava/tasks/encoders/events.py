"""Events of a sensor or an ear model, counted into steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.tasks.encoders._spikes import ROUNDING
from hrsnn_lava.tasks.encoders.base import Takes, events_of
from hrsnn_lava.tasks.readers.base import Events, Sample
from hrsnn_lava.trace import SpikeInput

Ints = NDArray[np.int64]
#: Longest sample, in steps.
LONGEST = 2**24


@dataclass(frozen=True, eq=False)
class Binned:
    """A sample in steps.

    Attributes:
        spikes: one at most for each channel and step.
        merged: events that fell onto the spike of another one, and are lost.
    """

    spikes: SpikeInput
    merged: int


@options
class EventBins:
    """Events become spikes of steps: ``floor(time / (speed * step))``, one a channel and step.

    Further events of a channel in a step are lost; `binned` says how many. The sample has as many
    steps as its duration needs, and whole blocks.

    Attributes:
        step: seconds of the recording that a network step is.
        speed: how many times faster it is played.
        merge: neighbouring channels that become one; 5 makes 140 of the 700 of SHD.
        sensor: height and width of a camera, whose channels are ``(polarity * height + y) * width
            + x``; not set: channels are in a row.
        pool: pixels of a camera that become one, in each direction; needs `sensor`.
    """

    name: ClassVar[str] = "events"
    takes: ClassVar[Takes] = "events"
    step: Positive = 1e-3
    speed: Positive = 1.0
    merge: Count = 1
    sensor: tuple[Count, Count] | None = None
    pool: Count = 1

    def __post_init__(self) -> None:
        problems = []
        if self.pool > 1 and self.sensor is None:
            problems.append(Problem("pool", f"{self.pool}", "1, or with a sensor", "set sensor"))
        if self.merge > 1 and self.sensor is not None:
            problems.append(Problem("merge", f"{self.merge}", "1 with a sensor", "set pool"))
        raise_if(SpecError, "options of events", problems)

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> SpikeInput:
        """See `Encoder`."""
        del rng
        return self.binned(events_of(self, sample), block).spikes

    def binned(self, sample: Events, block: int = 1) -> Binned:
        """A sample in steps, and how many of its events are lost.

        Raises:
            SpecError: the sample would be too long, or its channels are none of the `sensor`.
        """
        length = np.ceil(sample.duration / (self.speed * self.step) - ROUNDING)
        if not length <= LONGEST:
            problem = Problem(
                "task.encoder.step",
                f"{self.step:g} s for {sample.duration:g} s",
                f"{LONGEST} steps a sample",
                "use longer steps, or a higher speed",
            )
            raise SpecError("a sample is too long", problems=[problem])
        n_steps = block * max(-(-int(length) // block), 1)
        channels, width = self._channels(sample)
        at = np.floor(sample.times / (self.speed * self.step) + ROUNDING).astype(np.int64)
        cells = np.minimum(at, max(int(length), 1) - 1) * width + channels
        distinct = np.unique(cells)
        spikes = SpikeInput(distinct // width, distinct % width, n_steps, width)
        return Binned(spikes, cells.size - distinct.size)

    def _channels(self, sample: Events) -> tuple[Ints, int]:
        """Channel of every event after merging, and how many there are."""
        if self.sensor is None:
            return sample.channels // self.merge, -(-sample.n_channels // self.merge)
        height, width = self.sensor
        kinds, rest = divmod(sample.n_channels, height * width)
        if rest or not kinds:
            problem = Problem(
                "task.encoder.sensor",
                f"{height} x {width} pixels",
                f"a divisor of the samples' {sample.n_channels} channels",
            )
            raise SpecError("the sensor is not that of the samples", problems=[problem])
        high, wide = -(-height // self.pool), -(-width // self.pool)
        row, x = np.divmod(sample.channels, width)
        kind, y = np.divmod(row, height)
        return (kind * high + y // self.pool) * wide + x // self.pool, kinds * high * wide
