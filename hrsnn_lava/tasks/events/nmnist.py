"""Classification of N-MNIST."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, EventBins
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.nmnist import SENSOR, NmnistEvents


@options
class Nmnist(Classification, NmnistEvents):
    """Digits before a moving event camera, 2 x 2 pixels made one, steps of 1 ms."""

    name: ClassVar[str] = "nmnist"
    train: PartSize = 4000
    validation: NotNegative = 1000
    test: PartSize = 2000
    encoder: EncoderOption = EventBins(sensor=SENSOR, pool=2)

    def samples(self) -> Labelled:
        """All digits."""
        return self.read()
