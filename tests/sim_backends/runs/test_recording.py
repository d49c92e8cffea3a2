"""Recordings: streamed equals in memory; killed ones are readable and resume to the same bytes."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from children import outputs, start
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import inputs_for, networks
from scipy import sparse

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    Spec,
    SpikeInput,
    Trace,
    build_hrsnn,
    quantize,
)
from hrsnn_lava.api import record
from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.sim_backends.runs import session as state_module
from hrsnn_lava.sim_backends.runs.chunk_log import LogWriter, read_part, scan
from hrsnn_lava.sim_backends.runs.inputs import part_of, pieces_of, random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.recorded import LOG, ProbePlan
from hrsnn_lava.sim_backends.runs.recording import (
    Recorder,
    Recording,
    RecordOptions,
    partial_folder,
)
from hrsnn_lava.sim_backends.runs.session import Session, simulate

SPEC = Spec.parse({"network": {"size": 60, "connectivity": {"mean_degree": 8.0}}})


@pytest.fixture(scope="module")
def network():
    return quantize(build_hrsnn(SPEC))


@pytest.fixture
def short_chunks(monkeypatch):
    """Chunks of 11 steps at 63 sources, so that few steps make many."""
    monkeypatch.setattr(state_module, "STRETCH_VALUES", 700)


def same(first, second):
    """Traces that agree bit for bit, inputs included."""
    assert compare(first, second, ("first", "second")) == (0, None)
    if first.inputs is not None:
        assert second.inputs is not None
        np.testing.assert_array_equal(first.inputs.steps, second.inputs.steps)
        np.testing.assert_array_equal(first.inputs.neurons, second.inputs.neurons)
        np.testing.assert_array_equal(first.inputs.payload_values(), second.inputs.payload_values())


def test_a_streamed_trace_is_the_trace_in_memory(network, tmp_path, short_chunks):
    inputs = random_input(network, 130)
    truth = simulate(network, inputs, 130, "reference", ("v", "u"))
    seen = []
    record(network, inputs, 130, tmp_path / "t.npz", ("v", "u"), progress=lambda *a: seen.append(a))
    same(truth, Trace.load(tmp_path / "t.npz"))
    assert truth.n_spikes > 50
    assert (seen[0], seen[-1], len(seen)) == (
        ("11 of 130 steps recorded", 11 / 130),
        ("130 of 130 steps recorded", 1.0),
        12,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


@settings(max_examples=25)
@given(data=st.data())
def test_any_network_any_probes(data, tmp_path_factory):
    integer = data.draw(networks(delays=True))
    steps = data.draw(st.integers(1, 70))
    inputs = data.draw(inputs_for(integer, steps))
    every = data.draw(st.integers(1, 9))
    a, b = sorted(data.draw(st.tuples(st.integers(0, 80), st.integers(0, 80))))
    neurons = data.draw(st.sets(st.integers(0, integer.n_neurons - 1), min_size=1))
    path = tmp_path_factory.mktemp("r") / "t.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_module, "STRETCH_VALUES", 30)
        record(
            integer,
            inputs,
            steps,
            path,
            ("u", "v"),
            every=every,
            between=(a, b),
            neurons=sorted(neurons),
        )
    truth = simulate(integer, inputs, steps, "reference", ("v", "u"))
    found = Recording.open(path)
    trace, probed = found.trace(), found.probed()
    same(Trace(truth.spike_steps, truth.spike_neurons, steps, truth.n_neurons), trace)
    rows = [t for t in range(steps) if a <= t < b and (t - a) % every == 0]
    np.testing.assert_array_equal(probed.steps, rows)
    np.testing.assert_array_equal(probed.neurons, sorted(neurons))
    assert truth.v is not None
    assert truth.u is not None
    np.testing.assert_array_equal(probed.v, truth.v[rows][:, sorted(neurons)])
    np.testing.assert_array_equal(probed.u, truth.u[rows][:, sorted(neurons)])


def test_a_trace_with_some_states_has_no_v(network, tmp_path):
    """Whoever reads ``v`` may count on all steps and neurons."""
    record(network, None, 20, tmp_path / "t.npz", ("v",), every=2)
    assert Trace.load(tmp_path / "t.npz").v is None
    with np.load(tmp_path / "t.npz") as arrays:
        assert arrays["probe/v"].shape == (10, 60)
        np.testing.assert_array_equal(arrays["probe/steps"], np.arange(0, 20, 2))


def cut(inputs, length):
    """An input in pieces."""
    for first in range(0, inputs.n_steps, length):
        yield part_of(inputs, first, min(length, inputs.n_steps - first))


@pytest.mark.parametrize("length", [1, 7, 50, 1000])
def test_inputs_come_in_pieces_of_any_length(network, tmp_path, short_chunks, length):
    inputs = random_input(network, 90)
    truth = simulate(network, inputs, 120, "native", ("v",))
    record(network, cut(inputs, length), 120, tmp_path / "t.npz", ("v",))
    same(truth, Trace.load(tmp_path / "t.npz"))


def test_inputs_come_from_memory_mapped_files(network, tmp_path, short_chunks):
    inputs = random_input(network, 90)
    arrays = {}
    for name in ("steps", "neurons", "payloads"):
        np.save(tmp_path / f"{name}.npy", getattr(inputs, name))
        arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    pieces = pieces_of(
        arrays["steps"], arrays["neurons"], 90, inputs.n_neurons, arrays["payloads"], 13
    )
    record(network, pieces, 90, tmp_path / "t.npz")
    same(simulate(network, inputs, 90, "native"), Trace.load(tmp_path / "t.npz"))


@pytest.mark.parametrize("steps", [[3, 1, 2], [0, 4, 11], [-1, 2, 3]])
def test_events_out_of_order_or_range_are_refused(steps):
    at = np.array(steps)
    with pytest.raises(SpecError, match=r"steps that fall|not valid"):
        list(pieces_of(at, np.zeros(3, int), 10, 1, piece_steps=5))


def test_pieces_of_another_width_are_named(network, tmp_path):
    pieces = iter([SpikeInput.empty(5, network.n_inputs), SpikeInput.empty(5, 9)])
    with pytest.raises(SpecError, match="input piece 1: 9 channels; allowed: 3"):
        record(network, pieces, 20, tmp_path / "t.npz")


def test_a_recording_goes_on_from_a_state(network, tmp_path, short_chunks):
    inputs = random_input(network, 100)
    whole = simulate(network, inputs, 100, "native")
    state = record(network, part_of(inputs, 0, 60), 60, tmp_path / "a.npz")
    end = record(network, part_of(inputs, 60, 40), 40, tmp_path / "b.npz", state=state)
    parts = [Trace.load(tmp_path / name) for name in ("a.npz", "b.npz")]
    at = np.concatenate([parts[0].spike_steps, parts[1].spike_steps + 60])
    np.testing.assert_array_equal(at, whole.spike_steps)
    session = Session(network)
    session.run(inputs, 100)
    assert (end.step, end.digest) == (100, session.state().digest)


@pytest.fixture(scope="module")
def learner():
    """30 neurons whose synapses learn by pair STDP with three time constants."""
    rng = np.random.default_rng(4)
    group = QuantizedPopulation("a", 30, 800, 200, 80, rng.integers(100, 900, 30), 3)
    weights = sparse.csr_matrix(rng.integers(1, 90, (30, 30)) * (rng.random((30, 30)) < 0.3))
    rules = tuple(pair_stdp((3, -3), (2, -3), tau, 15.0, rng_seed=5) for tau in (5.0, 20.0, 40.0))
    learning = Learning(rules, rng.integers(0, 3, weights.nnz))
    own = QuantizedProjection("aa", "a", "a", weights, 0, "excitatory", learning=learning)
    return QuantizedNetwork((group,), (own,), "learner").verify()


def test_learned_weights_over_time(learner, tmp_path, short_chunks):
    """Also traces: after every 25 steps, and at the end; resumed and uninterrupted are the same."""
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    record(learner, None, 110, whole, ("weights", "traces"), every=25)
    probed = Recording.open(whole).probed()
    np.testing.assert_array_equal(probed.weight_steps, [24, 49, 74, 99])
    for row, step in enumerate(probed.weight_steps):
        truth = simulate(learner, None, int(step) + 1, "native")
        np.testing.assert_array_equal(probed.weights["aa"][row], truth.weights["aa"])
        assert sorted(truth.traces) == [f"aa/{x}/{k}" for x in ("x1", "y1") for k in range(3)]
        for key, values in truth.traces.items():
            np.testing.assert_array_equal(probed.traces[key][row], values)
    truth = simulate(learner, None, 110, "reference")
    trace = Trace.load(whole)
    same(truth, trace)
    np.testing.assert_array_equal(trace.weights["aa"], truth.weights["aa"])
    assert np.any(truth.weights["aa"] != learner.projection("aa").weights.data)

    def progress(_, fraction):
        if fraction >= 60 / 110:
            raise StopError

    options = {"every": 25, "checkpoint_s": 0.0}
    with pytest.raises(StopError):
        record(learner, None, 110, parts, ("weights", "traces"), progress=progress, **options)
    partial = Recording.open(parts).probed()
    np.testing.assert_array_equal(partial.weight_steps, [24, 49])
    np.testing.assert_array_equal(partial.weights["aa"], probed.weights["aa"][:2])
    np.testing.assert_array_equal(partial.trace_steps, [24, 49])
    np.testing.assert_array_equal(partial.traces["aa/y1/2"], probed.traces["aa/y1/2"][:2])
    record(learner, None, 110, parts, ("weights", "traces"), resume=True, **options)
    assert parts.read_bytes() == whole.read_bytes()


class StopError(Exception):
    """Ends a recording from within."""


def interrupted(network, inputs, steps, path, at, **options):
    """A recording that ends with an exception after step `at`."""

    def progress(_, fraction):
        if fraction >= at / steps:
            raise StopError

    with pytest.raises(StopError):
        record(network, inputs, steps, path, ("v",), every=3, progress=progress, **options)


@pytest.mark.parametrize("checkpoint_s", [0.0, 1e9])
@pytest.mark.parametrize("at", [1, 50, 99])
def test_resumed_is_uninterrupted_byte_for_byte(network, tmp_path, short_chunks, at, checkpoint_s):
    inputs = random_input(network, 100)
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    end = record(network, inputs, 100, whole, ("v",), every=3)
    interrupted(network, inputs, 100, parts, at, checkpoint_s=checkpoint_s)
    partial = Recording.open(parts)
    assert partial.steps_done >= at
    again = record(network, inputs, 100, parts, ("v",), every=3, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert again.digest == end.digest
    assert not partial_folder(parts).exists()


def test_an_unfinished_recording_is_not_overwritten(network, tmp_path, short_chunks):
    path = tmp_path / "t.npz"
    interrupted(network, None, 100, path, 30)
    with pytest.raises(SpecError, match=r"unfinished recording of 33 steps is there; resume it"):
        record(network, None, 100, path, ("v",), every=3)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"steps": 120}, "another plan"),
        ({"every": 4}, "another plan"),
        ({"network": True}, "another network"),
        ({"state": True}, "another start"),
        ({"inputs": True}, r"another input in steps 0\.\.10"),
    ],
)
def test_another_run_does_not_resume(network, tmp_path, short_chunks, change, match):
    path = tmp_path / "t.npz"
    inputs = random_input(network, 100)
    interrupted(network, inputs, 100, path, 30, checkpoint_s=0.0)
    given = network
    if "network" in change:
        given = QuantizedNetwork(network.populations, network.projections, "other")
    state = Session(network).state() if "state" in change else None
    other = random_input(network, 100, seed=1) if "inputs" in change else inputs
    steps, every = change.get("steps", 100), change.get("every", 3)
    with pytest.raises(ArtifactError, match=match):
        record(given, other, steps, path, ("v",), every=every, state=state, resume=True)
    assert Recording.open(path).steps_done == 33


def test_nothing_to_resume_starts_anew(network, tmp_path):
    record(network, None, 20, tmp_path / "t.npz", resume=True)
    assert Trace.load(tmp_path / "t.npz").n_steps == 20


@pytest.mark.parametrize("remove", ["checkpoint.hlx", "chunks.log"])
def test_killed_at_the_very_start(network, tmp_path, short_chunks, remove):
    path = tmp_path / "t.npz"
    interrupted(network, None, 50, path, 1, checkpoint_s=1e9)
    (partial_folder(path) / remove).unlink()
    record(network, None, 50, path, ("v",), every=3, resume=True)
    assert Trace.load(path).n_steps == 50


def test_killed_between_renaming_and_removing_the_folder(network, tmp_path, short_chunks):
    path = tmp_path / "t.npz"
    record(network, None, 50, path)
    expected = path.read_bytes()
    plan = ProbePlan.of(network, 50)
    with closing(Recorder(network, path, plan)) as recorder:
        recorder.run(None)  # and never finished
    assert Recording.open(path).complete
    record(network, None, 50, path, resume=True)
    assert path.read_bytes() == expected
    assert not partial_folder(path).exists()


def test_an_unfinished_recording_is_no_trace(network, tmp_path, short_chunks):
    plan = ProbePlan.of(network, 50)
    with closing(Recorder(network, tmp_path / "t.npz", plan)) as recorder:
        with pytest.raises(SpecError, match="0 of 50 steps are recorded"):
            recorder.finish()
        with pytest.raises(ArtifactError, match="another process is writing it"):
            Recorder(network, tmp_path / "t.npz", plan, RecordOptions(resume=True))


@pytest.mark.parametrize("where", ["cut", "flip", "zeros"])
def test_every_prefix_of_a_recording_is_readable(network, tmp_path, short_chunks, where):
    """What a reader gets of a torn or damaged log is a beginning of the true trace."""
    path = tmp_path / "t.npz"
    inputs = random_input(network, 60)
    truth = simulate(network, inputs, 60, "native")
    interrupted(network, inputs, 60, path, 50, checkpoint_s=1e9)
    log = partial_folder(path) / LOG
    data = log.read_bytes()
    header = scan(log)[0].end
    done = set()
    for at in random.Random(0).sample(range(header, len(data)), 60):
        torn = bytearray(data)
        if where == "cut":
            del torn[at:]
        elif where == "flip":
            torn[at] ^= 0x10
        else:
            torn[at:] = bytes(len(data) - at)  # a file system that kept the length alone
        log.write_bytes(bytes(torn))
        found = Recording.open(path).trace()
        early = truth.spike_steps < found.n_steps
        np.testing.assert_array_equal(found.spike_steps, truth.spike_steps[early])
        np.testing.assert_array_equal(found.spike_neurons, truth.spike_neurons[early])
        done.add(found.n_steps)
    assert done <= {0, 11, 22, 33, 44, 55, 60}
    assert len(done) > 3


def test_a_log_damaged_before_its_checkpoint_is_not_resumed(network, tmp_path, short_chunks):
    path = tmp_path / "t.npz"
    interrupted(network, None, 60, path, 50, checkpoint_s=0.0)
    log = partial_folder(path) / LOG
    log.write_bytes(log.read_bytes()[: scan(log)[2].end])
    with pytest.raises(ArtifactError, match="damaged before its checkpoint"):
        record(network, None, 60, path, ("v",), every=3, resume=True)


def test_pieces_are_the_trace_in_stretches(network, tmp_path, short_chunks):
    path = tmp_path / "t.npz"
    inputs = random_input(network, 60)
    interrupted(network, inputs, 60, path, 60)
    recording = Recording.open(path)
    whole, pieces = recording.trace(), list(recording.pieces(max_values=300))
    starts = np.cumsum([0, *(p.n_steps for p in pieces)])
    assert len(pieces) > 2
    at = [p.spike_steps + start for p, start in zip(pieces, starts, strict=False)]
    np.testing.assert_array_equal(np.concatenate(at), whole.spike_steps)
    sent = sum(p.inputs.steps.size for p in pieces)
    assert sent == inputs.steps.size


def test_nothing_there_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="no such file"):
        Recording.open(tmp_path / "t.npz")
    (tmp_path / "t.npz.partial").mkdir()
    with pytest.raises(ArtifactError, match="no such file"):
        Recording.open(tmp_path / "t.npz")
    (tmp_path / "t.npz.partial" / LOG).write_bytes(b"HRCK")
    with pytest.raises(ArtifactError, match="nothing was recorded yet"):
        Recording.open(tmp_path / "t.npz")


def test_wrong_plans_are_named(network, tmp_path):
    with pytest.raises(SpecError) as caught:
        record(network, None, 10, tmp_path / "t.npz", ("w",), every=0, between=(5, 2), neurons=[60])
    assert [p.where for p in caught.value.problems] == ["probes", "every", "between", "neurons"]
    with pytest.raises(SpecError, match="inputs: 9 channels"):
        record(network, SpikeInput.empty(3, 9), 10, tmp_path / "t.npz")
    with pytest.raises(ArtifactError, match="cannot be written"):
        record(network, None, 10, tmp_path / "no" / "t.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_log_keeps_types_and_empty_arrays(tmp_path):
    writer = LogWriter(tmp_path / "log")
    arrays = {"a": np.zeros((0, 3), ">i4"), "b": np.arange(6.0).reshape(2, 3), "c": np.array(True)}
    writer.append({"k": 1}, arrays)
    writer.close()
    writer.close()
    (chunk,) = scan(tmp_path / "log")
    assert chunk.meta == {"k": 1}
    with (tmp_path / "log").open("rb") as handle:
        for name, expected in arrays.items():
            found = read_part(handle, chunk.parts[name])
            assert found.shape == expected.shape
            np.testing.assert_array_equal(found, expected)


# --- the command ------------------------------------------------------------------------------

STEPS = 40_000
#: The program with a checkpoint every 50 ms, so that a short run has many.
PROGRAM = """
from hrsnn_lava.cli.main import main
from hrsnn_lava.sim_backends.runs import recording
recording.CHECKPOINT_SECONDS = 0.05
main()
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """1,000 neurons with an input, about 3 % of which fire in a step."""
    folder = tmp_path_factory.mktemp("busy")
    rng = np.random.default_rng(5)
    weights = sparse.random(
        1000, 1000, 0.1, random_state=rng, data_rvs=lambda n: rng.normal(size=n)
    )
    group = QuantizedPopulation("a", 1000, 800, rng.integers(100, 400, 1000), 4000, 3000, 3, 1)
    net = QuantizedNetwork(
        (QuantizedInput("inp", 4), group),
        (
            QuantizedProjection("aa", "a", "a", (weights * 20).astype(np.int32).tocsr()),
            QuantizedProjection("ia", "inp", "a", np.full((1000, 4), 30)),
        ),
    ).verify()
    net.save(folder / "n.hlx")
    random_input(net, STEPS, 3).save(folder / "in.npz")
    return folder, net


