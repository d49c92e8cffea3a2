"""Classification of the Spiking Heidelberg Digits."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, EventBins
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.shd import ShdRecordings


@options
class Shd(Classification, ShdRecordings):
    """Spoken digits in two languages, 700 channels merged to 140, steps of 1 ms."""

    name: ClassVar[str] = "shd"
    train: PartSize = "all"
    validation: NotNegative = 800
    test: PartSize = "all"
    encoder: EncoderOption = EventBins(merge=5)

    def samples(self) -> Labelled:
        """All recordings."""
        return self.read()
