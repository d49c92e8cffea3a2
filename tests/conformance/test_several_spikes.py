"""Several spikes of a neuron in a step, on every engine and in whatever keeps spikes.

A potential that holds the threshold n times sends n spikes: one message whose payload multiplies
weights (reset ``subtract_all``)::

    n = floor(v / (vth << 6)),  v = v - n (vth << 6)        at the neuron
    a = sum_j w_ij n_j                                      at its targets
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_strategies import check_in_runs, driven_networks
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.operations.neurobench import neurobench
from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
from hrsnn_lava.errors import ArtifactError, NetworkError, SpecError
from hrsnn_lava.integer_format import SPIKE_COUNT_BITS
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator, PlasticSimulator
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.recorded import Recording

PROBES = ("spikes", "v", "u")
QUIET = pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")


def pair(weight=3, delay=0, exponent=0, **fields):
    """A neuron "a" that is driven, and "b" that hears it and has no threshold in reach."""
    fields = {"du": 4095, "dv": 0, "vth": 10, "reset": "subtract_all"} | fields
    a = hl.QuantizedPopulation("a", 1, **fields)
    b = hl.QuantizedPopulation("b", 1, 4095, 0, 131071)
    into = hl.QuantizedProjection("x_a", "x", "a", sparse.identity(1), 0, num_weight_bits=8)
    into = replace(into, sign_mode="excitatory", num_message_bits=32)
    onto = hl.QuantizedProjection(
        "a_b",
        "a",
        "b",
        sparse.csr_matrix([[weight]]),
        exponent,
        "excitatory",
        delays=delay,
        num_message_bits=SPIKE_COUNT_BITS,
    )
    return hl.QuantizedNetwork((hl.QuantizedInput("x", 1, 1.0), a, b), (into, onto)).verify()


def sending(*payloads, steps=9):
    """The payload of each step, on one channel; 0 for none."""
    at = np.flatnonzero(payloads)
    return hl.SpikeInput(at, 0 * at, steps, 1, np.array(payloads)[at])


def crowd(n=40, seed=0, **fields):
    """A recurrent population of which every neuron may send several spikes, with a delay."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-40, 30, (n, n)) * (rng.random((n, n)) < 0.3)
    vth = rng.choice([1, 3, 60, 500], n)
    population = hl.QuantizedPopulation(
        "a", n, 900, 300, vth, rng.integers(-200, 900, n), 3, reset="subtract_all", **fields
    )
    synapses = hl.QuantizedProjection(
        "a_a", "a", "a", sparse.csr_matrix(weights), -1, num_message_bits=17, delays=2
    )
    return hl.QuantizedNetwork((population,), (synapses,)).verify()


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize(("delay", "exponent"), [(0, 0), (4, 0), (0, 2), (2, -1)])
def test_the_payload_multiplies_and_comes_late(engine, delay, exponent):
    """25 << 6 holds 640 two times, and what is left and 30 << 6 three times."""
    trace = hl.simulate(pair(3, delay, exponent), sending(25, 0, 30), 9, engine, PROBES)
    of_a = trace.spike_neurons == 0
    assert trace.spike_steps[of_a].tolist() == [1, 3]
    assert trace.payloads[of_a].tolist() == [2, 3]
    assert trace.dense()[:, 0].tolist() == [0, 2, 0, 3, 0, 0, 0, 0, 0]
    arrived = [int(np.floor(3 * n * 2.0**exponent)) << 6 for n in (2, 3)]
    expected = np.zeros(9, dtype=int)
    expected[2 + delay :] += arrived[0]
    if 4 + delay < 9:
        expected[4 + delay :] += arrived[1]
    assert trace.v[:, 1].tolist() == expected.tolist()
    assert trace.counts().tolist() == [2, 0]
    assert trace.payload_counts().tolist() == [5, 0]


@QUIET
def test_generated_networks_have_messages_of_any_size():
    """Reference and native agree, and payloads from 1 to the largest occur."""
    sizes = set()

    def check(case):
        network, inputs = case
        resets = {p.name: "subtract_all" for p in network.compute_populations}
        for p in network.compute_populations:
            vth = np.maximum(p.parameter("vth"), 1)
            network = network.with_population(replace(p, vth=vth, refractory=0))
        network = network.with_resets(resets).verify()
        one, two = (hl.simulate(network, inputs, 30, b, PROBES) for b in ("reference", "native"))
        assert compare(one, two, ("reference", "native")) == (0, None)
        for field in ("payloads", "wraps", "saturations", "active_updates", "membrane_updates"):
            np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
        most = np.concatenate([p.most_spikes for p in network.compute_populations])
        assert (one.payloads <= most[one.spike_neurons]).all()
        assert (one.v < (network.gather("vth").astype(np.int64) << 6)).all()
        sizes.update(one.payloads.tolist())

    check_in_runs(check, driven_networks(30, delays=True), examples=36)
    assert {1, 2, 3, 131071} <= sizes
    assert len(sizes) > 100


