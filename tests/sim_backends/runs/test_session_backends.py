"""`Session` on any backend: the choice, its errors, closing, and the command line."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import hrsnn_lava as hl
from hrsnn_lava.cli.main import cli
from hrsnn_lava.errors import BackendMissingError, SpecError
from hrsnn_lava.sim_backends.base import Stretch
from hrsnn_lava.sim_backends.lava import backend as session_lava
from hrsnn_lava.sim_backends.lava.backend import LavaBackend
from hrsnn_lava.sim_backends.reference import ReferenceEngine
from hrsnn_lava.sim_backends.runs.inputs import part_of, random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import Session, simulate

CLOCK = hl.QuantizedNetwork(
    (
        hl.QuantizedInput("i", 1),
        hl.QuantizedPopulation("n", 1, du=4095, dv=0, vth=10, bias_mant=100, refractory=3),
    ),
    (hl.QuantizedProjection("w", "i", "n", np.array([[2]]), delays=4),),
).verify()


def test_an_unknown_backend_is_named_with_those_there_are():
    with pytest.raises(
        SpecError, match=r"no engine 'brian'[\s\S]*lava, lava-stock, native, reference"
    ):
        Session(CLOCK, backend="brian")


def test_without_lava_a_session_on_it_says_so(monkeypatch):
    monkeypatch.setattr(session_lava, "lava_obstacle", lambda: "no Lava here")
    with pytest.raises(BackendMissingError, match="no Lava here"):
        Session(CLOCK, backend="lava")


def test_threads_in_place_of_lavas_runtime_are_refused(monkeypatch):
    monkeypatch.setattr(session_lava, "lava_obstacle", lambda: None)
    with pytest.raises(SpecError, match="runtime: threads; allowed in a session: processes"):
        Session(CLOCK, backend=LavaBackend(runtime="threads"))


def test_lava_takes_and_gives_no_state(monkeypatch):
    monkeypatch.setattr(session_lava, "lava_obstacle", lambda: None)
    session = Session(CLOCK, backend="lava")
    with pytest.raises(SpecError, match="save and restore states with native or reference"):
        session.state()
    with pytest.raises(SpecError, match="backend lava: its state stays where it runs"):
        Session(CLOCK, Session(CLOCK).state(), "lava")


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_refractory_steps_and_delays_reach_over_a_cut(backend):
    """v grows by 100, passes 640 in step 6, and is held for three steps.

    The event of step 5 arrives in step 10, in the second run, where it adds 2 << 6 once.
    """
    event = hl.SpikeInput([5], [0], 8, 1)
    with Session(CLOCK, backend=backend) as session:
        first = session.run(event, 8, ("v",))
        second = session.run(None, 12, ("v",))
    assert first.v[:, 0].tolist() == [100, 200, 300, 400, 500, 600, 0, 0]
    assert second.v[:, 0].tolist() == [0, 0, 228, 328, 428, 528, 628, 0, 0, 0, 0, 100]
    assert (first.spike_steps.tolist(), second.spike_steps.tolist()) == ([6], [7])
    assert first.n_steps == 8
    session.run(None, 5)  # closing ended nothing: there is nothing to end
    assert session.step == 25


def test_the_simulator_keeps_what_may_still_arrive():
    """Messages of the last ``max_delay + 1`` steps, the latest in the last row."""
    simulator = ReferenceEngine(CLOCK)
    assert simulator.sent.shape == (5, 2)
    base = CLOCK.gather("bias_mant")[None, :]
    event = hl.SpikeInput([5], [0], 8, 1, [7])
    simulator.advance(Stretch(0, event, np.zeros(1, np.int64), base))
    # steps 3..7: the channel sent 7 in step 5, the neuron its spike in step 6
    assert simulator.sent.tolist() == [[0, 0], [0, 0], [0, 7], [1, 0], [0, 0]]
    assert (simulator.step, simulator.waiting.tolist()) == (8, [2])


def test_a_compiled_network_runs_in_parts_on_reference():
    inputs = random_input(CLOCK, 40)
    session = Session(SimpleNamespace(network=CLOCK), backend="reference")
    whole = simulate(CLOCK, inputs, 40, "reference", ("v", "u"))
    session.run(inputs, 20)
    late = session.run(part_of(inputs, 20, 20), 20, ("v", "u"))
    rows = slice(20, 40)
    expected = replace(
        late, v=whole.v[rows], u=whole.u[rows], spike_steps=whole.spike_steps[-late.n_spikes :] - 20
    )
    assert compare(expected, late, ("whole", "part")) == (0, None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CLOCK.save("n.hlx")
    inputs = random_input(CLOCK, 50, seed=3)
    inputs.save("all.npz")
    part_of(inputs, 0, 30).save("first.npz")
    part_of(inputs, 30, 20).save("rest.npz")
    return tmp_path


def run(*words):
    return CliRunner().invoke(cli, ["simulate", "n.hlx", "--quiet", *words])


def test_states_on_the_command_line_pass_between_backends(folder):
    whole = simulate(CLOCK, hl.SpikeInput.load("all.npz"), 50, "reference", ("v",))
    for here, there in (("native", "reference"), ("reference", "native")):
        before = run("--backend", here, "--input", "first.npz", "--state-out", "s.hlx")
        after = run(
            *("--backend", there, "--input", "rest.npz", "--state-in", "s.hlx", "--probe", "v"),
            *("-o", "t.npz", "--state-out", f"{there}.hlx"),
        )
        assert (before.exit_code, after.exit_code) == (0, 0), before.output + after.output
        np.testing.assert_array_equal(hl.Trace.load("t.npz").v, whole.v[30:])
    assert (folder / "native.hlx").read_bytes() == (folder / "reference.hlx").read_bytes()


@pytest.mark.parametrize("option", ["--state-in", "--state-out"])
def test_lava_and_a_state_are_a_usage_error(folder, option):
    hl.Session(CLOCK).state().save("s.hlx")
    outcome = run("--backend", "lava", option, "s.hlx")
    assert outcome.exit_code == 2
    assert f"{option} needs --backend native or reference" in outcome.output
