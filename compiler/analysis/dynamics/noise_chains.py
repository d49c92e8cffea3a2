r"""Variances along edges from independent runs of a noisy linear system, without an N x N matrix.

Every chain follows :math:`\dot x = A x + \sigma \xi(t)` by the implicit midpoint rule

.. math::
    z = x + \tfrac{h}{2} A z + \tfrac{\sqrt{h}}{2} \sigma \xi, \qquad x \leftarrow 2 z - x

whose stationary covariance solves :math:`A C + C A^T = -\sigma^2 I` for *any* step h: it is the
chain of the Cayley transform, and discretisation has no bias. What is left is the sampling error,
:math:`\sqrt{2/k}` of a variance for k chains, the start, of which :math:`e^{-6}` remains in the
slowest mode, and the linear equation for z, which is solved to a thousandth (ours).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.threads import in_order

Float = NDArray[np.float64]
Int = NDArray[np.int64]
CHAINS = 64  # of a piece; fixed, so that the samples do not depend on the threads
RELAXATIONS = 3.0  # time constants of the slowest mode that every chain runs
TOLERANCE = 1e-3  # of the linear equation: relative change of the last sweep
MAX_SWEEPS = 100
MAX_STEPS = 20_000
BALANCE = 0.1  # deviation that is let through, on top of six standard errors


@dataclass(frozen=True, eq=False)
class ChainVariances:
    """What k chains say about edges.

    Attributes:
        values: (E,) estimates of ``Var(x_i - s x_j)``.
        chains: k.
        steps: each of them made.
        sweeps: over the synapses, of all steps: products of A with the states of a piece.
        balance: ``-2 tr(A C) / (N sigma^2)`` of the samples, 1 for the stationary state: noise
            brings in what the system dissipates.
    """

    values: Float
    chains: int
    steps: int
    sweeps: int
    balance: float

    @property
    def expected_error(self) -> float:
        """Relative standard deviation of every estimate, ``sqrt(2 / k)``."""
        return float(np.sqrt(2.0 / self.chains))


@dataclass(frozen=True, eq=False)
class _Scheme:
    """The midpoint rule of one system.

    Attributes:
        indptr, indices, data: ``h/2 L`` as CSR without a diagonal, in float32.
        leak: (N,) ``-A_ii``.
        scale: (N,) ``1 / (1 + h/2 leak)``, in float32.
        steps: to take; h is 1 over the norm of L, or less for large leaks.
        noise: ``sqrt(h)/2 sigma``.
        start: (N,) standard deviations of the first state: of neurons on their own.
        half: ``h/2``.
    """

    indptr: Int
    indices: Int
    data: NDArray[np.float32]
    leak: Float
    scale: NDArray[np.float32]
    steps: int
    noise: float
    start: Float
    half: float


def chain_variances(
    system: sparse.csr_matrix,
    edges: tuple[Int, Int, Float],
    rng: np.random.Generator,
    *,
    abscissa: float,
    chains: int = 256,
    sigma: float = 1.0,
) -> ChainVariances:
    """``Var(x_i - s x_j)`` of every edge from the end states of `chains` runs.

    The same generator gives the same bytes, whatever the number of threads. Memory is that of A,
    the edges and some 64 states of N neurons per thread.

    Args:
        system: A as CSR (N, N), stable.
        edges: (E,) ends i, ends j, and signs s.
        rng: of all noise.
        abscissa: largest real part of A, or a bound of it, < 0: chains run 3 / |abscissa|.
        chains: k.
        sigma: standard deviation of the noise.

    Raises:
        SpecError: the abscissa is not below 0, the system relaxes too slowly to be followed, or
            the states do not settle, because it is unstable after all.
    """
    from hrsnn_lava.compiler.analysis.dynamics.chain_kernels import sum_of_squares

    scheme = _scheme(system, abscissa, sigma)
    row, column, sign = edges
    row, column = row.astype(np.int64), column.astype(np.int64)
    sign = sign.astype(np.float64)
    sizes = [min(CHAINS, chains - at) for at in range(0, chains, CHAINS)]
    keys = rng.integers(0, 2**63, size=(len(sizes), 2), dtype=np.uint64)
    total, dissipated, sweeps = np.zeros(row.size), 0.0, 0

    def run(piece: int) -> tuple[NDArray[np.float32], int]:
        noise = np.random.Generator(np.random.Philox(key=keys[piece]))
        return _run(scheme, sizes[piece], noise)

    for state, made in in_order(run, range(len(sizes))):
        sum_of_squares(row, column, sign, state, total)
        dissipated += _dissipated(scheme, state)
        sweeps += made
    n = system.shape[0]
    balance = dissipated / (chains * n * 0.5 * sigma**2)
    allowed = BALANCE + 6.0 * float(np.sqrt(2.0 / (chains * n)))
    if not abs(balance - 1.0) <= allowed:
        problem = Problem(
            "power that the system takes over that of the noise",
            f"{balance:.3g}",
            f"1 within {allowed:.2g}",
            "it is unstable or too close to it: raise the stability margin",
        )
        raise SpecError(f"the chains do not settle: {problem}")
    return ChainVariances(total / chains, chains, scheme.steps, sweeps, balance)


def _scheme(system: sparse.csr_matrix, abscissa: float, sigma: float) -> _Scheme:
    if not abscissa < 0:
        raise SpecError(
            f"the system is not known to be stable: largest real part {abscissa:.3g}, allowed < 0; "
            "raise the stability margin, or take the covariance exact"
        )
    leak: Float = -system.diagonal().astype(np.float64)
    coupling = (system + sparse.diags(leak)).tocsr()
    coupling.eliminate_zeros()
    # Below 1 / |L| the equation for z contracts; below 2 / leak no mode overshoots.
    rate = max(_norm(coupling), float(leak.max()) / 2.0, float(-leak.min()))
    if rate == 0.0:
        raise SpecError("the system is zero: noise adds up without bound, and nothing settles")
    h = 1.0 / rate
    steps = int(np.ceil(RELAXATIONS / (-abscissa * h)))
    if steps > MAX_STEPS:
        problem = Problem("steps to relax", f"{steps}", f"{MAX_STEPS}", "raise the margin")
        raise SpecError(f"the system is too close to instability for chains: {problem}")
    own = sigma / np.sqrt(2.0 * np.where(leak > 0, leak, np.inf))
    return _Scheme(
        coupling.indptr.astype(np.int64),
        coupling.indices.astype(np.int64),
        (0.5 * h * coupling.data).astype(np.float32),
        leak,
        (1.0 / (1.0 + 0.5 * h * leak)).astype(np.float32),
        steps,
        0.5 * sigma * float(np.sqrt(h)),
        own,
        0.5 * h,
    )


def _norm(matrix: sparse.csr_matrix) -> float:
    """Largest singular value, to some percent and rather above, by 30 power iterations."""
    vector = 1.0 + np.cos(2.399963 * np.arange(matrix.shape[0]))
    size = 0.0
    for _ in range(30):
        vector = matrix.T @ (matrix @ vector)
        length = float(np.linalg.norm(vector))
        if length == 0.0:
            return 0.0
        vector, size = vector / length, float(np.sqrt(length))
    return 1.1 * size


def _run(scheme: _Scheme, chains: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
    """End states (N, chains) and the sweeps that they took."""
    from hrsnn_lava.compiler.analysis.dynamics.chain_kernels import sweep

    shape, sweeps = (scheme.leak.size, chains), 0
    start = scheme.start.astype(np.float32)[:, None]
    state = start * rng.standard_normal(shape, dtype=np.float32)
    noise = np.float32(scheme.noise)
    right, middle = np.empty_like(state), np.empty_like(state)
    for _ in range(scheme.steps):
        rng.standard_normal(out=right, dtype=np.float32)
        right *= noise
        right += state
        middle[:] = state
        for _ in range(MAX_SWEEPS):
            changed, size = sweep(
                scheme.indptr, scheme.indices, scheme.data, scheme.scale, right, middle
            )
            sweeps += 1
            if changed <= TOLERANCE**2 * size or not np.isfinite(size):
                break
        else:
            raise SpecError(
                f"a step of the chains is not solved in {MAX_SWEEPS} sweeps; take the covariance "
                "exact"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # reported by the balance
            middle *= np.float32(2.0)
            np.subtract(middle, state, out=state)
    return state, sweeps


def _dissipated(scheme: _Scheme, state: NDArray[np.float32]) -> float:
    """``-sum x^T A x`` over the chains."""
    shape = (scheme.leak.size, scheme.leak.size)
    coupling = sparse.csr_matrix((scheme.data, scheme.indices, scheme.indptr), shape=shape)
    with np.errstate(over="ignore", invalid="ignore"):
        driven = np.einsum("ij,ij->", coupling @ state, state, dtype=np.float64) / scheme.half
        squares = np.einsum("ij,ij->i", state, state, dtype=np.float64)
        return float(scheme.leak @ squares - driven)
