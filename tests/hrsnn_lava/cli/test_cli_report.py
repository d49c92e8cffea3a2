"""`report`: what it prints, what it compares, and what it leaves in files."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.report.document import in_order

STAMP = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC by hrsnn-lava report"


@pytest.fixture
def traced(run, files):
    assert run("simulate", files.compiled, "--steps", "80", "-o", "t.npz").code == 0
    return ("report", files.compiled, "--trace", "t.npz", "--quiet")


def test_the_terminal_shows_some_twenty_lines(run, files, traced):
    for command in (traced, ("report", files.compiled, "--quiet")):
        short, whole = run(*command).out, run(*command, "--full").out
        assert len(short.splitlines()) <= 22
        assert len(whole.splitlines()) > 60
        assert short.splitlines()[0] == whole.splitlines()[0]
        assert "--full shows all of it" in short
        assert not re.search(STAMP, whole)  # who reads it typed the command


def test_one_section(run, traced):
    whole = run(*traced, "--full").out
    for name in ("energy", "constraints", "provenance"):
        text = run(*traced, "--section", name).out
        assert text.rstrip() in whole
        assert len(text) < len(whole) / 2
    assert run(*traced, "--section", "dynamics").out.startswith("dynamics: this report has nothing")
    outcome = run(*traced, "--section", "enrgy")
    assert outcome.code == 2
    for section in in_order():
        assert section.name in outcome.err
    assert "Did you mean 'energy'?" in outcome.err


@pytest.mark.parametrize("more", [("--full",), ("--format", "html"), ("-o", "r.json")])
def test_a_section_is_one_of_the_text(run, traced, more):
    assert run(*traced, "--section", "energy", *more).code == 2


def test_files_hold_everything(run, traced, tmp_path):
    assert run(*traced, "-o", "r.txt").code == 0
    text = (tmp_path / "r.txt").read_text()
    assert text.startswith(run(*traced, "--full").out.rstrip())
    assert re.search(STAMP, text.splitlines()[-1])
    assert run(*traced, "--section", "sop", "-o", "s.txt").code == 0
    assert (tmp_path / "s.txt").read_text() == run(*traced, "--section", "sop").out


def test_the_date_is_in_pages_and_never_in_json(run, traced, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    for name in ("a.html", "a.json"):
        assert run(*traced, "-o", name).code == 0
    page = (tmp_path / "a.html").read_text()
    assert "1970-01-02 00:00:00 UTC by hrsnn-lava report" in page
    document = (tmp_path / "a.json").read_text()
    assert "1970" not in document
    assert "seconds" not in document
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert run(*traced, "-o", "b.json").code == 0
    assert (tmp_path / "b.json").read_text() == document


@pytest.mark.parametrize("trace", [True, False])
def test_verify_runs_both_backends(run, files, traced, trace):
    command = traced if trace else ("report", files.compiled, "--quiet")
    parity = run(*command, "--verify", "--json").json()["report"]["parity"]
    steps = 80 if trace else 1000
    assert (parity["backends"], parity["steps"]) == (["reference", "native"], steps)
    assert parity["mismatches"] == 0
    text = run(*command, "--verify").out
    assert f"parity: reference = native, {steps} steps, 0 mismatches" in text
    assert "parity not checked" not in text


def test_backends_that_disagree_are_shown_and_end_with_seven(run, traced, tmp_path, monkeypatch):
    import hrsnn_lava.sim_backends.runs.parity as parity

    monkeypatch.setattr(parity, "compare", lambda *_: (3, "step 5, neuron 1: v is 1 and 2"))
    outcome = run(*traced, "--verify", "-o", "r.json")
    assert outcome.code == 7
    assert "step 5, neuron 1" in outcome.err
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "FAIL"
    outcome = run(*traced, "--verify", "--json")
    assert outcome.code == 7
    assert outcome.json()["report"]["parity"]["mismatches"] == 3


def test_a_trace_without_inputs_cannot_be_verified(run, files, traced, tmp_path):
    trace = hl.Trace.load(tmp_path / "t.npz")
    parts = (trace.spike_steps, trace.spike_neurons, trace.n_steps, trace.n_neurons)
    hl.Trace(*parts).save(tmp_path / "bare.npz")
    outcome = run("report", files.compiled, "--trace", "bare.npz", "--verify")
    assert (outcome.code, "holds no inputs" in outcome.err) == (2, True)


@pytest.mark.parametrize("option", ["--network", "--float"])
def test_the_float_network_is_run_on_the_same_input(run, files, traced, option):
    report = run(*traced, option, files.network, "--json").json()["report"]
    compared = report["float_vs_integer"]
    assert compared["steps"] == 80
    assert compared["spikes"]["integer"] == report["activity"]["spikes"]
    compiled, network = hl.CompiledNetwork.load(files.compiled), hl.Network.load(files.network)
    again = hl.compare_float(network, compiled, hl.Trace.load("t.npz").inputs)
    assert again["spikes"] == compared["spikes"]
    assert set(compared["populations"]) == {"exc", "inh"}
    assert sum(p["float"] for p in compared["populations"].values()) == compared["spikes"]["float"]


def test_without_a_run_the_floats_are_not_compared(run, files):
    outcome = run("report", files.compiled, "--network", files.network)
    assert outcome.code == 0
    assert "no trace, so the integers are not compared with floats" in outcome.err


def test_another_float_network_is_a_finding(run, files, traced, tmp_path):
    """Half the threshold fires far more often than the program."""
    from dataclasses import replace

    network = hl.Network.load(files.network)
    populations = tuple(
        p
        if p.is_input
        else replace(p, neuron=replace(p.neuron, v_threshold=p.neuron.v_threshold / 2))
        for p in network.populations
    )
    replace(network, populations=populations).save(tmp_path / "other.hlx")
    report = run(*traced, "--network", "other.hlx", "--json").json()["report"]
    row = next(f for f in report["findings"] if f["kind"] == "float_mismatch")
    assert row["severity"] == "warning"
    assert "warning: " in run(*traced, "--network", "other.hlx").out


def test_no_prices_at_all(run, traced):
    energy = run(*traced, "--cost-set", "none", "--json").json()["report"]["energy"]
    assert (energy["cost_set"], energy["dynamic_j"]) == (None, None)


def test_the_unpruned_network_beside_the_pruned_one(run, tmp_path):
    """A placed one counts cores of its own; integers alone are a lower bound."""
    dense = np.zeros((3, 3), dtype=np.int32)
    dense[1:, 0] = 2
    neurons = hl.QuantizedPopulation("n", 3, 4095, 0, [2, 9000, 9000], [100, 0, 0])
    for name, matrix in (("before", dense), ("after", np.triu(np.tril(dense), -1))):
        out = hl.QuantizedProjection("out", "n", "n", sparse.csr_matrix(matrix))
        network = hl.QuantizedNetwork((neurons,), (out,), name).verify()
        network.save(tmp_path / f"{name}.hlx")
        hl.compile(network, "loihi1").save(tmp_path / f"{name}_placed.hlx")
    assert run("simulate", "after_placed.hlx", "--steps", "50", "-o", "t.npz").code == 0
    command = ("report", "after_placed.hlx", "--trace", "t.npz", "--json", "--unpruned")
    loose = run(*command, "before.hlx").json()["report"]["energy"]
    placed = run(*command, "before_placed.hlx").json()["report"]["energy"]["unpruned"]
    assert (loose["unpruned"]["exact"], placed["exact"], placed["cores"]) == (False, True, 1)
    assert loose["unpruned"]["dynamic_j"] > loose["dynamic_j"]
    assert placed["dynamic_j"] == pytest.approx(loose["unpruned"]["dynamic_j"])  # one core, no hop
    assert placed["total_j"] == pytest.approx(placed["dynamic_j"] + placed["static_j"])
