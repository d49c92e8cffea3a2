"""Log-determinants against NumPy, closed forms, and parameters that have none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.heterogeneity import heterogeneity, neuron_parameters, synapse_parameters

RNG = np.random.default_rng(6)
TAU, VTH = np.exp(RNG.normal(-4.0, 0.5, 400)), np.exp(RNG.normal(0.0, 0.1, 400))
BOTH = {"tau_mem": TAU, "v_threshold": VTH}


def test_it_is_the_determinant_of_the_covariance_of_logarithms():
    made = heterogeneity(BOTH)
    sigma = np.cov(np.log(np.stack([TAU, VTH])))
    np.testing.assert_allclose(made.covariance, sigma, rtol=1e-12)
    assert made.value == pytest.approx(np.linalg.slogdet(sigma)[1])
    assert made.log_pseudo_determinant == made.value
    assert (made.rank, made.samples, made.homogeneous, made.reason) == (2, 400, (), "")
    assert made.standard_deviations == pytest.approx(np.log([TAU, VTH]).std(axis=1, ddof=1))


def test_the_entropy_bound_is_that_of_a_gaussian():
    from scipy.stats import multivariate_normal

    made = heterogeneity(BOTH)
    truth = multivariate_normal(cov=made.covariance).entropy()
    assert made.entropy_bound == pytest.approx(truth)


def test_one_log_normal_parameter_has_the_log_of_its_variance():
    many = np.exp(RNG.normal(1.0, 0.3, 200_000))
    assert heterogeneity({"tau": many}).value == pytest.approx(2 * np.log(0.3), abs=0.02)


@settings(max_examples=25)
@given(st.floats(1e-6, 1e6), st.permutations(range(40)))
def test_units_and_order_do_not_matter(unit, order):
    few = {name: values[:40] for name, values in BOTH.items()}
    before = heterogeneity(few)
    after = heterogeneity(
        {"v_threshold": few["v_threshold"][order], "tau_mem": unit * few["tau_mem"][order]}
    )
    assert after.value == pytest.approx(before.value, abs=1e-8)
    powers = heterogeneity({"a": few["tau_mem"] ** 2, "b": few["v_threshold"]})
    assert powers.value == pytest.approx(before.value + 2 * np.log(2.0), abs=1e-8)


@pytest.mark.parametrize("constant", [1.0, 0.02, 3e-9])
def test_a_homogeneous_parameter_is_named_and_leaves_the_others(constant):
    made = heterogeneity({"tau_mem": TAU, "v_threshold": np.full(400, constant)})
    assert made.value is None
    assert made.entropy_bound is None
    assert (made.rank, made.homogeneous) == (1, ("v_threshold",))
    assert made.reason == "the same everywhere: v_threshold"
    assert made.log_pseudo_determinant == pytest.approx(heterogeneity({"tau_mem": TAU}).value)
    assert "rank 1 of 2, ln pdet Sigma" in str(made)
    facts = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert facts["log_determinant"] is None
    # a single number is the same for all
    assert heterogeneity({"tau_mem": TAU, "v": constant}).homogeneous == ("v",)


def test_a_homogeneous_network_has_none():
    made = heterogeneity({"tau_mem": np.full(9, 0.02), "v_threshold": np.ones(9)})
    assert (made.value, made.rank, made.log_pseudo_determinant) == (None, 0, None)
    assert str(made) == ("no determinant (the same everywhere: tau_mem, v_threshold); rank 0 of 2")


def test_parameters_that_follow_from_each_other_are_one_direction():
    made = heterogeneity({"tau_mem": TAU, "tau_syn": TAU**0.5})
    assert (made.value, made.rank) == (None, 1)
    assert made.reason == "parameters that follow from each other"
    # eigenvalues of s^2 [[1, 1/2], [1/2, 1/4]] are 5/4 s^2 and 0
    variance = np.log(TAU).var(ddof=1)
    assert made.log_pseudo_determinant == pytest.approx(np.log(1.25 * variance))


def test_little_spread_beside_much_still_counts():
    narrow = np.exp(RNG.normal(0.0, 1e-7, 400))
    wide = np.exp(RNG.normal(0.0, 3.0, 400))
    made = heterogeneity({"narrow": narrow, "wide": wide})
    assert made.rank == 2
    assert made.value == pytest.approx(2 * (np.log(1e-7) + np.log(3.0)), abs=0.3)


def test_fewer_samples_than_parameters():
    made = heterogeneity(np.exp(RNG.normal(size=(3, 5))))
    assert (made.rank, made.value) == (2, None)
    assert made.reason == "3 samples of 5 parameters"
    assert made.names[0] == "parameter 0"


def test_neurons_of_a_network():
    spec = {"network": {"size": 60, "connectivity": {"mean_degree": 8.0}}}
    net = hl.build_hrsnn(hl.Spec.parse(spec), seed=1)
    values = neuron_parameters(net)
    neurons = [p for p in net.populations if not p.is_input]
    assert set(values) == {"tau_mem", "v_threshold"}
    assert values["tau_mem"].tolist() == np.concatenate([p.lif.tau_mem for p in neurons]).tolist()
    assert len(values["tau_mem"]) == 60
    made = heterogeneity(values)
    assert made.samples == 60
    assert made.standard_deviations[0] > 0.1
    with pytest.raises(SpecError, match="fields: 'tau'; allowed: tau_mem, tau_syn"):
        neuron_parameters(net, ("tau",))
    only = hl.Network(1e-3, (hl.Population("in", 3, hl.Input()),))
    with pytest.raises(SpecError, match="inputs alone"):
        neuron_parameters(only)


def test_learning_rules_of_synapses():
    weights = np.ones((3, 3))
    rule = hl.STDP(a_plus=np.linspace(0.01, 0.02, 9), a_minus=0.01, tau_plus=TAU[:9])
    groups = (hl.Population("in", 3, hl.Input()), hl.Population("exc", 3, hl.LIF(0.02)))
    net = hl.Network(
        1e-3,
        groups,
        (
            hl.Projection("fixed", "in", "exc", weights),
            hl.Projection("learns", "exc", "exc", weights, plasticity=rule),
        ),
    )
    values = synapse_parameters(net)
    assert values["tau_plus"].tolist() == TAU[:9].tolist()
    made = heterogeneity(values)
    assert (made.rank, made.homogeneous) == (2, ("a_minus", "tau_minus"))
    assert heterogeneity(synapse_parameters(net, ("a_plus", "tau_plus"))).value is not None
    with pytest.raises(SpecError, match="fields: 'w'; allowed: a_plus, a_minus"):
        synapse_parameters(net, ("w",))
    with pytest.raises(SpecError, match="no synapse learns"):
        synapse_parameters(hl.Network(1e-3, groups, net.projections[:1]))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"tau": [0.1, 0.0]}, "tau: smallest value 0; allowed: > 0, since logarithms"),
        ({"tau": [0.1, -0.2], "v": [0.0, 1.0]}, "v: smallest value 0"),
        ({"tau": [0.1]}, "parameters: 1 samples; allowed: >= 2"),
        ({"tau": [0.1, 0.2], "v": [1.0, 2.0, 3.0]}, "lengths tau 2, v 3"),
        ({"tau": [0.1, np.nan]}, "tau: 1 values that are not finite"),
        ({}, "parameters: none"),
        ([0.1, 0.2], r"shape \(2,\)"),
    ],
)
def test_what_has_no_logarithm_is_refused(parameters, told):
    with pytest.raises(SpecError, match=told):
        heterogeneity(parameters)
    with pytest.raises(SpecError, match="names: 1; allowed: 2, each once"):
        heterogeneity(np.ones((4, 2)), ("tau",))
