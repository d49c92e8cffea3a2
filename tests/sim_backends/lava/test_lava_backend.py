"""The Lava backend: conventions of time, parity, errors, time limits, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.errors import BackendError, BackendMissingError, SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.lava import backend as lava
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob, lava_obstacle
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace

needs_lava = pytest.mark.lava
if sys.version_info >= (3, 11):
    needs_lava = pytest.mark.skip(reason="Lava 0.10.0 needs Python 3.10")

SHM = Path("/dev/shm")
PROBES = ("spikes", "v", "u")


def backend(**options: Any) -> LavaBackend:
    return LavaBackend(**{"timeout_s": 120.0, "runtime": "threads", **options})


def events(*pairs: tuple[int, int], channels: int, payloads: Any = None) -> SpikeInput:
    steps, neurons = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    values = None if payloads is None else np.array(payloads)
    return SpikeInput(steps, neurons, 100, channels, values)


def relay(delay: int = 0, **options: Any) -> QuantizedNetwork:
    """One neuron that fires whenever its input does."""
    return QuantizedNetwork(
        (QuantizedInput("in", 1), QuantizedPopulation("n", 1, du=4095, dv=4096, vth=10)),
        (
            QuantizedProjection(
                "w", "in", "n", np.array([[200]]), delays=delay, sign_mode="excitatory", **options
            ),
        ),
    )


def random_network(seed: int) -> QuantizedNetwork:
    """Two or three populations; every sign mode, exponent, delay, payload and a drive occur."""
    rng = np.random.default_rng(seed)
    sizes = {"in": int(rng.integers(1, 5)), "a": int(rng.integers(1, 9)), "b": 3}
    populations: list[Any] = [QuantizedInput("in", sizes["in"])]
    for name in ("a", "b"):
        n = sizes[name]
        populations.append(
            QuantizedPopulation(
                name,
                n,
                du=rng.choice([-1, 0, 700, 2047, 4094, 4095], n),
                dv=rng.choice([0, 1, 60, 500, 4095, 4096], n),
                vth=rng.integers(0, 300, n),
                bias_mant=rng.integers(-100, 400, n),
                bias_exp=rng.integers(0, 7, n),
                refractory=rng.integers(0, 4, n),
            )
        )
    projections = []
    for k, (pre, post) in enumerate([("in", "a"), ("a", "a"), ("a", "b"), ("b", "a")]):
        shape = (sizes[post], sizes[pre])
        matrix = sparse.csr_matrix(rng.integers(-300, 300, shape) * (rng.random(shape) < 0.6))
        delays = rng.integers(0, 6, matrix.nnz) if rng.random() < 0.4 else None
        projections.append(
            QuantizedProjection(
                f"p{k}",
                pre,
                post,
                matrix,
                weight_exp=int(rng.integers(-3, 3)),
                sign_mode=str(rng.choice(["mixed", "excitatory", "inhibitory"])),
                num_weight_bits=int(rng.integers(3, 9)),
                delays=delays,
                num_message_bits=8 if pre == "in" and rng.random() < 0.5 else 0,
            )
        )
    drive = sparse.csr_matrix(rng.integers(-50, 50, (3, sizes["in"])))
    projections.append(QuantizedProjection("drive", "in", "b", drive, weight_exp=-1, target="bias"))
    return QuantizedNetwork(tuple(populations), tuple(projections), name=f"random {seed}")


def random_input(network: QuantizedNetwork, seed: int, steps: int) -> SpikeInput:
    rng = np.random.default_rng(seed + 1000)
    at, channel = np.nonzero(rng.random((steps, network.n_inputs)) < 0.3)
    return SpikeInput(at, channel, steps, network.n_inputs, rng.integers(-128, 128, at.size))


def same(a: Trace | BackendError, b: Trace) -> None:
    assert isinstance(a, Trace), a
    np.testing.assert_array_equal(a.spike_steps, b.spike_steps)
    np.testing.assert_array_equal(a.spike_neurons, b.spike_neurons)
    np.testing.assert_array_equal(a.v, b.v)
    np.testing.assert_array_equal(a.u, b.u)


# --- without Lava ------------------------------------------------------------------------------


def test_a_later_python_is_told_what_to_do_in_one_line() -> None:
    line = lava_obstacle((3, 12))
    assert line is not None
    assert "\n" not in line
    assert "needs Python 3.10, this is 3.12" in line
    assert "uv run --python 3.10" in line
    assert "--backend native" in line


def test_missing_lava_is_exit_code_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava, "lava_obstacle", lambda: "no Lava here")
    with pytest.raises(BackendMissingError, match="no Lava here") as found:
        LavaBackend().run(relay(), None, 5)
    assert found.value.exit_code == 6


def test_what_is_no_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava, "lava_obstacle", lambda: None)
    with pytest.raises(SpecError, match="cannot run a dict: compile or quantize it first"):
        LavaBackend().run({}, None, 5)


def test_no_steps_give_an_empty_trace_without_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava, "lava_obstacle", lambda: None)
    monkeypatch.setattr(lava, "Child", None)
    trace = LavaBackend().run(relay(), None, 0, PROBES)
    assert (trace.n_spikes, trace.n_neurons) == (0, 1)
    assert trace.v is not None
    assert trace.v.shape == (0, 1)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("Traceback\n  File x\nValueError: bad weights\nnoise\n", "ValueError: bad weights"),
        ("resource_tracker: leaked\nKilled by the kernel\nresource_tracker: x\n", "Killed by"),
        ("\n", "without a word"),
    ],
)
def test_last_words_name_the_error(log: str, words: str) -> None:
    assert words in lava._last_words(log)


# --- conventions of time, against closed forms -------------------------------------------------


@needs_lava
@pytest.mark.parametrize("runtime", ["threads", "processes"])
def test_an_event_acts_one_step_plus_the_delay_later(runtime: Any) -> None:
    inputs = events((0, 0), (5, 0), channels=1)
    delays = (0, 1, 7, 62)
    jobs = [LavaJob(relay(d), inputs, 80) for d in delays]
    for delay, trace in zip(delays, backend(runtime=runtime).run_many(jobs), strict=True):
        assert isinstance(trace, Trace)
        assert trace.spike_steps.tolist() == [1 + delay, 6 + delay]


@needs_lava
def test_graded_payload_multiplies_and_binary_takes_any_payload_as_one_spike() -> None:
    inputs = events((0, 0), (3, 0), (6, 0), channels=1, payloads=[3, -2, 0])
    quiet = relay(num_message_bits=8).with_population(
        QuantizedPopulation("n", 1, du=4095, dv=0, vth=131071)
    )
    graded, binary = backend().run_many(
        [
            LavaJob(quiet, inputs, 8, PROBES),
            LavaJob(
                quiet.with_projection(replace(quiet.projection("w"), num_message_bits=0)),
                inputs,
                8,
                PROBES,
            ),
        ]
    )
    assert isinstance(graded, Trace)
    assert isinstance(binary, Trace)
    unit = 200 << 6
    assert graded.u is not None
    assert binary.u is not None
    assert graded.u[:, 0].tolist() == [0, 3 * unit, 0, 0, -2 * unit, 0, 0, 0]
    assert binary.u[:, 0].tolist() == [0, unit, 0, 0, unit, 0, 0, 0]


@needs_lava
def test_a_drive_acts_in_its_own_step_and_is_held() -> None:
    network = QuantizedNetwork(
        (
            QuantizedInput("x", 1),
            QuantizedPopulation("n", 1, du=0, dv=4096, vth=131071, bias_mant=5, bias_exp=2),
        ),
        (QuantizedProjection("d", "x", "n", np.array([[3]]), target="bias"),),
    )
    inputs = events((2, 0), (4, 0), channels=1, payloads=[10, 5000])
    trace = backend().run(network, inputs, 6, ("v",))
    assert trace.v is not None
    assert trace.v[:, 0].tolist() == [20, 20, 140, 140, 4 * 4095, 4 * 4095]
    assert trace.inputs is inputs


@needs_lava
def test_unconnected_populations_run_too_and_keep_their_place() -> None:
    network = QuantizedNetwork(
        (
            QuantizedPopulation("slow", 1, du=0, dv=0, vth=3, bias_mant=64),
            QuantizedInput("in", 1),
            QuantizedPopulation("quiet", 2, du=0, dv=0, vth=3),
            QuantizedPopulation("n", 1, du=4095, dv=4096, vth=10),
        ),
        (QuantizedProjection("w", "in", "n", np.array([[200]])),),
    )
    trace = backend().run(SimpleNamespace(network=network), events((2, 0), channels=1), 8)
    found = list(zip(trace.spike_steps.tolist(), trace.spike_neurons.tolist(), strict=True))
    assert found == [(3, 0), (3, 3), (7, 0)]  # v of "slow" passes 192 in every fourth step


@needs_lava
def test_float_network_follows_exact_integration() -> None:
    dt, tau_mem, tau_syn = 1e-3, np.array([0.02, 0.005]), np.array([0.004, 0.01])
    network = Network(
        dt,
        (
            Population("x", 1, Input()),
            Population("n", 2, LIF(tau_mem, tau_syn, v_threshold=0.4, bias=0.1, refractory=2e-3)),
        ),
        (
            Projection("in", "x", "n", sparse.csr_matrix([[0.9], [0.5]])),
            Projection("drive", "x", "n", sparse.csr_matrix([[0.05], [0.2]]), target="bias"),
            Projection(
                "rec", "n", "n", sparse.csr_matrix([[0.0, -0.6], [0.8, 0.0]]), delays=[1e-3, 3e-3]
            ),
        ),
    )
    steps = 60
    at = np.arange(0, steps, 3)
    inputs = SpikeInput(at, np.zeros_like(at), steps, 1, payloads=1 + at % 2)
    trace = backend().run(network, inputs, steps, PROBES)

    alpha, beta = np.exp(-dt / tau_syn), np.exp(-dt / tau_mem)
    payload = np.zeros(steps)
    payload[at] = 1 + at % 2
    i, v, hold, held = np.zeros(2), np.zeros(2), np.zeros(2, int), 0.0
    sent = np.zeros((steps, 2))
    for t in range(steps):
        before = payload[t - 1] if t else 0.0
        arriving = np.array([0.9, 0.5]) * before
        arriving[0] += -0.6 * sent[t - 2, 1] if t >= 2 else 0.0
        arriving[1] += 0.8 * sent[t - 4, 0] if t >= 4 else 0.0
        i = alpha * i + arriving
        held = payload[t] or held
        v = beta * v + (1 - beta) * (0.1 + np.array([0.05, 0.2]) * held + i)
        v[hold > 0] = 0
        hold = np.maximum(hold - 1, 0)
        sent[t] = v > 0.4
        v[sent[t] > 0], hold[sent[t] > 0] = 0, 2
        assert trace.v is not None
        assert trace.u is not None
        np.testing.assert_allclose(trace.v[t], v, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(trace.u[t], i, rtol=1e-9, atol=1e-12)
    assert (
        np.argwhere(sent).tolist() == np.stack([trace.spike_steps, trace.spike_neurons], 1).tolist()
    )
    assert trace.n_spikes > 5


# --- parity ------------------------------------------------------------------------------------


@needs_lava
def test_random_networks_equal_the_reference_bit_for_bit() -> None:
    steps, seeds = 30, range(24)
    networks = [random_network(seed) for seed in seeds]
    inputs = [random_input(n, seed, steps) for n, seed in zip(networks, seeds, strict=True)]
    jobs = [LavaJob(n, x, steps, PROBES, n.name) for n, x in zip(networks, inputs, strict=True)]
    total = 0
    for job, found in zip(jobs, backend().run_many(jobs), strict=True):
        expected = simulate(job.network, job.inputs, steps, "reference", PROBES)
        same(found, expected)
        total += expected.n_spikes
    assert total > 1000


@needs_lava
def test_lavas_own_runtime_and_the_threads_agree() -> None:
    networks = [random_network(seed) for seed in range(100, 103)]
    jobs = [LavaJob(n, random_input(n, 7, 25), 25, PROBES) for n in networks]
    real, threads = (backend(runtime=r).run_many(jobs) for r in ("processes", "threads"))
    for a, b in zip(real, threads, strict=True):
        assert isinstance(b, Trace)
        same(a, b)


# --- failures and what they leave behind -------------------------------------------------------


class Watch:
    """Knows the shared memory and the processes of the children of one test."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.token = os.urandom(3).hex()
        self.folder = str(tmp_path)
        monkeypatch.setattr(lava.secrets, "token_hex", lambda _: self.token)
        monkeypatch.setattr(lava.tempfile, "tempdir", self.folder)

    def shared_memory(self) -> list[str]:
        return [p.name for p in SHM.glob(f"hl{self.token}*")]

    def processes(self) -> list[int]:
        """Processes with the folder of this test in their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if self.folder.encode() in command and b"sim_backends.lava.child" in command:
                    found.append(int(entry.name))
        return found

    def nothing_left(self) -> None:
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)  # a killed process stays listed until init has reaped it
        assert self.processes() == []
        assert self.shared_memory() == []


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    if not (SHM.is_dir() and Path("/proc/self/cmdline").exists()):
        pytest.skip("needs /dev/shm and /proc")
    return Watch(tmp_path, monkeypatch)


@needs_lava
def test_twenty_runs_leave_nothing(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava, "_BATCH", 15)  # two children
    jobs = [LavaJob(relay(), events((0, 0), channels=1), 3)] * 20
    assert all(isinstance(t, Trace) for t in backend(runtime="processes").run_many(jobs))
    watch.nothing_left()
    assert list(tmp_path.glob("hrsnn-lava-*")) == []


@needs_lava
def test_a_run_past_its_time_is_killed_with_all_its_processes(watch: Watch) -> None:
    begin = time.monotonic()
    with pytest.raises(BackendError, match=r"did not end within 3 s and was killed") as found:
        backend(runtime="processes", timeout_s=3).run(relay(), None, 10_000_000)
    assert found.value.exit_code == 6
    assert time.monotonic() - begin < 20
    watch.nothing_left()


@needs_lava
def test_a_time_limit_below_the_start_of_python_is_an_error_at_once(watch: Watch) -> None:
    begin = time.monotonic()
    with pytest.raises(BackendError, match=r"within 0\.01 s"):
        backend(timeout_s=0.01).run(relay(), None, 5)
    assert time.monotonic() - begin < 5
    watch.nothing_left()


@needs_lava
@pytest.mark.parametrize("runtime", ["threads", "processes"])
def test_a_job_that_fails_is_named_and_the_others_go_on(
    runtime: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lava refuses delays over 63 inside the running model; `verify` refuses them before that."""

    def broken(network: Any, *rest: Any) -> Any:
        program = original(network, *rest)
        if network.name != "broken":
            return program
        delayed = replace(program.connections[0], delays=np.array([64]))
        return replace(program, connections=(delayed,))

    original = lava.lava_program
    monkeypatch.setattr(lava, "lava_program", broken)
    inputs = events((0, 0), channels=1)
    jobs = [
        LavaJob(replace(relay(), name=name), inputs, 5, name=name)
        for name in ("first", "broken", "last")
    ]
    first, failed, last = backend(runtime=runtime, timeout_s=30).run_many(jobs)
    assert isinstance(failed, BackendError)
    assert str(failed).startswith("broken: Lava failed: ValueError: DelaySparse Process 'delays'")
    for trace in (first, last):
        assert isinstance(trace, Trace)
        assert trace.spike_steps.tolist() == [1]
    with pytest.raises(BackendError, match="expects values between 0 and 63"):
        backend(runtime=runtime, timeout_s=30).run(jobs[1].network, inputs, 5)
    watch.nothing_left()


