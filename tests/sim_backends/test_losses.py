"""Wraps of currents and saturations of potentials: counted by every engine, probed or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.sim_backends.runs.counting import recount
from hrsnn_lava.sim_backends.runs.session import Session

LIMIT = 2**23
STEPS = 30


def wild(seed):
    """A network whose currents wrap and whose potentials saturate, and an input."""
    rng = np.random.default_rng(seed)
    n, n_in = int(rng.integers(1, 12)), int(rng.integers(1, 6))
    graded = bool(rng.integers(2))
    populations = (
        hl.QuantizedInput("i", n_in, 1.0 if graded else None),
        hl.QuantizedPopulation(
            "a",
            n,
            du=rng.integers(-1, 4096, n),
            dv=rng.integers(0, 4097, n),
            vth=rng.integers(0, 2**17, n),
            bias_mant=rng.integers(-4096, 4096, n),
            bias_exp=rng.integers(0, 8, n),
            refractory=rng.integers(0, 4, n),
        ),
    )
    sign = rng.choice([-1, 1], (n, n))
    projections = (
        hl.QuantizedProjection(
            "p", "i", "a", rng.integers(-256, 256, (n, n_in)), weight_exp=int(rng.integers(-7, 8)),
            num_message_bits=32 if graded else 0,
        ),
        hl.QuantizedProjection(
            "r", "a", "a", rng.integers(1, 255, (n, n)) * sign, weight_exp=int(rng.integers(3, 8)),
            delays=rng.integers(0, 3, n * n) if rng.integers(2) else None,
        ),
    )  # fmt: skip
    steps, channels = np.nonzero(rng.random((STEPS, n_in)) < 0.4)
    top = int(2 ** rng.integers(3, 31))
    payloads = rng.integers(-top, top, steps.size) if graded else None
    inputs = hl.SpikeInput(steps, channels, STEPS, n_in, payloads)
    return hl.QuantizedNetwork(populations, projections), inputs


def by_hand(network, inputs, trace):
    """From recorded states, with all that arrives summed in whole numbers without an end."""
    n, steps = network.n_neurons, trace.n_steps
    sent = np.zeros((steps, n + network.n_inputs), dtype=object)
    sent[:] = 0
    sent[trace.spike_steps, trace.spike_neurons] = 1
    for t, c, payload in zip(inputs.steps, inputs.neurons, inputs.payload_values(), strict=True):
        sent[t, n + c] = int(payload)
    keep = 4096 - (network.gather("du").astype(object) + 1)
    wraps = np.zeros(n, dtype=np.int64)
    before = np.zeros(n, dtype=object)
    for t in range(steps):
        arriving = np.zeros(n, dtype=object)
        for projection in network.projections:
            weights = projection.effective_weights().tocoo()
            for delay in np.unique(projection.delay_steps):
                if t - 1 - delay < 0:
                    continue
                total = np.zeros(n, dtype=object)
                row = sent[t - 1 - delay]
                offset = n if projection.pre == "i" else 0
                for k in np.flatnonzero(projection.delay_steps == delay):
                    value = row[offset + weights.col[k]]
                    if not projection.num_message_bits:
                        value = int(value != 0)
                    total[weights.row[k]] += int(weights.data[k]) * value
                exponent = projection.weight_exp
                total = total * 2**exponent if exponent >= 0 else total // 2**-exponent
                arriving += total
        decayed = np.array([int(abs(p) // 4096) * (1 if p >= 0 else -1) for p in before * keep])
        wraps += (trace.u[t] != decayed + 64 * arriving).astype(np.int64)
        before = trace.u[t].astype(object)
    return wraps, (trace.v == 1 - LIMIT).sum(axis=0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_both_engines_count_as_by_hand(seed):
    network, inputs = wild(seed)
    probed = hl.simulate(network, inputs, STEPS, "reference", ("u", "v"))
    wraps, saturations = by_hand(network, inputs, probed)
    for backend in ("reference", "native"):
        trace = hl.simulate(network, inputs, STEPS, backend)  # nothing probed
        np.testing.assert_array_equal(trace.wraps, wraps)
        np.testing.assert_array_equal(trace.saturations, saturations)


def test_the_networks_reach_both_ends():
    traces = [hl.simulate(*wild(seed), STEPS) for seed in range(20)]
    assert sum(int(trace.wraps.sum()) for trace in traces) > 100
    assert sum(int(trace.saturations.sum()) for trace in traces) > 100


@pytest.mark.parametrize("payload", [2**20, 2**24, 2**26, 2**30, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("exponent", [-3, 0, 5])
@pytest.mark.parametrize("learning", [False, True])
def test_a_sum_beyond_32_bits_is_a_wrap(payload, exponent, learning):
    """64 times 2^26 is 2^32, which is 0 in 32 bits: u is 0, and should be 2^38."""
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5) if learning else None
    populations = (
        hl.QuantizedInput("i", 2, 64.0),
        hl.QuantizedPopulation("a", 2, du=4095, dv=4096, vth=2**17 - 1),
    )
    synapses = hl.QuantizedProjection(
        "p",
        "i",
        "a",
        np.array([[64, 64], [0, 0]]),
        exponent,
        "excitatory",
        num_message_bits=32,
        learning=rule and hl.Learning((rule,), graded_spikes="add_saturating"),
    )
    network = hl.QuantizedNetwork(populations, (synapses,))
    inputs = hl.SpikeInput([0, 3], [0, 1], 8, 2, [payload, 1])
    for backend in ("native", "reference"):
        assert hl.simulate(network, inputs, backend=backend).wraps.tolist() == [1, 0]
        session = Session(network, backend=backend)  # the payload is on its way between two runs
        pieces = [session.run(hl.SpikeInput([0], [0], 1, 2, [payload]))]
        pieces += [session.run(None, 1) for _ in range(3)]
        assert [piece.wraps[0] for piece in pieces] == [0, 1, 0, 0]


def test_spikes_alone_beyond_32_bits():
    """Weights that learn may be 2^15 before the first epoch: 600 of them at exponent 7."""
    n = 600
    populations = (hl.QuantizedInput("i", n), hl.QuantizedPopulation("a", 1, 4095, 4096, 2**17 - 1))
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5)
    sums = []
    for first in (2**15 - 2, 2**14):
        weights = np.full((1, n), first)
        weights[0, 512:] = 0
        synapses = hl.QuantizedProjection("p", "i", "a", weights, 7, "excitatory", learning=rule)
        network = hl.QuantizedNetwork(populations, (synapses,))
        inputs = hl.SpikeInput(np.zeros(n, int), np.arange(n), 4, n)
        traces = [hl.simulate(network, inputs, backend=b) for b in ("native", "reference")]
        sums += [trace.wraps.tolist() for trace in traces]
    assert sums == [[1]] * 4


@pytest.mark.lava
def test_lava_counts_too():
    for seed in (1, 7):
        network, inputs = wild(seed)
        expected, trace = (hl.simulate(network, inputs, STEPS, b) for b in ("native", "lava"))
        np.testing.assert_array_equal(trace.wraps, expected.wraps)
        np.testing.assert_array_equal(trace.saturations, expected.saturations)
        assert expected.wraps.any() or expected.saturations.any()


def test_parts_of_a_run_add_up(tmp_path):
    network, inputs = wild(7)
    whole = hl.simulate(network, inputs, STEPS)
    assert whole.wraps.any()
    session = Session(network)
    parts = [session.run(inputs, STEPS), session.run(None, 0)]
    np.testing.assert_array_equal(sum(p.wraps for p in parts), whole.wraps)
    hl.record(network, inputs, STEPS, tmp_path / "t.npz")
    stored = hl.Trace.load(tmp_path / "t.npz")
    np.testing.assert_array_equal(stored.wraps, whole.wraps)
    np.testing.assert_array_equal(stored.saturations, whole.saturations)
    counts = hl.count(network, inputs, STEPS)
    np.testing.assert_array_equal(counts.done.wraps_of, whole.wraps)
    np.testing.assert_array_equal(counts.done.saturations_of, whole.saturations)
    whole.save(tmp_path / "w.npz")
    np.testing.assert_array_equal(hl.Trace.load(tmp_path / "w.npz").wraps, whole.wraps)


def test_a_trace_without_counts_is_run_again():
    network, inputs = wild(7)
    whole = hl.simulate(network, inputs, STEPS)
    bare = hl.Trace(whole.spike_steps, whole.spike_neurons, STEPS, whole.n_neurons, inputs=inputs)
    assert bare.wraps is None
    np.testing.assert_array_equal(recount(network, bare).wraps, whole.wraps)


def test_learning_networks_count_on_both_kernels():
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5)
    for t_epoch in (1, 2):
        learning = hl.LearningRule(**{**vars(rule), "t_epoch": t_epoch})
        population = hl.QuantizedPopulation("a", 60, du=0, dv=1, vth=20, bias_mant=4095, bias_exp=7)
        weights = np.full((60, 60), 250)
        projection = hl.QuantizedProjection(
            "p", "a", "a", weights, weight_exp=7, sign_mode="excitatory", learning=learning
        )
        network = hl.QuantizedNetwork((population,), (projection,))
        expected = hl.simulate(network, None, 30, "reference")
        assert expected.wraps.all()
        np.testing.assert_array_equal(hl.simulate(network, None, 30).wraps, expected.wraps)
