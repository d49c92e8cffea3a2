"""The readable truth: the fixed-point step in plain NumPy, line by line as it is defined."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.quantized import shift_sum
from hrsnn_lava.sim_backends.base import Program, as_quantized, bias_rows, check_run, lower
from hrsnn_lava.sim_backends.learning_reference import ReferenceLearning
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


class ReferenceBackend:
    """Dense in time, sparse in space, no tricks: what the other backends are compared with."""

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
        program = lower(network)
        n = program.n_neurons
        starts, mantissas = bias_rows(network, inputs, steps)
        values = _input_values(inputs, steps)
        rows = [block.weights.tocsr().astype(np.int64) for block in program.blocks]
        sent = np.zeros((steps + 1, n + program.n_inputs), dtype=np.int32)  # row t+1: step t
        u, v, waiting = (np.zeros(n, dtype=np.int32) for _ in range(3))
        learning = [ReferenceLearning(plastic, steps) for plastic in program.plastic]
        recorded = {
            name: np.zeros((steps, n), dtype=np.int32) for name in ("v", "u") if name in probes
        }
        pending = np.zeros(n, dtype=np.int64)  # what learning synapses send on, with a step's delay
        for t in range(steps):
            arriving, pending = pending, np.zeros(n, dtype=np.int64)
            for block, matrix in zip(program.blocks, rows, strict=True):
                if t - 1 - block.delay < 0:
                    continue
                message = sent[t - block.delay]
                if not block.graded:
                    message = message != 0
                arriving += shift_sum(matrix @ message.astype(np.int64), block.weight_exp)
            mantissa = mantissas[np.searchsorted(starts, t, side="right") - 1]
            u, v, waiting, spikes = step(
                program, u, v, waiting, arriving.astype(np.int32), mantissa
            )
            sent[t + 1, :n] = spikes
            sent[t + 1, n:] = values[t]
            for part in learning:
                p = part.plastic
                message = sent[t + 1, p.source : p.source + p.n_pre]
                post = slice(p.target, p.target + p.n_post)
                pending[post] += part.deliver(message)
                part.step(t, message, spikes[post])
            for name, state in (("v", v), ("u", u)):
                if name in recorded:
                    recorded[name][t] = state
        at, who = np.nonzero(sent[1:, :n])
        return Trace(
            at.astype(np.int32),
            who.astype(np.int32),
            steps,
            n,
            recorded.get("v"),
            recorded.get("u"),
            {k: w for part in learning for k, w in part.learned().items()},
            inputs=inputs,
        )


def _input_values(inputs: SpikeInput, steps: int) -> Int:
    """Payloads by step and channel, (steps, n_inputs); 0 where nothing is sent."""
    values = np.zeros((steps, inputs.n_neurons), dtype=np.int32)
    inside = inputs.steps < steps
    values[inputs.steps[inside], inputs.neurons[inside]] = inputs.payload_values()[inside]
    return values
