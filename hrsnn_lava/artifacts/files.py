"""Writing files whole or not at all, and looking into a zip before unpacking it.

No NumPy here: commands and the pytest plugin write small texts without loading it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from hrsnn_lava.errors import ArtifactError, OutputError

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
def _writing(target: Path) -> Iterator[None]:
    """Say which file cannot be written, and why."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


@contextmanager
def atomic_write(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; fsync and rename it when the block ends well.

    On an error, or when the process is killed, `path` keeps what it had. A file that is replaced
    hands on its mode. A link stays, and what it leads to is replaced. Devices, pipes and our own
    standard output are written to, when the block has ended well.

    Raises:
        OutputError: the folder does not exist, or `path` cannot be written.
        OSError: the disk is full, with the name of the file.
    """
    target = Path(os.fspath(path))
    with _writing(target):
        mode, straight = _mode(target), _is_stream(target)
    if straight:
        with tempfile.TemporaryFile() as spool:  # zips are read back, and pipes cannot be
            with naming(target):
                yield cast(IO[bytes], _Sink(spool))
            spool.seek(0)
            with _writing(target), _stream(target) as stream:
                shutil.copyfileobj(spool, stream)
        return
    file = Path(os.path.realpath(target)) if target.is_symlink() else target
    with _writing(target):
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{file.name}.", suffix=".part", dir=file.parent
        )
    try:
        with naming(target), os.fdopen(descriptor, "w+b") as handle:
            yield cast(IO[bytes], _Sink(handle))
            handle.flush()
            os.fsync(handle.fileno())
        with _writing(target):
            os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode)
            os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def put_in_place(finished: Path, path: PathLike) -> None:
    """Make a finished file that of `path`, by the rules of `atomic_write`.

    It is renamed, and stays where only its content can be handed on.
    """
    target = Path(os.fspath(path))
    with _writing(target):
        mode, straight = _mode(target), _is_stream(target)
        if not (straight or target.is_symlink()):
            if mode is not None:
                os.chmod(finished, mode)
            os.replace(finished, target)
            return
    with atomic_write(target) as handle, finished.open("rb") as source:
        shutil.copyfileobj(source, handle)


def _mode(target: Path) -> int | None:
    """Permissions of what is there; None where nothing is.

    Raises:
        OSError: a folder is there, or links without an end.
    """
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return stat.S_IMODE(mode)


def _standard_stream(target: Path) -> int | None:
    """The descriptor of our standard output or error, where `target` is what it writes to."""
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(number), os.stat(target)):
                return number
    return None


def _is_stream(target: Path) -> bool:
    """True for what a new file must not take the place of, such as a device or a pipe."""
    special = target.exists() and not target.is_file()
    return special or _standard_stream(target) is not None


def _stream(target: Path) -> IO[bytes]:
    number = _standard_stream(target)
    if number is None:
        return target.open("wb")
    for printed in (sys.stdout, sys.stderr):
        printed.flush()
    return os.fdopen(os.dup(number), "wb")


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
