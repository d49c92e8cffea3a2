"""What readers give: labelled samples. Parts of the kind ``reader``, a file of this folder each.

A reader is an options class with `name` and `path`; ``[task] kind = "npz"`` takes any of them by
its name. What it reads is checked by `Labelled` itself, so a damaged file is a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import ArtifactError, Problem, raise_if

__all__ = ["Labelled", "Reader"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples of classes.

    Attributes:
        frames: (n_samples, n_frames, n_channels), values that are shown one frame after the other.
        labels: (n_samples,) index of the class of each.
        classes: names.

    Raises:
        ArtifactError: shapes disagree, a value is not finite, or a label has no class.
    """

    frames: Floats
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        problems = []
        if self.frames.ndim != 3 or not self.frames.size:
            allowed = "(samples, frames, channels), none of them 0"
            problems.append(Problem("frames", f"shape {self.frames.shape}", allowed))
        elif not np.isfinite(self.frames).all():
            problems.append(Problem("frames", "values that are not finite", "finite values"))
        if self.labels.shape != self.frames.shape[:1]:
            allowed = f"({len(self.frames)},), one for each sample"
            problems.append(Problem("labels", f"shape {self.labels.shape}", allowed))
        elif self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < len(
            self.classes
        ):
            extent = f"{self.labels.min()}..{self.labels.max()}"
            problems.append(Problem("labels", extent, f"0..{len(self.classes) - 1}"))
        raise_if(ArtifactError, "the labelled samples are not valid", problems)


class Reader(Protocol):
    """What reads samples from a file.

    Attributes:
        name: of the part.
        path: of the file; empty where the data travel with the package.
    """

    name: ClassVar[str]
    path: str

    def read(self) -> Labelled:
        """All samples; raises `ArtifactError` where the file is missing or damaged."""
