"""Commands for files of lava-dl: what they print, write and answer."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hdf5_children import read_here
from netx_cases import case, write_net

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange import netx_file


@pytest.fixture
def quick(monkeypatch):
    """Read files of ours without a new process for each."""
    monkeypatch.setattr(netx_file, "read_hdf5", read_here)


@pytest.fixture
def net(tmp_path):
    """A recurrent layer and an output."""
    path = tmp_path / "trained.net"
    write_net(path, case("recurrent_4")[0])
    return path


def test_in_and_out_and_in_again(run, net):
    outcome = run("import", "netx", net, "-o", "a.hlx")
    assert outcome.code == 0, outcome.err
    assert "layer_0_weight_rec  layer_0  layer_0" in outcome.out
    network = hl.QuantizedNetwork.load("a.hlx")
    assert f"{network.n_neurons} neurons" in outcome.out
    outcome = run("export", "netx", "a.hlx", "-o", "b.net")
    assert outcome.code == 0, outcome.err
    assert "the format has no names" in " ".join(outcome.out.split())
    assert run("import", "netx", "b.net", "-o", "b.hlx").code == 0
    again = hl.QuantizedNetwork.load("b.hlx")
    for first, second in zip(network.projections, again.projections, strict=True):
        assert (first.weights != second.weights).nnz == 0
        assert first.weight_exp == second.weight_exp


def test_a_compiled_network_is_written_and_a_file_is_compiled(run, quick, net):
    assert run("compile", net, "--profile", "loihi2", "-o", "c.hlx").code == 0
    assert run("export", "netx", "c.hlx", "-o", "c.net").code == 0
    with h5py.File("c.net") as file:
        assert file["layer/1/type"][0] == b"dense_rec"


def test_json_tells_findings(run, quick, tmp_path):
    layers, _ = case("edge_0")
    write_net(tmp_path / "x.net", layers)
    answer = run("import", "netx", tmp_path / "x.net", "-o", "x.hlx", "--json").json()
    assert [finding["kind"] for finding in answer["findings"]] == ["netx_weights_changed"]
    answer = run(
        *("import", "netx", tmp_path / "x.net", "-o", "x.hlx", "--json", "--weights", "file")
    ).json()
    assert answer["findings"] == []
    answer = run("export", "netx", "x.hlx", "-o", "y.net", "--json")
    assert answer.code == 2
    assert "weights -64..-64" in answer.out


def test_options_of_netx(run, quick, tmp_path):
    layers, _ = case("convolution_1")
    write_net(tmp_path / "x.net", layers[1:2])
    shape = ",".join(str(n) for n in layers[0]["shape"])
    failed = run("import", "netx", tmp_path / "x.net", "-o", "x.hlx")
    assert failed.code == 3
    assert "input_shape=(channels, height, width)" in failed.err
    outcome = run("import", "netx", tmp_path / "x.net", "--input-shape", shape, "-o", "x.hlx")
    assert outcome.code == 0, outcome.err
    assert run("import", "netx", tmp_path / "x.net", "--input-shape", "a", "-o", "x.hlx").code == 2
    write_net(tmp_path / "y.net", layers)
    outcome = run("import", "netx", tmp_path / "y.net", "--num-layers", 2, "-o", "y.hlx", "--json")
    assert outcome.json()["neurons"] == np.prod(layers[1]["shape"])


@pytest.mark.parametrize(
    ("format", "option"),
    [
        ("netx", ("--dialect", "norse")),
        ("netx", ("--reset", "zero")),
        ("netx", ("--single-spikes",)),
        ("netx", ("--biases", "constant")),
        ("nir", ("--weights", "file")),
        ("nir", ("--num-layers", "2")),
        ("nir", ("--input-shape", "2,3,3")),
    ],
)
def test_options_of_the_other_format_are_refused(run, net, format, option):
    outcome = run("import", format, net, "-o", "x.hlx", *option)
    assert outcome.code == 2
    assert f"import {format} has no such option" in outcome.err
    assert option[0] in outcome.err


def test_files_of_the_wrong_kind_are_told(run, net, tmp_path):
    outcome = run("simulate", net, "--steps", 3)
    assert outcome.code == 3
    assert "a file of lava-dl's network exchange; `import` takes it" in outcome.err
    text = tmp_path / "x.toml"
    text.write_text("seed = 1\n")
    assert run("export", "netx", text, "-o", "x.net").code == 3
    assert run("compile", net, "--profile", "loihi2", "--seed", 1, "-o", "c.hlx").code == 2
    (tmp_path / "cut.net").write_bytes(net.read_bytes()[:900])
    assert run("compile", tmp_path / "cut.net", "--profile", "loihi2", "-o", "c.hlx").code == 3
