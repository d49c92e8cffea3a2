from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance, edge_variance
from hrsnn_lava.compiler.pruning.edge_sampling import (
    inclusion_probabilities,
    sample_edges,
    spectral_change,
)
from hrsnn_lava.compiler.pruning.edge_score import Float, ScoredSystem
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError


def edge_scores(
    score: str, weights: sparse.csr_matrix, coupling: sparse.csr_matrix, c: NDArray[Any]
) -> Float:
    part = registry.load("score", score)
    found: Float = part().of(ScoredSystem(weights, coupling, c))
    return found


score_arrays = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e3), st.sampled_from([1.0, 2.0])),
)


@settings(deadline=None)
@given(scores=score_arrays, share=st.one_of(st.just(0.0), st.floats(1e-280, 1.0)))
def test_probabilities_sum_to_the_target_and_follow_the_scores(
    scores: NDArray[Any], share: float
) -> None:
    target = share * scores.size
    p = inclusion_probabilities(scores, target)
    assert p.sum() == pytest.approx(target, abs=1e-9 * scores.size)
    assert p.min() >= 0
    assert p.max() <= 1
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(p[order]) >= -1e-12)
    open_edges = (p < 1) & (scores > 0)
    if np.count_nonzero(scores) > target and open_edges.any():
        rho = p[open_edges] / scores[open_edges]
        np.testing.assert_allclose(rho, rho[0], rtol=1e-9)
        assert np.all(rho[0] * scores[p >= 1] >= 1 - 1e-9)


def test_clipping_loses_no_density() -> None:
    # One scale for all, without the search, would give min(1, 2.5 s / sum s * 5) and less.
    p = inclusion_probabilities(np.array([100.0, 1.0, 1.0, 1.0, 1.0]), 2.5)
    np.testing.assert_allclose(p, [1.0, 0.375, 0.375, 0.375, 0.375])


def test_scores_without_value_share_what_is_left() -> None:
    p = inclusion_probabilities(np.array([0.0, 3.0, 0.0, 0.0]), 2.0)
    np.testing.assert_allclose(p, [1 / 3, 1.0, 1 / 3, 1 / 3])
    np.testing.assert_array_equal(inclusion_probabilities(np.zeros(4), 4.0), 1.0)
    assert inclusion_probabilities(np.zeros(0), 0.0).size == 0


@pytest.mark.parametrize(
    ("scores", "target", "message"),
    [
        ([1.0, -1.0], 1.0, "finite and >= 0"),
        ([1.0, np.nan], 1.0, "finite and >= 0"),
        ([1.0, 1.0], 3.0, "target is 3.0 edges; allowed: 0 to 2"),
    ],
)
def test_faults_are_named(scores: list[float], target: float, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        inclusion_probabilities(np.array(scores), target)


@pytest.mark.parametrize("sampling", ["bernoulli", "systematic"])
def test_edges_are_kept_with_their_probabilities(sampling: str) -> None:
    rng = np.random.default_rng(0)
    p = np.array([0.0, 1.0, 0.5, 0.1, 0.9, 0.25, 1.0])
    draws = np.array([sample_edges(p, sampling, rng) for _ in range(4000)])  # type: ignore[arg-type]
    np.testing.assert_allclose(draws.mean(axis=0), p, atol=0.03)
    assert not draws[:, 0].any()
    assert draws[:, [1, 6]].all()


@settings(deadline=None)
@given(p=arrays(np.float64, st.integers(1, 80), elements=st.floats(0, 1)), seed=st.integers(0, 99))
def test_systematic_sampling_fixes_the_count(p: NDArray[Any], seed: int) -> None:
    keep = sample_edges(p, "systematic", np.random.default_rng(seed))
    assert abs(np.count_nonzero(keep) - p.sum()) < 1 + 1e-9
    assert keep[p == 1].all()
    assert not keep[p == 0].any()


def test_literal_formula_on_every_edge() -> None:
    rng = np.random.default_rng(0)
    w = sparse.random(6, 6, 0.5, format="csr", random_state=rng)
    a = w.copy()
    a.data = rng.standard_normal(a.nnz)
    half = rng.standard_normal((6, 6))
    c = half @ half.T
    for score in ("lyapunov", "weight", "product"):
        found = edge_scores(score, w, a, c)
        for k, (i, j) in enumerate(zip(rows_of(w), w.indices, strict=True)):
            cross = 2 * c[i, j] if a[i, j] > 0 else -2 * c[i, j]
            expected = abs(a[i, j]) * (c[i, i] + c[j, j] - cross)
            factor = abs(w[i, j]) if score == "product" else 1.0
            assert found[k] == pytest.approx(factor * expected)


def laplacian_system(graph: nx.Graph, leak: float) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    w = sparse.csr_matrix(nx.to_numpy_array(graph))
    degree = np.asarray(w.sum(axis=1)).ravel()
    return w, (w - sparse.diags(degree + leak)).tocsr()


def test_symmetric_scores_are_effective_resistances() -> None:
    # C = (-A)^-1 / 2, so w Var(x_i - x_j) = w R_eff / 2 (Spielman and Srivastava 2011): on a
    # weighted tree w R_eff = 1 for every edge; in general they sum to N - 1 over the edges.
    rng = np.random.default_rng(0)
    graphs = [nx.path_graph(8), nx.balanced_tree(2, 3), nx.gnp_random_graph(15, 0.5, seed=1)]
    for graph in graphs:
        for _, _, data in graph.edges(data=True):
            data["weight"] = rng.uniform(0.5, 2.0)
        w, system = laplacian_system(graph, 1e-5)
        scores = edge_scores("weight", w, w, covariance(system).matrix)
        assert scores.sum() == pytest.approx(graph.number_of_nodes() - 1, rel=1e-3)
        if nx.is_tree(graph):
            np.testing.assert_allclose(scores, 0.5, rtol=1e-3)


def test_a_bridge_between_clusters_scores_above_the_edges_within() -> None:
    graph = nx.barbell_graph(8, 0)
    w, system = laplacian_system(graph, 1e-3)
    scores = edge_scores("weight", w, w, covariance(system).matrix)
    bridge = (rows_of(w) < 8) != (w.indices < 8)
    assert scores[bridge].min() > 2 * scores[~bridge].max()


def test_spectral_change_measures_the_relative_difference() -> None:
    rng = np.random.default_rng(0)
    system = sparse.csr_matrix(-np.eye(5))
    same = spectral_change(system, system, rng)
    assert (same.mean, same.largest) == (0.0, 0.0)
    assert same.abscissa.value == -1.0
    worse = spectral_change(system, 1.25 * system, rng)
    assert worse.mean == pytest.approx(0.25)
    assert worse.largest == pytest.approx(0.25)
    assert spectral_change(system, sparse.csr_matrix(np.eye(5)), rng).abscissa.value == 1.0


def test_a_score_that_needs_the_dense_covariance_says_so_when_it_was_sampled() -> None:
    w = sparse.csr_matrix([[0.0, 2.0], [-3.0, 0.0]])
    sampled = ScoredSystem(w, w, None, np.array([5.0, 7.0]))
    np.testing.assert_array_equal(sampled.edge_variance(), [5.0, 7.0])
    np.testing.assert_array_equal(sampled.noise_driven(), [10.0, 21.0])
    with pytest.raises(SpecError, match="covariance: sampled; allowed: exact"):
        edge_variance(sampled.covariance, rows_of(w), w.indices, np.sign(w.data))
