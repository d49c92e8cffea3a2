"""Labelled samples of one's own, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import MAX_BYTES, load_npz
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._files import damaged, size_of
from hrsnn_lava.tasks.readers._ragged import bounds_of, named
from hrsnn_lava.tasks.readers.base import PARTS, Events, Labelled, Sample
from hrsnn_lava.tasks.readers.lazy import LazySamples

Arrays = Mapping[str, NDArray[Any]]
Ints = NDArray[np.int64]


@options
class NpzSamples:
    """An ``.npz`` with samples in ``x``, or events in ``times`` and ``channels``, and labels ``y``.

    - ``x`` (n_samples, n_frames, n_channels), or (n_samples, n_channels): one frame each;
    - ``x`` (sum of lengths, n_channels) with ``lengths`` (n_samples,): of different lengths;
    - ``times`` (sum of lengths,) seconds, ``channels`` of the same shape, ``lengths``, and
      ``n_channels``: events; ``duration``, one number or one a sample, by default the last time.

    ``y`` (n_samples,) has integers or texts; classes are what occurs in it, in its order.
    ``groups`` (n_samples,) and ``parts`` (n_samples,), 0 to 2 or ``train``, ``validation``,
    ``test``, may be there too.

    Attributes:
        path: of the file.
    """

    name: ClassVar[str] = "npz"
    path: str

    def read(self) -> Labelled:
        """All samples; raises `ArtifactError` where the file is missing or damaged."""
        path = Path(self.path)
        size_of(path, MAX_BYTES)
        arrays = load_npz(path, required=("y",), texts=True)
        if "x" not in arrays and "times" not in arrays:
            there = ", ".join(arrays)
            raise ArtifactError(f"{path}: missing x, or times and channels; found: {there}")
        labels = arrays["y"]
        if labels.dtype.kind not in "iubUS" or labels.ndim != 1:
            kind = f"{arrays['x'].dtype}, " if "x" in arrays else ""
            text = f"x of {kind}y of {labels.dtype}" if kind else f"y of {labels.dtype}"
            allowed = "numbers, and integers or texts (n_samples,)"
            raise ArtifactError(f"{path}: {text}, shape {labels.shape}; allowed: {allowed}")
        samples = _frames(path, arrays) if "x" in arrays else _events(path, arrays)
        index, classes = named(labels)
        try:
            return Labelled(samples, index, classes, _groups(path, arrays), _parts(path, arrays))
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error.message}", problems=error.problems) from None


def _frames(path: Path, arrays: Arrays) -> Any:
    x = arrays["x"]
    if x.dtype.kind not in "fiub":
        text = f"x of {x.dtype}, y of {arrays['y'].dtype}; allowed: numbers, and integers or texts"
        raise ArtifactError(f"{path}: {text}")
    values = np.asarray(x, dtype=np.float64)
    if "lengths" not in arrays:
        if x.ndim not in (2, 3):
            allowed = "(samples, frames, channels), (samples, channels), or rows with lengths"
            raise damaged(path, "x", f"shape {x.shape}", allowed)
        return values[:, None] if x.ndim == 2 else values
    if x.ndim != 2:
        raise damaged(path, "x", f"shape {x.shape}", "with lengths: (sum of lengths, channels)")
    bounds = bounds_of(path, arrays["lengths"], len(x), "lengths")
    return [values[begin:end] for begin, end in pairwise(bounds.tolist())]


def _events(path: Path, arrays: Arrays) -> LazySamples:
    for name in ("channels", "lengths", "n_channels"):
        if name not in arrays:
            raise ArtifactError(f"{path}: times without {name}; found: {', '.join(arrays)}")
    times, channels, width = arrays["times"], arrays["channels"], arrays["n_channels"]
    kinds = times.dtype.kind in "fiu" and channels.dtype.kind in "iu"
    if not kinds or times.ndim != 1 or channels.shape != times.shape:
        measured = f"{times.dtype} {times.shape}, {channels.dtype} {channels.shape}"
        raise damaged(path, "times, channels", measured, "numbers and integers, equal (n_events,)")
    if width.shape != () or width.dtype.kind not in "iu" or not 0 < int(width) <= 2**31:
        raise damaged(path, "n_channels", f"{width!r:.40}", "one integer above 0")
    bounds = bounds_of(path, arrays["lengths"], times.size, "lengths", least=0)
    seconds, at = times.astype(np.float64), channels.astype(np.int64)
    count = bounds.size - 1
    durations = arrays.get("duration")
    if durations is not None:
        if durations.dtype.kind not in "fiu" or durations.shape not in ((), (count,)):
            measured = f"{durations.dtype}, shape {durations.shape}"
            raise damaged(path, "duration", measured, f"numbers, () or ({count},)")
        durations = np.broadcast_to(durations.astype(np.float64), (count,))
        if not (np.isfinite(durations).all() and durations.min() >= 0):
            raise damaged(path, "duration", "below 0 or not finite", "seconds")

    def sample(k: int) -> Sample:
        inside = slice(bounds[k], bounds[k + 1])
        last = float(seconds[inside].max(initial=0.0)) if durations is None else durations[k]
        try:
            return Events(seconds[inside], at[inside], int(width), float(last))
        except ArtifactError as error:
            problem = error.problems[0]
            where = f"sample {k}, {problem.where}"
            raise damaged(path, where, problem.measured, problem.allowed) from None

    return LazySamples(count, sample)


def _groups(path: Path, arrays: Arrays) -> Ints | None:
    groups = arrays.get("groups")
    if groups is None:
        return None
    if groups.dtype.kind not in "iubUS" or groups.ndim != 1:
        measured = f"{groups.dtype}, shape {groups.shape}"
        raise damaged(path, "groups", measured, "integers or texts, (n_samples,)")
    return named(groups)[0]


def _parts(path: Path, arrays: Arrays) -> Ints | None:
    parts = arrays.get("parts")
    if parts is None:
        return None
    if parts.dtype.kind == "U" and parts.ndim == 1:
        unknown = sorted(set(parts.tolist()) - set(PARTS))
        if unknown:
            raise damaged(path, "parts", repr(unknown[0])[:40], ", ".join(PARTS))
        return np.array([PARTS.index(part) for part in parts.tolist()], dtype=np.int64)
    if parts.dtype.kind not in "iu" or parts.ndim != 1:
        measured = f"{parts.dtype}, shape {parts.shape}"
        raise damaged(path, "parts", measured, f"0..2, or {', '.join(PARTS)}; (n_samples,)")
    return parts.astype(np.int64)
