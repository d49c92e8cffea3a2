"""Cost sets of one's own: a whole file, or a few prices in place of another set's."""

from __future__ import annotations

import os

import pytest

from hrsnn_lava.errors import ProfileError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

HEAD = """format = 1
name = "ours"
title = "our board"
description = "prices of our own"
"""
SOP = """
[[override]]
count = "synaptic_operations"
value_j = 31e-12
unit = "J"
source = "our measurement, board 7"
evidence = "measured"
condition = "0.75 V"
"""
IDLE = """
[[override]]
count = "static"
value_w = 0.05
unit = "W"
source = "our supply"
evidence = "measured"
condition = "idle"
"""


@pytest.fixture
def write(tmp_path):
    def put(text, name="ours.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def extending(base="sanafe_loihi", *overrides):
    return f'{HEAD}extends = "{base}"\n' + "".join(overrides or (SOP,))


def shipped(name="sanafe_loihi", new="ours"):
    text = CostSet.path_of(name).read_text(encoding="utf-8")
    return text.replace(f'name = "{name}"', f'name = "{new}"')


def faults(path):
    with pytest.raises(ProfileError) as caught:
        CostSet.load(path)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_an_override_replaces_one_price_and_is_marked(write):
    found, base = CostSet.load(write(extending())), CostSet.load("sanafe_loihi")
    price = found.coefficient("synaptic_operations")
    assert price is not None
    assert (price.value_j, price.source) == (31e-12, "our measurement, board 7")
    assert (price.overridden, price.replaces_j) == (True, 33.6e-12)
    # the base's range and other conditions were about the base's number
    assert (price.low_j, price.high_j, price.alternatives) == (None, None, {})
    assert (price.time_s, price.time_evidence) == (4.7e-9, "derived")
    assert found.overridden == ("synaptic_operations",)
    assert found.bases == ("sanafe_loihi",)
    assert found.coefficients[1:] == base.coefficients[1:]
    assert (found.chip, found.scope, found.static) == (base.chip, base.scope, base.static)
    assert found.digest != base.digest
    assert CostSet.from_dict(found.to_dict()) == found


def test_the_idle_power_can_be_overridden(write):
    found = CostSet.load(write(extending("sanafe_loihi", IDLE, SOP)))
    assert (found.static.value_w, found.static.replaces_w) == (0.05, 0.0296)
    assert found.static.low_w is None
    assert found.overridden == ("synaptic_operations", "static")


def test_an_override_can_carry_a_range_and_take_a_price_away(write):
    ranged = SOP + 'low_j = 30e-12\nhigh_j = 33e-12\nrange_source = "two boards"\n'
    price = CostSet.load(write(extending("sanafe_loihi", ranged))).coefficients[0]
    assert (price.low_j, price.high_j, price.range_source) == (30e-12, 33e-12, "two boards")
    gone = SOP.replace("value_j = 31e-12\n", "").replace('"measured"', '"none"')
    assert CostSet.load(write(extending("sanafe_loihi", gone))).coefficients[0].value_j is None


def test_files_extend_files_beside_them(write, monkeypatch, tmp_path):
    write(extending().replace('"ours"', '"first"'), "first.toml")
    second = write(extending("first.toml", SOP.replace("31e-12", "32e-12")), "second.toml")
    monkeypatch.chdir(tmp_path.parent)
    found = CostSet.load(second)
    assert found.bases == ("first", "sanafe_loihi")
    # what was published is what an override of an override is held against
    assert found.coefficients[0].value_j == 32e-12
    assert found.coefficients[0].replaces_j == 33.6e-12


def test_a_proxy_stays_a_proxy(write):
    found = CostSet.load(write(extending()))
    assert not found.is_proxy_for(HardwareProfile.load("loihi1"))
    assert found.is_proxy_for(HardwareProfile.load("loihi2"))
    other = write(extending().replace("extends", 'chip = "loihi2"\nextends', 1))
    assert "chip: 'loihi2'" in faults(other)


def test_a_whole_set_of_ones_own(write):
    found = CostSet.load(write(shipped().replace("33.6e-12", "30e-12", 1)))
    assert (found.name, found.coefficients[0].value_j) == ("ours", 30e-12)
    assert not found.is_proxy_for(HardwareProfile.load("loihi1"))
    other = CostSet.load(write(shipped().replace('chip = "loihi1"', 'chip = "loihi2"')))
    assert not other.is_proxy_for(HardwareProfile.load("loihi2"))
    assert other.is_proxy_for(HardwareProfile.load("loihi1"))


def test_a_copy_under_a_shipped_name_is_refused(write):
    text = faults(write(shipped(new="sanafe_loihi").replace("33.6e-12", "30e-12", 1)))
    assert "give yours another" in text
    assert "give yours another" in faults(write(extending().replace('"ours"', '"davies2018"')))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "our measurement, board 7"\n', "", "override.0.source"),
        ('"our measurement, board 7"', '"  "', "empty source or unit"),
        ('evidence = "measured"\n', "", "override.0.evidence"),
        ('"measured"', '"certain"', "override.0.evidence: 'certain'"),
        ('"measured"', '"none"', "a number with evidence 'none'"),
        ("31e-12", "-31e-12", "a price outside 0..1e-3"),
        ("31e-12", "31", "a price outside 0..1e-3"),
        ("31e-12", "nan", "ours.toml"),
        ("31e-12", "inf", "ours.toml"),
        ("31e-12", '"31 pJ"', "override.0.value_j: '31 pJ'"),
        ('"J"', '"pJ"', "unit 'pJ'"),
        ('"synaptic_operations"', '"synapses"', "override.0.count: 'synapses'"),
        ("value_j", "value_w", "joules: value_j"),
        ("value_j", "value", "override.0.value"),
        ("unit", "low_j = 1e-12\nunit", "one end of a range only"),
        ("unit", "low_j = 1e-12\nhigh_j = 2e-12\nunit", "low <= value <= high"),
        ("unit", "low_j = 1e-12\nhigh_j = 40e-12\nunit", "a range without range_source"),
        ("unit", 'range_source = "x"\nunit', "a range_source without a range"),
        ('"our measurement, board 7"', '"\\u001b[2J"', "printable text"),
    ],
)
def test_every_mistake_has_its_own_sentence(write, old, new, message):
    assert old in SOP
    assert message in faults(write(extending("sanafe_loihi", SOP.replace(old, new, 1))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (extending("sanafe"), "extends: no cost set 'sanafe'; there are: davies2018"),
        (extending("gone.toml"), "extends 'gone.toml': no such file beside it"),
        (extending("ours.toml"), "in a circle: ours.toml -> ours.toml"),
        (HEAD + 'extends = "davies2018"\n', "extends without [[override]]"),
        (HEAD + SOP, "[[override]] without extends"),
        (extending("davies2018", SOP, SOP), "override[1] (synaptic_operations): named twice"),
        (
            extending("davies2018", SOP.replace("synaptic_operations", "spikes")),
            "davies2018 prices it within another term: part of the active update",
        ),
        (
            extending("truenorth_all_in", SOP.replace("synaptic_operations", "messages")),
            "prices it within another term: inside the all-in figure",
        ),
        (extending("truenorth_all_in", IDLE), "an all-in price holds the static power"),
        (extending("davies2018", IDLE.replace("0.05", "-1.0")), "a power outside"),
        (extending("davies2018", IDLE.replace("value_w", "value_j")), "watts: value_w"),
        (extending("davies2018", IDLE.replace('"W"', '"mW"')), "unit 'mW'"),
        (extending("davies2018", IDLE + "time_s = 1e-9\n"), "time_s"),
        (extending().replace('"ours"', '"our prices"'), "letters, digits, dots, _ and -"),
        (extending().replace('"ours"', '"\\u001b[31m"'), "name"),
        ("format = 1\nformat = 2\n", "no valid TOML"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "9" * 9000, "ours.toml"),
        ("x = 1\n#" + "x" * 1_000_001, "larger than 1000000 bytes"),
        ("x = 2024-01-01\n", "ours.toml"),
    ],
)
def test_every_wrong_file_has_its_own_sentence(write, text, message):
    assert message in faults(write(text))


