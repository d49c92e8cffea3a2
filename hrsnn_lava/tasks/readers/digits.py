"""The 8x8 digits of scikit-learn, which travel with the package."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path
from typing import ClassVar

import numpy as np

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers.base import Labelled

#: Largest value of a pixel in the file.
DEPTH = 16.0


@options
class Digits:
    """1797 handwritten digits of 8 x 8 pixels: rows of 64 values from 0 to 16, then the class.

    Frames are the rows of an image from the top, pixels from 0 to 1.

    Attributes:
        path: of another ``csv.gz`` of the same form; empty: the file in the package, which is
            scikit-learn's, see ``digits.LICENSE.txt`` beside it.
    """

    name: ClassVar[str] = "digits"
    path: str = ""

    def read(self) -> Labelled:
        """All images; raises `ArtifactError` where the file is missing or of another form."""
        packaged = resources.files("hrsnn_lava.tasks.images").joinpath("digits.csv.gz")
        try:
            data = Path(self.path).read_bytes() if self.path else packaged.read_bytes()
            lines = gzip.decompress(data).decode("ascii").splitlines()
            table = np.array([line.split(",") for line in lines], dtype=np.float64)
            images, labels = table[:, :64].reshape(-1, 8, 8) / DEPTH, table[:, 64]
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise ArtifactError(f"{self.path or packaged}: no digits: {error}") from error
        return Labelled(images, labels.astype(np.int64), tuple("0123456789"))
