"""Models: presets below a spec's own keys, with a source for every value."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava import Spec, build_hrsnn, registry
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.hrsnn_options import NetworkSpec, RuleOptions
from hrsnn_lava.models import Model, under

NAMES = ("chrsnn", "hrsnn", "lsm", "mrsnn")


def model(name, **table):
    return Spec.parse({"network": {"model": name} | table})


def test_the_models_there_are():
    assert registry.names("model") == NAMES
    with pytest.raises(SpecError, match=r"network\.model: 'lms'; allowed: chrsnn, hrsnn, lsm"):
        model("lms")


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_an_origin_and_a_source(name):
    preset = Model.load(name)
    assert preset.name == name
    assert preset.title
    assert len(preset.description.split()) > 20
    for entry in preset.values:
        assert len(entry.source) > 8
        if entry.origin == "literature":
            assert "20" in entry.source  # a year


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_a_spec_and_says_so_again(name):
    spec = model(name)
    assert spec.network.model == name
    assert Spec.parse(json.loads(spec.canonical())) == spec
    few = {"size": 40, "connectivity": {"mean_degree": 2.0}}
    build_hrsnn(spec if name == "lsm" else model(name, **few))


def test_the_first_model_states_the_defaults():
    """``hrsnn.toml`` has the values of a spec that names none, and all of them but what is off."""
    preset = Model.load("hrsnn")
    assert model("hrsnn") == Spec()
    assert NetworkSpec.model_validate_json(json.dumps(preset.table("network"))) == NetworkSpec()
    rules = preset.table("stdp")
    assert RuleOptions(**rules | {"projections": tuple(rules["projections"])}) == RuleOptions()

    def leaves(table, path=""):
        for key, value in table.items():
            if isinstance(value, dict) and "distribution" not in value:
                yield from leaves(value, f"{path}{key}.")
            elif value not in (None, (), []):
                yield f"{path}{key}"

    every = set(leaves(Spec().network.model_dump()))
    off = {"model", "connectivity.clusters", "connectivity.cluster_ratio"}
    off |= {"input.normalise", "input.synapse"}
    assert every - set(leaves(preset.table("network"))) == off


def test_a_homogeneous_network_is_the_heterogeneous_one_without_its_spread():
    sizes = {"size": 60, "connectivity": {"mean_degree": 8.0}}
    gamma = {"distribution": "gamma", "shape": 3.0, "mean": 0.02}
    rule = {"tau_plus": gamma, "a_plus": gamma}
    whole = build_hrsnn(Spec.parse({"network": sizes, "stdp": rule}), 4)
    same = build_hrsnn(Spec.parse({"network": {"model": "mrsnn"} | sizes, "stdp": rule}), 4)
    for a, b in zip(whole.compute_populations, same.compute_populations, strict=True):
        for field in ("tau_mem", "tau_syn", "v_threshold", "bias", "refractory"):
            assert np.ptp(b.parameter(field)) == 0
            mean = a.parameter(field).mean()
            assert b.parameter(field)[0] == pytest.approx(mean, rel=1e-12)
    for a, b in zip(whole.projections, same.projections, strict=True):
        assert (a.weights != b.weights).nnz == 0
    rules = [net.projection("exc_exc").plasticity for net in (whole, same)]
    assert np.ptp(rules[0].tau_plus) > 0
    assert rules[1].tau_plus == pytest.approx(np.mean(rules[0].tau_plus), rel=1e-12)
    assert rules[1].a_plus == pytest.approx(np.mean(rules[0].a_plus), rel=1e-12)


def test_clusters_of_a_clustered_network_connect_more_within():
    """By the density of synapses between neurons of one cluster and of two, for equal distances."""
    table = {"size": 300, "connectivity": {"mean_degree": 20.0, "length": 100.0}}
    plain, clustered = (build_hrsnn(model(name, **table), 2) for name in ("hrsnn", "chrsnn"))
    assert model("chrsnn").network.connectivity.clusters == 8
    # of 8 clusters an eighth of the pairs is within, the rest 8 times as unlikely
    share = (1 / 8) + (7 / 8) / 8
    ratio = clustered.projection("exc_exc").n_synapses / plain.projection("exc_exc").n_synapses
    assert ratio == pytest.approx(share, rel=0.05)


def test_the_liquid_has_the_constants_of_its_source():
    net = build_hrsnn(model("lsm"), 1, 40)
    exc, inh = net.population("exc"), net.population("inh")
    assert (exc.size, inh.size) == (108, 27)
    cells = np.concatenate([exc.positions, inh.positions])
    assert len({tuple(cell) for cell in cells}) == 135
    assert cells.max(axis=0).tolist() == [14, 2, 2]
    # milliseconds, and millivolts over 15
    for population, refractory, tau_syn in ((exc, 3, 3), (inh, 2, 6)):
        assert set(population.parameter("tau_mem") * 1e3) == {30.0}
        assert set(population.parameter("refractory") * 1e3) == {refractory}
        assert set(population.parameter("tau_syn") * 1e3) == {tau_syn}
        assert set(population.parameter("bias")) == {13.5 / 15}
        assert set(population.parameter("v_threshold")) == {1.0}
    amplitudes = {"exc_exc": 30, "exc_inh": 60, "inh_exc": -19, "inh_inh": -19, "inp_exc": 18}
    many = [build_hrsnn(model("lsm"), seed, 40) for seed in range(8)]
    for name, amplitude in amplitudes.items():
        weights = np.concatenate([n.projection(name).weights.data for n in many])
        error = 5 * np.abs(amplitude / 15) / np.sqrt(weights.size)
        assert weights.mean() == pytest.approx(amplitude / 15, abs=error)
        assert weights.std() == pytest.approx(np.abs(amplitude / 15), rel=0.2)
    delays = {p.name: (p.delays or 0) for p in net.projections if p.pre != "inp"}
    assert delays == {"exc_exc": 1e-3, "exc_inh": 0, "inh_exc": 0, "inh_inh": 0}
    reached = sum(
        np.diff(net.projection(name).weights.tocsc().indptr) for name in ("inp_exc", "inp_inh")
    )
    assert set(reached) == {round(0.3 * 135)}
    assert not net.population("inp").graded
    # P = C exp(-(D / 2)^2) of the nearest cells, all pairs of 8 networks
    near = linked = 0
    for n in many:
        position = n.population("exc").positions
        squared = ((position[:, None] - position[None]) ** 2).sum(-1)
        near += (squared == 1).sum()
        linked += (n.projection("exc_exc").weights.toarray() != 0)[squared == 1].sum()
    assert linked / near == pytest.approx(0.3 * np.exp(-0.25), rel=0.1)


def test_own_keys_win_one_by_one():
    network = model("lsm", neurons={"excitatory": {"bias": 0.5}}, dt=5e-4).network
    assert network.neurons.excitatory.bias == 0.5
    assert network.neurons.excitatory.tau_mem == 0.03
    assert network.neurons.inhibitory.bias == 0.9
    assert (network.dt, network.size) == (5e-4, 135)
    assert model("lsm", connectivity={"weight": 1.0}).network.connectivity.weight == 1.0
    one = model("lsm", connectivity={"weight": {"ee": 1.0}}).network.connectivity.weight
    assert (one.ee, one.ei.mean) == (1.0, 4.0)
    gamma = {"distribution": "gamma", "shape": 2.0, "mean": 1.0}
    assert model("lsm", connectivity={"weight": gamma}).network.connectivity.weight.mean == 1.0
    assert model("mrsnn", homogeneous=["bias"]).network.homogeneous == ("bias",)


def test_of_two_keys_for_one_thing_the_own_one_holds():
    connectivity = model("lsm", connectivity={"mean_degree": 9.0}).network.connectivity
    assert (connectivity.length, connectivity.mean_degree) == (None, 9.0)
    layer = model("lsm", input={"fan_in": 3}).network.input
    assert (layer.fan_in, layer.fan_out) == (3, None)
    assert model("lsm", grid=[5, 4, 3]).network.size == 60
    with pytest.raises(SpecError, match=r"2 to 135 neurons, the cells of the grid \[15"):
        model("lsm", size=136)


def test_rules_of_a_model_are_given_to_a_table_that_is_there():
    assert model("mrsnn").stdp is None
    spec = Spec.parse({"network": {"model": "mrsnn"}, "stdp": {"w_max": 2.0}})
    assert spec.stdp.homogeneous == ("a_plus", "a_minus", "tau_plus", "tau_minus")
    assert spec.stdp.w_max == 2.0


def test_a_table_of_python_is_told_how_to_have_a_model():
    with pytest.raises(ValueError, match=r"without connectivity, .* of the model; read the table"):
        NetworkSpec(model="lsm")


plain = st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3)
nested = st.dictionaries(st.sampled_from("abc"), st.one_of(st.integers(), plain), max_size=3)


@given(nested, nested)
@settings(max_examples=60, deadline=None)
def test_tables_are_merged_key_by_key(preset, own):
    merged = under(preset, own)
    assert set(merged) == set(preset) | set(own)
    assert under(preset, merged) == merged
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(preset.get(key), dict):
            assert merged[key] == preset[key] | value
        else:
            assert merged[key] == value


GOOD = """format = 1
name = "ours"
title = "Ours"
description = "A model of our own."