def test_two_faults_are_named_at_once(write):
    text = faults(
        write(
            extending(
                "davies2018",
                SOP.replace("synaptic_operations", "spikes"),
                SOP.replace("synaptic_operations", "neuron_updates"),
            )
        )
    )
    assert "override[0] (spikes)" in text
    assert "override[1] (neuron_updates)" in text


def test_a_circle_over_several_files_is_found(write):
    write(extending("b.toml").replace('"ours"', '"a"'), "a.toml")
    path = write(extending("a.toml").replace('"ours"', '"b"'), "b.toml")
    assert "in a circle: b.toml -> a.toml -> b.toml" in faults(path)


def test_a_long_chain_is_refused(write):
    write(extending().replace('"ours"', '"s0"'), "s0.toml")
    for k in range(1, 10):
        path = write(extending(f"s{k - 1}.toml").replace('"ours"', f'"s{k}"'), f"s{k}.toml")
    assert "more than 8 cost sets extend one another" in faults(path)


def test_an_all_in_price_can_be_overridden_and_stays_all_in(write):
    found = CostSet.load(write(extending("truenorth_all_in")))
    assert (found.scope, len(found.coefficients), found.static.value_w) == ("all_in", 1, None)
    raw = found.to_dict()
    raw["static"] |= {"value_w": 0.05, "evidence": "measured"}
    with pytest.raises(ProfileError, match="all_in, with further terms static"):
        CostSet.from_dict(raw)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(SpecError, match="cannot read cost set"):
        CostSet.load(tmp_path / "gone.toml")
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(SpecError, match="cannot read cost set"):
        CostSet.load(folder)
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)  # reading it would wait for ever
    with pytest.raises(ProfileError, match="no regular file"):
        CostSet.load(pipe)


