"""Commands for NIR: what they print, write and answer."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hdf5_children import read_here
from nir_files import chain, ends, exported, node, tree, write

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange import lint, nir_file


@pytest.fixture
def quick(monkeypatch):
    """Read files of ours without a new process for each."""
    for module in (lint, nir_file):
        monkeypatch.setattr(module, "read_hdf5", read_here)


@pytest.fixture
def files(tmp_path):
    """A recurrent network of snnTorch, and its spikes."""
    content, spikes = exported("snntorch_rleaky_zero")
    np.savez(tmp_path / "spikes.npz", **spikes)
    return write(tmp_path / "net.nir", content), tmp_path / "spikes.npz"


def test_an_import_says_what_it_assumed(run, files):
    net, spikes = files
    outcome = run("import", "nir", net, "-o", "o.hlx", "--reset", "zero", "--against", spikes)
    assert outcome.code == 0, outcome.err
    for words in (
        "snntorch (a flat pair lif1.lif, lif1.w_rec",
        "0.0001 s, assumed: fixed in snnTorch's exporter",
        "Affine fc1, fc2, lif1.w_rec: into the weights",
        "lif1.lif 1, lif2 2",
        "'bias'",
        "every recorded spike is the same",
    ):
        assert words in outcome.out
    network = hl.Network.load("o.hlx")
    assert network.population("lif1.lif").size == 20
    assert run("compile", "o.hlx", "--profile", "loihi2", "-o", "c.hlx").code == 0


def test_json(run, quick, files):
    net, spikes = files
    answer = run(
        "import", "nir", net, "-o", "o.hlx", "--reset", "zero", "--against", spikes, "--json"
    ).json()
    assert answer["dialect"] == "snntorch"
    assert answer["shifts"] == {"lif1.lif": 1, "lif2": 2}
    assert answer["outputs"] == {"output": ["lif2"]}
    assert answer["against"]["exact"]
    assert [row["differing"] for row in answer["against"]["layers"]] == [0, 0]


def test_a_difference_is_code_7_with_its_term(run, quick, files):
    net, spikes = files
    options = ["--dialect", "literal", "--dt", "1e-4", "--reset", "zero", "--against", spikes]
    outcome = run("import", "nir", net, "-o", "o.hlx", *options)
    assert outcome.code == 7
    assert "first difference: layer lif1.lif, step 1, neuron 12" in outcome.out
    assert "v goes to zero and stays there for a step" in outcome.out
    answer = run("import", "nir", net, "-o", "o.hlx", *options, "--json").json()
    assert answer["against"]["first"]["cause"]["term"] == "reset"


def test_what_must_be_given_is_code_2(run, quick, files):
    net, _ = files
    outcome = run("import", "nir", net, "-o", "o.hlx")
    assert outcome.code == 2
    assert "reset: not given, and in no file; allowed: zero or subtract_next" in outcome.err
    assert run("import", "nir", net, "-o", "o.hlx", "--dialect", "snntorc").code == 2
    assert run("import", "onnx", net, "-o", "o.hlx").code == 2


def test_several_spikes_in_a_step_are_told(run, quick, tmp_path):
    content, spikes = exported("sinabs_lif_hetero")
    path = write(tmp_path / "s.nir", content)
    np.savez(tmp_path / "s.npz", **spikes)
    outcome = run("import", "nir", path, "-o", "o.hlx", "--against", tmp_path / "s.npz")
    assert outcome.code == 0
    assert "every recorded spike is the same" in outcome.out
    words = " ".join(outcome.out.split())
    assert "reset subtract_all, assumed: the only or the usual one of sinabs" in words
    assert "spikes several in a step, in one message: 1, 3" in words
    answer = run("import", "nir", path, "-o", "o.hlx", "--json").json()
    assert answer["several_spikes"] == ["1", "3"]
    resets = [p.get("reset") for p in run("inspect", "o.hlx", "--json").json()["populations"]]
    assert resets.count("subtract_all") == 2
    outcome = run("import", "nir", path, "-o", "o.hlx", "--single-spikes", "--biases", "constant")
    assert outcome.code == 0
    assert "sinabs leaves tau_syn out" in outcome.err
    assert "several in a step" not in outcome.out


def test_what_cannot_be_held_exactly_is_code_3(run, quick, tmp_path):
    nodes = ends(3, 3) | {"sum": node("I", r=np.ones(3)), "fc": node("Linear", weight=np.eye(3))}
    content = tree(nodes, chain("input", "fc", "sum", "output"))
    path = write(tmp_path / "i.nir", content)
    options = ["--dialect", "literal", "--dt", "1e-3", "--reset", "zero"]
    outcome = run("import", "nir", path, "-o", "o.hlx", *options)
    assert outcome.code == 3
    assert "without a leak and without a threshold" in outcome.err
    assert not (tmp_path / "o.hlx").exists()


def test_an_unsafe_file_is_code_3_in_both_commands(run, files):
    net, _ = files
    with h5py.File(net, "a") as file:
        file["node/far"] = h5py.ExternalLink("/etc/hostname", "/")
    outcome = run("import", "nir", net, "-o", "o.hlx", "--reset", "zero")
    assert outcome.code == 3
    assert "/node/far: a link to another file" in outcome.err
    outcome = run("nir-check", net)
    assert outcome.code == 3
    assert "unsafe" in outcome.out
    outcome = run("nir-check", net, "--fix", "fixed.nir")
    assert outcome.code == 3
    assert "nothing is written" in outcome.err


def test_nir_check(run, quick, tmp_path):
    path = write(tmp_path / "r.nir", exported("rockpool_lif_hetero")[0])
    outcome = run("nir-check", path)
    assert outcome.code == 0
    assert "valid, written by rockpool" in outcome.out
    assert "lost_recurrence" in outcome.out
    assert run("nir-check", path, "--strict").code == 5
    assert run("nir-check", path, "--dt", "1").code == 3
    outcome = run("nir-check", path, "--fix", "fixed.nir")
    assert outcome.code == 0
    assert "input.shape: without (1, 100)" in outcome.out
    answer = run("nir-check", "fixed.nir", "--json").json()
    assert {finding["kind"] for finding in answer["findings"]} == {"lost_recurrence"}
    assert run("nir-check", path, "--fix", path).code == 2


def test_compile_takes_a_nir_file_as_the_import_does(run, quick, files, tmp_path):
    net, _ = files
    to = ("--profile", "loihi1", "-o")
    assert run("compile", net, *to, "o.hlx").code == 2  # nobody said which reset
    outcome = run("compile", net, "--reset", "zero", *to, "c.hlx")
    assert outcome.code == 0, outcome.err
    assert "read as snntorch" in outcome.err
    assert "assumed: dt = 0.0001 s" in outcome.err
    assert run("import", "nir", net, "--reset", "zero", "-o", "n.hlx").code == 0
    assert run("compile", "n.hlx", *to, "d.hlx").code == 0
    own, other = (hl.CompiledNetwork.load(name) for name in ("c.hlx", "d.hlx"))
    assert own.network.digest == other.network.digest
    assert run("compile", net, "--reset", "zero", "--seed", 1, *to, "e.hlx").code == 2
    assert run("export", "nir", "n.hlx", "-o", "back.nir").code == 0
    assert run("compile", "back.nir", *to, "f.hlx").code == 0  # its hints leave nothing open
    assert hl.CompiledNetwork.load("f.hlx").network.digest == own.network.digest