def command(folder, output, *options):
    """``simulate --stream`` in a process of its own."""
    fixed = ["simulate", folder / "n.hlx", "--input", folder / "in.npz", "--stream", "-o", output]
    words = [sys.executable, "-c", PROGRAM, *map(str, [*fixed, "--probe", "v", *options])]
    return start([*words, "--probe-every", "500", "--probe-neurons", "10:20"])


def wait_for(log, process):
    """Wait until the process has written to the log, and has written once more after that."""
    before = log.stat().st_size if log.exists() else 0
    growths = 0
    while process.poll() is None and growths < 2:
        size = log.stat().st_size if log.exists() else 0
        if size > 50_000 and size != before:
            growths, before = growths + 1, size
        time.sleep(0.002)


@pytest.fixture(scope="module")
def truth(busy):
    folder, net = busy
    inputs = SpikeInput.load(folder / "in.npz")
    trace = simulate(net, inputs, STEPS, "native")
    record(net, inputs, STEPS, folder / "truth.npz", ("v",), every=500, neurons=slice(10, 20))
    return trace, (folder / "truth.npz").read_bytes()


@pytest.mark.once
def test_killed_at_random_moments_and_resumed(busy, truth, tmp_path):
    """SIGKILL, several times: readable or absent after each, and the same bytes in the end."""
    folder, _ = busy
    trace, expected = truth
    moments = random.Random(11)
    output, kills, resume = tmp_path / "t.npz", 0, ()
    log = partial_folder(output) / LOG
    for _ in range(6):
        process = command(folder, output, *resume)
        if kills < 3:
            wait_for(log, process)
            time.sleep(moments.uniform(0.0, 0.4))
            process.kill()
        _, err = outputs(process, 60)
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
        resume = ("--resume",)
        if log.exists():
            found = Recording.open(output).trace()
            early = trace.spike_steps < found.n_steps
            np.testing.assert_array_equal(found.spike_steps, trace.spike_steps[early])
            np.testing.assert_array_equal(found.spike_neurons, trace.spike_neurons[early])
    assert process.returncode == 0, err
    assert kills > 0
    assert output.read_bytes() == expected
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


