"""AEDAT 3.1: recordings of event cameras, in packets of 8-byte events.

Lines that begin with ``#`` and end with CR LF, of which the first is ``#!AER-DAT3.1`` and the last,
where there is one, ``#!END-HEADER``. Then packets, little endian: a head of 28 bytes, ``<hhiiiiii``
(type, source, size of an event, offset of the time in it, overflow, capacity, number, valid), and
``capacity`` events, of which the first ``number`` are used. An event of type 1 (polarity) is a
word and a signed time in microseconds: bit 0 valid, bit 1 polarity, bits 2 to 16 y, bits 17 to 31
x; the time is ``(overflow << 31) + t``. Packets of other types are skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.tasks.readers._files import damaged, piece, reading, size_of

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]

_HEAD = struct.Struct("<hhiiiiii")
_EVENT = np.dtype([("data", "<u4"), ("time", "<i4")])
_VERSION = b"#!AER-DAT3.1"
_POLARITY = 1
#: Largest file, in bytes, longest line of its head, and most lines.
LARGEST, LONGEST_LINE, MOST_LINES = 2 * 2**30, 4096, 1000


@dataclass(frozen=True)
class Packet:
    """A polarity packet: where its events are, and between which times they lie, microseconds."""

    offset: int
    number: int
    overflow: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class CameraEvents:
    """Events in the order of the file.

    Attributes:
        times: (n,) microseconds. x, y: (n,) pixels. polarity: (n,) 1 brighter, 0 darker.
    """

    times: Ints
    x: Ints
    y: Ints
    polarity: Ints


class Recording:
    """An AEDAT 3.1 file: its packets are looked through once, then parts of it are read.

    Args:
        path: of the file.
        sensor: height and width; an event beyond is a fault.

    Raises:
        ArtifactError: it is no such file, it ends inside a packet, or a packet contradicts itself.
    """

    def __init__(self, path: Path, sensor: tuple[int, int]) -> None:
        self.path, self.sensor = path, sensor
        size = size_of(path, LARGEST)
        self.packets = tuple(self._packets(size))
        if not self.packets:
            raise damaged(path, "packets", "no event", "events of type 1, polarity")

    def between(self, begin: int, end: int) -> CameraEvents:
        """Valid events of ``begin <= time < end``, microseconds."""
        pieces = [_decoded(np.zeros(0, dtype=_EVENT), 0)]
        for packet in self.packets:
            if packet.first < end and packet.last >= begin:
                size = packet.number * _EVENT.itemsize
                data = piece(self.path, packet.offset, size, "events of a packet")
                pieces.append(_decoded(np.frombuffer(data, dtype=_EVENT), packet.overflow))
        times, x, y, polarity = (np.concatenate([p[k] for p in pieces]) for k in range(4))
        inside = (times >= begin) & (times < end)
        return CameraEvents(times[inside], x[inside], y[inside], polarity[inside])

    def _packets(self, size: int) -> Iterator[Packet]:
        with reading(self.path), self.path.open("rb") as handle:
            offset = self._end_of_head(handle)
            while offset < size:
                handle.seek(offset)
                head = handle.read(_HEAD.size)
                if len(head) < _HEAD.size:
                    raise self._cut(offset, _HEAD.size, size, "head of a packet")
                kind, _, item, at, overflow, capacity, number, valid = _HEAD.unpack(head)
                body = offset + _HEAD.size
                if item <= 0 or overflow < 0 or not 0 <= valid <= number <= capacity:
                    measured = (
                        f"events of {item} bytes, overflow {overflow}, "
                        f"capacity {capacity}, number {number}, valid {valid}"
                    )
                    raise self._fault(offset, measured, "valid <= number <= capacity, none below 0")
                if body + capacity * item > size:
                    raise self._cut(offset, _HEAD.size + capacity * item, size, "packet")
                if kind == _POLARITY:
                    if (item, at) != (_EVENT.itemsize, 4):
                        measured = f"events of {item} bytes with the time at {at}"
                        raise self._fault(offset, measured, "8 bytes, the time at 4")
                    yield from self._checked(handle.read(number * item), body, overflow)
                offset = body + capacity * item

    def _checked(self, data: bytes, offset: int, overflow: int) -> Iterator[Packet]:
        """The packet of some events, if one of them is valid."""
        events = np.frombuffer(data, dtype=_EVENT)
        times, x, y, _ = _decoded(events, overflow)
        height, width = self.sensor
        wrong = (x >= width) | (y >= height) | (times < overflow << 31)
        if wrong.any():
            entry = int(np.flatnonzero(wrong)[0])
            k = int(np.flatnonzero(events["data"] & 1)[entry])
            measured = f"x {x[entry]}, y {y[entry]}, time {times[entry] - (overflow << 31)}"
            place = offset + k * _EVENT.itemsize
            raise self._fault(place, measured, f"x < {width}, y < {height}, time >= 0")
        if times.size:
            yield Packet(offset, events.size, overflow, int(times.min()), int(times.max()))

    def _end_of_head(self, handle: IO[bytes]) -> int:
        """Where the packets begin."""
        first = handle.readline(LONGEST_LINE)
        if first not in (_VERSION + b"\r\n", _VERSION + b"\n"):
            text = first[:40].decode("ascii", "replace").rstrip()
            raise damaged(
                self.path,
                "first line",
                repr(text),
                repr(_VERSION.decode()),
                "files of other versions of AEDAT have to be converted",
            )
        offset = len(first)
        for _ in range(MOST_LINES):
            line = handle.readline(LONGEST_LINE)
            if not line.startswith(b"#"):
                return offset
            if not line.endswith(b"\n"):
                raise self._fault(offset, "a line of the head without an end", "CR LF")
            offset += len(line)
            if line.rstrip(b"\r\n") == b"#!END-HEADER":
                return offset
        raise self._fault(offset, f"a head of more than {MOST_LINES} lines", "a shorter one")

    def _fault(self, offset: int, measured: str, allowed: str) -> Exception:
        return damaged(self.path, f"byte {offset:,}", measured, allowed)

    def _cut(self, offset: int, wanted: int, size: int, what: str) -> Exception:
        return self._fault(offset, f"a {what} of {wanted:,} bytes", f"{size - offset:,} are left")


def _decoded(events: NDArray[np.void], overflow: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Times, x, y, polarity of the valid ones."""
    words: Words = events["data"]
    valid = (words & 1) == 1
    words, times = words[valid], events["time"][valid].astype(np.int64)
    x, y, polarity = words >> 17, (words >> 2) & 0x7FFF, (words >> 1) & 1
    return (
        times + (overflow << 31),
        x.astype(np.int64),
        y.astype(np.int64),
        polarity.astype(np.int64),
    )
