"""All counts of a run equal a loop in plain Python, however the run was counted."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from counted_networks import loop, mixed_inputs, mixed_network, some_cores
from network_strategies import collected, driven_learning_networks, driven_networks

from hrsnn_lava import QuantizedNetwork, QuantizedPopulation, SpikeInput, Trace
from hrsnn_lava.compiler.analysis.operations.counting import Counting, Counts, count_trace, loads
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.sim_backends.base import Stretch
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.native.simulator import NativeEngine
from hrsnn_lava.sim_backends.runs import counting as module
from hrsnn_lava.sim_backends.runs.counting import count, recount
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.recording import record
from hrsnn_lava.sim_backends.runs.session import Session, simulate

STEPS = 24
NETWORKS = 100
GROUP = 25
PROFILE = HardwareProfile.load("loihi1")


def cases(number):
    """Networks and inputs `GROUP * number` to `GROUP * (number + 1)` of 100."""
    half = GROUP // 2
    for k in range(half + 1):
        rng = np.random.default_rng(1000 * number + k)
        network = mixed_network(rng)
        yield network, mixed_inputs(rng, network, STEPS)
    plain = driven_networks(STEPS, 8, delays=True)
    yield from collected(plain, half // 2, number)
    yield from collected(driven_learning_networks(STEPS, 8), half - half // 2, number)


def on_cores(network, number):
    core_of, tiles = some_cores(np.random.default_rng(number), network)
    return CompiledNetwork(network, PROFILE, Placement.of(core_of, tiles))


def assert_counts(found, expected, exact=True):
    """Every integer of `Counts` is the loop's."""
    ops, done = found.ops, found.done
    for p in ops.projections:
        name = p.name
        assert p.operations == expected["operations"][name]
        assert p.issued == expected["issued"][name]
        assert p.dense == expected["dense"][name]
        assert p.events == expected["sent"][name]
        if ops.per_step_kept:
            np.testing.assert_array_equal(p.per_step, expected["per_step"][name])
    np.testing.assert_array_equal(ops.per_core, expected["per_core"])
    assert ops.per_step_max == expected["busiest"]
    assert ops.bias_writes == expected["bias_writes"]
    for name in ("spikes", "neuron_updates", "messages", "input_messages"):
        assert getattr(done, name) == expected[name]
    for name in ("hops_x", "hops_y", "max_hops"):
        assert getattr(done, name) == expected[name]
    assert done.learning_updates == expected["learning"]
    assert done.messages_in == expected["messages"] + expected["input_messages"]
    for name in ("messages_in", "messages_out"):
        by_core = expected["loads"][name].sum(axis=0)
        np.testing.assert_array_equal(getattr(done, f"{name}_of"), by_core)
    assert done.updates_exact is exact
    if exact:
        assert done.neuron_updates_active == sum(expected["active"])
        assert done.neuron_updates_inactive == expected["neuron_updates"] - sum(expected["active"])
        assert done.membrane_updates == sum(expected["membrane"])
        assert done.membrane_updates_first_step == expected["membrane"][0]


def bare(trace):
    """The trace as an older program stored it."""
    return replace(trace, v=None, u=None, active_updates=None, membrane_updates=None)


