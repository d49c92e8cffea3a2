"""One code for dense algebra on the CPU and on a GPU: the array API over NumPy and torch.

An analysis asks for `arrays_on` a device and writes what it computes once, with the functions of
``arrays.xp`` (the array API standard, by array-api-compat) and the few operations below, which the
standard lacks or which need memory of their own in it. NumPy computes in place, so that nothing
is slower or larger for this. Masks are applied by ``xp.where``: an assignment to a mask makes a
GPU wait.

torch is loaded for ``cuda`` alone and is no dependency.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import BackendMissingError, Problem, SpecError
from hrsnn_lava.threads import in_order

Device = Literal["cpu", "cuda"]
WHOLE_UP_TO = 1024  # rows; a product of NumPy's with more is cut
ROWS = 512  # of each piece: large enough for BLAS, and N = 5000 has ten of them


@dataclass(frozen=True, eq=False)
class Arrays:
    """A namespace of the array API, and where its arrays are.

    Attributes:
        xp: functions of the standard: NumPy's or torch's, by array-api-compat.
        device: ``"cpu"`` or ``"cuda"``.
    """

    xp: Any
    device: Device = "cpu"

    @property
    def is_numpy(self) -> bool:
        """NumPy's arrays, in which results can be written in place."""
        from array_api_compat import is_numpy_namespace

        return bool(is_numpy_namespace(self.xp))

    @property
    def is_torch(self) -> bool:
        """torch's tensors."""
        from array_api_compat import is_torch_namespace

        return bool(is_torch_namespace(self.xp))

    def put(self, array: NDArray[Any]) -> Any:
        """A NumPy array as one of this namespace, on the device; NumPy's own are not copied."""
        if self.is_numpy:
            return array
        if self.is_torch:
            return self.xp.asarray(np.ascontiguousarray(array), device=self.device)
        return self.xp.asarray(array)

    def get(self, array: Any) -> NDArray[Any]:
        """An array of this namespace as NumPy's."""
        if self.is_torch:
            array = array.detach().cpu()
        found: NDArray[Any] = np.asarray(array)
        return found

    def dtype(self, array: Any) -> np.dtype[Any]:
        """The type of an array's numbers, as NumPy calls it."""
        return np.dtype(str(array.dtype).rpartition(".")[2])

    def dense(
        self, matrix: sparse.csr_matrix, dtype: np.dtype[Any], *, order: Any = "C", out: Any = None
    ) -> Any:
        """A sparse matrix as a dense array; NumPy writes it into `out`, if given."""
        if not self.is_numpy:
            return self.put(matrix.astype(dtype).toarray())
        if out is None:
            return matrix.astype(dtype).toarray(order=order)
        return matrix.astype(dtype).toarray(out=out)

    def into(self, out: Any, name: str, *operands: Any) -> Any:
        """``xp.name(*operands)``, written over `out` where the namespace can; use what it returns.

        Args:
            out: an array of the result's shape and type, none of the operands.
            name: such as ``"matmul"`` or ``"add"``.
        """
        function = getattr(self.xp, name)
        if out is not None and (self.is_numpy or self.is_torch):
            return function(*operands, out=out)
        return function(*operands)

    def product(self, a: Any, b: Any, out: Any = None, *, symmetric: bool = False) -> Any:
        """``a @ b``, written over `out` where the namespace can; use what is returned.

        NumPy's large products are cut into rows, a thread each: within `reproducible` the bits
        are the same for any number of threads, which those of a threaded BLAS are not.

        Args:
            a, b: (n, m) and (m, k).
            out: (n, k), neither of them.
            symmetric: the result is known to be: half of a large one is mirrored.
        """
        n = a.shape[0]
        if not self.is_numpy or n <= WHOLE_UP_TO:
            return self.into(out, "matmul", a, b)
        found = np.empty((n, b.shape[1]), dtype=a.dtype) if out is None else out

        def fill(rows: slice) -> None:
            columns = slice(0, rows.stop if symmetric else None)
            np.matmul(a[rows], b[:, columns], out=found[rows, columns])
            if symmetric:
                found[: rows.start, rows] = found[rows, : rows.start].T

        pieces = [slice(at, min(at + ROWS, n)) for at in range(0, n, ROWS)]
        for _ in in_order(fill, reversed(pieces)):  # the long ones first
            pass
        return found

    def add_to_diagonal(self, matrix: Any, value: float) -> Any:
        """``matrix + value I``; NumPy's and torch's matrix itself is changed."""
        n = matrix.shape[0]
        if self.is_numpy:
            matrix.flat[:: n + 1] += matrix.dtype.type(value)
        elif self.is_torch:
            matrix.diagonal().add_(value)
        else:
            matrix = matrix + value * self.xp.eye(n, dtype=matrix.dtype)
        return matrix

    def inverse(self, matrix: Any) -> Any:
        """Inverse of a square matrix, whose memory may be taken for it."""
        if self.is_numpy:
            from scipy import linalg

            return linalg.inv(matrix, overwrite_a=True, check_finite=False)
        return self.xp.linalg.inv(matrix)

    def norm(self, array: Any) -> float:
        """Root of the sum of squares."""
        if self.is_numpy:
            return float(np.linalg.norm(array))
        return float(self.xp.linalg.vector_norm(array))

    @contextmanager
    def reproducible(self) -> Iterator[None]:
        """Meanwhile BLAS adds in one order, and float32 on a GPU has all of its 24 bits.

        On the CPU BLAS keeps to one thread (`product` has threads of its own); on a GPU torch's
        TF32, of 11 bits, is off. Both are settings of the whole process, and put back afterwards.
        """
        if self.device != "cuda":
            import scipy.linalg  # noqa: F401 - its BLAS has to be there to be limited
            from threadpoolctl import threadpool_limits

            with threadpool_limits(limits=1, user_api="blas"):
                yield
            return
        import torch

        products = torch.backends.cuda.matmul
        newer = hasattr(products, "fp32_precision")
        key, exact = ("fp32_precision", "ieee") if newer else ("allow_tf32", False)
        before = getattr(products, key)
        setattr(products, key, exact)
        try:
            yield
        finally:
            setattr(products, key, before)


def arrays_on(device: Device | Arrays) -> Arrays:
    """The arrays of a device: NumPy's on the CPU, torch's on a GPU.

    Args:
        device: ``"cpu"``, ``"cuda"``, or arrays, which are returned as they are.

    Raises:
        SpecError: another device.
        BackendMissingError: ``cuda`` without torch, or without a GPU that it can use.
    """
    if isinstance(device, Arrays):
        return device
    if device == "cpu":
        import array_api_compat.numpy

        return Arrays(array_api_compat.numpy, "cpu")
    if device != "cuda":
        raise SpecError(str(Problem("device", repr(device), "cpu, cuda")))
    try:
        import array_api_compat.torch
        import torch
    except ImportError as error:
        problem = Problem(
            "device", "cuda: torch is not installed", "cpu", "install torch with CUDA"
        )
        raise BackendMissingError(str(problem)) from error
    if not torch.cuda.is_available():
        build = f"torch {torch.__version__} finds none"
        problem = Problem("device", f"cuda: there is no GPU ({build})", "cpu", "use device cpu")
        raise BackendMissingError(str(problem))
    return Arrays(array_api_compat.torch, "cuda")
