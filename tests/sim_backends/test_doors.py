"""Every way into an engine: what is wrong is refused by name, and nothing can be changed behind it.

The kernels test no index, so whatever passes here has to be right.
"""

import contextlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError, NetworkError, SpecError
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator, PlasticSimulator
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator, NativeEngine
from hrsnn_lava.sim_backends.runs.parity import verify_parity
from hrsnn_lava.sim_backends.runs.session import Session

POPULATIONS = (
    hl.QuantizedInput("i", 1),
    hl.QuantizedPopulation("a", 1, du=4095, dv=4095, vth=10),
)


def network(weight=100, **options):
    synapses = hl.QuantizedProjection("p", "i", "a", np.array([[weight]]), **options)
    return hl.QuantizedNetwork(POPULATIONS, (synapses,))


def spikes(steps=10):
    return hl.SpikeInput(np.arange(steps), np.zeros(steps, int), steps, 1)


def ways_in(path):
    """Every verb that runs something, with network, input and steps to be given."""
    return {
        "simulate": lambda n, x, s: hl.simulate(n, x, s),
        "reference": lambda n, x, s: hl.simulate(n, x, s, "reference"),
        "verify": lambda n, x, s: hl.verify(n, x, s),
        "verify_parity": lambda n, x, s: verify_parity(n, x, s, ("reference", "native")),
        "session": lambda n, x, s: Session(n).run(x, s),
        "record": lambda n, x, s: hl.record(n, x, s, path),
        "count": lambda n, x, s: hl.count(n, x, s),
        "batch": lambda n, x, s: list(hl.simulate_batch(n, [x], s)),
        "kernels": lambda n, x, s: IntegerSimulator(n).run_events(x, 0, s),
    }


WAYS = list(ways_in(None))


@pytest.fixture
def way(request, tmp_path):
    return ways_in(tmp_path / "t.npz")[request.param]


def every_way(test):
    return pytest.mark.parametrize("way", WAYS, indirect=True)(test)


@every_way
def test_a_network_that_nobody_verified(way):
    """A learning matrix of 9 x 9 on 2 neurons: its kernel would write out of bounds."""
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5)
    population = hl.QuantizedPopulation("a", 2, du=4095, dv=4096, vth=20, bias_mant=4095)
    wide = hl.QuantizedProjection("p", "a", "a", np.full((9, 9), 40), learning=rule)
    unverified = hl.QuantizedNetwork((population,), (wide,))
    with pytest.raises(NetworkError, match=r"'p'.weights: shape \(9, 9\); allowed: .*\(2, 2\)"):
        way(unverified, hl.SpikeInput.empty(9, 0), 9)


@every_way
def test_an_input_of_another_width(way):
    with pytest.raises(SpecError, match=r"2 channels; allowed: 1"):
        way(network(), hl.SpikeInput([0], [1], 10, 2), 10)


@every_way
@pytest.mark.parametrize("steps", [2.5, "10", True, -1, 2**31, np.float64(3)], ids=repr)
def test_steps_that_are_no_number_of_steps(way, steps):
    with pytest.raises(SpecError, match=r"steps: .*a whole number in 0\.\.2147483647"):
        way(network(), spikes(), steps)


@every_way
@pytest.mark.parametrize("inputs", [np.zeros((10, 1)), {"steps": 1}, "input.npz", 5], ids=repr)
def test_an_input_of_another_type(way, inputs):
    with pytest.raises(SpecError, match="SpikeInput"):
        way(network(), inputs, 10)


@every_way
@pytest.mark.parametrize("other", ["float", {}, None, "n.hlx"], ids=repr)
def test_what_is_no_integer_network(way, other):
    if other == "float":
        other = hl.Network(1e-3, (hl.Population("a", 1, hl.LIF(0.02)),))
    with pytest.raises(SpecError, match=r"compile or quantize the network first|no network"):
        way(other, spikes(), 10)


@every_way
def test_a_placement_of_other_neurons(way):
    """The cores of 3 neurons for a network of 1: counts by core would lead out of their table."""
    placed = Placement.of([0, 1, 2])
    wrong = CompiledNetwork(network(), hl.HardwareProfile.load("loihi1"), placed)
    with pytest.raises(NetworkError, match=r"core_of: 3 neurons; allowed: 1"):
        way(wrong, spikes(), 10)
    with pytest.raises(NetworkError, match="core_of"):
        hl.report(wrong)


