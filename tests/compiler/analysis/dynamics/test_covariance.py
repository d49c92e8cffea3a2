import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, sparse

from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance, edge_variance
from hrsnn_lava.compiler.analysis.dynamics.stability import stabilise
from hrsnn_lava.errors import SpecError


def stable_system(n: int, margin: float, seed: int = 0) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    coupling = sparse.csr_matrix(0.8 / np.sqrt(n) * rng.standard_normal((n, n)))
    return stabilise(coupling, np.zeros(n), margin=margin).matrix


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), margin=st.floats(1e-4, 2.0), seed=st.integers(0, 999))
def test_solves_the_lyapunov_equation_as_scipy_does(n: int, margin: float, seed: int) -> None:
    system = stable_system(n, margin, seed)
    found = covariance(system, sigma=0.7)
    dense = system.toarray()
    expected = linalg.solve_continuous_lyapunov(dense, -(0.7**2) * np.eye(n))
    np.testing.assert_allclose(
        found.matrix, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max()
    )
    assert found.residual < 1e-9
    assert np.linalg.eigvalsh(0.5 * (found.matrix + found.matrix.T)).min() > 0


def test_ornstein_uhlenbeck_variance() -> None:
    found = covariance(sparse.csr_matrix([[-4.0]]), sigma=3.0)
    np.testing.assert_allclose(found.matrix, [[9.0 / 8.0]])


def test_symmetric_system_has_the_inverse_as_covariance() -> None:
    rng = np.random.default_rng(0)
    half = rng.standard_normal((20, 20))
    a = -(half @ half.T + np.eye(20))
    found = covariance(sparse.csr_matrix(a))
    np.testing.assert_allclose(found.matrix, -0.5 * np.linalg.inv(a), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("margin", "most"), [(1.0, 8), (0.1, 10), (0.01, 13)])
def test_doublings_grow_with_the_logarithm_of_the_gap(margin: float, most: int) -> None:
    assert covariance(stable_system(200, margin)).iterations <= most


def test_single_precision_agrees() -> None:
    system = stable_system(200, 0.2)
    double, single = covariance(system), covariance(system, precision="float32")
    assert single.matrix.dtype == np.float32
    assert single.residual < 1e-5
    np.testing.assert_allclose(
        single.matrix, double.matrix, rtol=1e-4, atol=1e-5 * double.matrix.max()
    )


def test_unstable_systems_are_refused() -> None:
    system = stable_system(30, 0.1) + 5.0 * sparse.identity(30, format="csr")
    # scipy solves it without complaint, with negative variances
    silent = linalg.solve_continuous_lyapunov(system.toarray(), -np.eye(30))
    assert silent.diagonal().min() < 0
    with pytest.raises(SpecError, match=r"unstable: largest real part .*, allowed < 0"):
        covariance(system)
    with pytest.raises(SpecError, match="unstable: largest real part 1, allowed < 0"):
        covariance(system, abscissa=1.0)
    # A wrong promise of stability is found out: the doubling diverges.
    with pytest.raises(SpecError, match="does not converge"):
        covariance(system, abscissa=-1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    system = stable_system(30, 0.1)
    system.data[3] = value
    with pytest.raises(SpecError, match="not finite"):
        covariance(system)


def test_shape_is_checked() -> None:
    with pytest.raises(SpecError, match=r"square system; its shape is \(2, 3\)"):
        covariance(sparse.csr_matrix((2, 3)))


def test_edge_variance_is_that_of_the_difference() -> None:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((4, 4)) @ rng.standard_normal((4, 1000))
    c = np.cov(samples)
    row, column, sign = np.array([0, 1, 2, 3]), np.array([1, 0, 3, 3]), np.array([1, -1, 0, 1])
    found = edge_variance(c, row, column, sign)
    np.testing.assert_allclose(found[0], np.var(samples[0] - samples[1], ddof=1))
    np.testing.assert_allclose(found[1], np.var(samples[1] + samples[0], ddof=1))
    np.testing.assert_allclose(found[2:], [c[2, 2] + c[3, 3], 0.0], atol=1e-12)
