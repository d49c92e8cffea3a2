"""The readable truth: the fixed-point step in plain NumPy, line by line as it is defined.

It is what the other engines are compared with.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.integer_format import (
    DECAY_SHIFT,
    POTENTIAL_MAX,
    STATE_SHIFT,
    STATE_WRAP,
    shift_sum,
    wrapped_32,
)
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.resets import SUBTRACT, SUBTRACT_ALL, SUBTRACT_NEXT
from hrsnn_lava.sim_backends.base import (
    Backend,
    Engine,
    Program,
    Stretch,
    lower,
)
from hrsnn_lava.sim_backends.learning_program import Arrays, Int
from hrsnn_lava.sim_backends.reference.learning import ReferenceLearning
from hrsnn_lava.sim_backends.state import (
    check_state,
    learning_arrays,
    learning_values,
    messages,
    sent_by_age,
)
from hrsnn_lava.trace import SpikeInput, Trace


def decay(state: Int, keep: Int) -> Int:
    """``state * keep / 4096``, rounded toward zero (the shift acts on the magnitude)."""
    product = state.astype(np.int64) * keep
    rounded: Int = (np.sign(product) * (np.abs(product) >> DECAY_SHIFT)).astype(np.int32)
    return rounded


def step(
    program: Program,
    u: Int,
    v: Int,
    waiting: Int,
    arriving: NDArray[Any],
    bias_mant: Int,
    unwrapped: NDArray[Any] | None = None,
) -> tuple[Int, Int, Int, Int, NDArray[np.bool_]]:
    """One step of all neurons.

    Args:
        program: decays, thresholds, exponents, refractory periods and resets.
        u, v: state before the step, (n_neurons,) int32.
        waiting: steps for which a spike still acts on v, see `Program.refractory`.
        arriving: sum of the synapses, in any width: it acts in 32 bits, where it wraps.
        bias_mant: mantissas of this step.
        unwrapped: what would arrive if no sum of a projection had wrapped; None where none did.

    Returns:
        u, v, waiting after the step, how many spikes each neuron sent, and whose current wrapped.
    """
    reset = np.zeros(v.size, dtype=np.int32) if program.reset is None else program.reset
    due = np.where((reset == SUBTRACT_NEXT) & (waiting > 0), program.threshold, np.int32(0))
    whole = arriving if unwrapped is None else unwrapped
    exact = decay(u, program.keep_u) + (whole.astype(np.int64) << STATE_SHIFT)
    with np.errstate(over="ignore"):  # int32 wraps here, as it does in Lava
        d = decay(u, program.keep_u) + (arriving.astype(np.int32) << STATE_SHIFT)
        # Lava tests the lower end on the wrapped value and then adds to the one before the wrap
        wrapped = np.where(d > STATE_WRAP, d - 2 * STATE_WRAP, d)
        u = np.where(wrapped <= -STATE_WRAP, d + 2 * STATE_WRAP, wrapped).astype(np.int32)
        total = decay(v, program.keep_v) + u + (bias_mant << program.bias_exp) - due
    at_rest = (waiting > 0) & (reset == 0)
    v = np.where(at_rest, 0, np.clip(total, -POTENTIAL_MAX, POTENTIAL_MAX)).astype(np.int32)
    spikes = (v > program.threshold).astype(np.int32)
    several = reset == SUBTRACT_ALL  # their thresholds are not 0
    spikes[several] = np.maximum(v[several] // program.threshold[several], 0)
    waiting = np.where(spikes, program.refractory, np.maximum(waiting - 1, 0)).astype(np.int32)
    taken = np.where((reset == SUBTRACT) | several, spikes * program.threshold, 0)
    after = np.where((reset == 0) & (spikes > 0), 0, v - taken).astype(np.int32)
    return u, after, waiting, spikes, u != exact


def saturated(program: Program, v: Int, spikes: Int) -> NDArray[np.bool_]:
    """Whose potential was clipped in a step, (n_neurons,), from `v` after it.

    Where a spike sets v to 0, its upper end loses nothing and does not count.
    """
    clipped: NDArray[np.bool_] = v == -POTENTIAL_MAX
    if program.reset is not None:
        at_once = (program.reset == SUBTRACT) | (program.reset == SUBTRACT_ALL)
        taken = np.where(at_once, spikes * program.threshold, 0)
        clipped |= (program.reset != 0) & (v + taken == POTENTIAL_MAX)
    return clipped


class ReferenceEngine(Engine):
    """An integer network with its state: dense in time, sparse in space, no tricks.

    Attributes:
        u, v, waiting: (n_neurons,) int32, see `step`.
        sent: (past_steps, n_neurons + n_inputs) int32, what every source sent in the last steps,
            the latest in the last row; 0 is nothing.
        pending: (n_neurons,) int64, what learning synapses deliver in the next step.
        pending_unwrapped: (n_neurons,) int64, the same if no sum of a projection had wrapped.
        learning: the learning projections.
        step: steps since rest.
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self.program = lower(network)
        self._rows = [block.weights.tocsr().astype(np.int64) for block in self.program.blocks]
        self.reset()

    def reset(self) -> None:
        """See `Engine.reset`."""
        program = self.program
        n = program.n_neurons
        self.u, self.v, self.waiting = (np.zeros(n, dtype=np.int32) for _ in range(3))
        self.sent = np.zeros((program.past_steps, n + program.n_inputs), dtype=np.int32)
        self.pending, self.pending_unwrapped = np.zeros((2, n), dtype=np.int64)
        self.learning = [ReferenceLearning(plastic, 0) for plastic in program.plastic]
        self.step = 0

    def twin(self) -> ReferenceEngine:
        """See `Engine.twin`."""
        twin = copy(self)
        twin.reset()
        return twin

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`."""
        program, steps = self.program, stretch.steps
        n, past = program.n_neurons, len(self.sent)
        states = {p: np.zeros((steps, n), dtype=np.int32) for p in stretch.probes}
        active, membrane = np.zeros((2, steps), dtype=np.int32)
        wraps, saturations = np.zeros((2, n), dtype=np.int64)
        sent = np.zeros((past + steps, n + program.n_inputs), dtype=np.int32)  # row past + t: t
        sent[:past] = self.sent
        sent[past:, n:] = input_values(stretch.inputs, steps)
        for part in self.learning:
            part.draw(self.step, steps)
        for t in range(steps):
            now = past + t
            arriving, unwrapped = self.pending, self.pending_unwrapped
            self.pending, self.pending_unwrapped = np.zeros((2, n), dtype=np.int64)
            for block, matrix in zip(program.blocks, self._rows, strict=True):
                message = sent[now - 1 - block.delay]
                if not block.graded:
                    message = message != 0
                total = matrix @ message.astype(np.int64)
                arriving += shift_sum(wrapped_32(total), block.weight_exp)
                unwrapped += shift_sum(total, block.weight_exp)
            mantissa = stretch.mantissas[np.searchsorted(stretch.starts, t, side="right") - 1]
            u, v = self.u, self.v
            self.u, self.v, self.waiting, spikes, wrapped = step(
                program, u, v, self.waiting, arriving, mantissa, unwrapped
            )
            wraps += wrapped
            saturations += saturated(program, self.v, spikes)
            active[t] = np.count_nonzero((u != 0) | (v != 0) | (self.u != 0) | (mantissa != 0))
            membrane[t] = np.count_nonzero((spikes > 0) | (self.v != v))
            sent[now, :n] = spikes
            for part in self.learning:
                p = part.plastic
                message = sent[now, p.source : p.source + p.n_pre]
                post = slice(p.target, p.target + p.n_post)
                total = part.total(message)
                self.pending[post] += shift_sum(wrapped_32(total), p.weight_exp)
                self.pending_unwrapped[post] += shift_sum(total, p.weight_exp)
                received = part.received(sent[: now + 1])
                part.step(self.step + t, message, spikes[post] > 0, received)
            for name, rows in states.items():
                rows[t] = getattr(self, name)
        at, who = (index.astype(np.int32) for index in np.nonzero(sent[past:, :n]))
        payloads = None if program.most is None else sent[past + at, who]
        self.sent = sent[-past:].copy()
        self.step += steps
        return Trace(
            at,
            who,
            steps,
            n,
            states.get("v"),
            states.get("u"),
            inputs=stretch.inputs,
            active_updates=active,
            membrane_updates=membrane,
            wraps=wraps,
            saturations=saturations,
            payloads=payloads,
        )

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return {k: w for part in self.learning for k, w in part.learned().items()}

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        return {k: x for part in self.learning for k, x in part.traces().items()}

    def snapshot(self) -> dict[str, Int]:
        """See `Engine.snapshot`."""
        sent = [(np.flatnonzero(row).astype(np.int32), row[row != 0]) for row in self.sent[::-1]]
        state = {"u": self.u.copy(), "v": self.v.copy(), "waiting": self.waiting.copy()}
        state |= messages(sent)
        if self.learning:
            state["pending"] = self.pending.astype(np.int32)  # wraps, as it does on arrival
        for k, part in enumerate(self.learning):
            state |= learning_arrays(k, part.plastic, part.snapshot())
        return state

    def restore(self, step: int, arrays: Arrays) -> None:
        """See `Engine.restore`."""
        check_state(self.program, step, arrays)
        self.reset()
        self.step = step
        self.u, self.v, self.waiting = (arrays[name].copy() for name in ("u", "v", "waiting"))
        for age, (sources, values) in enumerate(sent_by_age(arrays, self.program.past_steps)):
            self.sent[-1 - age, sources] = values
        if self.learning:
            self.pending = arrays["pending"].astype(np.int64)
            self.pending_unwrapped = self.pending.copy()
        for k, part in enumerate(self.learning):
            part.restore(learning_values(k, arrays))


def input_values(inputs: SpikeInput, steps: int) -> Int:
    """Payloads by step and channel, (steps, n_inputs); 0 where nothing is sent."""
    values = np.zeros((steps, inputs.n_neurons), dtype=np.int32)
    inside = inputs.steps < steps
    values[inputs.steps[inside], inputs.neurons[inside]] = inputs.payload_values()[inside]
    return values


@dataclass(frozen=True)
class ReferenceBackend(Backend):
    """Plain NumPy."""

    name = "reference"

    def open(self, network: QuantizedNetwork) -> Engine:
        """See `Backend.open`."""
        return ReferenceEngine(network)


ENGINE = ReferenceBackend()
