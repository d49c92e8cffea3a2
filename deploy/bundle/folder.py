"""Bundles on disk: written whole or not at all, and verified when they are read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.container import load_any
from hrsnn_lava.artifacts.files import PathLike, naming
from hrsnn_lava.deploy.bundle.manifest import MANIFEST, encoded, entries_of, is_bundle, verified
from hrsnn_lava.errors import ArtifactError, OutputError, Problem, SpecError

__all__ = ["Bundle", "load", "require_room", "write"]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are as its manifest says.

    Attributes:
        path: of the folder.
        manifest: see `docs/deploy.md`.
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 over everything: that of the manifest, which has one of every file."""
        return str(self.manifest["digest"])

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(entry["bytes"] for entry in self.manifest["members"].values())

    def network(self) -> Any:
        """The network that was deployed, a `CompiledNetwork` or a `QuantizedNetwork`.

        Raises:
            ArtifactError: the manifest names none of the bundle's files, or one that is no network.
        """
        program = self.manifest.get("program")
        name = program.get("artifact") if isinstance(program, dict) else None
        if not isinstance(name, str) or name not in self.manifest["members"]:
            problem = Problem("program.artifact", f"{name!r:.60}", "a member of the bundle")
            raise ArtifactError(f"{self.path / MANIFEST}: unsafe or damaged", problems=[problem])
        return load_any(self.path / name, ("compiled", "quantized"))


def load(path: PathLike) -> Bundle:
    """Read a bundle, and verify every byte of it.

    Raises:
        ArtifactError: no bundle, one of another version, unsafe, or changed; all changes are named.
    """
    folder = Path(os.fspath(path))
    return Bundle(folder, verified(folder))


def require_room(path: PathLike, *, force: bool = False) -> None:
    """Refuse a place that a bundle cannot take; done before any work.

    Raises:
        SpecError: something is there, and `force` is not said; or what is there is no bundle.
    """
    folder = Path(os.fspath(path))
    if not os.path.lexists(folder):
        return
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        return
    ours = folder.is_dir() and not folder.is_symlink() and is_bundle(folder)
    if ours and force:
        return
    measured = "a bundle is there already" if ours else "is there, and is no bundle"
    fix = "--force replaces it" if ours else "give another folder; --force replaces bundles alone"
    problem = Problem(str(folder), measured, "a new or an empty folder", fix)
    raise SpecError("nothing was written", problems=[problem])


def write(
    path: PathLike,
    manifest: Mapping[str, Any],
    members: Mapping[str, bytes],
    *,
    force: bool = False,
) -> Bundle:
    """Write a bundle, whole or not at all: beside its place first, and renamed at the end.

    Args:
        path: of the folder; see `require_room`.
        manifest: everything but `members` and `digest`, which are filled in.
        members: the files, by their names.
        force: replace a bundle that is there.

    Raises:
        SpecError: something is there.
        OutputError: the folder beside it is missing, or cannot be written.
    """
    require_room(path, force=force)
    folder = Path(os.path.abspath(os.fspath(path)))
    data = {**members, MANIFEST: encoded({**manifest, "members": entries_of(members)})}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(
            tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent)
        )
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        for name, content in data.items():
            _write_file(staging / name, content)
        staging.chmod(0o777 & ~_umask())
        _put_in_place(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return load(folder)


def _write_file(path: Path, content: bytes) -> None:
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())


def _put_in_place(staging: Path, folder: Path) -> None:
    """Rename; a bundle that is there is moved aside, and comes back where that fails."""
    aside = staging.with_suffix(".old")
    replaced = folder.exists() and any(folder.iterdir())
    try:
        if replaced:
            os.replace(folder, aside)
        os.replace(staging, folder)
    except OSError as error:
        if replaced and not folder.exists():
            with suppress(OSError):
                os.replace(aside, folder)
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    if replaced:
        shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
