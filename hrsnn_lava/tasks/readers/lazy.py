"""Samples of a large set: read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from hrsnn_lava.tasks.readers.base import Sample

__all__ = ["LazySamples"]


class LazySamples(Sequence[Sample]):
    """Samples that are read when they are asked for.

    Args:
        count: of the samples.
        read: sample k, 0 to ``count - 1``.
    """

    def __init__(self, count: int, read: Callable[[int], Sample]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, k: int) -> Sample: ...

    @overload
    def __getitem__(self, k: slice) -> Sequence[Sample]: ...

    def __getitem__(self, k: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(k, slice):
            places = range(self._count)[k]
            return LazySamples(len(places), lambda entry: self._read(places[entry]))
        return self._read(range(self._count)[k])
