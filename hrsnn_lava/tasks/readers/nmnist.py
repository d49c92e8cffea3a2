"""N-MNIST: digits before an event camera that moves."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._files import (
    PerProcess,
    damaged,
    piece,
    reading,
    root_of,
    size_of,
)
from hrsnn_lava.tasks.readers.base import Events, Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

#: Pixels of the camera, (height, width); bytes of an event; the largest file of one, in bytes.
SENSOR, EVENT, LARGEST = (34, 34), 5, 64 * 2**20
#: A row that no pixel has says that the clock has gone round, after so many microseconds.
OVERFLOW_ROW, OVERFLOW = 240, 2**13
_MEMBER = re.compile(r"(?:.*/)?(Train|Test)/([0-9])/[^/]+\.bin")


@dataclass(frozen=True)
class _Place:
    """Where a sample is: a file, or a member of a zip."""

    file: Path
    member: str
    part: int
    label: int

    def __str__(self) -> str:
        return f"{self.file}, {self.member}" if self.member else str(self.file)


@options
class NmnistEvents:
    """Handwritten digits, before an event camera that moves in three saccades, 34 x 34 pixels.

    Channels are ``(polarity * 34 + y) * 34 + x``. A sample ends with its last event.

    Attributes:
        path: folder with Train and Test, unpacked or as zips; or one zip. See `hrsnn-lava data
            nmnist`.
    """

    name: ClassVar[str] = "nmnist"
    facts: ClassVar[DataSet] = DataSet(
        "N-MNIST",
        "garrickorchard.com/datasets/n-mnist",
        "CC BY-SA 4.0",
        "Orchard, Jayawant, Cohen and Thakor 2015",
        (
            SetFile("Train/0..9/*.bin", "digits that train, 5 bytes an event; or Train.zip"),
            SetFile("Test/0..9/*.bin", "digits that test; or Test.zip"),
        ),
        10,
        {"train": 60000, "test": 10000},
    )
    path: str = ""

    def read(self) -> Labelled:
        """All digits; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        places = list(self._places(root))
        missing = [
            part for k, part in ((0, "Train"), (2, "Test")) if k not in {p.part for p in places}
        ]
        if missing:
            raise self.facts.lacking(root / f"{missing[0]}/0..9/*.bin")
        zips = {
            file: PerProcess(lambda file=file: zipfile.ZipFile(file))  # type: ignore[misc]
            for file in {place.file for place in places if place.member}
        }

        def sample(k: int) -> Events:
            place = places[k]
            return decoded(_content(place, zips), place.file, place.member)

        return Labelled(
            LazySamples(len(places), sample),
            np.array([place.label for place in places], dtype=np.int64),
            tuple("0123456789"),
            None,
            np.array([place.part for place in places], dtype=np.int64),
        )

    def _places(self, root: Path) -> Iterator[_Place]:
        if root.is_file():
            yield from _members(root)
            return
        for part, name in ((0, "Train"), (2, "Test")):
            packed = root / f"{name}.zip"
            if not (root / name).is_dir() and packed.is_file():
                yield from (place for place in _members(packed) if place.part == part)
                continue
            for digit in range(10):
                folder = root / name / str(digit)
                if folder.is_dir():
                    with reading(folder):
                        names = sorted(f for f in os.listdir(folder) if f.endswith(".bin"))
                    yield from (_Place(folder / file, "", part, digit) for file in names)


def _members(path: Path) -> Iterator[_Place]:
    """Samples in a zip."""
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise damaged(path, "directory of the zip", str(error)) from error
    names = [name for info in infos if (name := _MEMBER.fullmatch(info.filename))]
    # those that train first, as of folders
    for name in sorted(names, key=lambda entry: (entry[1] != "Train", entry[2], entry[0])):
        part = 0 if name[1] == "Train" else 2
        yield _Place(path, name[0], part, int(name[2]))


def _content(place: _Place, zips: dict[Path, PerProcess[zipfile.ZipFile]]) -> bytes:
    """Bytes of a sample."""
    if not place.member:
        return piece(place.file, 0, size_of(place.file, LARGEST), "events")
    try:
        with reading(place.file, place.member):
            archive = zips[place.file].get()
            size = archive.getinfo(place.member).file_size
            if size > LARGEST:
                raise damaged(place.file, place.member, f"{size:,} bytes", f"<= {LARGEST:,}")
            with archive.open(place.member) as handle:
                return handle.read(LARGEST)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise damaged(place.file, place.member, str(error)) from error


def decoded(data: bytes, path: Path, member: str = "") -> Events:
    """Events of a sample: x, y, then a bit of polarity and 23 bits of microseconds, big endian.

    Raises:
        ArtifactError: the data end inside an event, or an event is outside of the sensor.
    """
    within = f"{member}, " if member else ""
    if len(data) % EVENT:
        last = len(data) // EVENT
        where = f"{within}event {last:,}"
        raise damaged(path, where, f"ends at byte {len(data):,}", f"{EVENT} bytes an event")
    table = np.frombuffer(data, dtype=np.uint8).reshape(-1, EVENT).astype(np.int64)
    x, y, polarity = table[:, 0], table[:, 1], table[:, 2] >> 7
    times = (table[:, 2] & 127) << 16 | table[:, 3] << 8 | table[:, 4]
    overflow = y == OVERFLOW_ROW
    times = times + OVERFLOW * np.cumsum(overflow)
    height, width = SENSOR
    outside = ~overflow & ((x >= width) | (y >= height))
    if outside.any():
        k = int(np.flatnonzero(outside)[0])
        allowed = f"x < {width}, y < {height}"
        raise damaged(path, f"{within}event {k:,}", f"x {x[k]}, y {y[k]}", allowed)
    x, y, polarity, times = (values[~overflow] for values in (x, y, polarity, times))
    seconds = times * 1e-6
    try:
        return Events(
            seconds,
            (polarity * height + y) * width + x,
            2 * height * width,
            float(seconds.max(initial=0.0)),
        )
    except ArtifactError as error:
        raise damaged(path, f"{within}events", error.message) from error
