"""Files of ours: how a type is saved, the ``.hlx`` container, and ``.npz`` files of bare arrays.

A type that derives from `Saved` has `save`, `load` and a digest. What of it goes into a file, only
the `Codec` of its stage knows, a part of the registry (``hrsnn_lava/codecs/STAGE.py``) that is
loaded when the first file is written or read. So types import no file format, and a new type needs
no line here.

An ``.hlx`` file is a zip of ``manifest.json`` and ``arrays.npz``. The manifest states the format
and its version, the stage (what the file holds), the SHA-256 of every member, and unit, dtype and
shape of every array. Members are stored uncompressed, in fixed order and with a fixed time, so the
bytes depend on the content alone; reading rebuilds the archive and compares, so that any flipped
byte is noticed. Every file is written whole or not at all, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from hrsnn_lava import registry
from hrsnn_lava.artifacts.files import PathLike, atomic_write, zip_member_sizes
from hrsnn_lava.errors import ArtifactError, SpecError

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
T = TypeVar("T")

FORMAT = "hlx"
FORMAT_VERSION = 1
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
#: Largest file that is read, and largest total size of the arrays in it, in bytes.
MAX_BYTES = 8 * 2**30
_MAX_MANIFEST_BYTES = 64 * 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KINDS = "biuf"
#: Texts of fixed length, which are plain data too.
_TEXTS = "US"


@dataclass(frozen=True)
class Artifact:
    """Content of a file.

    Attributes:
        stage: what the file holds, such as ``network``, ``quantized`` or ``compiled``.
        meta: everything that is no array, as JSON.
        arrays: by name.
        units: unit of each array, such as ``"s"`` or ``"1"``.
    """

    stage: str
    meta: dict[str, Any]
    arrays: Arrays
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How one type is written to files and read from them.

    Attributes:
        to_artifact: what of a value is saved; equal values give equal artifacts.
        from_artifact: the inverse. `KeyError`, `TypeError`, `ValueError` and the errors of the
            type's own checks may be raised: they become an `ArtifactError` that names the file.
        npz_arrays: arrays without which a file is none of this type; with them the file is an
            ``.npz`` of bare arrays, compressed, without a manifest. Empty for ``.hlx``.
    """

    to_artifact: Callable[[T], Artifact]
    from_artifact: Callable[[Artifact], T]
    npz_arrays: tuple[str, ...] = ()


