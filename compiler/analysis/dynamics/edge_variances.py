r"""How differently the two ends of every synapse move: ``Var(x_i - s_ij x_j)``, three ways.

Noise pruning asks for nothing else of the covariance C of a noisy system (Moore and Chaudhuri
2020). Where C is dense, N x N, these are E numbers; so beside solving for C (``exact``) they can be
estimated on the edges themselves, from chains of the linear system (``sampled``) or from the
activity of the spiking network (``simulated``). The last two are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device
from hrsnn_lava.compiler.analysis.dynamics.covariance import Precision, covariance, edge_variance
from hrsnn_lava.compiler.analysis.dynamics.noise_chains import chain_variances
from hrsnn_lava.compiler.analysis.dynamics.stability import require_stable
from hrsnn_lava.errors import Problem, SpecError, raise_if

Float = NDArray[np.float64]
Int = NDArray[np.int64]
CovarianceMethod = Literal["exact", "sampled", "simulated"]
MAX_DRIFT = 0.5
MAX_GROWTH = 4.0


@dataclass(frozen=True, eq=False)
class EdgeVariances:
    """Variances along edges, and how they came about.

    Attributes:
        values: (E,) ``Var(x_i - s x_j) >= 0`` in the order of the edges.
        method: ``exact``, ``sampled`` or ``simulated``.
        covariance: C, (N, N); of ``exact`` alone.
        report: JSON: of ``exact`` the doublings, the residual and the precision; of ``sampled``
            the chains, their steps and sweeps, the expected relative error and the balance of
            power; of ``simulated`` the steps, the silent neurons, drift and growth.
    """

    values: Float
    method: CovarianceMethod
    covariance: NDArray[Any] | None = None
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class VarianceSettings:
    """How `edge_variances` finds them.

    Attributes:
        method: ``exact`` solves for the dense covariance, in five matrices of N x N;
            ``sampled`` estimates with a relative error of ``sqrt(2 / chains)``; ``simulated`` takes
            the activity that is given.
        sigma: standard deviation of the noise, of the first two.
        abscissa: largest real part of A if it is known already (< 0); tested otherwise.
        precision: of ``exact``.
        chains: of ``sampled``.
        device: where ``exact`` is solved, ``cpu`` or ``cuda``.
    """

    method: CovarianceMethod = "exact"
    sigma: float = 1.0
    abscissa: float | None = None
    precision: Precision = "auto"
    chains: int = 256
    device: Device | Arrays = "cpu"


def edge_variances(
    system: sparse.csr_matrix | None,
    row: Any,
    column: Any,
    sign: Any,
    settings: VarianceSettings | None = None,
    *,
    rng: np.random.Generator | None = None,
    activity: ArrayLike | None = None,
) -> EdgeVariances:
    r"""``Var(x_i - s x_j)`` of every edge, of :math:`\dot x = A x + \sigma \xi(t)` or of activity.

    Args:
        system: A as CSR (N, N), stable; None for ``simulated``.
        row, column: (E,) ends i and j.
        sign: (E,) of +1, -1, or 0 for ``Var(x_i) + Var(x_j)``.
        settings: the method and its options; by default ``exact``.
        rng: of ``sampled``; the other methods draw nothing.
        activity: of ``simulated``: (T, N) filtered spike trains or rates, without a transient.

    Raises:
        SpecError: A is not stable, the chains do not settle, the activity is not stationary, or
            what the method needs is missing.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    settings = settings or VarianceSettings()
    edges = (np.asarray(row), np.asarray(column), np.asarray(sign))
    _check(system, settings, rng, activity)
    if settings.method == "simulated":
        return activity_variances(np.asarray(activity), *edges)
    if settings.method == "sampled" and rng is not None:
        return _sampled(system, edges, settings, rng)
    return _exact(system, edges, settings)


def _check(
    system: sparse.csr_matrix | None,
    settings: VarianceSettings,
    rng: np.random.Generator | None,
    activity: ArrayLike | None,
) -> None:
    method, problems = settings.method, []
    if method not in get_args(CovarianceMethod):
        allowed = ", ".join(get_args(CovarianceMethod))
        problems.append(Problem("method", repr(method), allowed))
    if method == "simulated" and activity is None:
        problems.append(Problem("activity", "None", "an array (T, N)"))
    if method != "simulated":
        shape = None if system is None else system.shape
        if shape is None or shape[0] != shape[1] or shape[0] == 0:
            problems.append(Problem("system", f"shape {shape}", "a square CSR matrix (N, N)"))
        if not settings.sigma > 0:
            problems.append(Problem("sigma", str(settings.sigma), "> 0"))
    if method == "sampled" and rng is None:
        problems.append(Problem("rng", "None", "a random generator"))
    if method == "sampled" and settings.chains < 1:
        problems.append(Problem("chains", str(settings.chains), ">= 1"))
    raise_if(SpecError, "the variances along edges cannot be computed", problems)


