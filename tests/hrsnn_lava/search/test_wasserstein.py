"""W2 against closed forms and integrals; sliced and Sinkhorn against what they must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, linalg, optimize, stats

from hrsnn_lava import distributions as dist
from hrsnn_lava.errors import SpecError
from hrsnn_lava.search.quantiles import normal_nodes, quantiles, quantiles_of
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.wasserstein import (
    directions,
    entropic_costs,
    sinkhorn_divergences,
    sliced,
    sliced_features,
    w2,
    w2_gaussian,
)


def by_integral(a, b):
    """W2 of two frozen SciPy distributions: over the normal score, in which it is smooth."""

    def density(z):
        p, q = stats.norm.cdf(z), stats.norm.sf(z)
        gap = (a.ppf(p) - b.ppf(p)) if z < 0 else (a.isf(q) - b.isf(q))
        return gap**2 * stats.norm.pdf(z)

    parts = [(-12, -4), (-4, 0), (0, 4), (4, 12)]
    return np.sqrt(sum(integrate.quad(density, *part, epsabs=0, limit=200)[0] for part in parts))


@pytest.mark.parametrize("first", [(3.0, 0.02), (0.4, 1.0), (150.0, 1.0)])
@pytest.mark.parametrize("second", [(3.0, 0.05), (8.0, 1.0), (1.0, 0.3)])
def test_gammas_against_numerical_integration(first, second):
    (a, m), (b, n) = first, second
    expected = by_integral(stats.gamma(a, scale=m / a), stats.gamma(b, scale=n / b))
    assert w2(dist.Gamma(a, m), dist.Gamma(b, n)) == pytest.approx(expected, rel=1e-7)


def test_gammas_of_one_shape_in_closed_form():
    """Both are multiples of one variable: W2 = |difference of means| sqrt(1 + 1 / shape)."""
    for shape in (0.3, 3.0, 400.0):
        got = w2(dist.Gamma(shape, 0.02), dist.Gamma(shape, 0.07))
        assert got == pytest.approx(0.05 * np.sqrt(1 + 1 / shape), rel=1e-8)


def test_other_families_in_closed_form():
    assert w2(dist.Normal(1.0, 2.0), dist.Normal(-3.0, 0.5)) == pytest.approx(
        np.sqrt(16.0 + 2.25), rel=1e-13
    )
    assert w2(dist.Constant(1.0), dist.Normal(1.0, 2.0)) == pytest.approx(2.0, rel=1e-13)
    gap = w2(dist.Uniform(0.0, 1.0), dist.Uniform(2.0, 7.0))
    assert gap == pytest.approx(np.sqrt(16.0 + 16.0 / 12.0), rel=1e-9)
    assert w2(dist.Exponential(1.0), dist.Exponential(3.0)) == pytest.approx(np.sqrt(8.0), rel=1e-9)
    # log-normal variables of the mean 1: E (X - Y)^2 of a common normal one
    s, t = 0.9, 0.3
    expected = np.sqrt(np.exp(s**2) + np.exp(t**2) - 2 * np.exp(s * t))
    assert w2(dist.LogNormal(1.0, s), dist.LogNormal(1.0, t)) == pytest.approx(expected, rel=1e-9)
    two = dist.Discrete((0.0, 4.0), (0.25, 0.75))
    assert w2(two, dist.Constant(0.0)) == pytest.approx(np.sqrt(12.0), rel=0.05)


def test_clipping_is_of_quantiles():
    clip = dist.Clip(0.005, 0.03)
    a, b = stats.gamma(3, scale=0.01 / 3), stats.gamma(3, scale=0.02 / 3)
    expected = np.sqrt(
        integrate.quad(
            lambda p: (np.clip(a.ppf(p), 0.005, 0.03) - np.clip(b.ppf(p), 0.005, 0.03)) ** 2,
            *(0, 1),
            limit=300,
            points=[float(d.cdf(v)) for d in (a, b) for v in (0.005, 0.03)],
        )[0]
    )
    got = w2(dist.Gamma(3.0, 0.01, clip), dist.Gamma(3.0, 0.02, clip))
    assert got == pytest.approx(expected, rel=0.01)  # corners cost accuracy
    sample = np.sort(dist.Gamma(3.0, 0.02, clip).sample(np.random.default_rng(0), 200_001))
    z = np.array([-1.5, -0.5, 0.0, 0.5, 1.0, 2.0])
    of_sample = sample[np.round(stats.norm.cdf(z) * 200_000).astype(int)]
    np.testing.assert_allclose(quantiles(dist.Gamma(3.0, 0.02, clip), z), of_sample, rtol=0.01)


def test_normal_distributions_of_several_dimensions():
    rng = np.random.default_rng(0)
    a, b = (r @ r.T + 0.1 * np.eye(3) for r in rng.normal(size=(2, 3, 3)))
    mean = rng.normal(size=3)
    root = linalg.sqrtm(a)
    expected = np.trace(a + b - 2 * linalg.sqrtm(root @ b @ root)).real + mean @ mean
    assert w2_gaussian(mean, a, np.zeros(3), b) == pytest.approx(np.sqrt(expected), rel=1e-10)
    assert w2_gaussian(1.0, 4.0, -3.0, 0.25) == pytest.approx(np.sqrt(16 + 2.25))
    assert w2_gaussian(mean, a, mean, a) == pytest.approx(0.0, abs=1e-6)
    singular = np.diag([1.0, 0.0, 0.0])
    expected = np.sqrt(mean @ mean + 1.0)
    assert w2_gaussian(mean, singular, np.zeros(3), np.zeros((3, 3))) == pytest.approx(expected)


FAMILY_TABLES = [
    {"distribution": "gamma", "shape": {"low": 0.3, "high": 90.0, "prior": "log"}, "mean": [1, 3]},
    {"distribution": "gamma", "cv": [0.1, 1.5], "mean": [1, 3], "low": 0.5, "high": 2.0},
    {"distribution": "gamma", "shape": 2.0, "mean": [1, 3]},
    {"distribution": "lognormal", "sigma": [0.1, 1.0], "mean": [1, 3]},
    {"distribution": "normal", "cv": [0.1, 0.5], "mean": [1, 3], "low": 0.2},
    {"distribution": "uniform", "low": [0.1, 1.0], "high": [1, 3]},
    {"distribution": "exponential", "mean": [1, 3], "high": 5.0},
]


@pytest.mark.parametrize("table", FAMILY_TABLES)
@pytest.mark.parametrize("metric", ["linear", "log"])
def test_quantiles_of_many_points_are_those_of_each(table, metric):
    """The table of gamma quantiles, and everything else, against each distribution by itself."""
    space = Space.parse({"a": {**table, "metric": metric}})
    (dimension,) = space.dimensions
    points = np.random.default_rng(0).random((60, space.size))
    points[0], points[1] = 0.0, np.nextafter(1.0, 0.0)
    z, _ = normal_nodes(64)
    z = z[np.abs(z) < 6]  # one in 10^9 on each side
    got = quantiles_of(dimension, points, z)
    for point, row in zip(points, got, strict=True):
        (drawn,) = space.marginals(point).values()
        expected = quantiles(drawn, z)
        if metric == "log":
            np.testing.assert_allclose(row, np.log(expected), atol=1e-7)
        else:
            np.testing.assert_allclose(row, expected, rtol=1e-7)


def test_quantiles_of_small_shapes_do_not_underflow():
    z = np.array([-8.0, -3.0, 0.0])
    small = quantiles(dist.Gamma(0.01, 1.0), z)
    p = stats.norm.cdf(z)
    from scipy.special import gammaln

    expected = np.exp(np.maximum((np.log(p) + gammaln(1.01)) / 0.01 - np.log(0.01), -700))
    assert (small >= 0).all()
    assert small[2] == pytest.approx(expected[2], rel=1e-6)


def test_unknown_distributions_are_refused():
    class Own:
        mean = 1.0

    with pytest.raises(SpecError, match=r"Own; allowed: those of hrsnn_lava\.distributions"):
        quantiles(Own(), np.zeros(3))


def test_sliced_distance_of_one_dimension_is_w2():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(50, 1)), rng.gamma(2.0, size=(50, 1))
    expected = np.sqrt(((np.sort(a[:, 0]) - np.sort(b[:, 0])) ** 2).mean())
    assert sliced(a, b) == pytest.approx(expected, rel=1e-12)
    assert stats.wasserstein_distance(a[:, 0], b[:, 0]) <= sliced(a, b)


def test_sliced_distance_of_a_shift_and_its_bound():
    """A shift by v moves every projection by theta v, and the mean square of that is |v|^2/m."""
    rng = np.random.default_rng(2)
    a = rng.normal(size=(40, 3))
    v = np.array([1.0, -2.0, 0.5])
    assert sliced(a, a + v, 4096) == pytest.approx(np.linalg.norm(v) / np.sqrt(3), rel=0.01)
    b = rng.gamma(1.0, size=(40, 3))
    cost = ((a[:, None] - b[None, :]) ** 2).sum(2)
    rows, columns = optimize.linear_sum_assignment(cost)
    assert sliced(a, b) <= np.sqrt(cost[rows, columns].mean())
    shuffled = rng.permutation(a)
    assert sliced(a, shuffled) == pytest.approx(0.0, abs=1e-12)
    along = directions(3, 128)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1.0)
    np.testing.assert_allclose(along.T @ along / 128, np.eye(3) / 3, atol=0.02)
    features = sliced_features(np.stack([a, b]), along)
    assert np.linalg.norm(features[0] - features[1]) == pytest.approx(sliced(a, b, 128))


def test_sinkhorn_goes_to_w2_and_is_0_of_the_same():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 8, 2)), rng.normal(size=(3, 8, 2)) + 1.0
    found = sinkhorn_divergences(a, np.concatenate([a[:1], b]), 0.02)
    assert found.shape == (2, 4)
    assert found[0, 0] == pytest.approx(0.0, abs=1e-3)
    for k in range(3):
        cost = ((a[0][:, None] - b[k][None, :]) ** 2).sum(2)
        rows, columns = optimize.linear_sum_assignment(cost)
        assert found[0, k + 1] == pytest.approx(cost[rows, columns].mean(), rel=0.05)
    # a shift adds its square, at any epsilon
    shifted = sinkhorn_divergences(a[:1], a[:1] + np.array([0.6, -0.8]), 1.0)
    assert shifted[0, 0] == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 30.0])
def test_entropic_costs_are_the_maximum_of_their_dual(epsilon):
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(3, 6, 2)), rng.gamma(2.0, size=(3, 6, 2))
    for k, got in enumerate(entropic_costs(a, b, epsilon)):
        cost = ((a[k][:, None] - b[k][None, :]) ** 2).sum(2)

        def dual(potentials, cost=cost):
            f, g = potentials[:6], potentials[6:]
            plan = np.exp(np.minimum((f[:, None] + g - cost) / epsilon, 60.0)) / 36
            value = f.mean() + g.mean() - epsilon * (plan.sum() - 1)
            return -value, np.concatenate([plan.sum(1), plan.sum(0)]) - 1 / 6

        start = np.concatenate([np.zeros(6), cost.min(0)])
        options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-9}
        best = optimize.minimize(dual, start, jac=True, method="L-BFGS-B", options=options)
        assert got == pytest.approx(-best.fun, rel=1e-4, abs=1e-5)


@pytest.mark.once
def test_entropic_costs_are_those_of_pot():
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7, 3))
    for k, got in enumerate(entropic_costs(a, b, 0.5)):
        theirs = ot.solve(ot.dist(a[k], b[k]), reg=0.5, reg_type="KL", tol=1e-10).value
        assert got == pytest.approx(theirs, rel=1e-6)


def test_an_epsilon_that_is_too_small_is_refused():
    clouds = np.random.default_rng(0).normal(size=(2, 30, 2))
    with pytest.raises(SpecError, match=r"epsilon: 1e-05: plans are off by .* A larger epsilon"):
        sinkhorn_divergences(clouds, clouds, 1e-5)
