"""`train`: what it writes and says, its exit codes, and a kill at any moment."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import start
from stdp_networks import noise, recurrent

import hrsnn_lava as hl
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.training.chip_stdp import ChipTraining, train_on_chip
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

SPEC = """
name = "learns"
seed = 3
[network]
size = 40
[network.connectivity]
mean_degree = 8.0
[task]
train = 300
horizon = 10
starts = 1
steps_per_sample = 5
washout = 10
replays = 1
[stdp]
train_passes = 2
"""


@pytest.fixture
def lesson(tmp_path: Path) -> hl.SpikeInput:
    """Ten samples in a file."""
    whole = noise(0, 400, 10, 0.1)
    recording = hl.SpikeInput(
        whole.steps, whole.neurons, 400, 10, samples=np.arange(0, 400, 40, dtype=np.int32)
    )
    recording.save(tmp_path / "in.npz")
    recurrent(0).save(tmp_path / "net.hlx")
    return recording


def test_a_network_on_a_recording(run: Any, tmp_path: Path, lesson: hl.SpikeInput) -> None:
    command = ("train", "net.hlx", "--input", "in.npz", "--epochs", "2", "--seed", "4")
    found = run(*command, "-o", "out.hlx", "--json").json()
    options = STDPOptions(epochs=2)
    expected = train_stdp(recurrent(0), lesson, options, seed=4)
    written = hl.Network.load(tmp_path / "out.hlx")
    assert written.digest == found["sha256"] == expected.network.digest
    assert (found["samples"], found["unit"], found["resumed"]) == (20, "samples", 0)
    assert found["spikes"] == expected.outline.counts.sum()
    assert found["rate"] == pytest.approx(found["spikes"] / (800 * 40))
    assert found["synaptic_events"] == expected.outline.events
    assert found["events_per_s"] * found["seconds"] == pytest.approx(found["synaptic_events"])
    row = found["projections"]["exc_exc"]
    assert row["gain"] == pytest.approx(expected.gain["exc_exc"])
    assert len(found["history"]["rate"]) == 21
    assert not (tmp_path / "out.hlx.training").exists()
    text = run(*command, "-o", "out.hlx").out
    for word in ("samples/s", "synaptic events/s", "gain", "drift", "at w_max", "written to"):
        assert word in text


def test_a_quantized_network_learns_on_the_chip(
    run: Any, tmp_path: Path, lesson: hl.SpikeInput
) -> None:
    program = quantize(recurrent(0), Quantize(stdp=LowerSTDP(headroom=16.0, seed=0)))[0]
    program.save(tmp_path / "q.hlx")
    command = ("train", "q.hlx", "--input", "in.npz", "--silence", "3", "-o", "out.hlx", "--json")
    found = run(*command).json()
    from hrsnn_lava.plasticity import Schedule

    expected = train_on_chip(program, lesson, ChipTraining(schedule=Schedule(silence=3)))
    assert hl.QuantizedNetwork.load(tmp_path / "out.hlx").digest == expected.network.digest
    assert found["on_chip"] is True
    assert "on the chip: the network is quantized" in found["notes"]
    assert found["steps"] == 430
    lowered = run("train", "net.hlx", "--input", "in.npz", "--on-chip", "-o", "o.hlx", "--json")
    assert lowered.json()["on_chip"] is True
    kept = run(*command[:-1], "--keep-rules", "--json")
    assert kept.code == 0
    assert hl.QuantizedNetwork.load(tmp_path / "out.hlx").projection("exc_exc").learning is not None


def test_a_spec_is_trained_on_its_task(run: Any, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SPEC)
    found = run("train", "s.toml", "-o", "out.hlx", "--json").json()
    assert (found["on_chip"], found["unit"], found["steps"]) == (False, "stretches", 2 * 299 * 5)
    assert set(found["projections"]) == {"exc_exc"}
    first = hl.Network.load(tmp_path / "out.hlx")
    chip = run("train", "s.toml", "--on-chip", "--epochs", "1", "-o", "chip.hlx", "--json").json()
    assert (chip["on_chip"], chip["steps"]) == (True, 299 * 5)
    other = run("train", "s.toml", "--set", "stdp.a_plus=0.02", "-o", "out.hlx", "--json").json()
    assert other["sha256"] != first.digest


def test_exit_codes(run: Any, tmp_path: Path, lesson: hl.SpikeInput) -> None:
    (tmp_path / "s.toml").write_text(SPEC)
    noise(0, 50, 9).save(tmp_path / "nine.npz")
    hl.QuantizedNetwork.save(
        quantize(recurrent(0).without_plasticity(), Quantize())[0], "fixed.hlx"
    )
    cases = [
        (2, "--input is missing", "net.hlx"),
        (2, "the task of a spec gives the input", "s.toml", "--input", "in.npz"),
        (2, "only a spec has keys", "net.hlx", "--input", "in.npz", "--set", "seed=1"),
        (2, "no such spec file", "none.toml"),
        (2, "'surprise' is not", "net.hlx", "--method", "surprise"),
        (2, "no projection learns", "fixed.hlx", "--input", "in.npz"),
        (3, "9 channels; the network has 10", "net.hlx", "--input", "nine.npz"),
        (3, "no such file", "net.hlx", "--input", "none.npz"),
        (3, "is an input", "in.npz", "--input", "in.npz"),
    ]
    for code, words, *arguments in cases:
        outcome = run("train", *arguments, "-o", "x.hlx")
        assert outcome.code == code, outcome.err
        assert words in outcome.err
        assert "Traceback" not in outcome.err
        assert not (tmp_path / "x.hlx").exists()


def test_a_checkpoint_says_what_it_is(run: Any, tmp_path: Path, lesson: hl.SpikeInput) -> None:
    command = ("train", "net.hlx", "--input", "in.npz", "-o", "out.hlx")
    assert run(*command, "--checkpoint", "t.hlx").code == 0
    assert run("inspect", "t.hlx", "--json").json()["kind"] == "training"
    again = run(*command, "--checkpoint", "t.hlx", "--resume", "--json").json()
    assert again["resumed"] == again["samples"] == 10
    other = run(*command, "--checkpoint", "t.hlx", "--resume", "--seed", "9")
    assert other.code == 2
    assert "the checkpoint of another training" in other.err
    misplaced = run("train", "t.hlx", "--input", "in.npz", "-o", "out.hlx")
    assert misplaced.code == 3
    assert "`train --resume` takes it" in misplaced.err


@pytest.mark.once
def test_a_killed_training_ends_with_the_same_bits(
    run: Any, tmp_path: Path, lesson: hl.SpikeInput
) -> None:
    command = ["train", "net.hlx", "--input", "in.npz", "--epochs", "150", "--every", "7"]
    assert run(*command, "-o", "whole.hlx").code == 0
    state, kills = tmp_path / "cut.hlx.training", 0
    child = [sys.executable, "-m", "hrsnn_lava", *command, "-o", "cut.hlx", "--resume"]
    for wait in np.random.default_rng(0).uniform(0.0, 0.2, 2):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(child, cwd=tmp_path)
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.005)
        time.sleep(wait)
        process.kill()  # SIGKILL: nothing can be tidied up
        process.communicate()
        kills += process.returncode == -9
    assert kills >= 1
    outcome = run(*command, "-o", "cut.hlx", "--resume", "--json").json()
    assert outcome["resumed"] > 0
    assert (tmp_path / "cut.hlx").read_bytes() == (tmp_path / "whole.hlx").read_bytes()
    leftovers = [p.name for p in tmp_path.iterdir() if p.name.startswith(".cut")]
    assert all(name.endswith(".part") for name in leftovers)
