"""Files of data sets: what is missing is said, what is damaged is an `ArtifactError`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.tasks.readers.facts import DataSet

T = TypeVar("T")
#: Largest text that is read whole: labels, lists, one's own table, in bytes.
LARGEST_TEXT = 128 * 2**20


def root_of(path: str, facts: DataSet, option: str = "task.path") -> Path:
    """The folder or file of a set.

    Raises:
        SpecError: no path was given.
        ArtifactError: there is nothing there.
    """
    if not path:
        allowed = f"where the files of {facts.title} are"
        problem = Problem(option, "not set", allowed, "`hrsnn-lava data` lists what they are")
        raise SpecError("a data set has no path", problems=[problem])
    root = Path(path)
    if not root.exists():
        raise facts.lacking(root)
    return root


def file_below(root: Path, name: str, facts: DataSet) -> Path:
    """A file of a set; raises `ArtifactError` where it is missing, or still packed."""
    file = root / name
    if file.is_file():
        return file
    for packed, how in ((".gz", "gunzip"), (".zip", "unzip")):
        for beside in (root / f"{name}{packed}", file.with_suffix(packed)):
            if beside.is_file():
                raise facts.lacking(file, f"unpack it: {how} {beside}")
    raise facts.lacking(file)


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[None]:
    """What the system says of a file becomes an `ArtifactError` that names it."""
    try:
        yield
    except OSError as error:
        place = f"{path}, {what}" if what else str(path)
        detail = error.strerror or str(error)
        raise ArtifactError(f"{place}: cannot be read ({detail})") from error


def damaged(
    path: Path, where: str, measured: str, allowed: str = "", fix: str = ""
) -> ArtifactError:
    """The error of a file that does not hold what it should."""
    problem = Problem(where, measured, allowed, fix)
    return ArtifactError(f"{path}: damaged, or another file", problems=[problem])


def size_of(path: Path, limit: int) -> int:
    """Bytes of a regular file; raises `ArtifactError` beyond `limit`."""
    with reading(path):
        if not path.is_file():
            what = "not a regular file" if path.exists() else "no such file"
            raise ArtifactError(f"{path}: {what}")
        size = path.stat().st_size
    if size > limit:
        raise damaged(path, "size", f"{size:,} bytes", f"<= {limit:,}")
    return size


def piece(path: Path, offset: int, size: int, what: str) -> bytes:
    """Bytes of a file; raises `ArtifactError` with the place where it ends too early."""
    with reading(path, what), path.open("rb") as handle:
        handle.seek(offset)
        data = handle.read(size)
    if len(data) != size:
        ends = offset + len(data)
        raise damaged(path, what, f"ends at byte {ends:,}", f"{size:,} bytes from {offset:,} on")
    return data


def text_of(path: Path) -> str:
    """A text file, UTF-8 with or without a mark; raises `ArtifactError` otherwise."""
    size_of(path, LARGEST_TEXT)
    with reading(path):
        data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise damaged(path, f"byte {error.start:,}", "no UTF-8 text") from error


def number_of(text: str) -> float:
    """A number as files have it; `ValueError` for what Python alone takes, such as ``1_000``."""
    if "_" in text or not text.isascii():
        raise ValueError(f"no number: {text[:40]!r}")
    return float(text)


class PerProcess(Generic[T]):
    """A file that is opened once and kept open, anew in a process that was forked.

    Handles share their position, and some libraries a state, with the process they come from.

    Args:
        opener: opens it.
    """

    def __init__(self, opener: Callable[[], T]) -> None:
        self._opener, self._process = opener, -1
        self._handle: T | None = None

    def get(self) -> T:
        """The handle of this process."""
        if self._handle is None or self._process != os.getpid():
            self._handle, self._process = self._opener(), os.getpid()
        return self._handle
