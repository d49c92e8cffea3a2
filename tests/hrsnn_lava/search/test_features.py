"""Distances of points of a space, and that kernels of them are positive semi-definite."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.bayesian.gaussian_process import GaussianProcess, Hyperparameters
from hrsnn_lava.bayesian.geometry import reference_points
from hrsnn_lava.bayesian.kernels import Guarded, Joint, Product, least_eigenvalue
from hrsnn_lava.search.features import geometry_of
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.wasserstein import sinkhorn_divergences, w2

TWO = Space.parse(
    {
        "a": {"distribution": "gamma", "shape": [1.0, 8.0], "mean": [0.01, 0.05]},
        "b": {"distribution": "normal", "std": [0.1, 0.4], "mean": [0.5, 1.5]},
        "c": [10.0, 30.0],
        "d": {"values": ["x", "y", "z"]},
        "e": [3, 9],
    }
)


def distances(geometry, points):
    features = geometry.features(points)
    return np.stack(list(geometry.squared(features, features)))


def test_parts_are_w2_and_plain_distances():
    points = np.random.default_rng(0).random((12, TWO.size))
    geometry = geometry_of(TWO, "marginals")
    assert geometry.names == ("a", "b", "c", "d", "e")
    found = distances(geometry, points)
    marginals = [TWO.marginals(p) for p in points]
    chosen = [TWO.settings(p) for p in points]
    for k, name in enumerate("ab"):
        truth = np.array([[w2(x[name], y[name]) for y in marginals] for x in marginals])
        ratio = np.sqrt(found[k])[truth > 0] / truth[truth > 0]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    numbers = np.array([s["c"] for s in chosen])
    truth = np.abs(numbers[:, None] - numbers)
    ratio = np.sqrt(found[2])[truth > 0] / truth[truth > 0]
    np.testing.assert_allclose(ratio, np.sqrt(6.0) / 20.0, rtol=0.01)
    for k, name in ((3, "d"), (4, "e")):
        same = np.array([[x[name] == y[name] for y in chosen] for x in chosen])
        assert (found[k][same] == 0).all()
        assert (found[k][~same] > 0).all()


@pytest.mark.parametrize("distance", [None, "marginals", "location", "sliced"])
def test_two_points_of_the_prior_are_one_apart_in_every_part(distance):
    geometry = geometry_of(TWO, distance)
    squared = distances(geometry, reference_points(TWO.size, 512))
    np.testing.assert_allclose(squared.mean(axis=(1, 2)), 1.0, rtol=1e-6)


def test_place_and_shape_make_up_the_whole_distance():
    space = Space.parse({"a": {"distribution": "gamma", "cv": [0.1, 1.0], "mean": [1.0, 2.0]}})
    points = np.random.default_rng(1).random((10, 2))
    whole, apart = geometry_of(space, "marginals"), geometry_of(space, "location")
    assert apart.names == ("a: place", "a: shape")
    sums = sum(
        scale**2 * part
        for scale, part in zip(apart.scales[:2], distances(apart, points), strict=True)
    )
    np.testing.assert_allclose(sums, whole.scales[0] ** 2 * distances(whole, points)[0], atol=1e-9)


def test_sliced_distances_of_one_distribution_are_those_of_marginals():
    one = Space.parse({"a": {"distribution": "lognormal", "cv": [0.1, 1.0], "mean": [1.0, 2.0]}})
    points = np.random.default_rng(2).random((10, 2))
    marginal = distances(geometry_of(one, "marginals"), points)[0]
    sliced = distances(geometry_of(one, "sliced", 256), points)[0]
    # 16 quantiles in equal steps for 32 by Gauss and Hermite
    assert np.corrcoef(sliced.ravel(), marginal.ravel())[0, 1] > 0.99
    joint = geometry_of(TWO, "sliced")
    assert joint.names == ("c", "d", "e", "distributions")


def random_space(rng):
    """One to four distributions of all families, and a number or two."""
    tables = [
        {"distribution": "gamma", "shape": [0.5, 20.0], "mean": [0.003, 0.2]},
        {"distribution": "gamma", "cv": [0.1, 2.0], "mean": [0.003, 0.2], "low": 0.002},
        {"distribution": "lognormal", "sigma": [0.1, 2.0], "mean": [1.0, 9.0], "metric": "log"},
        {"distribution": "normal", "std": [0.1, 1.0], "mean": [-1.0, 1.0], "high": 0.5},
        {"distribution": "uniform", "low": [-2.0, 0.0], "high": [0.0, 3.0]},
        {"distribution": "exponential", "mean": [0.1, 9.0]},
        [0.0, 1.0],
        {"values": [1, 2, 3]},
    ]
    chosen = rng.choice(6, size=rng.integers(1, 5)).tolist() + [6, 7][: rng.integers(0, 3)]
    return Space.parse({f"p{k}": tables[c] for k, c in enumerate(chosen)})


@pytest.mark.parametrize("distance", ["marginals", "location", "sliced"])
def test_kernels_of_a_thousand_sets_of_distributions_are_positive_semi_definite(distance):
    rng = np.random.Generator(np.random.Philox(key=4))
    least = []
    for _ in range(20):
        geometry = geometry_of(random_space(rng), distance, 16)
        for _ in range(50):
            points = rng.random((9, geometry.space.size))
            if rng.random() < 0.3:  # near to each other, where rounding is worst
                points = np.clip(0.5 + 1e-4 * points, 0, 0.99)
            squared = distances(geometry, points)
            lengths = np.exp(rng.uniform(-3, 5, len(squared)))
            kernel = Joint() if rng.random() < 0.5 else Product()
            least.append(least_eigenvalue(kernel.correlations(squared, lengths).matrix))
    assert len(least) == 1000
    assert min(least) > -1e-12


def test_the_guard_mends_kernels_of_sinkhorn_divergences():
    rng = np.random.default_rng(0)
    clouds = rng.normal(size=(16, 3, 2)) * rng.gamma(2, size=(16, 1, 2)) / 4
    squared = sinkhorn_divergences(clouds, clouds, 0.1)
    np.testing.assert_allclose(squared, squared.T, atol=0.01)
    plain = Joint().correlations(squared[None], np.array([2.0])).matrix
    assert least_eigenvalue(plain) < -2e-4  # no kernel
    mended = Guarded(Joint()).correlations(squared[None], np.array([2.0])).matrix
    assert np.linalg.eigvalsh(mended)[0] > -1e-12
    assert np.abs(mended - plain).max() < 0.1


def test_what_a_guarded_process_expects_does_not_depend_on_how_many_points_are_asked_for():
    """As many as there are trials make a square matrix, which is none of one set of points."""
    rng = np.random.default_rng(5)
    geometry = geometry_of(TWO, "sinkhorn", 32)
    points, asked = rng.random((10, TWO.size)), geometry.features(rng.random((14, TWO.size)))
    hyper = Hyperparameters(1.0, np.ones(len(geometry.names)), 0.1)
    process = GaussianProcess.given(
        geometry, geometry.features(points), points[:, 0], hyper, Guarded(Joint())
    )
    mean, variance = process.posterior(asked)
    for count in (1, 10):
        few, of_few = process.posterior(asked[:count])
        # Sinkhorn's iteration ends for all pairs together, so distances are not the same to a bit
        np.testing.assert_allclose(few, mean[:count], rtol=1e-3)
        np.testing.assert_allclose(of_few, variance[:count], rtol=1e-2, atol=1e-5)


def test_sinkhorn_distances_of_a_space_are_near_those_of_marginals():
    points = np.random.default_rng(3).random((5, TWO.size))
    geometry = geometry_of(TWO, "sinkhorn", 64, 0.02)
    assert geometry.names == ("distributions", "c", "d", "e")
    found = distances(geometry, points)
    apart = distances(geometry_of(TWO, "marginals"), points)
    np.testing.assert_allclose(found[0], apart[:2].mean(0), rtol=0.25, atol=0.05)
    np.testing.assert_allclose(found[1:], apart[2:], rtol=0.01)  # another reference