@pytest.mark.parametrize("engine", [NativeEngine, IntegerSimulator])
def test_an_engine_that_is_opened_by_hand(engine):
    with pytest.raises(NetworkError, match="vth"):
        engine(hl.QuantizedNetwork((hl.QuantizedPopulation("a", 2, 0, 0, 2**20),)))


@pytest.mark.parametrize("simulator", [FloatSimulator, PlasticSimulator])
def test_float_networks_and_their_input(simulator):
    neurons, x = hl.Population("a", 2, hl.LIF(0.02)), hl.Population("i", 1, hl.Input())
    wrong = hl.Projection("p", "i", "a", np.ones((3, 1)))
    with pytest.raises(NetworkError, match=r"\(n_post, n_pre\) = \(2, 1\)"):
        simulator(hl.Network(1e-3, (x, neurons), (wrong,)))
    with pytest.raises((SpecError, NetworkError)):
        simulator(network())
    right = simulator(hl.Network(1e-3, (x, neurons), (replace(wrong, weights=np.ones((2, 1))),)))
    with pytest.raises(SpecError, match="2 channels"):
        right.run_events(hl.SpikeInput([0], [1], 10, 2))
    with pytest.raises(SpecError, match="SpikeInput"):
        right.run_events(np.ones((3, 1)))
    for held in (np.ones(2), np.array([np.nan])):
        with pytest.raises(SpecError, match="x: "):
            right.run(held, 3)


def test_values_that_no_payload_holds():
    simulator = IntegerSimulator(
        hl.QuantizedNetwork((replace(POPULATIONS[0], payload_scale=64.0), POPULATIONS[1]))
    )
    assert simulator.run(np.array([1.0]), 3)[0].size == 0
    for x in (np.array([1e12]), np.array([np.nan]), np.array([np.inf]), np.ones(2), "1"):
        with pytest.raises(SpecError, match="x: "):
            simulator.run(x, 3)


def test_unknown_backends_and_probes():
    for backend in (None, 5, NativeEngine):
        with pytest.raises(SpecError, match=r"backend: .*native"):
            hl.simulate(network(), spikes(), 10, backend)
    for probes in ("v", None, ("spikes", "w")):
        with pytest.raises(SpecError, match="probes: "):
            hl.simulate(network(), spikes(), 10, probes=probes)


# --- what is given stays as it was -------------------------------------------------------------


def writes(array):
    """Writes to an array, where it lets us."""
    with contextlib.suppress(ValueError):  # "assignment destination is read-only"
        array[...] = np.asarray(99).astype(array.dtype)


def test_the_caller_cannot_change_a_verified_network():
    matrix = sparse.csr_matrix(np.array([[100, 0], [0, 30]]))
    vth, delays = np.array([10, 10]), np.array([0, 1])
    neurons = hl.QuantizedPopulation("a", 2, du=4095, dv=4095, vth=vth)
    synapses = hl.QuantizedProjection("p", "i", "a", matrix, delays=delays)
    integer = hl.QuantizedNetwork((hl.QuantizedInput("i", 2), neurons), (synapses,)).verify()
    inputs = hl.SpikeInput(np.arange(5), np.arange(5) % 2, 5, 2, payloads := np.ones(5, np.int32))
    before = hl.simulate(integer, inputs, 9, probes=("v",))
    digest = integer.digest
    held = (matrix.data, matrix.indices, matrix.indptr, vth, delays, payloads)
    for array in (*held, inputs.steps, inputs.neurons, inputs.payloads):
        writes(array)
    for array in (synapses.weights.data, synapses.weights.indices, synapses.weights.indptr):
        writes(array)
    writes(synapses.delays)
    writes(neurons.vth)
    again = hl.simulate(replace(integer), inputs, 9, probes=("v",))
    assert again.spike_steps.tolist() == before.spike_steps.tolist()
    assert np.array_equal(again.v, before.v)
    assert replace(integer).digest == digest
    assert vth.tolist() == [99, 99]  # the caller's own arrays stay the caller's


