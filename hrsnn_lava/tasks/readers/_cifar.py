"""Records of CIFAR's binary version: a byte for every label, then three planes of 32 x 32 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.tasks.readers._files import damaged, piece, reading, size_of
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.lazy import LazySamples

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Height and width; bytes of an image; the largest file, in bytes; records that are read at once.
SIDE, IMAGE, LARGEST, AT_ONCE = 32, 3 * 32 * 32, 2**30, 1000
#: Luminance of red, green and blue, ITU-R BT.601.
LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Shape:
    """How an image is shown: in colours or grey, and how many pixels become one.

    Raises:
        SpecError: `pool` is no divisor of 32.
    """

    grey: bool
    pool: int

    def __post_init__(self) -> None:
        if SIDE % self.pool:
            problem = Problem("task.pool", f"{self.pool}", "a divisor of 32")
            raise SpecError("images cannot be pooled", problems=[problem])

    def of(self, planes: Floats) -> Floats:
        """The one frame (1, n_channels) of an image (3, 32, 32)."""
        if self.grey:
            planes = np.tensordot(LUMINANCE, planes, 1)[None]
        side = SIDE // self.pool
        blocks = planes.reshape(len(planes), side, self.pool, side, self.pool)
        return np.asarray(blocks.mean(axis=(2, 4)).reshape(1, -1))


class ImageFile:
    """A file of records, of which the labels are read at once and images when they are asked for.

    Args:
        path: of the file.
        part: of the set's split that it is.
        classes: how many there are, for each of the labels of a record.
        column: the label that counts.

    Raises:
        ArtifactError: the file does not hold whole records, or a label has no class.
    """

    def __init__(self, path: Path, part: int, classes: tuple[int, ...], column: int) -> None:
        self.path, self.part, self._head = path, part, len(classes)
        size, record = size_of(path, LARGEST), IMAGE + len(classes)
        self._record = record
        if size == 0 or size % record:
            place = f"record {size // record:,}"
            measured = f"ends at byte {size:,}, {size % record:,} into it"
            raise damaged(path, place, measured, f"records of {record:,} bytes")
        labels = np.zeros((size // record, len(classes)), dtype=np.uint8)
        with reading(path), path.open("rb") as handle:
            for first in range(0, len(labels), AT_ONCE):
                rows = labels[first : first + AT_ONCE]
                data = handle.read(len(rows) * record)
                if len(data) != len(rows) * record:
                    raise damaged(path, f"record {first:,}", "the file became shorter")
                rows[:] = np.frombuffer(data, np.uint8).reshape(-1, record)[:, : len(classes)]
        for k, count in enumerate(classes):
            if labels[:, k].max() >= count:
                at = int(np.flatnonzero(labels[:, k] >= count)[0])
                measured = f"label {labels[at, k]}"
                raise damaged(path, f"record {at:,}", measured, f"0..{count - 1}")
        self.labels: Ints = labels[:, column].astype(np.int64)

    def image(self, k: int) -> Floats:
        """Image k, (3, 32, 32), values from 0 to 1."""
        data = piece(self.path, k * self._record + self._head, IMAGE, f"record {k:,}")
        return np.frombuffer(data, np.uint8).reshape(3, SIDE, SIDE) / 255.0


def images(files: Sequence[ImageFile], classes: tuple[str, ...], shape: Shape) -> Labelled:
    """All images of some files, a frame each."""
    first = np.cumsum([0, *(file.labels.size for file in files)])

    def sample(k: int) -> Floats:
        at = int(np.searchsorted(first, k, side="right")) - 1
        return shape.of(files[at].image(k - int(first[at])))

    parts = [np.full(file.labels.size, file.part, dtype=np.int64) for file in files]
    return Labelled(
        LazySamples(int(first[-1]), sample),
        np.concatenate([file.labels for file in files]),
        classes,
        None,
        np.concatenate(parts),
    )
