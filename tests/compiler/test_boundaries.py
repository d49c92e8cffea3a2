"""Every limit of every chip that has a value: one below, at it, and one above.

For each kind of limit there is a smallest network that uses exactly `n` of it. The rule must speak
above the limit alone, and the independent checker must agree.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from independent_checker import check_placement, list_words, read_toml
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.design_rules.check import RULES, PlacedNetwork, check
from hrsnn_lava.compiler.design_rules.values import weight_bits_range
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.resets import RESETS


def neurons(n, **fields):
    return QuantizedPopulation("a", n, **{"du": 700, "dv": 200, "vth": 100, **fields})


def joined(weights, pre="inp", **options):
    options = {"sign_mode": "excitatory", "num_weight_bits": 1, **options}
    return QuantizedProjection("p", pre, "a", sparse.csr_matrix(weights), **options)


def network(n, n_in=1, *projections, **fields):
    return QuantizedNetwork((QuantizedInput("inp", n_in), neurons(n, **fields)), projections)


def zeros(n):
    return np.zeros(n, dtype=np.int32)


def of_neurons(n):
    return network(n), zeros(n)


def of_cores(n):
    return network(n), np.arange(n)


def of_in_axons(n):
    return network(1, n, joined(np.full((1, n), 128))), zeros(1)


def of_out_axons(n):
    """Neurons of core 0 that send to 8 cores each, the last one to fewer."""
    senders = -(-n // 8)
    weights = sparse.lil_matrix((senders + 8, senders + 8), dtype=int)
    for pair in range(n):
        weights[senders + pair % 8, pair // 8] = 128
    cores = np.concatenate([zeros(senders), 1 + np.arange(8)])
    return network(senders + 8, 1, joined(weights, "a")), cores


def of_synapses(n):
    """n synapses onto 256 neurons, from as many sources as that takes."""
    n_in = -(-n // 256)
    flat = np.arange(n)
    matrix = sparse.csr_matrix((np.full(n, 128), (flat % 256, flat // 256)), (256, n_in))
    return network(256, n_in, joined(matrix)), zeros(256)


def of_words(n):
    """One synapse from each of n sources onto one neuron: a word each."""
    return of_in_axons(n)


def of_compartments(n):
    return network(n, dv=1 + np.arange(n)), zeros(n)


def of_thresholds(n):
    return network(n, vth=1 + np.arange(n)), zeros(n)


def of_formats(n):
    """n projections of as many exponents."""
    projections = [
        QuantizedProjection(f"p{k}", "inp", "a", sparse.csr_matrix([[2]]), k - 7) for k in range(n)
    ]
    return network(1, 1, *projections), zeros(1)


def of_traces(n):
    rules = tuple(pair_stdp((1, 0), (1, 0), 10 + k, 20) for k in range(n))
    learning = Learning(rules, np.arange(n))
    return network(n, 1, joined(np.full((n, 1), 128), learning=learning)), zeros(n)


def of_epochs(n):
    rules = [pair_stdp((1, 0), (1, 0), 10, 20, t_epoch=1 + k) for k in range(n)]
    projections = [
        QuantizedProjection(f"p{k}", "inp", "a", sparse.csr_matrix([[2]]), learning=rule)
        for k, rule in enumerate(rules)
    ]
    return network(1, 1, *projections), zeros(1)


def of_axon_types(n):
    """n sources with a weight each onto one neuron."""
    return of_weights(n)


def of_fan_in(n):
    return of_in_axons(n)


def of_fan_out(n):
    """One neuron that sends to n others."""
    weights = sparse.lil_matrix((n + 1, n + 1), dtype=int)
    weights[1:, 0] = 128
    return network(n + 1, 1, joined(weights, "a")), zeros(n + 1)


def of_input_targets(n):
    """One channel with a synapse onto each of n neurons."""
    return network(n, 1, joined(np.full((n, 1), 128))), zeros(n)


def of_destinations(n):
    """One neuron that sends to n cores."""
    weights = sparse.lil_matrix((n + 1, n + 1), dtype=int)
    weights[1:, 0] = 128
    return network(n + 1, 1, joined(weights, "a")), np.arange(n + 1)


def of_weights(n):
    weights = 2 + 2 * np.arange(n)[None]
    return network(1, n, joined(weights, num_weight_bits=8)), zeros(1)


def of_delays(n):
    if n == 0:
        return of_in_axons(1)
    delays = np.arange(n)
    return network(n, 1, joined(np.full((n, 1), 128), delays=delays)), zeros(n)


def of_inputs(n):
    return of_in_axons(n)


#: Path of a limit in a profile: the rule that keeps it, and a network that uses n of it.
LIMITS = {
    "chip.cores": ("cores_on_chip", of_cores),
    "chip.inputs": ("input_channels", of_inputs),
    "chip.input_targets": ("input_targets", of_input_targets),
    "core.neurons": ("neurons", of_neurons),
    "core.in_axons": ("in_axons", of_in_axons),
    "core.out_axons": ("out_axons", of_out_axons),
    "core.synapses": ("synapses", of_synapses),
    "core.compartment_profiles": ("compartment_profiles", of_compartments),
    "core.threshold_profiles": ("threshold_profiles", of_thresholds),
    "core.synapse_formats": ("synapse_formats", of_formats),
    "core.trace_profiles": ("trace_profiles", of_traces),
    "core.learning_epochs": ("learning_epochs", of_epochs),
    "core.axon_types": ("axon_types", of_axon_types),
    "neuron.fan_in": ("fan_in", of_fan_in),
    "neuron.fan_out": ("fan_out", of_fan_out),
    "neuron.destinations": ("destinations", of_destinations),
    "neuron.weight_values": ("weight_values", of_weights),
    "neuron.delays": ("source_delays", of_delays),
    "synapse_memory.words": ("synapse_memory", of_words),
}
#: Numbers of a profile that are no limits of use.
DESCRIBE = {
    "chip.chips",
    "chip.mesh_width",
    "chip.mesh_height",
    "chip.cores_per_tile",
    "synapse_memory.word_bits",
    "synapse_memory.group_size",
    "synapse_memory.header_bits",
    "synapse_memory.weight_bits",
    "synapse_memory.index_bits",
    "synapse_memory.delay_bits",
}
NEURON_FIELDS = ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")
SYNAPSE_FIELDS = ("delay", "weight_exp", "weight_bits", "message_bits")


@functools.cache
def plain(name):
    return read_toml(HardwareProfile.path_of(name))


def numbers():
    """Every (profile, path) with a value, from the files themselves."""
    for name in HardwareProfile.names():
        for table, entries in plain(name).items():
            if isinstance(entries, dict) and table not in ("fields", "features"):
                for key, entry in entries.items():
                    if entry["evidence"] != "none":
                        yield name, f"{table}.{key}"


def limits():
    return [(name, path) for name, path in numbers() if path not in DESCRIBE]


def fields(names):
    for name in HardwareProfile.names():
        for field in names:
            entry = plain(name)["fields"][field]
            if "low" in entry:
                yield name, field


def rules_broken(net, cores, name):
    """Names by the design rules and by the checker."""
    ours = {v.rule for v in check(PlacedNetwork.of(net, cores, HardwareProfile.load(name)))}
    theirs = {f.rule for f in check_placement(net, cores, plain(name))}
    return ours, theirs


def test_every_number_of_every_profile_is_tried_here():
    known = {*LIMITS, *DESCRIBE}
    assert {path for _, path in numbers()} <= known
    fields_known = {*NEURON_FIELDS, *SYNAPSE_FIELDS}
    for name in HardwareProfile.names():
        assert set(plain(name)["fields"]) == fields_known


@pytest.mark.once
@pytest.mark.parametrize("step", [-1, 0, 1], ids=["below", "at", "above"])
@pytest.mark.parametrize(("name", "path"), limits())
def test_limits(name, path, step):
    table, key = path.split(".")
    limit = plain(name)[table][key]["value"]
    rule, build = LIMITS[path]
    ours, theirs = rules_broken(*build(limit + step), name)
    assert (rule in ours) is (step > 0)
    assert ours == theirs


@pytest.mark.parametrize("step", [-1, 0, 1], ids=["inside", "at", "outside"])
@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize(("name", "field"), fields(NEURON_FIELDS))
def test_ranges_of_neurons(name, field, end, step):
    value = plain(name)["fields"][field][end] + (step if end == "high" else -step)
    ours, theirs = rules_broken(network(1, **{field: value}), zeros(1), name)
    assert (f"{field}_range" in ours) is (step > 0)
    assert ours == theirs


@pytest.mark.parametrize("step", [-1, 0, 1], ids=["inside", "at", "outside"])
@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize(("name", "field"), fields(SYNAPSE_FIELDS))
def test_ranges_of_synapses(name, field, end, step):
    low, high = (plain(name)["fields"][field][key] for key in ("low", "high"))
    value = (high + step) if end == "high" else (low - step)
    rule = "graded_spikes" if field == "message_bits" else f"{field}_range"
    broken = not low <= value <= high
    option = {"weight_bits": "num_weight_bits", "message_bits": "num_message_bits"}.get(field)
    option = option or {"delay": "delays"}.get(field, field)
    net = network(1, 1, joined([[128]], **{option: value}))
    if field == "weight_bits":  # wider ones have no grid, so look at the range alone
        bare = SimpleNamespace(network=net, profile=HardwareProfile.load(name))
        assert (rule in {v.rule for v in weight_bits_range(bare)}) is broken
        return
    ours, theirs = rules_broken(net, zeros(1), name)
    assert (rule in ours) is broken
    assert ours == theirs


@pytest.mark.parametrize(
    ("feature", "rule", "projections"),
    [
        ("learning", "learning", [joined([[128]], learning=pair_stdp((1, 0), (1, 0), 9, 9))]),
        (
            "programmable_learning",
            "learning",
            [joined([[128]], learning=pair_stdp((1, 0), (1, 0), 9, 9))],
        ),
        ("parallel_synapses", "parallel_synapses", [joined([[128]]), joined([[128]], delays=1)]),
        (
            "mixed_signs",
            "source_signs",
            [joined([[128], [-256]], sign_mode="mixed", num_weight_bits=2)],
        ),
        ("recurrence", "recurrence", [joined(np.full((2, 2), 128), "a")]),
    ],
)
def test_features(feature, rule, projections):
    projections = [
        QuantizedProjection(
            f"p{k}",
            p.pre,
            p.post,
            p.weights,
            0,
            p.sign_mode,
            p.num_weight_bits,
            p.delays,
            p.learning,
        )
        for k, p in enumerate(projections)
    ]
    net = network(projections[0].weights.shape[0], 1, *projections)
    for name in HardwareProfile.names():
        features = plain(name)["features"]
        lacks = features.get(feature, {}).get("value") is False
        if rule == "learning":
            lacks = any(
                features.get(f, {}).get("value") is False
                for f in ("learning", "programmable_learning")
            )
        ours, theirs = rules_broken(net, zeros(net.n_neurons), name)
        assert (rule in ours) is lacks, name
        assert ours == theirs, name


@pytest.mark.parametrize("reset", RESETS)
def test_resets(reset):
    net = network(2, reset=reset)
    for name in HardwareProfile.names():
        lacks = plain(name)["features"].get("subtractive_reset", {}).get("value") is False
        assert lacks == (name == "loihi1")
        ours, theirs = rules_broken(net, zeros(2), name)
        assert ("subtractive_reset" in ours) is (lacks and reset != "zero"), name
        bits = plain(name)["fields"].get("message_bits", {}).get("high")
        assert ("graded_spikes" in ours) is (bits == 0 and reset == "subtract_all"), name
        assert ours == theirs, name


def test_every_rule_has_a_boundary():
    """A rule that is added has to be tried above."""
    tried = {rule for rule, _ in LIMITS.values()}
    ranges = {*NEURON_FIELDS, *SYNAPSE_FIELDS} - {"message_bits"}
    tried |= {f"{field}_range" for field in ranges} | {"graded_spikes"}
    tried |= {"learning", "parallel_synapses", "source_signs", "recurrence"}  # features
    tried |= {"subtractive_reset"}
    # no limits of a profile: test_rules.py, and tests/sim_backends/test_third_factor.py
    tried |= {"weight_grid", "third_factor"}
    assert {rule.__name__ for rule in RULES} == tried


#: (index bits, weight bits) -> bits of lists of these lengths, printed by nengo-loihi 1.1.0.
LENGTHS = (1, 6, 7, 16, 64, 65, 128, 256, 1024)
VECTORS = {
    (0, 8): (64, 64, 128, 192, 576, 640, 1152, 2304, 9216),
    (0, 4): (64, 64, 64, 128, 320, 384, 640, 1280, 5120),
    (0, 1): (64, 64, 64, 64, 128, 192, 256, 512, 2048),
    (7, 8): (64, 128, 128, 256, 1024, 1088, 2048, 4096, 16384),
    (7, 4): (64, 128, 128, 192, 768, 832, 1536, 3072, 12288),
    (7, 1): (64, 64, 128, 192, 576, 640, 1152, 2304, 9216),
    (10, 8): (64, 128, 192, 320, 1216, 1280, 2432, 4864, 19456),
    (10, 4): (64, 128, 128, 256, 960, 1024, 1920, 3840, 15360),
    (10, 1): (64, 128, 128, 192, 768, 832, 1536, 3072, 12288),
}


@pytest.mark.parametrize(("widths", "bits"), VECTORS.items())
def test_the_checker_knows_the_published_sizes_of_lists(widths, bits):
    index, weight = widths
    words = [list_words(n, weight, index, 0, plain("loihi1")) for n in LENGTHS]
    assert tuple(64 * w for w in words) == bits


#: Neurons of a core that give an index its width; a list has at most one synapse for each.
SIZES = {0: 1, 7: 128, 10: 1024}
PLACED = [
    (index, weight, length, bits)
    for (index, weight), row in VECTORS.items()
    for length, bits in zip(LENGTHS, row, strict=True)
    if length <= SIZES[index]
]


@pytest.mark.parametrize(("index", "weight", "length", "bits"), PLACED)
def test_the_whole_way_gives_the_published_sizes_of_lists(index, weight, length, bits):
    """One source with `length` synapses on a core whose size gives that index width."""
    size = SIZES[index]
    column = np.zeros((size, 1), dtype=int)
    column[:length] = 256 - 2 ** (8 - weight)
    net = network(size, 1, joined(column, num_weight_bits=weight))
    used = PlacedNetwork.of(net, zeros(size), HardwareProfile.load("loihi1")).used["synapse_memory"]
    assert used.used.tolist() == [bits // 64]