def _exact(
    system: sparse.csr_matrix, edges: tuple[Any, Any, Any], settings: VarianceSettings
) -> EdgeVariances:
    solution = covariance(
        system,
        sigma=settings.sigma,
        precision=settings.precision,
        abscissa=settings.abscissa,
        device=settings.device,
    )
    report = {
        "method": "exact",
        "doublings": solution.iterations,
        "residual": solution.residual,
        "precision": solution.precision,
    }
    return EdgeVariances(edge_variance(solution.matrix, *edges), "exact", solution.matrix, report)


def _sampled(
    system: sparse.csr_matrix,
    edges: tuple[Any, Any, Any],
    settings: VarianceSettings,
    rng: np.random.Generator,
) -> EdgeVariances:
    abscissa = settings.abscissa
    found = chain_variances(
        system,
        edges,
        rng,
        abscissa=require_stable(system).value if abscissa is None else abscissa,
        chains=settings.chains,
        sigma=settings.sigma,
    )
    report = {
        "method": "sampled",
        "chains": found.chains,
        "steps": found.steps,
        "sweeps": found.sweeps,
        "expected_error": found.expected_error,
        "balance": found.balance,
    }
    return EdgeVariances(found.values, "sampled", None, report)


def activity_variances(
    activity: NDArray[Any], row: NDArray[Any], column: NDArray[Any], sign: NDArray[Any]
) -> EdgeVariances:
    """``Var(x_i - s x_j)`` over time, of the activity of the network itself (unbiased, T - 1).

    Activity that is not stationary says more about its start, or its end, than about synapses.
    It is refused when the mean of the halves of the time differs so much that this makes up
    more than half of the variance, or when the variance around them grows or falls fourfold.

    Args:
        activity: (T, N), in any unit that all neurons share.
        row, column, sign: (E,) of the edges.

    Raises:
        SpecError: fewer than 4 steps, numbers that are not finite, edges of other neurons, no
            activity at all, or activity that is not stationary.
    """
    from hrsnn_lava.compiler.analysis.dynamics.chain_kernels import sum_of_squares

    values = np.asarray(activity, dtype=np.float64)
    steps = values.shape[0] if values.ndim else 0
    problems = []
    if values.ndim != 2 or steps < 4:
        problems.append(Problem("activity", f"shape {values.shape}", "(T, N) with T >= 4"))
    elif not np.all(np.isfinite(values)):
        problems.append(Problem("activity", "NaN or infinite", "finite numbers"))
    elif row.size and max(int(row.max()), int(column.max())) >= values.shape[1]:
        edge = max(int(row.max()), int(column.max()))
        problems.append(
            Problem("activity", f"{values.shape[1]} neurons", f"a column for neuron {edge} too")
        )
    raise_if(SpecError, "the activity cannot be used", problems)
    drift, growth = _halves(values)
    variance = values.var(axis=0, ddof=1)
    if not variance.any():
        problems.append(Problem("activity", "constant", "some neuron whose activity varies"))
    elif drift > MAX_DRIFT or not 1.0 / MAX_GROWTH <= growth <= MAX_GROWTH:
        measured = (
            f"not stationary: the means of its halves make up {drift:.0%} of the variance, and "
            f"that around them changes {growth:.3g}-fold"
        )
        allowed = f"{MAX_DRIFT:.0%}, and 1/{MAX_GROWTH:g} to {MAX_GROWTH:g}"
        fix = "leave out a longer transient, or lower the weights if activity runs away"
        problems.append(Problem("activity", measured, allowed, fix))
    raise_if(SpecError, "the activity cannot be used", problems)
    centred = np.ascontiguousarray((values - values.mean(axis=0)).T)
    total = np.zeros(row.size)
    ends = row.astype(np.int64), column.astype(np.int64)
    sum_of_squares(*ends, sign.astype(np.float64), centred, total)
    report = {
        "method": "simulated",
        "steps": steps,
        "silent": int(np.count_nonzero(variance == 0)),
        "drift": drift,
        "growth": growth,
    }
    return EdgeVariances(total / (steps - 1), "simulated", None, report)


def _halves(values: Float) -> tuple[float, float]:
    """Share of the variance that the means of both halves make up, and ratio of those around them.

    Both are of all neurons together; (0, 1) where nothing varies.
    """
    first, second = np.array_split(values / (np.abs(values).max() or 1.0), 2)
    between = float(np.sum((second.mean(axis=0) - first.mean(axis=0)) ** 2)) / 4.0
    around = [float(half.var(axis=0).sum()) for half in (first, second)]
    whole = between + sum(around) / 2.0
    if whole == 0.0:
        return 0.0, 1.0
    growth = around[1] / around[0] if around[0] > 0 else float("inf") if around[1] > 0 else 1.0
    return between / whole, growth
