"""The fixed-point step against numbers worked out by hand from Lava's definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SpikeInput,
)
from hrsnn_lava.sim_backends.runs.session import simulate

BACKENDS = pytest.mark.parametrize("backend", ["reference", "native"])


def one_neuron(weight=1, exponent=0, graded=False, delays=None, sign_mode="mixed", **fields):
    """An input that sends to one neuron."""
    parameters = {"du": 4095, "dv": 4096, "vth": 131071} | fields
    projection = QuantizedProjection(
        "p",
        "inp",
        "a",
        np.array([[weight]]),
        exponent,
        sign_mode,
        delays=delays,
        num_message_bits=24 if graded else 0,
    )
    return QuantizedNetwork(
        (QuantizedInput("inp", 1), QuantizedPopulation("a", 1, **parameters)), (projection,)
    ).verify()


def states(backend, network, steps, at=(0,), payloads=None):
    """v and u of the only neuron after every step."""
    inputs = SpikeInput(list(at), [0] * len(at), steps, 1, payloads)
    trace = simulate(network, inputs, steps, backend, ("v", "u"))
    return trace, trace.v[:, 0].tolist(), trace.u[:, 0].tolist()


@BACKENDS
def test_a_spike_arrives_one_step_later_times_64(backend):
    _, v, u = states(backend, one_neuron(10), 4)
    assert u == [0, 640, 0, 0]
    assert v == [0, 640, 0, 0]


@BACKENDS
def test_a_delay_adds_its_steps(backend):
    _, _, u = states(backend, one_neuron(10, delays=2), 5)
    assert u == [0, 0, 0, 640, 0]


@BACKENDS
def test_decay_rounds_toward_zero_for_both_signs(backend):
    """u' = trunc(u (4095 - du) / 4096): with du = 2047, 64 -> 32 -> ... and -64 -> -32 -> ..."""
    for sign in (1, -1):
        _, _, u = states(backend, one_neuron(2 * sign, du=2047), 9)
        assert [abs(x) for x in u[1:]] == [128, 64, 32, 16, 8, 4, 2, 1]
        _, _, u = states(backend, one_neuron(2 * sign, du=2047), 11)
        assert u[9:] == [0, 0]


@BACKENDS
def test_a_negative_exponent_rounds_the_sum_down(backend):
    _, _, u = states(backend, one_neuron(-2, exponent=-2), 3)
    assert u[1] == -64  # floor(-2 / 4) = -1
    _, _, u = states(backend, one_neuron(2, exponent=-2), 3)
    assert u[1] == 0


@BACKENDS
def test_the_current_wraps_at_24_bits(backend):
    network = one_neuron(254, exponent=7, du=-1)
    _, _, u = states(backend, network, 6, at=range(5))
    expected = [0]
    for _ in range(5):
        value = expected[-1] + 254 * 128 * 64
        expected.append(value - 2**24 if value > 2**23 else value)
    assert min(expected) < 0
    assert u == expected


@BACKENDS
def test_the_potential_saturates_below(backend):
    """Above, the threshold comes first: 131071 << 6 is less than 2^23."""
    network = one_neuron(-254, exponent=7, du=4095, dv=0)
    _, v, _ = states(backend, network, 7, at=range(6))
    step = -254 * 128 * 64
    assert v == [0, step, 2 * step, 3 * step, 4 * step, -(2**23) + 1, -(2**23) + 1]


@BACKENDS
def test_a_payload_that_overflows_int32_wraps(backend):
    network = one_neuron(254, graded=True)
    _, _, u = states(backend, network, 3, payloads=[2**24 - 1])
    arriving = 254 * (2**24 - 1)
    arriving = (arriving + 2**31) % 2**32 - 2**31
    d = (arriving * 64 + 2**31) % 2**32 - 2**31
    w = d - 2**24 if d > 2**23 else d
    assert u[1] == (d + 2**24 if w <= -(2**23) else w)


@BACKENDS
def test_bias_threshold_and_refractory_period(backend):
    """Bias 64 x 10 against vth 15: fires in every second step, and then waits three steps."""
    network = one_neuron(0, dv=0, vth=15, bias_mant=10, bias_exp=6, refractory=3)
    trace, v, _ = states(backend, network, 12, at=())
    assert trace.spike_steps.tolist() == [1, 6, 11]
    assert v == [640, 0, 0, 0, 0, 640, 0, 0, 0, 0, 640, 0]


@BACKENDS
def test_the_threshold_is_strict(backend):
    equal = one_neuron(0, dv=0, vth=10, bias_mant=10, bias_exp=6)
    trace, _, _ = states(backend, equal, 2, at=())
    assert trace.spike_steps.tolist() == [1]


@BACKENDS
def test_a_binary_projection_ignores_the_payload_but_not_its_absence(backend):
    _, _, u = states(backend, one_neuron(10), 4, at=(0, 1), payloads=[7, 0])
    assert u == [0, 640, 0, 0]


@BACKENDS
def test_a_held_drive_acts_in_its_own_step(backend):
    matrix = sparse.csr_matrix(np.array([[3]], dtype=np.int32))
    drive = QuantizedProjection("d", "inp", "a", matrix, 0, target="bias")
    neuron = QuantizedPopulation("a", 1, du=0, dv=4096, vth=131071, bias_mant=5)
    network = QuantizedNetwork((QuantizedInput("inp", 1, 1.0), neuron), (drive,)).verify()
    _, v, _ = states(backend, network, 6, at=(1, 4), payloads=[10, -1])
    assert v == [5, 35, 35, 35, 2, 2]


@BACKENDS
def test_runs_are_checked(backend):
    from hrsnn_lava.errors import SpecError

    network = one_neuron()
    with pytest.raises(SpecError, match="inputs: 3 channels; allowed: 1"):
        simulate(network, SpikeInput.empty(5, 3), 5, backend)
    with pytest.raises(SpecError, match="probes: 'w'; allowed: spikes, v, u"):
        simulate(network, None, 5, backend, ("w",))
    with pytest.raises(SpecError, match="steps: -1"):
        simulate(network, None, -1, backend)
    with pytest.raises(SpecError, match="compile or quantize"):
        simulate("net", None, 1, backend)
    assert simulate(network, None, 0, backend).n_spikes == 0
