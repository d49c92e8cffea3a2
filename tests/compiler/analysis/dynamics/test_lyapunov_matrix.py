from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.lyapunov_matrix import lyapunov_matrix
from hrsnn_lava.errors import SpecError


def random_weights(n: int, density: float, seed: int) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    weights = sparse.random(n, n, density, format="csr", random_state=rng)
    weights.data = rng.choice([-1.0, 1.0], weights.nnz) * (weights.data + 0.1)
    return weights


def literal(
    weights: sparse.csr_matrix, lam: NDArray[Any], union: bool, signed: bool
) -> NDArray[Any]:
    dense = weights.toarray()
    n = len(lam)
    hood = [{j for j in range(n) if j != i and (dense[i, j] or dense[j, i])} for i in range(n)]
    out = np.zeros((n, n))
    for i, j in zip(*np.nonzero(dense), strict=True):
        members = list(hood[i] | hood[j]) if union else [*hood[i], *hood[j]]
        values = lam[members] if signed else np.abs(lam[members])
        if members:
            out[i, j] = len(members) / np.sum(1.0 / values)
            if not signed:
                out[i, j] *= np.sign(dense[i, j])
    return out


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 12),
    density=st.floats(0.05, 0.9),
    seed=st.integers(0, 1000),
    union=st.booleans(),
    signed=st.booleans(),
)
def test_equals_the_formula_written_out(
    n: int, density: float, seed: int, union: bool, signed: bool
) -> None:
    weights = random_weights(n, density, seed)
    lam = -np.random.default_rng(seed).uniform(10.0, 100.0, n)
    found = lyapunov_matrix(weights, lam, union=union, signed=signed)
    np.testing.assert_allclose(found.matrix.toarray(), literal(weights, lam, union, signed))
    assert found.n_floored == 0
    assert found.n_cancelling == 0


def test_equal_exponents_give_that_exponent_with_the_sign_of_the_synapse() -> None:
    weights = random_weights(30, 0.2, 0)
    found = lyapunov_matrix(weights, np.full(30, -50.0))
    np.testing.assert_allclose(found.matrix.data, 50.0 * np.sign(weights.data))


@pytest.mark.parametrize(("n", "density", "expected"), [(500, 0.02, 0.09), (500, 0.1, 0.038)])
def test_spread_shrinks_with_density_as_measured_before(
    n: int, density: float, expected: float
) -> None:
    # Averages over neighbourhoods concentrate: 9 % and 3.8 % for Gamma(3) time constants.
    weights = random_weights(n, density, 1)
    lam = -1.0 / np.random.default_rng(2).gamma(3.0, 0.02 / 3.0, n)
    size = np.abs(lyapunov_matrix(weights, lam).matrix.data)
    assert size.std() / size.mean() == pytest.approx(expected, rel=0.3)


def test_tiny_exponents_are_floored_and_counted() -> None:
    weights = sparse.csr_matrix(np.ones((4, 4)) - np.eye(4))
    found = lyapunov_matrix(weights, np.array([0.0, -100.0, -100.0, 100.0]))
    assert found.floor == pytest.approx(0.1)
    assert found.n_floored == 1
    # The edge between 1 and 2 sees {0, 2, 3} and {0, 1, 3}.
    assert found.matrix[1, 2] == pytest.approx(6 / (2 / 0.1 + 4 / 100))


def test_cancelling_signed_sums_are_counted() -> None:
    # Edge (0, 1) of a path 2-0-1-3 sees {1, 2} and {0, 3}.
    weights = sparse.csr_matrix(
        (np.ones(3), ([0, 0, 1], [1, 2, 3])), shape=(4, 4), dtype=np.float64
    )
    lam = np.array([-50.0, 50.0, -20.0, 20.0])
    found = lyapunov_matrix(weights, lam, signed=True)
    assert found.n_cancelling == 1
    assert found.matrix[0, 1] == 0.0
    assert lyapunov_matrix(weights, lam).matrix[0, 1] == pytest.approx(4 / 0.14)


def test_a_self_synapse_without_neighbours_has_no_entry() -> None:
    found = lyapunov_matrix(sparse.csr_matrix(np.eye(2)), np.array([-1.0, -2.0]))
    np.testing.assert_array_equal(found.matrix.data, [0.0, 0.0])
    assert found.n_empty == 2


@pytest.mark.parametrize(
    ("lam", "message"),
    [
        (np.zeros(3), "all exponents are zero"),
        (np.array([1.0, np.nan, 1.0]), "must be finite"),
        (np.ones(2), r"one per neuron \(3,\); shape \(2,\)"),
    ],
)
def test_unusable_exponents_are_an_error(lam: NDArray[Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        lyapunov_matrix(random_weights(3, 0.5, 0), lam)
