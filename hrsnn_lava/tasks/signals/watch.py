"""Classification of exercises by a watch."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, FrameDifference
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.watch import WatchExercises


@options
class Watch(Classification, WatchExercises):
    """Seven exercises of ten people, windows of 3.2 s, ON and OFF spikes of what changes."""

    name: ClassVar[str] = "watch"
    train: PartSize = "all"
    validation: NotNegative = 200
    test: PartSize = 300
    steps_per_frame: Count = 5
    encoder: EncoderOption = FrameDifference(scale=0.25)

    def samples(self) -> Labelled:
        """All windows."""
        return self.read()
