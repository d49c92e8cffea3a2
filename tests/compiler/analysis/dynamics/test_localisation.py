from typing import Any

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics import localisation
from hrsnn_lava.compiler.analysis.dynamics.localisation import (
    LEADING,
    Localisation,
    laplacian,
    laplacian_localisation,
    largest_of_laplacian,
    participation_ratios,
    participation_slopes,
    weights_localisation,
)


def csr(graph: nx.Graph) -> sparse.csr_matrix:
    return sparse.csr_matrix(nx.to_numpy_array(graph, dtype=np.int8))


def random_graph(n: int, p: float, seed: int) -> sparse.csr_matrix:
    return csr(nx.gnp_random_graph(n, p, seed=seed))


def test_the_laplacian_is_the_product_of_incidences() -> None:
    graph = nx.gnp_random_graph(20, 0.2, seed=1)
    incidence = np.zeros((20, graph.number_of_edges()))
    for k, (u, v) in enumerate(graph.edges):
        incidence[[u, v], k] = 1.0, -1.0
    np.testing.assert_array_equal(laplacian(csr(graph)).toarray(), incidence @ incidence.T)


@pytest.mark.parametrize("n", [3, 8, 25])
def test_closed_forms(n: int) -> None:
    # a star of n neurons: (n - 1, -1, .., -1) of eigenvalue n
    star = laplacian_localisation(csr(nx.star_graph(n - 1)))
    assert star.top == pytest.approx(((n - 1) ** 4 + (n - 1)) / (n * (n - 1)) ** 2)
    # all but ones have eigenvalue n in a complete graph: P = I - 1/n
    whole = laplacian_localisation(csr(nx.complete_graph(n)))
    assert whole.top == pytest.approx((n - 1) / n)
    assert whole.mean == pytest.approx(((n - 1) * (n - 1) / n + 1 / n) / n)
    # an even ring is spread, whatever the basis of its pairs of waves
    ring = laplacian_localisation(csr(nx.cycle_graph(2 * n)))
    assert ring.top == pytest.approx(1 / (2 * n))
    assert ring.mean == pytest.approx((2 * 1 + (2 * n - 2) * 2) / (2 * n) ** 2)


def test_neurons_alone_are_localised() -> None:
    assert laplacian_localisation(sparse.csr_matrix((4, 4))) == Localisation(None, None, 1.0)
    assert laplacian_localisation(sparse.csr_matrix((0, 0))) == Localisation(None, None, None)
    # a pair and two alone: (1, -1)/sqrt 2 has 1/2; of eigenvalue 0 are one spread pair, two alone
    two = csr(nx.disjoint_union(nx.path_graph(2), nx.empty_graph(2)))
    found = laplacian_localisation(two)
    assert found.top == pytest.approx(0.5)
    assert found.mean == pytest.approx((0.5 + (2 * 0.25 + 2)) / 4)


def test_simple_eigenvalues_have_the_sum_of_fourth_powers() -> None:
    graph = random_graph(40, 0.08, 5)
    values, vectors = np.linalg.eigh(laplacian(graph).toarray())
    ratios = participation_ratios(values, vectors)
    plain = (vectors**4).sum(axis=0)
    alone = np.ones(40, dtype=bool)
    close = np.diff(values) < 1e-8
    alone[1:] &= ~close
    alone[:-1] &= ~close
    assert alone.sum() > 20
    np.testing.assert_allclose(ratios[alone], plain[alone], rtol=1e-12)
    found = laplacian_localisation(graph)
    assert found.top == pytest.approx(ratios[-1], rel=1e-12)
    assert found.leading == pytest.approx(ratios[-LEADING:].mean(), rel=1e-12)
    assert found.mean == pytest.approx(ratios.mean(), rel=1e-12)


def test_ratios_do_not_depend_on_the_basis() -> None:
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.normal(size=(9, 9)))
    values = np.array([0.0, 0, 0, 1, 2, 2, 3, 4, 4])
    turned = vectors.copy()
    for part in (slice(0, 3), slice(4, 6), slice(7, 9)):
        k = part.stop - part.start
        turned[:, part] = vectors[:, part] @ np.linalg.qr(rng.normal(size=(k, k)))[0]
    np.testing.assert_allclose(
        participation_ratios(values, turned), participation_ratios(values, vectors), rtol=1e-12
    )


