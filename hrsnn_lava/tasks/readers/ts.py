"""Labelled time series in the text form of aeon and sktime, one's own or of the UEA archive."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._ragged import named
from hrsnn_lava.tasks.readers._time_series import Floats, read_ts
from hrsnn_lava.tasks.readers.base import Labelled

#: Endings of the two files of a set.
TRAIN, TEST = "_TRAIN.ts", "_TEST.ts"


@options
class TimeSeries:
    """A ``.ts`` file, or the pair ``NAME_TRAIN.ts`` and ``NAME_TEST.ts`` with the set's own split.

    Attributes:
        path: of the file; of ``NAME_TRAIN.ts``, its ``NAME_TEST.ts`` beside it is read, too.
        average: so many successive values become one frame, their mean; a rest is left out.
        standardise: values in standard deviations from their mean, both over the training part.
    """

    name: ClassVar[str] = "ts"
    path: str = ""
    average: Count = 1
    standardise: bool = True

    def read(self) -> Labelled:
        """All samples; raises `ArtifactError` where a file is missing or damaged."""
        if not self.path:
            problem = Problem("task.path", "not set", "a .ts file")
            raise SpecError("labelled series have no path", problems=[problem])
        file = Path(self.path)
        samples, labels = read_ts(file)
        parts, train = None, len(samples)
        if file.name.endswith(TRAIN):
            other = file.with_name(f"{file.name.removesuffix(TRAIN)}{TEST}")
            more, more_labels = read_ts(other, samples[0].shape[1])
            samples, labels = [*samples, *more], [*labels, *more_labels]
            parts = np.repeat(np.array([0, 2]), [train, len(more)])
        frames = [self._framed(sample, k) for k, sample in enumerate(samples)]
        if self.standardise:
            every = np.concatenate(frames[:train])
            deviation = every.std(axis=0)
            deviation[deviation == 0] = 1.0
            frames = [(rows - every.mean(axis=0)) / deviation for rows in frames]
        index, classes = named(np.array(labels))
        return Labelled(frames, index, classes, None, parts)

    def _framed(self, sample: Floats, k: int) -> Floats:
        count = len(sample) // self.average
        if not count:
            problem = Problem(
                f"sample {k}", f"{len(sample)} values", f">= average = {self.average}"
            )
            raise ArtifactError(f"{self.path}: too short", problems=[problem])
        whole = sample[: count * self.average]
        means: Floats = whole.reshape(count, self.average, -1).mean(axis=1)
        return means
