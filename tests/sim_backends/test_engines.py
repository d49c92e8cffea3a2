"""Every way to run, on every engine, equal to `reference`; and an engine in one file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.errors import NetworkError, PartError, SpecError
from hrsnn_lava.sim_backends.base import backend_of
from hrsnn_lava.sim_backends.runs.batch import simulate_batch
from hrsnn_lava.sim_backends.runs.counting import count
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.parity import compare, verify_parity
from hrsnn_lava.sim_backends.runs.recording import record
from hrsnn_lava.sim_backends.runs.session import Session, simulate

STATES = ("v", "u")
STEPS = 40
ENGINES = [
    pytest.param(name, marks=pytest.mark.lava if name.startswith("lava") else ())
    for name in ("reference", "native", "lava", "lava-stock")
]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def network() -> hl.QuantizedNetwork:
    """Two sets of parameters, delays, a held input, learning: stock Processes hold it all."""
    rng = np.random.default_rng(3)
    neurons = hl.QuantizedPopulation(
        "a", 4, du=[900, 900, 300, 300], dv=250, vth=60, bias_mant=[40, 0, 0, 60], bias_exp=6
    )
    rule = hl.pair_stdp((1, -2), (1, -2), 10.0, 10.0, impulse=40, t_epoch=2)
    plastic = hl.QuantizedProjection("l", "i", "a", [[30, 0], [20, 40], [0, 30], [50, 0]])
    return hl.QuantizedNetwork(
        (hl.QuantizedInput("i", 2), hl.QuantizedInput("x", 1, 1.0), neurons),
        (
            hl.QuantizedProjection("r", "a", "a", rng.integers(-30, 30, (4, 4)), delays=3),
            hl.QuantizedProjection("x", "x", "a", [[3], [-2], [1], [0]], target="bias"),
            hl.QuantizedProjection(
                "l", "i", "a", plastic.weights, num_message_bits=0, learning=rule
            ),
        ),
    ).verify()


def events(seed: int) -> hl.SpikeInput:
    """Spikes of two channels; the third sends a new value now and then."""
    rng = np.random.default_rng(seed)
    at, who = np.nonzero(rng.random((STEPS, 3)) < (0.4, 0.4, 0.1))
    payloads = np.where(who == 2, rng.integers(1, 20, at.size), 1)
    return hl.SpikeInput(at, who, STEPS, 3, payloads)


NETWORK, EVENTS = network(), events(1)


@pytest.fixture(scope="module")
def truth() -> hl.Trace:
    trace = simulate(NETWORK, EVENTS, STEPS, "reference", STATES)
    assert trace.n_spikes > 20
    assert set(trace.weights) == {"l"}
    assert 0 < trace.active_updates.sum() < 4 * STEPS
    return trace


def assert_same(expected: hl.Trace, trace: hl.Trace) -> None:
    """All that two runs did, updates included."""
    assert compare(expected, trace, ("expected", "run"), NETWORK) == (0, None)
    np.testing.assert_array_equal(expected.active_updates, trace.active_updates)
    np.testing.assert_array_equal(expected.membrane_updates, trace.membrane_updates)


@every_engine
def test_a_whole_run(engine, truth):
    trace = simulate(NETWORK, EVENTS, STEPS, engine, STATES)
    assert trace.v is not None
    assert_same(truth, trace)


@every_engine
def test_a_run_in_parts(engine, truth):
    at, who, rows, active = [], [], [], []
    with Session(NETWORK, backend=engine) as session:
        for first, steps in ((0, 7), (7, 1), (8, 32)):
            part = session.run(part_of(EVENTS, first, steps), steps, STATES)
            at.append(part.spike_steps + first)
            who.append(part.spike_neurons)
            rows.append(part.v)
            active.append(part.active_updates)
        weights, traces = session.weights(), session.traces()
    np.testing.assert_array_equal(np.concatenate(at), truth.spike_steps)
    np.testing.assert_array_equal(np.concatenate(who), truth.spike_neurons)
    np.testing.assert_array_equal(np.concatenate(rows), truth.v)
    np.testing.assert_array_equal(np.concatenate(active), truth.active_updates)
    for name, values in truth.weights.items():
        np.testing.assert_array_equal(weights[name], values)
    for name, values in truth.traces.items():
        np.testing.assert_array_equal(traces[name], values)


@every_engine
def test_a_recording(engine, truth, tmp_path):
    told = []
    state = record(
        NETWORK,
        EVENTS,
        STEPS,
        tmp_path / "t.npz",
        (*STATES, "weights"),
        every=1,
        backend=engine,
        progress=lambda text, fraction=None: told.append((text, fraction)),
    )
    assert_same(truth, hl.Trace.load(tmp_path / "t.npz"))
    assert (state is None) != backend_of(engine).keeps_state
    assert told[-1] == ("40 of 40 steps recorded", 1.0)


@every_engine
def test_counts(engine):
    expected = count(NETWORK, EVENTS, STEPS, backend="reference")
    counts = count(NETWORK, EVENTS, STEPS, backend=engine)
    assert counts.ops.total == expected.ops.total > 0
    assert counts.done.updates_exact
    assert counts.done.neuron_updates_active == expected.done.neuron_updates_active
    assert counts.done.membrane_updates == expected.done.membrane_updates
    np.testing.assert_array_equal(counts.done.spikes_of, expected.done.spikes_of)


@every_engine
def test_trials(engine):
    inputs = [events(seed) for seed in (1, 2)]
    for given, trace in zip(
        inputs,
        simulate_batch(NETWORK, inputs, STEPS, STATES, backend=engine, workers=2),
        strict=True,
    ):
        assert_same(simulate(NETWORK, given, STEPS, "reference", STATES), trace)


@pytest.mark.parametrize("name", ["lava", "lava-stock"])
@pytest.mark.parametrize("ask", ["state", "start", "resume"])
@pytest.mark.lava
def test_an_engine_without_states_says_so_where_one_is_asked_for(name, ask, tmp_path):
    asks = {
        "state": lambda: Session(NETWORK, backend=name).state(),
        "start": lambda: count(NETWORK, steps=1, state=Session(NETWORK).state(), backend=name),
        "resume": lambda: record(NETWORK, None, 1, tmp_path / "t", resume=True, backend=name),
    }
    with pytest.raises(SpecError, match=f"backend {name}: .* with native or reference"):
        asks[ask]()


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_nothing_reaches_an_engine_unchecked(engine):
    """The kernels test no index: a bad network is refused by every way in, and asked once."""
    bad = hl.QuantizedNetwork((hl.QuantizedPopulation("a", 2, 0, 0, 2**20),))
    for attempt in (
        lambda: simulate(bad, None, 3, engine),
        lambda: Session(bad, backend=engine),
        lambda: count(bad, None, 3, backend=engine),
        lambda: record(bad, None, 3, "never.npz", backend=engine),
        lambda: list(simulate_batch(bad, None, 3, trials=1, backend=engine)),
    ):
        with pytest.raises(NetworkError, match="vth"):
            attempt()
    calls = []

    class Counted(hl.QuantizedNetwork):
        def verify(self):
            calls.append(1)
            return super().verify()

    good = Counted(NETWORK.populations, NETWORK.projections)
    for _ in range(3):
        simulate(good, EVENTS, 2, engine)
    assert len(calls) == 1


@pytest.mark.parametrize("field", ["steps", "payloads"])
def test_an_input_beyond_32_bits_is_refused_and_not_wrapped(field):
    events = {"steps": [1], "neurons": [0], "payloads": [1], field: [2**32 + 1]}
    with pytest.raises(SpecError, match=r"32 bits expected, found 4294967297"):
        hl.SpikeInput(n_steps=2**33, n_neurons=1, **events)


# --- an engine of one's own ----------------------------------------------------------------------

OWN = '''
"""Runs as `native` does, one neuron at a step late."""

from dataclasses import dataclass, replace

from hrsnn_lava.sim_backends.base import Backend
from hrsnn_lava.sim_backends.native.simulator import NativeEngine


class Late(NativeEngine):
    def advance(self, stretch):
        trace = super().advance(stretch)
        at = trace.spike_steps.copy()
        at[:1] += 1
        return replace(trace, spike_steps=at)


@dataclass(frozen=True)
class OwnBackend(Backend):
    name = "one-late"
    late: bool = False

    def open(self, network):
        return Late(network) if self.late else NativeEngine(network)


ENGINE = OwnBackend()
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "one_late.py").write_text(OWN)
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    yield "one-late"
    registry.forget()


def test_a_new_engine_is_one_file_and_has_all_runs(own, truth, tmp_path):
    assert own in registry.names("engine")
    assert_same(truth, simulate(NETWORK, EVENTS, STEPS, own, STATES))
    state = record(NETWORK, EVENTS, STEPS, tmp_path / "t.npz", backend=own)
    assert state.digest == record(NETWORK, EVENTS, STEPS, tmp_path / "t.npz").digest
    assert count(NETWORK, EVENTS, STEPS, backend=own).ops.total > 0
    (trial,) = simulate_batch(NETWORK, [EVENTS], STEPS, STATES, backend=own)
    assert_same(truth, trial)
    parity, _ = verify_parity(NETWORK, EVENTS, STEPS, ("reference", own))
    assert parity.line() == "parity: reference = one-late, 40 steps, 0 mismatches"
    late = type(backend_of(own))(late=True)
    assert compare(truth, simulate(NETWORK, EVENTS, STEPS, late), ("a", "b"))[0] == 2


def test_the_command_line_takes_it(own, tmp_path):
    """The folder is in the environment, as the fixture set it."""
    NETWORK.save(tmp_path / "n.hlx")
    words = ["simulate", str(tmp_path / "n.hlx"), "--steps", "20", "--quiet", "--json"]
    command = [sys.executable, "-m", "hrsnn_lava", *words, "--backend", own]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert '"backend": "one-late"' in child.stdout, child.stderr


MINE = """from hrsnn_lava.sim_backends.base import Backend
from hrsnn_lava.sim_backends.native.simulator import NativeEngine


