"""The edges of the integer state, on every engine, as literals from Lava 0.10's definition.

With the sum of the synapses a, everything int32 (Lava `proc/lif/models.py`)::

    d = toward_zero(u (4095 - du) / 4096) + (a << 6)
    w = d - 2^24 if d > 2^23 else d             u = d + 2^24 if w <= -2^23 else w
    v = clip(toward_zero(v (4096 - dv) / 4096) + u + (bias_mant << bias_exp), +-(2^23 - 1))
    spike if v > vth << 6, and then v = 0

so that u is in -2^23 + 1 .. 2^23 for one wrap, and beyond it for what one wrap does not bring back.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import Learning, pair_stdp

ENGINES = (
    "reference",
    "native",
    "session",
    pytest.param("lava", marks=pytest.mark.lava),
    pytest.param("lava-stock", marks=pytest.mark.lava),
)
everywhere = pytest.mark.parametrize("engine", ENGINES)
TOP = 8388608  # 2^23


def run(engine, network, inputs, steps):
    """A trace with v and u; `session` is the native engine in pieces of one, two, three steps."""
    if engine != "session":
        return hl.simulate(network, inputs, steps, engine, probes=("spikes", "v", "u"))
    session, pieces, first, length = hl.Session(network), [], 0, 1
    while first < steps:
        length = min(length, steps - first)
        inside = (inputs.steps >= first) & (inputs.steps < first + length)
        sent = None if inputs.payloads is None else inputs.payloads[inside]
        at, who = inputs.steps[inside] - first, inputs.neurons[inside]
        part = hl.SpikeInput(at, who, length, inputs.n_neurons, sent)
        pieces.append((first, session.run(part, length, probes=("v", "u"))))
        first, length = first + length, length % 3 + 1
    return hl.Trace(
        np.concatenate([p.spike_steps + first for first, p in pieces]),
        np.concatenate([p.spike_neurons for _, p in pieces]),
        steps,
        network.n_neurons,
        np.vstack([p.v for _, p in pieces]),
        np.vstack([p.u for _, p in pieces]),
    )


def neurons(size, **fields):
    """A population: one step of memory for u by half, none for v, the largest threshold."""
    return hl.QuantizedPopulation("a", size, **({"du": 2047, "dv": 4096, "vth": 131071} | fields))


def one_channel_each(population):
    """Every neuron hears its own channel: what is sent is the sum a."""
    size = population.size
    projection = hl.QuantizedProjection(
        "p", "x", "a", sparse.identity(size), 0, "excitatory", num_message_bits=32
    )
    return hl.QuantizedNetwork((hl.QuantizedInput("x", size, 1.0), population), (projection,))


def events(rows, steps, channels):
    """From rows of (step, channel, payload)."""
    at, who, sent = np.array(rows).T
    return hl.SpikeInput(at, who, steps, channels, sent)


#: (sent at step 0, sent at step 6), u in step 7, u in step 8, v in step 7. What comes first is
#: 64, 32, .. 2 in steps 1..6 and adds 1 in step 7; 131072 << 6 is 2^23.
CURRENTS = [
    ((-1, 131072), 8388607, 4194303, "spike"),  # d = 2^23 - 1
    ((0, 131072), 8388608, 4194304, "spike"),  # d = 2^23 does not wrap
    ((1, 131072), -8388607, -4194303, -8388607),  # d = 2^23 + 1 does
    ((1, -131072), -8388607, -4194303, -8388607),  # d = -2^23 + 1 does not
    ((0, -131072), 8388608, 4194304, "spike"),  # d = -2^23 does
    ((-1, -131072), 8388607, 4194303, "spike"),  # d = -2^23 - 1
    ((0, 131071), 8388544, 4194272, 8388544),  # v = vth << 6 is no spike
    ((0, -131071), -8388544, -4194272, -8388544),
    # twice 2^23, beyond one wrap: 2^25 - 2^24 stays, its half 2^23 as well
    ((0, 524288), 16777216, 8388608, "spike"),
    # -2^25 + 2^24 stays, its half -2^23 wraps to 2^23
    ((0, -524288), -16777216, 8388608, -8388607),
    # 2^31 is -2^31 in int32; + 2^24; then half of it, + 2^24 again
    ((0, 33554432), -2130706432, -1048576000, -8388607),
    ((0, 33554431), 2130706368, 1048575968, "spike"),  # 2^31 - 64 - 2^24; half of it - 2^24
]


@everywhere
def test_the_current_at_the_edge_of_24_bits(engine):
    size = len(CURRENTS)
    sent = [(at, k, c[0][at > 0]) for k, c in enumerate(CURRENTS) for at in (0, 6) if c[0][at > 0]]
    trace = run(engine, one_channel_each(neurons(size)), events(sent, 9, size), 9)
    for k, ((first, _), u, after, v) in enumerate(CURRENTS):
        before = [first * x for x in (0, 64, 32, 16, 8, 4, 2)]
        assert trace.u[:, k].tolist() == [*before, u, after], CURRENTS[k]
        assert trace.v[:7, k].tolist() == before
        assert trace.v[7, k] == (0 if v == "spike" else v), CURRENTS[k]
        fired = trace.spike_steps[trace.spike_neurons == k].tolist()
        # u = 2^23 in step 8 fires as well, and so does all above
        assert fired == [7] * (v == "spike") + [8] * (after >= TOP), CURRENTS[k]


@everywhere
def test_eight_binary_synapses_reach_the_edge(engine):
    """8 x (128 << 7) << 6 = 2^23, 8 x -(128 << 7) << 6 = -2^23, which wraps to 2^23; 7 do not.

    A weight of 126 in place of one 128 is 2 x 128 x 64 = 16384 less.
    """
    weights = np.full((5, 8), 128)
    weights[1] = -128
    weights[2, 7] = weights[3, 7] = 0
    weights[3] *= -1
    weights[4, 7] = 126
    projection = hl.QuantizedProjection("p", "x", "a", weights, 7)
    network = hl.QuantizedNetwork((hl.QuantizedInput("x", 8), neurons(5)), (projection,))
    inputs = hl.SpikeInput([0] * 8, range(8), 3, 8)
    trace = run(engine, network, inputs, 3)
    assert trace.u[1].tolist() == [8388608, 8388608, 7340032, -7340032, 8372224]
    assert trace.u[2].tolist() == [4194304, 4194304, 3670016, -3670016, 4186112]
    assert trace.v[1].tolist() == [0, 0, 7340032, -7340032, 8372224]
    assert trace.spike_neurons.tolist() == [0, 1]
    assert trace.spike_steps.tolist() == [1, 1]


#: (a, bias mantissa): v in the step in which a arrives, and in the next one; u is -+(2^23 - 64).
POTENTIALS = [
    ((-131071, -62), -8388606, -62),
    ((-131071, -63), -8388607, -63),  # just the least there is
    ((-131071, -64), -8388607, -64),  # -2^23 is clipped
    ((-131071, -4096), -8388607, -4096),
    ((-131071, 4095), -8384449, 4095),
    ((131071, 0), 8388544, 0),  # the threshold itself
    ((131071, -1), 8388543, -1),
    ((131071, 1), "spike", 1),
    ((131071, 63), "spike", 63),  # 2^23 - 1, the largest there is
    ((131071, 4095), "spike", 4095),
]


@everywhere
def test_the_potential_at_its_ends(engine):
    size = len(POTENTIALS)
    biases = [bias for (_, bias), _, _ in POTENTIALS]
    population = neurons(size, du=4095, bias_mant=biases)
    sent = [(0, k, a) for k, ((a, _), _, _) in enumerate(POTENTIALS)]
    trace = run(engine, one_channel_each(population), events(sent, 3, size), 3)
    assert trace.v[0].tolist() == biases
    assert trace.v[1].tolist() == [0 if v == "spike" else v for _, v, _ in POTENTIALS]
    assert trace.v[2].tolist() == [after for _, _, after in POTENTIALS]
    fired = [k for k, (_, v, _) in enumerate(POTENTIALS) if v == "spike"]
    assert trace.spike_neurons.tolist() == fired
    assert set(trace.spike_steps.tolist()) == {1}


@everywhere
def test_a_saturated_potential_forgets_how_far_below_it_was(engine):
    """Without a leak: -(2^23 - 64) twice is clipped, 64 more leads up from there."""
    population = neurons(1, du=4095, dv=0)
    sent = [(0, 0, -131071), (1, 0, -131071), (2, 0, 1), (3, 0, 131071), (4, 0, 131071)]
    trace = run(engine, one_channel_each(population), events(sent, 7, 1), 7)
    assert trace.v[:, 0].tolist() == [0, -8388544, -8388607, -8388543, 1, 0, 0]
    assert trace.spike_steps.tolist() == [5]


@everywhere
def test_decays_at_the_ends_of_their_range(engine):
    """du = -1 and dv = 0 keep all, du = 4095 and dv = 4096 nothing; 1/4096 less rounds to zero."""
    du, dv = [-1, 4095, 0, 4094, 4095, 4095], [4096, 4096, 4096, 4096, 0, 1]
    population = neurons(6, du=du, dv=dv)
    sent = [(0, k, -131071) for k in range(6)]
    trace = run(engine, one_channel_each(population), events(sent, 4, 6), 4)
    # 8388544 x 4095 / 4096 = 8386496.02, then 8384448.53; 8388544 / 4096 = 2047.98, then 0.4998
    assert trace.u[1:].tolist() == [
        [-8388544] * 6,
        [-8388544, 0, -8386496, -2047, 0, 0],
        [-8388544, 0, -8384448, 0, 0, 0],
    ]
    assert trace.v[2].tolist() == [-8388544, 0, -8386496, -2047, -8388544, -8386496]
    assert trace.v[3].tolist() == [-8388544, 0, -8384448, 0, -8388544, -8384448]


#: (weight, exponent, payload) and what arrives: the sum in 32 bits, then shifted. Without the wrap
#: the first would be (254 (2^31 - 1)) >> 7 = 4261412862.
LARGE_SUMS = [
    ((254, -7, 2**31 - 1), -2),  # 127 2^32 - 254, so -254 >> 7
    ((254, -7, -(2**31)), 0),  # a multiple of 2^32
    ((3, -7, 2**30), -8388608),  # 3 2^30 wraps to -2^30
    ((1, -7, 2**31 - 1), 16777215),  # fits: 2^24 - 1
    ((-1, -1, -(2**31)), -(2**30)),  # 2^31 wraps to -2^31
    ((2, -3, 2**30), -(2**28)),  # as above, of a power of two
    ((130, 0, 2**30), -(2**31)),  # 130 2^30 = 32 2^32 + 2^31
    ((3, 7, 2**23), -(2**30)),  # 3 2^30; a shift up wraps alike before and after
]


def u_of(arriving):
    """What a sum makes of a current at rest, in 32 bits and one turn at most."""
    d = (arriving * 64 + 2**31) % 2**32 - 2**31
    wrapped = d - 2**24 if d > TOP else d
    return d + 2**24 if wrapped <= -TOP else wrapped


@pytest.mark.parametrize("delays", [None, 2])
@everywhere
def test_sums_of_payloads_wrap_before_they_are_shifted_down(engine, delays):
    for (weight, exponent, payload), arriving in LARGE_SUMS:
        sign = "excitatory" if weight > 0 else "inhibitory"
        projection = hl.QuantizedProjection(
            "p", "x", "a", [[weight]], exponent, sign, num_message_bits=32, delays=delays
        )
        populations = (hl.QuantizedInput("x", 1, 1.0), neurons(1, du=4095))
        network = hl.QuantizedNetwork(populations, (projection,))
        trace = run(engine, network, events([(0, 0, payload)], 5, 1), 5)
        expected = [0] * 5
        expected[1 + (delays or 0)] = u_of(arriving)
        assert trace.u[:, 0].tolist() == expected, (weight, exponent, payload)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_sum_that_wraps_before_its_shift_is_a_loss(engine):
    """-2 arrives, which wraps nothing, where 4261412862 should have."""
    rule = pair_stdp((1, 0), (1, 0), 10, 20)
    for learning in (None, Learning((rule,))):
        projection = hl.QuantizedProjection(
            "p", "x", "a", [[254]], -7, "excitatory", num_message_bits=32, learning=learning
        )
        populations = (hl.QuantizedInput("x", 1, 1.0), neurons(1, du=4095))
        network = hl.QuantizedNetwork(populations, (projection,))
        sent = events([(0, 0, 2**31 - 1), (1, 0, 2**20)], 4, 1)
        trace = run(engine, network, sent, 4)
        assert trace.u[1:3, 0].tolist() == [-128, u_of((254 << 20) >> 7)]
        assert trace.wraps.tolist() == [2 if abs((254 << 20) >> 7) * 64 > TOP else 1]


@everywhere
def test_a_binary_projection_of_negative_exponent_takes_no_payload(engine):
    """Sums of weights, shifted down once: 6 >> 2 = 1, -6 >> 2 = -2, (6 + 6) >> 2 = 3.

    A payload of any size or sign is one spike, and one of 0 is none.
    """
    weights = np.array([[6, 6, 0], [-6, 0, 6], [2, 0, -2]])
    projection = hl.QuantizedProjection("p", "x", "a", weights, -2)
    population = neurons(3, du=4095)
    network = hl.QuantizedNetwork((hl.QuantizedInput("x", 3, 1.0), population), (projection,))
    sent = [(0, 0, 1), (1, 0, 1000), (2, 0, -3), (3, 0, 0), (4, 0, 7), (4, 1, 9), (5, 0, 5)]
    sent += [(5, 2, 5), (6, 2, -5)]
    trace = run(engine, network, events(sent, 8, 3), 8)
    assert trace.u.tolist() == [
        [0, 0, 0],
        [64, -128, 0],
        [64, -128, 0],
        [64, -128, 0],
        [0, 0, 0],
        [192, -128, 0],
        [64, 0, 0],  # (-6 + 6) >> 2 = 0 where -2 + 1 = -1, (2 - 2) >> 2 = 0 where 0 - 1 = -1
        [0, 64, -64],
    ]


@everywhere
def test_a_graded_projection_of_negative_exponent_rounds_the_sum_down(engine):
    """(3 x 5) >> 2 = 3, (3 x -5) >> 2 = -4, (3 x 5 - 3 x 4) >> 2 = 0, at the least exponent -7."""
    projections = [
        hl.QuantizedProjection(name, "x", "a", weights, exponent, "excitatory", num_message_bits=24)
        for name, weights, exponent in (
            ("p", np.array([[3, 3], [0, 0]]), -2),
            ("q", np.array([[0, 0], [127, 1]]), -7),
        )
    ]
    network = hl.QuantizedNetwork(
        (hl.QuantizedInput("x", 2, 1.0), neurons(2, du=4095)), tuple(projections)
    )
    sent = [(0, 0, 5), (1, 0, -5), (2, 0, 5), (2, 1, -4), (3, 0, 1), (3, 1, 1), (4, 1, -1)]
    trace = run(engine, network, events(sent, 6, 2), 6)
    # 635, -635, 631, 128 and -1, each >> 7: 4, -5, 4, 1, -1; 3 + 3 = 6 >> 2 = 1, -3 >> 2 = -1
    assert trace.u.tolist() == [[0, 0], [192, 256], [-256, -320], [0, 256], [64, 64], [-64, -64]]


@everywhere
def test_delays_of_nothing_and_of_62_steps(engine):
    """A spike of step t acts in step t + 1 + delay; what comes at one time is added up."""
    weights = np.array([[10, 20, 0], [4, 0, -6], [-2, -2, 0]])
    delays = np.array([[0, 62, 0], [62, 0, 61], [1, 0, 0]])
    projection = hl.QuantizedProjection("p", "x", "a", weights, 0, delays=sparse.csr_matrix(delays))
    floored = hl.QuantizedProjection(
        "q", "x", "b", weights[2:], -2, delays=sparse.csr_matrix(delays[2:])
    )
    population = neurons(3, du=4095)
    other = hl.QuantizedPopulation("b", 1, du=4095, dv=4096, vth=131071)
    network = hl.QuantizedNetwork(
        (hl.QuantizedInput("x", 3), population, other), (projection, floored)
    )
    inputs = hl.SpikeInput([0, 1, 1, 62, 64, 64], [0, 1, 2, 0, 1, 2], 130, 3)
    trace = run(engine, network, inputs, 130)
    found = {k: {} for k in range(4)}
    for step, k in zip(*np.nonzero(trace.u), strict=True):
        found[int(k)][int(step)] = int(trace.u[step, k]) // 64
    assert found == {
        0: {1: 10, 63: 10, 64: 20, 127: 20},
        1: {63: -2, 125: 4, 126: -6},  # 4 of step 0 and -6 of step 1 meet in step 63
        2: {2: -4, 64: -2, 65: -2},  # -2 of step 0 by a delay of 1 meets -2 of step 1
        # -2 >> 2 = -1 for each delay by itself, where -4 >> 2 would be -1 in all
        3: {2: -2, 64: -1, 65: -1},
    }


@pytest.mark.parametrize("engine", ENGINES[:-1])
def test_refractory_periods_at_their_ends(engine):
    """A bias above the threshold fires in every step that is not held: every 1, 2, 64 steps."""
    population = neurons(3, du=4095, vth=0, bias_mant=1, refractory=[0, 1, 63])
    network = hl.QuantizedNetwork((population,))
    trace = run(engine, network, hl.SpikeInput.empty(130, 0), 130)
    fired = [trace.spike_steps[trace.spike_neurons == k].tolist() for k in range(3)]
    assert fired == [list(range(130)), list(range(0, 130, 2)), [0, 64, 128]]
    assert not trace.v.any()


@pytest.mark.parametrize("engine", ENGINES[:-1])
def test_the_current_goes_on_while_the_potential_is_held(engine):
    """du = 2047 halves u in every step; v is held in two steps and starts from 0 in the third."""
    population = neurons(1, dv=0, vth=16, refractory=2)
    sent = [(0, 0, 32), (2, 0, -4), (4, 0, 1)]
    trace = run(engine, one_channel_each(population), events(sent, 9, 1), 9)
    # 2048 > 1024 fires; 1024; 512 - 256; then v = 128, + 64 + 64, and half of it each step
    assert trace.u[:, 0].tolist() == [0, 2048, 1024, 256, 128, 128, 64, 32, 16]
    assert trace.v[:, 0].tolist() == [0, 0, 0, 0, 128, 256, 320, 352, 368]
    assert trace.spike_steps.tolist() == [1]


@pytest.mark.parametrize("engine", ENGINES[:-1])
def test_a_spike_in_the_first_step_after_a_refractory_period(engine):
    """Every input of 2 x 64 = 128 is above vth << 6 = 64; inputs while v is held are lost."""
    population = neurons(1, du=4095, dv=0, vth=1, refractory=3)
    sent = [(at, 0, 2) for at in (0, 1, 2, 3, 4, 9, 10)]
    trace = run(engine, one_channel_each(population), events(sent, 12, 1), 12)
    assert trace.spike_steps.tolist() == [1, 5, 10]
    assert not trace.v.any()


@everywhere
def test_the_least_threshold_is_strict(engine):
    """vth = 0: a potential of 0 or below does not fire, one of 1 does."""
    population = neurons(3, du=4095, vth=0, bias_mant=[0, 1, -1])
    trace = run(engine, hl.QuantizedNetwork((population,)), hl.SpikeInput.empty(2, 0), 2)
    assert trace.spike_neurons.tolist() == [1, 1]
    assert trace.v.tolist() == [[0, 0, -1]] * 2


@everywhere
def test_the_largest_biases(engine):
    """4095 << 7 and -4096 << 7, kept without a leak until the ends."""
    population = neurons(2, du=4095, dv=0, bias_mant=[4095, -4096], bias_exp=7)
    trace = run(engine, hl.QuantizedNetwork((population,)), hl.SpikeInput.empty(18, 0), 18)
    # 16 x 524160 = 8386560 is below 8388544, the next one above; 16 x 524288 = 2^23
    assert trace.v[:, 0].tolist() == [*(524160 * k for k in range(1, 17)), 0, 524160]
    assert trace.v[:, 1].tolist() == [*(-524288 * k for k in range(1, 16)), *[-8388607] * 3]
    assert trace.spike_steps.tolist() == [16]


@pytest.mark.lava
def test_stock_lava_has_no_refractory_period():
    network = hl.QuantizedNetwork((neurons(1, vth=0, bias_mant=1, refractory=1),))
    with pytest.raises(hl.CapacityError, match="refractory"):
        run("lava-stock", network, hl.SpikeInput.empty(3, 0), 3)
