"""Stationary covariance of a stable linear system under white noise, by doubling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device, arrays_on
from hrsnn_lava.compiler.analysis.dynamics.stability import require_stable
from hrsnn_lava.errors import Problem, SpecError

Float = NDArray[np.float64]
Precision = Literal["auto", "float64", "float32"]
DOUBLE_UP_TO = 2000  # neurons; above it "auto" halves time and memory with float32
MAX_DOUBLINGS = 60
MAX_RESIDUAL = {"float64": 1e-6, "float32": 1e-3}
TOLERANCE = {"float64": 1e-13, "float32": 1e-6}


@dataclass(frozen=True, eq=False)
class Covariance:
    """Solution of ``A C + C A^T = -sigma^2 I``.

    Attributes:
        matrix: C, dense (N, N), of `precision`.
        iterations: doublings taken, about log2 of the condition of A.
        residual: ``|A C + C A^T + sigma^2 I| / (2 |A C|)`` in the Frobenius norm.
        precision: ``"float64"`` or ``"float32"``.
    """

    matrix: NDArray[Any]
    iterations: int
    residual: float
    precision: str


def covariance(
    system: sparse.csr_matrix,
    *,
    sigma: float = 1.0,
    precision: Precision = "auto",
    abscissa: float | None = None,
    device: Device | Arrays = "cpu",
) -> Covariance:
    r"""Covariance C of :math:`\dot x = A x + \sigma \xi(t)` by Cayley transform and doubling.

    .. math::
        F = (gI - A)^{-1}(gI + A), \quad Q = 2 g \sigma^2 (gI - A)^{-1}(gI - A)^{-T}, \\
        Q \leftarrow Q + F Q F^T, \quad F \leftarrow F^2

    (Smith 1968.) Only matrix products after one inverse, and C is positive semidefinite by
    construction. Needs five dense matrices: 0.5 GB at N = 5000 in float32.

    Args:
        system: A as CSR (N, N), stable.
        sigma: standard deviation of the noise.
        precision: auto is float64 up to N = 2000 and float32 above.
        abscissa: largest real part of A if it is known already (< 0); tested here otherwise.
        device: ``cpu`` (NumPy) or ``cuda`` (torch, without TF32); the matrix comes back to NumPy.

    Raises:
        SpecError: A is not stable, or the solution fails its checks.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    n = system.shape[0]
    if system.shape != (n, n) or n == 0:
        raise SpecError(f"the covariance needs a square system; its shape is {system.shape}")
    if abscissa is None:
        abscissa = require_stable(system).value
    elif abscissa >= 0:
        raise SpecError(f"the system is unstable: largest real part {abscissa:.3g}, allowed < 0")
    if precision == "auto":
        precision = "float64" if n <= DOUBLE_UP_TO else "float32"
    size = abs(system)
    radius = min(float(size.sum(axis=0).max()), float(size.sum(axis=1).max()))
    # A bound >= 0 proves nothing. Doubling then decides: F^2^k vanishes just for a stable A.
    gap = -abscissa if abscissa < 0 else 1e-3 * radius
    scale = float(np.sqrt(gap * max(radius, gap)))
    arrays = arrays_on(device)
    with (
        arrays.reproducible(),
        np.errstate(over="ignore", invalid="ignore"),  # an unstable system overflows, seen below
    ):
        found, iterations, work = _doubling(system, scale, sigma, np.dtype(precision), arrays)
        residual = _residual(system, found, sigma, work, arrays)
    solution = arrays.get(found)
    if not (solution.diagonal() > 0).all() or not residual <= MAX_RESIDUAL[precision]:
        raise SpecError(
            f"the covariance is not usable: residual {residual:.2g} (allowed "
            f"{MAX_RESIDUAL[precision]:g}), smallest variance {solution.diagonal().min():.3g}; "
            "raise the stability margin or use float64"
        )
    return Covariance(solution, iterations, residual, precision)


def _doubling(
    system: sparse.csr_matrix, scale: float, sigma: float, dtype: np.dtype[Any], arrays: Arrays
) -> tuple[Any, int, tuple[Any, Any]]:
    """C, the doublings taken, and two work arrays that can be used again."""
    shifted = arrays.dense(system, dtype, order="F")
    shifted *= -1.0
    inverse = arrays.inverse(arrays.add_to_diagonal(shifted, scale))
    del shifted
    q = arrays.into(None, "matmul", inverse, inverse.T)  # NumPy: half the work, by symmetry
    q *= 2.0 * scale * sigma**2
    f = np.ascontiguousarray(inverse) if arrays.is_numpy else inverse
    del inverse
    f *= 2.0 * scale
    f = arrays.add_to_diagonal(f, -1.0)
    work, more = arrays.xp.empty_like(q), arrays.xp.empty_like(q)
    iteration = 0
    while iteration < MAX_DOUBLINGS:
        iteration += 1
        work = arrays.product(f, q, work)
        more = arrays.product(work, f.T, more, symmetric=True)
        q += more
        size = arrays.norm(f)
        if not np.isfinite(size):
            break
        # What is left is at most |F^2|^2 |C|, and |F^2| <= |F|^2: no further product is needed.
        if size <= TOLERANCE[dtype.name] ** 0.25:
            return q, iteration, (work, more)
        work = arrays.product(f, f, work)
        f, work = work, f
    raise SpecError(
        f"the covariance does not converge (after {iteration} doublings): the system is unstable "
        "or too close to it; raise the stability margin"
    )


def _residual(
    system: sparse.csr_matrix, solution: Any, sigma: float, work: tuple[Any, Any], arrays: Arrays
) -> float:
    dense = arrays.dense(system, arrays.dtype(solution), out=work[0])
    product = arrays.product(dense, solution, work[1])
    level = 2.0 * arrays.norm(product)
    dense = arrays.into(dense, "add", product, product.T)
    return arrays.norm(arrays.add_to_diagonal(dense, sigma**2)) / level


def edge_variance(covariance: NDArray[Any] | None, row: Any, column: Any, sign: Any) -> Float:
    """``Var(x_i - sign x_j) = C_ii + C_jj - 2 sign C_ij`` of every edge, (E,), at least 0.

    Args:
        covariance: C, (N, N).
        row, column: (E,) ends i and j.
        sign: (E,) of +1, -1, or 0 for ``C_ii + C_jj``.

    Raises:
        SpecError: there is no C, because it was sampled on the synapses alone.
    """
    if covariance is None:
        problem = Problem("covariance", "sampled", "exact", "prune with covariance exact")
        raise SpecError(f"this score needs the dense covariance: {problem}")
    diagonal = covariance.diagonal().astype(np.float64)
    cross = covariance[row, column].astype(np.float64)
    variance: Float = diagonal[row] + diagonal[column] - 2.0 * sign * cross
    # Rounding can leave a difference of equal numbers just below zero.
    return np.maximum(variance, 0.0)
