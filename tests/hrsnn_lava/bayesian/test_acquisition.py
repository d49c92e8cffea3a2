"""Expected improvement against integrals and against means over drawn values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from hrsnn_lava.bayesian.acquisition import (
    NoisyImprovement,
    expected_improvement,
    log_expected_improvement,
    log_h,
)
from hrsnn_lava.bayesian.gaussian_process import GaussianProcess, Hyperparameters
from hrsnn_lava.bayesian.geometry import UnitCube

CUBE = UnitCube(("a", "b"))


@pytest.mark.parametrize("mean", [-3.0, -0.2, 0.0, 0.7, 5.0])
@pytest.mark.parametrize("deviation", [0.05, 1.0, 4.0])
def test_expected_improvement_is_its_integral(mean, deviation):
    best = 0.3
    value, _ = integrate.quad(
        lambda y: (y - best) * stats.norm.pdf(y, mean, deviation),
        *(best, max(best, mean) + 12 * deviation),
        points=[max(best, mean)],
        epsabs=0,
    )
    got = expected_improvement(np.array(mean), np.array(deviation), best)
    assert got == pytest.approx(value, rel=1e-8, abs=1e-300)


def test_without_deviation_it_is_the_gain():
    got = expected_improvement(np.array([-1.0, 2.5]), np.zeros(2), 1.0)
    np.testing.assert_array_equal(got, [0.0, 1.5])


def test_improvement_of_a_process_is_that_of_scikit_learns():
    process = pytest.importorskip("sklearn.gaussian_process")
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    values = np.cos(4 * points[:, 0]) * points[:, 1] + 0.05 * rng.standard_normal(30)
    hyper = Hyperparameters(1.2, np.array([0.8, 1.5]), 0.01)
    theirs = process.GaussianProcessRegressor(
        kernels.ConstantKernel(1.2) * kernels.Matern(hyper.lengths / np.sqrt(6.0), nu=2.5),
        alpha=0.01,
        optimizer=None,
        normalize_y=True,
    ).fit(points, values)
    at = rng.random((100, 2))
    mean, deviation = theirs.predict(at, return_std=True)
    z = (mean - values.max()) / deviation
    expected = deviation * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    ours = GaussianProcess.given(CUBE, CUBE.features(points), values, hyper)
    got_mean, variance = ours.posterior(CUBE.features(at))
    got = expected_improvement(got_mean, np.sqrt(variance), values.max())
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8)


def test_the_logarithm_holds_where_the_value_underflows():
    z = np.array([5.0, 0.0, -0.5, -1.0, -6.0, -20.0])
    for at, got in zip(z, log_h(z), strict=True):
        # h(z) = integral of t phi(z - t) over t > 0, with the largest factor taken out
        shift = -0.5 * at**2 if at < 0 else 0.0
        value, _ = integrate.quad(
            lambda t, at=at, shift=shift: t * np.exp(-0.5 * (at - t) ** 2 - shift),
            *(0.0, max(at, 0.0) + 40.0),
            points=[max(at, 0.0), 1.0],
            epsabs=0,
        )
        assert got == pytest.approx(np.log(value / np.sqrt(2 * np.pi)) + shift, rel=1e-9)
    # far out h(z) = phi(z) / z^2, and the two forms meet
    far = np.array([-1e3, -1e8])
    expected = -0.5 * far**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-far)
    np.testing.assert_allclose(log_h(far), expected, rtol=1e-5)
    left, right = log_h(np.array([-50.0 - 1e-9, -50.0 + 1e-9]))
    assert left == pytest.approx(right, rel=1e-9)
    line = log_h(np.linspace(-80.0, 8.0, 5000))
    assert (np.diff(line) > 0).all()
    nothing = log_expected_improvement(np.array(-1.0), np.array(0.0), 0.0)
    assert nothing == -np.inf


def noisy_process(noise, n=6):
    rng = np.random.default_rng(5)
    points = rng.random((n, 2))
    values = np.sin(3 * points.sum(1)) + np.sqrt(noise) * rng.standard_normal(n)
    hyper = Hyperparameters(1.0, np.array([1.0, 1.3]), noise)
    return GaussianProcess.given(CUBE, CUBE.features(points), values, hyper)


def test_without_noise_noisy_improvement_is_the_plain_one():
    process = noisy_process(1e-6)
    at = CUBE.features(np.random.default_rng(6).random((50, 2)))
    noisy = NoisyImprovement(process, 64, np.random.default_rng(0)).log(at)
    mean, variance = process.posterior(at)
    best = process.values.max()
    plain = expected_improvement(mean, np.sqrt(variance), best) / process.scale
    np.testing.assert_allclose(np.exp(noisy), plain, rtol=0.02, atol=2e-4)


def test_with_noise_it_is_the_mean_over_true_values():
    """Values at trials and at points drawn together from the posterior, by plain Monte Carlo."""
    process = noisy_process(0.3)
    at = CUBE.features(np.random.default_rng(6).random((8, 2)))
    noisy = NoisyImprovement(process, 512, np.random.default_rng(0)).log(at)
    everywhere = np.concatenate([process.features, at])
    prior = process.covariance(everywhere, everywhere)
    known = process.covariance(everywhere, process.features)
    inner = np.linalg.inv(process.covariance(process.features, process.features) + 0.3 * np.eye(6))
    targets = (process.values - process.offset) / process.scale
    mean, covariance = known @ inner @ targets, prior - known @ inner @ known.T
    drawn = np.random.default_rng(7).multivariate_normal(mean, covariance, 200_000)
    gain = np.maximum(drawn[:, 6:] - drawn[:, :6].max(1, keepdims=True), 0.0)
    error = gain.std(0) / np.sqrt(len(gain))
    np.testing.assert_allclose(np.exp(noisy), gain.mean(0), atol=5 * error.max(), rtol=0.03)


def test_a_lucky_value_does_not_stop_noisy_improvement():
    """One outlier among noisy trials: plain EI sees no gain anywhere, noisy EI does."""
    points = np.random.default_rng(8).random((40, 2))
    values = np.sin(3 * points.sum(1))
    values[3] += 4.0
    hyper = Hyperparameters(0.5, np.array([1.0, 1.0]), 0.9)
    process = GaussianProcess.given(CUBE, CUBE.features(points), values, hyper)
    at = CUBE.features(np.random.default_rng(9).random((200, 2)))
    mean, variance = process.posterior(at)
    plain = expected_improvement(mean, np.sqrt(variance), values.max()) / process.scale
    noisy = np.exp(NoisyImprovement(process, 64, np.random.default_rng(0)).log(at))
    assert noisy.max() > 10 * plain.max()