[[values]]
key = "network.size"
value = 30
unit = "neurons"
origin = "ours"
source = "enough for a test"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    yield tmp_path / "model"
    monkeypatch.undo()
    registry.forget()


def test_a_model_in_a_folder_of_ones_own(folder):
    (folder / "ours.toml").write_text(GOOD)
    registry.forget()
    assert model("ours").network.size == 30


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format: Input should be 1"),
        ('name = "ours"', 'name = "theirs"', "name 'theirs'; allowed: 'ours', as of the file"),
        ('origin = "ours"', 'origin = "hearsay"', r"values\.0\.origin: Input should be 'stated'"),
        ('origin = "ours"', "", r"values\.0\.origin: Field required"),
        ("enough for a test", " ", r"network\.size: no source"),
        ("network.size", "task.size", r"key 'task\.size'; allowed: one of \[network\] or \[stdp\]"),
        ("network.size", "network", "key 'network'; allowed"),
        ("network.size", "network.sise", r"network\.sise: unknown key; .* Did you mean 'size'"),
        ("network.size", "stdp.sise", r"stdp\.sise: unknown key"),
        ("value = 30", 'value = "many"', r"network\.size: 'many'; allowed: an integer"),
        ("value = 30", "value = ", "cannot be read: "),
        ("[[values]]", "[[values]]\nkind = 1", r"values\.0\.kind: Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_of_the_file(folder, old, new, words):
    (folder / "ours.toml").write_text(GOOD.replace(old, new, 1))
    registry.forget()
    with pytest.raises(PartError, match=rf"model 'ours': .*ours\.toml: .*{words}"):
        model("ours")


def test_keys_that_stand_twice_or_inside_each_other(folder):
    entry = GOOD[GOOD.index("[[values]]") :]
    inner = entry.replace("network.size", "network.size.x")
    (folder / "ours.toml").write_text(GOOD + entry + inner)
    registry.forget()
    with pytest.raises(PartError) as caught:
        model("ours")
    assert "network.size: given twice" in str(caught.value)
    assert "network.size.x: a key of network.size, which is given" in str(caught.value)