@pytest.mark.once
def test_interrupted_leaves_what_can_be_read_and_resumed(busy, truth, tmp_path):
    folder, _ = busy
    trace, expected = truth
    output = tmp_path / "t.npz"
    process = command(folder, output)
    wait_for(partial_folder(output) / LOG, process)
    process.send_signal(signal.SIGINT)
    out, err = outputs(process, 60)
    assert (process.returncode, out) == (130, ""), err
    assert "of 40,000 steps are recorded; --resume goes on" in err
    assert "Traceback" not in err
    found = Recording.open(output).trace()
    early = trace.spike_steps < found.n_steps
    np.testing.assert_array_equal(found.spike_steps, trace.spike_steps[early])
    process = command(folder, output)
    _, err = outputs(process, 60)
    assert process.returncode == 2
    assert "unfinished recording" in err
    process = command(folder, output, "--resume", "--json")
    _, err = outputs(process, 60)
    assert process.returncode == 0, err
    assert "resume: from step" in err
    assert output.read_bytes() == expected


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_steps(network, tmp_path):
    """Each neuron spikes every 10 steps or so: 60 MB of spikes go by, memory keeps still."""

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    ticking = QuantizedPopulation("a", 1000, 4095, 0, 9, bias_mant=64)
    net = QuantizedNetwork((ticking,)).verify()
    seen = []
    path = tmp_path / "t.npz"
    record(net, None, 75_000, path, progress=lambda *_: seen.append(resident()))
    assert len(seen) == 75
    assert max(seen) - seen[5] < 10 * 2**20
    assert resident() - seen[5] < 20 * 2**20
    assert os.path.getsize(path) > 2**16
