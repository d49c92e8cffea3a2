"""`Session` on Lava: runs in parts are one run, and nothing is left whatever ends it."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from network_strategies import collected, driven_learning_networks, driven_networks

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SpikeInput,
)
from hrsnn_lava.errors import BackendError
from hrsnn_lava.sim_backends.lava import backend as lava
from hrsnn_lava.sim_backends.lava import backend as session_lava
from hrsnn_lava.sim_backends.lava.backend import LavaBackend
from hrsnn_lava.sim_backends.runs import session as module
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import Session, simulate

pytestmark = pytest.mark.lava
if sys.version_info >= (3, 11):
    pytestmark = pytest.mark.skip(reason="Lava 0.10.0 needs Python 3.10")

SHM = Path("/dev/shm")
LAVA = LavaBackend(timeout_s=60)
STATES = ("v", "u")

#: Two parts that share nothing, delays, a refractory period, spikes and a held value from outside.
MIXED = QuantizedNetwork(
    (
        QuantizedInput("i", 2),
        QuantizedPopulation("a", 3, 500, [90, 100, 110], 60, [90, 70, 50], 6, [0, 1, 4]),
        QuantizedPopulation("b", 1, 0, 30, 50, 20, 6),
    ),
    (
        QuantizedProjection("ia", "i", "a", np.full((3, 2), 40), delays=[0, 3, 9, 9, 0, 2]),
        QuantizedProjection("aa", "a", "a", np.full((3, 3), -20), delays=5),
        QuantizedProjection("x", "i", "a", np.full((3, 2), 3), target="bias"),
    ),
).verify()


def events(steps):
    rng = np.random.default_rng(steps)
    at, who = np.nonzero(rng.random((steps, 2)) < 0.2)
    return SpikeInput(at, who, steps, 2, rng.integers(-30, 60, at.size))


def in_parts(session, inputs, lengths):
    """The traces of runs that follow one another."""
    traces, first = [], 0
    for count in lengths:
        piece = None if inputs is None else part_of(inputs, first, count)
        traces.append(session.run(piece, count, STATES))
        first += count
    return traces


def check(network, inputs, traces):
    """Every part is that of the whole run, with the weights and traces of its own end."""
    end = 0
    for trace in traces:
        first, end = end, end + trace.n_steps
        whole = simulate(network, inputs, end, "reference", STATES)
        mine = whole.spike_steps >= first
        part = replace(
            whole,
            active_updates=None,
            membrane_updates=None,
            spike_steps=whole.spike_steps[mine] - first,
            spike_neurons=whole.spike_neurons[mine],
            n_steps=trace.n_steps,
            v=whole.v[first:],
            u=whole.u[first:],
            wraps=None,  # those of the whole run may be more than the part has steps
            saturations=None,
        )
        assert compare(part, trace, ("whole", "part"), network) == (0, None)


@pytest.mark.parametrize("number", range(2))
def test_runs_in_parts_are_one_run(number):
    """Learning networks in mid-epoch, and others, cut at places of all kinds."""
    some = driven_networks(30, 6, True) if number else driven_learning_networks(30, 6)
    for k, (network, inputs) in enumerate(collected(some, 4, 50 + number)):
        with Session(network, backend=LAVA) as session:
            check(network, inputs, in_parts(session, inputs, ([1, 12, 17], [0, 29, 1])[k % 2]))


def test_held_values_unconnected_parts_stretches_and_reset(monkeypatch):
    inputs = events(60)
    with Session(MIXED, backend=LAVA) as session:
        for _ in range(2):
            check(MIXED, inputs, in_parts(session, inputs, [7, 23]))
            session.reset()  # and from rest again, with other Processes
        monkeypatch.setattr(module, "STRETCH_VALUES", 6 * 11)  # eleven steps at a time
        check(MIXED, inputs, in_parts(session, inputs, [40, 20]))
        assert session.step == 60
        plain = session.run(None, 3)
        assert (plain.v, plain.u) == (None, None)


def test_a_twin_has_processes_of_its_own():
    inputs = events(20)
    with Session(MIXED, backend=LAVA) as one:
        one.run(inputs, 5)
        with one.twin() as other:
            check(MIXED, inputs, in_parts(other, inputs, [20]))
        assert one.step == 5
        later = one.run(part_of(inputs, 5, 15), 15, STATES)
        whole = simulate(MIXED, inputs, 20, "reference", STATES)
        np.testing.assert_array_equal(later.v, whole.v[5:])


# --- ends --------------------------------------------------------------------------------------


class Watch:
    """Knows the processes, folders and shared memory of the sessions of one test."""

    def __init__(self, folder, token):
        self.folder, self.token = folder, token

    def processes(self):
        """Numbers of living processes by start: the child itself, then those of Lava."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.folder).encode() in command and b"sim_backends.lava.child" in command:
                    found.append(int(entry.name))
        return sorted(found)

    def nothing_left(self):
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)  # a killed process stays listed until init has reaped it
        assert self.processes() == []
        assert list(SHM.glob(f"hl{self.token}*")) == []
        assert list(self.folder.glob("hrsnn-lava-*")) == []


