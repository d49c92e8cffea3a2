"""Kernels by their formula, and the guard of those that are not positive semi-definite."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma, kv

from hrsnn_lava.bayesian.kernels import Guarded, Joint, Product, clipped, least_eigenvalue


def by_bessel(r, nu=2.5):
    """Eq. (6) of the papers as it stands."""
    x = np.sqrt(2 * nu) * r
    with np.errstate(invalid="ignore"):
        value = 2 ** (1 - nu) / gamma(nu) * x**nu * kv(nu, x)
    return np.where(r == 0, 1.0, value)


def test_the_joint_kernel_is_that_of_the_papers():
    squared = np.random.default_rng(0).gamma(0.7, size=(3, 5, 7))
    squared[:, 2, 3] = 0.0
    lengths = np.array([0.4, 1.0, 8.0])
    r = np.sqrt((squared / lengths[:, None, None] ** 2).sum(0))
    got = Joint().correlations(squared, lengths).matrix
    np.testing.assert_allclose(got, by_bessel(r), rtol=1e-12)
    assert got[2, 3] == 1.0
    product = Product().correlations(squared, lengths).matrix
    parts = [by_bessel(np.sqrt(s) / length) for s, length in zip(squared, lengths, strict=True)]
    np.testing.assert_allclose(product, np.prod(parts, axis=0), rtol=1e-12)


def test_of_one_part_both_are_the_same():
    squared = np.random.default_rng(1).gamma(1.0, size=(1, 6, 6))
    one = np.array([0.7])
    joint, product = (k.correlations(squared, one) for k in (Joint(), Product()))
    np.testing.assert_allclose(joint.matrix, product.matrix, rtol=1e-14)
    weight = np.random.default_rng(2).normal(size=(6, 6))
    np.testing.assert_allclose(joint.gradient(weight), product.gradient(weight), rtol=1e-12)


def test_clipping_gives_the_nearest_semi_definite_matrix():
    rng = np.random.default_rng(3)
    vectors, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    values = np.array([-0.6, -0.1, 0.2, 1.0, 3.0])
    matrix = (vectors * values) @ vectors.T
    fixed = clipped(matrix)
    assert fixed.least == pytest.approx(-0.2)
    assert fixed.moved == pytest.approx(np.sqrt(0.37) / np.sqrt((values**2).sum()))
    np.testing.assert_allclose(np.linalg.eigvalsh(fixed.matrix), [0, 0, 0.2, 1.0, 3.0], atol=1e-14)
    # nothing semi-definite is nearer
    distance = np.linalg.norm(fixed.matrix - matrix)
    for _ in range(200):
        root = np.linalg.cholesky(fixed.matrix + 1e-12 * np.eye(5))
        other = root + 0.1 * rng.normal(size=(5, 5))
        assert np.linalg.norm(other @ other.T - matrix) >= distance
    again = clipped(fixed.matrix)
    np.testing.assert_allclose(again.matrix, fixed.matrix, atol=1e-14)
    assert again.moved < 1e-14


def test_a_guard_leaves_what_is_sound_and_what_is_not_square():
    points = np.random.default_rng(4).random((12, 2))
    squared = np.stack([(p[:, None] - p) ** 2 for p in points.T])
    lengths = np.array([0.3, 0.5])
    plain, guarded = Joint().correlations(squared, lengths), Guarded(Joint())
    kept = guarded.correlations(squared, lengths)
    np.testing.assert_allclose(kept.matrix, plain.matrix, atol=1e-13)
    weight = np.random.default_rng(5).normal(size=(12, 12))
    weight = weight + weight.T
    np.testing.assert_allclose(kept.gradient(weight), plain.gradient(weight), rtol=1e-9)
    assert least_eigenvalue(plain.matrix) > 0
    wide = squared[:, :4]
    np.testing.assert_array_equal(
        guarded.correlations(wide, lengths).matrix, Joint().correlations(wide, lengths).matrix
    )


def test_a_guard_mends_distances_of_no_metric():
    rng = np.random.default_rng(6)
    squared = rng.gamma(0.5, size=(1, 20, 20))
    squared += squared.transpose(0, 2, 1)
    squared[:, np.arange(20), np.arange(20)] = 0
    one = np.ones(1)
    assert least_eigenvalue(Joint().correlations(squared, one).matrix) < -0.01
    mended = Guarded(Joint()).correlations(squared, one).matrix
    assert np.linalg.eigvalsh(mended)[0] > -1e-12
    np.testing.assert_array_equal(mended, mended.T)
