"""Classification of CIFAR-100."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative, PartSize
from hrsnn_lava.tasks.encoders import EncoderOption, Rate
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.cifar100 import Cifar100Images


@options
class Cifar100(Classification, Cifar100Images):
    """Colour images of 100 classes, Poisson spikes for 100 steps, then 100 steps of silence.

    Attributes:
        steps_per_frame: network steps for which an image is shown.
    """

    name: ClassVar[str] = "cifar100"
    train: PartSize = 5000
    validation: NotNegative = 500
    test: PartSize = 1000
    steps_per_frame: Count = 100
    encoder: EncoderOption = Rate(max_rate=0.1)
    silence_steps: NotNegative = 100

    def samples(self) -> Labelled:
        """All images."""
        return self.read()
