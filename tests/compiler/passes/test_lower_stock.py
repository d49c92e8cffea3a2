"""What becomes of a network in stock Processes, and why it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace, pair_stdp
from hrsnn_lava.compiler.passes.lower_stock import LowerStock, lower_stock, stock_report
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

STDP = pair_stdp((1, 0), (1, 0), 10, 10)


def network(weights=None, **options):
    """Four neurons in two groups, driven by a channel."""
    if weights is None:
        weights = np.arange(1, 17).reshape(4, 4) * 4
    fields = {"du": [9, 9, 7, 9], "dv": 100, "vth": [5, 5, 5, 5], "bias_mant": [1, 2, 3, 4]}
    return QuantizedNetwork(
        (QuantizedInput("in", 1), QuantizedPopulation("a", 4, bias_exp=[0, 1, 2, 3], **fields)),
        (
            QuantizedProjection("w", "a", "a", np.array(weights), **options),
            QuantizedProjection("x", "in", "a", np.ones((4, 1), int)),
        ),
        name="small",
    ).verify()


def refused(net, *, rules=1, **options):
    """The message of the refusal, one line for each violation."""
    with pytest.raises(CapacityError) as found:
        lower_stock(net, **options)
    assert found.value.exit_code == 4
    assert len(found.value.violations) == rules
    return str(found.value)


def test_groups_differ_in_du_dv_or_vth_and_in_nothing_else():
    split = lower_stock(network())
    populations = split.network.compute_populations
    assert [(p.name, p.size) for p in populations] == [("a.0", 1), ("a.1", 3)]
    assert split.neurons.tolist() == [2, 0, 1, 3]
    for population in populations:
        for field in ("du", "dv", "vth"):
            assert np.unique(population.parameter(field)).size == 1
    assert populations[1].bias_exp.tolist() == [0, 1, 3]  # Lava has these per neuron


def test_processes_are_counted_as_they_are_made():
    split = lower_stock(network())
    report = stock_report(network())
    assert report["groups"] == {"a": 2}
    assert report["lif"] == len(split.network.compute_populations) == 2
    assert report["connections"] == len(split.network.projections) == 4 + 2
    assert report["sources"] == 1
    assert report["processes"] == 9


def test_each_learning_profile_is_a_connection():
    """By column in turn: the group of neuron 2 sends along one profile, the other along both."""
    learning = Learning((STDP, STDP), profile=np.arange(16) % 2)
    assert stock_report(network(learning=learning))["connections"] == 2 * (1 + 2) + 2


@pytest.mark.parametrize(("bound", "fits"), [(8, False), (9, True), (10, True)])
def test_the_number_of_processes_is_bounded(bound, fits):
    if fits:
        assert lower_stock(network(), bound).network.n_neurons == 4
        return
    text = refused(network(), max_processes=bound)
    assert "9 Processes: 2 LIF (a 2), 6 connections, 1 sources" in text
    assert "allowed: 8" in text
    assert "StockGroups" in text


def test_a_bound_below_one_is_no_bound():
    with pytest.raises(SpecError, match="max_processes: 0; allowed: >= 1"):
        lower_stock(network(), 0)


def test_a_thousand_groups_are_refused_before_they_are_built():
    rng = np.random.default_rng(0)
    size = 1000
    population = QuantizedPopulation("a", size, du=0, dv=100, vth=np.arange(size))
    weights = rng.integers(0, 2, (size, size)) * 50
    big = QuantizedNetwork((population,), (QuantizedProjection("w", "a", "a", weights),))
    assert "1,000 LIF (a 1000)" in refused(big)


def test_a_refractory_period_is_named():
    net = network()
    population = replace(net.population("a"), refractory=[0, 2, 3, 0])
    text = refused(net.with_population(population))
    assert "refractory period: population 'a': 2 of 4 neurons, up to 3 steps" in text
    assert "HeterogeneousLIF" in text


def test_a_negative_exponent_is_named_where_it_rounds():
    text = refused(network(weight_exp=-3))
    assert "weight exponent: projection 'w': weight_exp -3" in text
    assert "the sums of 4 neurons" in text
    assert lower_stock(network(weight_exp=-2)).network.n_neurons == 4  # all are multiples of 4


def test_learning_is_named_where_no_stock_connection_does_the_same():
    learns = {"learning": STDP, "sign_mode": "excitatory"}
    holes = np.arange(1, 17).reshape(4, 4) * 4
    holes[0, 0] = 0
    text = refused(network(holes, **learns))
    assert "learning: projection 'w': sign mode excitatory" in text
    assert "absent synapses in 1 of 4 connections" in text
    lower_stock(network(**learns))  # no pair is without a synapse: LearningDense
    lower_stock(network(holes, learning=STDP))  # LearningSparse


def test_all_that_forbids_sparse_learning_is_listed():
    products = (
        Product("y0", 1, 0, (Factor("x1"), Factor("t"))),
        Product("x0", 1, 0, (Factor("w"),)),
    )
    rule = LearningRule(dw=products, x1=Trace(10, 5))
    holes = np.eye(4, dtype=int) * 40
    text = refused(network(holes, learning=Learning((rule,), plastic_zeros=True)))
    assert "factor w, factor t, weights of 0 that learn" in text


def test_everything_is_reported_at_once():
    holes = np.eye(4, dtype=int)[::-1] * 5 + np.eye(4, dtype=int) * 7
    net = network(holes, weight_exp=-3, learning=STDP, sign_mode="excitatory")
    net = net.with_population(replace(net.population("a"), refractory=1))
    text = refused(net, rules=4, max_processes=1)
    for words in ("refractory period", "weight exponent", "learning", "processes"):
        assert f"- {words}: " in text


def test_it_is_a_pass_with_a_record():
    changed, record = run_pass(network(), LowerStock(20))
    assert changed.n_synapses == network().n_synapses
    assert (record.name, record.options) == ("lower_stock", {"max_processes": 20})
    assert record.report["processes"] == 9


# --- sharing parameters ------------------------------------------------------------------------


def many(size=300):
    rng = np.random.default_rng(1)
    dv = np.clip(4096 / rng.gamma(5, 4, size), 1, 4095).astype(int)
    vth = (rng.uniform(0.8, 1.2, size) * 4096 * 20 / dv).astype(int)
    population = QuantizedPopulation("a", size, du=700, dv=dv, vth=vth, refractory=1)
    return QuantizedNetwork((population, QuantizedPopulation("b", 2, du=0, dv=[1, 2], vth=3)))


@pytest.mark.parametrize("groups", [1, 4, 16])
def test_groups_are_as_few_as_asked_for(groups):
    shared, report = StockGroups(groups).apply(many())
    shared.verify()
    assert stock_report(shared)["groups"]["a"] <= groups
    assert report["a"]["after"] <= groups
    assert report["a"]["before"] > 200
    assert np.array_equal(shared.population("a").refractory, many().population("a").refractory)


def test_more_groups_cost_less():
    changes = [StockGroups(k).apply(many())[1]["a"]["tau_mem"]["median"] for k in (1, 4, 32)]
    assert changes[0] > changes[1] > changes[2]
    assert changes[2] < 0.06


def test_few_sets_stay_as_they_are():
    shared, report = StockGroups(2).apply(many())
    assert report["b"] == {"before": 2, "after": 2}
    assert shared.population("b").dv.tolist() == [1, 2]


def test_two_clear_clusters_are_found_with_their_means():
    """Rates of 1/10 and 1/40 a step, 5 % around; the means are known."""
    rate = np.concatenate([0.1 * np.array([0.95, 1.0, 1.05]), 0.025 * np.array([0.95, 1, 1.05])])
    dv = np.rint(-4096 * np.expm1(-rate)).astype(int)
    population = QuantizedPopulation("a", 6, du=99, dv=dv, vth=np.rint(9e5 / dv).astype(int))
    shared = StockGroups(2)(QuantizedNetwork((population,))).population("a")
    assert np.unique(shared.dv[:3]).size == np.unique(shared.dv[3:]).size == 1
    assert abs(shared.dv[0] - 4096 * -np.expm1(-0.1)) <= 2
    assert abs(shared.dv[3] - 4096 * -np.expm1(-0.025)) <= 2
    assert np.allclose(shared.vth * shared.dv, 9e5, rtol=0.01)
    assert np.unique(shared.du).tolist() == [99]


def test_no_groups_are_refused():
    with pytest.raises(SpecError, match="groups: 0; allowed: >= 1"):
        StockGroups(0)(many())
