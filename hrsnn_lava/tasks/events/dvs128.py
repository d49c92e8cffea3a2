"""Classification of DVS128 Gesture."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, EventBins
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.dvs128 import SENSOR, DvsGestures


@options
class Dvs128(Classification, DvsGestures):
    """Eleven gestures before an event camera, 8 x 8 pixels made one, steps of 10 ms."""

    name: ClassVar[str] = "dvs128"
    train: PartSize = "all"
    validation: NotNegative = 176
    test: PartSize = "all"
    encoder: EncoderOption = EventBins(step=0.01, sensor=SENSOR, pool=8)

    def samples(self) -> Labelled:
        """All gestures."""
        return self.read()
