"""Resets by subtraction on every engine: integers by hand, generated networks, states on the way.

``subtract`` takes ``vth << 6`` off v in the step of a spike, ``subtract_next`` in the next one::

    v = clip(toward_zero(v (4096 - dv) / 4096) + u + (bias << exp) - due, +-(2^23 - 1))

``subtract_all`` takes it off as often as v holds it, see `test_several_spikes`. Lava has none of
them; its Process here is `HeterogeneousLIF`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_strategies import (
    check_in_runs,
    collected,
    driven_learning_networks,
    driven_networks,
)
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.operations.activity import updates_of
from hrsnn_lava.errors import ArtifactError, CapacityError, NetworkError
from hrsnn_lava.resets import RESETS
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.runs.parity import compare

STEPS = 40
PROBES = ("spikes", "v", "u")
SUBTRACTING = ("subtract", "subtract_next", "subtract_all")
ENGINES = ("reference", "native", "session")
TOP = 2**23 - 1


def driven(reset, sent, **fields):
    """One neuron whose current is what its channel sends, and no more: u = payload << 6."""
    fields = {"du": 4095, "dv": 2048, "vth": 10, "reset": reset} | fields
    population = hl.QuantizedPopulation("a", 1, **fields)
    synapse = hl.QuantizedProjection(
        "p", "x", "a", sparse.identity(1), 0, "excitatory", num_message_bits=32
    )
    network = hl.QuantizedNetwork((hl.QuantizedInput("x", 1, 1.0), population), (synapse,))
    steps = sorted(sent)
    events = hl.SpikeInput(steps, [0] * len(steps), 12, 1, [sent[t] for t in steps])
    return network, events


def run(engine, network, inputs, steps):
    """Potentials after the steps, and the steps of spikes; `session` goes on step by step, over
    saved states."""
    if engine != "session":
        trace = hl.simulate(network, inputs, steps, engine, probes=PROBES)
        return trace.v[:, 0].tolist(), trace.spike_steps.tolist()
    session, v, spikes = hl.Session(network), [], []
    for t in range(steps):
        here = inputs.steps == t
        part = hl.SpikeInput(
            inputs.steps[here] - t, inputs.neurons[here], 1, 1, inputs.payloads[here]
        )
        trace = session.run(part, 1, probes=("v",))
        v.append(int(trace.v[0, 0]))
        spikes += [t] * trace.n_spikes
        state, session = session.state(), hl.Session(network)
        session.restore(state)
    return v, spikes


#: reset, what is sent in which step (it acts in the next), further fields, v in steps 1..5, spikes
BY_HAND = [
    # half is left a step, the threshold is 640: 25 << 6 = 1600
    ("subtract", {0: 25, 3: 3}, {}, [960, 480, 240, 312, 156], [1]),
    ("subtract_next", {0: 25, 3: 3}, {}, [1600, 160, 80, 232, 116], [1]),
    # far above the threshold: a spike a step until the potential is below it
    ("subtract", {0: 60}, {}, [3200, 960, 480, 240, 120], [1, 2]),
    ("subtract_next", {0: 60}, {}, [3840, 1280, 0, 0, 0], [1, 2]),
    # what is left meets the threshold, and does not pass it
    ("subtract", {0: 20}, {"dv": 0}, [640, 640, 640, 640, 640], [1]),
    ("subtract_next", {0: 20}, {"dv": 0}, [1280, 640, 640, 640, 640], [1]),
    # decays go toward zero before the threshold is taken off: 705 becomes 352, and -288 halves
    ("subtract", {0: 11}, {"bias_mant": 1}, [65, 33, 17, 9, 5], [1]),
    ("subtract_next", {0: 11}, {"bias_mant": 1}, [705, -287, -142, -70, -34], [1]),
    # the next input meets what is still to be taken off: 1600 / 2 - 640 + 640
    ("subtract_next", {0: 25, 1: 10}, {}, [1600, 800, -240, -120, -60], [1, 2]),
    # a threshold of 0 takes nothing off
    ("subtract", {0: 1}, {"vth": 0}, [64, 32, 16, 8, 4], [1, 2, 3, 4, 5]),
    ("subtract_next", {0: 1}, {"vth": 0}, [64, 32, 16, 8, 4], [1, 2, 3, 4, 5]),
    # clipped at the upper end, which is 63 above the largest threshold
    ("subtract", {0: 131072}, {"vth": 131071, "dv": 0}, [63, 63, 63, 63, 63], [1]),
    ("subtract_next", {0: 131072}, {"vth": 131071, "dv": 0}, [TOP, 63, 63, 63, 63], [1]),
    # inhibition, the threshold and a bias in one sum: 8388542 - 8388544 - 8384000 - 1
    (
        "subtract_next",
        {0: 131071, 1: -131071},
        {"vth": 131000, "dv": 0, "bias_mant": -1, "bias_exp": 0},
        [8388542, -8384003, -8384004, -8384005, -8384006],
        [1],
    ),
    ("subtract_next", {0: 131071, 1: -131071, 2: -131071}, {"vth": 99, "dv": 0}, None, [1]),
    # two thresholds of 640 in 1600, and two in what meets them both
    ("subtract_all", {0: 25, 3: 3}, {}, [320, 160, 80, 232, 116], [1]),
    ("subtract_all", {0: 20}, {"dv": 0}, [0, 0, 0, 0, 0], [1]),
    # one unit below the threshold is no spike, nor is anything below 0
    ("subtract_all", {0: 0}, {"dv": 0, "bias_mant": 213}, [426, 639, 212, 425, 638], [3]),
    ("subtract_all", {0: -25}, {"dv": 0}, [-1600] * 5, []),
    # the smallest threshold, 64, 131,071 times in step 1; the upper end is 63 above them
    (
        "subtract_all",
        {0: 131071},
        {"vth": 1, "dv": 0, "bias_mant": 100},
        [63, 35, 7, 43, 15],
        [0, 1, 2, 3, 4, 5],
    ),
    ("subtract_all", {0: 131072}, {"vth": 131071, "dv": 0}, [63, 63, 63, 63, 63], [1]),
    # the current wraps beyond 2^23, whatever the reset
    ("subtract", {0: 131073}, {"dv": 0}, [64 - 2**23] * 5, []),
    # the upper end on the way: the threshold is taken off what was clipped
    (
        "subtract_next",
        {0: 131071, 1: 131071},
        {"vth": 1000, "dv": 0},
        [8388544, TOP, TOP - 64000, TOP - 128000, TOP - 192000],
        [1, 2, 3, 4, 5],
    ),
    (
        "subtract",
        {0: 131071, 1: 131071},
        {"vth": 1000, "dv": 0},
        [8324544, TOP - 64000, TOP - 128000, TOP - 192000, TOP - 256000],
        [1, 2, 3, 4, 5],
    ),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("reset", "sent", "fields", "potentials", "spikes"), BY_HAND)
def test_integers_by_hand(engine, reset, sent, fields, potentials, spikes):
    v, at = run(engine, *driven(reset, sent, **fields), 6)
    if potentials is None:  # 8388544 - 8388544 - 6336, then that less 8388544: the lower end
        potentials = [8388544, -6336, -TOP, -TOP, -TOP]
    assert v[1:] == potentials
    assert at == spikes


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
def test_saturation_is_counted_where_it_loses_something():
    """Where v is clipped above and then subtracted from; a reset to zero loses nothing there."""
    sent, fields = {0: 131072}, {"vth": 131071, "dv": 0}
    for backend in ("reference", "native"):
        for reset, count in (("zero", 0), ("subtract", 1), ("subtract_next", 1)):
            network, inputs = driven(reset, sent, **fields)
            trace = hl.simulate(network, inputs, 6, backend)
            assert trace.saturations.tolist() == [count]
            kinds = [f.kind for f in trace.findings]
            assert ("potential_saturated" in kinds) == (count > 0)
    (finding,) = (f for f in trace.findings if f.kind == "potential_saturated")
    assert "an end of its range in 16.7 %" in finding.measured
    assert finding.meaning.startswith("that is 1 thresholds from 0")


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
def test_generated_networks_on_reference_and_native():
    """States, spikes, and everything that is counted; all resets fire and saturate."""
    seen = dict.fromkeys(RESETS, 0)
    clipped = 0

    def check(case):
        nonlocal clipped
        network, inputs = case
        reference, native = (
            hl.simulate(network, inputs, STEPS, b, PROBES) for b in ("reference", "native")
        )
        assert compare(reference, native, ("reference", "native")) == (0, None)
        for field in ("wraps", "saturations", "active_updates", "membrane_updates"):
            np.testing.assert_array_equal(getattr(reference, field), getattr(native, field))
        recorded = replace(reference, active_updates=None, membrane_updates=None)
        active, membrane = updates_of(network, recorded)
        np.testing.assert_array_equal(active, reference.active_updates)
        np.testing.assert_array_equal(membrane, reference.membrane_updates)
        counts = reference.counts()
        for population in network.compute_populations:
            first = network.offset(population.name)
            part = slice(first, first + population.size)
            seen[population.reset] += int(counts[part].sum())
            clipped += population.reset != "zero" and bool(reference.saturations[part].any())

    check_in_runs(check, driven_networks(STEPS, delays=True, resets=True), examples=60)
    assert min(seen.values()) > 150, seen
    assert clipped > 3


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
def test_generated_networks_that_learn():
    """Rules go by spikes alone, whatever these do to the potential."""
    learned = 0

    def check(case):
        nonlocal learned
        network, inputs = case
        reference, native = (hl.simulate(network, inputs, 30, b) for b in ("reference", "native"))
        assert compare(reference, native, ("reference", "native")) == (0, None)
        start = {p.name: p.weights.data for p in network.projections if p.learning is not None}
        learned += any(np.any(reference.weights[n] != w) for n, w in start.items())

    check_in_runs(check, driven_learning_networks(30, resets=True), examples=12, runs=3)
    assert learned > 2


@pytest.mark.lava
@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
def test_live_lava_does_the_same():
    """Those by hand, and generated ones, in one child."""
    cases = [driven(reset, sent, **fields) for reset, sent, fields, _, _ in BY_HAND]
    cases += collected(driven_networks(STEPS, resets=True), 25)
    jobs = [LavaJob(network, inputs, STEPS, PROBES) for network, inputs in cases]
    for (network, inputs), trace in zip(
        cases, LavaBackend(runtime="threads").run_many(jobs), strict=True
    ):
        assert not isinstance(trace, Exception), trace
        run = hl.simulate(network, inputs, STEPS, "native", PROBES)
        assert compare(trace, run, ("lava", "native")) == (0, None)


@pytest.mark.lava
def test_a_session_in_lava_keeps_what_is_still_to_be_taken_off():
    """Lava's own runtime, paused after the spike and before the subtraction."""
    network, inputs = driven("subtract_next", {0: 60, 4: 30})
    whole = hl.simulate(network, inputs, 8, "native", PROBES)
    with hl.Session(network, backend="lava") as session:
        parts = []
        for first, length in ((0, 2), (2, 1), (3, 5)):
            here = (inputs.steps >= first) & (inputs.steps < first + length)
            at, who = inputs.steps[here] - first, inputs.neurons[here]
            piece = hl.SpikeInput(at, who, length, 1, inputs.payloads[here])
            parts.append(session.run(piece, length, probes=("v",)).v)
    assert np.vstack(parts).tolist() == whole.v.tolist()


