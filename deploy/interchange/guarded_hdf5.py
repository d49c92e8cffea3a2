"""HDF5 files of strangers, as plain arrays: read in a process of its own, within limits.

What the child process does is in `_hdf5_child`: every object is looked at before it is opened, and
sizes before anything is read. Refused are links of any kind but the plain one, data in other files
(external storage, virtual data sets), objects with two names (so loops too), filters beside gzip,
shuffle, checksum and LZF (others are code that HDF5 would look for), types beside numbers and
texts, data that were never written, compression bombs, and whatever exceeds `Limits`.

What this promises is that no file gets anything but arrays to this process: a file that crashes
the library, or keeps it busy, ends the child. It does not make HDF5 itself safe: who can take over
the child can do what this user can.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.errors import ArtifactError, Problem

#: What a file holds: groups are mappings, texts are texts or (nested) lists of them.
Value: TypeAlias = "NDArray[Any] | str | list[Any] | Mapping[str, Value]"
Tree: TypeAlias = Mapping[str, Any]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHILD = Path(__file__).with_name("_hdf5_child.py")
_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What a file may take.

    Attributes:
        total_bytes: of all arrays, unpacked.
        memory_bytes: of the reading process, above what it uses before it opens the file.
        seconds: of the reading process, by the clock and of the processor.
        objects: groups and data sets.
        depth: of groups within groups.
    """

    total_bytes: int = 256 * _MIB
    memory_bytes: int = 512 * _MIB
    seconds: float = 10.0
    objects: int = 200_000
    depth: int = 40


def read_hdf5(path: PathLike, limits: Limits | None = None) -> Tree:
    """Everything that a file holds, as nested mappings of arrays and texts.

    Groups named ``metadata`` are left out.

    Raises:
        ArtifactError: no such file, no HDF5, damaged, or refused; see the module.
    """
    where, chosen = Path(os.path.abspath(os.fspath(path))), limits or Limits()
    _require_hdf5(where, chosen)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        code = _run(where, chosen, out, errors)
        if code is None:
            raise _refusal(where, "/", f"not read within {chosen.seconds:g} s", "a sound file")
        if code != 0:
            raise _refusal(where, "/", _end(code, errors), "a sound file")
        index, arrays = _answer(where, out)
    if "refused" in index:
        raise _refusal(where, *index["refused"])
    if "damaged" in index:
        raise ArtifactError(f"{where}: damaged HDF5 file ({index['damaged']})")
    return _tree(index["entries"], arrays)


def _require_hdf5(where: Path, limits: Limits) -> None:
    """Refuse what no HDF5 library has to see."""
    try:
        found = where.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ArtifactError(f"{where}: not a regular file")
        if found.st_size > limits.total_bytes + 64 * _MIB:
            allowed = f"{limits.total_bytes + 64 * _MIB:,}"
            raise _refusal(where, "the file", f"{found.st_size:,} bytes", allowed)
        with where.open("rb") as handle:
            head = handle.read(len(_SIGNATURE))
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{where}: cannot be read ({error.strerror})") from error
    if head != _SIGNATURE:
        raise ArtifactError(f"{where}: not an HDF5 file, which a NIR file is")


def _run(where: Path, limits: Limits, out: IO[bytes], errors: IO[bytes]) -> int | None:
    """The exit code of the child; None where it was out of time."""
    environment = dict(os.environ)
    # no code beside the library, no lock on a file that is only read
    environment |= {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE"}
    environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
    words = [sys.executable, str(_CHILD), str(where), json.dumps(asdict(limits))]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=environment
    ) as child:
        try:
            return child.wait(limits.seconds + _START_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.kill()


#: Seconds that a child may need to start, on a busy machine, before it reads.
_START_S = 30.0


def _end(code: int, errors: IO[bytes]) -> str:
    """How a child ended that gave no answer."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        if name in ("SIGXCPU", "SIGALRM"):
            return "it keeps the HDF5 library busy without end"
        return f"it crashes the HDF5 library ({name})"
    errors.seek(0)
    lines = errors.read(65536).decode("utf-8", "replace").strip().splitlines()
    return f"the reading process failed ({lines[-1]:.200})" if lines else f"exit code {code}"


def _answer(where: Path, out: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What the child wrote; nothing in it is unpickled."""
    try:
        out.seek(0)
        with np.load(out, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        index: dict[str, Any] = json.loads(arrays.pop("index").tobytes())
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ArtifactError(f"{where}: the reading process gave no answer ({error})") from error
    return index, arrays


def _tree(entries: list[dict[str, Any]], arrays: Mapping[str, NDArray[Any]]) -> Tree:
    root: dict[str, Any] = {}
    for entry in entries:
        place = root
        for name in entry["path"][:-1]:
            place = place.setdefault(name, {})
        if entry.get("group"):
            if entry["path"]:
                place.setdefault(entry["path"][-1], {})
        else:
            last = entry["path"][-1]
            place[last] = entry["text"] if "text" in entry else arrays[entry["array"]]
    return root


def _refusal(where: Path, place: str, measured: str, allowed: str) -> ArtifactError:
    problem = Problem(place, measured, allowed)
    return ArtifactError(f"{where}: refused", problems=[problem])
