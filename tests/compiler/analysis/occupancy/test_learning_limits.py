"""What a core keeps for learning: counts, rules with their fixes, partition, default of K."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partitioned import partition
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.learning_limits import (
    learning_groups,
    needed_per_neuron,
)
from hrsnn_lava.compiler.analysis.occupancy.utilization import utilization
from hrsnn_lava.compiler.design_rules.check import PlacedNetwork, check
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.spec import Spec

LOIHI = HardwareProfile.load("loihi1")


def rule(tau, t_epoch=1, seed=0):
    return pair_stdp((1, 0), (1, 0), tau, 20, t_epoch=t_epoch, rng_seed=seed)


def learns(name, pre, post, profile, taus, n=4, **options):
    """All to all; column j follows ``profile[j]``."""
    learning = Learning(tuple(rule(tau, **options) for tau in taus), np.tile(profile, n))
    weights = sparse.csr_matrix(np.full((n, len(profile)), 3))
    return QuantizedProjection(name, pre, post, weights, sign_mode="excitatory", learning=learning)


def network(*projections, n=4, names=("a", "b")):
    populations = tuple(QuantizedPopulation(name, n, 700, 200, 100) for name in names)
    return QuantizedNetwork(populations, projections).verify()


def found(net, core_of=None, profile=LOIHI):
    cores = np.zeros(net.n_neurons, int) if core_of is None else core_of
    return check(PlacedNetwork.of(net, cores, profile))


@pytest.mark.parametrize(("limit", "fits"), [(3, False), (4, True), (5, True)])
def test_four_settings_against_limits_of_3_4_5(limit, fits):
    raw = LOIHI.to_dict()
    raw["core"]["trace_profiles"]["value"] = limit
    net = network(learns("p", "a", "b", [0, 1, 2, 3], [10, 20, 30, 40]))
    violations = found(net, profile=HardwareProfile.from_dict(raw))
    assert bool(violations) is not fits
    for violation in violations:
        assert violation.rule == "trace_profiles"
        assert violation.where == "population 'b', neuron 0"
        assert violation.measured == "4 settings of presynaptic traces on one neuron"
        assert violation.limit == "3"
        assert violation.fix == "cluster the rules of p into at most 3 (max_profiles)"


def test_rules_of_two_projections_on_one_core_are_told_apart_from_those_on_one_neuron():
    two = [
        learns("p", "a", "b", [0, 1, 1, 0], [10, 20]),
        learns("q", "a", "a", [0, 1, 1, 0], [30, 40]),
    ]
    (violation,) = found(network(*two))
    assert (violation.rule, violation.where) == ("trace_profiles", "core 0")
    assert violation.measured == "4 settings of presynaptic traces"
    assert violation.fix == "split core 0 into 2"
    assert not found(network(*two), np.repeat([0, 1], 4))
    on_one = [two[0], learns("q", "b", "b", [0, 1, 1, 0], [30, 40])]
    (violation,) = found(network(*on_one))
    assert violation.where == "population 'b', neuron 0"
    assert violation.fix == "cluster the rules of p, q into at most 1 each (max_profiles)"
    many = [learns(f"p{k}", "a", "b", [0, 0, 0, 0], [10 * k + 10]) for k in range(4)]
    (violation,) = found(network(*many))
    assert violation.fix == "let at most 3 of p0, p1, p2, p3 learn"


def test_equal_settings_count_once_whatever_the_seed():
    net = network(
        learns("p", "a", "b", [0, 1, 1, 0], [10, 20]),
        learns("q", "b", "b", [0, 1, 1, 0], [10, 20], seed=9),
    )
    links = Connectivity.of(net)
    assert len(links.rules) == 2
    assert needed_per_neuron(links, "trace_profiles").tolist() == [0] * 4 + [2] * 4
    assert not found(net)


def test_one_epoch_a_core():
    two = [
        learns("p", "a", "b", [0] * 4, [10]),
        learns("q", "a", "a", [0] * 4, [10], t_epoch=4),
    ]
    (violation,) = found(network(*two))
    assert (violation.rule, violation.measured) == (
        "learning_epochs",
        "2 lengths of the learning epoch",
    )
    assert violation.fix == "split core 0 into 2"
    assert not found(network(*two), np.repeat([0, 1], 4))
    (violation,) = found(network(two[0], learns("q", "b", "b", [0] * 4, [10], t_epoch=4)))
    assert violation.fix == "give one t_epoch to p, q"


def test_a_source_takes_two_axons_for_each_setting_and_lists_of_its_own():
    """By hand: 4 sources; each neuron of b hears all of them, with the setting of its row."""
    profile = np.repeat([0, 1, 1, 0], 4)  # by row: b0 and b3 have one setting, b1 and b2 the other
    learning = Learning((rule(10), rule(30)), profile)
    weights = sparse.csr_matrix(np.full((4, 4), 3))
    p = QuantizedProjection("p", "a", "b", weights, sign_mode="excitatory", learning=learning)
    fixed = QuantizedProjection("f", "a", "b", weights)
    cores = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    for extra in ((), (fixed,)):  # a fixed list shares an axon with a learning one
        used = utilization(network(p, *extra), cores, LOIHI)
        assert used["in_axons"].used.tolist() == [0, 4 * 2 * 2]
        assert used["out_axons"].used.tolist() == [4 * 2, 0]
        assert used["trace_profiles"].used.tolist() == [0, 2]
        assert used["learning_epochs"].used.tolist() == [0, 1]
        assert used["synapse_formats"].used.tolist() == [0, 2 + len(extra)]
        assert used["synapses"].used.tolist() == [0, 16 * (1 + len(extra))]
        # two lists per source with two synapses of 8 + 6 bits and 10 bits each: a word each
        assert used["synapse_memory"].used.tolist()[1] == 8 + len(extra) * 4 * 2
    apart = utilization(network(p), np.array([0, 0, 0, 0, 1, 2, 2, 1]), LOIHI)
    assert apart["in_axons"].used.tolist() == [0, 8, 8]
    assert apart["out_axons"].used.tolist() == [8, 0, 0]


def test_a_network_that_does_not_learn_has_no_rows_about_it():
    used = utilization(network(), np.zeros(8, int), LOIHI)
    assert "trace_profiles" not in {r.name for r in used.resources}


def test_the_partition_keeps_rules_of_two_populations_apart():
    """Like neurons of both populations would share cores; six settings are too many for one."""
    rng = np.random.default_rng(0)
    n = 60
    dv = rng.integers(50, 4000, n)  # the same in both, so the order by parameters mixes them
    populations = tuple(QuantizedPopulation(name, n, 700, dv, 5000) for name in ("a", "b"))
    projections = tuple(
        learns(name, "a", name, rng.integers(0, 3, n), taus, n)
        for name, taus in (("a", (10, 20, 30)), ("b", (15, 25, 35)))
    )
    net = QuantizedNetwork(populations, projections).verify()
    groups = learning_groups(Connectivity.of(net), LOIHI)
    assert groups.tolist() == [0] * n + [1] * n
    placement = partition(net, LOIHI)
    used = utilization(net, placement.core_of, LOIHI)
    assert used["trace_profiles"].used.max() == 3
    assert used.n_cores <= 6
    assert learning_groups(Connectivity.of(network()), LOIHI) is None


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), limit=st.integers(1, 4))
def test_whatever_is_placed_keeps_the_limit(seed, limit):
    rng = np.random.default_rng(seed)
    raw = LOIHI.to_dict()
    raw["core"]["trace_profiles"]["value"] = limit
    profile = HardwareProfile.from_dict(raw)
    n = 12
    net = network(
        *(
            learns(f"p{k}", "a", post, rng.integers(0, 2, n), (10 * k + 10, 10 * k + 15), n)
            for k, post in enumerate(rng.choice(["a", "b", "c"], 2))
        ),
        n=n,
        names=("a", "b", "c"),
    )
    if needed_per_neuron(Connectivity.of(net), "trace_profiles").max() > limit:
        with pytest.raises(CapacityError) as caught:
            partition(net, profile)
        assert {v.rule for v in caught.value.violations} == {"trace_profiles"}
        return
    used = utilization(net, partition(net, profile).core_of, profile)
    assert used["trace_profiles"].used.max() <= limit


def heterogeneous(*projections):
    gamma = {"distribution": "gamma", "shape": 3.0, "mean": 0.02, "low": 0.002}
    rules = {"projections": list(projections), "tau_plus": gamma, "tau_minus": gamma}
    spec = {"network": {"size": 60, "connectivity": {"mean_degree": 10.0}}, "stdp": rules}
    return build_hrsnn(Spec.parse(spec), seed=1)


@pytest.mark.parametrize(
    ("projections", "each"),
    [(("exc_exc",), 3), (("exc_exc", "inh_exc"), 1), (("exc_exc", "exc_inh"), 3)],
)
def test_the_chip_bounds_the_profiles_by_default(projections, each):
    """Projections onto one population share the three settings of Loihi's core."""
    compiled = compile_network(heterogeneous(*projections), LOIHI)
    for name in projections:
        assert len(compiled.network.projection(name).learning.rules) == each
    used = utilization(compiled.network, compiled.core_of, LOIHI)
    assert used["trace_profiles"].worst <= 3


def test_no_limit_leaves_the_default_and_a_number_given_counts():
    net = heterogeneous("exc_exc")
    rules = {
        name: len(
            quantize(net, Quantize(stdp=options), profile=chip)[0]
            .projection("exc_exc")
            .learning.rules
        )
        for name, options, chip in (
            ("none", LowerSTDP(), None),
            ("loihi2", LowerSTDP(), HardwareProfile.load("loihi2")),
            ("given", LowerSTDP(max_profiles=5), LOIHI),
        )
    }
    assert rules == {"none": 8, "loihi2": 8, "given": 5}
    with pytest.raises(CapacityError, match=r"exc_exc into at most 3 \(max_profiles\)") as caught:
        compile_network(net, LOIHI, stdp=LowerSTDP(max_profiles=5))
    assert [v.rule for v in caught.value.violations] == ["trace_profiles"]


def test_a_chip_that_does_not_learn_is_refused_with_that_reason():
    raw = LOIHI.to_dict()
    raw["features"]["learning"]["value"] = False
    with pytest.raises(CapacityError, match=r"projection 'exc_exc'.*no learning on loihi1"):
        compile_network(heterogeneous("exc_exc"), HardwareProfile.from_dict(raw))
