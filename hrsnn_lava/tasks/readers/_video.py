"""Frames of a video in grey, made smaller: decoded by PyAV, of the extra ``data``.

Pixels are averaged over the area that each new one covers, here and not by the decoder, so that
frames are the same for every version of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import BackendMissingError
from hrsnn_lava.tasks.readers._files import damaged, reading, size_of

Floats = NDArray[np.float64]
#: Largest file in bytes, largest picture in pixels, most frames of a clip.
LARGEST, MOST_PIXELS, MOST_FRAMES = 4 * 2**30, 2**24, 200_000
_RIFF = struct.Struct("<4sI4s")


@dataclass(frozen=True)
class Clip:
    """A video, or some frames of it.

    Attributes:
        path: of the file.
        first, last: frames, counted from 0; `last` None, or one behind the end: to the end, since
            decoders differ by a frame or two in how many there are.
    """

    path: Path
    first: int = 0
    last: int | None = None


def frames_of(clip: Clip, size: tuple[int, int], stride: int) -> Floats:
    """Every `stride`-th frame as a row of grey values from 0 to 1, (n_frames, height * width).

    Args:
        clip: which frames.
        size: height and width of a frame, smaller than or equal to the video's.
        stride: frames from one that is taken to the next.

    Raises:
        ArtifactError: the file is missing, cut off, no video, or has no such frames.
        BackendMissingError: PyAV is not installed.
    """
    size_of(clip.path, LARGEST)
    _check_length(clip.path)
    rows: list[Floats] = []
    smaller: tuple[Floats, Floats] | None = None
    count = 0
    for count, picture in enumerate(_pictures(clip.path), start=1):
        k = count - 1
        if clip.last is not None and k > clip.last:
            break
        if count > MOST_FRAMES:
            raise damaged(clip.path, "frames", f"more than {MOST_FRAMES:,}", f"<= {MOST_FRAMES:,}")
        if k < clip.first or (k - clip.first) % stride:
            continue
        if smaller is None:
            if picture.shape[0] < size[0] or picture.shape[1] < size[1]:
                measured = f"{picture.shape[0]} x {picture.shape[1]} pixels"
                raise damaged(clip.path, f"frame {k}", measured, f">= {size[0]} x {size[1]}")
            smaller = areas(picture.shape[0], size[0]), areas(picture.shape[1], size[1])
        if picture.shape != (smaller[0].shape[1], smaller[1].shape[1]):
            measured = f"{picture.shape[0]} x {picture.shape[1]} pixels"
            raise damaged(clip.path, f"frame {k}", measured, "as the frames before")
        rows.append((smaller[0] @ picture @ smaller[1].T).ravel() / 255.0)
    if not rows:
        raise damaged(clip.path, "frames", f"{count:,}", f">= {clip.first + 1:,}")
    return np.array(rows)


def areas(pixels: int, size: int) -> Floats:
    """(size, pixels) weights that average a row of pixels to fewer: by the share that each covers.

    Row i covers ``i pixels / size`` to ``(i + 1) pixels / size``; its weights sum to 1.
    """
    edges = np.arange(size + 1) * pixels / size
    left, right = np.arange(pixels), np.arange(1, pixels + 1)
    covered = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    return np.asarray(np.clip(covered, 0.0, None) * size / pixels)


def _check_length(path: Path) -> None:
    """An AVI says how long it is; decoders take what is there, and stop where it ends.

    MPEG says no length, so of a file that is cut off between two pictures nothing can be said.
    """
    with reading(path), path.open("rb") as handle:
        head = handle.read(_RIFF.size)
        length = handle.seek(0, 2)
    if len(head) == _RIFF.size and head[:4] == b"RIFF":
        _, size, _ = _RIFF.unpack(head)
        if length < size + 8:
            measured = f"ends at byte {length:,}"
            raise damaged(path, "RIFF", measured, f"{size + 8:,} bytes, as its head says")


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Grey pictures of a file, (height, width), in the order in which they are shown."""
    try:
        av: Any = import_module("av")
    except ImportError:
        raise BackendMissingError(
            f"{path}: videos are read by PyAV, which is not installed; "
            'pip install "hrsnn-lava[data]"'
        ) from None
    count = 0
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                raise damaged(path, "streams", "no video", "one")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise damaged(path, "stream", "of no known codec", "a video that PyAV decodes")
            pixels = stream.codec_context.width * stream.codec_context.height
            if not 0 < pixels <= MOST_PIXELS:
                raise damaged(path, "picture", f"{pixels:,} pixels", f"1..{MOST_PIXELS:,}")
            for frame in container.decode(stream):
                yield frame.to_ndarray(format="gray")
                count += 1
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        text = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise damaged(path, f"frame {count}", text) from error
