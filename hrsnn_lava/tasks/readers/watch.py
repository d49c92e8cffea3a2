"""Shoulder exercises, by a watch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import load_npz
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.tasks.readers._files import damaged, file_below, root_of
from hrsnn_lava.tasks.readers._ragged import bounds_of, classes_of
from hrsnn_lava.tasks.readers.base import Labelled, Sample
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

Ints = NDArray[np.int64]
#: Samples a second, channels: acceleration in g along x, y, z, then turning in rad/s about them.
RATE, CHANNELS = 50, 6
CLASSES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)
_NPZ, _PICKLE = "watch_exercises.npz", "watch_dataset.npy"
_CONVERSION = (
    "it is a pickle, which may run any code, so it is not opened here. Where you trust it: "
    "d = numpy.load(FILE, allow_pickle=True).item(); numpy.savez('watch_exercises.npz', "
    "samples=numpy.concatenate(d['X']), lengths=[len(x) for x in d['X']], exercise=d['y'], "
    "subject=d['subject'])"
)


@options
class WatchExercises:
    """Seven shoulder exercises by the accelerometer and the gyroscope of a watch, 50 Hz.

    Recordings are cut into windows, and what is left at their end is dropped. Groups are people.

    Attributes:
        path: the ``.npz``, or its folder; see `hrsnn-lava data watch`.
        window: seconds of a sample.
        stride: seconds from the start of a window to that of the next.
        average: measurements, 50 a second, that are averaged to a frame.
        gyro: rad/s that count as much as 1 g. 4 is our choice: changes are then alike.
    """

    name: ClassVar[str] = "watch"
    facts: ClassVar[DataSet] = DataSet(
        "Watch exercises (seglearn)",
        "the Python package seglearn, its file watch_dataset.npy",
        "BSD 3-clause, as the package",
        "Burns, Leung, Hardisty, Whyne, Henry and McLachlin 2018",
        (
            SetFile(
                _NPZ,
                "samples (sum of lengths, 6), lengths (140,), exercise 0 to 6, subject; "
                "unit (6,) where samples are integers",
            ),
        ),
        len(CLASSES),
        {"all": 1465},
        note="the number is that of windows of 3.2 s; the file of seglearn needs a conversion: "
        f"{_CONVERSION}",
    )
    path: str = ""
    window: Positive = 3.2
    stride: Positive = 3.2
    average: Count = 4
    gyro: Positive = 4.0

    def read(self) -> Labelled:
        """All windows; raises `ArtifactError` where the file is missing or damaged."""
        root = root_of(self.path, self.facts)
        file = root / _PICKLE if root.is_dir() and not (root / _NPZ).is_file() else root
        if file.suffix == ".npy" and file.is_file():
            raise ArtifactError(f"{file}: {_CONVERSION}")
        file = root if root.is_file() else file_below(root, _NPZ, self.facts)
        arrays = load_npz(file, required=("samples", "lengths", "exercise", "subject"))
        samples, lengths = arrays["samples"], arrays["lengths"]
        if samples.dtype.kind not in "fiu" or samples.ndim != 2 or samples.shape[1] != CHANNELS:
            measured = f"{samples.dtype}, shape {samples.shape}"
            raise damaged(file, "samples", measured, f"numbers, (measurements, {CHANNELS})")
        unit = arrays.get("unit", np.ones(CHANNELS))
        if unit.shape != (CHANNELS,) or unit.dtype.kind not in "fiu":
            raise damaged(file, "unit", f"{unit.dtype}, shape {unit.shape}", f"({CHANNELS},)")
        if not (np.isfinite(samples).all() and np.isfinite(unit).all()):
            rows = np.flatnonzero(~np.isfinite(samples).all(axis=1))
            place = f", first in row {rows[0]} of samples" if rows.size else ", in unit"
            measured = f"values that are not finite{place}"
            raise damaged(file, "samples, unit", measured, "finite values")
        bounds = bounds_of(file, lengths, len(samples), "lengths")
        subject = classes_of(file, arrays["subject"], 2**31, "subject")
        exercise = classes_of(file, arrays["exercise"], len(CLASSES), "exercise")
        for name, values in (("subject", subject), ("exercise", exercise)):
            if values.shape != lengths.shape:
                raise damaged(file, name, f"shape {values.shape}", f"{lengths.shape}")
        starts, recording = self._starts(file, bounds)
        scale = unit / np.repeat([1.0, self.gyro], 3)
        frames, count = round(self.window * RATE) // self.average, self.average

        def sample(k: int) -> Sample:
            window = samples[starts[k] : starts[k] + frames * count] * scale
            return np.asarray(window.reshape(frames, count, CHANNELS).mean(axis=1))

        windows = LazySamples(len(starts), sample)  # which may overlap, as often as one likes
        return Labelled(windows, exercise[recording], CLASSES, subject[recording])

    def _starts(self, file: Path, bounds: Ints) -> tuple[Ints, Ints]:
        """First measurement of every window, and its recording."""
        length, stride = round(self.window * RATE), round(self.stride * RATE)
        problems = []
        if length < self.average:
            allowed = f">= {self.average / RATE:g} s, a frame"
            problems.append(Problem("task.window", f"{self.window:g} s", allowed))
        if stride < 1:
            problems.append(Problem("task.stride", f"{self.stride:g} s", f">= {1 / RATE:g} s"))
        if problems:
            raise SpecError("recordings cannot be cut into windows", problems=problems)
        starts = [
            np.arange(begin, end - length + 1, stride) for begin, end in pairwise(bounds.tolist())
        ]
        if not sum(map(len, starts)):
            longest = np.diff(bounds).max() / RATE
            measured = f"{self.window:g} s"
            raise damaged(file, "window", measured, f"<= {longest:g} s, the longest recording")
        counts = [len(of) for of in starts]
        return np.concatenate(starts), np.repeat(np.arange(len(starts)), counts)
