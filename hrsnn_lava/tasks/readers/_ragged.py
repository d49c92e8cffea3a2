"""Samples of different lengths in one array, one behind the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.tasks.readers._files import damaged

Ints = NDArray[np.int64]


def bounds_of(path: Path, lengths: NDArray[Any], rows: int, where: str, least: int = 1) -> Ints:
    """Where each sample begins, and the end of the last one, (n_samples + 1,).

    Args:
        path: of the file, for messages.
        lengths: (n_samples,) integers.
        rows: of all samples together.
        where: name of the lengths.
        least: shortest sample that is allowed.

    Raises:
        ArtifactError: they are no integers, one is too short, or their sum is not `rows`.
    """
    if lengths.dtype.kind not in "iu" or lengths.ndim != 1 or not lengths.size:
        measured = f"{lengths.dtype}, shape {lengths.shape}"
        raise damaged(path, where, measured, "integers, shape (n_samples,)")
    wide = lengths.astype(object) if lengths.dtype == np.uint64 else lengths.astype(np.int64)
    if wide.min() < least or wide.max() > rows:
        extent = f"{wide.min()}..{wide.max()}"
        raise damaged(path, where, extent, f"{least}..{rows:,}, rows that there are")
    bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(wide.astype(np.int64))])
    if bounds[-1] != rows:
        raise damaged(path, where, f"sum {bounds[-1]:,}", f"{rows:,}, rows that there are")
    return bounds


def classes_of(path: Path, labels: NDArray[Any], count: int, where: str) -> Ints:
    """Labels 0 to ``count - 1``, as integers; raises `ArtifactError` for others."""
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise damaged(path, where, f"{labels.dtype}, shape {labels.shape}", "(n_samples,) integers")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < count:
        raise damaged(path, where, f"{labels.min()}..{labels.max()}", f"0..{count - 1}")
    return labels.astype(np.int64)


def named(labels: NDArray[Any]) -> tuple[Ints, tuple[str, ...]]:
    """Index of each label among the different ones, in their order, and their names."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    values, index = np.unique(labels, return_inverse=True)
    return index.reshape(labels.shape).astype(np.int64), tuple(str(value) for value in values)