class Saved:
    """A type with a codec: the one of its `stage`."""

    stage: ClassVar[str]

    def to_artifact(self) -> Artifact:
        """Meta data and arrays; equal values give equal bytes."""
        return _codec(self.stage).to_artifact(self)

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The inverse of `to_artifact`; raises whatever the codec does."""
        value: Self = _codec(cls.stage).from_artifact(artifact)
        return value

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is saved, worked out once: saved types are frozen."""
        return hashlib.sha256(encode(self.to_artifact())).hexdigest()

    def save(self, path: PathLike) -> str:
        """Write a file, whole or not at all; return its SHA-256.

        Raises:
            OutputError: the folder is missing or cannot be written.
        """
        artifact = self.to_artifact()
        if _codec(self.stage).npz_arrays:
            return save_npz(path, artifact.arrays)
        return write_artifact(path, artifact)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a file.

        Raises:
            ArtifactError: missing, damaged, unsafe, of another version, or of another stage.
        """
        if required := _codec(cls.stage).npz_arrays:
            artifact = Artifact(cls.stage, {}, load_npz(path, required))
        else:
            artifact = read_artifact(path)
            if artifact.stage != cls.stage:
                raise ArtifactError(
                    f"{path}: holds a {artifact.stage} network; expected: {cls.stage}"
                )
        value: Self = _decoded(path, artifact)
        return value


#: Stages of networks, which commands take for each other.
NETWORK_STAGES = ("network", "quantized", "compiled")


def load_any(path: PathLike, stages: tuple[str, ...] = ()) -> Any:
    """Read an ``.hlx`` file, whatever it holds.

    Args:
        path: of the file.
        stages: those that are welcome; by default all that have a codec.

    Returns:
        A `Network`, `QuantizedNetwork`, `CompiledNetwork`, `State` and so on, by the stage that
        the manifest names.

    Raises:
        ArtifactError: as `Saved.load`.
    """
    artifact = read_artifact(path)
    if artifact.stage not in (stages or registry.names("codec")):
        allowed = ", ".join(stages or registry.names("codec"))
        raise ArtifactError(f"{path}: stage {artifact.stage!r}; allowed: {allowed}")
    return _decoded(path, artifact)


def _codec(stage: str) -> Codec[Any]:
    codec: Codec[Any] = registry.load("codec", stage)
    return codec


def _decoded(path: PathLike, artifact: Artifact) -> Any:
    """The value in an artifact that was read from `path`; every fault is an `ArtifactError`."""
    try:
        return _codec(artifact.stage).from_artifact(artifact)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"{path}: content is incomplete or wrong ({error!r})") from error
    except (SpecError, ArtifactError) as error:
        raise ArtifactError(f"{path}: {error.message}", problems=error.problems) from error


def write_artifact(path: PathLike, artifact: Artifact) -> str:
    """Write an ``.hlx`` file, whole or not at all; return its SHA-256."""
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


def read_artifact(path: PathLike) -> Artifact:
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


def save_npz(path: PathLike, arrays: Mapping[str, Any]) -> str:
    """Write arrays as a compressed ``.npz``, whole or not at all; return its SHA-256."""
    digest = hashlib.sha256()
    with atomic_write(path) as handle:
        np.savez_compressed(handle, **dict(arrays))
        handle.seek(0)
        while block := handle.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def load_npz(
    path: PathLike, required: tuple[str, ...] = (), *, texts: bool = False
) -> dict[str, NDArray[Any]]:
    """Read an ``.npz`` without pickles, its size checked before anything is allocated.

    Args:
        path: of the file.
        required: arrays that must be there.
        texts: whether arrays of texts are allowed, too.

    Raises:
        ArtifactError: missing, damaged, too large, or without a `required` array.
    """
    where = Path(os.fspath(path))
    try:
        total = sum(zip_member_sizes(where).values())
        if total > MAX_BYTES:
            raise ArtifactError(f"{where}: {total} bytes unpacked; allowed: {MAX_BYTES}")
        with zipfile.ZipFile(where) as archive:
            names = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            missing_names = [name for name in required if name not in names]
            if missing_names:
                stored_names = ", ".join(names) or "no array"
                raise ArtifactError(
                    f"{where}: missing {', '.join(missing_names)}; found: {stored_names}"
                )
            return {
                name: parse_npy(f"{where}: {name}", archive.read(member), texts=texts)
                for name, member in names.items()
            }
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ArtifactError(f"{where}: not a readable .npz file ({error})") from error


def below(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def plain(value: Any) -> Any:
    """`value` as JSON holds it: NumPy numbers and arrays become numbers and lists, inf None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


#: Digits of a measured number that goes into a digest: the last ones of a float64 depend on the
#: version of NumPy that summed it, and a digest must not.
SIGNIFICANT = 12


def rounded(value: Any, digits: int = SIGNIFICANT) -> Any:
    """Plain values with every float in so many digits: for what is measured, not for data."""
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v, digits) for v in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def parse_npy(where: str, data: bytes, *, texts: bool = False) -> NDArray[Any]:
    """An ``.npy`` of plain numbers; nothing is allocated beyond what the data holds.

    Args:
        where: what it is of, for messages.
        data: its bytes.
        texts: whether texts of fixed length are allowed, too.

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
    if dtype.kind not in _KINDS + _TEXTS * texts or dtype.hasobject or not dtype.itemsize:
        allowed = "plain numbers or texts" if texts else "plain numbers"
        raise ArtifactError(f"{where}: dtype {dtype}; allowed: {allowed}")
    count = 1
    for extent in shape:
        count *= int(extent)
    body = data[stream.tell() :]
    if count * dtype.itemsize != len(body):
        raise ArtifactError(f"{where}: shape {shape} does not fit {len(body)} bytes")
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "U" and not _is_text(array):
        raise ArtifactError(f"{where}: texts with numbers that are no characters")
    return array.copy(order="C")


def _is_text(array: NDArray[Any]) -> bool:
    """Whether all code points of texts are characters, and no halves of a pair of UTF-16."""
    codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
    numbers = codes.reshape(-1).view(np.uint32)
    return not ((numbers > 0x10FFFF) | ((numbers >= 0xD800) & (numbers <= 0xDFFF))).any()


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
