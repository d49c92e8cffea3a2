"""What every pruning pass owes: signs, determinism, a valid network, an honest report."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_activity import PruneActivity
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population

#: What a run showed of the neurons, for the method that asks for it.
SEEN = Context(observed=Observed(np.random.default_rng(0).uniform(0.01, 0.1, 100)))
PASSES: dict[str, Callable[..., Any]] = {
    "lyapunov": PruneLyapunov,
    "random": PruneRandom,
    "magnitude": PruneMagnitude,
    "activity": PruneActivity,
    "balanced": PruneBalanced,
}
each_pass = pytest.mark.parametrize("make", PASSES.values(), ids=PASSES)


def same(a: Network, b: Network) -> bool:
    return all(
        np.array_equal(p.weights.data, q.weights.data)
        and np.array_equal(p.weights.indices, q.weights.indices)
        and np.array_equal(p.weights.indptr, q.weights.indptr)
        for p, q in zip(a.projections, b.projections, strict=True)
    )


@each_pass
@settings(max_examples=8, deadline=None)
@given(density=st.floats(0.0, 1.0), mode=st.sampled_from(["none", "match"]))
def test_signs_inputs_and_density_are_kept(
    make: Callable[..., Any], balanced: Network, density: float, mode: Any
) -> None:
    before = recurrent_edges(balanced).matrix.toarray()
    pruned, report = make(density, rescale=Rescale(mode)).apply(balanced, SEEN)
    pruned.verify()
    after = recurrent_edges(pruned).matrix.toarray()
    assert (after * before >= 0).all()
    assert not after[before == 0].any()  # no synapse that was not there
    assert report["synapses_after"] == recurrent_edges(pruned).n_edges
    assert report["synapses_before"] == np.count_nonzero(before)
    assert report["density_kept"] == pytest.approx(density, abs=0.06)
    for name in ("inp_exc", "inp_inh"):
        assert (balanced.projection(name).weights != pruned.projection(name).weights).nnz == 0
    if mode == "none":
        np.testing.assert_array_equal(after[after != 0], before[after != 0])


@each_pass
def test_same_options_give_the_same_network(make: Callable[..., Any], balanced: Network) -> None:
    options = make(0.3)
    first, report = options.apply(balanced, SEEN)
    assert same(first, options(balanced, SEEN))
    plain = {key: value for key, value in report.items() if key != "findings"}
    assert json.loads(json.dumps(plain)) == plain
    assert isinstance(options.name, str)


@pytest.mark.parametrize("make", [PruneLyapunov, PruneRandom])
def test_seeds_differ(make: Callable[..., Any], balanced: Network) -> None:
    assert not same(make(0.3, seed=1)(balanced), make(0.3, seed=2)(balanced))


@each_pass
@pytest.mark.parametrize(
    ("density", "allowed"), [(-0.1, ">= 0"), (1.5, "<= 1"), (float("nan"), "<= 1")]
)
def test_density_out_of_range(make: Callable[..., Any], density: float, allowed: str) -> None:
    with pytest.raises(SpecError, match=f"density: {density}; allowed: {allowed}"):
        make(density)


@each_pass
def test_extreme_densities_keep_all_or_nothing(make: Callable[..., Any], balanced: Network) -> None:
    assert same(make(1.0)(balanced, SEEN), balanced)
    assert recurrent_edges(make(0.0)(balanced, SEEN)).n_edges == 0


@pytest.mark.parametrize("make", [PruneLyapunov, PruneRandom, PruneMagnitude])
def test_a_network_without_recurrence_is_left_alone(make: Callable[..., Any]) -> None:
    alone = Network(1e-3, (Population("exc", 3, LIF(0.02)),))
    pruned, report = make(0.5).apply(alone)
    assert pruned.n_synapses == 0
    assert report["density_kept"] == 1.0
