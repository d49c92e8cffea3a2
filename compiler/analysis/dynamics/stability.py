"""Is a linear system stable, and the leak that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]
StabiliseMethod = Literal["uniform", "dominant"]
DENSE_UP_TO = 300  # below it all eigenvalues cost less than a second and cannot fail to converge


@dataclass(frozen=True)
class Abscissa:
    """Largest real part of the eigenvalues, in the unit of the matrix.

    Attributes:
        value: the abscissa, or an upper bound of it.
        method: ``"dense"``, ``"arnoldi"``, or ``"gershgorin"`` (the bound).
    """

    value: float
    method: str


def spectral_abscissa(matrix: sparse.csr_matrix, *, tolerance: float = 1e-4) -> Abscissa:
    """Largest real part of the eigenvalues of a square matrix.

    All eigenvalues up to 300 rows, implicitly restarted Arnoldi above, and the bound of
    Gershgorin if that does not converge.

    Args:
        matrix: CSR (N, N), not symmetric in general.
        tolerance: relative accuracy asked of Arnoldi.
    """
    n = matrix.shape[0]
    if n == 0 or not np.any(matrix.data):
        return Abscissa(0.0, "dense")
    with arrays_on("cpu").reproducible():
        return _abscissa(matrix, tolerance)


def _abscissa(matrix: sparse.csr_matrix, tolerance: float) -> Abscissa:
    n = matrix.shape[0]
    if n <= DENSE_UP_TO:
        return Abscissa(float(np.linalg.eigvals(matrix.toarray()).real.max()), "dense")
    from scipy.sparse.linalg import ArpackError, eigs

    # Fixed and without symmetry: ones is an eigenvector of every regular graph.
    start = 1.0 + np.cos(2.399963 * np.arange(n))
    try:
        values = eigs(
            matrix,
            k=4,
            ncv=40,
            which="LR",
            v0=start,
            tol=tolerance,
            maxiter=100,
            return_eigenvectors=False,
        )
    except ArpackError:
        return Abscissa(gershgorin_bound(matrix), "gershgorin")
    return Abscissa(float(values.real.max()), "arnoldi")


def gershgorin_bound(matrix: sparse.csr_matrix) -> float:
    """Upper bound of the abscissa: the smaller of the row and the column discs' right ends."""
    diagonal = matrix.diagonal()
    size = abs(matrix)
    centre = diagonal - np.abs(diagonal)
    bounds = [float(np.max(centre + np.asarray(size.sum(axis=k)).ravel())) for k in (0, 1)]
    return min(bounds)


@dataclass(frozen=True, eq=False)
class StableSystem:
    """``A = -D + L``.

    Attributes:
        matrix: A as CSR (N, N).
        leak: (N,) diagonal of D, in the unit of L.
        abscissa: largest real part of the eigenvalues of A, or an upper bound (< 0).
        shift: what was added to every leak (uniform), or the mean of what was added (dominant).
        method, margin: as asked for.
        estimate: how the abscissa was found.
    """

    matrix: sparse.csr_matrix
    leak: Float
    abscissa: float
    shift: float
    method: str
    margin: float
    estimate: str


def stabilise(
    coupling: sparse.csr_matrix,
    leak: Float,
    *,
    method: StabiliseMethod = "uniform",
    margin: float = 0.1,
) -> StableSystem:
    r"""Choose the leaks D so that ``A = -D + L`` is stable (eq. 14 leaves D open; ours).

    ``uniform``: :math:`D = D_0 + s`, :math:`s = \max(0, \Re\lambda_{max}(L - D_0) + m\,c)` with
    the scale c the larger of that abscissa and the rms row norm of ``L - D0``.
    ``dominant``: :math:`D_{ii} = D_{0,ii} + (1 + m) \sum_j |L_{ij}|`, the diagonally dominant
    class of the theorem on noise pruning, which flattens the covariance towards the diagonal.

    Args:
        coupling: L as CSR (N, N).
        leak: (N,) D0 >= 0 in the unit of L.
        margin: m > 0.

    Raises:
        SpecError: margin not > 0, or leaks negative or of the wrong shape.
    """
    n = coupling.shape[0]
    leak = np.asarray(leak, dtype=np.float64)
    if not margin > 0:
        raise SpecError(f"the stability margin is {margin}; allowed: > 0")
    if leak.shape != (n,) or not np.all(leak >= 0):
        raise SpecError(f"leaks must be >= 0, one per neuron ({n},); shape {leak.shape}")
    if method == "dominant":
        added = (1.0 + margin) * np.asarray(abs(coupling).sum(axis=1)).ravel()
        # A silent row with no leak of its own would leave an eigenvalue at zero.
        rate = float(added.mean()) or 1.0
        added = np.where(added + leak > 0, added, margin * rate)
        matrix = (coupling - sparse.diags(leak + added)).tocsr()
        shift, estimate = float(added.mean()) if n else 0.0, "gershgorin"
        abscissa = gershgorin_bound(matrix) if n else -1.0
        return StableSystem(matrix, leak + added, abscissa, shift, method, margin, estimate)
    base = (coupling - sparse.diags(leak)).tocsr()
    base_abscissa = spectral_abscissa(base)
    rms = float(np.sqrt(np.sum(base.data**2) / max(n, 1)))
    gap = margin * (max(abs(base_abscissa.value), rms) or 1.0)
    shift = max(0.0, base_abscissa.value + gap)
    matrix = (base - shift * sparse.identity(n)).tocsr() if shift else base
    return StableSystem(
        matrix,
        leak + shift,
        base_abscissa.value - shift,
        shift,
        method,
        margin,
        base_abscissa.method,
    )


def require_stable(matrix: sparse.csr_matrix) -> Abscissa:
    """Abscissa of `matrix`; not negative only where a bound is all there is.

    Raises:
        SpecError: the matrix is unstable: noise would grow without bound, and solvers of the
            Lyapunov equation return negative variances without complaint. Or its values are not
            finite.
    """
    if not np.isfinite(matrix.data).all():
        raise SpecError("the system has values that are not finite")
    abscissa = spectral_abscissa(matrix)
    if abscissa.value >= 0 and abscissa.method != "gershgorin":
        raise SpecError(
            f"the system is unstable: largest real part {abscissa.value:.3g}, allowed < 0; "
            "raise the stability margin or the leaks"
        )
    return abscissa
