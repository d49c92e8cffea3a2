"""Writing files whole or not at all, and looking into a zip before unpacking it.

No NumPy here: commands and the pytest plugin write small texts without loading it.
"""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from hrsnn_lava.errors import ArtifactError

PathLike: TypeAlias = str | os.PathLike[str]
#: What the system answers when there is no room for a file.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Give an `OSError` of a handle, which knows no name, that of the file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise


class _Sink:
    """Writes to a handle until a write fails; from then on, it takes everything and writes nothing.

    The writers of zips write on when they are closed, and when nobody closed them, when they are
    collected: after the error of the disk they would print another one.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle, self._failed = handle, False
        self._position = 0  # where a file without an end would be

    def _do(self, name: str, *arguments: Any) -> Any:
        """What the handle answers; None once a call has failed."""
        if self._failed or self._handle.closed:
            return None
        try:
            return getattr(self._handle, name)(*arguments)
        except OSError:
            self._failed = True
            raise

    def write(self, data: Any) -> int:
        self._do("write", data)
        self._position += len(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._handle.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        position = self._do("seek", offset, whence)
        self._position = offset if position is None else position
        return self._position

    def tell(self) -> int:
        position = self._do("tell")
        return self._position if position is None else int(position)

    def flush(self) -> None:
        self._do("flush")

    def seekable(self) -> bool:
        return True


@contextmanager
def atomic_write(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; fsync and rename it when the block ends well.

    On an error, or when the process is killed, `path` keeps what it had.

    Raises:
        ArtifactError: the folder does not exist or cannot be written.
        OSError: the disk is full, with the name of the file.
    """
    target = Path(os.fspath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
    except OSError as error:
        if error.errno in FULL:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise ArtifactError(f"{target}: cannot be written ({error.strerror})") from error
    try:
        with naming(target):
            with os.fdopen(descriptor, "w+b") as handle:
                yield cast(IO[bytes], _Sink(handle))
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


def decoded(data: bytes, errors: str = "strict") -> str:
    """A text in UTF-8 that somebody else may have written: some editors put a mark before it.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return data.decode("utf-8-sig", errors)


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
