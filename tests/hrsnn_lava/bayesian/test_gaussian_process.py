"""The process against scikit-learn's, its gradients against differences, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.bayesian.gaussian_process import (
    GaussianProcess,
    Hyperparameters,
    Priors,
    evidence,
    fitted,
)
from hrsnn_lava.bayesian.geometry import Blocks, UnitCube
from hrsnn_lava.bayesian.kernels import Guarded, Joint, Product

CUBE = UnitCube(("a", "b", "c"))
HYPER = Hyperparameters(1.7, np.array([0.6, 1.9, 12.0]), 0.03)


def trials(n, seed=0, noise=0.1):
    rng = np.random.Generator(np.random.Philox(key=seed))
    points = rng.random((n, 3))
    values = np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + noise * rng.standard_normal(n)
    return points, 40.0 + 7.0 * values


def oracle(points, values, hyper, kernel="joint"):
    """scikit-learn's process with the same kernel; noise is on the diagonal alone."""
    process = pytest.importorskip("sklearn.gaussian_process")
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    lengths = hyper.lengths / np.sqrt(6.0)  # of coordinates as they are
    matern = kernels.Matern(lengths, nu=2.5)
    if kernel == "product":  # a length scale beyond all distances takes a coordinate out
        matern = kernels.Matern([lengths[0], 1e9, 1e9], nu=2.5)
        matern *= kernels.Matern([1e9, lengths[1], 1e9], nu=2.5)
        matern *= kernels.Matern([1e9, 1e9, lengths[2]], nu=2.5)
    model = process.GaussianProcessRegressor(
        kernels.ConstantKernel(hyper.signal) * matern,
        alpha=hyper.noise,
        optimizer=None,
        normalize_y=True,
    )
    return model.fit(points, values)


@pytest.mark.parametrize(("name", "kernel"), [("joint", Joint()), ("product", Product())])
def test_the_posterior_is_that_of_scikit_learn(name, kernel):
    points, values = trials(40)
    ours = GaussianProcess.given(CUBE, CUBE.features(points), values, HYPER, kernel)
    theirs = oracle(points, values, HYPER, name)
    at = np.random.default_rng(1).random((200, 3))
    mean, variance = ours.posterior(CUBE.features(at))
    expected_mean, expected_deviation = theirs.predict(at, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(variance), expected_deviation, rtol=1e-8)


def test_the_evidence_is_that_of_scikit_learn():
    points, values = trials(30)
    features = CUBE.features(points)
    squared = np.stack(list(CUBE.squared(features, features)))
    targets = (values - values.mean()) / values.std()
    value, _ = evidence(HYPER.logarithms, squared, targets, Joint())
    theirs = oracle(points, values, HYPER)
    assert value == pytest.approx(-theirs.log_marginal_likelihood_value_, rel=1e-10)


@pytest.mark.parametrize("priors", [None, Priors()])
@pytest.mark.parametrize("kernel", [Joint(), Product(), Guarded(Joint()), Guarded(Product())])
def test_gradients_are_those_of_differences(kernel, priors):
    rng = np.random.default_rng(2)
    n, parts = 9, 3
    if isinstance(kernel, Guarded):  # distances of no metric: eigenvalues are below 0
        squared = 0.1 * rng.gamma(0.3, size=(parts, n, n))
        squared = squared + squared.transpose(0, 2, 1)
        squared[:, np.arange(n), np.arange(n)] = 0.0
        plain = kernel.kernel.correlations(squared, np.ones(parts)).matrix
        assert np.linalg.eigvalsh(plain)[0] < -1e-3
    else:
        points = rng.random((n, parts))
        squared = np.stack([(p[:, None] - p) ** 2 for p in points.T])
    targets = rng.standard_normal(n)
    at = np.array([0.2, 0.1, -0.3, 0.4, -1.5])
    _, gradient = evidence(at, squared, targets, kernel, priors)
    step = 1e-5
    for k in range(at.size):
        ends = [at.copy(), at.copy()]
        ends[0][k] -= step
        ends[1][k] += step
        low, high = (evidence(end, squared, targets, kernel, priors)[0] for end in ends)
        assert gradient[k] == pytest.approx((high - low) / (2 * step), rel=1e-6, abs=1e-7)