@pytest.mark.lava
@QUIET
def test_live_lava_sends_the_same_payloads():
    """In its own Processes `Sparse` and `DelaySparse`; sums beyond 32 bits wrap there, too."""
    wide = hl.QuantizedPopulation("a", 90, 4095, 4096, 1, reset="subtract_all")
    small = hl.QuantizedPopulation("b", 3, 4095, 4095, 1, reset="subtract_all")
    into = hl.QuantizedProjection("x_a", "x", "a", np.full((90, 1), 250), 7, num_message_bits=17)
    onto = hl.QuantizedProjection("a_b", "a", "b", np.full((3, 90), 250), -3, num_message_bits=20)
    beyond = hl.QuantizedNetwork((hl.QuantizedInput("x", 1, 1.0), wide, small), (into, onto))
    cases = [
        (pair(3, 2, -1), sending(25, 0, 30)),
        (pair(3), sending(25, 0, 30)),
        (crowd(), None),
        (beyond, sending(4, 0, 4, 4)),
    ]
    jobs = [LavaJob(network, inputs, 30, PROBES) for network, inputs in cases]
    traces = LavaBackend(runtime="threads").run_many(jobs)
    for (network, inputs), trace in zip(cases, traces, strict=True):
        assert not isinstance(trace, Exception), trace
        run = hl.simulate(network, inputs, 30, "native", PROBES)
        assert compare(trace, run, ("lava", "native")) == (0, None)
        np.testing.assert_array_equal(trace.payloads, run.payloads)
    assert 128000 in traces[-1].payloads
    sent = traces[-1].dense()[:, :90].astype(np.int64)
    assert (250 * sent.sum(axis=1)).max() > 2**31


@pytest.mark.lava
def test_a_session_in_lava_goes_on_with_messages_on_their_way():
    network = crowd()
    whole = hl.simulate(network, None, 25, "native", PROBES)
    with hl.Session(network, backend="lava") as session:
        parts = [session.run(None, length, probes=("v",)) for length in (7, 18)]
    assert np.vstack([part.v for part in parts]).tolist() == whole.v.tolist()
    assert np.concatenate([part.payloads for part in parts]).tolist() == whole.payloads.tolist()


@pytest.mark.lava
def test_a_process_comes_back_as_it_was_written():
    """`from_lava` of a graph with several spikes and room for their number."""
    from lava.proc.dense.process import Dense

    from hrsnn_lava.processes import HeterogeneousLIF

    one = HeterogeneousLIF(shape=(2,), vth=3, bias_mant=500, bias_exp=2, reset="subtract_all")
    two = HeterogeneousLIF(shape=(2,), vth=3, reset="zero")
    wires = Dense(weights=np.array([[4, 2], [0, 6]]), num_message_bits=12)
    one.s_out.connect(wires.s_in)
    wires.a_out.connect(two.a_in)
    network, _, _ = hl.from_lava(one, steps=10)
    assert [p.reset for p in network.compute_populations] == ["subtract_all", "zero"]
    assert network.projections[0].num_message_bits == SPIKE_COUNT_BITS  # no limit in Lava
    # Lava's Dense wraps a sum to 32 bits before it is shifted to the right: 43,690 spikes a neuron
    for size, fine in ((2, True), (400, False)):
        one = HeterogeneousLIF(shape=(size,), vth=3, reset="subtract_all")
        two = HeterogeneousLIF(shape=(1,), vth=3)
        weights = np.full((1, size), 254)
        wires = Dense(weights=weights, num_message_bits=24, weight_exp=-1)
        one.s_out.connect(wires.s_in)
        wires.a_out.connect(two.a_in)
        if fine:
            hl.from_lava(one, steps=2)
        else:
            with pytest.raises(SpecError, match="sums of payloads up to 4438904000"):
                hl.from_lava(one, steps=2)
    with pytest.raises(ValueError, match="vth: 0 with reset 'subtract_all'"):
        HeterogeneousLIF(shape=(1,), vth=0, reset="subtract_all")


