"""The ledger of a search: what was asked and what came of it, a line each, never changed.

    {"entry": {...}, "sum": "..."}       sum = SHA-256(sum of the line before, entry)

A line is on the disk before anything rests on it. Sums are chained, so that a byte that was changed
is found, and so is a line that was taken out, put in or moved. A last line without its end is what
a kill leaves of one: it was never relied on, and is cut off when the search goes on.

The first entry says which search it is; then come, in the order in which they happened,

    {"kind": "asked", "trial": 3, "round": 0, "point": [...], "settings": {...}, ...}
    {"kind": "result", "trial": 3, "status": "done", "figures": [...], ...}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.files import naming
from hrsnn_lava.errors import ArtifactError, Problem, SpecError

__all__ = ["LEDGER", "Ledger", "LedgerError", "locked", "read_entries"]

LEDGER, LOCK = "ledger.jsonl", "search.lock"
#: What the first sum is chained to.
_START = "hrsnn-lava search ledger 1"

Entry = Mapping[str, Any]


class LedgerError(ArtifactError):
    """A ledger was changed, or is none."""


def _text(entry: Entry) -> str:
    return json.dumps(entry, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _sum(before: str, text: str) -> str:
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def _line(before: str, entry: Entry) -> tuple[bytes, str]:
    """A line with its end, and its sum."""
    text = _text(entry)
    total = _sum(before, text)
    return f'{{"entry":{text},"sum":"{total}"}}\n'.encode(), total


def read_entries(path: Path) -> tuple[list[Entry], int, str]:
    """The entries of a ledger, how many bytes they are, and the last sum.

    What stands behind the last line's end is left out.

    Raises:
        LedgerError: a line is not what was written, or does not follow the one before it.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    entries: list[Entry] = []
    last, length = _START, 0
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        entry, last = _checked(line, last, path, number)
        entries.append(entry)
        length += len(line) + 1
    return entries, length, last


def _checked(line: bytes, before: str, path: Path, number: int) -> tuple[Entry, str]:
    fault = "no line of a ledger"
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        parsed = json.loads(line)
        entry = parsed["entry"]
        # written again: a byte that JSON does not look at is a change, too
        again, total = _line(before, entry)
        if again == line + b"\n":
            return entry, total
        fault = "its checksum does not fit: a byte or a line was changed"
    fix = (
        "take the file from a copy, or cut it off before this line and go on with --resume: "
        "the trials behind it are run again"
    )
    problem = Problem(f"{path}, line {number}", fault, "lines as they were written", fix)
    raise LedgerError(f"{path} is damaged", problems=[problem])


class Ledger:
    """A ledger that is written to; `open` makes one or goes on with one.

    Attributes:
        path: of the file.
        entries: those that are on the disk.
    """

    def __init__(self, path: Path, handle: FileIO, entries: list[Entry], last: str) -> None:
        self.path, self.entries = path, entries
        self._handle, self._last = handle, last

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, head: Entry) -> Iterator[Ledger]:
        """The ledger of a file, which is begun with `head` where it is not there, or empty.

        Raises:
            LedgerError: what is there was changed.
        """
        entries, length, last = read_entries(path) if path.exists() else ([], 0, _START)
        with naming(path), path.open("ab", buffering=0) as handle:
            handle.truncate(length)  # what a kill left of a line
            ledger = cls(path, handle, entries, last)
            if not entries:
                ledger.append(head)
                _sync_folder(path.parent)
            yield ledger

    def append(self, entry: Entry) -> None:
        """Write an entry; it is on the disk when this returns."""
        line, total = _line(self._last, entry)
        with naming(self.path):
            rest = memoryview(line)
            while rest:
                rest = rest[self._handle.write(rest) :]
            os.fsync(self._handle.fileno())
        self._last = total
        # as it is read back: lists for tuples, and floats, which survive JSON exactly
        self.entries.append(json.loads(line)["entry"])


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file last."""
    with contextlib.suppress(OSError):  # not every file system has it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other searches out of a folder; the system lets go when this process ends, however.

    Raises:
        SpecError: another one is at work there.
    """
    import fcntl

    with naming(folder / LOCK), (folder / LOCK).open("a+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            who = handle.read(200).decode("utf-8", "replace").strip() or "another process"
            fix = "wait for it, or give another folder with --out"
            problem = Problem(f"{folder}", f"{who} is at work there", "one search a folder", fix)
            raise SpecError("the folder is in use", problems=[problem]) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {os.uname().nodename}".encode())
        handle.flush()
        yield
