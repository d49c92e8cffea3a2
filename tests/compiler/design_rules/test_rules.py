"""Design rules: below, at and above each limit; every finding at once, with its fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.compiler.design_rules import values as value_rules
from hrsnn_lava.compiler.design_rules.axons import types_needed
from hrsnn_lava.compiler.design_rules.check import RULES, PlacedNetwork, check, rule_table
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

LOIHI = HardwareProfile.load("loihi1")
LOIHI2 = HardwareProfile.load("loihi2")
TRUENORTH = HardwareProfile.load("truenorth")
DYNAP = HardwareProfile.load("dynap_se")
ODIN = HardwareProfile.load("odin")


def neurons(n: int, **fields: Any) -> QuantizedPopulation:
    return QuantizedPopulation("a", n, **{"du": 700, "dv": 200, "vth": 100, **fields})


def network(*projections: QuantizedProjection, n: int = 4, n_in: int = 3, **fields: Any):
    return QuantizedNetwork((QuantizedInput("inp", n_in), neurons(n, **fields)), projections)


def dense(rows: int, columns: int, value: int = 2) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.full((rows, columns), value))


def found(net: QuantizedNetwork, core_of: Any = None, profile: HardwareProfile = LOIHI):
    cores = np.zeros(net.n_neurons, int) if core_of is None else core_of
    return check(PlacedNetwork.of(net, cores, profile))


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
        assert violation.fix == (
            "split core 0 into 2, or prune 5.9 % of the synapses onto core 0"  # 1 of 17 words
        )


@pytest.mark.parametrize(("n_cores", "fits"), [(127, True), (128, True), (129, False)])
def test_cores_of_the_chip(n_cores, fits) -> None:
    violations = found(network(n=n_cores), np.arange(n_cores))
    assert [v.rule for v in violations] == ([] if fits else ["cores_on_chip"])
    if not fits:
        assert violations[0].fix.startswith("use 2 chips")
        assert not found(network(n=n_cores), np.arange(n_cores), LOIHI.with_chips(2))
        (fewer,) = found(network(n=n_cores), np.arange(n_cores), LOIHI.with_cores(100))
        assert fewer.fix.startswith("allow 129 cores, or ")


def test_pieces_are_counted_by_trying() -> None:
    # Every neuron listens to all 3 inputs: no division makes input axons fewer.
    net = network(QuantizedProjection("p", "inp", "a", dense(4, 3)))
    (violation,) = found(net, profile=limited(in_axons=2))
    assert violation.fix == "split core 0 into 4, or prune what 1 of its 3 axons bring"
    alone = found(
        network(QuantizedProjection("p", "inp", "a", dense(1, 3)), n=1), None, limited(in_axons=2)
    )
    assert alone[0].where == "core 0, neuron 0 alone"
    assert alone[0].fix == "prune 1 of the 3 inputs of population 'a', neuron 0"


def test_merging_profiles_states_the_largest_change() -> None:
    dv = 1000 + np.arange(62)  # neighbours in 31 pairs: tau moves by half a step of 1/1000
    (violation,) = found(network(n=62, dv=dv))
    assert str(violation) == (
        "core 0: 62 compartment profiles, limit 31 (loihi1): "
        "merge to 31, largest change of tau 0.1 %"
    )
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
        ("refractory", [0, 62], 63, "refractory_range"),
    ],
)
def test_ranges_of_neuron_fields(field, inside, outside, rule) -> None:
    assert not found(network(n=2, **{field: inside}))
    (violation,) = found(network(n=2, **{field: [inside[0], outside]}))
    assert violation.rule == rule
    assert violation.where == "population 'a', neuron 1"
    assert violation.measured == f"{field} {outside} (1 of 2 outside)"


def test_a_range_that_is_not_published_is_not_checked() -> None:
    assert not found(network(n=1, refractory=64), profile=LOIHI2)


FIELDS = (value_rules.delay_range, value_rules.weight_exp_range, value_rules.weight_bits_range)


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
    violations = [] if rule is None else [found for check in FIELDS for found in check(_bare(net))]
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
    widest = QuantizedProjection("p", "inp", "a", dense(4, 3), num_message_bits=32)
    assert not found(network(widest), profile=logs)
    wide = QuantizedProjection("p", "inp", "a", dense(4, 3), num_message_bits=33)
    assert found(network(wide), profile=logs)[0].limit == "32"


def test_learning_on_a_chip_without() -> None:
    raw = LOIHI.to_dict()
    raw["features"]["learning"]["value"] = False
    rule = pair_stdp((1, 0), (1, 0), 20, 20)
    learns = QuantizedProjection("p", "a", "a", dense(4, 4), learning=rule)
    assert found(network(learns), profile=HardwareProfile.from_dict(raw))[0].rule == "learning"
    assert not found(network(learns))


def test_fan_in_names_the_worst_neuron_of_each_population() -> None:
    """DYNAP-SE has 64 words of memory for the synapses onto a neuron."""
    weights = np.full((3, 70), 128)
    weights[0, 60:] = 0
    one_bit = {"sign_mode": "excitatory", "num_weight_bits": 1}
    projection = QuantizedProjection("p", "inp", "a", sparse.csr_matrix(weights), **one_bit)
    (violation,) = found(network(projection, n=3, n_in=70), profile=DYNAP)
    assert str(violation) == (
        "population 'a', neuron 1: 70 synapses onto one neuron (2 such in all), "
        "limit 64 (dynap_se): prune 6 of the 70 inputs of population 'a', neuron 1"
    )


def test_a_chip_of_one_bit_refuses_weights_of_eight() -> None:
    learns = pair_stdp((1, 0), (1, 0), 20, 20)
    weights = sparse.csr_matrix(np.array([[2, 4, 6, 8, 10]]))
    projections = (
        QuantizedProjection("p", "inp", "a", weights, delays=[0, 1, 2, 3, 15]),
        QuantizedProjection("q", "a", "a", dense(1, 1), learning=learns),
    )
    violations = found(network(*projections, n=1, n_in=5), profile=TRUENORTH)
    assert [str(v) for v in violations] == [
        "core 0: 5 types of axons, limit 4 (truenorth): quantize to fewer bits, or give "
        "projections onto its neurons weights in common: 1 types too many",
        "population 'a', neuron 0: 5 distinct weights onto one neuron, limit 4 (truenorth): "
        "quantize the weights to fewer bits: 1 values too many",
        "projection 'p': delay 15, limit 0..14 (truenorth): clip 1 of its 5 delays at 14 steps",
        "projection 'p': weight_bits 8, limit 1..1 (truenorth): "
        "quantize with --weight-bits 1 or less",
        "projection 'q': weight_bits 8, limit 1..1 (truenorth): "
        "quantize with --weight-bits 1 or less",
        "projection 'q': a learning rule, limit no learning on truenorth (truenorth): "
        "train off the chip and freeze the weights",
    ]


def test_sources_share_a_type_unless_a_neuron_hears_them_differently() -> None:
    """Five sources with five weights, but two neurons that hear three and two of them."""
    weights = np.array([[2, 4, 6, 0, 0], [0, 0, 0, 8, 10]])
    source, post = np.nonzero(weights.T)
    assert types_needed(source, post, weights[post, source], 99) == 3
    together = np.array([[2, 4, 6, 8, 10]])
    source, post = np.nonzero(together.T)
    assert types_needed(source, post, together[post, source], 99) == 5
    assert types_needed(source, post, together[post, source], 4) == 4


def test_a_crossbar_has_one_synapse_and_a_source_one_sign() -> None:
    plus = QuantizedProjection("p", "a", "a", dense(2, 2, 128), 0, "excitatory", 1)
    minus = QuantizedProjection("m", "a", "a", dense(2, 2, -128), 0, "inhibitory", 1)
    violations = found(network(plus, minus, n=2), profile=ODIN)
    assert [str(v) for v in violations] == [
        "population 'a', neuron 0: 2 synapses from one source onto one neuron (2 such in all), "
        "limit 1 (odin): add the 2 up into one",
        "population 'a', neuron 0: 2 signs of weights from one source (2 such in all), "
        "limit 1 (odin): turn 2 of its 4 weights to the sign of the others, or split it in two",
    ]


def test_one_destination_and_one_delay_for_each_neuron_of_truenorth() -> None:
    one_bit = {"sign_mode": "excitatory", "num_weight_bits": 1}
    net = network(QuantizedProjection("p", "a", "a", dense(4, 4, 128), **one_bit))
    assert not found(net, profile=TRUENORTH)
    (violation,) = found(net, [0, 0, 1, 2], TRUENORTH)
    assert str(violation) == (
        "population 'a', neuron 0: 3 destination cores (4 such in all), limit 1 (truenorth): "
        "gather the targets of population 'a', neuron 0 on 1 cores instead of 3, or relay its "
        "spikes by further neurons"
    )
    delays = np.tile([0, 1, 1, 1], 4)
    late = QuantizedProjection("p", "a", "a", dense(4, 4, 128), delays=delays, **one_bit)
    assert not found(network(late), profile=TRUENORTH)  # each source has one delay
    mixed = QuantizedProjection("p", "a", "a", dense(4, 4, 128), delays=np.sort(delays), **one_bit)
    (violation,) = found(network(mixed), profile=TRUENORTH)
    assert (violation.rule, violation.measured) == (
        "source_delays",
        "2 distinct delays from one source (4 such in all)",
    )


def test_input_channels_count_where_spikes_come_in() -> None:
    xylo = HardwareProfile.load("xylo_audio2")
    spikes = QuantizedProjection("p", "inp", "a", dense(4, 17))
    (violation,) = found(network(spikes, n_in=17), profile=xylo)
    assert str(violation) == (
        "population 'inp': 17 input channels, limit 16 (xylo_audio2): drop or merge 1 of the 17 "
        "channels"
    )
    held = QuantizedProjection("p", "inp", "a", dense(4, 17), target="bias")
    assert not found(network(held, n_in=17), profile=xylo)


def test_a_chip_with_a_rule_of_its_own_learns_by_no_other() -> None:
    rule = pair_stdp((1, 0), (1, 0), 20, 20)
    learns = QuantizedProjection("p", "a", "a", dense(4, 4, 32), 0, "excitatory", 3, learning=rule)
    (violation,) = found(network(learns), profile=ODIN)
    assert violation.limit == "no rules made of traces on odin"


def test_the_table_of_rules_is_that_of_the_code() -> None:
    table = dict(rule_table())
    assert len(table) == len(RULES)
    assert list(table) == [rule.__name__ for rule in RULES]
    assert table["fan_in"] == "A neuron has a bounded number of synapses onto it."


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
