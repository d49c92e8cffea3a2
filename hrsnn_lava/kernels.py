"""How functions are compiled: by numba, with a cache on disk that no run depends on.

numba keeps compiled kernels in ``__pycache__`` beside the source, else in the user's cache folder,
else nowhere: then its own decorator raises on import. It also raises on a cache file that is cut
or overwritten, and on a full disk. Here all of that costs a compilation, and at most one line.

Importing this module imports numba, which is slow to load.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaWarning

Function = TypeVar("Function", bound=Callable[..., Any])
#: What to do where kernels are compiled anew in every process.
ADVICE = "Set NUMBA_CACHE_DIR to a folder that can be written"
_DIGEST = hashlib.sha256
_DIGEST_BYTES = _DIGEST().digest_size


class KernelCacheWarning(NumbaWarning):
    """Kernels are compiled anew in every process: a slow start, and the same results."""


class _CacheFile(IndexDataCacheFile):
    """numba's files, with a checksum behind every kernel: damaged machine code must not run."""

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return data + _DIGEST(data).digest()  # what follows a pickle is not read with it

    def _load_data(self, name: str) -> Any:
        data = Path(self._data_path(name)).read_bytes()
        if _DIGEST(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
            raise ValueError("the kernel does not match its checksum")
        return super()._load_data(name)


class _KernelCache(FunctionCache):
    """numba's cache of one kernel; a file that cannot be read or written is one that is not there.

    Raises:
        RuntimeError: there is no folder for it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp, name = self._impl.locator.get_source_stamp(), self._impl.filename_base
        self._cache_file = _CacheFile(self.cache_path, name, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel; None where it has to be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a cut or overwritten file: unpickling it may raise anything
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled kernel, if the folder lets us."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # a full disk, a folder that became read-only
            self.disable()
            _say_once(f"{self.cache_path}: {error}")

    def _forget(self) -> None:
        """Start the index anew: whatever it names is written again."""
        try:
            self.flush()
        except OSError as error:
            self.disable()
            _say_once(f"{self.cache_path}: {error}")


def kernel(**options: Any) -> Callable[[Function], Dispatcher[Function]]:
    """Decorator: compile a function when it is first called, and keep it on disk where possible.

    Args:
        options: of `numba.njit`, ``cache`` left out.
    """

    def compiled(function: Function) -> Dispatcher[Function]:
        dispatcher: Any = numba.njit(**options)(function)
        try:
            dispatcher._cache = _KernelCache(function)
        except (RuntimeError, OSError):  # numba: "no locator available for file ..."
            _say_once("no folder for numba's cache can be written")
        typed: Dispatcher[Function] = dispatcher
        return typed

    return compiled


def cache_path(dispatcher: Any) -> Path | None:
    """The folder of a kernel's cache; None where it has none."""
    path = dispatcher.stats.cache_path
    return None if path is None else Path(str(path))


_said: set[str] = set()


def _say_once(reason: str) -> None:
    """One line a process, however many kernels there are."""
    if not _said:
        _said.add(reason)
        text = f"kernels are compiled anew in every process, a slow start ({reason}). {ADVICE}"
        with contextlib.suppress(KernelCacheWarning):  # where warnings are errors, a run goes on
            warnings.warn(text, KernelCacheWarning, stacklevel=3)
