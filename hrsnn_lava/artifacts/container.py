"""The ``.hlx`` container: ``manifest.json`` and ``arrays.npz`` in a zip of reproducible bytes.

The manifest states the format and its version, the stage (what the file holds), the SHA-256 of
every member, and unit, dtype and shape of every array. Members are stored uncompressed, in fixed
order and with a fixed time, so the bytes depend on the content alone; reading rebuilds the
archive and compares, so that any flipped byte is noticed. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import atomic_write, zip_member_sizes
from hrsnn_lava.errors import ArtifactError

FORMAT = "hlx"
FORMAT_VERSION = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
#: Largest artifact that is read, in bytes.
MAX_BYTES = 8 * 2**30
_MAX_MANIFEST_BYTES = 64 * 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KINDS = "biuf"


@dataclass(frozen=True)
class Artifact:
    """Content of an ``.hlx`` file.

    Attributes:
        stage: what the file holds: ``network``, ``quantized`` or ``compiled``.
        meta: everything that is no array, as JSON.
        arrays: by name.
        units: unit of each array, such as ``"s"`` or ``"1"``.
    """

    stage: str
    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    units: dict[str, str] = field(default_factory=dict)


def write_artifact(path: Any, artifact: Artifact) -> str:
    """Write `artifact`, whole or not at all; return the SHA-256 of the file."""
    data = encode(artifact)
    with atomic_write(path) as handle:
        handle.write(data)
    return hashlib.sha256(data).hexdigest()


def encode(artifact: Artifact) -> bytes:
    """The bytes of an ``.hlx`` file; equal content gives equal bytes."""
    arrays = {name: _plain(name, artifact.arrays[name]) for name in sorted(artifact.arrays)}
    packed = _zip({f"{name}.npy": _npy(array) for name, array in arrays.items()})
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "stage": artifact.stage,
        "members": {ARRAYS: hashlib.sha256(packed).hexdigest()},
        "arrays": {
            name: {
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "unit": artifact.units.get(name, "1"),
            }
            for name, array in arrays.items()
        },
        "meta": artifact.meta,
    }
    return _zip({MANIFEST: _json(manifest), ARRAYS: packed})


def read_artifact(path: Any) -> Artifact:
    """Read and check an ``.hlx`` file.

    Raises:
        ArtifactError: missing, truncated, altered, too large, unsafe, or of another version.
    """
    where = Path(os.fspath(path))
    try:
        if where.exists() and not where.is_file():
            raise ArtifactError(f"{where}: not a regular file")
        size = where.stat().st_size
        if size > MAX_BYTES:
            raise ArtifactError(f"{where}: {size} bytes; allowed: {MAX_BYTES}")
        data = where.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{where}: cannot be read ({error.strerror})") from error
    sizes = zip_member_sizes(where)
    if MANIFEST not in sizes or sizes[MANIFEST] > _MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{where}: not an .hlx artifact (no usable {MANIFEST})")
    if sum(sizes.values()) > MAX_BYTES:
        raise ArtifactError(f"{where}: {sum(sizes.values())} bytes unpacked; allowed: {MAX_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in sizes}
        manifest = json.loads(members[MANIFEST])
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
        raise ArtifactError(f"{where}: damaged ({error})") from error
    _check_manifest(where, manifest, sizes)
    if hashlib.sha256(members[ARRAYS]).hexdigest() != manifest["members"][ARRAYS]:
        raise ArtifactError(f"{where}: {ARRAYS} does not match its checksum; the file was altered")
    if _zip({MANIFEST: members[MANIFEST], ARRAYS: members[ARRAYS]}) != data:
        raise ArtifactError(f"{where}: the archive itself was altered; write the artifact anew")
    arrays = _read_arrays(where, members[ARRAYS], manifest["arrays"])
    units = {name: str(entry["unit"]) for name, entry in manifest["arrays"].items()}
    return Artifact(manifest["stage"], manifest["meta"], arrays, units)


def _check_manifest(where: Path, manifest: Any, sizes: Mapping[str, int]) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(f"{where}: not an .hlx artifact (format is not {FORMAT!r})")
    version = manifest.get("version")
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{where}: format version {version!r}; this program reads {FORMAT_VERSION}. "
            "Use the program version that wrote the file, or write it anew"
        )
    shapes = {"members": dict, "arrays": dict, "meta": dict, "stage": str}
    for key, kind in shapes.items():
        if not isinstance(manifest.get(key), kind):
            raise ArtifactError(f"{where}: the manifest lacks {key!r}")
    if set(sizes) != {MANIFEST, ARRAYS} or set(manifest["members"]) != {ARRAYS}:
        raise ArtifactError(f"{where}: members {sorted(sizes)}; allowed: {MANIFEST}, {ARRAYS}")


def _read_arrays(where: Path, packed: bytes, entries: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        if set(archive.namelist()) != {f"{name}.npy" for name in entries}:
            raise ArtifactError(f"{where}: the arrays are not those that the manifest lists")
        for name, entry in entries.items():
            array = parse_npy(f"{where}: {name}", archive.read(f"{name}.npy"))
            if array.dtype.str != entry.get("dtype") or list(array.shape) != entry.get("shape"):
                raise ArtifactError(f"{where}: array {name!r} is not as the manifest describes it")
            arrays[name] = array
    return arrays


def parse_npy(where: str, data: bytes) -> NDArray[Any]:
    """An ``.npy`` of plain numbers; nothing is allocated beyond what the data holds.

    Raises:
        ArtifactError: not an ``.npy``, an object array, or a shape that the data does not fill.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader: Any = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if reader is None:
            raise ArtifactError(f"{where}: .npy version {version}; allowed: 1.0, 2.0")
        shape, fortran, dtype = reader(stream)
    except (ValueError, TypeError, SyntaxError) as error:
        raise ArtifactError(f"{where}: not an .npy array ({error})") from error
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise ArtifactError(f"{where}: dtype {dtype}; allowed: plain numbers")
    count = 1
    for extent in shape:
        count *= int(extent)
    body = data[stream.tell() :]
    if count * dtype.itemsize != len(body):
        raise ArtifactError(f"{where}: shape {shape} does not fit {len(body)} bytes")
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.copy(order="C")


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(array)
    if array.dtype.kind not in _KINDS:
        raise ArtifactError(f"array {name!r}: dtype {array.dtype} cannot be stored")
    shape = array.shape  # ascontiguousarray would make a scalar one-dimensional
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return np.ascontiguousarray(little).reshape(shape)


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _json(value: Any) -> bytes:
    try:
        text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"the manifest holds what JSON cannot: {error}") from error
    return (text + "\n").encode()


def _zip(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return stream.getvalue()
