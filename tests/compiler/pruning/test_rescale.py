from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.pruning.rescale import (
    Rescale,
    inverse_gains,
    match_gains,
    rescale_gains,
)
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import Network


def edges_of(post: list[int], weight: list[float]) -> RecurrentEdges:
    size = len(post)
    return RecurrentEdges(
        max(post) + 1,
        np.array(post),
        np.arange(size) % (max(post) + 1),
        np.array(weight),
        ("all",),
        np.array([0, size]),
    )


def test_match_keeps_the_input_of_each_sign() -> None:
    edges = edges_of([0, 0, 0, 0, 1], [1.0, 3.0, -2.0, -6.0, 5.0])
    keep = np.array([True, False, True, False, True])
    gain, report = match_gains(edges, keep)
    np.testing.assert_allclose(gain, [4.0, 1.0, 4.0, 1.0, 1.0])
    assert report == {
        "groups": 3,
        "groups_capped": 0,
        "groups_emptied": 0,
        "weight_kept": pytest.approx(1.0),
    }


def test_match_is_capped_and_counts_what_it_cannot_keep() -> None:
    edges = edges_of([0, 0, 1, 2], [1.0, 99.0, -4.0, 6.0])
    keep = np.array([True, False, False, True])
    gain, report = match_gains(edges, keep)
    np.testing.assert_allclose(gain, [50.0, 1.0, 1.0, 1.0])
    assert (report["groups_capped"], report["groups_emptied"]) == (1, 1)
    assert report["weight_kept"] == pytest.approx(56.0 / 110.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0.05, 1.0))
def test_match_sums_over_all_projections_onto_the_neuron(
    balanced: Network, seed: int, share: float
) -> None:
    edges = recurrent_edges(balanced)
    keep = np.random.default_rng(seed).random(edges.n_edges) < share
    gain, _ = match_gains(edges, keep, cap=np.inf)
    before = edges.matrix.toarray()
    after = np.zeros_like(before)
    after[edges.post[keep], edges.pre[keep]] = (gain * edges.weight)[keep]
    for part in (slice(0, 80), slice(80, 100)):
        kept = np.abs(after[:, part]).sum(axis=1)
        full = np.abs(before[:, part]).sum(axis=1)
        np.testing.assert_allclose(kept[kept > 0], full[kept > 0])


def test_inverse_gains_are_damped_and_capped() -> None:
    p = np.array([1.0, 0.5, 0.1, 0.01])
    np.testing.assert_allclose(inverse_gains(p), [1.0, 2.0, 10.0, 10.0])
    np.testing.assert_allclose(inverse_gains(p, 0.5, 1e9), [1.0, 1.5, 5.5, 50.5])
    np.testing.assert_allclose(inverse_gains(p, 0.0), 1.0)


def test_inverse_gains_are_unbiased(balanced: Network) -> None:
    edges = recurrent_edges(balanced)
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 1.0, edges.n_edges)
    total = np.zeros(edges.n_edges)
    for _ in range(400):
        keep = rng.random(edges.n_edges) < p
        total += keep * rescale_gains(edges, keep, Rescale("inverse"), p)[0]
    assert (total / 400).mean() == pytest.approx(1.0, abs=0.01)


def test_none_leaves_the_weights(balanced: Network) -> None:
    edges = recurrent_edges(balanced)
    keep = np.zeros(edges.n_edges, dtype=bool)
    gain, report = rescale_gains(edges, keep, Rescale())
    np.testing.assert_array_equal(gain, 1.0)
    assert report == {"mode": "none", "gain_mean": 1.0, "gain_max": 1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "double"}, "mode: 'double'; allowed: 'none', 'inverse', 'match' or 'refit'"),
        (
            {"mode": "inverse"},
            "rescale.mode: inverse, without probabilities; allowed: none, match or refit",
        ),
        ({"mode": "match", "gamma": 2.0}, "gamma: 2.0; allowed: <= 1"),
        ({"mode": "match", "cap": 0.5}, "cap: 0.5; allowed: >= 1"),
    ],
)
def test_faults_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        rescale_gains(edges_of([0], [1.0]), np.array([True]), Rescale(**options))


def test_the_papers_name_of_the_inverse_is_still_read() -> None:
    with pytest.warns(FutureWarning, match="1/p is called inverse now"):
        assert Rescale("1/p", 0.5) == Rescale("inverse", 0.5)  # type: ignore[arg-type]
