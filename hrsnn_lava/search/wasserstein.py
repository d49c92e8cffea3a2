r"""Wasserstein distances W2: of distributions of a line, of normal ones, and of joint samples.

A joint distribution of independent parameters is the product of its marginals, and then
``W2^2(mu, nu) = sum_k W2^2(mu_k, nu_k)``: nothing is lost by looking at marginals. `sliced` and
`sinkhorn_divergences` are for joint samples that are no product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import distributions as dist
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.search.quantiles import normal_nodes, quantiles

Float = NDArray[np.float64]


def w2(a: dist.Distribution, b: dist.Distribution, nodes: int = 64) -> float:
    """W2 of two distributions of the line, from their quantiles; exact for normal ones."""
    z, weights = normal_nodes(nodes)
    gap = quantiles(a, z) - quantiles(b, z)
    return float(np.sqrt(weights @ gap**2))


def w2_gaussian(mean_a: Any, cov_a: Any, mean_b: Any, cov_b: Any) -> float:
    r"""W2 of two normal distributions of d dimensions, in closed form (Bures).

    .. math:: W_2^2 = |m_a - m_b|^2 + \mathrm{tr}(A + B - 2 (A^{1/2} B A^{1/2})^{1/2})

    Args:
        mean_a, mean_b: (d,), or numbers.
        cov_a, cov_b: (d, d), or variances.
    """
    gap = np.atleast_1d(np.asarray(mean_a, np.float64) - np.asarray(mean_b, np.float64))
    a, b = (np.atleast_2d(np.asarray(c, np.float64)) for c in (cov_a, cov_b))
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    middle = np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)
    shape = np.trace(a) + np.trace(b) - 2.0 * np.sqrt(middle).sum()
    return float(np.sqrt(gap @ gap + max(shape, 0.0)))


def directions(dimensions: int, count: int) -> Float:
    """The same even unit vectors at every call, (count, dimensions); of one dimension the one."""
    from scipy.special import ndtri

    from hrsnn_lava.bayesian.geometry import reference_points

    if dimensions == 1:
        return np.ones((1, 1))
    normal = ndtri(np.clip(reference_points(dimensions, count), 1e-12, 1.0 - 1e-12))
    unit: Float = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return unit


def sliced_features(samples: Float, along: Float) -> Float:
    r"""Features whose Euclidean distance is the sliced W2 of samples of the same size.

    .. math:: SW_2^2 = \frac{1}{L} \sum_l W_2^2(\theta_l \mu, \theta_l \nu)

    Args:
        samples: (n, s, m): n samples of s points in m dimensions.
        along: (L, m) unit vectors, see `directions`.

    Returns:
        (n, L s): the projections in their order, over ``sqrt(L s)``.
    """
    projected = np.sort(samples @ along.T, axis=1)
    count = projected.shape[1] * projected.shape[2]
    features: Float = projected.reshape(len(samples), count) / np.sqrt(count)
    return features


def sliced(a: Float, b: Float, slices: int = 64) -> float:
    """Sliced W2 of two samples, (s, m) each, of the same size."""
    pair = np.stack([np.asarray(a, np.float64), np.asarray(b, np.float64)])
    first, second = sliced_features(pair, directions(pair.shape[2], slices))
    return float(np.linalg.norm(first - second))


def sinkhorn_divergences(a: Float, b: Float, epsilon: float) -> Float:
    r"""Debiased Sinkhorn divergences between samples, (n, k), never below 0 (Feydy et al. 2019).

    .. math:: S(\mu, \nu) = OT_\epsilon(\mu, \nu) - \tfrac12 OT_\epsilon(\mu, \mu)
              - \tfrac12 OT_\epsilon(\nu, \nu)

    with squared Euclidean cost and the entropy relative to the product, in the logarithmic domain.
    As epsilon goes to 0 this is W2^2; it is no squared distance of a Hilbert space.

    Args:
        a: (n, s, m) samples of s points in m dimensions. b: (k, s, m).
        epsilon: of the entropy, in units of the cost, > 0.

    Raises:
        SpecError: epsilon is too small for the iteration to converge.
    """
    own_a, own_b = entropic_costs(a, a, epsilon), entropic_costs(b, b, epsilon)
    left, right = np.divmod(np.arange(len(a) * len(b)), len(b))
    between = [
        entropic_costs(a[left[at : at + 4096]], b[right[at : at + 4096]], epsilon)
        for at in range(0, left.size, 4096)  # of pairs, for the memory's sake
    ]
    halves = 0.5 * own_a[:, None] + 0.5 * own_b[None, :]
    whole = np.concatenate(between).reshape(len(a), len(b))
    debiased: Float = np.maximum(whole - halves, 0.0)
    return debiased


def entropic_costs(a: Float, b: Float, epsilon: float) -> Float:
    r"""``OT_epsilon`` of pairs of samples (n, s, m), (n,).

    .. math:: OT_\epsilon = \max_{f, g} \; \overline f + \overline g - \epsilon
              \left(\overline{e^{(f_i + g_j - c_{ij}) / \epsilon}} - 1\right)

    by Sinkhorn's iteration on the potentials f and g, started at a large epsilon that is lowered by
    and by (Feydy 2020, section 3.3). It ends where rows of the plan have their sums to one part in
    10^5. All pairs together are some hundred times faster than one by one.

    Raises:
        SpecError: they have not to one part in 100 after 2000 steps.
    """
    cost = ((a[:, :, None, :] - b[:, None, :, :]) ** 2).sum(-1)
    f, g = np.zeros(cost.shape[:2]), np.zeros((len(cost), cost.shape[2]))
    step = max(float(cost.max(initial=0.0)), epsilon)  # of epsilon
    while step > epsilon:
        # both at once and halfway, which keeps pairs of the same sample symmetric
        nearer = _softmin(cost, g[:, None, :], step, 2), _softmin(cost, f[:, :, None], step, 1)
        f, g = 0.5 * (f + nearer[0]), 0.5 * (g + nearer[1])
        step *= 0.5
    costs, error = np.empty(len(cost)), 0.0
    going = np.arange(len(cost))
    for step_number in range(2000):
        before, f = f, _softmin(cost, g[:, None, :], epsilon, 2)
        # rows of the plan of the potentials before this step have the sum e^((before - f)/epsilon)
        errors = np.abs(np.expm1(np.minimum((before - f) / epsilon, 50.0))).max(axis=1)
        g = _softmin(cost, f[:, :, None], epsilon, 1)
        done = errors < 1e-4 if step_number < 1999 else np.ones(going.size, dtype=bool)
        if done.mean() > 0.1:  # go on with the others alone
            costs[going[done]] = f[done].mean(axis=1) + g[done].mean(axis=1)
            error = max(error, float(errors[done].max()))
            going, cost, f, g = going[~done], cost[~done], f[~done], g[~done]
        if not going.size:
            break
    if not error < 0.01:
        fix = "a larger epsilon, or the distance sliced"
        problem = Problem("epsilon", f"{epsilon:g}: plans are off by {error:.1%}", "1 %", fix)
        raise SpecError("Sinkhorn's iteration does not converge", problems=[problem])
    return costs


def _softmin(cost: Float, potential: Float, epsilon: float, axis: int) -> Float:
    """``-epsilon ln mean exp((potential - cost) / epsilon)`` along an axis."""
    scaled = (potential - cost) / epsilon
    highest = scaled.max(axis=axis, keepdims=True)
    np.exp(np.subtract(scaled, highest, out=scaled), out=scaled)
    lowest: Float = -epsilon * (np.log(scaled.mean(axis=axis)) + highest.squeeze(axis))
    return lowest
