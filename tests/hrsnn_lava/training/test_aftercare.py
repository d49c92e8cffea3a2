"""Rates of pruned networks brought back, and weaker weights where spikes inflate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.pruning.mean_current import mean_current, scaled_recurrence
from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.aftercare import AftercareOptions, aftercare
from hrsnn_lava.training.balance import GENTLE, BalanceOptions, rates

NONE = BalanceOptions(passes=0)


@pytest.fixture(scope="module")
def network() -> hl.Network:
    table = {"size": 60, "connectivity": {"mean_degree": 12.0}, "input": {"share": 0.5}}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)


@pytest.fixture(scope="module")
def shown() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((40, 2))


def test_the_mean_current_stays_where_weights_shrink(network: hl.Network) -> None:
    seen = np.random.default_rng(1).uniform(0.01, 0.1, 60)
    half = scaled_recurrence(network, 0.5, seen)
    before, after = recurrent_edges(network), recurrent_edges(half)
    np.testing.assert_allclose(after.weight, 0.5 * before.weight)
    lost = mean_current(network, before, before.weight - after.weight, seen)
    np.testing.assert_allclose(half.gather("bias"), network.gather("bias") + lost)


def test_rates_come_back(network: hl.Network, shown: np.ndarray) -> None:
    target = rates(network, shown)
    pruned = PruneBalanced(density=0.1)(network, Context(observed=Observed(target)))
    left = aftercare(pruned, shown, target, AftercareOptions(balance=NONE, gains=(1.0,)))
    cared = aftercare(pruned, shown, target, AftercareOptions(balance=replace(GENTLE, passes=60)))
    assert cared.error < 0.5 * left.error
    assert cared.ratio <= 1.1
    assert (cared.gain, [f.kind for f in cared.findings]) == (1.0, [])
    np.testing.assert_allclose(cared.rates, rates(cared.network, shown))


def test_the_first_gain_within_the_cap_is_taken(network: hl.Network, shown: np.ndarray) -> None:
    """Where nothing balances, a recurrence that excites more spikes the stronger it is."""
    target = rates(network, shown)
    strong = network
    for name in ("exc_exc", "exc_inh", "inh_exc", "inh_inh"):
        p = strong.projection(name)
        factor = 6.0 if name.startswith("exc") else 0.1
        strong = strong.with_projection(replace(p, weights=p.weights * factor))
    tried = {
        g: aftercare(strong, shown, target, AftercareOptions(gains=(g,), balance=NONE)).ratio
        for g in (1.0, 0.5, 0.1)
    }
    assert tried[1.0] > tried[0.5] > tried[0.1], tried
    assert tried[0.1] > 1.0, tried
    cap = (tried[1.0] + tried[0.5]) / 2
    between = AftercareOptions((1.0, 0.5, 0.1), cap=cap, balance=NONE)
    chosen = aftercare(strong, shown, target, between)
    assert chosen.gain == 0.5
    assert "spikes_inflate" not in [f.kind for f in chosen.findings]
    never = aftercare(strong, shown, target, AftercareOptions((1.0, 0.5), cap=1.0, balance=NONE))
    assert never.gain == 0.5  # the one with the fewest spikes
    assert never.findings[-1].kind == "spikes_inflate"


def test_wrong_options_are_named() -> None:
    with pytest.raises(SpecError, match=r"cap: 0\.5; allowed: >= 1"):
        AftercareOptions(cap=0.5)
    with pytest.raises(SpecError, match="gains"):
        AftercareOptions(gains=())


def test_spikes_are_confirmed_on_the_whole_input(network: hl.Network) -> None:
    """Biases are moved by the first samples, after which the input grows five-fold: the ratio is
    that of all samples, from other potentials, and the cap is about it."""
    rng = np.random.default_rng(0)
    shown = np.concatenate([rng.standard_normal((20, 2)), 5.0 * rng.standard_normal((60, 2))])
    target = rates(network, shown[:20])
    few = BalanceOptions(passes=0, samples=20)
    seen = aftercare(network, shown, target, AftercareOptions((1.0,), balance=few, confirm=False))
    whole = aftercare(network, shown, target, AftercareOptions((1.0,), balance=few))
    assert seen.ratio == pytest.approx(1.0)
    truth = rates(network, shown, seed=123).sum() / target.sum()
    assert truth > 1.3
    assert whole.ratio == pytest.approx(truth, rel=0.05)
    np.testing.assert_array_equal(whole.rates, seen.rates)
    assert [f.kind for f in seen.findings] == []
    assert [f.kind for f in whole.findings] == ["spikes_inflate"]
    again = aftercare(network, shown, target, AftercareOptions((1.0,), balance=few))
    assert again.ratio == whole.ratio
