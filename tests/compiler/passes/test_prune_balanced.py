"""Balanced pruning: what is kept, what is said of it, and the current that is made up for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection

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


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "budget: none of them; allowed: one of density"),
        ({"density": 0.1, "sops": 2.0}, "budget: density and sops"),
        ({"sop_ratio": 0.9}, "sop_ratio: 0.9; allowed: >= 1"),
        ({"sops_per_spike": -1.0}, "sops_per_spike: -1.0; allowed: >= 0"),
        ({"density": 0.5, "rule": "magic"}, "rule: 'magic'; allowed: 'covers', 'one_input'"),
        ({"density": 0.5, "gain": 0.0}, "gain: 0.0; allowed: > 0"),
    ],
)
def test_faults_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PruneBalanced(**table)
