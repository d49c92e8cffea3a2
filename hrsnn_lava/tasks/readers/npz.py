"""Labelled samples of one's own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.artifacts.container import load_npz
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers.base import Labelled


@options
class NpzSamples:
    """An ``.npz`` with ``x``, (n_samples, n_frames, n_channels), and ``y``, (n_samples,) integers.

    ``x`` may be (n_samples, n_channels): one frame each. Classes are called by their numbers, 0 to
    the largest in ``y``.

    Attributes:
        path: of the file.
    """

    name: ClassVar[str] = "npz"
    path: str

    def read(self) -> Labelled:
        """All samples; raises `ArtifactError` where the file is missing or damaged."""
        arrays = load_npz(self.path, required=("x", "y"))
        x, y = arrays["x"], arrays["y"]
        if x.dtype.kind not in "fiub" or y.dtype.kind not in "iu":
            text = f"x of {x.dtype}, y of {y.dtype}; allowed: numbers, and integers"
            raise ArtifactError(f"{self.path}: {text}")
        frames = np.asarray(x[:, None] if x.ndim == 2 else x, dtype=np.float64)
        classes = tuple(str(label) for label in range(int(y.max(initial=0)) + 1))
        return Labelled(frames, y.astype(np.int64), classes)
