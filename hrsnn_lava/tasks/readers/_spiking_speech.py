"""The HDF5 files of the spiking Heidelberg sets: one data set of spike times, one of channels.

``spikes/times`` (n,) of variable length, float16 seconds; ``spikes/units`` (n,) of variable length,
integers 0 to 699; ``labels`` (n,); ``extra/speaker`` (n,) and ``extra/keys``, names of the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.tasks.readers._files import (
    PerProcess,
    damaged,
    file_below,
    root_of,
)
from hrsnn_lava.tasks.readers.base import Events, Labelled
from hrsnn_lava.tasks.readers.facts import DataSet
from hrsnn_lava.tasks.readers.lazy import LazySamples

#: Channels of the cochlea model.
N_CHANNELS = 700
#: Most spikes of a recording (the longest of the sets have some 30,000), and recordings of a file.
MOST_SPIKES, MOST_RECORDINGS = 2**24, 2**24
#: What the library raises for a file that is damaged.
_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)

Ints = NDArray[np.int64]


class SpikingSpeechFile:
    """One file, open for as long as samples are read from it.

    Raises:
        ArtifactError: it is no such file.
    """

    def __init__(self, path: Path, n_classes: int) -> None:
        self.path = path
        self._file = PerProcess(self._open)
        with _faults(path, "its data sets"):
            file = self._file.get()
            times, units, labels = (
                self._data_set(file, name) for name in ("spikes/times", "spikes/units", "labels")
            )
            self._check_kinds(times, units)
            count = labels.shape[0] if labels.ndim == 1 else -1
            if not 0 < count <= MOST_RECORDINGS or {times.shape, units.shape} != {(count,)}:
                shapes = f"times {times.shape}, units {units.shape}, labels {labels.shape}"
                raise damaged(path, "data sets", shapes, "equal (n_recordings,)")
            self.labels = self._integers(labels, "labels", count)
            if self.labels.min() < 0 or self.labels.max() >= n_classes:
                at = int(np.flatnonzero((self.labels < 0) | (self.labels >= n_classes))[0])
                raise damaged(path, f"label {at}", f"{self.labels[at]}", f"0..{n_classes - 1}")
            self.speakers = None
            if "extra/speaker" in file:
                speakers = self._data_set(file, "extra/speaker")
                self.speakers = self._integers(speakers, "extra/speaker", count)
            self.classes = self._class_names(file, n_classes)

    def sample(self, k: int) -> Events:
        """Recording k, (its times in seconds, its channels)."""
        with _faults(self.path, f"recording {k}"):
            file = self._file.get()
            # float16 counts to 65504, so that microseconds would overflow
            times = np.asarray(file["spikes/times"][k], dtype=np.float64)
            units = np.asarray(file["spikes/units"][k], dtype=np.int64)
        if times.size != units.size or times.size > MOST_SPIKES:
            measured = f"{times.size} times, {units.size} units"
            raise damaged(self.path, f"recording {k}", measured, f"equal, <= {MOST_SPIKES:,}")
        try:
            return Events(times, units, N_CHANNELS, float(times.max(initial=0.0)))
        except ArtifactError as error:
            problem = error.problems[0]
            where = f"recording {k}, {problem.where}"
            raise damaged(self.path, where, problem.measured, problem.allowed) from None

    def _open(self) -> Any:
        import h5py

        return h5py.File(self.path, "r")

    def _data_set(self, file: Any, name: str) -> Any:
        """A data set that lies in the file itself: one elsewhere would read any file."""
        import h5py

        group = file
        for part in name.split("/"):
            link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None:
                raise damaged(self.path, name, "not there", "a data set")
            if not isinstance(link, h5py.HardLink):
                raise damaged(self.path, name, "a link to elsewhere", "a data set in the file")
            group = group[part]
        if not isinstance(group, h5py.Dataset) or group.external or group.is_virtual:
            raise damaged(
                self.path, name, "no data set of the file's own", "a data set in the file"
            )
        return group

    def _check_kinds(self, times: Any, units: Any) -> None:
        import h5py

        for name, data, kinds in (("spikes/times", times, "f"), ("spikes/units", units, "iu")):
            inner = h5py.check_vlen_dtype(data.dtype)
            if inner is None or getattr(inner, "kind", "") not in kinds:
                what = "floats" if kinds == "f" else "integers"
                raise damaged(self.path, name, f"{inner or data.dtype}", f"lists of {what}")

    def _integers(self, data: Any, name: str, count: int) -> Ints:
        if data.dtype.kind not in "iu" or data.shape != (count,):
            measured = f"{data.dtype}, shape {data.shape}"
            raise damaged(self.path, name, measured, f"integers, shape ({count},)")
        values: Ints = data[:].astype(np.int64)
        return values

    def _class_names(self, file: Any, n_classes: int) -> tuple[str, ...]:
        """``extra/keys``; numbers where there are none."""
        numbers = tuple(str(k) for k in range(n_classes))
        if "extra/keys" not in file:
            return numbers
        keys = self._data_set(file, "extra/keys")
        if keys.shape != (n_classes,) or keys.dtype.kind not in "OS":
            return numbers
        names = tuple(
            k.decode("utf-8", "replace") if isinstance(k, bytes) else str(k) for k in keys
        )
        return names if len(set(names)) == n_classes else numbers


@contextmanager
def _faults(path: Path, what: str) -> Iterator[None]:
    """Errors of the library, with the file and what was read of it."""
    try:
        yield
    except _ERRORS as error:
        raise damaged(path, what, str(error).partition("\n")[0] or type(error).__name__) from error


def read_parts(path: str, names: dict[int, str], facts: DataSet) -> Labelled:
    """The recordings of several files, one part of the split each.

    Args:
        path: their folder.
        names: file of each part, by its index in `PARTS`.
        facts: of the set.
    """
    root = root_of(path, facts)
    files = {part: file_below(root, name, facts) for part, name in names.items()}
    opened = {part: SpikingSpeechFile(file, facts.classes) for part, file in files.items()}
    readers: list[tuple[Callable[[int], Events], int]] = []
    labels, parts, speakers = [], [], []
    for part, file in opened.items():
        readers += [(file.sample, k) for k in range(file.labels.size)]
        labels.append(file.labels)
        parts.append(np.full(file.labels.size, part, dtype=np.int64))
        speakers.append(file.speakers)
    known = [speaker for speaker in speakers if speaker is not None]
    classes = next(iter(opened.values())).classes

    def sample(k: int) -> Events:
        read, place = readers[k]
        return read(place)

    return Labelled(
        LazySamples(len(readers), sample),
        np.concatenate(labels),
        classes,
        np.concatenate(known) if len(known) == len(speakers) else None,
        np.concatenate(parts),
    )
