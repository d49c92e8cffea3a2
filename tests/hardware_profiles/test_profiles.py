"""Hardware profiles: the shipped numbers, strict reading, and contradictions."""

from __future__ import annotations

import copy
import json

import pytest

from hrsnn_lava.errors import ProfileError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile


def test_shipped_profiles_load_and_survive_a_round_trip() -> None:
    assert HardwareProfile.names() == ("loihi1", "loihi2", "loihi2_lava")
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
    assert one.synapse_memory is not None
    assert one.synapse_memory.words.value == 16384
    assert one.synapse_memory.word_bits.value == 64
    assert one.has_profile_tables
    assert one.has_mesh
    two = HardwareProfile.load("loihi2")
    assert two.core.neurons.value == 8192
    assert two.core.synapses.value == 120_000_000 // 128
    assert not two.has_profile_tables
    assert (two.trace_profiles, two.learning_epochs) == (None, None)
    logs = HardwareProfile.load("loihi2_lava")
    assert logs.synapse_memory is not None
    assert logs.synapse_memory.words.value == 12000


def test_limits_of_learning_may_be_left_out() -> None:
    """Files and programs from before these limits keep their hash."""
    raw = HardwareProfile.load("loihi1").to_dict()
    for name in ("trace_profiles", "learning_epochs"):
        del raw["core"][name]
    old = HardwareProfile.from_dict(raw)
    assert old.trace_profiles is None
    assert old.to_dict() == raw
    assert old.digest != HardwareProfile.load("loihi1").digest
    # the hash that profile "loihi1" had without them
    assert old.digest == "481b7a674dcf67d411062566ae0cde4a61f4f89aa73087cdf84dae73e085524f"


def test_digest_ignores_the_layout_of_the_file(tmp_path) -> None:
    text = (HardwareProfile.folder() / "loihi1.toml").read_text()
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