def test_large_graphs_give_the_leading_ones_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_graph(120, 0.06, 2)
    exact = laplacian_localisation(graph)
    monkeypatch.setattr(localisation, "ALL_UP_TO", 100)
    found = laplacian_localisation(graph)
    assert found.mean is None
    assert found.top == pytest.approx(exact.top, rel=1e-8)
    assert found.leading == pytest.approx(exact.leading, rel=1e-8)


@pytest.mark.parametrize("n", [4, 60, 250])
def test_weights_of_a_ring_are_spread(n: int) -> None:
    ring = sparse.csr_matrix(nx.to_numpy_array(nx.cycle_graph(n, create_using=nx.DiGraph)).T)
    found = weights_localisation(2.0 * ring)
    assert found.top == pytest.approx(1 / n)
    assert found.leading == pytest.approx(1 / n)


@pytest.mark.parametrize("n", [40, 350])
def test_weights_by_all_their_eigenvectors(n: int) -> None:
    rng = np.random.default_rng(n)
    w = sparse.random(n, n, 8 / n, format="csr", random_state=rng)
    w.data -= 0.5
    values, vectors = np.linalg.eig(w.toarray())
    ratios = (np.abs(vectors / np.linalg.norm(vectors, axis=0)) ** 4).sum(axis=0)
    order = np.argsort(-np.round(np.abs(values), 10), kind="stable")
    found = weights_localisation(w)
    assert found.top == pytest.approx(ratios[order[0]], rel=1e-5)
    if np.diff(-np.abs(values[order]))[LEADING - 1] > 1e-8:  # else half of a pair is left out
        assert found.leading == pytest.approx(ratios[order[:LEADING]].mean(), rel=1e-5)


def test_without_cycles_there_is_no_eigenvector_to_speak_of() -> None:
    chain = sparse.csr_matrix(np.eye(6, k=-1))
    assert weights_localisation(chain) == Localisation(None, None)
    assert weights_localisation(sparse.csr_matrix((5, 5))) == Localisation(None, None)
    assert weights_localisation(sparse.csr_matrix((0, 0))) == Localisation(None, None)
    assert weights_localisation(sparse.csr_matrix(np.diag([0.0, 3.0, 0.0]))).top == 1.0


def ratio_of(matrix: Any, k: int) -> float:
    return float((np.linalg.eigh(matrix)[1][:, k] ** 4).sum())


@pytest.mark.parametrize("all_up_to", [0, 1000])
@pytest.mark.parametrize("seed", [3, 4])
def test_slopes_are_derivatives(all_up_to: int, seed: int) -> None:
    n, graph = 60, random_graph(60, 0.12, seed)
    x, g = participation_slopes(graph, all_up_to=all_up_to)
    assert x.shape == g.shape == (n, LEADING)
    whole = laplacian(graph).toarray()
    rng, h = np.random.default_rng(seed), 1e-6
    for _ in range(6):
        u, v = rng.choice(n, 2, replace=False)
        step = np.zeros(n)
        step[u], step[v] = 1.0, -1.0
        edge = h * np.outer(step, step)
        for j in range(LEADING):
            k = n - LEADING + j
            truth = (ratio_of(whole + edge, k) - ratio_of(whole - edge, k)) / (2 * h)
            slope = 4 * (x[u, j] - x[v, j]) * (g[u, j] - g[v, j])
            assert slope == pytest.approx(truth, rel=1e-3, abs=1e-5 * max(1.0, np.abs(g).max()))


def test_as_many_of_the_largest_as_there_are() -> None:
    graph = random_graph(12, 0.4, 0)
    values, vectors = largest_of_laplacian(graph, 16)
    assert vectors.shape == (12, 12)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(laplacian(graph).toarray()), atol=1e-12)
    few, _ = largest_of_laplacian(graph, 3)
    np.testing.assert_allclose(few, values[-3:], rtol=1e-9)
