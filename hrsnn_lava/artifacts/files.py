"""Writing files whole or not at all, and looking into a zip before unpacking it.

No NumPy here: commands and the pytest plugin write small texts without loading it.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from hrsnn_lava.errors import ArtifactError

PathLike: TypeAlias = str | os.PathLike[str]


@contextmanager
def atomic_write(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; fsync and rename it when the block ends well.

    On an error, or when the process is killed, `path` keeps what it had.

    Raises:
        ArtifactError: the folder does not exist or cannot be written.
    """
    target = Path(os.fspath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
    except OSError as error:
        raise ArtifactError(f"{target}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(descriptor, "w+b") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(path: PathLike, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    with atomic_write(path) as handle:
        handle.write(text.encode("utf-8"))


def zip_member_sizes(path: Path) -> dict[str, int]:
    """Unpacked size of every member of a zip, from its directory.

    Raises:
        ArtifactError: not a zip, or names that would leave the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise ArtifactError(f"{path}: not a zip file, or damaged ({error})") from error
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise ArtifactError(f"{path}: two members of one name")
    return {info.filename: info.file_size for info in infos}
