"""Classification of the 8x8 digits of scikit-learn: row by row, or all pixels at once."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.classification import Classification
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.digits import Digits as DigitsFile


@options
class DigitRows(Classification):
    """The 8x8 digits, row by row: 8 channels, a row after the other, so that time matters."""

    name: ClassVar[str] = "digit_rows"

    def samples(self) -> Labelled:
        """1797 images as 8 frames of 8 channels."""
        return DigitsFile().read()


@options
class Digits(Classification):
    """The 8x8 digits, all 64 pixels at once.

    Attributes:
        steps_per_frame: network steps for which an image is shown.
    """

    name: ClassVar[str] = "digits"
    steps_per_frame: Count = 100

    def samples(self) -> Labelled:
        """1797 images as one frame of 64 channels."""
        rows = DigitsFile().read()
        return replace(rows, samples=np.asarray(rows.samples).reshape(len(rows), 1, -1))
