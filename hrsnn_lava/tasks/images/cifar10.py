"""Classification of CIFAR-10."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification, NotNegative
from hrsnn_lava.tasks.encoders import EncoderOption, Rate
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.cifar10 import Cifar10Images


@options
class Cifar10(Classification, Cifar10Images):
    """Colour images, Poisson spikes by intensity for 100 steps, then 100 steps of silence.

    Attributes:
        steps_per_frame: network steps for which an image is shown.
    """

    name: ClassVar[str] = "cifar10"
    steps_per_frame: Count = 100
    encoder: EncoderOption = Rate(max_rate=0.1)
    silence_steps: NotNegative = 100

    def samples(self) -> Labelled:
        """All images."""
        return self.read()
