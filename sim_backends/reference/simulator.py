"""The readable truth: the fixed-point step in plain NumPy, line by line as it is defined."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.integer_format import shift_sum
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import Program, as_quantized, bias_rows, check_run, lower
from hrsnn_lava.sim_backends.reference.learning import ReferenceLearning
from hrsnn_lava.trace import SpikeInput, Trace

Int = NDArray[np.int32]
LIMIT = 2**23


def decay(state: Int, keep: Int) -> Int:
    """``state * keep / 4096``, rounded toward zero (the shift acts on the magnitude)."""
    product = state.astype(np.int64) * keep
    rounded: Int = (np.sign(product) * (np.abs(product) >> 12)).astype(np.int32)
    return rounded


def step(
    program: Program, u: Int, v: Int, waiting: Int, arriving: Int, bias_mant: Int
) -> tuple[Int, Int, Int, NDArray[np.bool_]]:
    """One step of all neurons.

    Args:
        program: decays, thresholds, exponents and refractory periods.
        u, v: state before the step, (n_neurons,) int32.
        waiting: steps for which v is still held at 0.
        arriving: sum of the synapses, int32 (wrapped).
        bias_mant: mantissas of this step.

    Returns:
        u, v, waiting after the step, and which neurons sent a spike.
    """
    with np.errstate(over="ignore"):  # int32 wraps here, as it does in Lava
        d = decay(u, program.keep_u) + (arriving << 6)
        wrapped = np.where(d > LIMIT, d - 2 * LIMIT, d)
        u = np.where(wrapped <= -LIMIT, d + 2 * LIMIT, wrapped).astype(np.int32)
        total = decay(v, program.keep_v) + u + (bias_mant << program.bias_exp)
    held = waiting > 0
    v = np.where(held, 0, np.clip(total, -LIMIT + 1, LIMIT - 1)).astype(np.int32)
    spikes = v > program.threshold
    waiting = np.where(spikes, program.refractory, np.maximum(waiting - 1, 0)).astype(np.int32)
    return u, np.where(spikes, 0, v).astype(np.int32), waiting, spikes


class ReferenceSimulator:
    """An integer network with its state: dense in time, sparse in space, no tricks.

    Attributes:
        u, v, waiting: (n_neurons,) int32, see `step`.
        sent: (max_delay + 1, n_neurons + n_inputs) int32, what every source sent in the last
            steps, the latest in the last row; 0 is nothing.
        pending: (n_neurons,) int64, what learning synapses deliver in the next step.
        learning: the learning projections.
        step: steps since rest.
    """

    def __init__(self, network: QuantizedNetwork) -> None:
        self.program = lower(network)
        self._rows = [block.weights.tocsr().astype(np.int64) for block in self.program.blocks]
        self.reset()

    def reset(self) -> None:
        """Return to rest: no current, no potential, nothing on its way, initial weights."""
        program = self.program
        n = program.n_neurons
        self.u, self.v, self.waiting = (np.zeros(n, dtype=np.int32) for _ in range(3))
        self.sent = np.zeros((program.max_delay + 1, n + program.n_inputs), dtype=np.int32)
        self.pending = np.zeros(n, dtype=np.int64)
        self.learning = [ReferenceLearning(plastic, 0) for plastic in program.plastic]
        self.step = 0

    def run(
        self, inputs: SpikeInput, starts: Any, mantissas: Int, steps: int, probes: Collection[str]
    ) -> Trace:
        """Run `steps` further steps; returns spikes and states, counted from the first of them.

        Args:
            inputs: events, counted from the first of these steps.
            starts, mantissas: row k of `mantissas` (K, n_neurons) holds from step ``starts[k]``.
            steps: how many.
            probes: any of "v" and "u".
        """
        program = self.program
        n, past = program.n_neurons, len(self.sent)
        recorded = {p: np.zeros((steps, n), dtype=np.int32) for p in ("v", "u") if p in probes}
        active, changed = np.zeros((2, steps), dtype=np.int32)
        sent = np.zeros((past + steps, n + program.n_inputs), dtype=np.int32)  # row past + t: t
        sent[:past] = self.sent
        sent[past:, n:] = _input_values(inputs, steps)
        for part in self.learning:
            part.draw(self.step, steps)
        for t in range(steps):
            now = past + t
            arriving, self.pending = self.pending, np.zeros(n, dtype=np.int64)
            for block, matrix in zip(program.blocks, self._rows, strict=True):
                message = sent[now - 1 - block.delay]
                if not block.graded:
                    message = message != 0
                arriving += shift_sum(matrix @ message.astype(np.int64), block.weight_exp)
            mantissa = mantissas[np.searchsorted(starts, t, side="right") - 1]
            u, v = self.u, self.v
            self.u, self.v, self.waiting, spikes = step(
                program, u, v, self.waiting, arriving.astype(np.int32), mantissa
            )
            active[t] = np.count_nonzero((u != 0) | (v != 0) | (self.u != 0) | (mantissa != 0))
            changed[t] = np.count_nonzero(spikes | (self.v != v))
            sent[now, :n] = spikes
            for part in self.learning:
                p = part.plastic
                message = sent[now, p.source : p.source + p.n_pre]
                post = slice(p.target, p.target + p.n_post)
                self.pending[post] += part.deliver(message)
                part.step(self.step + t, message, spikes[post])
            for name, states in recorded.items():
                states[t] = getattr(self, name)
        at, who = (index.astype(np.int32) for index in np.nonzero(sent[past:, :n]))
        self.sent = sent[-past:].copy()
        self.step += steps
        return Trace(
            at,
            who,
            steps,
            n,
            recorded.get("v"),
            recorded.get("u"),
            inputs=inputs,
            active_updates=active,
            membrane_updates=changed,
        )

    def learned(self) -> dict[str, Int]:
        """Learned weights and tags now, as `Trace.weights` has them."""
        return {k: w for part in self.learning for k, w in part.learned().items()}

    def traces(self) -> dict[str, Int]:
        """Spike traces now, as `Trace.traces` has them."""
        return {k: x for part in self.learning for k, x in part.traces().items()}


class ReferenceBackend:
    """What the other backends are compared with."""

    name = "reference"

    def run(
        self,
        compiled: Any,
        inputs: SpikeInput | None,
        steps: int,
        probes: Collection[str] = ("spikes",),
    ) -> Trace:
        """See `Backend.run`."""
        network = as_quantized(compiled)
        inputs = check_run(network, inputs, steps, probes)
        simulator = ReferenceSimulator(network)
        trace = simulator.run(inputs, *bias_rows(network, inputs, steps), steps, probes)
        return replace(trace, weights=simulator.learned(), traces=simulator.traces())


def _input_values(inputs: SpikeInput, steps: int) -> Int:
    """Payloads by step and channel, (steps, n_inputs); 0 where nothing is sent."""
    values = np.zeros((steps, inputs.n_neurons), dtype=np.int32)
    inside = inputs.steps < steps
    values[inputs.steps[inside], inputs.neurons[inside]] = inputs.payload_values()[inside]
    return values
