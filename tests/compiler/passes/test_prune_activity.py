from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.prune_activity import PruneActivity
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection

WEIGHTS = np.array([[0.0, 1.0, 4.0], [3.0, 0.0, 5.0], [2.0, 6.0, 0.0]])


def triangle() -> Network:
    return Network(
        1e-3,
        (Population("pop", 3, LIF(0.02)),),
        (Projection("rec", "pop", "pop", WEIGHTS),),
    )


def kept(options: PruneActivity) -> NDArray[Any]:
    found: NDArray[Any] = options(triangle()).projection("rec").weights.toarray() > 0
    return found


def test_density_keeps_what_carries_most_current_between_active_neurons() -> None:
    rates = np.array([1.0, 2.0, 0.1])
    # |w| r_pre r_post: 01: 2, 02: .4, 10: 6, 12: 1, 20: .2, 21: 1.2
    expected = np.zeros((3, 3), dtype=bool)
    expected[[0, 1, 2], [1, 0, 1]] = True
    np.testing.assert_array_equal(kept(PruneActivity(rates, density=0.5)), expected)


def test_sop_budget_goes_by_value_per_operation() -> None:
    rates = np.array([1.0, 2.0, 0.5])
    # |w| r_post: 12: 10, 10: 6, 02: 4, 21: 3, 01: 1, 20: 1; cost r_pre: .5, 1, .5, 2, 2, 1 of 7
    expected = np.zeros((3, 3), dtype=bool)
    expected[[1, 1, 0], [2, 0, 2]] = True
    found = PruneActivity(rates, sop_share=2.1 / 7.0)
    np.testing.assert_array_equal(kept(found), expected)
    report = found.apply(triangle())[1]
    assert report["sop_before"] == 7.0
    assert report["sop_after"] == 2.0


def test_silent_neurons_are_free_but_useless() -> None:
    rates = np.array([1.0, 2.0, 0.0])
    expected = np.zeros((3, 3), dtype=bool)
    expected[[0, 1], [1, 0]] = True
    options = PruneActivity(rates, sop_share=1.0)
    np.testing.assert_array_equal(kept(options), expected)
    assert options.apply(triangle())[1]["silent_synapses"] == 4


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_budget_is_kept_and_nearly_used_up(balanced: Network, share: float) -> None:
    rates = np.random.default_rng(1).gamma(1.0, 0.05, 100)
    pruned, report = PruneActivity(rates, sop_share=share, rescale=Rescale("match")).apply(balanced)
    spent = rates[recurrent_edges(pruned).pre].sum()
    assert spent == pytest.approx(report["sop_after"])
    budget = share * report["sop_before"]
    assert budget - rates.max() <= spent <= budget * (1 + 1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (PruneActivity(np.ones(3)), "either density or sop_share"),
        (PruneActivity(np.ones(3), 0.5, 0.5), "either density or sop_share"),
        (PruneActivity(np.ones(3), sop_share=2.0), "sop_share: 2.0; allowed: 0 to 1"),
        (PruneActivity(np.ones(2), 0.5), r"rates: shape \(2,\); allowed: \(3,\)"),
        (PruneActivity(np.array([1, 1, -1.0]), 0.5), "rates: smallest -1"),
        (PruneActivity(np.ones(3), 0.5, rescale=Rescale("1/p")), "1/p without probabilities"),
    ],
)
def test_faults_are_named(options: PruneActivity, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        options(triangle())