@pytest.fixture
def watch(tmp_path, monkeypatch):
    if not (SHM.is_dir() and Path("/proc/self/cmdline").exists()):
        pytest.skip("needs /dev/shm and /proc")
    token = os.urandom(3).hex()
    monkeypatch.setattr(lava.secrets, "token_hex", lambda _: token)
    monkeypatch.setattr(session_lava.tempfile, "tempdir", str(tmp_path))
    return Watch(tmp_path, token)


def started(watch):
    session = Session(MIXED, backend=LAVA)
    session.run(None, 3)
    assert len(watch.processes()) > 4
    return session


def test_closing_ends_everything_and_a_closed_session_says_so(watch):
    session = started(watch)
    session.close()
    watch.nothing_left()
    session.close()
    with pytest.raises(BackendError, match="the session is closed; its state is lost, reset"):
        session.run(None, 1)
    session.reset()
    check(MIXED, None, [session.run(None, 9, STATES)])
    session.close()
    watch.nothing_left()


def test_an_error_in_a_with_block_ends_everything(watch):
    with pytest.raises(ZeroDivisionError), started(watch):
        raise ZeroDivisionError
    watch.nothing_left()


def test_a_forgotten_session_leaves_nothing(watch):
    session = started(watch)
    del session
    gc.collect()
    watch.nothing_left()


@pytest.mark.parametrize("place", [0, -1])
def test_a_kill_from_outside_is_an_error_and_a_reset_starts_anew(watch, place):
    """First the interpreter that Lava was started in, then one of Lava's own processes."""
    session = started(watch)
    os.kill(watch.processes()[place], signal.SIGKILL)
    begin = time.monotonic()
    with pytest.raises(BackendError, match=r"Lava's process died|was killed by signal 9"):
        session.run(None, 5)
    assert time.monotonic() - begin < 10
    watch.nothing_left()
    with pytest.raises(BackendError, match=r"Lava was ended: .*; its state is lost, reset"):
        session.run(None, 5)
    session.reset()
    check(MIXED, None, [session.run(None, 9, STATES)])
    session.close()
    watch.nothing_left()


def test_a_run_past_its_time_and_an_interrupt_end_everything(watch, monkeypatch):
    session = Session(MIXED, backend=LavaBackend(timeout_s=3))
    with pytest.raises(BackendError, match="did not end within 3 s and was killed"):
        session.run(None, 100_000)
    watch.nothing_left()
    # time enough for what is to end by itself, however busy the machine
    session = started(watch)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(lava, "_follow", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.run(None, 3)
    watch.nothing_left()
    with pytest.raises(BackendError, match="Lava was interrupted; its state is lost, reset"):
        session.run(None, 3)


def test_what_a_model_raises_is_the_error(watch, monkeypatch):
    """Lava refuses delays over 63 inside the running model; `verify` refuses them before that."""

    def broken(*arguments):
        program = original(*arguments)
        first, *rest = program.connections
        delayed = replace(first, delays=np.full(first.weights.nnz, 64))
        return replace(program, connections=(delayed, *rest))

    original = session_lava.lava_program
    monkeypatch.setattr(session_lava, "lava_program", broken)
    session = Session(MIXED, backend=LAVA)
    with pytest.raises(BackendError, match="Lava failed: ValueError: DelaySparse Process 'delays'"):
        session.run(None, 5)
    watch.nothing_left()


PARENT = """
import os, signal, sys, tempfile
sys.path.insert(0, {tests!r})
from test_session_lava import LAVA, MIXED, Session, lava
lava.secrets.token_hex = lambda _: {token!r}
tempfile.tempdir = {folder!r}
session = Session(MIXED, backend=LAVA)
session.run(None, 3)
if os.fork() == 0:
    sys.exit()
os.wait()
print(session.run(None, 3).n_steps, flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_an_interpreter_that_ends_takes_its_session_along(watch, end):
    """A process forked from it that ends before does not."""
    here = Path(__file__)
    names = {"tests": str(here.parent), "token": watch.token, "folder": str(watch.folder)}
    environment = {**os.environ, "PYTHONPATH": str(here.parents[2] / "support")}
    parent = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARENT.format(**names, end=end)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert re.fullmatch(r"3\s*", parent.stdout), parent.stderr
    watch.nothing_left()
