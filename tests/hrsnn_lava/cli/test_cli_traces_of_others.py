"""Traces of another network on the command line: an invalid input file, whatever their sizes."""

from pathlib import Path
from typing import Any

import numpy as np

import hrsnn_lava as hl


def compiled(weight: int) -> hl.CompiledNetwork:
    populations = (hl.QuantizedInput("i", 1), hl.QuantizedPopulation("a", 1, 4095, 4095, 10))
    synapses = (hl.QuantizedProjection("p", "i", "a", np.array([[weight]])),)
    return hl.compile(hl.QuantizedNetwork(populations, synapses), "loihi1")


def test_a_report_refuses_the_trace_of_another_network(run: Any, tmp_path: Path) -> None:
    for weight in (10, 200):
        compiled(weight).save(tmp_path / f"{weight}.hlx")
    hl.SpikeInput(np.arange(10), np.zeros(10, int), 10, 1).save(tmp_path / "in.npz")
    for options in ((), ("--stream",)):
        arguments = ("--input", "in.npz", "-o", "t.npz", *options)
        assert run("simulate", "200.hlx", *arguments).code == 0
        outcome = run("report", "10.hlx", "--trace", "t.npz")
        assert outcome.code == 3
        assert compiled(200).network_digest[:12] in outcome.err
        assert compiled(10).network_digest[:12] in outcome.err
        assert run("report", "200.hlx", "--trace", "t.npz").code == 0


def test_the_input_says_how_many_steps(run: Any, tmp_path: Path) -> None:
    compiled(200).save(tmp_path / "n.hlx")
    hl.SpikeInput([1], [0], 70, 1).save(tmp_path / "in.npz")
    ran = run("simulate", "n.hlx", "--input", "in.npz", "--json")
    assert (ran.code, ran.json()["steps"]) == (0, 70)
    checked = run(
        "verify", "n.hlx", "--input", "in.npz", "--backends", "reference,native", "--json"
    )
    assert checked.code == 0
    assert checked.json()["parity"]["steps"] == 70
