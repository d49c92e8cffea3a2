"""Classification of KTH actions."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, FrameDifference
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.kth import KthClips


@options
class Kth(Classification, KthClips):
    """Six actions of 25 people, ON and OFF spikes of what moves."""

    name: ClassVar[str] = "kth"
    train: PartSize = "all"
    validation: NotNegative = 190
    test: PartSize = "all"
    steps_per_frame: Count = 5
    encoder: EncoderOption = FrameDifference(scale=0.1)

    def samples(self) -> Labelled:
        """All sequences."""
        return self.read()
