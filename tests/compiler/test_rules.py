"""Design rules: below, at and above each limit; every finding at once, with its fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler import value_rules
from hrsnn_lava.compiler.rules import RULES, Placed, check
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.learning import pair_stdp
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

LOIHI = HardwareProfile.load("loihi1")
LOIHI2 = HardwareProfile.load("loihi2")


def neurons(n: int, **fields: Any) -> QuantizedPopulation:
    return QuantizedPopulation("a", n, **{"du": 700, "dv": 200, "vth": 100, **fields})


def network(*projections: QuantizedProjection, n: int = 4, n_in: int = 3, **fields: Any):
    return QuantizedNetwork((QuantizedInput("inp", n_in), neurons(n, **fields)), projections)


def dense(rows: int, columns: int, value: int = 2) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.full((rows, columns), value))


def found(net: QuantizedNetwork, core_of: Any = None, profile: HardwareProfile = LOIHI):
    cores = np.zeros(net.n_neurons, int) if core_of is None else core_of
    return check(Placed.of(net, cores, profile))


def limited(**values: int) -> HardwareProfile:
    """Loihi 1 with some limits per core replaced."""
    raw = LOIHI.to_dict()
    for name, value in values.items():
        raw["core"][name].update(value=value, evidence="chosen")
    return HardwareProfile.from_dict(raw)


@pytest.mark.parametrize("limit", [3, 4, 5])
@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("neurons", network(n=4)),
        ("in_axons", network(QuantizedProjection("p", "inp", "a", dense(4, 4)), n_in=4)),
        ("out_axons", network(QuantizedProjection("p", "a", "a", dense(4, 4)))),
        ("synapses", network(QuantizedProjection("p", "a", "a", sparse.eye(4, dtype=int) * 2))),
        ("compartment_profiles", network(dv=[100, 200, 300, 400])),
        ("threshold_profiles", network(vth=[1, 2, 3, 4])),
        (
            "synapse_formats",
            network(
                *(
                    QuantizedProjection(f"p{e}", "inp", "a", dense(4, 3), weight_exp=e)
                    for e in range(4)
                )
            ),
        ),
    ],
)
def test_use_of_four_against_limits_of_3_4_5(name, net, limit) -> None:
    violations = found(net, profile=limited(**{name: limit}))
    assert [v.rule for v in violations] == ([name] if limit == 3 else [])
    for violation in violations:
        assert violation.where == "core 0"
        assert violation.measured.startswith("4 ")
        assert violation.limit == "3"
        assert violation.fix


@pytest.mark.parametrize(("n_synapses", "fits"), [(63, True), (64, True), (65, False)])
def test_synapse_memory_at_its_limit(n_synapses, fits) -> None:
    raw = LOIHI.to_dict()
    # 1 source on 70 neurons: 64 synapses of 8 + 7 bits and a header are 970 bits, 16 words.
    raw["synapse_memory"]["words"]["value"] = 16
    weights = np.zeros((70, 1), int)
    weights[:n_synapses] = 2
    net = network(QuantizedProjection("p", "inp", "a", sparse.csr_matrix(weights)), n=70, n_in=1)
    violations = found(net, profile=HardwareProfile.from_dict(raw))
    assert bool(violations) is not fits
    if not fits:
        (violation,) = violations
        assert violation.measured == "17 64-bit words"
        assert violation.fix == "split core 0 into 2"


@pytest.mark.parametrize(("n_cores", "fits"), [(127, True), (128, True), (129, False)])
def test_cores_of_the_chip(n_cores, fits) -> None:
    violations = found(network(n=n_cores), np.arange(n_cores))
    assert [v.rule for v in violations] == ([] if fits else ["cores_on_chip"])
    if not fits:
        assert violations[0].fix.startswith("use 2 chips")
        assert not found(network(n=n_cores), np.arange(n_cores), LOIHI.with_chips(2))


def test_pieces_are_counted_by_trying() -> None:
    # Every neuron listens to all 3 inputs: no division makes input axons fewer.
    net = network(QuantizedProjection("p", "inp", "a", dense(4, 3)))
    (violation,) = found(net, profile=limited(in_axons=2))
    assert violation.fix == "split core 0 into 4"
    alone = found(
        network(QuantizedProjection("p", "inp", "a", dense(1, 3)), n=1), None, limited(in_axons=2)
    )
    assert alone[0].where == "core 0, neuron 0 alone"
    assert alone[0].fix == "prune 33.3% of the inputs of this neuron"


def test_merging_profiles_states_the_largest_change() -> None:
    dv = 1000 + np.arange(62)  # neighbours in 31 pairs: tau moves by half a step of 1/1000
    (violation,) = found(network(n=62, dv=dv))
    assert violation.fix.startswith("merge 62 profiles to 31: largest change of tau 0.1%")
    refractory = np.arange(40)
    (violation,) = found(network(n=40, refractory=refractory))
    assert violation.fix == "split core 0 into 2, by refractory period"


@pytest.mark.parametrize(
    ("field", "inside", "outside", "rule"),
    [
        ("du", [0, 4095], -1, "du_range"),
        ("dv", [0, 4095], 4096, "dv_range"),
        ("vth", [0, 131071], 131072, "vth_range"),
        ("bias_mant", [-4095, 4095], -4096, "bias_mant_range"),
        ("bias_exp", [0, 7], 8, "bias_exp_range"),
        ("refractory", [0, 63], 64, "refractory_range"),
    ],
)
def test_ranges_of_neuron_fields(field, inside, outside, rule) -> None:
    assert not found(network(n=2, **{field: inside}))
    (violation,) = found(network(n=2, **{field: [inside[0], outside]}))
    assert violation.rule == rule
    assert violation.where == "population 'a', neuron 1"
    assert violation.measured.startswith(str(outside))


def test_a_range_that_is_not_published_is_not_checked() -> None:
    assert not found(network(n=1, refractory=64), profile=LOIHI2)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"delays": 62}, None),
        ({"delays": 63}, "delay_range"),
        ({"weight_exp": -7}, None),
        ({"weight_exp": 8}, "weight_exp_range"),
        ({"num_weight_bits": 9}, "weight_bits_range"),
    ],
)
def test_ranges_of_synapse_fields(options, rule) -> None:
    net = network(
        QuantizedProjection("p", "a", "a", dense(4, 4), sign_mode="excitatory", **options)
    )
    # 9 bits need no truncation shift below zero, so look at this rule alone.
    violations = [] if rule is None else list(value_rules.synapse_fields(_bare(net)))
    assert [v.rule for v in (violations if rule else found(net))] == ([rule] if rule else [])


def _bare(net: QuantizedNetwork) -> Any:
    @dataclass
    class Bare:
        network: QuantizedNetwork
        profile: HardwareProfile

    return Bare(net, LOIHI)


def test_weights_off_the_grid() -> None:
    net = network(QuantizedProjection("p", "a", "a", sparse.csr_matrix(np.diag([2, 3, 4, 255]))))
    (violation,) = found(net)
    assert violation.rule == "weight_grid"
    assert violation.measured == "2 of 4 weights off the grid, such as 3 (would act as 2)"
    assert violation.limit == "-256..255 in steps of 2"
    assert "split the projection by sign" in violation.fix
    positive = QuantizedProjection("p", "a", "a", dense(4, 4, 3), sign_mode="excitatory")
    assert not found(network(positive))
    negative = QuantizedProjection("p", "a", "a", dense(4, 4, -3), sign_mode="excitatory")
    assert found(network(negative))[0].rule == "weight_grid"


def test_bias_projections_use_nothing_on_the_chip() -> None:
    weights = dense(4, 3, 999)
    net = network(QuantizedProjection("p", "inp", "a", weights, target="bias", weight_exp=-9))
    assert not found(net)


def test_graded_input() -> None:
    graded = QuantizedProjection("p", "inp", "a", dense(4, 3), num_message_bits=24)
    (violation,) = found(network(graded))
    assert (violation.rule, violation.limit) == ("graded_spikes", "0")
    assert not found(network(graded), profile=LOIHI2)
    logs = HardwareProfile.load("loihi2_lava")
    wide = QuantizedProjection("p", "inp", "a", dense(4, 3), num_message_bits=25)
    assert found(network(wide), profile=logs)[0].limit == "24"


def test_learning_on_a_chip_without() -> None:
    raw = LOIHI.to_dict()
    raw["features"]["learning"]["value"] = False
    rule = pair_stdp((1, 0), (1, 0), 20, 20)
    learns = QuantizedProjection("p", "a", "a", dense(4, 4), learning=rule)
    assert found(network(learns), profile=HardwareProfile.from_dict(raw))[0].rule == "learning"
    assert not found(network(learns))


def test_all_violations_come_at_once_and_print_well() -> None:
    net = network(
        QuantizedProjection("p", "inp", "a", dense(4, 3, 3), num_message_bits=8), du=-1, vth=200000
    )
    violations = found(net, profile=limited(neurons=3, in_axons=2))
    assert {v.rule for v in violations} == {
        "neurons",
        "in_axons",
        "du_range",
        "vth_range",
        "weight_grid",
        "graded_spikes",
    }
    error = CapacityError("does not fit", violations=violations)
    assert error.exit_code == 4
    assert "neurons: core 0: 4 neurons; allowed: 3. Split core 0 into 2" in str(error)
    assert "Lower the weight scale by 1.53" in str(error)


def test_every_rule_says_what_it_is_in_one_sentence() -> None:
    for rule in RULES:
        first = (rule.__doc__ or "").split("\n\n")[0]
        assert first.endswith("."), rule
        assert first.count(". ") == 0, rule


def test_check_takes_anything_compiled() -> None:
    @dataclass(frozen=True)
    class Compiled:
        network: QuantizedNetwork
        profile: HardwareProfile
        core_of: Any

    assert check(Compiled(network(), LOIHI, np.zeros(4, np.int32))) == []
