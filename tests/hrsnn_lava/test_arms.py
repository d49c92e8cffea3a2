"""Arms: exactly equal means, and nothing else that differs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.arms import ARMS, Arm
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF_FIELDS
from hrsnn_lava.plasticity import DRAWN_FIELDS

GAMMA = {"distribution": "gamma", "shape": 3.0, "mean": 0.02, "low": 0.002}
WIDE = {"distribution": "lognormal", "mean": 0.02, "sigma": 1.15, "low": 0.001, "high": 0.4}
TABLE = {
    "network": {
        "size": 50,
        "connectivity": {"mean_degree": 8.0},
        "neurons": {"excitatory": {"tau_syn": WIDE}, "inhibitory": {"tau_syn": WIDE}},
        "input": {"target": "synapse", "fan_in": 0.5},
    },
    "stdp": {
        "projections": ["exc_exc", "inp_exc"],
        "a_plus": {"distribution": "gamma", "shape": 3.0, "mean": 0.002},
        "a_minus": {"distribution": "gamma", "shape": 3.0, "mean": 0.0021},
        "tau_plus": GAMMA,
        "tau_minus": GAMMA,
    },
}
SPEC = Spec.parse(TABLE)


def built(spec, seed=5):
    return build_hrsnn(spec, seed, 12)


def spread(network, field):
    """Whether neurons of one population differ in a parameter."""
    return any(np.ptp(p.parameter(field)) > 0 for p in network.compute_populations)


def rules(network):
    return {p.name: p.plasticity for p in network.projections if p.plasticity is not None}


@pytest.mark.parametrize(
    "name", [*ARMS, "HoNHoSHoT", "HeNHeSHoT", "HeNHoSHeT", "HoT", "HoN", "HoS"]
)
def test_an_arm_has_the_means_of_the_whole_and_differs_in_nothing_else(name):
    whole, arm, parts = built(SPEC), built(SPEC.arm(name)), Arm.of(name)
    alike = {"tau_mem": parts.neurons, "v_threshold": parts.neurons, "tau_syn": parts.synapses}
    for a, b in zip(whole.populations, arm.populations, strict=True):
        if a.is_input:
            continue
        for field in LIF_FIELDS:
            x, y = a.parameter(field), b.parameter(field)
            assert y.mean() == pytest.approx(x.mean(), rel=1e-12)
            if alike.get(field) is False:
                assert np.ptp(y) == 0 < np.ptp(x)
            else:
                np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(a.positions, b.positions)
    for a, b in zip(whole.projections, arm.projections, strict=True):
        assert (a.weights != b.weights).nnz == 0
        if a.plasticity is None:
            continue
        for field in DRAWN_FIELDS:
            x, y = (p.plasticity.values(field, p.n_synapses) for p in (a, b))
            assert y.mean() == pytest.approx(x.mean(), rel=1e-12)
            assert np.ptp(x) > 0
            assert (np.ptp(y) == 0) == (parts.stdp is False)
        assert b.plasticity.w_max == a.plasticity.w_max


def test_the_names():
    assert Arm.of("HeNHoS") == Arm(True, False, None)
    assert Arm.of("HoNHeSHeT") == Arm(False, True, True)
    for name in ("", "HeNHoB", "HaNHoS", "HoSHoN", "HeNHoS "):
        with pytest.raises(SpecError, match="allowed: HoNHoS, HeNHoS, HoNHeS, HeNHeS, or parts"):
            SPEC.arm(name)


def test_the_arms_of_the_papers_name_the_keys():
    assert SPEC.arm("HoNHoS").network.homogeneous == ("tau_mem", "v_threshold")
    assert SPEC.arm("HoNHoS").stdp.homogeneous == DRAWN_FIELDS
    assert SPEC.arm("HoNHoS").arm("HeNHeS") == SPEC
    assert SPEC.arm("HeNHeS") == SPEC
    again = Spec.parse(SPEC.arm("HoNHoSHoT").model_dump())
    assert again == SPEC.arm("HoNHoSHoT")
    assert "homogeneous" not in SPEC.canonical()


def test_keys_by_set(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text("[network]\nsize = 40\n[network.connectivity]\nmean_degree = 6.0\n[stdp]\n")
    sets = ('network.homogeneous=["tau_mem"]', 'stdp.homogeneous=["tau_plus", "a_plus"]')
    spec = Spec.load(path, sets)
    assert spec.network.homogeneous == ("tau_mem",)
    assert spec.stdp.homogeneous == ("tau_plus", "a_plus")
    assert not spread(build_hrsnn(spec), "tau_mem")


def test_an_arm_that_would_be_the_other_one_is_refused():
    with pytest.raises(SpecError, match=r"stdp: none, in the arm HoNHoS; allowed: a table"):
        Spec().arm("HoNHoS")
    with pytest.raises(SpecError, match=r"network\.neurons: tau_syn: one number for all; allowed"):
        Spec().arm("HeT")
    with pytest.raises(SpecError, match=r"stdp: a_plus and a_minus and .*: one number for all"):
        Spec.parse({"stdp": {}}).arm("HeNHeS")
    assert Spec().arm("HoN").network.homogeneous == ("tau_mem", "v_threshold")


@pytest.mark.parametrize("synapse", ["current", "charge"])
def test_a_built_network_gives_the_arm_of_its_spec(synapse):
    network = TABLE["network"]
    connectivity = network["connectivity"] | {"synapse": synapse}
    layer = network["input"] | {"synapse": synapse}
    spec = Spec.parse(TABLE | {"network": network | {"connectivity": connectivity, "input": layer}})
    wanted = built(spec.arm("HoNHoSHoT"))
    fields = ("tau_mem", "v_threshold", "tau_syn")
    arm = hl.homogeneous_arm(built(spec), fields, DRAWN_FIELDS, charge=synapse == "charge")
    for a, b in zip(wanted.compute_populations, arm.compute_populations, strict=True):
        for field in LIF_FIELDS:
            np.testing.assert_allclose(b.parameter(field), a.parameter(field), rtol=1e-12)
    for a, b in zip(wanted.projections, arm.projections, strict=True):
        np.testing.assert_allclose(b.weights.toarray(), a.weights.toarray(), rtol=1e-12)
    for name, rule in rules(wanted).items():
        n = wanted.projection(name).n_synapses
        for field in (*DRAWN_FIELDS, "w_max"):
            np.testing.assert_allclose(
                rules(arm)[name].values(field, n), rule.values(field, n), rtol=1e-12
            )


def test_what_an_arm_of_a_network_refuses():
    network = built(SPEC)
    with pytest.raises(SpecError, match="neuron: 'tau'; allowed: tau_mem, tau_syn") as caught:
        hl.homogeneous_arm(network, ("tau",), ("w_max",), charge=("exc",))
    assert [problem.where for problem in caught.value.problems] == ["neuron", "stdp", "charge"]


@given(
    st.sets(st.sampled_from(LIF_FIELDS)), st.sets(st.sampled_from(DRAWN_FIELDS)), st.integers(0, 99)
)
@settings(max_examples=15, deadline=None)
def test_any_parameters_may_be_the_same_for_all(neuron, stdp, seed):
    keys = {"homogeneous": sorted(neuron)}
    table = {
        "network": TABLE["network"] | keys,
        "stdp": TABLE["stdp"] | {"homogeneous": sorted(stdp)},
    }
    whole, arm = built(SPEC, seed), built(Spec.parse(table), seed)
    for field in LIF_FIELDS:
        assert spread(arm, field) == (spread(whole, field) and field not in neuron)
        for a, b in zip(whole.compute_populations, arm.compute_populations, strict=True):
            mean = a.parameter(field).mean()
            assert b.parameter(field).mean() == pytest.approx(mean, rel=1e-12)
    for name, rule in rules(arm).items():
        n = arm.projection(name).n_synapses
        for field in DRAWN_FIELDS:
            assert (np.ptp(rule.values(field, n)) == 0) == (field in stdp)
            mean = rules(whole)[name].values(field, n).mean()
            assert rule.values(field, n).mean() == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("name", [3, None, ["HoN"], ""])
def test_an_arm_is_a_name(name):
    with pytest.raises(SpecError, match=r"arm: .*; allowed: "):
        Spec.parse({}).arm(name)