def test_the_caller_cannot_change_a_float_network():
    matrix, tau = sparse.csr_matrix(np.array([[0.5, 0.0], [0.0, 0.25]])), np.array([0.01, 0.02])
    delays, a_plus, positions = np.array([0.0, 1e-3]), np.array([0.1, 0.2]), np.zeros((2, 3))
    synapses = hl.Projection("p", "a", "a", matrix, delays, hl.STDP(a_plus, 0.1))
    neurons = hl.Population("a", 2, hl.LIF(tau), positions=positions)
    net = hl.Network(1e-3, (neurons,), (synapses,)).verify()
    digest = net.digest
    parts = (matrix.data, matrix.indices, matrix.indptr, tau, delays, a_plus, positions)
    own = (synapses.weights.data, synapses.weights.indices, synapses.weights.indptr)
    own += (synapses.delays, synapses.plasticity.a_plus, neurons.positions, neurons.lif.tau_mem)
    for array in (*parts, *own):
        writes(array)
    assert replace(net).digest == digest
    assert tau.tolist() == [99, 99]


def test_a_matrix_that_changes_itself_is_found():
    """SciPy's methods give a matrix other arrays, which no flag of an array prevents."""
    integer = network().verify()
    hl.simulate(integer, spikes(), 3)
    session = Session(integer)
    integer.projections[0].weights.data = np.array([7], np.int32)
    for attempt in (
        lambda: hl.simulate(integer, spikes(), 3),
        lambda: session.run(spikes(), 3),
        lambda: integer.verify(),
        lambda: integer.save("never.hlx"),
    ):
        with pytest.raises(NetworkError, match=r"'p'.weights: the matrix was changed in place"):
            attempt()


def test_scipy_works_on_what_is_closed():
    matrix = hl.Projection("p", "a", "a", sparse.random(40, 40, 0.2, "csr", random_state=1)).weights
    dense = matrix.toarray()
    copy = matrix.copy()
    copy.data *= 2
    copy.sort_indices()
    assert np.allclose(copy.toarray(), 2 * dense)
    assert np.allclose((matrix @ np.ones(40)), dense.sum(axis=1))
    assert np.allclose((matrix.T @ matrix).toarray(), dense.T @ dense)
    assert np.allclose((matrix + matrix).toarray(), 2 * dense)
    assert np.allclose(matrix[3:7, ::2].toarray(), dense[3:7, ::2])
    assert np.allclose(matrix.tocsc().toarray(), dense)
    assert np.allclose(abs(matrix).max(), dense.max())
    assert sparse.csgraph.connected_components(matrix)[0] == 1
    value = sparse.linalg.eigs(matrix, k=1, return_eigenvectors=False)
    assert np.isclose(abs(value[0]), abs(np.linalg.eigvals(dense)).max())


def test_what_nobody_can_write_to_is_shared_and_not_copied():
    first = hl.Projection("p", "a", "a", sparse.random(40, 40, 0.2, "csr", random_state=1))
    second = replace(first, name="q")
    for name in ("data", "indices", "indptr"):
        assert np.shares_memory(getattr(first.weights, name), getattr(second.weights, name))


# --- steps ---------------------------------------------------------------------------------------


def test_the_input_says_how_many_steps(tmp_path):
    net, x = network(), spikes(100)
    assert hl.simulate(net, x).n_steps == 100
    assert hl.simulate(net, x, steps=7).n_steps == 7
    assert hl.verify(net, x).steps == 100
    assert hl.count(net, x).steps == 100
    assert hl.count(net, [spikes(30), spikes(12)]).steps == 42
    assert Session(net).run(x).n_steps == 100
    assert [t.n_steps for t in hl.simulate_batch(net, [x, spikes(5)])] == [100, 5]
    assert [t.n_steps for t in hl.simulate_batch(net, [x, spikes(5)], [None, 3])] == [100, 3]
    assert [t.n_steps for t in hl.simulate_batch(lambda k: (net, spikes(k + 1)), trials=2)] == [
        1,
        2,
    ]
    hl.record(net, x, None, tmp_path / "t.npz")
    assert hl.Trace.load(tmp_path / "t.npz").n_steps == 100
    assert hl.simulate(net).n_steps == hl.count(net).steps == hl.verify(net).steps == 1000


