"""The manifest of a bundle: what is in the folder, with size and SHA-256 of every file.

A bundle checks itself, so this module goes into it, and needs nothing but Python and `errors`. The
manifest is JSON in one exact form, whose `digest` is the SHA-256 of the rest of it: no byte of the
folder can change unnoticed. It is no signature: who can write the folder can write the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hrsnn_lava.errors import ArtifactError, Problem, raise_if

__all__ = ["FORMAT", "FORMAT_VERSION", "MANIFEST", "encoded", "entries_of", "is_bundle", "verified"]

FORMAT = "hrsnn-lava-bundle"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
#: Largest manifest, and largest sum of all files, in bytes.
MAX_MANIFEST, MAX_BYTES = 64 * 2**20, 8 * 2**30
#: What Python makes beside the sources when somebody imports them.
_CACHE = "__pycache__"


def entries_of(members: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """``members`` of a manifest: bytes and SHA-256 of every file, by its name in the folder."""
    return {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(members.items())
    }


def encoded(manifest: Mapping[str, Any]) -> bytes:
    """The bytes of a manifest; `digest` is filled in."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    digest = hashlib.sha256(_json(content)).hexdigest()
    return _json({**content, "digest": digest})


def _json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return f"{text}\n".encode()


def is_bundle(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has a manifest of ours; nothing else is looked at."""
    try:
        return bool(_read_manifest(Path(folder)).get("format") == FORMAT)
    except ArtifactError:
        return False


def verified(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a bundle, once every file is as it says.

    Sizes are compared before anything is read, and no file is looked for outside the folder.

    Raises:
        ArtifactError: no bundle, one of another version, or files that are changed, missing or too
            many, all of them named.
    """
    root = Path(folder)
    manifest = _read_manifest(root)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"{root / MANIFEST}: format is not {FORMAT!r}")
    if manifest.get("version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{root}: bundle version {manifest.get('version')!r}; this program reads "
            f"{FORMAT_VERSION}. Use the program version that wrote it, or write it anew"
        )
    if encoded(manifest) != (root / MANIFEST).read_bytes():
        raise ArtifactError(f"{root / MANIFEST}: was altered: its digest is not that of its text")
    members = _checked_members(root, manifest.get("members"))
    raise_if(ArtifactError, f"{root}: not as its manifest says", _differences(root, members))
    return manifest


def _read_manifest(root: Path) -> dict[str, Any]:
    path = root / MANIFEST
    try:
        if not root.is_dir():
            raise ArtifactError(f"{root}: no bundle; a bundle is a folder with a {MANIFEST}")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ArtifactError(f"{path}: not a regular file")
        if (size := path.lstat().st_size) > MAX_MANIFEST:
            raise ArtifactError(f"{path}: {size} bytes; allowed: {MAX_MANIFEST}")
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{root}: no bundle; it has no {MANIFEST}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error})") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{path}: {type(manifest).__name__}; allowed: a table")
    return manifest


def _checked_members(root: Path, members: Any) -> dict[str, dict[str, Any]]:
    """Refuse entries that are none, and names that lead out of the folder."""
    if not isinstance(members, dict) or not members:
        raise ArtifactError(f"{root / MANIFEST}: without a table of members")
    problems = []
    for name, entry in members.items():
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
            allowed = "a path below the folder, with / between its parts"
            problems.append(
                Problem(f"member {name!r}", "leaves the folder, or is no path", allowed)
            )
        size, digest = (entry.get(k) if isinstance(entry, dict) else None for k in _ENTRY)
        if not (isinstance(size, int) and size >= 0 and isinstance(digest, str)):
            problems.append(Problem(f"member {name!r}", "no size and checksum", "both"))
    raise_if(ArtifactError, f"{root / MANIFEST}: unsafe or damaged", problems)
    total = sum(entry["bytes"] for entry in members.values())
    if total > MAX_BYTES:
        raise ArtifactError(f"{root}: {total} bytes in all; allowed: {MAX_BYTES}")
    return members


_ENTRY = ("bytes", "sha256")


def _differences(root: Path, members: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    present = set(_files(root)) - {MANIFEST}
    for name in sorted(present - members.keys()):
        yield Problem(name, "is there", "not in a bundle", "remove it, or write the bundle anew")
    for name, entry in members.items():
        path = root / name
        if name not in present:
            yield Problem(name, "is missing", f"{entry['bytes']:,} bytes")
        elif path.is_symlink() or not path.is_file():
            yield Problem(name, "is a link or no regular file", "a file")
        elif (size := path.stat().st_size) != entry["bytes"]:
            yield Problem(name, f"{size:,} bytes", f"{entry['bytes']:,} bytes")
        elif (digest := _digest(path)) != entry["sha256"]:
            yield Problem(name, f"was altered: SHA-256 {digest}", str(entry["sha256"]))


def _files(root: Path) -> Iterator[str]:
    """Everything below the folder but folders themselves; a link to one counts as a file."""
    for where, folders, names in os.walk(root):
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and name != _CACHE]
        for name in (*names, *links):
            yield (Path(where) / name).relative_to(root).as_posix()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(2**20):
            digest.update(block)
    return digest.hexdigest()
