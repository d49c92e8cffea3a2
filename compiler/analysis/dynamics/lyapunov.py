"""Lyapunov spectrum of a flow of tangent maps, by discrete QR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device, arrays_on
from hrsnn_lava.errors import Problem, SpecError, raise_if

Float = NDArray[np.float64]
TangentStep = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents and how the coordinates of the state take part in them.

    Attributes:
        exponents: (k,) in 1/s, in the order of the columns of Q (largest first once converged).
        participation: (n,) in 1/s, ``1/(T dt) sum_t sum_k Q_ik(t)^2 ln R_kk(t)``; its sum equals
            the sum of `exponents`, because the columns of Q have length one.
        coverage: (n,) time mean of ``sum_k Q_ik(t)^2``: 1 for the full spectrum (k = n), less
            for the leading k.
        steps, transient: steps averaged over and steps discarded before.
        dt: seconds per step.
        qr_every: steps between two orthonormalisations.
        n_floored: how many of the ``k * steps / qr_every`` diagonal entries of R were floored.
        floor: value of that floor.
        largest_growth: largest ``R_kk`` met; precision is lost from about 1e6 on.
    """

    exponents: Float
    participation: Float
    coverage: Float
    steps: int
    transient: int
    dt: float
    qr_every: int
    n_floored: int
    floor: float
    largest_growth: float

    @property
    def mean_participation(self) -> Float:
        """(n,) participation over coverage: a weighted mean of growth rates, within their range."""
        mean = float(self.exponents.mean())
        covered = self.coverage > 0
        values: Float = np.full(self.coverage.shape, mean)
        np.divide(self.participation, self.coverage, out=values, where=covered)
        return values


@dataclass(frozen=True)
class QrSchedule:
    """How long tangent vectors are followed, and how often they are made orthonormal.

    Attributes:
        steps: to average over, rounded up to a multiple of `qr_every`.
        dt: seconds per step.
        n_exponents: k, the leading exponents to follow; None follows all of them.
        transient: steps in which Q converges before anything is added up, rounded up likewise.
        qr_every: steps between orthonormalisations.
        floor: smallest ``|R_kk|`` that is let through.
    """

    steps: int
    dt: float
    n_exponents: int | None = None
    transient: int = 0
    qr_every: int = 1
    floor: float = 1e-12


def lyapunov_spectrum(
    tangent_step: TangentStep,
    size: int,
    schedule: QrSchedule,
    rng: np.random.Generator | None = None,
    *,
    device: Device | Arrays = "cpu",
) -> LyapunovSpectrum:
    r"""Exponents of the product of Jacobians ``J_T ... J_1`` by repeated QR.

    .. math::
        Q_{t+1} R_{t+1} = J_t Q_t, \qquad
        \lambda_k = \frac{1}{T\,dt} \sum_t \ln |R_{kk}(t)|

    (Benettin et al. 1980; used for spiking networks by Vogt et al. 2022.) A reset makes columns
    vanish exactly, so ``|R_kk|`` is floored; the floor is our choice and its use is counted. Runs
    on one thread of the BLAS, whose sums would have other last bits on more.

    Args:
        tangent_step: called once per step, in order; takes (size, k) and returns ``J_t`` times it,
            both float64 arrays of the device: NumPy's, or torch's on ``cuda``.
        size: dimension n of the state.
        schedule: how long, and how often a QR is made.
        rng: draws the first Q when k < n; the full spectrum starts from the identity.
        device: ``cpu`` (NumPy) or ``cuda`` (torch), where the QR is made.

    Raises:
        SpecError: a count or size out of range, or the tangent vectors stop being finite.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    k = size if schedule.n_exponents is None else schedule.n_exponents
    _check(size, k, schedule, rng)
    arrays = arrays_on(device)
    with arrays.reproducible():
        return _follow(tangent_step, size, k, schedule, rng, arrays)


def _follow(
    tangent_step: TangentStep,
    size: int,
    k: int,
    schedule: QrSchedule,
    rng: np.random.Generator | None,
    arrays: Arrays,
) -> LyapunovSpectrum:
    """The spectrum of `k` tangent vectors."""
    qr_every, floor, xp = schedule.qr_every, schedule.floor, arrays.xp
    if k == size or rng is None:
        first = np.eye(size, k)
    else:
        first = np.linalg.qr(rng.standard_normal((size, k)))[0]
    q = arrays.put(first)
    logs, participation, coverage = (arrays.put(np.zeros(m)) for m in (k, size, size))
    n_floored, largest = 0, 0.0
    n_transient = -(-schedule.transient // qr_every)
    n_blocks = -(-schedule.steps // qr_every)
    for block in range(n_transient + n_blocks):
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            for _ in range(qr_every):
                q = tangent_step(q)
        if not bool(xp.all(xp.isfinite(q))):
            raise SpecError(
                f"tangent vectors overflowed within {qr_every} steps: lower qr_every or the weights"
            )
        q, r = xp.linalg.qr(q)
        diagonal = xp.abs(xp.linalg.diagonal(r))
        largest = max(largest, float(xp.max(diagonal)))
        if block < n_transient:
            continue
        n_floored += int(xp.sum(xp.astype(diagonal < floor, xp.int64)))
        log_growth = xp.log(xp.where(diagonal < floor, floor * xp.ones_like(diagonal), diagonal))
        squares = q * q
        logs += log_growth
        participation += squares @ log_growth
        coverage += xp.sum(squares, axis=1)
    logs, participation, coverage = map(arrays.get, (logs, participation, coverage))
    duration = n_blocks * qr_every * schedule.dt
    return LyapunovSpectrum(
        logs / duration,
        participation / duration,
        coverage / n_blocks,
        n_blocks * qr_every,
        n_transient * qr_every,
        schedule.dt,
        qr_every,
        n_floored,
        floor,
        largest,
    )


def _check(size: int, k: int, schedule: QrSchedule, rng: np.random.Generator | None) -> None:
    steps, qr_every, transient = schedule.steps, schedule.qr_every, schedule.transient
    dt, floor = schedule.dt, schedule.floor
    problems = []
    if not 1 <= k <= size:
        problems.append(Problem("n_exponents", str(k), f"1 to {size} (the size of the state)"))
    elif k < size and rng is None:
        problems.append(Problem("rng", "None", "a generator when n_exponents < size"))
    if steps < 1 or qr_every < 1 or transient < 0:
        measured = f"steps {steps}, qr_every {qr_every}, transient {transient}"
        problems.append(Problem("steps", measured, "steps, qr_every >= 1, transient >= 0"))
    if not (dt > 0 and 0 < floor < 1):
        problems.append(Problem("dt, floor", f"{dt}, {floor}", "dt > 0 and 0 < floor < 1"))
    raise_if(SpecError, "the Lyapunov spectrum cannot be computed", problems)
