"""Classification of UCF11."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, FrameDifference
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.ucf11 import Ucf11Clips


@options
class Ucf11(Classification, Ucf11Clips):
    """Eleven actions, ON and OFF spikes of what moves."""

    name: ClassVar[str] = "ucf11"
    train: PartSize = "all"
    validation: NotNegative = 200
    test: PartSize = 400
    steps_per_frame: Count = 5
    encoder: EncoderOption = FrameDifference(scale=0.1)

    def samples(self) -> Labelled:
        """All clips."""
        return self.read()
