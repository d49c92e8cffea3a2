"""Silence behind samples: frames in which nothing is shown, so that a network can settle."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from hrsnn_lava.tasks.readers.base import Labelled, Sample
from hrsnn_lava.tasks.readers.lazy import LazySamples

#: A number of frames, which may be none.
Frames = Annotated[int, Field(ge=0)]


def followed_by_silence(labelled: Labelled, frames: int) -> Labelled:
    """The samples, each with so many further frames of zeros."""

    def sample(k: int) -> Sample:
        shown = np.asarray(labelled.sample(k))
        return np.pad(shown, ((0, frames), (0, 0)))

    return replace(labelled, samples=LazySamples(len(labelled), sample))
