"""The cases of Lava's own unit tests of LIF, Dense, Sparse and delays, against our backends.

Expected numbers are those that Lava 0.10.0 asserts (``tests/lava/proc/{lif,dense,sparse}``, BSD-3).
No Lava is needed. Lava's time step t is step t - 1 here. Where Lava reads what a connection sends,
the current of a neuron that forgets it at once is read here: u = a_out << 6 for du = 4095.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.trace import SpikeInput

pytestmark = pytest.mark.parametrize("backend", ["reference", "native"])

HIGH = 131071  # a threshold that nothing here reaches


def neurons(n: int, **fields: Any) -> hl.QuantizedPopulation:
    return hl.QuantizedPopulation("n", n, **{"du": 0, "dv": 0, "vth": HIGH} | fields)


def run(backend: str, population: Any, steps: int, weights: Any = None, **options: Any) -> Any:
    """One population, driven by its bias alone or through `weights` by `events` (step, channel)."""
    if weights is None:
        network = hl.QuantizedNetwork((population,))
        inputs = None
    else:
        weights = np.asarray(weights)
        events = np.array(options.pop("events"))
        payloads = options.pop("payloads", None)
        n_pre = weights.shape[1]
        source = hl.QuantizedInput("in", n_pre, None if payloads is None else 1.0)
        projection = hl.QuantizedProjection("w", "in", "n", weights, **options)
        network = hl.QuantizedNetwork((source, population), (projection,))
        inputs = SpikeInput(events[:, 0], events[:, 1], steps, n_pre, payloads)
    return hl.simulate(network.verify(), inputs, steps, backend, ("spikes", "u", "v"))


def spikes(trace: Any) -> Any:
    raster = np.zeros((trace.n_steps, trace.n_neurons), dtype=int)
    raster[trace.spike_steps, trace.spike_neurons] = 1
    return raster


def test_lif_without_decay_fires_in_every_fifth_step(backend: str) -> None:
    trace = run(backend, neurons(10, vth=8, bias_mant=2, bias_exp=6), 10)
    expected = np.zeros((10, 10))
    expected[4::5] = 1  # 2 << 6 a step has to exceed 8 << 6
    np.testing.assert_array_equal(spikes(trace), expected)


def test_lif_current_halves_in_every_step(backend: str) -> None:
    # an input of 128 in Lava's first step, one step later through a synapse
    trace = run(backend, neurons(1, du=2047), 9, [[128]], events=[(0, 0)], sign_mode="excitatory")
    assert trace.u[1:, 0].tolist() == [1 << (13 - j) for j in range(8)]
    assert (trace.u[1:, 0] >> 6).tolist() == [1 << (7 - j) for j in range(8)]


@pytest.mark.parametrize("sign", [1, -1])
def test_lif_potential_integrates_with_a_leak_of_a_half(backend: str, sign: int) -> None:
    mode = "excitatory" if sign > 0 else "inhibitory"
    trace = run(backend, neurons(1, dv=2048), 9, [[128 * sign]], events=[(0, 0)], sign_mode=mode)
    expected = [8192, 12286, 14331, 15351, 15859, 16111, 16235, 16295]
    assert (trace.v[1:, 0] * sign).tolist() == expected  # rounded toward zero, so symmetric


def test_lif_bias_is_not_cut_to_16_bits(backend: str) -> None:
    trace = run(backend, neurons(1, bias_mant=4095, bias_exp=5), 1)
    assert trace.v[0, 0] == 4095 * 2**5


def test_lif_refractory_period_of_lavas_float_model(backend: str) -> None:
    # Lava: v = 1 2 3 4 0 0 1 2 and 2 4 0 0 2 4 0 0 for bias 1 and 2, threshold 4, period 1
    trace = run(backend, neurons(2, vth=4, bias_mant=[1, 2], bias_exp=6, refractory=1), 8)
    expected = [[1, 2, 3, 4, 0, 0, 1, 2], [2, 4, 0, 0, 2, 4, 0, 0]]
    assert (trace.v.T >> 6).tolist() == expected


#: name, weights of channel 2, options, what is sent in the end.
FAN_OUT = [
    ("excitatory", [0, 300, 40], {"sign_mode": "excitatory"}, [0, 255, 40]),
    ("mixed sign", [300, -300, 39], {"sign_mode": "mixed"}, [254, -256, 38]),
    ("weight exponent", [300, -300, 39], {"weight_exp": 1}, [508, -512, 76]),
    ("weight precision", [300, -300, 39], {"num_weight_bits": 7}, [252, -256, 36]),
]
#: Delay of each weight, or of all, and how late each target hears.
DELAYS = [(None, [0, 0, 0]), ([0, 1, 2], [0, 1, 2]), (2, [2, 2, 2])]


@pytest.mark.parametrize(("delays", "late"), DELAYS, ids=["at once", "one each", "late"])
@pytest.mark.parametrize("case", FAN_OUT, ids=lambda case: case[0])
def test_fan_out(backend: str, case: Any, delays: Any, late: list[int]) -> None:
    _, column, options, sent = case
    weights = np.zeros((3, 4), dtype=int)
    weights[:, 2] = column
    if isinstance(delays, list):  # of the stored weights; one of 0 is none
        delays = [d for d, w in zip(delays, column, strict=True) if w]
    everyone = [(3, channel) for channel in range(4)]  # all four send in Lava's time step 4
    trace = run(backend, neurons(3, du=4095), 8, weights, events=everyone, delays=delays, **options)
    expected = np.zeros((8, 3), dtype=int)
    expected[4 + np.array(late), np.arange(3)] = sent
    np.testing.assert_array_equal(trace.u >> 6, expected)


@pytest.mark.parametrize("delay", [0, 2])
def test_fan_in_of_mixed_sign(backend: str, delay: int) -> None:
    weights = np.zeros((3, 4), dtype=int)
    weights[2] = [300, -300, 39, 0]
    everyone = [(3, channel) for channel in range(4)]
    trace = run(backend, neurons(3, du=4095), 8, weights, events=everyone, delays=delay)
    expected = np.zeros((8, 3), dtype=int)
    expected[4 + delay, 2] = 36  # 254 - 256 + 38
    np.testing.assert_array_equal(trace.u >> 6, expected)


@pytest.mark.parametrize("delay", [0, 2])
def test_recurrence_does_not_block(backend: str, delay: int) -> None:
    population = neurons(3, du=4095, dv=4096, vth=0, bias_mant=1)  # everybody fires in every step
    recurrent = hl.QuantizedProjection(
        "w", "n", "n", np.ones((3, 3), int), sign_mode="excitatory", delays=delay
    )
    network = hl.QuantizedNetwork((population,), (recurrent,)).verify()
    trace = hl.simulate(network, None, 6, backend, ("spikes", "u"))
    assert spikes(trace).all()
    assert (trace.u[:, 0] >> 6).tolist() == [0] * (1 + delay) + [3] * (5 - delay)


@pytest.mark.parametrize("graded", [False, True])
def test_sparse_sends_what_dense_would(backend: str, graded: bool) -> None:
    """Lava compares its two classes on random matrices; here with the sum written out."""
    rng = np.random.default_rng(12)
    weights = np.trunc((rng.random((37, 23)) - 0.5) * 40).astype(int)
    weights[np.abs(weights) < 14] = 0
    data = (rng.random((10, 23)) * 10).astype(int) if graded else (rng.random((10, 23)) > 0.7) + 0
    steps, channels = np.nonzero(data)
    trace = run(
        backend,
        neurons(37, du=4095),
        11,
        weights,
        events=np.stack([steps, channels], axis=1),
        payloads=data[steps, channels] if graded else None,
        num_message_bits=8 if graded else 0,
    )
    expected = data @ (weights // 2 * 2).T  # 8 bits of mixed sign: even numbers, rounded down
    np.testing.assert_array_equal(trace.u[1:] >> 6, expected)
