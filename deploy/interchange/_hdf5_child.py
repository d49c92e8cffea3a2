"""Reads an HDF5 file in a process of its own: ``_hdf5_child.py FILE LIMITS``, arrays to stdout.

HDF5 is a C library that was not made for files of strangers: a damaged file can crash it, a small
one can ask for terabytes, lead to other files, or keep it busy for ever. So this program, which
imports nothing of the package, first takes limits of memory and time upon itself. It then looks at
every object before it opens it, at sizes before it reads anything, and answers with plain arrays
in one ``.npz``, or with the reason why it will not read the file. See `guarded_hdf5`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

#: Filters of HDF5 that may stand before data: gzip, shuffle, checksum, LZF.
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
#: Groups of this name hold remarks that nothing here may rely on; their content is not read.
UNREAD = "metadata"
_LONGEST_TEXT = 1024
_LARGEST_RANK = 8
_LARGEST_ITEM = 8
#: Below so many bytes nothing is a compression bomb.
_HARMLESS_BYTES = 16 * 2**20
#: More bytes out of one byte of the file are a bomb; honest weights give 1 to 10.
_LARGEST_RATIO = 100


class RefusedError(Exception):
    """What is wrong: where, what was found, what is allowed."""


def confine(limits: Mapping[str, Any]) -> None:
    """Take limits upon this process: memory above what is used now, seconds, bytes written.

    Where the system has no such limits, the parent's limit of time is all there is.
    """
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = int(limits["seconds"]) + 1
    with contextlib.suppress(OSError, ValueError, AttributeError):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever HDF5 does
        signal.setitimer(signal.ITIMER_REAL, limits["seconds"])
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    written = int(limits["total_bytes"]) + 64 * 2**20
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm", encoding="ascii") as handle:
            now = int(handle.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        allowed = now + int(limits["memory_bytes"])
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


class Reading:
    """One reading of one file: a first walk that looks, a second that reads.

    Attributes:
        found: data sets in order, by their path.
        total: bytes that they unpack to.
    """

    def __init__(self, file: h5py.File, n_bytes: int, limits: Mapping[str, Any]) -> None:
        self.file, self.n_bytes, self.limits = file, n_bytes, limits
        self.found: list[tuple[tuple[str, ...], Any]] = []
        self.groups: list[tuple[str, ...]] = []
        self.total = 0
        self._seen: dict[tuple[int, int], str] = {}

    def look(self) -> None:
        """Walk over the whole file without reading data.

        Raises:
            RefusedError: at the first thing that is not allowed.
        """
        todo: list[tuple[tuple[str, ...], Any]] = [((), self.file["/"])]
        self._once((), todo[0][1])
        while todo:
            path, group = todo.pop()
            self.groups.append(path)
            for name in self._names(path, group):
                child_path = (*path, name)
                self._check_link(child_path, group, name)
                if name == UNREAD:
                    continue
                child = group[name]
                self._once(child_path, child)
                if isinstance(child, h5py.Group):
                    if len(child_path) > self.limits["depth"]:
                        raise _refused(child_path, "groups too deep", f"{self.limits['depth']}")
                    todo.append((child_path, child))
                elif isinstance(child, h5py.Dataset):
                    self._check_data(child_path, child)
                    self.found.append((child_path, child))
                else:
                    raise _refused(child_path, "a named type", "groups and arrays")

    def _names(self, path: tuple[str, ...], group: Any) -> Iterator[str]:
        count, allowed = len(group), self.limits["objects"]
        if count + len(self._seen) > allowed:
            raise _refused(path, f"{count + len(self._seen):,} objects", f"at most {allowed:,}")
        for name in group:
            if not isinstance(name, str) or not 0 < len(name) <= 256 or not name.isprintable():
                raise _refused(path, f"a name {name!r:.40}", "1 to 256 printable characters")
            yield name

    def _check_link(self, path: tuple[str, ...], group: Any, name: str) -> None:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _refused(path, "a link to another file", "data of the file itself")
        if not isinstance(link, h5py.HardLink):
            raise _refused(path, "a soft link", "data of the file itself")

    def _once(self, path: tuple[str, ...], thing: Any) -> None:
        """Refuse what was met under another name: so loops end, and nothing is counted twice."""
        info = h5py.h5o.get_info(thing.id)
        key = (int(info.fileno), int(info.addr))
        if key in self._seen:
            raise _refused(path, f"the same object as {self._seen[key]}", "one name for each")
        self._seen[key] = _text(path)

    def _check_data(self, path: tuple[str, ...], data: Any) -> None:
        plan, kind = data.id.get_create_plist(), data.id.get_type()
        if plan.get_external_count():
            raise _refused(path, "data that lie in another file", "data of the file itself")
        if plan.get_layout() == h5py.h5d.VIRTUAL:
            raise _refused(path, "a virtual data set, of other files", "data of the file itself")
        for k in range(plan.get_nfilters()):
            number = int(plan.get_filter(k)[0])
            if number not in FILTERS:
                raise _refused(path, f"filter {number}", ", ".join(FILTERS.values()))
        shape = self._shape(path, data)
        count = int(np.prod([int(n) for n in shape], dtype=object)) if shape else 1
        size = self._item_bytes(path, kind)
        needed = count * size
        if plan.get_layout() == h5py.h5d.CHUNKED:
            chunk = int(np.prod([int(n) for n in plan.get_chunk()], dtype=object)) * size
            needed = max(needed, chunk)
        self._check_written(path, data, plan, count)
        self.total += needed
        allowed = int(self.limits["total_bytes"])
        if self.total > allowed:
            text = f"{self.total:,} bytes of data up to here"
            raise _refused(path, text, f"{allowed:,}")
        if self.total > max(_HARMLESS_BYTES, _LARGEST_RATIO * self.n_bytes):
            text = f"{self.total:,} bytes of data in a file of {self.n_bytes:,}"
            raise _refused(path, text, f"{_LARGEST_RATIO} to 1; it looks like a compression bomb")

    def _shape(self, path: tuple[str, ...], data: Any) -> tuple[int, ...]:
        space = data.id.get_space()
        if space.get_simple_extent_type() not in (h5py.h5s.SCALAR, h5py.h5s.SIMPLE):
            raise _refused(path, "no data at all", "a number, a text or an array")
        shape: tuple[int, ...] = space.get_simple_extent_dims()
        if len(shape) > _LARGEST_RANK:
            raise _refused(path, f"{len(shape)} dimensions", f"at most {_LARGEST_RANK}")
        return shape

    def _item_bytes(self, path: tuple[str, ...], kind: Any) -> int:
        if kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
            size = int(kind.get_size())
            if size > _LARGEST_ITEM:
                raise _refused(path, f"numbers of {size} bytes", f"at most {_LARGEST_ITEM}")
            if np.dtype(kind.dtype).kind not in "fiu":
                raise _refused(path, f"numbers of type {kind.dtype}", "floats and integers")
            return size
        if kind.get_class() == h5py.h5t.STRING:
            size = int(kind.get_size())
            if not kind.is_variable_str() and size > _LONGEST_TEXT:
                raise _refused(path, f"texts of {size} bytes", f"at most {_LONGEST_TEXT}")
            return max(size, 16)
        raise _refused(path, "neither numbers nor texts", "floats, integers and texts")

    def _check_written(self, path: tuple[str, ...], data: Any, plan: Any, count: int) -> None:
        """Refuse arrays of which parts were never written: a few bytes stand for any number."""
        layout = plan.get_layout()
        if layout == h5py.h5d.COMPACT or not count:
            return
        if not data.id.get_storage_size():
            raise _refused(path, f"{count:,} values that were never written", "written data")
        if layout == h5py.h5d.CHUNKED:
            shape, chunk = data.id.get_space().get_simple_extent_dims(), plan.get_chunk()
            parts = [-(-int(n) // int(c)) for n, c in zip(shape, chunk, strict=True)]
            expected = int(np.prod(parts, dtype=object))
            if data.id.get_num_chunks() < expected:
                raise _refused(path, f"fewer than {expected:,} blocks written", "all of them")

    def read(self) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
        """Entries of all data sets, and the arrays of numbers among them by their number."""
        entries: list[dict[str, Any]] = [{"path": path, "group": True} for path in self.groups]
        arrays = {}
        for k, (path, data) in enumerate(self.found):
            entry: dict[str, Any] = {"path": path}
            if data.id.get_type().get_class() == h5py.h5t.STRING:
                entry["text"] = _texts(path, data[()])
            else:
                array = np.array(data[()])
                entry["array"] = str(k)
                arrays[str(k)] = array.astype(array.dtype.newbyteorder("="))
            entries.append(entry)
        return entries, arrays


def _texts(path: tuple[str, ...], value: Any) -> Any:
    """Texts, in lists as the array has dimensions."""
    if isinstance(value, np.ndarray):
        return [_texts(path, item) for item in value]
    raw = bytes(value) if isinstance(value, (bytes, np.bytes_)) else str(value).encode()
    if len(raw) > _LONGEST_TEXT:
        raise _refused(path, f"a text of {len(raw):,} bytes", f"at most {_LONGEST_TEXT}")
    try:
        text = raw.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, "a text that is not UTF-8", "UTF-8") from error
    return text


def _text(path: tuple[str, ...]) -> str:
    return "/" + "/".join(path)


def _refused(path: tuple[str, ...], measured: str, allowed: str) -> RefusedError:
    return RefusedError(_text(path), measured, allowed)


def read(file: str, limits: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The answer to a file, which is JSON, and the arrays that go with it."""
    try:
        with h5py.File(file, "r") as opened:
            reading = Reading(opened, os.path.getsize(file), limits)
            reading.look()
            entries, arrays = reading.read()
        return {"entries": entries}, arrays
    except RefusedError as error:
        return {"refused": error.args}, {}
    except MemoryError:
        allowed = f"{limits['memory_bytes']:,} bytes"
        return {"refused": ("/", "more memory than is allowed", allowed)}, {}
    except RecursionError:
        return {"refused": ("/", "structures within structures without end", "")}, {}
    except Exception as error:  # whatever HDF5 makes of a damaged file
        text = " ".join(str(error).split())
        return {"damaged": f"{type(error).__name__}: {text:.200}"}, {}


def answer(file: str, limits: Mapping[str, Any], out: IO[bytes]) -> None:
    """Read `file` within `limits` and write what came of it to `out`."""
    confine(limits)
    index, arrays = read(file, limits)
    text = np.frombuffer(json.dumps(index).encode(), dtype=np.uint8)
    np.savez(out, index=text, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    answer(sys.argv[1], json.loads(sys.argv[2]), sys.stdout.buffer)
