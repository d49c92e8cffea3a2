"""`HeterogeneousLIF`: Lava's LIF with a du, dv, vth, bias and refractory period for every neuron.

Lava's own LIF declares one du, dv and vth for the whole population. Here each is an array of the
population's shape, so a heterogeneous population stays one Process. With uniform parameters both
models equal stock `LIF` bit for bit. It also has the resets by subtraction that Lava lacks.

Importing this module imports Lava, which needs Python 3.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.integer_format import (
    DECAY_SHIFT,
    POTENTIAL_MAX,
    STATE_SHIFT,
    STATE_WRAP,
    kept_of_current,
    kept_of_potential,
)
from hrsnn_lava.resets import RESETS, Reset

if TYPE_CHECKING:  # it does not come with Lava, and a bundle has nothing else
    from typing_extensions import Unpack

__all__ = ["HeterogeneousLIF", "HeterogeneousLIFFixed", "HeterogeneousLIFFloat"]

Int: TypeAlias = NDArray[np.int32]
Float: TypeAlias = NDArray[np.float64]


class Parameters(TypedDict, total=False):
    """Keywords of `HeterogeneousLIF` beside shape and name, under the names of Lava's `LIF`."""

    u: ArrayLike
    v: ArrayLike
    du: ArrayLike
    dv: ArrayLike
    bias_mant: ArrayLike
    bias_exp: ArrayLike
    vth: ArrayLike
    refractory: ArrayLike


#: Values of `Parameters` that are not given; those of Lava's `LIF`.
_DEFAULTS: dict[str, int] = dict.fromkeys(Parameters.__annotations__, 0) | {"vth": 10}


class HeterogeneousLIF(AbstractProcess):  # type: ignore[misc]
    """Leaky integrate-and-fire neurons, each with parameters of its own.

    Equation (fixed point in Lava's integers, see `HeterogeneousLIFFixed`)::

        u[t] = (1 - du) u[t-1] + a_in[t]
        v[t] = (1 - dv) v[t-1] + u[t] + bias
        spike and v[t] = 0  if v[t] > vth;  v stays 0 for the next `refractory` steps, u goes on

    With `reset` "subtract" a spike takes vth off v[t] at once, with "subtract_next" off v[t+1],
    after its leak (see `hrsnn_lava.resets`). With "subtract_all" vth is taken off v[t] as often as
    it holds it, n = floor(v / vth) times, and n is sent: connections with `num_message_bits` > 0
    multiply by it. None of these goes with a refractory period, and the last needs vth > 0.

    Parameters (`shape` is the population's; every other one is a scalar or of that shape):
    `du` -1..4095 and `dv` 0..4096 (fixed) or fractions 0..1 (float); `vth` 0..131071 (fixed);
    `bias_mant` times 2^`bias_exp` (fixed; the float model leaves `bias_exp` out, like Lava);
    `refractory` in time steps; `u`, `v` initial states.

    Ports: `a_in` synaptic input; `bias_in` is added to `bias_mant` in the step of its arrival
    (a current that a host sets; unconnected means 0); `s_out` spikes; `v_out` and `u_out` the
    states after the step, which cost nothing while unconnected.

    Raises `ValueError` where a parameter does not fit the shape, for an unknown reset, for a
    refractory period beside a subtraction and for a threshold that v holds without end, and
    `TypeError` for an unknown parameter (stock Lava swallows both).
    """

    # Lava's __del__ reads it, also of an object whose __init__ was refused
    _runtime = None

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        name: str | None = None,
        reset: Reset = "zero",
        **parameters: Unpack[Parameters],
    ) -> None:
        if unknown := sorted(set(parameters) - set(_DEFAULTS)):
            names = ", ".join((*_DEFAULTS, "reset"))
            raise TypeError(f"unknown parameter {unknown[0]!r}; there are: {names}")
        if reset not in RESETS:
            raise ValueError(f"reset: {reset!r}; allowed: {', '.join(RESETS)}")
        if reset != "zero" and np.any(np.asarray(parameters.get("refractory", 0))):
            raise ValueError(f"refractory: not 0 with reset {reset!r}; allowed: 0")
        thresholds = np.asarray(parameters.get("vth", _DEFAULTS["vth"]))
        if reset == "subtract_all" and np.any(thresholds <= 0):
            raise ValueError(f"vth: {thresholds.min()} with reset {reset!r}; allowed: > 0")
        super().__init__(shape=shape, name=name, reset=reset)
        self.a_in = InPort(shape=shape)
        self.bias_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.v_out = OutPort(shape=shape)
        self.u_out = OutPort(shape=shape)
        for field, value in (_DEFAULTS | parameters).items():
            init = np.broadcast_to(np.asarray(value), shape).copy()
            setattr(self, field, Var(shape=shape, init=init))
        # the last time step in which v is held at 0, or in which a threshold is still to be taken
        # off it; a Var, so that a state can be restored
        self.refractory_end = Var(shape=shape, init=np.zeros(shape, dtype=int))


