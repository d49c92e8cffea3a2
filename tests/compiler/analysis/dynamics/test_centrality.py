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


METHODS = ["algebraic", "brandes"]


def structured(seed: int) -> sparse.csr_matrix:
    """Sparse, dense, disconnected, with synapses onto oneself, with neurons of no synapse."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 45))
    mask = rng.random((n, n)) < rng.choice([0.0, 0.02, 0.05, 0.1, 0.3, 0.7, 1.0])
    if seed % 3 == 0:
        half = n // 2
        mask[:half, half:] = mask[half:, :half] = False
    if seed % 4 == 1:
        mask[:, rng.random(n) < 0.3] = False
        mask[rng.random(n) < 0.3] = False
    np.fill_diagonal(mask, rng.random(n) < 0.5)
    return sparse.csr_matrix(mask * rng.standard_normal((n, n)))


@pytest.mark.parametrize("method", METHODS)
def test_both_methods_equal_networkx(method: Any) -> None:
    for seed in range(50):
        weights = structured(seed)
        expected, found = by_networkx(weights), betweenness(weights, method=method)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}")


@pytest.mark.parametrize("method", METHODS)
def test_any_depth(method: Any) -> None:
    n = 90
    path = sparse.diags([np.ones(n - 1)], [-1], format="csr")
    k = np.arange(n)
    np.testing.assert_allclose(betweenness(path, method=method), k * (n - 1 - k), rtol=1e-12)
    ring = sparse.csr_matrix((np.ones(n), ((k + 1) % n, k)), shape=(n, n))
    inner = (n - 1) * (n - 2) / 2  # of the paths s -> t of m steps, m - 1 pass a neuron
    np.testing.assert_allclose(betweenness(ring, method=method), inner, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_no_neurons_no_synapses_and_one_twice(method: Any) -> None:
    assert betweenness(sparse.csr_matrix((0, 0)), method=method).shape == (0,)
    np.testing.assert_array_equal(betweenness(sparse.csr_matrix((4, 4)), method=method), 0.0)
    twice = sparse.csr_matrix(
        (np.ones(4), np.array([0, 0, 1, 1]), np.array([0, 0, 2, 4])), shape=(3, 3)
    )
    np.testing.assert_array_equal(betweenness(twice, method=method), [0.0, 1.0, 0.0])


@pytest.mark.parametrize("method", METHODS)
def test_pivots_sum_the_dependencies_of_their_sources(method: Any) -> None:
    weights = random_weights(60, 0.1, 3)
    drawn = np.sort(np.random.default_rng(5).choice(60, size=7, replace=False))
    graph = nx.from_numpy_array((weights.toarray().T != 0).astype(int), create_using=nx.DiGraph)
    subset = nx.betweenness_centrality_subset(graph, list(drawn), list(range(60)))
    expected = np.array([subset[v] for v in range(60)]) * 60 / 7
    found = betweenness(weights, n_pivots=7, rng=np.random.default_rng(5), method=method)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_sources_that_need_a_third_step_are_done_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hrsnn_lava.compiler.analysis.dynamics import path_algebra

    monkeypatch.setitem(path_algebra.BLOCK, "cpu", 32)
    n = 200
    weights = random_weights(n, 0.25, 1).tolil()
    weights[:, :3] = 0.0  # three neurons drive one other each: two steps do not reach all
    weights[10, 0] = weights[11, 1] = weights[12, 2] = 1.0
    weights = weights.tocsr()
    made = []
    real = path_algebra._Walk.dependencies

    def counted(self: Any, sources: Any) -> Any:
        part, aside = real(self, sources)
        made.append((sources.size, aside.size))
        return part, aside

    monkeypatch.setattr(path_algebra._Walk, "dependencies", counted)
    found = betweenness(weights, method="algebraic")
    assert made[-1] == (3, 0)
    assert sum(aside for _, aside in made) == 3
    np.testing.assert_allclose(found, betweenness(weights, method="brandes"), rtol=1e-12)


def chosen(weights: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch) -> str:
    from hrsnn_lava.compiler.analysis.dynamics import centrality, path_algebra

    calls: list[str] = []
    zero = np.zeros(weights.shape[0])
    monkeypatch.setattr(path_algebra, "path_dependencies", lambda *_: calls.append("a") or zero)
    monkeypatch.setattr(centrality, "_brandes", lambda *_: calls.append("b") or zero)
    betweenness(weights)
    return calls[0]


def test_products_are_taken_where_they_are_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(random_weights(400, 0.5, 0), monkeypatch) == "a"
    assert chosen(random_weights(400, 0.1, 0), monkeypatch) == "b"  # 40 synapses a neuron
    n, reach = 3000, 160  # 160 synapses a neuron, but 19 steps around the ring
    shifts = [sparse.eye(n, k=-d) + sparse.eye(n, k=n - d) for d in range(1, reach + 1)]
    ring = sparse.csr_matrix(sum(shifts[1:], shifts[0]))
    assert chosen(ring, monkeypatch) == "b"


@pytest.mark.parametrize("method", METHODS)
def test_paths_that_no_float_counts_are_an_error(method: Any) -> None:
    # Layers of 10 neurons, each driving all of the next: 10 times as many paths a layer.
    layers, width = 320, 10
    block = sparse.csr_matrix(np.ones((width, width)))
    chain = sparse.kron(sparse.eye(layers, k=-1), block, format="csr")
    draw = np.random.default_rng(27)  # pivots in the first layers
    assert np.random.default_rng(27).choice(layers * width, 4, replace=False).min() < 50
    with pytest.raises(SpecError, match="shortest paths between two neurons: more than 1e308"):
        betweenness(chain, method=method, n_pivots=4, rng=draw)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(SpecError, match="method: 'dijkstra'; allowed: auto, algebraic, brandes"):
        betweenness(sparse.csr_matrix((2, 2)), method="dijkstra")  # type: ignore[arg-type]
