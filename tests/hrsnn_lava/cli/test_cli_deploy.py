"""The command `deploy`: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from c_programs import compiler

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.deploy.bundle import load
from hrsnn_lava.trace import SpikeInput


def test_a_bundle_for_lava(run, files):
    done = run("deploy", files.compiled, "-o", "out", "--steps", "30", "--seed", "4", "--json")
    assert done.code == 0, done.err
    answer, bundle = done.json(), load("out")
    assert answer["command"] == "deploy"
    assert answer["digest"] == bundle.digest
    assert answer["files"] == sorted(bundle.manifest["members"])
    assert (answer["steps"], answer["target"]) == (30, "lava")
    assert answer["spikes"] == bundle.manifest["expected"]["spikes"]
    assert bundle.manifest["input"]["source"] == "the shipped input is random, seed 4"
    assert isinstance(answer["stock"], bool)
    again = run("deploy", files.compiled, "-o", "again", "--steps", "30", "--seed", "4", "--json")
    assert again.json()["digest"] == bundle.digest


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler `cc`")
def test_a_bundle_in_c_reproduces_its_spikes(run, files, tmp_path):
    done = run("deploy", files.compiled, "-o", "out", "--target", "c", "--json")
    answer = done.json()
    text = (tmp_path / "out" / "network.c").read_text()
    assert f"{answer['flash_bytes']} bytes of constants" in text
    assert f"{answer['ram_bytes']} bytes of variables" in text
    command = [compiler(), "-std=c11", "-DHRSNN_MAIN", "out/network.c", "-o", "network"]
    subprocess.run(command, check=True)
    with open("out/test/events.txt") as events:
        ran = subprocess.run(["./network", "100"], stdin=events, capture_output=True, check=True)
    assert ran.stdout == (tmp_path / "out" / "test" / "spikes.txt").read_bytes()
    assert ran.stdout.count(b"\n") == answer["spikes"] > 0
    command = [compiler(), "-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-xc", "-"]
    subprocess.run(command, input=b'#include "out/network.h"\n', check=True)


def test_a_report_goes_along_and_must_be_of_the_program(run, files, tmp_path):
    assert run("simulate", files.compiled, "--steps", "20", "-o", "t.npz").code == 0
    for name in ("r.json", "r.html"):
        assert run("report", files.compiled, "--trace", "t.npz", "-o", name).code == 0
    reports = ("--report", "r.json", "--report", "r.html")
    assert run("deploy", files.compiled, "-o", "out", *reports).code == 0
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    sops = json.loads((tmp_path / "r.json").read_text())["sop"]["total"]
    assert f"| synaptic operations of the reported run | {sops:,.6g} |" in card
    page = (tmp_path / "r.html").read_bytes()
    assert (tmp_path / "out" / "report.html").read_bytes() == page
    hl.compile(hl.CompiledNetwork.load(files.compiled).network, "loihi2").save("other.hlx")
    for name in ("r.json", "r.html"):
        done = run("deploy", "other.hlx", "-o", "other", "--report", name)
        assert (done.code, "of another program" in done.err) == (2, True)
    done = run("deploy", files.compiled, "-o", "other", "--report", "r.json", "--report", "r.json")
    assert (done.code, "one report of each kind" in done.err) == (2, True)
    assert run("deploy", files.compiled, "-o", "other", "--report", "t.npz").code == 3


def test_an_input_of_ones_own(run, files):
    network = hl.CompiledNetwork.load(files.compiled).network
    SpikeInput([0, 3, 30], [0, 1, 0], 40, network.n_inputs, [9, -4, 7]).save("in.npz")
    assert run("deploy", files.compiled, "-o", "out", "--input", "in.npz").code == 0
    manifest = load("out").manifest
    assert manifest["input"] == {
        "steps": 40,
        "events": 3,
        "source": "the shipped input was given",
    }
    assert run("deploy", files.compiled, "-o", "cut", "--input", "in.npz", "--steps", "9").code == 0
    assert load("cut").manifest["input"]["events"] == 2


def test_nothing_is_replaced_without_force(run, files, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo").write_text("dear")
    for options in ((), ("--force",)):
        done = run("deploy", files.clock, "-o", "mine", *options)
        assert (done.code, "nothing was written" in done.err) == (2, True)
    assert run("deploy", files.clock, "-o", "out").code == 0
    assert run("deploy", files.clock, "-o", "out").code == 2
    assert run("deploy", files.clock, "-o", "out", "--force", "--target", "c").code == 0
    assert load("out").manifest["target"] == "c"


def test_learning_does_not_go_into_c(run, tmp_path):
    pop = hl.QuantizedPopulation("p", 2, du=100, dv=100, vth=10)
    plastic = hl.QuantizedProjection("pp", "p", "p", np.array([[2, 4], [6, 8]]))
    rule = pair_stdp((1, 0), (1, 0), 10.0, 10.0)
    learning = hl.QuantizedProjection("pp", "p", "p", plastic.weights, learning=rule)
    hl.QuantizedNetwork((pop,), (learning,)).save("learning.hlx")
    done = run("deploy", "learning.hlx", "-o", "out", "--target", "c")
    assert done.code == 4
    assert "projection 'pp'" in done.err
    assert "learns" in done.err
    assert not (tmp_path / "out").exists()
    assert run("deploy", "learning.hlx", "-o", "out").code == 0


def test_other_files_are_named_for_what_they_are(run, files):
    done = run("deploy", files.network, "-o", "out")
    assert (done.code, "is a float network" in done.err) == (3, True)
    assert run("deploy", files.clock, "-o", "out").code == 0
    done = run("simulate", "out")
    assert (done.code, "out is a bundle" in done.err) == (3, True)


def test_inspect_verifies_a_bundle(run, files, tmp_path):
    run("deploy", files.compiled, "-o", "out", "--steps", "10")
    done = run("inspect", "out", "--json")
    answer = done.json()
    assert (answer["kind"], answer["checksums"], answer["neurons"]) == ("bundle", "ok", 60)
    assert answer["digest"] == load("out").digest
    manifest = (tmp_path / "out" / "manifest.json").read_bytes()
    (tmp_path / "out" / "manifest.json").write_bytes(manifest[:-9])
    done = run("inspect", "out")
    assert (done.code, "manifest.json: cannot be read" in done.err) == (3, True)
    (tmp_path / "out" / "manifest.json").write_bytes(manifest)
    (tmp_path / "out" / "README.md").write_text("mine")
    done = run("inspect", "out")
    assert (done.code, "README.md" in done.err) == (3, True)
