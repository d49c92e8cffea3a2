"""An append-only file of chunks, readable whenever its writer was killed.

A chunk is ``magic, CRC-32, length`` and then the payload: a JSON head with names, dtypes and
shapes, followed by the bytes of the arrays. The CRC is seeded with the index of the chunk. Reading
stops at the first chunk that is cut off or damaged: what is returned was written exactly so.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import naming
from hrsnn_lava.errors import ArtifactError

_FRAME = struct.Struct("<4sIQ")
_HEAD = struct.Struct("<I")
_MAGIC = b"HRCK"
_KINDS = "biuf"


@dataclass(frozen=True)
class Part:
    """Where an array of a chunk lies in the file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def count(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Chunk:
    """A chunk: what it says of itself, its arrays, and where it ends in the file."""

    meta: Mapping[str, Any]
    parts: Mapping[str, Part]
    end: int


class LogWriter:
    """Appends chunks; one writer at a time.

    Args:
        path: of the file, which is created when missing.
        chunks, end: the file goes on after this many chunks, which end at byte `end`; what
            follows there is cut off with the first `append`.

    Raises:
        ArtifactError: another process is writing the file.
    """

    def __init__(self, path: Path, chunks: int = 0, end: int = 0) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            _lock(self._handle, path)
        except BaseException:
            os.close(self._handle)
            raise
        self.chunks, self.end, self._path = chunks, end, path
        self._open, self._placed = True, False

    def append(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write one chunk."""
        plain = {
            name: np.asarray(a, dtype=a.dtype.newbyteorder("<"), order="C")
            for name, a in arrays.items()
        }
        described = {name: [a.dtype.str, list(a.shape)] for name, a in plain.items()}
        head = json.dumps({"meta": dict(meta), "arrays": described}, allow_nan=False).encode()
        payload = b"".join([_HEAD.pack(len(head)), head, *(a.tobytes() for a in plain.values())])
        checksum = zlib.crc32(payload, self.chunks)
        self._write(_FRAME.pack(_MAGIC, checksum, len(payload)) + payload)
        self.chunks += 1
        self.end += _FRAME.size + len(payload)

    def _write(self, data: bytes) -> None:
        with naming(self._path):
            if not self._placed:
                os.ftruncate(self._handle, self.end)
                os.lseek(self._handle, self.end, os.SEEK_SET)
                self._placed = True
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]

    def sync(self) -> None:
        """Wait until the disk has it all."""
        with naming(self._path):
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file and give up the lock."""
        if self._open:
            os.close(self._handle)
            self._open = False


def _lock(handle: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows, where two writers are not told apart
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ArtifactError(f"{path}: another process is writing it") from error


def scan(path: Path) -> list[Chunk]:
    """All whole chunks of a file, checked; it holds one chunk at a time in memory.

    Raises:
        ArtifactError: the file cannot be read. An empty or torn one is no error.
    """
    chunks: list[Chunk] = []
    try:
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            while (chunk := _read_chunk(handle, len(chunks), size)) is not None:
                chunks.append(chunk)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error
    return chunks


def _read_chunk(handle: Any, index: int, size: int) -> Chunk | None:
    start = handle.tell()
    frame = handle.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    magic, checksum, length = _FRAME.unpack(frame)
    first = start + _FRAME.size
    if magic != _MAGIC or length > size - first or length < _HEAD.size:
        return None
    payload = handle.read(length)
    if len(payload) < length or zlib.crc32(payload, index) != checksum:
        return None
    try:
        return _describe(payload, first)
    except (ValueError, TypeError, KeyError, AttributeError, UnicodeDecodeError):
        return None  # a checksum that fits by chance, or a foreign file


def _describe(payload: bytes, first: int) -> Chunk:
    (head_length,) = _HEAD.unpack_from(payload)
    position = _HEAD.size + head_length
    head = json.loads(payload[_HEAD.size : position])
    parts = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype = np.dtype(kind)
        if dtype.kind not in _KINDS:
            raise ValueError(f"dtype {dtype}")
        part = parts[name] = Part(dtype, tuple(int(k) for k in shape), first + position)
        position += part.count * dtype.itemsize
    if position != len(payload):
        raise ValueError("arrays of another size than the chunk")
    return Chunk(head["meta"], parts, first + position)


def read_part(handle: Any, part: Part) -> NDArray[Any]:
    """The array that a chunk holds; `handle` is the open file."""
    handle.seek(part.offset)
    data = handle.read(part.count * part.dtype.itemsize)
    return np.frombuffer(data, dtype=part.dtype).reshape(part.shape)
