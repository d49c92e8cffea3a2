"""Bundles run where this package cannot be imported, and do what the engines do."""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from bundles import bundle_of, run_bundle, run_bundles, small_network
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from network_strategies import collected, driven_learning_networks, driven_networks
from third_factor_networks import driven_third_factor_networks

import hrsnn_lava as hl
from hrsnn_lava.deploy.bundle import load, runner
from hrsnn_lava.deploy.bundle.contents import deployed
from hrsnn_lava.deploy.bundle.lava_target import lava_bundle
from hrsnn_lava.deploy.c_target.target import c_bundle
from hrsnn_lava.errors import ParityError, SpecError
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace
from hrsnn_lava.training.readout import FeatureOptions, SpikeFeatures

STEPS = 40
PROBES = ("spikes", "v", "u")
lava = pytest.mark.lava


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Of a network on a chip, with a readout of blocks of eight steps."""
    rng = np.random.default_rng(1)
    readout = {"weights": rng.standard_normal((75, 2)), "offset": rng.standard_normal(2)}
    meta = {"steps_per_sample": 8, "trace_samples": [3.0, 1.5], "squared": [0], "features": "all"}
    compiled = replace(hl.compile(small_network(), "loihi2"), readout=readout, readout_meta=meta)
    return bundle_of(compiled, tmp_path_factory.mktemp("runs") / "bundle")


@lava
def test_the_self_test_passes_in_lavas_own_runtime(bundle, tmp_path):
    """States are recorded, and the readout read, in the same run."""
    files = ["-o", str(tmp_path / "t.npz"), "--answers", str(tmp_path / "a.npz")]
    done = run_bundle(bundle.path, "--self-test", "--probe", "v", "--probe", "u", *files)
    assert done.returncode == 0, done.stderr
    assert "self-test: passed" in done.stdout
    trace = Trace.load(tmp_path / "t.npz")
    network = bundle.network().network
    inputs = SpikeInput.load(bundle.path / "program/input.npz")
    native = simulate(network, inputs, STEPS, "native", PROBES)
    assert compare(native, trace, ("native", "bundle")) == (0, None)
    assert trace.n_spikes > 50
    trace.require_network(network)
    assert trace.inputs.payloads.tolist() == inputs.payloads.tolist()
    load(bundle.path)  # nothing was left in it
    readout = np.load(bundle.path / "program/readout.npz")
    said = np.load(tmp_path / "a.npz")["answers"]
    features = SpikeFeatures(25, 8, FeatureOptions((3.0, 1.5), (0,)))
    for k in range(5):
        inside = native.spike_steps // 8 == k
        row = features.update(native.spike_steps[inside] - 8 * k, native.spike_neurons[inside])
        np.testing.assert_allclose(said[k], row @ readout["weights"] + readout["offset"])


@lava
def test_an_input_of_ones_own(bundle, tmp_path):
    """Of another length, without payloads."""
    rng = np.random.default_rng(2)
    at, who = np.nonzero(rng.random((30, 7)) < 0.3)
    inputs = SpikeInput(at, who, 30, 7)
    inputs.save(tmp_path / "in.npz")
    trace_file, events = str(tmp_path / "out.npz"), str(tmp_path / "in.npz")
    done = run_bundle(
        bundle.path, "--input", events, "--steps", "25", "-o", trace_file, "--runtime", "threads"
    )
    assert done.returncode == 0, done.stderr
    native = simulate(bundle.network().network, inputs, 25, "native")
    assert compare(native, Trace.load(trace_file), ("native", "bundle")) == (0, None)


@pytest.mark.parametrize("there", [True, False])
def test_the_first_spike_that_differs_is_named(bundle, there):
    expected = dict(np.load(bundle.path / "program/expected.npz"))
    gone = len(expected["spike_steps"]) // 2
    step, neuron = (int(expected[f"spike_{k}"][gone]) for k in ("steps", "neurons"))
    fewer = {k: np.delete(expected[k], gone) for k in ("spike_steps", "spike_neurons")}
    fewer = {**expected, **fewer}
    name, local = ("exc", neuron) if neuron < 20 else ("inh", neuron - 20)
    said = "there, and not expected" if there else "expected, and not there"
    runs = (fewer, expected) if there else (expected, fewer)
    with pytest.raises(ParityError) as refusal:
        runner.compare(*runs, bundle.manifest)
    assert refusal.value.exit_code == 7
    assert f"step {step}, neuron {local} of '{name}': a spike is {said}" in str(refusal.value)


@lava
def test_generated_networks_run_as_they_do_here(tmp_path):
    """Delays, exponents, signs and payloads of any kind; every reset; and learned weights."""
    cases = collected(driven_networks(STEPS, delays=True), 2, 11)
    for reset in ("subtract", "subtract_next"):
        network = small_network(refractory=0, reset=reset)
        cases.append((network, random_input(network, STEPS)))
    network = small_network(refractory=0)
    resets = {p.name: "subtract_all" for p in network.compute_populations}
    network = network.with_resets(resets)
    cases.append((network, random_input(network, STEPS)))
    cases += collected(driven_learning_networks(STEPS), 2, 12)
    cases += collected(driven_third_factor_networks(STEPS), 1, 12)
    folders = []
    for k, (network, inputs) in enumerate(cases):
        bundle_of(network, tmp_path / str(k), inputs, STEPS)
        folders.append(tmp_path / str(k))
    done = run_bundles(folders, "--self-test", "--runtime", "threads", "--probe", "v")
    assert done.returncode == 0, done.stdout + done.stderr
    learned = 0
    for folder, (network, inputs) in zip(folders, cases, strict=True):
        trace = Trace.load(f"{folder}.trace.npz")
        native = simulate(network, inputs, STEPS, "native", ("spikes", "v"))
        assert np.array_equal(trace.v, native.v)
        np.testing.assert_array_equal(trace.payload_values(), native.payload_values())
        assert (trace.payloads is None) == (native.payloads is None)
        assert trace.weights.keys() == native.weights.keys()
        for name, weights in native.weights.items():
            np.testing.assert_array_equal(trace.weights[name], weights)
            learned += 1
    assert learned


@lava
@pytest.mark.nightly
def test_a_hundred_networks_run_as_they_do_here(tmp_path_factory):
    @settings(max_examples=4, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
    @given(
        st.lists(driven_networks(STEPS, delays=True), min_size=13, max_size=13),
        st.lists(driven_learning_networks(STEPS), min_size=12, max_size=12),
    )
    def check(fixed, learning):
        folder = tmp_path_factory.mktemp("many")
        folders = []
        for k, (network, inputs) in enumerate([*fixed, *learning]):
            bundle_of(network, folder / str(k), inputs, STEPS)
            folders.append(folder / str(k))
        done = run_bundles(folders, "--self-test", "--runtime", "threads")
        assert done.returncode == 0, done.stdout + done.stderr

    check()


@lava
def test_lavas_own_lif_gives_the_same_spikes_where_it_can(tmp_path):
    bundle = bundle_of(small_network(refractory=0, vth=300, du=900), tmp_path / "b")
    assert bundle.manifest["stock"]["obstacle"] is None
    done = run_bundle(bundle.path, "--stock", "--self-test", "--runtime", "threads")
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout


@lava
def test_without_the_extension_hardware_is_an_honest_refusal(tmp_path, capsys):
    bundle = bundle_of(small_network(refractory=0, vth=300, du=900), tmp_path / "b")
    assert runner.main(["--hardware", "--self-test"], bundle.path) == 6
    said = capsys.readouterr()
    assert "lava-loihi" in said.err
    assert not said.out


def test_learned_weights_that_differ_are_named():
    expected = {
        "spike_steps": np.array([1]),
        "spike_neurons": np.array([2]),
        "n_neurons": 5,
        "weights/e/f": np.array([1, 2, 3]),
    }
    runner.compare(expected, expected, {})
    measured = {**expected, "weights/e/f": np.array([1, 9, 9])}
    with pytest.raises(ParityError, match=r"e/f, synapse 1: learned 9, expected 2 \(2 differ\)"):
        runner.compare(expected, measured, {})


def test_wrong_usage_is_told_before_lava_is_asked_for(bundle, tmp_path, capsys, monkeypatch):
    def refuse():
        pytest.fail("Lava was imported")

    monkeypatch.setattr(runner, "_require_lava", refuse)
    plain = bundle_of(small_network(), tmp_path / "plain")
    cases = [
        (bundle, ["--steps", "0"], "--steps"),
        (bundle, ["--self-test", "--steps", "5"], "--self-test"),
        (bundle, ["--stock"], "no program in Lava's own LIF"),
        (plain, ["--answers", "x"], "no readout"),
    ]
    for of, options, text in cases:
        assert runner.main(options, of.path) == 2
        assert text in capsys.readouterr().err
    for options, code in ((["--probe", "w"], 2), (["--help"], 0)):
        with pytest.raises(SystemExit) as end:
            runner.main(options, bundle.path)
        assert end.value.code == code


def test_where_lava_is_missing_the_answer_is_one_line(bundle, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "hrsnn_lava.processes.graph", None)
    assert runner.main([], bundle.path) == 6
    assert "It needs Python 3.10" in capsys.readouterr().err


def test_a_changed_bundle_does_not_run(bundle, tmp_path, capsys):
    path = tmp_path / "b"
    shutil.copytree(bundle.path, path)
    data = bytearray((path / "program/program.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "program/program.npz").write_bytes(data)
    assert runner.main(["--self-test"], path) == 3
    assert "program/program.npz" in capsys.readouterr().err


def test_the_manifest_says_what_it_is_and_where_it_comes_from(bundle):
    manifest = json.loads((bundle.path / "manifest.json").read_bytes())
    assert manifest["program"]["network_digest"] == bundle.network().network_digest
    assert manifest["host"]["populations"] == [["exc", 0, 20], ["inh", 20, 5]]
    assert manifest["host"]["inputs"] == [["val", 0, 3], ["spk", 3, 4]]
    assert manifest["requires"]["lava-nc"] == "==0.10.0"
    assert manifest["expected"]["by"] == ["native", "reference"]
    assert manifest["profile"]["name"] == "loihi2"
    assert [record["name"] for record in manifest["provenance"]["passes"]][-1] == "place"
    assert manifest["readout"]["arrays"] == {"offset": [2], "weights": [75, 2]}
    assert {"MODEL_CARD.md", "README.md", "LICENSE", "ci/github.yml", "run.py"} <= set(
        manifest["members"]
    )


def test_several_spikes_in_a_step():
    """What they are compared with has their numbers; a readout of single spikes is refused."""
    network = small_network(refractory=0).with_resets({"exc": "subtract_all", "inh": "zero"})
    compiled = hl.compile(network, "loihi2")
    what = deployed(compiled, random_input(compiled.network, 30), 30)
    manifest, members = lava_bundle(what)
    assert "reset 'subtract_all'" in manifest["stock"]["obstacle"]
    with np.load(io.BytesIO(members[runner.EXPECTED])) as expected:
        arrays = dict(expected)
    assert arrays["payloads"].tolist() == what.trace.payloads.tolist()
    runner.compare(arrays, arrays, manifest)
    more = arrays["payloads"].copy()
    more[3] += 2
    with pytest.raises(ParityError, match=rf"{more[3]} spikes, expected {more[3] - 2}"):
        runner.compare(arrays, arrays | {"payloads": more}, manifest)
    lines = c_bundle(what)[1]["test/spikes.txt"].decode().splitlines()
    first = (what.trace.spike_steps[0], what.trace.spike_neurons[0], what.trace.payloads[0])
    assert lines[0] == "s {} {} {}".format(*first)
    readout = {"weights": np.zeros((25, 1)), "offset": np.zeros(1)}
    with pytest.raises(SpecError, match="the readout of a bundle knows one spike a step alone"):
        lava_bundle(replace(what, model=replace(compiled, readout=readout)))