@pytest.mark.parametrize(("first", "second"), [("reference", "native"), ("native", "reference")])
def test_states_go_from_engine_to_engine_with_payloads_on_their_way(first, second):
    network = crowd()
    whole = hl.simulate(network, None, 40, first, PROBES)
    session = hl.Session(network, backend=first)
    session.run(None, 17)
    state = session.state()
    assert state.arrays["sent/value"].max() > 1
    other = hl.Session(network, backend=second)
    other.restore(type(state).from_artifact(state.to_artifact()))
    rest = other.run(None, 23, probes=("v",))
    np.testing.assert_array_equal(rest.v, whole.v[17:])
    np.testing.assert_array_equal(rest.payloads, whole.payloads[whole.spike_steps >= 17])
    for wrong in (0, -1, 131072):
        values = np.where(state.arrays["sent/value"] > 0, wrong, 0).astype(np.int32)
        altered = replace(state, arrays={**state.arrays, "sent/value": values})
        with pytest.raises(ArtifactError, match="what a neuron can send, never 0"):
            other.restore(altered)
    one = hl.Session(network.with_resets({"a": "subtract"}))
    one.run(None, 17)
    plain = one.state()
    twice = {**plain.arrays, "sent/value": 2 * plain.arrays["sent/value"]}
    with pytest.raises(ArtifactError, match="1 of a neuron, never 0"):
        one.restore(replace(plain, arrays=twice))


def test_runs_in_stretches_and_recordings_keep_the_payloads(tmp_path, monkeypatch):
    network = crowd()
    whole = hl.simulate(network, None, 60)
    monkeypatch.setattr("hrsnn_lava.sim_backends.runs.session.STRETCH_VALUES", 400)
    parts = hl.simulate(network, None, 60)
    hl.record(network, None, 60, tmp_path / "t.npz")
    (read, batch) = hl.Trace.load(tmp_path / "t.npz"), list(hl.simulate_batch([network], steps=60))
    whole.save(tmp_path / "whole.npz")
    for trace in (parts, read, *batch, hl.Trace.load(tmp_path / "whole.npz")):
        assert compare(whole, trace, ("whole", "other")) == (0, None)
        np.testing.assert_array_equal(trace.payloads, whole.payloads)
    again = list(Recording.open(tmp_path / "t.npz").pieces())
    assert again[0].payloads.tolist() == whole.payloads.tolist()
    data = np.load(tmp_path / "t.npz")
    assert data["payloads"].tolist() == whole.payloads.tolist()
    plain = hl.simulate(network.with_resets({"a": "subtract"}), None, 60)
    assert plain.payloads is None
    assert "payloads" not in plain.to_artifact().arrays


def test_another_number_of_spikes_is_a_difference():
    trace = hl.simulate(pair(), sending(25, 0, 30), 9)
    other = replace(trace, payloads=trace.payloads + np.array([0, 1], dtype=np.int32))
    assert compare(trace, other, ("one", "two")) == (
        1,
        "step 3, neuron 0: 3 spikes in one, 4 in two",
    )
    less = replace(other, spike_steps=[1], spike_neurons=[0], payloads=[5])
    assert compare(trace, less, ("one", "two"))[0] == 2


@pytest.mark.parametrize(
    ("payloads", "words"),
    [([1], "payloads: shape"), ([1, 0], ">= 1"), ([1, 2.5], "payloads"), ([1, 2**31], "payloads")],
)
def test_traces_refuse_payloads_that_are_none(payloads, words):
    with pytest.raises(SpecError, match=words):
        hl.Trace([0, 1], [0, 0], 3, 1, payloads=payloads)


def test_payloads_are_sorted_with_their_messages():
    trace = hl.Trace([2, 0, 2], [1, 0, 0], 3, 2, payloads=[7, 8, 9])
    assert trace.payloads.tolist() == [8, 9, 7]
    assert trace.dense().tolist() == [[8, 0], [0, 0], [9, 7]]


def test_what_a_message_costs():
    """One message, and a product for each of its synapses, however many spikes it is."""
    network = crowd()
    trace = hl.simulate(network, None, 40)
    acting = network.projections[0].effective_weights().toarray() != 0
    fan_out = acting.sum(axis=0)
    ops = synaptic_operations(network, trace)
    assert ops.total == 0
    assert ops.macs == fan_out[trace.spike_neurons].sum()
    compiled = hl.compile(network, "loihi2")
    report = hl.report(compiled, hl.simulate(compiled, None, 40)).to_dict()
    assert report["activity"]["spikes"] == trace.n_spikes
    assert report["sop"]["macs"] == ops.macs
    # NeuroBench takes a step in which all are single spikes for additions
    figures = neurobench(network, ops, trace=trace)["SynapticOperations"]
    sizes = trace.dense()
    additions = (sizes[sizes.max(axis=1) == 1] * fan_out).sum()
    assert figures["Effective_ACs"] == additions
    assert figures["Effective_MACs"] == ops.macs - additions


