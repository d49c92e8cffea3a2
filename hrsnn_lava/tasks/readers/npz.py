"""Labelled samples of one's own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.trace import load_npz


@options
class NpzSamples:
    """An ``.npz`` with ``x``, (n_samples, n_frames, n_channels), and ``y``, (n_samples,) integers.

    ``x`` may be (n_samples, n_channels): one frame each. ``classes`` may name the classes.

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
        names = arrays.get("classes", np.arange(int(y.max(initial=0)) + 1))
        return Labelled(frames, y.astype(np.int64), tuple(str(name) for name in names.tolist()))