class _HeterogeneousLIFModel(PyLoihiProcessModel):  # type: ignore[misc]
    """What both precisions share: receive, update, threshold, reset, hold, send."""

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self._reset: Reset = proc_params.get("reset", "zero")

    def _update(self, activation: Any, due: Any) -> None:
        raise NotImplementedError

    def _threshold(self) -> Any:
        raise NotImplementedError

    def run_spk(self) -> None:
        """One time step."""
        waiting = self.refractory_end >= self.time_step
        if self._reset == "subtract_next":
            due = np.where(waiting, self._threshold(), 0).astype(self.v.dtype)
            self._update(self.a_in.recv(), due)
            spikes = self.v > self._threshold()
            self.refractory_end[spikes] = self.time_step + 1
        elif self._reset == "subtract_all":
            self._update(self.a_in.recv(), 0)
            held = np.floor(self.v / self._threshold())  # of integers, float64 holds it exactly
            spikes = np.maximum(held, 0).astype(self.v.dtype)
            self.v[:] -= spikes * self._threshold()
        else:
            self._update(self.a_in.recv(), 0)
            self.v[waiting] = 0
            # a held neuron is silent even where a threshold below 0 would let v = 0 pass
            spikes = (self.v > self._threshold()) & ~waiting
            if self._reset == "subtract":
                self.v[spikes] -= self._threshold()[spikes]
            else:
                self.v[spikes] = 0
            self.refractory_end[spikes] = self.time_step + self.refractory[spikes]
        self.s_out.send(spikes)
        if self.v_out.csp_ports:
            self.v_out.send(self.v)
        if self.u_out.csp_ports:
            self.u_out.send(self.u)


@implements(proc=HeterogeneousLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class HeterogeneousLIFFloat(_HeterogeneousLIFModel):
    """Float model; the operations come in stock Lava's order, which makes them bit-identical."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    bias_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    v_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    u_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    u: Float = LavaPyType(np.ndarray, float)
    v: Float = LavaPyType(np.ndarray, float)
    du: Float = LavaPyType(np.ndarray, float)
    dv: Float = LavaPyType(np.ndarray, float)
    bias_mant: Float = LavaPyType(np.ndarray, float)
    bias_exp: Float = LavaPyType(np.ndarray, float)
    vth: Float = LavaPyType(np.ndarray, float)
    refractory: Int = LavaPyType(np.ndarray, np.int32)
    refractory_end: Int = LavaPyType(np.ndarray, np.int32)

    def _update(self, activation: Float, due: Float | int) -> None:
        bias = self.bias_mant
        if self.bias_in.csp_ports:
            bias = bias + self.bias_in.recv()
        self.u[:] = self.u * (1 - self.du)
        self.u[:] += activation
        self.v[:] = self.v * (1 - self.dv) + self.u + bias
        self.v[:] -= due

    def _threshold(self) -> Float:
        return self.vth


@implements(proc=HeterogeneousLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class HeterogeneousLIFFixed(_HeterogeneousLIFModel):
    """Integer model, equal to Lava's bit-accurate LIF, overflows included.

    ::

        d = trunc(u (4095 - du) / 4096) + (a_in << 6)              int32, wraps
        u = d - 2^24 if d > 2^23, d + 2^24 if that is <= -2^23     one wrap only
        e = trunc(v (4096 - dv) / 4096)
        v = clip(e + u + (bias_mant + bias_in) 2^bias_exp - due, -2^23 + 1, 2^23 - 1)
        spike if v > vth << 6

    `due` is ``vth << 6`` in the step after a spike with reset "subtract_next", and 0 otherwise.

    Unlike stock Lava the threshold follows a `vth.set` at run time, and every Var is an array, so
    that `.get()` works on each.
    """

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=16)
    bias_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=13)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    v_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    u_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    u: Int = LavaPyType(np.ndarray, np.int32, precision=24)
    v: Int = LavaPyType(np.ndarray, np.int32, precision=24)
    # int32, where Lava says uint16: du = -1 (no decay) must not turn into 65535
    du: Int = LavaPyType(np.ndarray, np.int32, precision=12)
    dv: Int = LavaPyType(np.ndarray, np.int32, precision=12)
    bias_mant: Int = LavaPyType(np.ndarray, np.int32, precision=13)
    bias_exp: Int = LavaPyType(np.ndarray, np.int32, precision=3)
    vth: Int = LavaPyType(np.ndarray, np.int32, precision=17)
    refractory: Int = LavaPyType(np.ndarray, np.int32)
    refractory_end: Int = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self._aligned_vth: Int | None = None

    def on_var_update(self) -> None:
        """Forgets what was derived from the Vars; the next step derives it again."""
        self._aligned_vth = None

    def _threshold(self) -> Int:
        if self._aligned_vth is None:
            self._aligned_vth = np.left_shift(self.vth, STATE_SHIFT)
        return self._aligned_vth

    def _bias(self) -> Int:
        mantissa = self.bias_mant
        if self.bias_in.csp_ports:
            mantissa = mantissa + self.bias_in.recv().astype(np.int32)
        return np.where(
            self.bias_exp >= 0,
            np.left_shift(mantissa, self.bias_exp),
            np.right_shift(mantissa, -self.bias_exp),
        )

    def _update(self, activation: Int, due: Int | int) -> None:
        bias = self._bias()
        current = _decayed(self.u, kept_of_current(self.du))
        current += np.left_shift(activation, STATE_SHIFT)
        wrapped = np.where(current > STATE_WRAP, current - 2 * STATE_WRAP, current)
        # Lava adds to the unwrapped value here; it matters for inputs beyond 24 bits only
        self.u[:] = np.where(wrapped <= -STATE_WRAP, current + 2 * STATE_WRAP, wrapped)
        voltage = _decayed(self.v, kept_of_potential(self.dv)) + self.u + bias - due
        self.v[:] = np.clip(voltage, -POTENTIAL_MAX, POTENTIAL_MAX)


def _decayed(state: Int, factor: NDArray[np.int64]) -> Int:
    """`state * factor / 4096` rounded toward zero, as int32; the product needs 64 bits."""
    product = state.astype(np.int64) * factor
    decayed: Int = (np.sign(product) * (np.abs(product) >> DECAY_SHIFT)).astype(np.int32)
    return decayed
