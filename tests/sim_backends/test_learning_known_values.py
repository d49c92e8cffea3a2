"""Known values from Lava 0.10's own unit tests of learning, with our engine.

The expected numbers stand in `tests/lava/proc/dense/test_stdp_sim.py` and `test_learning.py` of
lava-nc (fixed point). Those networks are dense and learn from weights of 0 (`plastic_zeros`).
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.learning_program import plastic_projections
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.reference.learning import ReferenceLearning
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput

BACKENDS = pytest.mark.parametrize("backend", ["reference", "native"])


def full(values):
    """A CSR matrix that stores every element, zeros too."""
    values = np.atleast_2d(values).astype(np.int32)
    rows, cols = values.shape
    indices = np.tile(np.arange(cols), rows)
    return sparse.csr_matrix(
        (values.ravel(), indices, np.arange(rows + 1) * cols), shape=values.shape
    )


def driven(name, biases):
    """Neurons without decay at threshold 10,000 that a bias drives, as in Lava's tests."""
    size = len(biases)
    # Lava's tests give mantissas beyond 13 bits; here they are split into mantissa and exponent
    exponents = [3 if bias % 8 == 0 else 0 for bias in biases]
    mantissas = [bias >> e for bias, e in zip(biases, exponents, strict=True)]
    return QuantizedPopulation(
        name, size, du=0, dv=0, vth=10000, bias_mant=mantissas, bias_exp=exponents
    )


def stdp(a_plus, a_minus, t_epoch):
    """Lava's `STDPLoihi` with learning_rate=1 and both time constants 10."""
    return LearningRule(
        dw=(
            Product("x0", a_minus, 0, (Factor("y1"),)),
            Product("y0", a_plus, 0, (Factor("x1"),)),
        ),
        x1=Trace(16, 10),
        y1=Trace(16, 10),
        t_epoch=t_epoch,
        rng_seed=0,
    )


@BACKENDS
@pytest.mark.parametrize(
    ("rule", "pre", "post", "start", "expected"),
    [
        (stdp(4, -2, 2), [25000], [20000], [[1]], [[56]]),
        (
            stdp(1, -2, 1),
            [22000, 25000, 26000],
            [20000, 23000],
            np.zeros((2, 3)),
            [[31, 2, -24], [-64, 30, 14]],
        ),
    ],
    ids=["one synapse", "six synapses"],
)
def test_stdp_between_two_populations(backend, rule, pre, post, start, expected):
    network = QuantizedNetwork(
        (driven("pre", pre), driven("post", post)),
        (
            QuantizedProjection(
                "c", "pre", "post", full(start), learning=Learning((rule,), plastic_zeros=True)
            ),
        ),
    ).verify()
    trace = simulate(network, None, 100, backend)
    np.testing.assert_array_equal(trace.weights["c"], np.ravel(expected))


def graded_network(dependency, mode):
    """One synapse of weight 10 and epochs of 4 steps; dw = dependency * x1."""
    rule = LearningRule(
        dw=(Product(dependency, 1, 0, (Factor("x1"),)),),
        x1=Trace(16, 20),
        x2=Trace(24, 5),
        t_epoch=4,
        decimate_exponent=0,
        rng_seed=0,
    )
    learning = Learning((rule,), graded_spikes=mode)
    return QuantizedNetwork(
        (
            QuantizedInput("pre", 1, payload_scale=1.0),
            QuantizedInput("kick", 1),
            QuantizedPopulation("post", 1, du=4095, dv=4096, vth=0),
        ),
        (
            QuantizedProjection(
                "c", "pre", "post", full([[10]]), num_message_bits=8, learning=learning
            ),
            QuantizedProjection("k", "kick", "post", full([[200]]), 0, "excitatory"),
        ),
    ).verify()


def payload_input(steps):
    """Payload 51 in steps 1 and 6, postsynaptic spikes in steps 2 and 7."""
    at = [step for step in (1, 6) if step < steps]
    twice = np.repeat(at, 2)
    return SpikeInput(twice, [0, 1] * len(at), steps, 2, [51, 1] * len(at))


X1_START = {"regular": 0, "overwrite": 15, "add_saturating": 115, "add_overflow": 115}
GRADED = [
    ("regular", "x0", [10, 10, 10, 26, 26]),
    ("regular", "y0", [10, 10, 10, 25, 25]),
    ("regular", "u", [10, 10, 10, 24, 24]),
    ("overwrite", "x0", [10, 10, 10, 34, 34]),
    ("overwrite", "y0", [10, 10, 10, 33, 33]),
    ("overwrite", "u", [10, 10, 10, 32, 32]),
    ("add_saturating", "x0", [10, 10, 10, 125, 125]),
    ("add_saturating", "y0", [10, 10, 10, 119, 119]),
    ("add_saturating", "u", [10, 10, 10, 114, 114]),
    ("add_overflow", "x0", [10, 10, 10, 22, 22, 22, 22, 22, 22, 22]),
    ("add_overflow", "y0", [10, 10, 10, 21, 21, 21, 21, 49, 49, 49]),
    ("add_overflow", "u", [10, 10, 10, 20, 20, 20, 20, 48, 48, 48]),
]
TRACES = {
    "regular": ([0, 0, 0, 14, 14], [0, 0, 0, 16, 16]),
    "overwrite": ([15, 26, 26, 22, 22], [0, 0, 0, 16, 16]),
    "add_saturating": ([115, 127, 127, 104, 104], [0, 0, 0, 16, 16]),
    "add_overflow": (
        [115, 14, 14, 10, 10, 10, 36, 28, 28, 28],
        [0, 0, 0, 16, 16, 16, 16, 6, 6, 6],
    ),
}


@pytest.mark.parametrize(("mode", "dependency", "weights"), GRADED)
def test_payloads_act_on_x1_as_in_lava(mode, dependency, weights):
    steps = len(weights)
    (plastic,) = plastic_projections(graded_network(dependency, mode))
    learning = ReferenceLearning(plastic, steps)
    (profile,) = learning._profiles
    profile.x[0] = X1_START[mode]
    seen = []
    for t in range(steps):
        learning.step(t, np.array([51 if t % 5 == 1 else 0]), np.array([t % 5 == 2]))
        seen.append((profile.x[0, 0], profile.x[1, 0], learning.weights[0]))
    x1, x2, learned = zip(*seen, strict=True)
    assert list(learned) == weights
    assert (list(x1), list(x2)) == TRACES[mode]


@pytest.mark.parametrize(("mode", "dependency", "weights"), GRADED)
def test_the_kernel_gives_the_same_weights(mode, dependency, weights):
    steps = len(weights)
    network, inputs = graded_network(dependency, mode), payload_input(steps)
    simulator = IntegerSimulator(network)
    simulator.learning.memory.x[0, 0] = X1_START[mode]
    starts, mantissas = np.zeros(1, np.int64), network.gather("bias_mant")[None, :]
    learned = []
    for t in range(steps):
        simulator.advance(1, Events.of(inputs, t, 1, 1), starts, mantissas)
        learned.append(int(simulator.learned()["c"][0]))
    assert learned == weights