def test_pieces_that_are_not_there_yet_say_no_number():
    with pytest.raises(SpecError, match="say how many"):
        hl.count(network(), iter([spikes()]))


def test_a_bias_network_runs_as_long_as_its_input():
    """14 spikes in 100 steps, of which 1000 would give 142."""
    neurons = (hl.Population("i", 1, hl.Input()), hl.Population("h", 2, hl.LIF(0.02, bias=2.0)))
    synapses = (hl.Projection("p", "i", "h", np.ones((2, 1))),)
    compiled = hl.compile(hl.Network(1e-3, neurons, synapses), "loihi1")
    x = hl.SpikeInput(np.array([1]), np.array([0]), n_steps=100, n_neurons=1)
    short = hl.simulate(compiled, x)
    assert (short.n_steps, short.n_spikes) == (100, 14)
    assert hl.simulate(compiled, x, steps=100).n_spikes == 14


# --- the network of a trace ----------------------------------------------------------------------


def compiled(weight):
    return hl.compile(network(weight), "loihi1")


def test_a_trace_of_another_network_is_refused(tmp_path):
    """The one sends nine spikes, the other none, and nothing else tells them apart."""
    quiet, loud = compiled(10), compiled(200)
    trace = hl.simulate(loud, spikes(), 10)
    assert (hl.simulate(quiet, spikes(), 10).n_spikes, trace.n_spikes) == (0, 9)
    trace.save(tmp_path / "t.npz")
    hl.record(loud, spikes(), 10, tmp_path / "r.npz")
    digests = rf"{loud.network_digest[:12]}; allowed: .*{quiet.network_digest[:12]}"
    for other in (
        trace,
        hl.Trace.load(tmp_path / "t.npz"),
        hl.Trace.load(tmp_path / "r.npz"),
        Session(loud).run(spikes(), 10),
        hl.simulate(loud, spikes(), 10, "reference"),
        next(hl.simulate_batch(loud, [spikes()], 10)),
        pickle.loads(pickle.dumps(trace)),  # noqa: S301 - our own, as workers send it
    ):
        assert other.network_digest == loud.network_digest
        with pytest.raises(SpecError, match=digests):
            hl.report(quiet, other)
        assert hl.report(loud, other).to_dict()["activity"]["spikes"] == 9
    with pytest.raises(SpecError, match=digests):
        hl.report(quiet, counts=hl.count(loud, spikes()))


def test_a_network_equal_to_the_one_that_ran_will_do():
    trace = hl.simulate(compiled(200), spikes(), 10)
    assert hl.report(compiled(200), trace).to_dict()["activity"]["spikes"] == 9


def test_traces_that_say_nothing_pass():
    trace = hl.simulate(compiled(200), spikes(), 10)
    silent = replace(trace, origin=None)
    assert silent.network_digest is None
    assert hl.report(compiled(10), silent).to_dict()["activity"]["spikes"] == 9


def test_learned_weights_do_not_make_it_another_network():
    rule = hl.pair_stdp((4, 0), (1, 0), 5, 5)
    learning = network(60, learning=rule)
    trace = hl.simulate(learning, spikes(), 10)
    assert trace.weights["p"].tolist() != [60]
    assert trace.network_digest == learning.digest


def test_a_digest_that_is_none(tmp_path):
    trace = hl.simulate(network(), spikes(), 10)
    arrays = dict(trace.to_artifact().arrays)
    assert arrays["network_digest"].tobytes().hex() == network().digest
    for wrong in (np.zeros(31, np.uint8), np.zeros(32)):
        np.savez(tmp_path / "t.npz", **{**arrays, "network_digest": wrong})
        with pytest.raises(ArtifactError, match=r"network_digest: .*uint8"):
            hl.Trace.load(tmp_path / "t.npz")


# --- the unit of input spikes --------------------------------------------------------------------


