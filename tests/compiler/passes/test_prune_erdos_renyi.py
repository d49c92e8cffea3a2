"""A random graph in the place of the recurrence: what it keeps, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse, stats

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_erdos_renyi import PruneErdosRenyi
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP

RATES = np.random.default_rng(0).uniform(0.01, 0.1, 100)
SEEN = Context(observed=Observed(RATES))


def marked(seed: int) -> Network:
    """Delays and learning parameters carry the weight itself, so that a mix-up shows."""
    rng = np.random.default_rng(seed)

    def table(post: int, pre: int, density: float) -> sparse.csr_matrix:
        dense = (rng.random((post, pre)) < density) * rng.uniform(0.1, 1.0, (post, pre))
        if post == pre:
            np.fill_diagonal(dense, 0.0)
        return sparse.csr_matrix(dense)

    loops = table(12, 12, 0.3)
    size = loops.data
    rule = STDP(a_plus=size, a_minus=0.1, tau_plus=3 * size, w_max=2 * size)
    populations = (
        Population("inp", 3, Input()),
        Population("exc", 12, LIF(0.02), sign="excitatory"),
        Population("inh", 6, LIF(0.01), sign="inhibitory"),
    )
    projections = (
        Projection("inp_exc", "inp", "exc", table(12, 3, 0.5)),
        Projection("exc_exc", "exc", "exc", loops, delays=size, plasticity=rule),
        Projection("exc_inh", "exc", "inh", table(6, 12, 0.3), delays=0.002),
        Projection("inh_exc", "inh", "exc", -table(12, 6, 1.0)),
    )
    return Network(1e-3, populations, projections).verify()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 50), density=st.floats(0, 1))
def test_the_same_share_of_every_projection_as_copies(seed: int, density: float) -> None:
    before = marked(seed)
    options = PruneErdosRenyi(density=density, rescale="none", seed=seed)
    after, report = options.apply(before)
    whole, left = recurrent_edges(before), recurrent_edges(after)
    assert left.n_edges == round(density * whole.n_edges) == report["synapses_after"]
    for name, count in zip(whole.names, np.diff(whole.bounds), strict=True):
        old, new = before.projection(name), after.projection(name)
        assert abs(new.n_synapses - density * count) < 2.0
        assert new.weights.has_canonical_format  # no pair twice
        assert set(new.weights.data) <= set(old.weights.data)
    loops = after.projection("exc_exc")
    assert not loops.weights.diagonal().any()
    rule = loops.plasticity
    assert rule is not None
    for copied, factor in (
        (loops.delays, 1),
        (rule.a_plus, 1),
        (rule.tau_plus, 3),
        (rule.w_max, 2),
    ):
        np.testing.assert_allclose(copied, factor * loops.weights.data)
    assert after.projection("exc_inh").delays == 0.002
    same = before.projection("inp_exc").weights != after.projection("inp_exc").weights
    assert same.nnz == 0


def test_every_place_is_as_likely_as_any_other() -> None:
    """Chi-square of how often each place is taken, over places that may be; the diagonal never."""
    before, taken = marked(3), np.zeros((12, 12))
    count = round(0.5 * recurrent_edges(before).n_edges)
    for seed in range(300):
        after = PruneErdosRenyi(density=0.5, seed=seed)(before)
        taken += after.projection("exc_exc").weights.toarray() != 0
    assert count > 0
    places = taken[~np.eye(12, dtype=bool)]
    assert not taken.diagonal().any()
    # without replacement: a little less spread than independent draws
    expected = places.mean()
    statistic = ((places - expected) ** 2 / (expected * (1 - expected / 300))).sum()
    assert 0.001 < stats.chi2.sf(statistic, places.size - 1) < 0.999


def test_match_keeps_summed_weights(balanced: Network) -> None:
    after, report = PruneErdosRenyi(density=0.5, seed=2).apply(balanced)
    old, new = (recurrent_edges(n).matrix.toarray() for n in (balanced, after))
    for sign in (1, -1):
        had = (sign * old).clip(min=0).sum(axis=1)
        has = (sign * new).clip(min=0).sum(axis=1)
        both = (has > 0) & (had > 0)
        assert both.sum() > 80
        np.testing.assert_allclose(has[both], had[both])
    assert report["rescale"]["mode"] == "match"
    assert 0.95 < report["rescale"]["weight_kept"] <= 1.0
    # in a graph of 20 % a drawn place was one before by that chance
    assert report["at_old_places"] == pytest.approx(0.2 * report["synapses_after"], rel=0.25)


@pytest.mark.parametrize("budget", [{"sops_per_spike": 2.0}, {"sop_ratio": 5.0}, {"sops": 1.0}])
def test_budgets_of_operations_count_the_senders_that_were_drawn(
    balanced: Network, budget: dict[str, Any]
) -> None:
    after, report = PruneErdosRenyi(**budget, seed=1).apply(balanced, SEEN)
    edges = recurrent_edges(after)
    spent = RATES[edges.pre].sum()
    assert report["sop_after"] == pytest.approx(spent)
    allowed = report["budget"]["allowed"]
    assert allowed - RATES.max() <= spent <= allowed * (1 + 1e-9)
    shares = [c["after"] / c["before"] for c in report["projections"].values()]
    assert max(shares) - min(shares) < 0.03
    with pytest.raises(SpecError, match="rates: not known"):
        PruneErdosRenyi(**budget)(balanced)


def mixed(weights: NDArray[Any]) -> Network:
    n = len(weights)
    return Network(
        1e-3, (Population("p", n, LIF(0.02)),), (Projection("r", "p", "p", weights),)
    ).verify()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_in_a_population_of_both_kinds_senders_keep_their_sign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 0.0, 1.0], 15)  # some send nothing
    before = mixed(signs * rng.random((15, 15)) * (rng.random((15, 15)) < 0.5))
    after = PruneErdosRenyi(density=1.0, rescale="none", seed=seed)(before)
    table = after.projection("r").weights.toarray()
    assert not ((table > 0).any(axis=0) & (table < 0).any(axis=0)).any()
    sends = (before.projection("r").weights.toarray() != 0).any(axis=0)
    for column in np.flatnonzero(sends):
        assert (table[:, column] * signs[column] >= 0).all()
    assert np.count_nonzero(table) == before.projection("r").n_synapses


def test_a_graph_that_is_full_stays_full() -> None:
    weights = np.arange(1.0, 17.0).reshape(4, 4)
    after = PruneErdosRenyi(density=1.0, rescale="none", seed=0)(mixed(weights))
    assert after.projection("r").n_synapses == 16  # it had loops, and so may have some
    assert PruneErdosRenyi(density=0.0)(mixed(weights)).projection("r").n_synapses == 0
    assert PruneErdosRenyi(density=0.5)(mixed(np.zeros((3, 3)))).projection("r").n_synapses == 0


def test_it_repeats_with_its_seed(balanced: Network) -> None:
    def places(seed: int) -> bytes:
        return recurrent_edges(PruneErdosRenyi(density=0.1, seed=seed)(balanced)).pre.tobytes()

    assert places(1) == places(1) != places(2)


def test_a_refit_uses_the_inputs_that_were_drawn(balanced: Network) -> None:
    rows = np.random.default_rng(1).normal(size=(400, 100))
    seen = Context(observed=Observed(RATES, covariance=np.cov(rows.T)))
    after, report = PruneErdosRenyi(density=0.5, rescale="refit", seed=1).apply(balanced, seen)
    assert (recurrent_edges(after).weight != 0).all()
    refit = report["rescale"]
    # about half of the places of 20 % were ones before: of the variance no more can be kept
    assert refit["variance_kept_unscaled"] < 0 < refit["variance_kept"] < 0.4
    assert report["synapses_after"] == recurrent_edges(after).n_edges
    with pytest.raises(SpecError, match="inverse, without probabilities"):
        PruneErdosRenyi(density=0.5, rescale="inverse")(balanced)