class Lost(NativeEngine):
    def advance(self, stretch):
        return LEFT


class Mine(Backend):
    name = "mine"

    def open(self, network):
        return OPENED


ENGINE = Mine()
"""


@pytest.mark.parametrize(
    ("opened", "left", "words"),
    [
        ("None", "None", "open gave NoneType; allowed: a hrsnn_lava.sim_backends.base.Engine"),
        ("{}['open']", "None", "KeyError: 'open'"),
        ("Lost(network)", "None", "advance gave NoneType; allowed: a hrsnn_lava.trace.Trace"),
        ("Lost(network)", "{}['run']", "KeyError: 'run'"),
    ],
)
def test_an_engine_of_ones_own_that_fails_is_named(tmp_path, monkeypatch, opened, left, words):
    path = tmp_path / "engine" / "mine.py"
    path.parent.mkdir()
    path.write_text(MINE.replace("OPENED", opened).replace("LEFT", left), encoding="utf-8")
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    try:
        with pytest.raises(PartError) as caught:
            simulate(NETWORK, EVENTS, STEPS, backend="mine")
    finally:
        monkeypatch.undo()
        registry.forget()
        sys.modules.pop("hrsnn_lava_parts.engine.mine", None)
    assert str(caught.value) == f"engine 'mine': {path}: {words}"
