"""Balanced pruning: what is kept, what is said of it, and the current that is made up for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced, prune_balanced
from hrsnn_lava.compiler.pruning.edge_scoring import Evidence, Scoring, score_edges
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection
from hrsnn_lava.seeding import generator

RATES = np.random.default_rng(0).uniform(0.01, 0.1, 100)
SEEN = Context(observed=Observed(RATES))


def degrees(network: Network) -> tuple[NDArray[Any], NDArray[Any]]:
    edges = recurrent_edges(network)
    return np.bincount(edges.pre, minlength=100), np.bincount(edges.post, minlength=100)


def test_one_operation_a_spike_is_one_cover(balanced: Network) -> None:
    pruned, report = PruneBalanced(sops_per_spike=1.0).apply(balanced, SEEN)
    out, into = degrees(pruned)
    assert out.tolist() == into.tolist() == [1] * 100
    assert report["covers"] == 1
    assert report["sop_after"] == pytest.approx(RATES.sum())
    assert (report["without_input"], report["without_output"]) == (0, 0)
    assert (report["structural_rank"], report["findings"]) == (100, ())


def test_one_input_leaves_nobody_without_one_but_many_without_an_output(balanced: Network) -> None:
    options = PruneBalanced(density=100 / recurrent_edges(balanced).n_edges, rule="one_input")
    pruned, report = options.apply(balanced, SEEN)
    assert degrees(pruned)[1].tolist() == [1] * 100
    assert report["without_input"] == 0
    assert 20 < report["without_output"] < 60  # e^-1 of them, at random
    outputs = PruneBalanced(density=options.density, rule="one_output")(balanced, SEEN)
    assert degrees(outputs)[0].tolist() == [1] * 100


def test_above_one_and_a_half_synapses_a_neuron_it_says_that_chance_is_as_good(
    balanced: Network,
) -> None:
    report = PruneBalanced(sops_per_spike=2.0).apply(balanced, SEEN)[1]
    assert [f.kind for f in report["findings"]] == ["balance_buys_nothing"]
    assert report["covers"] == 0
    forced = PruneBalanced(sops_per_spike=2.0, beyond="rule").apply(balanced, SEEN)[1]
    assert (forced["covers"], forced["findings"]) == (2, ())


def test_biases_make_up_for_the_mean_current_that_is_lost() -> None:
    """By hand: 0.02 and 0.03 spikes a step, of which a current with tau_syn gathers 1/(1 - a)."""
    weights = np.array([[0.0, 0.5, -0.2], [0.3, 0.0, 0.0], [0.0, 0.4, 0.0]])
    lif = LIF(0.02, tau_syn=0.01, bias=0.25)
    network = Network(1e-3, (Population("p", 3, lif),), (Projection("r", "p", "p", weights),))
    rates = np.array([0.02, 0.03, 0.05])
    seen = Context(observed=Observed(rates))
    plain = PruneBalanced(density=0.5, rescale=Rescale("none"), seed=3)(network, seen)
    kept = plain.projection("r").weights.toarray()
    gathered = 1.0 / (1.0 - np.exp(-0.1))
    np.testing.assert_allclose(plain.gather("bias"), 0.25 + gathered * (weights - kept) @ rates)
    # what rescaling puts in place of it is no loss
    louder = PruneBalanced(density=0.5, rescale=Rescale("none"), gain=2.0, seed=3)(network, seen)
    lost = (weights - 2.0 * kept) @ rates
    np.testing.assert_allclose(louder.gather("bias"), 0.25 + gathered * lost)
    untouched = PruneBalanced(density=0.5, compensate=False, seed=3)(network)
    np.testing.assert_array_equal(untouched.gather("bias"), network.gather("bias"))


def test_match_never_gives_more_than_the_neuron_had(balanced: Network) -> None:
    """At one synapse a neuron half of the signs are empty: match is a bound, not an equality."""
    pruned, report = PruneBalanced(sops_per_spike=1.0).apply(balanced, SEEN)
    before, after = (recurrent_edges(n).matrix.toarray() for n in (balanced, pruned))
    for sign in (1, -1):
        had = np.where(before * sign > 0, before, 0.0).sum(axis=1)
        has = np.where(after * sign > 0, after, 0.0).sum(axis=1)
        assert (np.abs(has) <= np.abs(had) * (1 + 1e-12)).all()
    assert report["rescale"]["groups_emptied"] >= 80
    assert 0.2 < report["rescale"]["weight_kept"] < 0.9


def test_silent_neurons_are_not_free(balanced: Network) -> None:
    """With a floor under the costs a perfect cover still fits into one operation a spike."""
    rates = RATES.copy()
    rates[:40] = 0.0
    pruned, report = PruneBalanced(sops_per_spike=1.0).apply(
        balanced, Context(observed=Observed(rates))
    )
    assert degrees(pruned)[0].tolist() == [1] * 100
    assert report["sop_after"] == pytest.approx(rates.sum())


@pytest.mark.parametrize(
    ("wrong", "measured"),
    [
        (lambda r: -r, "-"),
        (lambda r: np.where(np.arange(r.size) == 3, np.nan, r), "nan at neuron 3 (1 in all)"),
        (lambda r: np.full(r.size, np.inf), "inf at neuron 0"),
        (lambda r: ["much"] * r.size, "['much'"),
        (lambda r: r[:, None], "shape ("),
    ],
)
def test_wrong_rates_are_refused_by_the_function_too(
    balanced: Network, wrong: Any, measured: str
) -> None:
    rates = wrong(np.linspace(0.01, 0.1, balanced.n_neurons))
    with pytest.raises(SpecError, match=re.escape(f"rates: {measured}")):
        prune_balanced(balanced, PruneBalanced(sops_per_spike=1.0), generator(0, "t"), rates)


def test_rates_may_be_a_list(balanced: Network) -> None:
    rates = np.linspace(0.01, 0.1, balanced.n_neurons)
    options = PruneBalanced(sops_per_spike=1.0)
    one, two = (prune_balanced(balanced, options, generator(0, "t"), r) for r in (rates, [*rates]))
    assert one[0].digest == two[0].digest


def test_rates_are_asked_for_where_they_are_needed(balanced: Network) -> None:
    with pytest.raises(SpecError, match=r"rates: not known; allowed: \(100,\)"):
        PruneBalanced(sops_per_spike=1.0)(balanced)
    assert PruneBalanced(density=0.1).needs_rates
    assert not PruneBalanced(density=0.1, compensate=False).needs_rates
    report = PruneBalanced(density=0.1).apply(balanced)[1]  # but nothing is made up for
    assert "current_not_compensated" in [f.kind for f in report["findings"]]
    wrong = Context(observed=Observed(RATES[:7]))
    with pytest.raises(SpecError, match=r"rates: shape \(7,\); allowed: \(100,\)"):
        PruneBalanced(density=0.1)(balanced, wrong)


def cover_of(network: Network, seen: Context, **table: Any) -> NDArray[Any]:
    """The synapses of one cover, by their flat places, sorted."""
    options = PruneBalanced(sops_per_spike=1.0, rescale=Rescale("none"), seed=5, **table)
    edges = recurrent_edges(options(network, seen))
    return np.sort(edges.post * network.n_neurons + edges.pre)


def heaviest_cover(network: Network, score: NDArray[Any]) -> NDArray[Any]:
    """By the Hungarian algorithm on ranks: an assignment of senders to receivers."""
    edges = recurrent_edges(network)
    n = edges.n_neurons
    table = np.full((n, n), -1e6)
    table[edges.pre, edges.post] = np.argsort(np.argsort(score))
    pre, post = linear_sum_assignment(table, maximize=True)
    return np.sort(post * n + pre)


def test_weights_of_a_score_take_the_cover_that_keeps_most_of_it(balanced: Network) -> None:
    """Against another algorithm, on the scores by their definitions."""
    edges = recurrent_edges(balanced)
    activity = np.random.default_rng(8).normal(size=(400, 100)) * np.linspace(0.1, 3.0, 100)
    c = np.cov(activity.T)
    seen = replace(SEEN, observed=Observed(RATES, covariance=c))
    signs = np.sign(edges.weight)
    distance = c[edges.post, edges.post] + c[edges.pre, edges.pre]
    distance = distance - 2.0 * signs * c[edges.post, edges.pre]
    np.testing.assert_array_equal(
        cover_of(balanced, seen, weights="noise_distance"), heaviest_cover(balanced, distance)
    )
    literal = score_edges(balanced, edges, Scoring(), Evidence(np.random.default_rng(0)))
    np.testing.assert_array_equal(
        cover_of(balanced, SEEN, weights="lyapunov"), heaviest_cover(balanced, literal.values)
    )
    assert not np.array_equal(cover_of(balanced, SEEN), cover_of(balanced, SEEN, weights="weight"))


def test_of_every_neuron_the_input_of_the_largest_score(balanced: Network) -> None:
    edges = recurrent_edges(balanced)
    options = PruneBalanced(density=100 / edges.n_edges, rule="one_input", weights="lyapunov")
    pruned = recurrent_edges(options(balanced, SEEN))
    scores = score_edges(balanced, edges, Scoring(), Evidence(np.random.default_rng(0))).values
    best = [edges.pre[edges.post == i][np.argmax(scores[edges.post == i])] for i in range(100)]
    assert pruned.pre[np.argsort(pruned.post)].tolist() == best


def test_the_report_says_what_weights_went_by(balanced: Network) -> None:
    plain = PruneBalanced(sops_per_spike=1.0).apply(balanced, SEEN)[1]
    assert plain["weights"] == "random"
    assert "scores" not in plain
    scored = PruneBalanced(sops_per_spike=1.0, weights="lyapunov").apply(balanced, SEEN)[1]
    assert scored["scores"]["coupling"] == "lyapunov"
    assert scored["scores"]["covariance"]["residual"] < 1e-10
    assert (scored["covers"], scored["without_input"], scored["without_output"]) == (1, 0, 0)


def test_a_covariance_is_asked_for_where_weights_go_by_it(balanced: Network) -> None:
    options = PruneBalanced(density=0.05, weights="noise_distance")
    assert options.needs_covariance
    assert not PruneBalanced(density=0.05, weights="lyapunov").needs_covariance
    with pytest.raises(SpecError, match=r"covariance: not known; allowed: \(100, 100\)"):
        options(balanced, SEEN)
    wrong = Context(observed=Observed(RATES, covariance=np.eye(7)))
    with pytest.raises(SpecError, match=r"covariance: shape \(7, 7\); allowed: \(100, 100\)"):
        options(balanced, wrong)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "budget: none of them; allowed: one of density"),
        ({"density": 0.1, "sops": 2.0}, "budget: density and sops"),
        ({"sop_ratio": 0.9}, "sop_ratio: 0.9; allowed: >= 1"),
        ({"sops_per_spike": -1.0}, "sops_per_spike: -1.0; allowed: >= 0"),
        ({"density": 0.5, "rule": "magic"}, "rule: 'magic'; allowed: 'covers', 'one_input'"),
        ({"density": 0.5, "gain": 0.0}, "gain: 0.0; allowed: > 0"),
        ({"density": 0.5, "weights": "luck"}, "weights: 'luck'; allowed: random, lyapunov, noise_"),
    ],
)
def test_faults_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PruneBalanced(**table)