@pytest.mark.parametrize("number", range(NETWORKS // GROUP))
def test_counts_equal_the_loop(number, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STRETCH_VALUES", 100)  # a few steps a stretch
    for k, (network, inputs) in enumerate(cases(number)):
        compiled = on_cores(network, k)
        truth = simulate(network, inputs, STEPS, "reference", ("v", "u"))
        expected = loop(network, compiled.core_of, compiled.placement.coordinates, truth)
        np.testing.assert_array_equal(truth.active_updates, expected["active"])
        np.testing.assert_array_equal(truth.membrane_updates, expected["membrane"])
        assert_counts(count_trace(compiled, truth), expected)

        native = simulate(network, inputs, STEPS, "native")
        np.testing.assert_array_equal(native.active_updates, expected["active"])
        np.testing.assert_array_equal(native.membrane_updates, expected["membrane"])
        assert_counts(count_trace(compiled, native), expected)
        states = replace(truth, active_updates=None, membrane_updates=None)
        assert_counts(count_trace(compiled, states), expected)

        assert_counts(count(compiled, inputs, STEPS), expected)
        assert_counts(count(compiled, inputs, STEPS, per_step=False), expected)
        assert_counts(count(compiled, inputs, STEPS, backend="reference"), expected)
        if k % 5 == 0:
            native.save(tmp_path / "trace.npz")
            assert_counts(count_trace(compiled, Trace.load(tmp_path / "trace.npz")), expected)
            record(network, inputs, STEPS, tmp_path / "recorded.npz")
            stored = Trace.load(tmp_path / "recorded.npz")
            assert_counts(count_trace(compiled, stored), expected)
        if native.inputs is not None or not network.n_inputs:
            assert_counts(count_trace(compiled, recount(network, bare(native))), expected)
        assert_counts(count_trace(compiled, bare(native)), expected, exact=False)


@pytest.mark.parametrize("cuts", [(1, 2, 9, 10, 23), (7,), (12, 13)])
def test_stretches_of_a_session_add_up(cuts):
    for k, (network, inputs) in enumerate(cases(0)):
        if inputs is None:
            inputs = SpikeInput.empty(STEPS, network.n_inputs)
        compiled = on_cores(network, k)
        truth = simulate(network, inputs, STEPS, "reference", ("v", "u"))
        expected = loop(network, compiled.core_of, compiled.placement.coordinates, truth)
        counting, session = Counting.of(compiled), Session(network)
        edges = [0, *cuts, STEPS]
        for first, end in pairwise(edges):
            counting.add(session.run(part_of(inputs, first, end - first), end - first))
            session = Session(network, session.state())  # as from a file
        assert_counts(counting.result(), expected)


def test_a_run_that_goes_on_counts_from_its_state():
    """Epochs of learning end where they do since rest, and states before it are not rest."""
    rng = np.random.default_rng(4)
    network = mixed_network(rng)
    inputs = mixed_inputs(rng, network, STEPS)
    compiled = on_cores(network, 1)
    whole = count(compiled, inputs, STEPS)
    session = Session(network)
    head = Counting.of(compiled)
    head.add(session.run(part_of(inputs, 0, 11), 11))
    tail = count(compiled, part_of(inputs, 11, STEPS - 11), STEPS - 11, state=session.state())
    for name in ("spikes", "messages", "learning_updates", "neuron_updates_active"):
        parts = getattr(head.result().done, name) + getattr(tail.done, name)
        assert parts == getattr(whole.done, name)
    assert head.result().done.membrane_updates + tail.done.membrane_updates == (
        whole.done.membrane_updates
    )
    assert head.result().ops.total + tail.ops.total == whole.ops.total


@pytest.mark.parametrize("block", [None, 1, 5])
def test_loads_by_step_and_core_equal_the_loop(block):
    for k, (network, inputs) in enumerate(cases(1)):
        compiled = on_cores(network, k)
        truth = simulate(network, inputs, STEPS, "reference", ("v", "u"))
        expected = loop(network, compiled.core_of, compiled.placement.coordinates, truth)
        blocks = list(loads(compiled, truth, block))
        assert [b.first_step for b in blocks] == list(range(0, STEPS, block or STEPS))
        assert sum(b.n_steps for b in blocks) == STEPS
        for name, array in expected["loads"].items():
            found = np.concatenate([getattr(b, name) for b in blocks])
            np.testing.assert_array_equal(found, array)
        bound = next(iter(loads(compiled, bare(truth))))
        sizes = np.bincount(compiled.core_of)
        np.testing.assert_array_equal(bound.active, np.tile(sizes, (STEPS, 1)))
        assert blocks[0].active_exact
        assert not bound.active_exact


@pytest.mark.lava
def test_counts_of_lava_equal_the_loop():
    """Lava's states tell its updates; its spikes alone are counted after a second run."""
    some = [case for number in range(2) for k, case in enumerate(cases(number)) if k % 4 == 0]
    jobs = [LavaJob(network, inputs, STEPS, ("spikes", "v", "u")) for network, inputs in some]
    for k, (job, trace) in enumerate(
        zip(jobs, LavaBackend(runtime="threads").run_many(jobs), strict=True)
    ):
        compiled = on_cores(job.network, k)
        expected = loop(job.network, compiled.core_of, compiled.placement.coordinates, trace)
        assert trace.active_updates is not None
        assert_counts(count_trace(compiled, trace), expected)
        assert_counts(count_trace(compiled, recount(compiled, bare(trace))), expected)


# --- known values ---------------------------------------------------------------------------


def neuron(**fields):
    settings = {"du": 4095, "dv": 0, "vth": 100, "bias_mant": 0, "bias_exp": 0}
    population = QuantizedPopulation("n", 1, **(settings | fields))
    return QuantizedNetwork((population,), ()).verify()


def test_a_neuron_at_rest_is_never_active():
    found = count(neuron(), steps=9)
    assert found.done.neuron_updates == 9
    assert found.done.neuron_updates_active == 0
    assert found.done.membrane_updates == 0


def test_a_biased_neuron_is_always_active_and_changes_but_when_held():
    """v rises by 100 << 6 = 6400 a step: 6400 is no spike, 12800 is; then two steps at 0."""
    network = neuron(bias_mant=3200, bias_exp=1, refractory=2)
    trace = simulate(network, None, 8, "native", ("v",))
    np.testing.assert_array_equal(trace.v[:, 0], [6400, 0, 0, 0, 6400, 0, 0, 0])
    np.testing.assert_array_equal(trace.active_updates, [1] * 8)
    np.testing.assert_array_equal(trace.membrane_updates, [1, 1, 0, 0, 1, 1, 0, 0])


def test_a_held_neuron_is_active_while_its_current_lasts():
    """One payload of 100 << 6 arrives once; u halves, v is held at 0 from the first spike on."""
    from scipy import sparse

    from hrsnn_lava import QuantizedInput, QuantizedProjection

    network = QuantizedNetwork(
        (QuantizedInput("i", 1), QuantizedPopulation("n", 1, 2047, 4096, 10, refractory=63)),
        (QuantizedProjection("i_n", "i", "n", sparse.csr_matrix([[100]])),),
    ).verify()
    inputs = SpikeInput([0], [0], 20, 1)
    trace = simulate(network, inputs, 20, "native", ("u", "v"))
    lasting = int(np.count_nonzero(trace.u[:, 0]))
    assert trace.u[1, 0] == 6400
    assert trace.u[2, 0] == 3200
    # the step in which u reaches 0 still has a current to decay
    assert trace.active_updates.sum() == lasting + 1
    assert trace.membrane_updates.sum() == 1


def test_a_trace_that_does_something_else_stays_without_updates():
    network = neuron(bias_mant=3200, bias_exp=1)
    trace = bare(simulate(network, None, 8, "native"))
    moved = replace(trace, spike_steps=trace.spike_steps[1:], spike_neurons=trace.spike_neurons[1:])
    assert recount(network, trace).active_updates.tolist() == [1] * 8
    assert recount(network, moved).active_updates is None
    driven = mixed_network(np.random.default_rng(0))
    unknown = Trace(np.zeros(0, np.int32), np.zeros(0, np.int32), 3, driven.n_neurons)
    assert recount(driven, unknown).active_updates is None
    with pytest.raises(SpecError, match="not one of this network"):
        recount(network, unknown)


def test_without_counts_by_step_memory_holds_none():
    network = mixed_network(np.random.default_rng(3))
    found = count(network, None, 40, per_step=False)
    assert not found.ops.per_step_kept
    assert found.ops.per_step.size == 0
    assert all(p.per_step.size == 0 for p in found.ops.projections)
    assert found.ops.per_core is None


def test_progress_and_pieces_of_input():
    rng = np.random.default_rng(5)
    network = mixed_network(rng)
    inputs = mixed_inputs(rng, network, 40)
    seen = []
    pieces = (part_of(inputs, first, 10) for first in range(0, 40, 10))
    found = count(network, pieces, 40, progress=lambda *told: seen.append(told))
    assert seen[-1] == ("40 of 40 steps counted", 1.0)
    assert found.ops.total == count(network, inputs, 40).ops.total


def test_the_kernel_without_counters_does_the_same():
    for network, inputs in cases(2):
        plain = NativeEngine(network, counting=False)
        given = SpikeInput.empty(STEPS, network.n_inputs) if inputs is None else inputs
        part = part_of(given, 0, STEPS)
        starts, mantissas, _ = Session(network)._drive(part)
        found = plain.advance(Stretch(0, part, starts, mantissas, ("v", "u")))
        expected = simulate(network, inputs, STEPS, "native", ("v", "u"))
        for name in ("spike_steps", "spike_neurons", "v", "u"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        learns = any(p.learning is not None and p.n_synapses for p in network.projections)
        assert (found.active_updates is not None) is learns


def test_counts_come_back_from_their_file(tmp_path):
    for k, (network, inputs) in enumerate(cases(3)):
        compiled = on_cores(network, k)
        for per_step in (True, False):
            found = count(compiled, inputs, STEPS, per_step=per_step)
            digest = found.save(tmp_path / "counts.hlx", compiled)
            back = Counts.load(tmp_path / "counts.hlx", compiled)
            assert back.save(tmp_path / "again.hlx", compiled) == digest
            assert back.steps == found.steps
            assert_fields_equal(back.done, found.done)
            assert_fields_equal(back.ops, found.ops)
            for ours, theirs in zip(back.ops.projections, found.ops.projections, strict=True):
                assert_fields_equal(ours, theirs)


def assert_fields_equal(found, expected):
    for field in fields(expected):
        if field.name != "projections":
            ours, theirs = getattr(found, field.name), getattr(expected, field.name)
            assert type(ours) is type(theirs)
            np.testing.assert_array_equal(ours, theirs)


def test_counts_of_another_placement_are_refused(tmp_path):
    rng = np.random.default_rng(8)
    network = mixed_network(rng)
    while network.n_neurons < 2:
        network = mixed_network(rng)
    one = np.zeros(network.n_neurons, dtype=np.int32)
    two = one.copy()
    two[-1] = 1
    programs = [CompiledNetwork(network, PROFILE, Placement.of(cores)) for cores in (one, two)]
    count(programs[0], None, 5).save(tmp_path / "c.hlx", programs[0])
    with pytest.raises(ArtifactError, match="counts of another placement; count this program"):
        Counts.load(tmp_path / "c.hlx", programs[1])


@pytest.mark.parametrize("bad", [np.zeros(4, np.int32), np.zeros((3, 1), np.int32), np.ones(3)])
def test_counts_by_step_of_a_trace_file_are_checked(bad, tmp_path):
    none = np.zeros(0, dtype=np.int32)
    np.savez(
        tmp_path / "t.npz",
        spike_steps=none,
        spike_neurons=none,
        n_steps=3,
        n_neurons=1,
        active_updates=bad,
    )
    with pytest.raises(ArtifactError, match=r"active_updates: (shape .*allowed: \(3,\)|integers)"):
        Trace.load(tmp_path / "t.npz")