def test_projections_say_how_many_bits_a_message_has():
    """2^23 - 1 holds 640 at most 13,107 times: 14 bits."""
    network = pair()
    for bits, fine in ((0, False), (13, False), (14, True), (32, True)):
        onto = replace(network.projection("a_b"), num_message_bits=bits)
        changed = network.with_projection(onto)
        if fine:
            assert changed.verify() is changed
            continue
        with pytest.raises(NetworkError) as caught:
            changed.verify()
        (problem,) = caught.value.problems
        assert problem.where == "projection 'a_b'.num_message_bits"
        assert problem.measured == f"{bits}, from 'a', which sends up to 13107 spikes in a step"
        assert problem.allowed == "14..32"
    with pytest.raises(NetworkError, match="vth: 0 at neuron 0, with reset 'subtract_all'"):
        pair(vth=0).verify()


def test_other_resets_give_room_and_take_it():
    network = pair()
    one = network.with_resets({"a": "subtract"})
    assert one.projection("a_b").num_message_bits == 0
    assert one.projection("x_a").num_message_bits == 32
    again = one.verify().with_resets({"a": "subtract_all", "b": "zero"})
    assert again.projection("a_b").num_message_bits == SPIKE_COUNT_BITS
    assert again.digest == network.digest
    # no digest of a network without them has changed: nothing of them is in its file
    assert "subtract" not in str(network.with_resets({"a": "zero"}).to_artifact().meta)


def lif_network(reset="subtract_all", plasticity=None, **fields):
    """Two populations in floats, the first of which may send several spikes in a step."""
    lif = hl.LIF(**({"tau_mem": 0.02, "tau_syn": 0.0, "bias": 1.5, "reset": reset} | fields))
    rng = np.random.default_rng(1)
    return hl.Network(
        1e-3,
        (
            hl.Population("x", 3, hl.Input()),
            hl.Population("a", 4, lif),
            hl.Population("b", 2, hl.LIF(0.01)),
        ),
        (
            hl.Projection("x_a", "x", "a", 90.0 * rng.random((4, 3))),
            hl.Projection("a_b", "a", "b", 3.0 * rng.random((2, 4)), plasticity=plasticity),
        ),
    )


def test_whoever_does_not_read_their_number_is_refused_by_name():
    network = lif_network()
    integers = hl.quantize(network)
    for make in (
        lambda: FloatSimulator(network),
        lambda: PlasticSimulator(network),
        lambda: IntegerSimulator(integers),
    ):
        with pytest.raises(SpecError) as caught:
            make()
        (problem,) = caught.value.problems
        assert problem.where == "population 'a'.reset"
        assert problem.measured == "'subtract_all': several spikes in a step"
        assert "'subtract'" in problem.fix
    assert FloatSimulator(network, several=True).n_neurons == 6
    assert FloatSimulator(lif_network("subtract")).sent is None


@pytest.mark.parametrize("end", ["pre", "post"])
def test_learning_is_refused_by_name(end):
    network = lif_network(plasticity=hl.STDP(0.1, 0.1))
    if end == "post":
        network = lif_network()
        onto = replace(network.projection("x_a"), plasticity=hl.STDP(0.1, 0.1))
        network = network.with_projection(onto)
    with pytest.raises(NetworkError, match=f"plasticity: {end} 'a' has reset 'subtract_all'"):
        network.verify()
    rule = hl.quantize(
        replace(
            lif_network("zero"),
            projections=tuple(
                replace(p, plasticity=hl.STDP(0.1, 0.1)) for p in lif_network("zero").projections
            ),
        )
    )
    with pytest.raises(NetworkError, match=r"\.learning: (pre|post) 'a' has reset 'subtract_all'"):
        rule.with_resets({"a": "subtract_all"}).verify()


def test_spikes_without_end_are_no_number():
    """Each brings on ten more: beyond all floats in some hundred steps, and told."""
    lif = hl.LIF(tau_mem=np.inf, tau_syn=0.0, bias=1.0, reset="subtract_all")
    loop = hl.Projection("a_a", "a", "a", np.array([[10.0]]))
    network = hl.Network(1e-3, (hl.Population("a", 1, lif),), (loop,))
    simulator = FloatSimulator(network, several=True)
    nothing = hl.SpikeInput.empty(200, 0)
    simulator.run_events(nothing)
    assert simulator.sent.max() > 1e180
    with pytest.raises(SpecError, match="beyond all floats within 400 steps"):
        simulator.run_events(nothing)


@pytest.mark.lava
def test_floats_in_live_lava_send_payloads():
    network = lif_network()
    inputs = hl.SpikeInput.from_dense(np.random.default_rng(3).random((50, 3)) < 0.3)
    simulator = FloatSimulator(network, several=True)
    at, who = simulator.run_events(inputs)
    trace = LavaBackend(runtime="threads").run(network, inputs, 50, ("spikes",))
    assert (trace.spike_steps.tolist(), trace.spike_neurons.tolist()) == (at.tolist(), who.tolist())
    assert trace.payloads.tolist() == simulator.sent.tolist()
    assert trace.payloads.max() > 2
