from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
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


def seen(rates: Any) -> Context:
    """What a run showed."""
    return Context(observed=Observed(np.asarray(rates, dtype=np.float64)))


def survivors(options: PruneActivity, rates: Any) -> NDArray[Any]:
    pruned = options(triangle(), seen(rates))
    mask: NDArray[Any] = pruned.projection("rec").weights.toarray() > 0
    return mask


def test_density_keeps_what_carries_most_current_between_active_neurons() -> None:
    rates = np.array([1.0, 2.0, 0.1])
    # |w| r_pre r_post: 01: 2, 02: .4, 10: 6, 12: 1, 20: .2, 21: 1.2
    expected = np.zeros((3, 3), dtype=bool)
    expected[[0, 1, 2], [1, 0, 1]] = True
    np.testing.assert_array_equal(survivors(PruneActivity(density=0.5), rates), expected)


def test_sop_budget_goes_by_value_per_operation() -> None:
    rates = np.array([1.0, 2.0, 0.5])
    # |w| r_post: 12: 10, 10: 6, 02: 4, 21: 3, 01: 1, 20: 1; cost r_pre: .5, 1, .5, 2, 2, 1 of 7
    expected = np.zeros((3, 3), dtype=bool)
    expected[[1, 1, 0], [2, 0, 2]] = True
    options = PruneActivity(sop_ratio=7.0 / 2.1)
    np.testing.assert_array_equal(survivors(options, rates), expected)
    report = options.apply(triangle(), seen(rates))[1]
    assert report["sop_before"] == 7.0
    assert report["sop_after"] == 2.0


def test_silent_neurons_are_free_but_useless() -> None:
    rates = np.array([1.0, 2.0, 0.0])
    expected = np.zeros((3, 3), dtype=bool)
    expected[[0, 1], [1, 0]] = True
    options = PruneActivity(sop_ratio=1.0)
    np.testing.assert_array_equal(survivors(options, rates), expected)
    assert options.apply(triangle(), seen(rates))[1]["silent_synapses"] == 4


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_budget_is_kept_and_nearly_used_up(balanced: Network, share: float) -> None:
    rates = np.random.default_rng(1).gamma(1.0, 0.05, 100)
    options = PruneActivity(sop_ratio=1 / share, rescale=Rescale("match"))
    pruned, report = options.apply(balanced, seen(rates))
    spent = rates[recurrent_edges(pruned).pre].sum()
    assert spent == pytest.approx(report["sop_after"])
    budget = share * report["sop_before"]
    assert budget - rates.max() <= spent <= budget * (1 + 1e-9)


@pytest.mark.parametrize(
    ("options", "rates", "message"),
    [
        ({}, np.ones(3), "budget: none of them; allowed: one of density, sops_per_spike"),
        ({"density": 0.5, "sops": 0.5}, np.ones(3), "budget: density and sops; allowed: one of"),
        ({"sop_ratio": 0.5}, np.ones(3), "sop_ratio: 0.5; allowed: >= 1"),
        ({"sop_share": 0.0}, np.ones(3), "sop_share: unknown key"),
        ({"density": 0.5}, np.ones(2), r"rates: shape \(2,\); allowed: \(3,\)"),
        ({"density": 0.5}, np.array([1, 1, -1.0]), "rates: -1, 1 such; allowed: numbers >= 0"),
        (
            {"density": 0.5, "rescale": Rescale("inverse")},
            np.ones(3),
            "inverse, without probabilities",
        ),
    ],
)
def test_faults_are_named(options: dict[str, Any], rates: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        PruneActivity(**options)(triangle(), seen(rates))


def test_without_a_run_there_is_nothing_to_go_by() -> None:
    with pytest.raises(SpecError, match=r"rates: not known; allowed: \(3,\)\. Give `rates`"):
        PruneActivity(density=0.5)(triangle())
    with pytest.raises(SpecError, match="rates: not known"):  # one number says nothing of neurons
        PruneActivity(density=0.5)(triangle(), Context(observed=Observed(0.1)))
