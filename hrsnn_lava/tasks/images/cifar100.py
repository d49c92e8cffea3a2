"""Classification of CIFAR-100."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification
from hrsnn_lava.tasks.encoders import EncoderOption, Rate
from hrsnn_lava.tasks.images.silence import Frames, followed_by_silence
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.cifar100 import Cifar100Images


@options
class Cifar100(Classification, Cifar100Images):
    """Colour images of 100 classes, Poisson spikes for 100 steps, then 100 steps of silence.

    Attributes:
        steps_per_frame: network steps for which an image is shown, and of a frame of silence.
        silence: frames behind each image in which nothing is shown.
    """

    name: ClassVar[str] = "cifar100"
    train: Count = 5000
    validation: Count = 500
    test: Count = 1000
    steps_per_frame: Count = 100
    encoder: EncoderOption = Rate(max_rate=0.1)
    silence: Frames = 1

    def samples(self) -> Labelled:
        """All images, and the silence behind each."""
        return followed_by_silence(self.read(), self.silence)