@pytest.mark.parametrize("name", CostSet.names())
def test_shipped_ranges_hold_their_figure_and_name_their_source(name):
    prices = CostSet.load(name)
    for price in prices.coefficients:
        if price.low_j is not None:
            assert price.low_j <= price.value_j <= price.high_j
            assert price.range_source
        assert not price.overridden
    assert prices.bases == ()


def test_published_ranges():
    """hardware.md's table: SOP 23.6 at least, 24.0/33.6/35.5 fitted; N-S hops 4.0 or 4.2."""
    for name in ("davies2018", "sanafe_loihi"):
        prices = CostSet.load(name)
        of = {c.count: (c.low_j, c.high_j) for c in prices.coefficients}
        assert of["synaptic_operations"] == (23.6e-12, 35.5e-12)
        assert of["hops_x"] == (3.0e-12, 3.5e-12)
        assert of["hops_y"] == (3.5e-12, 4.2e-12)
        assert of["messages"] == (None, None)
        assert (prices.static.low_w, prices.static.high_w) == (0.029, 0.0296)
    odin = CostSet.load("odin_all_in").coefficients[0]
    assert (odin.low_j, odin.value_j, odin.high_j) == (8.43e-12, 12.7e-12, 54e-12)


def test_a_short_override_needs_a_source_and_its_evidence_alone(tmp_path):
    lines = ['name = "short"', 'extends = "sanafe_loihi"', "[[override]]", 'count = "spikes"']
    lines += ["value_j = 5e-12", 'source = "our bench"', 'evidence = "measured"']
    path = tmp_path / "short.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    found, base = CostSet.load(path), CostSet.load("sanafe_loihi")
    spike, old = found.coefficient("spikes"), base.coefficient("spikes")
    assert spike is not None
    assert (spike.value_j, spike.unit, spike.name) == (5e-12, "J", old.name)
    assert spike.condition == "not stated"
    assert found.title == f"{base.title}, with prices replaced"
    for key in ("source", "evidence"):
        path.write_text("\n".join(x for x in lines if key not in x), encoding="utf-8")
        with pytest.raises(ProfileError) as caught:
            CostSet.load(path)
        assert [p.where for p in caught.value.problems] == [f"override.0.{key}"]