@pytest.mark.filterwarnings("ignore::hrsnn_lava.findings.FindingWarning")
@pytest.mark.parametrize(("first", "second"), [("reference", "native"), ("native", "reference")])
def test_states_go_from_engine_to_engine_with_a_subtraction_pending(first, second):
    rng = np.random.default_rng(3)
    weights = sparse.csr_matrix(rng.integers(-60, 61, (40, 40)))
    population = hl.QuantizedPopulation(
        "a", 40, 700, 300, 200, rng.integers(0, 2000, 40), 3, reset="subtract_next"
    )
    projection = hl.QuantizedProjection("p", "a", "a", weights)
    network = hl.QuantizedNetwork((population,), (projection,))
    whole = hl.simulate(network, None, 60, first, PROBES)
    session = hl.Session(network, backend=first)
    session.run(None, 23)
    state = session.state()
    pending = np.flatnonzero(state.arrays["waiting"])
    assert pending.tolist() == whole.spike_neurons[whole.spike_steps == 22].tolist()
    assert 0 < pending.size < 40
    other = hl.Session(network, backend=second)
    other.restore(state)
    rest = other.run(None, 37, probes=("v", "u"))
    np.testing.assert_array_equal(rest.v, whole.v[23:])
    np.testing.assert_array_equal(rest.u, whole.u[23:])
    # without it the run is another one
    forgotten = replace(state, arrays={**state.arrays, "waiting": np.zeros(40, np.int32)})
    other.restore(forgotten)
    assert np.any(other.run(None, 37, probes=("v",)).v != whole.v[23:])
    twice = replace(state, arrays={**state.arrays, "waiting": np.full(40, 2, np.int32)})
    with pytest.raises(ArtifactError, match="waiting"):
        other.restore(twice)


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_stock_lava_refuses_them(reset):
    network, inputs = driven(reset, {0: 25})
    with pytest.raises(CapacityError, match=f"reset '{reset}'.*HeterogeneousLIF"):
        hl.simulate(network, inputs, 5, backend="lava-stock")


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_no_refractory_period_beside_a_subtraction(reset):
    population = hl.QuantizedPopulation("a", 3, 0, 0, 5, refractory=[0, 2, 1], reset=reset)
    with pytest.raises(NetworkError) as caught:
        hl.QuantizedNetwork((population,)).verify()
    (problem,) = caught.value.problems
    assert problem.where == "population 'a'.refractory"
    assert problem.measured == f"2 steps at neuron 1, with reset {reset!r}"
    lif = hl.LIF(0.01, refractory=0.002, reset=reset)
    with pytest.raises(NetworkError, match=r"0\.002 s at neuron 0, with reset"):
        hl.Network(1e-3, (hl.Population("a", 2, lif),)).verify()