def graded(scale=64.0):
    populations = (replace(POPULATIONS[0], payload_scale=scale), POPULATIONS[1])
    synapses = hl.QuantizedProjection("p", "i", "a", np.array([[4]]), num_message_bits=24)
    return hl.QuantizedNetwork(populations, (synapses,))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_plain_spike_is_one_wherever_it_arrives(engine, tmp_path):
    net, plain = graded(), spikes()
    counted = replace(plain, payloads=np.full(10, 64))
    truth = hl.simulate(net, counted, 10, engine, ("v", "u"))
    assert truth.u[1].tolist() == [4 * 64 << 6]
    trace = hl.simulate(net, plain, 10, engine, ("v", "u"))
    assert np.array_equal(trace.u, truth.u)
    assert np.array_equal(trace.v, truth.v)
    hl.record(
        net,
        [spikes(4), replace(spikes(6), payloads=np.full(6, 64))],
        10,
        tmp_path / "t.npz",
        ("v", "u"),
        backend=engine,
    )
    assert np.array_equal(hl.Trace.load(tmp_path / "t.npz").u, truth.u)
    assert IntegerSimulator(net).run_events(plain, 0, 10)[0].tolist() == truth.spike_steps.tolist()


@pytest.mark.lava
def test_lava_takes_plain_spikes_in_the_same_unit():
    from hrsnn_lava.sim_backends.lava.backend import LavaBackend

    backend = LavaBackend(runtime="threads")
    trace = backend.run(graded(), spikes(), 10, ("spikes", "v", "u"))
    assert np.array_equal(trace.u, hl.simulate(graded(), spikes(), 10, probes=("u",)).u)


def test_a_scale_that_has_no_count_for_a_spike():
    with pytest.raises(SpecError, match=r"rounds 1\.0 to 0"):
        hl.simulate(graded(0.25), spikes(), 10)


def test_float_and_integers_agree_on_the_unit():
    """A built network with spiking input: about as many spikes in float and in integers."""
    neuron = {"tau_mem": 0.02, "tau_syn": 0.005, "v_threshold": 1.0, "bias": 0.3}
    weight = {"distribution": "gamma", "shape": 2.0, "mean": 0.85}
    spec = hl.Spec.parse(
        {
            "network": {
                "size": 300,
                "connectivity": {"mean_degree": 30.0, "gain": 0.3},
                "neurons": {"excitatory": neuron, "inhibitory": neuron},
                "input": {"target": "synapse", "share": 0.3, "weight": weight},
            }
        }
    )
    net = hl.build_hrsnn(spec, seed=0, n_inputs=60)
    steps, channels = np.nonzero(np.random.default_rng(0).random((200, 60)) < 0.03)
    plain = hl.SpikeInput(steps, channels, 200, 60)
    exact = PlasticSimulator(net).run_events(plain)[0].size
    integer = hl.quantize(net)
    assert exact == 5876
    assert abs(hl.simulate(integer, plain, 200).n_spikes - exact) < 0.01 * exact
    # at four times the drive, which the declared range allows, no current wraps
    for factor in (2, 4):
        payloads = np.full(len(steps), 64 * factor)
        strong = hl.simulate(integer, hl.SpikeInput(steps, channels, 200, 60, payloads), 200)
        for p in net.projections:
            if net.population(p.pre).is_input:
                net = net.with_projection(replace(p, weights=2 * p.weights))
        exact = PlasticSimulator(net).run_events(plain)[0].size
        assert int(np.sum(strong.wraps)) == 0
        assert abs(strong.n_spikes - exact) < 0.01 * exact


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_no_weight_and_no_step_changes_on_the_way(weight, step):
    """What is accepted is what was given; the rest is refused."""
    if -(2**31) <= weight < 2**31:
        assert network(weight).verify().projections[0].weights.toarray() == weight
    else:
        with pytest.raises(NetworkError, match=str(weight)):
            network(weight)
    if step < 2**31:
        assert hl.SpikeInput([step], [0], 2**31, 1).steps.tolist() == [step]
    else:
        with pytest.raises(SpecError, match=str(step)):
            hl.SpikeInput([step], [0], 2**31, 1)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.uint64])
def test_pieces_of_arrays_of_any_width(kind):
    """A bound that the type of the steps does not hold must not wrap."""
    from hrsnn_lava.sim_backends.runs.inputs import pieces_of

    at = np.array([3, 90, 120], kind)
    parts = list(pieces_of(at, np.zeros(3, kind), 1000, 1, piece_steps=100))
    assert [part.steps.tolist() for part in parts] == [[3, 90], [20]] + [[]] * 8
    with pytest.raises(SpecError, match="steps: float64"):
        next(pieces_of(at.astype(float), np.zeros(3, int), 1000, 1))
