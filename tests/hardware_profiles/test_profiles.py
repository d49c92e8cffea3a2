"""Hardware profiles: the shipped numbers, strict reading, and contradictions."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest

from hrsnn_lava.errors import ProfileError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.hardware_profiles.profile import CONTRADICTIONS


def test_shipped_profiles_load_and_survive_a_round_trip() -> None:
    assert HardwareProfile.names() == (
        "dynap_cnn",
        "dynap_se",
        "loihi1",
        "loihi2",
        "loihi2_lava",
        "odin",
        "speck2f",
        "spinnaker1",
        "spinnaker2",
        "truenorth",
        "xylo_audio2",
        "xylo_audio3",
        "xylo_imu",
    )
    for name in HardwareProfile.names():
        profile = HardwareProfile.load(name)
        assert profile.name == name
        again = HardwareProfile.from_dict(json.loads(json.dumps(profile.to_dict())))
        assert again == profile
        assert again.digest == profile.digest
        assert len(profile.digest) == 64
        for cost_set in profile.cost_sets:
            assert CostSet.load(cost_set).chip == name


def test_published_limits() -> None:
    one = HardwareProfile.load("loihi1")
    assert (one.core.neurons.value, one.total_cores) == (1024, 128)
    assert (one.core.in_axons.value, one.core.out_axons.value) == (4096, 4096)
    assert (one.core.compartment_profiles.value, one.core.threshold_profiles.value) == (31, 7)
    assert (one.trace_profiles, one.learning_epochs) == (3, 1)
    # validate_core: len(synapse_cfgs) <= 16, whose index 0 stays unused
    assert one.core.synapse_formats.value == 16 - 1
    # REFRACT_DELAY_MAX = 63 is steps + 1
    assert (one.fields.refractory.low, one.fields.refractory.high) == (0, 63 - 1)
    for text in ("1..64", "each source and format", "-8..7", "asserts above 0"):
        assert any(text in line for line in one.alternatives)
    assert one.synapse_memory is not None
    assert one.synapse_memory.words.value == 16384
    assert one.synapse_memory.word_bits.value == 64
    assert one.has_profile_tables
    assert one.has_mesh
    two = HardwareProfile.load("loihi2")
    assert two.total_cores == 152  # arXiv 2602.04717
    assert two.core.neurons.value == 8192
    assert two.core.synapses.value == 120_000_000 // 128
    assert not two.has_profile_tables
    assert (two.trace_profiles, two.learning_epochs) == (None, None)
    logs = HardwareProfile.load("loihi2_lava")
    assert logs.synapse_memory is not None
    assert logs.synapse_memory.words.value == 12000
    assert (logs.total_cores, logs.fields.message_bits.high) == (152, 32)


def test_published_limits_of_the_chips_for_comparison() -> None:
    """By the publications that their files name; one assertion a chip that would be missed."""
    north = HardwareProfile.load("truenorth")
    assert north.total_cores == 64 * 64
    assert north.core.neurons.value == north.core.in_axons.value == 256
    assert north.core.synapses.value == 256 * 256
    per_neuron = ("fan_in", "destinations", "weight_values", "delays")
    assert [north.limit(f"neuron.{name}") for name in per_neuron] == [256, 1, 4, 1]
    assert (north.fields.weight_bits.high, north.fields.delay.high) == (1, 14)
    dynap = HardwareProfile.load("dynap_se")
    assert (dynap.total_cores, dynap.core.neurons.value) == (4, 256)
    assert dynap.limit("neuron.fan_in") == 64
    odin = HardwareProfile.load("odin")
    assert (odin.total_cores, odin.core.synapses.value) == (1, 65536)
    assert odin.fields.weight_bits.high == 3
    assert not odin.lacks("learning")
    assert odin.lacks("programmable_learning")
    xylo = HardwareProfile.load("xylo_audio2")
    assert (xylo.core.neurons.value, xylo.limit("chip.inputs")) == (1000, 16)
    assert xylo.core.synapses.value is None  # two published numbers contradict each other
    for name in ("dynap_se", "truenorth", "xylo_audio2"):
        assert HardwareProfile.load(name).lacks("learning")
    for name in ("spinnaker1", "spinnaker2"):
        assert not HardwareProfile.load(name).lacks("programmable_learning")
    assert HardwareProfile.load("spinnaker1").total_cores == 16
    second = HardwareProfile.load("spinnaker2")
    assert second.total_cores == 152
    assert second.synapse_memory is not None
    assert second.synapse_memory.words.value * 4 == 128 * 1024  # bytes of a core


@pytest.mark.parametrize(
    ("name", "hidden", "fan_out", "targets"),
    [("xylo_audio2", 1000, 64, None), ("xylo_audio3", 992, 1024, 128), ("xylo_imu", 496, 512, 128)],
)
def test_published_limits_of_the_xylos(name, hidden, fan_out, targets) -> None:
    """Rockpool's mappers, and the maker's table of the family."""
    chip = HardwareProfile.load(name)
    assert (chip.total_cores, chip.core.neurons.value) == (1, hidden)
    assert (chip.limit("chip.inputs"), chip.limit("chip.input_targets")) == (16, targets)
    assert chip.limit("neuron.fan_out") == fan_out
    assert chip.fields.weight_bits.high == 8
    assert chip.lacks("learning")
    assert not chip.lacks("recurrence")
    assert chip.core.synapses.value is None


@pytest.mark.parametrize("name", ["speck2f", "dynap_cnn"])
def test_published_limits_of_convolutional_chips(name) -> None:
    """sinabs: nine layers, at most 64 Ki neurons each, two destinations, weights of 8 bits."""
    chip = HardwareProfile.load(name)
    assert (chip.total_cores, chip.core.neurons.value) == (9, 64 * 1024)
    assert chip.limit("neuron.destinations") == 2
    assert chip.fields.weight_bits.high == 8
    assert chip.lacks("recurrence")
    assert chip.cost_sets == ()


def test_what_a_file_leaves_out_is_neither_a_limit_nor_a_lack() -> None:
    one = HardwareProfile.load("loihi1")
    assert one.limit("neuron.fan_in") is None
    assert one.limit("core.axon_types") is None
    assert not one.lacks("parallel_synapses")
    raw = one.to_dict()
    assert "neuron" not in raw
    assert set(raw["features"]) == {"learning", "subtractive_reset"}
    assert "inputs" not in raw["chip"]


def test_every_number_of_a_shipped_profile_states_its_source() -> None:
    """And one that is not published says where it was looked for, or why there is none."""
    for name in HardwareProfile.names():
        entries = list(_sourced(HardwareProfile.load(name).to_dict()))
        assert len(entries) >= 20
        assert all(len(entry["source"]) > 8 for entry in entries), name


def _sourced(data):
    if isinstance(data, dict):
        if {"unit", "source", "evidence"} <= set(data):
            yield data
        else:
            for item in data.values():
                yield from _sourced(item)


def test_limits_of_learning_may_be_left_out() -> None:
    """Files and programs from before these limits keep their hash."""
    raw = HardwareProfile.load("loihi1").to_dict()
    for name in ("trace_profiles", "learning_epochs"):
        del raw["core"][name]
    old = HardwareProfile.from_dict(raw)
    assert old.trace_profiles is None
    assert old.to_dict() == raw
    assert old.digest != HardwareProfile.load("loihi1").digest
    # what `sha256` says of the plain data, which has no entry for what is left out
    plain = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert old.digest == hashlib.sha256(plain.encode()).hexdigest()


def test_digest_ignores_the_layout_of_the_file(tmp_path) -> None:
    text = HardwareProfile.path_of("loihi1").read_text()
    path = tmp_path / "loihi1.toml"
    path.write_text("# another comment\n" + text.replace("value = 1024", "value   =  1_024"))
    assert HardwareProfile.load(path).digest == HardwareProfile.load("loihi1").digest


def test_with_chips() -> None:
    profile = HardwareProfile.load("loihi1").with_chips(3)
    assert profile.total_cores == 384
    assert profile.digest != HardwareProfile.load("loihi1").digest
    with pytest.raises(SpecError, match="number of chips: 0"):
        profile.with_chips(0)


def test_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(SpecError, match=r"no hardware profile 'loihi3'.*loihi1, loihi2"):
        HardwareProfile.load("loihi3")
    with pytest.raises(SpecError, match="cannot read"):
        HardwareProfile.load("missing.toml")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("core", "neurons", "value"), -1, "core.neurons"),
        (("core", "neurons", "value"), 0, "core.neurons"),
        (("core", "neurons", "value"), 1024.0, "core.neurons.value"),
        (("core", "neurons", "value"), "many", "core.neurons.value"),
        (("core", "neurons", "vaule"), 3, "core.neurons.vaule"),
        (("core", "trace_profiles", "value"), 0, "core.trace_profiles"),
        (("core", "trace_profiles", "evidence"), "none", "a number with evidence 'none'"),
        (("core", "neurons", "value"), None, "no number, but evidence"),
        (("core", "synapses", "value"), 5, "a number with evidence 'none'"),
        (("core", "neurons", "source"), " ", "empty source or unit"),
        (("core", "neurons", "evidence"), "hearsay", "core.neurons.evidence"),
        (("chip", "cores", "value"), 129, "129 cores on 8 x 4 tiles of 4"),
        (("chip", "mesh_width", "value"), None, "half given"),
        (("fields", "du", "low"), 5000, "5000..4095"),
        (("fields", "delay", "high"), 128, "up to 128 steps in at most 7 bits"),
        (("synapse_memory", "index_bits", "values"), [0, 6, 9], "at most 9 bits for 1024 neurons"),
        (("synapse_memory", "weight_bits", "values"), [0, 4], "weights of 8 allowed"),
        (("synapse_memory", "weight_bits", "values"), [8, 4], "rising values"),
        (("synapse_memory", "group_size", "value"), 0, "group_size"),
        (("format",), 2, "format"),
        (("colour",), "red", "colour"),
    ],
)
def test_contradictions_are_refused(path, value, message) -> None:
    raw = copy.deepcopy(HardwareProfile.load("loihi1").to_dict())
    table = raw
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    with pytest.raises(ProfileError) as caught:
        HardwareProfile.from_dict(raw)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("loihi1", {"core.synapses": 1048577}, "1048577 in 1048576 bits of memory"),
        ("loihi1", {"cost_sets": ["a", "b", "a"]}, "'a' 2 times"),
        ("loihi1", {"fields.weight_bits.low": 0}, "0 bits allowed"),
        ("loihi1", {"fields.delay.low": -1}, "from -1 steps"),
        ("truenorth", {"core.synapses": 65537}, "65537 on a crossbar of 65536"),
        ("truenorth", {"neuron.fan_in": 257}, "257 synapses from 256 axons"),
        ("dynap_se", {"neuron.fan_in": 16385}, "16385 synapses onto a neuron, 16384 on a core"),
        ("truenorth", {"neuron.destinations": 4097}, "4097 of 4096 cores"),
        ("truenorth", {"neuron.delays": 0}, "neuron.delays"),
        ("xylo_audio2", {"chip.inputs": 0}, "chip.inputs"),
        (
            "truenorth",
            {"features.programmable_learning": True},
            "yes, on a chip that does not learn",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_refused(name, changes, message) -> None:
    raw = HardwareProfile.load(name).to_dict()
    for path, value in changes.items():
        _set(raw, path, value)
    with pytest.raises(ProfileError) as caught:
        HardwareProfile.from_dict(raw)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def _set(raw: dict, path: str, value: object) -> None:
    """Put a number into a profile's plain data, sourced like one of the user's."""
    *tables, last = path.split(".")
    for key in tables:
        raw = raw.setdefault(key, {})
    entry = raw.get(last)
    if tables and not (isinstance(entry, (int, type(None))) and last in ("low", "high")):
        raw[last] = {"value": value, "unit": "-", "source": "a test", "evidence": "chosen"}
    else:
        raw[last] = value


@pytest.mark.parametrize("find", CONTRADICTIONS, ids=lambda f: f.__name__)
def test_every_contradiction_says_what_should_hold(find) -> None:
    assert (find.__doc__ or "").rstrip().endswith(".")


def test_all_contradictions_come_at_once() -> None:
    raw = HardwareProfile.load("loihi1").to_dict()
    raw["core"]["neurons"]["value"] = 0
    raw["fields"]["dv"]["low"] = 9999
    raw["chip"]["cores"]["value"] = 500
    with pytest.raises(ProfileError) as caught:
        HardwareProfile.from_dict(raw)
    assert len(caught.value.problems) >= 3


def test_files_that_are_no_toml(tmp_path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[core\n")
    with pytest.raises(ProfileError, match="no valid TOML"):
        HardwareProfile.load(bad)
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="no valid TOML"):
        HardwareProfile.load(bad)
    bad.write_text("when = 2018-01-01\n")
    with pytest.raises(ProfileError, match="is no hardware profile"):
        HardwareProfile.load(bad)
    bad.write_text("#" * 1_000_001)
    with pytest.raises(ProfileError, match="larger than"):
        HardwareProfile.load(bad)
