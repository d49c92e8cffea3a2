"""The rows beside STDP: what each keeps, what it leaves out, and at which rate."""

from __future__ import annotations

import numpy as np
import pytest
from stdp_networks import noise, recurrent

from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.balance import rates
from hrsnn_lava.training.controls import ROWS, ControlOptions, scaled, shuffled, stdp_controls
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

LESSON = [noise(k, 100, 10, 0.1) for k in range(15)]


@pytest.fixture(scope="module")
def trained():
    network = recurrent(0)
    return network, train_stdp(network, LESSON, seed=1)


@pytest.mark.parametrize("within", ["projection", "target"])
def test_shuffled_weights_are_the_learned_ones_elsewhere(trained, within):
    network, training = trained
    dealt = shuffled(network, training.weights, np.random.default_rng(0), within)
    for name, learned in training.weights.items():
        after, before = (n.projection(name) for n in (dealt, network))
        assert sorted(after.weights.data) == sorted(learned[learned != 0])
        assert not np.array_equal(
            after.weights.toarray(), training.network.projection(name).weights.toarray()
        )
        pattern = before.weights.toarray() != 0
        assert not np.any((after.weights.toarray() != 0) & ~pattern)
        rows = rows_of(before.weights)
        totals = np.bincount(rows, weights=learned, minlength=before.weights.shape[0])
        sums = np.asarray(after.weights.sum(axis=1)).ravel()
        assert np.allclose(sums, totals) is (within == "target")
    untouched = dealt.projection("exc_inh").weights
    assert (untouched != network.projection("exc_inh").weights).nnz == 0


def test_scaled_weights_have_the_learned_mean_and_the_shape_of_the_start(trained):
    network, training = trained
    result = scaled(network, training.weights)
    for name, learned in training.weights.items():
        before, after = network.projection(name).weights.data, result.projection(name).weights.data
        np.testing.assert_allclose(after / before, training.gain[name], rtol=1e-12)
        assert np.abs(after).mean() == pytest.approx(np.abs(learned).mean())


def test_all_rows_at_their_rates():
    controls = stdp_controls(recurrent(0), LESSON, STDPOptions(), seed=1)
    assert tuple(controls.rows) == ROWS
    target = rates(recurrent(0), LESSON, seed=1)
    assert np.array_equal(controls.target, target)
    for name in ("stdp_balanced", "shuffled", "scaled"):
        row = controls.rows[name]
        assert row.rate == pytest.approx(target.mean(), rel=0.02)
        assert row.rate_error < 0.05
        assert np.array_equal(rates(row.network, LESSON, seed=1), row.rates)
        assert all(p.plasticity is None for p in row.network.projections)
    stdp, same_rate = controls.rows["stdp"], controls.rows["none_at_stdp"]
    assert abs(stdp.rate / target.mean() - 1) > 0.02
    assert same_rate.rate == pytest.approx(stdp.rate, rel=0.02)
    assert np.corrcoef(same_rate.rates, stdp.rates)[0, 1] > 0.98
    start = controls.rows["none"].network
    for name in ("none", "none_at_stdp"):
        for p in controls.rows[name].network.projections:
            assert (p.weights != start.projection(p.name).weights).nnz == 0
    learned = controls.training.network
    for p in controls.rows["stdp_balanced"].network.projections:
        assert (p.weights != learned.projection(p.name).weights).nnz == 0


def test_a_common_target_holds_before_learning_too():
    controls = stdp_controls(
        recurrent(0), LESSON, target_rate=0.03, control=ControlOptions("target"), seed=1
    )
    assert controls.rows["none"].rate == pytest.approx(0.03, rel=0.02)
    assert controls.training.history.rate[0] == pytest.approx(0.03, rel=0.1)
    assert controls.rows["shuffled"].rate == pytest.approx(0.03, rel=0.02)


def test_weights_of_another_network_are_refused(trained):
    _, training = trained
    with pytest.raises(SpecError, match=r"weights\['inp_exc'\]: shape"):
        scaled(recurrent(5), training.weights)
