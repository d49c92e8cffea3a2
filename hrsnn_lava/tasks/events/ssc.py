"""Classification of the Spiking Speech Commands."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, EventBins
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.ssc import SscRecordings


@options
class Ssc(Classification, SscRecordings):
    """35 spoken words, 700 channels merged to 140, steps of 1 ms; a share of the set by default."""

    name: ClassVar[str] = "ssc"
    train: PartSize = 7000
    validation: NotNegative = 1000
    test: PartSize = 2000
    encoder: EncoderOption = EventBins(merge=5)

    def samples(self) -> Labelled:
        """All recordings."""
        return self.read()
