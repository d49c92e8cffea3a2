"""`HeterogeneousLIF` against stock Lava, step by step, and against the formula in Python integers.

The models are stepped directly, without a runtime: what is compared is their arithmetic.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.lava
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

FIXED = ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")
EXTREMES = [0, 1, -1, 2**17 - 1, 2**17, -(2**17), 2**18, -(2**18), 2**24, 2**31 - 1, -(2**31)]


class Wire:
    """A port without a channel: hands out what a test puts in, keeps what a model sends."""

    def __init__(self, connected: bool = True) -> None:
        self.csp_ports = [self] if connected else []
        self.value: Any = None

    def recv(self) -> Any:
        return self.value

    def send(self, data: Any) -> None:
        self.value = np.array(data)


def stock(name: str, **values: Any) -> Any:
    from lava.proc.lif import models

    model = getattr(models, name)({})
    model.a_in, model.s_out = Wire(), Wire()
    for key, value in values.items():
        setattr(model, key, value)
    return model


def ours(
    precision: str, n: int, *, bias_in: bool = False, reset: str = "zero", **values: Any
) -> Any:
    from hrsnn_lava.processes.lif import HeterogeneousLIFFixed, HeterogeneousLIFFloat

    fixed = precision == "fixed_pt"
    model = (HeterogeneousLIFFixed if fixed else HeterogeneousLIFFloat)({"reset": reset})
    for port in ("a_in", "s_out", "v_out", "u_out"):
        setattr(model, port, Wire())
    model.bias_in = Wire(connected=bias_in)
    state = np.int32 if precision == "fixed_pt" else np.float64
    for key in ("u", "v", *FIXED):
        dtype = np.int32 if key == "refractory" else state
        setattr(model, key, np.broadcast_to(values.get(key, 0), (n,)).astype(dtype))
    model.refractory_end = np.zeros(n, dtype=np.int32)
    return model


def step(model: Any, activation: Any) -> Any:
    model.time_step += 1
    model.a_in.value = activation
    model.run_spk()
    return model.s_out.value.astype(bool)


def wrap32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def plain_step(
    u: int, v: int, a: int, p: dict[str, int], held: bool, reset: str = "zero"
) -> tuple[int, int, int]:
    """The integer step of one neuron in Python integers, int32 wraps written out: u, v, spikes.

    With a reset by subtraction, `held` says that the threshold is still to be taken off.
    """

    def decayed(x: int, factor: int) -> int:
        size = abs(x * factor) >> 12
        return wrap32(size if x * factor >= 0 else -size)

    d = wrap32(decayed(u, 4095 - p["du"]) + wrap32(a << 6))
    w = wrap32(d - 2**24) if d > 2**23 else d
    u = wrap32(d + 2**24) if w <= -(2**23) else w
    bias = wrap32(p["bias_mant"] << p["bias_exp"])
    total = wrap32(wrap32(decayed(v, 4096 - p["dv"]) + u) + bias)
    if reset != "zero":
        theta = p["vth"] << 6
        total = wrap32(total - theta) if held else total
        v = max(-(2**23) + 1, min(2**23 - 1, total))
        if reset == "subtract_all":
            spikes = max(v // theta, 0)
            return u, v - spikes * theta, spikes
        spike = v > theta
        return u, v - theta if spike and reset == "subtract" else v, spike
    v = 0 if held else max(-(2**23) + 1, min(2**23 - 1, total))
    spike = not held and v > p["vth"] << 6
    return u, 0 if spike else v, spike


states = st.integers(-(2**23) + 1, 2**23 - 1)
activations = st.one_of(st.sampled_from(EXTREMES), st.integers(-4000, 4000))
decays = {
    "du": st.one_of(st.sampled_from([-1, 0, 4094, 4095]), st.integers(-1, 4095)),
    "dv": st.one_of(st.sampled_from([0, 1, 4095, 4096]), st.integers(0, 4096)),
}
neuron = st.fixed_dictionaries(
    {
        **decays,
        "vth": st.one_of(st.sampled_from([0, 131071]), st.integers(0, 2000)),
        "bias_mant": st.integers(-4096, 4095),
        "bias_exp": st.integers(0, 7),
        "refractory": st.integers(0, 4),
        "u": states,
        "v": states,
    }
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_uniform_fixed_point_equals_stock_lif(data: Any) -> None:
    # stock Lava declares du as uint16 but keeps the Python integer, so -1 works there as well
    du, dv = data.draw(decays["du"]), data.draw(decays["dv"])
    vth = data.draw(st.integers(0, 131071))
    rows = data.draw(st.lists(neuron, min_size=1, max_size=5))
    per_neuron = {k: np.array([r[k] for r in rows], np.int32) for k in ("u", "v")}
    bias = {k: np.array([r[k] for r in rows], np.int16) for k in ("bias_mant", "bias_exp")}
    n = len(rows)
    theirs = stock(
        "PyLifModelBitAcc",
        du=du,
        dv=dv,
        vth=vth,
        **bias,
        **{k: v.copy() for k, v in per_neuron.items()},
    )
    mine = ours("fixed_pt", n, du=du, dv=dv, vth=vth, **bias, **per_neuron)
    for _ in range(12):
        a = np.array(data.draw(st.lists(activations, min_size=n, max_size=n)), np.int32)
        with np.errstate(over="ignore"):
            expected, found = step(theirs, a), step(mine, a)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(mine.u, theirs.u)
        np.testing.assert_array_equal(mine.v, theirs.v)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_heterogeneous_fixed_point_equals_the_formula_in_plain_integers(data: Any) -> None:
    rows = data.draw(st.lists(neuron, min_size=1, max_size=4))
    n = len(rows)
    model = ours("fixed_pt", n, **{k: np.array([r[k] for r in rows]) for k in rows[0]})
    u, v, hold = [r["u"] for r in rows], [r["v"] for r in rows], [0] * n
    for _ in range(10):
        a = data.draw(st.lists(activations, min_size=n, max_size=n))
        spikes = step(model, np.array(a, np.int32))
        for i, row in enumerate(rows):
            u[i], v[i], spike = plain_step(u[i], v[i], a[i], row, hold[i] > 0)
            hold[i] = row["refractory"] if spike else max(0, hold[i] - 1)
            assert (spikes[i], model.u[i], model.v[i]) == (spike, u[i], v[i])
        np.testing.assert_array_equal(model.v_out.value, v)
        np.testing.assert_array_equal(model.u_out.value, u)


@pytest.mark.parametrize("case", ["LIF", "LIFRefractory"])
def test_uniform_float_equals_stock_bit_for_bit(case: str) -> None:
    rng = np.random.default_rng(5)
    n, period = 7, 3 if case == "LIFRefractory" else 0
    values: dict[str, Any] = {"du": 0.3, "dv": 0.07, "vth": 1.1}
    state = {k: rng.normal(size=n) for k in ("u", "v", "bias_mant")}
    if period:
        state["bias_mant"][:] = 0  # stock LIFRefractory adds the bias to u first: other rounding
    from lava.proc.lif import models

    theirs = getattr(models, f"Py{case.replace('LIF', 'Lif')}ModelFloat")(
        {"refractory_period": period}
    )
    theirs.a_in, theirs.s_out = Wire(), Wire()
    theirs.refractory_period_end = np.zeros(n)
    for key, value in {**values, **{k: x.copy() for k, x in state.items()}}.items():
        setattr(theirs, key, value)
    mine = ours("floating_pt", n, refractory=period, **values, **state)
    total = 0
    for _ in range(300):
        a = rng.normal(0.2, 1.0, n)
        expected, found = step(theirs, a), step(mine, a)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(mine.u, theirs.u)
        np.testing.assert_array_equal(mine.v, theirs.v)
        total += int(found.sum())
    assert total > 50


@pytest.mark.parametrize("precision", ["fixed_pt", "floating_pt"])
@pytest.mark.parametrize("refractory", [0, 1, 5])
def test_interspike_interval_is_charging_time_plus_refractory_period(
    precision: str, refractory: int
) -> None:
    # v gains 64 a step (no leak) and must exceed 128: 3 steps of charging
    model = ours(precision, 1, refractory=refractory, vth=2 if precision == "fixed_pt" else 128)
    model.bias_mant[:] = 64
    times = [t for t in range(60) if step(model, np.zeros(1, np.int32))[0]]
    assert times[0] == 2
    assert set(np.diff(times)) == {3 + refractory}


def test_current_goes_on_while_the_potential_is_held() -> None:
    model = ours("fixed_pt", 1, du=2047, refractory=2, vth=10)  # u halves in every step
    assert step(model, np.array([100], np.int32))[0]
    for u in (3200, 1600):
        assert not step(model, np.zeros(1, np.int32))[0]
        assert (model.u[0], model.v[0]) == (u, 0)
    step(model, np.zeros(1, np.int32))
    assert model.u[0] == 800


def test_streamed_bias_adds_to_the_mantissa_before_the_shift() -> None:
    model = ours("fixed_pt", 2, bias_in=True, bias_mant=[3, -1], bias_exp=[6, 0], vth=1000, dv=4096)
    model.bias_in.value = np.array([2, 5])
    step(model, np.zeros(2, np.int32))
    assert model.v.tolist() == [5 << 6, 4]


def test_threshold_below_zero_keeps_a_held_neuron_silent() -> None:
    model = ours("floating_pt", 1, vth=-1.0, refractory=1)
    assert [bool(step(model, np.zeros(1))[0]) for _ in range(4)] == [True, False, True, False]


@pytest.mark.parametrize("reset", ["subtract", "subtract_next", "subtract_all"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_subtractions_equal_the_formula_in_plain_integers(reset: str, data: Any) -> None:
    rows = data.draw(st.lists(neuron, min_size=1, max_size=5))
    least = 1 if reset == "subtract_all" else 0  # no threshold is held without end
    rows = [{**row, "refractory": 0, "vth": max(row["vth"], least)} for row in rows]
    n = len(rows)
    values = {k: np.array([r[k] for r in rows], np.int32) for k in rows[0]}
    model = ours("fixed_pt", n, reset=reset, **values)
    states = [(row["u"], row["v"], False) for row in rows]
    for _ in range(12):
        a = data.draw(st.lists(activations, min_size=n, max_size=n))
        with np.errstate(over="ignore"):
            found = step(model, np.array(a, np.int64).astype(np.int32))
        states = [
            plain_step(u, v, wrap32(x), row, fired and reset == "subtract_next", reset)
            for (u, v, fired), x, row in zip(states, a, rows, strict=True)
        ]
        assert model.u.tolist() == [u for u, _, _ in states]
        assert model.v.tolist() == [v for _, v, _ in states]
        assert found.tolist() == [fired > 0 for _, _, fired in states]
        assert model.s_out.value.astype(int).tolist() == [int(fired) for _, _, fired in states]


def test_floats_subtract_what_they_were_compared_with() -> None:
    at_once = ours("floating_pt", 2, dv=0.5, du=1.0, vth=[1.0, 0.75], reset="subtract")
    assert step(at_once, np.array([2.5, 1.0])).tolist() == [True, True]
    assert at_once.v.tolist() == [1.5, 0.25]
    later = ours("floating_pt", 2, dv=0.5, du=1.0, vth=[1.0, 0.75], reset="subtract_next")
    assert step(later, np.array([2.5, 1.0])).tolist() == [True, True]
    assert later.v.tolist() == [2.5, 1.0]
    assert step(later, np.array([0.0, 1.0])).tolist() == [False, False]
    assert later.v.tolist() == [0.25, 0.75]
    several = ours("floating_pt", 2, dv=0.5, du=1.0, vth=[1.0, 0.75], reset="subtract_all")
    assert step(several, np.array([2.5, 1.5])).tolist() == [True, True]
    assert several.s_out.value.tolist() == [2.0, 2.0]
    assert several.v.tolist() == [0.5, 0.0]


def test_resets_that_there_are_not_are_refused() -> None:
    from hrsnn_lava.processes.lif import HeterogeneousLIF

    with pytest.raises(ValueError, match="reset: 'soft'; allowed: zero, subtract, subtract_next"):
        HeterogeneousLIF(shape=(3,), reset="soft")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="refractory: not 0 with reset 'subtract'"):
        HeterogeneousLIF(shape=(3,), reset="subtract", refractory=[0, 1, 0])


def test_wrong_shape_and_unknown_parameter_are_refused() -> None:
    from hrsnn_lava.processes.lif import HeterogeneousLIF

    with pytest.raises(ValueError, match="broadcast"):
        HeterogeneousLIF(shape=(3,), vth=np.zeros(2))
    with pytest.raises(TypeError, match="bias"):
        HeterogeneousLIF(shape=(3,), bias=1)  # type: ignore[call-arg]


SCRIPT = """
import json, sys
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.lif.process import LIF
from hrsnn_lava.processes.lif import HeterogeneousLIF
from hrsnn_lava.processes.mapped_files import MmapSink