def test_what_matters_and_how_noisy_it_is_are_learned():
    points, values = trials(150, noise=0.2)
    process = GaussianProcess.fit(CUBE, CUBE.features(points), values, np.random.default_rng(0))
    lengths = process.hyper.lengths
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[2] > 10.0
    assert process.scale * np.sqrt(process.hyper.noise) == pytest.approx(7.0 * 0.2, rel=0.2)
    at = np.random.default_rng(3).random((300, 3))
    truth = 40.0 + 7.0 * (np.sin(5 * at[:, 0]) + at[:, 1] ** 2)
    mean, _ = process.posterior(CUBE.features(at))
    assert np.sqrt(((mean - truth) ** 2).mean()) < 0.25 * 7.0 * 0.2 * 2


def test_the_fit_is_no_worse_than_that_of_scikit_learn():
    """Over the same bounds and without priors, their optimiser from ten starts."""
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    process = pytest.importorskip("sklearn.gaussian_process")
    points, values = trials(60)
    features = CUBE.features(points)
    squared = np.stack(list(CUBE.squared(features, features)))
    targets = (values - values.mean()) / values.std()
    hyper = fitted(squared, targets, Joint(), None, np.random.default_rng(0))
    ours, _ = evidence(hyper.logarithms, squared, targets, Joint())
    kernel = kernels.ConstantKernel(1.0, (1e-3, 1e3)) * kernels.Matern(
        [1.0] * 3, (1e-2, 1e6), nu=2.5
    ) + kernels.WhiteKernel(0.1, (1e-6, 10.0))
    theirs = process.GaussianProcessRegressor(
        kernel, alpha=0.0, n_restarts_optimizer=3, random_state=0
    ).fit(features, targets)
    assert ours <= -theirs.log_marginal_likelihood_value_ + 0.01


def test_more_trials_are_a_process_of_all_of_them():
    points, values = trials(25)
    features = CUBE.features(points)
    whole = GaussianProcess.given(CUBE, features, values, HYPER)
    first = GaussianProcess.given(CUBE, features[:20], values[:20], HYPER)
    more = first.extended(features[20:], values[20:])
    assert (more.offset, more.scale) == (first.offset, first.scale)
    scaled = GaussianProcess(
        CUBE, features, values, HYPER, Joint(), first.offset, first.scale, None, np.empty(0)
    )
    at = CUBE.features(np.random.default_rng(1).random((10, 3)))
    for got, expected in zip(more.posterior(at), scaled.solved().posterior(at), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert whole.offset != first.offset


def test_one_trial_and_trials_that_are_all_alike():
    one = GaussianProcess.fit(
        CUBE, CUBE.features(np.full((1, 3), 0.5)), np.array([3.0]), np.random.default_rng(0)
    )
    mean, variance = one.posterior(CUBE.features(np.array([[0.5] * 3, [0.0] * 3])))
    np.testing.assert_allclose(mean, 3.0)
    assert variance[0] < variance[1]
    points, _ = trials(10)
    flat = GaussianProcess.fit(
        CUBE, CUBE.features(points), np.full(10, -2.0), np.random.default_rng(0)
    )
    mean, variance = flat.posterior(CUBE.features(points))
    np.testing.assert_allclose(mean, -2.0)
    assert np.isfinite(variance).all()


def test_a_trial_that_is_told_twice_does_no_harm():
    points, values = trials(12, noise=0.0)
    twice = np.concatenate([points, points, points])
    process = GaussianProcess.fit(
        CUBE, CUBE.features(twice), np.tile(values, 3), np.random.default_rng(0)
    )
    mean, variance = process.posterior(CUBE.features(points))
    np.testing.assert_allclose(mean, values, rtol=1e-2)
    assert (variance >= 0).all()


def test_parts_are_scaled_to_a_distance_of_one():
    rng = np.random.default_rng(4)
    blocks = Blocks(("x", "yz", "same"), (1, 3, 4))
    features = np.column_stack(
        [rng.normal(0, 30, 400), rng.normal(5, 0.1, (400, 2)), np.full(400, 8.0)]
    )
    scaled = features / blocks.scaled(features)
    for name, part in zip(blocks.names, blocks.squared(scaled, scaled), strict=True):
        # pairs of different rows
        expected = 0.0 if name == "same" else 400 / 399
        assert part.sum() / (400 * 399) == pytest.approx(expected, abs=1e-9)
        assert (part >= 0).all()
        plain = [slice(0, 1), slice(1, 3), slice(3, 4)][blocks.names.index(name)]
        gaps = scaled[:, None, plain] - scaled[None, :, plain]
        np.testing.assert_allclose(part, (gaps**2).sum(2), atol=1e-9)
