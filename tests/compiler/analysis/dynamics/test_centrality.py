from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness, weakly_connected_sizes
from hrsnn_lava.errors import SpecError


def random_weights(n: int, density: float, seed: int) -> sparse.csr_matrix:
    return sparse.random(n, n, density, format="csr", random_state=np.random.default_rng(seed))


def by_networkx(weights: sparse.csr_matrix) -> NDArray[Any]:
    graph = nx.from_numpy_array((weights.toarray().T != 0).astype(int), create_using=nx.DiGraph)
    scores = nx.betweenness_centrality(graph, normalized=False)
    return np.array([scores[v] for v in range(weights.shape[0])])


@pytest.mark.parametrize(("n", "density"), [(1, 0.0), (20, 0.02), (40, 0.1), (30, 0.5)])
def test_equals_networkx_on_directed_graphs(n: int, density: float) -> None:
    weights = random_weights(n, density, n)
    np.testing.assert_allclose(betweenness(weights), by_networkx(weights), rtol=1e-12, atol=1e-12)


def test_directed_path_and_star_in_closed_form() -> None:
    n = 7
    path = sparse.diags([np.ones(n - 1)], [-1], format="csr")  # neuron k drives k + 1
    k = np.arange(n)
    np.testing.assert_array_equal(betweenness(path), k * (n - 1 - k))
    star = np.zeros((n, n))
    star[0, 1:] = star[1:, 0] = 1.0
    expected = np.r_[(n - 1) * (n - 2), np.zeros(n - 1)]
    np.testing.assert_array_equal(betweenness(sparse.csr_matrix(star)), expected)


def test_pivots_estimate_the_exact_value() -> None:
    weights = random_weights(120, 0.05, 0)
    exact = betweenness(weights)
    rng = np.random.default_rng(0)
    mean = np.mean([betweenness(weights, n_pivots=30, rng=rng) for _ in range(60)], axis=0)
    assert np.corrcoef(mean, exact)[0, 1] > 0.99
    assert mean.sum() == pytest.approx(exact.sum(), rel=0.05)
    np.testing.assert_array_equal(betweenness(weights, n_pivots=500, rng=rng), exact)


def test_components_ignore_directions() -> None:
    weights = sparse.csr_matrix(([1.0, 1.0], ([0, 3], [1, 1])), shape=(5, 5))
    assert weakly_connected_sizes(weights) == [3, 1, 1]


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match=r"square matrix; its shape is \(2, 3\)"):
        betweenness(sparse.csr_matrix((2, 3)))
    with pytest.raises(SpecError, match="at least 1 pivot and a random generator"):
        betweenness(sparse.csr_matrix((2, 2)), n_pivots=2)
