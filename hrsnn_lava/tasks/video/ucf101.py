"""Classification of UCF101."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, FrameDifference
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.ucf101 import Ucf101Clips


@options
class Ucf101(Classification, Ucf101Clips):
    """101 actions, ON and OFF spikes of what moves; a share of the set by default."""

    name: ClassVar[str] = "ucf101"
    train: PartSize = 2500
    validation: NotNegative = 500
    test: PartSize = 1000
    steps_per_frame: Count = 5
    encoder: EncoderOption = FrameDifference(scale=0.1)

    def samples(self) -> Labelled:
        """All clips of a split."""
        return self.read()