def test_an_unknown_reset_is_refused_by_its_name():
    for make in (
        lambda reset: hl.QuantizedPopulation("a", 1, 0, 0, 5, reset=reset),
        lambda reset: hl.Population("a", 1, hl.LIF(0.01, reset=reset)),
    ):
        for wrong in ("soft", None, 1, ["zero"]):
            with pytest.raises(NetworkError, match="zero, subtract, subtract_next"):
                make(wrong)


@pytest.mark.parametrize("reset", RESETS)
def test_files_keep_the_reset(tmp_path, reset):
    quantized, _ = driven(reset, {0: 1})
    floating = hl.Network(1e-3, (hl.Population("a", 2, hl.LIF(0.01, reset=reset)),))
    for network in (quantized, floating):
        network.save(tmp_path / "n.hlx")
        again = type(network).load(tmp_path / "n.hlx")
        assert again.population("a").reset == reset
        assert again.digest == network.digest
        entry = network.to_artifact().meta["populations"][-1]
        assert entry.get("reset") == (None if reset == "zero" else reset)
        other = network.population("a")
        lif = {"neuron": hl.LIF(0.01)} if isinstance(other, hl.Population) else {"reset": "zero"}
        plain = network.with_population(replace(other, **lif))
        assert (plain.digest == network.digest) == (reset == "zero")