path = sys.argv[1]
lif = HeterogeneousLIF(shape=(3,), vth=[9, 20, 40], du=[0, 5, 7], dv=0, bias_mant=10,
                       bias_exp=6, refractory=[0, 0, 1])
sink = MmapSink(shape=(3,), path=path, steps=8, dtype=bool)
lif.s_out.connect(sink.a_in)
lif.run(RunSteps(4), Loihi2SimCfg(select_tag="fixed_pt"))
found = {name: getattr(lif, name).get().tolist()
         for name in ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory", "u", "v")}
lif.vth.set(np.array([39, 39, 39]))
lif.v.set(np.array([0, 0, 0]))
lif.run(RunSteps(4))
found["vth_later"] = lif.vth.get().tolist()
lif.stop()
found["spikes"] = np.load(path).astype(int).tolist()
print(json.dumps(found))
"""


def test_in_the_runtime_vars_can_be_read_and_a_new_threshold_takes_effect(tmp_path: Any) -> None:
    """Lava's own search for the models is used here, and its own runtime."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "s.npy")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["vth"] == [9, 20, 40]
    assert found["du"] == [0, 5, 7]
    assert found["bias_mant"] == [10, 10, 10]
    assert found["refractory"] == [0, 0, 1]
    assert found["vth_later"] == [39, 39, 39]
    spikes = np.array(found["spikes"]).T.tolist()
    # v grows by 10 a step: > 9 in every step, > 20 in every third, > 40 not before the fifth
    assert [row[:4] for row in spikes] == [[1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    # from 0 again, with 39 for all: the fourth step
    assert [row[4:] for row in spikes] == [[0, 0, 0, 1]] * 3
