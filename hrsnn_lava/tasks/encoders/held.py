"""Values that are held as currents."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.options import Number, options
from hrsnn_lava.tasks.encoders.base import Takes, frames_of
from hrsnn_lava.tasks.readers.base import Sample


@options
class Held:
    """Values are currents, held for the steps of their block.

    Attributes:
        gain: what a value is multiplied by.
    """

    name: ClassVar[str] = "held"
    takes: ClassVar[Takes] = "frames"
    gain: Number = 1.0

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `Encoder`."""
        del block, rng
        return self.gain * frames_of(self, sample)
