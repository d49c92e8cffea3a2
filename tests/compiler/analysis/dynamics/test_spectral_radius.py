"""Outermost eigenvalues against closed forms and NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import ArpackError

from hrsnn_lava.compiler.analysis.dynamics import spectral_radius
from hrsnn_lava.compiler.analysis.dynamics.spectral_radius import SpectralEdge, spectral_edge


def circle(weights: list[float]) -> sparse.csr_matrix:
    """Neuron k hears neuron k - 1."""
    n = len(weights)
    rows = np.arange(n)
    return sparse.csr_matrix((weights, (rows, (rows - 1) % n)), shape=(n, n))


def chain(n: int, weight: float) -> sparse.csr_matrix:
    return sparse.diags([np.full(n - 1, weight)], [-1], shape=(n, n)).tocsr()


def test_a_long_chain_has_no_eigenvalue_but_zero() -> None:
    assert spectral_edge(chain(400, 3.0)) == SpectralEdge(0.0, 0.0)
    assert spectral_edge(sparse.csr_matrix((3, 3))) == SpectralEdge(0.0, 0.0)
    assert spectral_edge(sparse.csr_matrix((0, 0))) == SpectralEdge(0.0, 0.0)


def test_a_chain_that_hardly_closes_has_small_ones() -> None:
    """``3 (1e-300 / 3)^(1/200)``; a dense solver finds twenty times as much, by rounding."""
    closed = chain(200, 3.0).toarray()
    closed[0, -1] = 1e-300
    found = spectral_edge(sparse.csr_matrix(closed))
    assert found.radius == pytest.approx(3 * np.exp(np.log(1e-300 / 3) / 200))
    assert np.abs(np.linalg.eigvals(closed)).max() > 10 * found.radius


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 1000])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_circle_has_the_roots_of_its_product(n: int, sign: float) -> None:
    weights = np.random.default_rng(n).uniform(0.5, 2.0, n)
    weights[0] *= sign
    found = spectral_edge(circle(list(weights)))
    radius = np.exp(np.log(np.abs(weights)).mean())
    angle = 0.0 if sign > 0 else np.pi / n
    assert found.exact
    assert found.radius == pytest.approx(radius)
    assert found.abscissa == pytest.approx(radius * np.cos(angle))
    if n < 10:
        values = np.linalg.eigvals(circle(list(weights)).toarray())
        assert found.abscissa == pytest.approx(values.real.max())


def test_a_stable_circle_beside_a_chain_leaves_zero_as_the_abscissa() -> None:
    both = sparse.block_diag([circle([-0.5]), chain(4, 9.0)]).tocsr()
    assert spectral_edge(both) == SpectralEdge(0.5, 0.0)
    assert spectral_edge(circle([-0.5])) == SpectralEdge(0.5, -0.5)
    stored = sparse.csr_matrix(([0.0, 2.0], ([0, 1], [1, 0])), shape=(2, 2))  # no circle at all
    assert spectral_edge(stored) == SpectralEdge(0.0, 0.0)
    assert stored.nnz == 2  # the argument stays as it is


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.floats(0.05, 0.9), st.integers(0, 2**20))
def test_small_matrices_agree_with_numpy(n: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n, n)) * (rng.random((n, n)) < density)
    values = np.linalg.eigvals(dense)
    found = spectral_edge(sparse.csr_matrix(dense))
    # defective zeros move by the n-th root of the rounding in NumPy's
    tolerance = {"rel": 1e-6, "abs": 3e-2}
    assert found.radius == pytest.approx(np.abs(values).max(), **tolerance)
    assert found.abscissa == pytest.approx(values.real.max(), **tolerance)


def test_large_components_agree_with_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    dense = rng.normal(size=(340, 340)) * (rng.random((340, 340)) < 0.05)
    values = np.linalg.eigvals(dense)
    found = spectral_edge(sparse.csr_matrix(dense))
    assert found.radius == pytest.approx(np.abs(values).max(), rel=1e-3)
    assert found.abscissa == pytest.approx(values.real.max(), rel=1e-3)

    def fails(*_: object, **__: object) -> None:
        raise ArpackError(-1)

    monkeypatch.setattr("scipy.sparse.linalg.eigs", fails)
    whole = spectral_edge(sparse.csr_matrix(dense))
    assert whole.radius == pytest.approx(np.abs(values).max(), rel=1e-12)
    monkeypatch.setattr(spectral_radius, "AT_MOST", 0)
    bound = spectral_edge(sparse.csr_matrix(dense))
    assert not bound.exact
    assert bound.radius >= np.abs(values).max()
    assert bound.abscissa >= values.real.max()
