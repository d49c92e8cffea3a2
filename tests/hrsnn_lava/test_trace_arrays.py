"""Every array of a trace: its kind, its shape and its range, in Python and in files."""

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import ArtifactError, SpecError

STEPS, N = 10, 2


@pytest.fixture(scope="module")
def network():
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5)
    neurons = hl.QuantizedPopulation("a", N, du=4095, dv=4095, vth=10)
    synapses = hl.QuantizedProjection("p", "i", "a", np.full((N, 2), 30))
    learning = hl.QuantizedProjection("l", "a", "a", np.full((N, N), 30), learning=rule)
    return hl.QuantizedNetwork((hl.QuantizedInput("i", 2), neurons), (synapses, learning))


@pytest.fixture(scope="module")
def trace(network):
    inputs = hl.SpikeInput(np.arange(STEPS), np.zeros(STEPS, int), STEPS, 2)
    return hl.simulate(network, inputs, probes=("v", "u"))


#: For every array what no run gives.
WRONG = {
    "wraps": [
        [-5, 5],
        [11, 0],
        np.array([2**63 + 2, 0], np.uint64),
        [0.0, 0.0],
        [True, False],
        [0],
        [[0, 0]],
        np.ma.masked_array([0, 0], [0, 1]),
    ],
    "saturations": [[999, -999], [11, 0], [0.5, 0], [0, 0, 0]],
    "active_updates": [[-1] * STEPS, [3] * STEPS, [2**40] * STEPS, [0.0] * STEPS, [0] * 9],
    "membrane_updates": [[-5] * STEPS, [3] * STEPS, [np.nan] * STEPS, [[0] * STEPS]],
    "v": [
        np.full((STEPS, N), 2**31 + 7),
        np.full((STEPS, N), 2**23),
        np.full((STEPS, N), -(2**23)),
        np.full((STEPS, N), np.nan),
        np.full((STEPS, N), np.inf),
        np.zeros((STEPS, N), bool),
        np.zeros((N, STEPS), int),
    ],
    "u": [np.full((STEPS, N), 2**31), np.full((STEPS, N), np.nan), np.zeros(STEPS, int)],
}


def cases(table):
    """Every name with every value."""
    return [
        pytest.param(name, value, id=f"{name}-{k}")
        for name, values in table.items()
        for k, value in enumerate(values)
    ]


@pytest.mark.parametrize(("name", "value"), cases(WRONG))
def test_what_no_run_gives(name, value, trace, tmp_path):
    with pytest.raises(SpecError, match=name):
        replace(trace, **{name: value})
    trace.save(tmp_path / "t.npz")
    arrays = dict(np.load(tmp_path / "t.npz")) | {name: np.asarray(value)}
    if isinstance(value, np.ma.MaskedArray):
        return  # no file holds a mask
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(ArtifactError, match=rf"t.npz: .*{name}"):
        hl.Trace.load(tmp_path / "t.npz")


FILES = {
    "weights/l": [np.full(4, 1.5), np.full(4, 2**31), np.full(4, np.nan), np.zeros(4, bool)],
    "traces/l/x1": [np.full(N, 0.5), np.full(N, 2**40)],
    "v": [np.zeros((STEPS, N)), np.full((STEPS, N), 1.5)],
    "u": [np.zeros((STEPS, N))],
    "spike_steps": [np.full(3, 1.0), np.full(3, 2**32)],
    "n_steps": [np.array(-1), np.array(1.5), np.array([1, 2])],
    "input/steps": [np.full(STEPS, 0.5)],
    "network_digest": [np.zeros(32), np.zeros(31, np.uint8)],
    "probe/v": [np.zeros((STEPS, N)), np.zeros((3, N), int), np.full((STEPS, N), 2**23)],
    "probe/u": [np.zeros((STEPS, N), bool)],
    "probe/steps": [np.array([STEPS]), np.array([-1]), np.array([0.5])],
    "probe/neurons": [np.array([N]), np.array([[0]])],
    "probe/weights/l": [np.zeros((1, 4), int), np.zeros(0, int)],
    "probe/weight_steps": [np.array([STEPS]), np.array([0.5])],
}


@pytest.mark.parametrize(("name", "value"), cases(FILES))
def test_what_a_file_holds(name, value, trace, tmp_path):
    trace.save(tmp_path / "t.npz")
    arrays = dict(np.load(tmp_path / "t.npz"))
    np.savez(tmp_path / "t.npz", **arrays)
    assert hl.Trace.load(tmp_path / "t.npz").n_steps == STEPS
    np.savez(tmp_path / "t.npz", **arrays | {name: value})
    with pytest.raises(ArtifactError):
        hl.Trace.load(tmp_path / "t.npz")


def test_other_widths_are_the_same_values(trace, tmp_path):
    trace.save(tmp_path / "t.npz")
    arrays = dict(np.load(tmp_path / "t.npz"))
    names = ("v", "u", "wraps", "saturations", "active_updates", "membrane_updates")
    np.savez(tmp_path / "t.npz", **arrays | {name: arrays[name].astype(np.int64) for name in names})
    again = hl.Trace.load(tmp_path / "t.npz")
    for name in names:
        np.testing.assert_array_equal(getattr(again, name), getattr(trace, name))
        assert getattr(again, name).dtype == getattr(trace, name).dtype


@pytest.mark.parametrize("backend", ["native", "reference", "batch", "session", "record"])
def test_nobody_writes_to_a_trace(backend, network, trace, tmp_path):
    probes = ("v", "u")
    if backend == "batch":
        made = next(iter(hl.simulate_batch(network, [trace.inputs], probes=probes)))
    elif backend == "session":
        made = hl.Session(network).run(trace.inputs, probes=probes)
    elif backend == "record":
        hl.record(network, trace.inputs, None, tmp_path / "t.npz", probes)
        made = hl.Trace.load(tmp_path / "t.npz")
    else:
        made = hl.simulate(network, trace.inputs, backend=backend, probes=probes)
    arrays = {name: value for name, value in vars(made).items() if isinstance(value, np.ndarray)}
    arrays |= {**made.weights, **made.traces}
    assert {"v", "u", "wraps", "saturations", "active_updates", "l", "l/x1"} <= arrays.keys()
    for name, array in arrays.items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        assert array.base is None or not array.base.flags.writeable, name


def test_a_float_run_is_no_run_of_a_program(network, trace):
    """Lava's float programs give potentials in floats; reports are of integers."""
    floating = replace(trace, v=np.full((STEPS, N), 0.5))
    assert floating.v.dtype == np.float64
    program = hl.compile(network, "loihi1")
    with pytest.raises(SpecError, match=r"trace\.v: float64, of a float run; allowed: integers"):
        hl.report(program, floating)
