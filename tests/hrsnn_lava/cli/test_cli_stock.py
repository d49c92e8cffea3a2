"""`lava-stock` on the command line: what runs, what is refused, and with which code."""

from __future__ import annotations

from typing import Any

import pytest

import hrsnn_lava as hl
from hrsnn_lava.sim_backends.lava.backend import lava_obstacle


@pytest.fixture
def files(tmp_path: Any) -> Any:
    """A network that stock Processes hold, and one that they do not."""
    fields = {"du": 4095, "dv": [10, 10, 90], "vth": 50, "bias_mant": 1000}
    weights = [[0, 9, 0], [0, 0, 9], [9, 0, 0]]
    for name, refractory in (("plain", 0), ("tired", 2)):
        population = hl.QuantizedPopulation("n", 3, **fields, refractory=refractory)
        projection = hl.QuantizedProjection("n_n", "n", "n", weights, sign_mode="excitatory")
        hl.QuantizedNetwork((population,), (projection,)).save(tmp_path / f"{name}.hlx")
    return tmp_path


def test_a_refusal_has_code_4_and_comes_before_any_run(run: Any, files: Any) -> None:
    if lava_obstacle() is None:
        asked = run("verify", files / "tired.hlx", "--backends", "native,lava-stock")
        assert asked.code == 4
        assert "3 of 3 neurons, up to 2 steps" in asked.err
    asked = run("simulate", files / "tired.hlx", "--backend", "lava-stock", "--steps", "5")
    assert asked.code == 4
    assert "cannot be expressed in stock Lava Processes" in asked.err


def test_no_state_is_handed_out(run: Any, files: Any) -> None:
    options = ("--backend", "lava-stock", "--state-out", "s.hlx")
    asked = run("simulate", files / "plain.hlx", *options)
    assert asked.code == 2
    assert "--state-out needs --backend native or reference" in asked.err


def test_an_unknown_backend_is_told_of_it(run: Any, files: Any) -> None:
    asked = run("verify", files / "plain.hlx", "--backends", "native,stock")
    assert asked.code == 2
    assert "lava, lava-stock, native, reference" in asked.err


def test_without_lava_it_is_missing(run: Any, files: Any, monkeypatch: Any) -> None:
    import hrsnn_lava.sim_backends.lava.backend as lava

    monkeypatch.setattr(lava, "lava_obstacle", lambda: "Lava 0.10.0 needs Python 3.10")
    asked = run("verify", files / "plain.hlx", "--backends", "native,lava-stock", "--steps", "5")
    assert asked.code == 6
    assert "needs Python 3.10" in asked.err


@pytest.mark.lava
def test_both_commands_run_it_and_count_its_processes(run: Any, files: Any) -> None:
    done = run("simulate", files / "plain.hlx", "--backend", "lava-stock", "--steps", "12")
    assert done.code == 0, done.err
    assert "lava-stock: 5 Processes, 2 LIF, 3 connections, 0 sources" in done.err
    plain = run("simulate", files / "plain.hlx", "--backend", "native", "--steps", "12", "--json")
    stock = run(
        "simulate", files / "plain.hlx", "--backend", "lava-stock", "--steps", "12", "--json"
    )
    assert stock.json()["spikes"] == plain.json()["spikes"] > 0
    names = "reference,lava-stock"
    proof = run("verify", files / "plain.hlx", "--backends", names, "--steps", "12")
    assert proof.code == 0
    assert "reference = lava-stock (fixed_pt), 12 steps, 0 mismatches" in proof.out
