r"""Quantile functions, at nodes at which their distances are exact or nearly so.

The squared distance W2 of two distributions of the line is the one of their quantile functions,

.. math:: W_2^2(\mu, \nu) = \int_0^1 (Q_\mu(p) - Q_\nu(p))^2 dp
          = \int (Q_\mu(\Phi(z)) - Q_\nu(\Phi(z)))^2 \varphi(z) dz
          \approx \sum_k w_k (Q_\mu(\Phi(z_k)) - Q_\nu(\Phi(z_k)))^2

with nodes and weights of Gauss and Hermite (ours; 64 quantiles in equal steps would lose the
tails). For two normal distributions the sum is exact.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import distributions as dist
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.search.dimensions import Distribution, Range

Float = NDArray[np.float64]

#: Distance of neighbouring nodes of the table of gamma quantiles, in the logarithm of the shape.
_STEP = 0.02


@lru_cache(maxsize=8)
def normal_nodes(count: int) -> tuple[Float, Float]:
    """Nodes z and weights of sum 1 of integrals over a standard normal variable.

    Of `count` nodes those are left out whose weight is below 1e-20: of 64, 42 stay.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    nodes, weights = nodes[weights > 1e-20], weights[weights > 1e-20]
    for array in (nodes, weights):
        array.setflags(write=False)
    return nodes, weights


def quantiles(distribution: dist.Distribution, z: Float) -> Float:
    """Quantiles of a distribution at the probabilities ``Phi(z)``, of the shape of z.

    Raises:
        SpecError: a distribution of another kind than those of `hrsnn_lava.distributions`.
    """
    from scipy.special import log_ndtr, ndtr

    z = np.asarray(z, dtype=np.float64)
    of: Any = distribution
    values: Float
    if isinstance(of, dist.Constant):
        return np.full_like(z, of.value)
    if isinstance(of, dist.Uniform):
        return _interval(np.array(of.low), np.array(of.high), ndtr(z))
    if isinstance(of, dist.Discrete):
        return _discrete(of, ndtr(z))
    if isinstance(of, dist.Gamma):
        values = of.mean * np.exp(_log_gamma(np.array([of.shape]), z.ravel())[0]).reshape(z.shape)
    elif isinstance(of, dist.Exponential):
        values = -of.mean * log_ndtr(-z)
    elif isinstance(of, dist.LogNormal):
        values = of.mean * np.exp(of.sigma * z - 0.5 * of.sigma**2)
    elif isinstance(of, dist.Normal):
        values = of.mean + of.std * z
    else:
        kind = type(distribution).__name__
        problem = Problem("distribution", kind, "those of hrsnn_lava.distributions")
        raise SpecError("its quantiles are not known", problems=[problem])
    return _clip(values, of.clip)


def quantiles_of(dimension: Distribution, u: Float, z: Float) -> Float:
    """Quantiles, or their logarithms where `dimension.log`, of the distributions at coordinates.

    Those of gamma distributions with a free shape are interpolated, by cubic splines in the
    logarithm of the shape: their relative error is below 1e-7 where a probability is above 1e-9.

    Args:
        dimension: with n points of
        u: (n, size) coordinates.
        z: (q,) nodes.

    Returns:
        (n, q).
    """
    from scipy.special import log_ndtr, ndtr

    values = dimension.values(u)
    columns = {name: value[:, None] for name, value in values.items()}
    if dimension.family == "uniform":
        drawn = _interval(columns["low"], columns["high"], ndtr(z))
    elif dimension.family == "exponential":
        drawn = columns["mean"] * -log_ndtr(-z)
    elif dimension.family == "lognormal":
        sigma = columns["sigma"]
        drawn = columns["mean"] * np.exp(sigma * z - 0.5 * sigma**2)
    elif dimension.family == "normal":
        drawn = columns["mean"] + columns["std"] * z
    else:
        drawn = columns["mean"] * np.exp(_tabulated(dimension, values["shape"], z))
    drawn = _clip(drawn, dimension.clip)
    shown: Float = np.log(np.maximum(drawn, 1e-300)) if dimension.log else drawn
    return shown


def _interval(low: Float, high: Float, p: Float) -> Float:
    values: Float = low + (high - low) * p
    return values


def _discrete(of: dist.Discrete, p: Float) -> Float:
    order = np.argsort(of.values, kind="stable")
    values = np.array(of.values)[order]
    shares = np.full(values.size, 1.0 / values.size) if of.shares is None else np.array(of.shares)
    sums = np.cumsum(shares if of.shares is None else shares[order])
    index = np.searchsorted(sums, p, side="left")
    drawn: Float = values[np.minimum(index, values.size - 1)]
    return drawn


def _clip(values: Float, clip: dist.Clip) -> Float:
    """Clipping is monotone, so it is the same of quantiles; a corrected mean is one already."""
    if clip.low is None and clip.high is None:
        return values
    inside: Float = np.clip(values, clip.low, clip.high)
    return inside


def _log_gamma(shapes: Float, z: Float) -> Float:
    """``ln`` of the quantiles of gamma distributions of mean 1 at ``Phi(z)``, (n, q).

    Quantiles of small shapes underflow; there ``P(a, x) = x^a / Gamma(a + 1)``.
    """
    from scipy.special import gammainccinv, gammaincinv, gammaln, log_ndtr, ndtr

    a = shapes[:, None]
    upper = np.broadcast_to(z > 0, (shapes.size, z.size))
    values = np.where(upper, gammainccinv(a, ndtr(-z)), gammaincinv(a, ndtr(z)))
    with np.errstate(divide="ignore"):
        logarithms = np.log(values)
    tiny = (log_ndtr(z) + gammaln(a + 1.0)) / a
    of_mean_one: Float = np.where(tiny < -600.0, tiny, logarithms) - np.log(a)
    return of_mean_one


def _tabulated(dimension: Distribution, shapes: Float, z: Float) -> Float:
    """`_log_gamma` from a table over the interval of the shape."""
    ends = _shape_ends(dimension)
    if ends[0] == ends[1]:
        return np.broadcast_to(_log_gamma(np.array([ends[0]]), z), (shapes.size, z.size))
    interpolated: Float = _table(*ends, tuple(z.tolist()))(np.log(shapes))
    return interpolated


def _shape_ends(dimension: Distribution) -> tuple[float, float]:
    for name, value in dimension.numbers:
        if name in ("shape", "cv"):
            low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
            return (low, high) if name == "shape" else (high**-2.0, low**-2.0)
    raise KeyError("shape")


@lru_cache(maxsize=64)
def _table(low: float, high: float, z: tuple[float, ...]) -> Any:
    from scipy.interpolate import CubicSpline

    count = 5 + math.ceil(math.log(high / low) / _STEP)
    nodes = np.linspace(math.log(low) - 1e-9, math.log(high) + 1e-9, count)
    return CubicSpline(nodes, _log_gamma(np.exp(nodes), np.array(z)), axis=0)