@needs_lava
def test_a_child_that_dies_leaves_its_last_words(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava, "_CHILD", "hrsnn_lava.sim_backends.no_such_module")
    with pytest.raises(BackendError, match=r"process died: .*no_such_module"):
        backend().run(relay(), None, 5)
    watch.nothing_left()


PARENT = """
import sys, tempfile
sys.path.insert(0, {tests!r})
import hrsnn_lava.sim_backends.lava.backend as lava
from test_lava_backend import relay
lava.secrets.token_hex = lambda _: {token!r}
tempfile.tempdir = {folder!r}
lava.LavaBackend().run(relay(), None, 10_000_000)
"""


@needs_lava
def test_a_parent_that_is_killed_takes_its_child_along(watch: Watch) -> None:
    code = PARENT.format(tests=str(Path(__file__).parent), token=watch.token, folder=watch.folder)
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 60
        while len(watch.processes()) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(watch.processes()) >= 4
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    watch.nothing_left()


@needs_lava
@pytest.mark.nightly
def test_a_hundred_runs_with_failed_and_killed_ones_leave_nothing(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children of their own: 80 that end, 10 whose model fails, 10 that are killed as they run."""
    original = lava.lava_program

    def broken(network: Any, *rest: Any) -> Any:
        program = original(network, *rest)
        if network.name != "broken":
            return program
        delayed = replace(program.connections[0], delays=np.array([64]))
        return replace(program, connections=(delayed,))

    monkeypatch.setattr(lava, "lava_program", broken)
    inputs, ends = events((0, 0), channels=1), {"ended": 0, "failed": 0, "killed": 0}
    segments = {p.name for p in SHM.iterdir()}
    for k in range(100):
        network = replace(relay(), name="broken" if k % 10 == 3 else "whole")
        limit, steps = (1.5, 10_000_000) if k % 10 == 7 else (60.0, 5)
        try:
            trace = backend(runtime="processes", timeout_s=limit).run(network, inputs, steps)
            assert trace.spike_steps.tolist() == [1]
            ends["ended"] += 1
        except BackendError as error:
            ends["killed" if "was killed" in str(error) else "failed"] += 1
    assert ends == {"ended": 80, "failed": 10, "killed": 10}
    watch.nothing_left()
    assert list(tmp_path.glob("hrsnn-lava-*")) == []
    assert {p.name for p in SHM.iterdir()} - segments == set()
