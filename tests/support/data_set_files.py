"""Files of the public data sets, written byte by byte as their authors describe them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from hrsnn_lava.errors import ArtifactError


def outcome(read):
    """What `read` gives, or the text of its `ArtifactError`; any other error is one of ours."""
    try:
        return read(), ""
    except ArtifactError as error:
        return None, str(error)


def spiking_speech(path: Path, recordings, labels, *, speakers=None, keys=None, times=np.float16):
    """SHD and SSC: HDF5 with lists of times and channels."""
    import h5py

    with h5py.File(path, "w") as file:
        count = len(recordings)
        seconds = file.create_dataset("spikes/times", (count,), dtype=h5py.vlen_dtype(times))
        units = file.create_dataset("spikes/units", (count,), dtype=h5py.vlen_dtype(np.uint16))
        for k, (at, channels) in enumerate(recordings):
            seconds[k] = np.asarray(at, dtype=times)
            units[k] = np.asarray(channels, dtype=np.uint16)
        file["labels"] = np.asarray(labels, dtype=np.uint16)
        if speakers is not None:
            file["extra/speaker"] = np.asarray(speakers, dtype=np.uint16)
        if keys is not None:
            file["extra/keys"] = np.array(keys, dtype="S")


AEDAT_HEAD = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n"
END_HEADER = b"#!END-HEADER\r\n"


def polarity_word(x: int, y: int, polarity: int, valid: int = 1) -> int:
    """Bits 31..17 x, 16..2 y, 1 polarity, 0 valid."""
    return x << 17 | y << 2 | polarity << 1 | valid


def packet(events, *, kind=1, overflow=0, capacity=None, size=8, at=4, number=None, valid=None):
    """A packet of AEDAT 3.1; `events` are (word, microseconds)."""
    body = b"".join(struct.pack("<Ii", word, time) for word, time in events)
    count = len(events)
    capacity = count if capacity is None else capacity
    body += bytes(8 * max(capacity - count, 0))
    number = count if number is None else number
    valid = number if valid is None else valid
    return struct.pack("<hhiiiiii", kind, 1, size, at, overflow, capacity, number, valid) + body


def gestures(path: Path, rows) -> None:
    """Labels of a trial of DVS128 Gesture."""
    lines = ["class,startTime_usec,endTime_usec", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def nmnist_event(x: int, y: int, polarity: int, time: int) -> bytes:
    """Five bytes, the time big endian in 23 bits below the polarity."""
    return bytes([x, y, polarity << 7 | time >> 16, time >> 8 & 255, time & 255])


def avi(path: Path, frames, rate: int = 25) -> bytes:
    """An AVI of uncompressed grey pictures, (n, height, width) bytes; returns what was written."""
    frames = np.asarray(frames, dtype=np.uint8)
    count, height, width = frames.shape
    stride = -(-3 * width // 4) * 4
    chunks = []
    for frame in frames:
        rows = np.zeros((height, stride), dtype=np.uint8)
        rows[:, : 3 * width] = np.repeat(frame[::-1], 3, axis=1)  # bottom up, blue green red
        chunks.append(_chunk(b"00db", rows.tobytes()))
    size = height * stride
    main = struct.pack(
        "<14I", 10**6 // rate, rate * size, 0, 0x10, count, 0, 1, size, width, height, 0, 0, 0, 0
    )
    head = struct.pack(
        "<4s4sIHHIIIIIIII4H",
        *(b"vids", b"DIB ", 0, 0, 0, 0, 1, rate, 0, count, size, 0, 0, 0, 0, width, height),
    )
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, size, 0, 0, 0, 0)
    stream = _list(b"strl", _chunk(b"strh", head) + _chunk(b"strf", bitmap))
    places, offset = b"", 4
    for chunk in chunks:
        places += struct.pack("<4sIII", b"00db", 0x10, offset, size)
        offset += len(chunk)
    body = _list(b"hdrl", _chunk(b"avih", main) + stream) + _list(b"movi", b"".join(chunks))
    data = b"AVI " + body + _chunk(b"idx1", places)
    whole = struct.pack("<4sI", b"RIFF", len(data)) + data
    path.write_bytes(whole)
    return whole


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)
