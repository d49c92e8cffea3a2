"""The fast backend: numba kernels, equal to `reference` bit for bit.

`IntegerSimulator` and `FloatSimulator` keep their state between calls, which is what training
and closed loops need; `NativeBackend` runs a whole recording.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.errors import SpecError
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.integer_format import shift_sum
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import as_quantized, bias_rows, check_run, lower
from hrsnn_lava.sim_backends.native.layout import Events, Layout, flatten, integer_layout
from hrsnn_lava.sim_backends.native.learning_state import LearningState
from hrsnn_lava.trace import SpikeInput, Trace

Int = NDArray[np.int32]
Float = NDArray[np.float64]
Spikes = tuple[Int, Int]
#: Spikes and states are produced in stretches of at most this many values.
_CHUNK_VALUES = 4_000_000


class _Simulator:
    """State, history and buffers that both arithmetics share."""

    kind: Any = np.int32

    def __init__(self, n: int, n_inputs: int, layout: Layout) -> None:
        self.n_neurons, self.n_inputs = n, n_inputs
        self._layout = layout
        depth, n_sources = layout.depth, n + n_inputs
        self._u, self._v = (np.zeros(n, dtype=self.kind) for _ in range(2))
        self._waiting = np.zeros(n, dtype=np.int32)
        self._ring_source = np.zeros((depth, n_sources), dtype=np.int32)
        self._ring_value = np.zeros((depth, n_sources), dtype=self.kind)
        self._ring_count = np.zeros(depth, dtype=np.int64)
        self._arriving = np.zeros(n, dtype=self.kind)
        self._spiked = np.zeros(n, dtype=np.bool_)
        self._out: Spikes = (np.zeros(0, np.int32), np.zeros(0, np.int32))
        self._time = 0

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest at step 0; with `rng`, start from random potentials in [0, threshold)."""
        state: tuple[NDArray[Any], ...] = (self._u, self._v, self._waiting, self._ring_count)
        for array in state:
            array[:] = 0
        self._time = 0
        if rng is not None:
            self._v[:] = np.floor(rng.random(self.n_neurons) * self._threshold_values())

    def _threshold_values(self) -> NDArray[Any]:
        raise SpecError("a simulator must know its thresholds")

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the whole state, for `restore`."""
        parts = (self._u, self._v, self._waiting)
        ring = (self._ring_source, self._ring_value, self._ring_count)
        return (*(a.copy() for a in (*parts, *ring)), self._time)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state that `snapshot` returned."""
        parts: tuple[NDArray[Any], ...] = (self._u, self._v, self._waiting)
        parts = (*parts, self._ring_source, self._ring_value, self._ring_count)
        for array, saved in zip(parts, state[:-1], strict=True):
            array[:] = saved
        self._time = state[-1]

    def _buffers(self, n_steps: int) -> Spikes:
        if self._out[0].size < n_steps * self.n_neurons:
            size = n_steps * self.n_neurons
            self._out = (np.empty(size, np.int32), np.empty(size, np.int32))
        return self._out


class IntegerSimulator(_Simulator):
    """An integer network with its state.

    Args:
        network: verified `QuantizedNetwork` (or a `CompiledNetwork`).
        counting: count updates while running, see `advance`. Without it a step of a network that
            does not learn takes a little less; learning kernels always count.

    Attributes:
        updates: (steps, 2) int32, active and membrane updates of every step of the last call, as
            `hrsnn_lava.compiler.analysis.operations.activity` defines them; None when not counted.
    """

    kind = np.int32

    def __init__(self, network: Any, counting: bool = True) -> None:
        self.network: QuantizedNetwork = as_quantized(network)
        program = self._program = lower(self.network)
        super().__init__(program.n_neurons, program.n_inputs, integer_layout(program))
        self._counting = counting or bool(program.plastic)
        self.updates: Int | None = None
        if program.plastic:
            wide = self._layout.weights.astype(np.int16)
            self._layout = replace(self._layout, weights=wide)
        self._partial = np.zeros(program.n_neurons, dtype=np.int64)
        self._bias = program.bias_mant << program.bias_exp
        self._channels = _Channels(self.network)
        self._learning = (
            LearningState(program.plastic, program.n_neurons) if program.plastic else None
        )

    def _threshold_values(self) -> NDArray[Any]:
        return self._program.threshold

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """See `_Simulator.reset`; base biases and initial weights return too."""
        super().reset(rng)
        if self._learning is not None:
            self._learning.reset()
        self._bias[:] = self._program.bias_mant << self._program.bias_exp

    def run(self, x: Float, steps: int) -> Spikes:
        """Hold the analog input `x` (n_inputs,) for `steps` steps.

        Returns:
            steps (relative to the call) and neurons of the spikes, (S,) int32 each.
        """
        first = self._time
        mantissas = self._channels.mantissas(x)[None, :]
        at, who = self.advance(steps, Events.none(steps), np.array([first]), mantissas)
        return at - np.int32(first), who

    def advance(
        self,
        steps: int,
        events: Events,
        starts: NDArray[np.int64],
        mantissas: Int,
        out_v: Int | None = None,
        out_u: Int | None = None,
    ) -> Spikes:
        """Run `steps` steps; returns absolute steps and neurons of the spikes."""
        nothing = np.zeros((0, 0), dtype=np.int32)
        self.updates = np.empty((steps, 2), dtype=np.int32) if self._counting else None
        out = (
            *self._buffers(steps),
            nothing if out_v is None else out_v,
            nothing if out_u is None else out_u,
        )
        written = self._steps(steps, events, starts, mantissas, out)
        self._time += steps
        return out[0][:written].copy(), out[1][:written].copy()

    def _steps(
        self,
        steps: int,
        events: Events,
        starts: NDArray[np.int64],
        mantissas: Int,
        out: tuple[Int, ...],
    ) -> int:
        """Call the kernel; returns the number of spikes written to `out`."""
        program, layout = self._program, self._layout
        neurons: tuple[Any, ...] = (
            self.n_neurons,
            program.keep_u,
            program.keep_v,
            program.threshold,
            program.bias_exp,
            program.refractory,
            self._bias,
            starts,
            mantissas,
        )
        blocks: tuple[Any, ...] = (
            layout.delay,
            layout.shift,
            layout.graded,
            layout.indptr,
            layout.targets,
            layout.weights,
        )
        given = (events.ptr, events.source, events.value)
        state = (
            self._u,
            self._v,
            self._waiting,
            self._ring_source,
            self._ring_value,
            self._ring_count,
            self._arriving,
            self._partial,
            self._spiked,
        )
        if self._learning is not None:
            learning = self._learning
            if learning.pairs:
                from hrsnn_lava.sim_backends.native.learning_pairs import pair_steps as run
            else:
                from hrsnn_lava.sim_backends.native.learning_kernels import learning_steps as run
            draws = learning.draws(self._time, steps)
            tables = (learning.wiring, learning.rules, learning.memory, draws)
            # one type of weights and writable arrays: one kernel to compile, however it is called
            neurons = (*neurons[:-2], *(np.require(a, requirements="W") for a in neurons[-2:]))
            static = (neurons, blocks, state)
            return int(run(self._time, steps, static, given, (*out, self.updates), *tables))
        from hrsnn_lava.sim_backends.native.kernels import integer_steps

        arguments: tuple[Any, ...] = (*neurons, *blocks, *given, *state, *out, None, self.updates)
        return int(integer_steps(self._time, steps, *arguments))

    def learned(self) -> dict[str, Int]:
        """Weights of learning projections now, (nnz,) each, as `Trace.weights` has them.

        Tags that rules change are there as ``NAME/tag_1`` and ``NAME/tag_2``.
        """
        return {} if self._learning is None else self._learning.learned()

    def traces(self) -> dict[str, Int]:
        """Spike traces of learning projections now, as `Trace.traces` has them."""
        return {} if self._learning is None else self._learning.traces()

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the whole state, for `restore`; learning comes last, when there is any."""
        state = super().snapshot()
        return state if self._learning is None else (*state, self._learning.snapshot())

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state that `snapshot` returned."""
        if self._learning is None:
            super().restore(state)
            return
        super().restore(state[:-1])
        self._learning.restore(state[-1])


class _Channels:
    """Analog channel values to bias mantissas, as `quantized.drive_schedule` defines them."""

    def __init__(self, network: QuantizedNetwork) -> None:
        self._base = network.gather("bias_mant").astype(np.int64)
        scales = [getattr(p, "payload_scale", None) or 1.0 for p in network.input_populations]
        sizes = [p.size for p in network.input_populations]
        self._scale = np.repeat(scales, sizes)
        self._parts = []
        for projection in network.projections:
            if projection.target == "bias":
                pre, post = network.offset(projection.pre), network.offset(projection.post)
                n_post, n_pre = projection.weights.shape
                self._parts.append(
                    (
                        projection.weights.astype(np.int64),
                        slice(pre, pre + n_pre),
                        slice(post, post + n_post),
                        projection.weight_exp,
                    )
                )

    def payloads(self, x: Float) -> NDArray[np.int64]:
        """Integer payloads of analog values, (n_inputs,)."""
        counts: NDArray[np.int64] = np.rint(x * self._scale).astype(np.int64)
        return counts

    def mantissas(self, x: Float) -> Int:
        """Bias mantissas of all neurons while `x` is held, (n_neurons,)."""
        values, total = self.payloads(x), self._base.copy()
        for matrix, pre, post, exponent in self._parts:
            total[post] += shift_sum(matrix @ values[pre], exponent)
        return np.clip(total, *RANGES["bias_mant"]).astype(np.int32)


class FloatSimulator(_Simulator):
    """A float network with its state, in the form in which Lava's float LIF computes.

    The potential is kept as v / (1 - beta): ``u = u alpha + a; v = v beta + u + bias``, and the
    threshold is v_threshold / (1 - beta). This is the same dynamics as `network` documents.

    Args:
        network: verified `Network`; its plastic projections act with the weights they have.

    Attributes:
        bias: (n_neurons,) current biases, may be replaced between runs (homeostasis).
    """

    kind = np.float64

    def __init__(self, network: Network) -> None:
        self.network = network
        n, n_in, dt = network.n_neurons, network.n_inputs, network.dt
        super().__init__(n, n_in, float_layout(network))
        tau_mem, tau_syn = network.gather("tau_mem"), network.gather("tau_syn")
        with np.errstate(divide="ignore"):
            self._keep_u = 1.0 - (1.0 - np.exp(-dt / tau_syn))
        leak = 1.0 - np.exp(-dt / tau_mem)
        self._keep_v = 1.0 - leak
        self._threshold: Float = network.gather("v_threshold") / leak
        self._leak = leak
        self._refractory = np.rint(network.gather("refractory") / dt).astype(np.int32)
        self.bias: Float = network.gather("bias").copy()
        self._drive = _drive_matrix(network)

    def _threshold_values(self) -> NDArray[Any]:
        return self._threshold

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest; with `rng`, start from random potentials in [0, threshold)."""
        super().reset(None)
        if rng is not None:
            self._v[:] = rng.random(self.n_neurons) * self._threshold

    def run(self, x: Float, steps: int) -> Spikes:
        """Hold the analog input `x` (n_inputs,) for `steps` steps; spikes relative to the call."""
        first = self._time
        at, who = self.advance(steps, Events.none(steps, np.float64), self.bias + self._drive @ x)
        return at - np.int32(first), who

    def advance(
        self,
        steps: int,
        events: Events,
        bias: Float,
        out_v: Float | None = None,
        out_u: Float | None = None,
    ) -> Spikes:
        """Run `steps` steps with constant `bias` (n_neurons,); absolute steps and neurons."""
        layout, nothing = self._layout, np.zeros((0, 0))
        out_step, out_neuron = self._buffers(steps)
        from hrsnn_lava.sim_backends.native.kernels import float_steps

        written = float_steps(
            self._time,
            steps,
            self.n_neurons,
            self._keep_u,
            self._keep_v,
            self._threshold,
            self._refractory,
            bias,
            layout.delay,
            layout.indptr,
            layout.targets,
            layout.weights,
            events.ptr,
            events.source,
            events.value.astype(np.float64),
            self._u,
            self._v,
            self._waiting,
            self._ring_source,
            self._ring_value,
            self._ring_count,
            self._arriving,
            self._spiked,
            out_step,
            out_neuron,
            nothing if out_v is None else out_v,
            nothing if out_u is None else out_u,
        )
        self._time += steps
        return out_step[:written].copy(), out_neuron[:written].copy()

    @property
    def potential(self) -> Float:
        """Membrane potentials in the network's unit, (n_neurons,)."""
        values: Float = self._v * self._leak
        return values


def float_layout(network: Network) -> Layout:
    """Synapses of a float network by delay; every source sends the value 1 or its payload."""
    n, n_in = network.n_neurons, network.n_inputs
    pieces: dict[int, list[Any]] = {}
    for projection in network.projections:
        if projection.target != "synapse":
            continue
        pre = network.offset(projection.pre)
        pre += n if network.population(projection.pre).is_input else 0
        coo = projection.weights.tocoo()
        steps = np.zeros(coo.nnz, dtype=np.int64)
        if projection.delays is not None:
            steps += np.rint(np.asarray(projection.delays) / network.dt).astype(np.int64)
        post = network.offset(projection.post)
        for delay in np.unique(steps):
            mine = steps == delay
            entry = (coo.data[mine], (coo.row[mine] + post, coo.col[mine] + pre))
            pieces.setdefault(int(delay), []).append(entry)
    matrices = []
    for parts in (pieces[delay] for delay in sorted(pieces)):
        data = np.concatenate([part[0] for part in parts])
        rows, cols = (np.concatenate([part[1][k] for part in parts]) for k in (0, 1))
        matrices.append(sparse.csc_matrix((data, (rows, cols)), shape=(n, n + n_in)))
    zeros = [0] * len(matrices)
    layout = flatten(matrices, sorted(pieces), zeros, [True] * len(matrices), (n, n + n_in))
    weights = layout.weights.astype(np.float64)
    return Layout(layout.indptr, layout.targets, weights, layout.delay, layout.shift, layout.graded)


def _drive_matrix(network: Network) -> sparse.csr_matrix:
    """All ``target="bias"`` projections as one (n_neurons, n_inputs) matrix."""
    total = sparse.csr_matrix((network.n_neurons, network.n_inputs))
    for projection in network.projections:
        if projection.target != "bias":
            continue
        coo = projection.weights.tocoo()
        rows = coo.row + network.offset(projection.post)
        cols = coo.col + network.offset(projection.pre)
        total = total + sparse.csr_matrix((coo.data, (rows, cols)), shape=total.shape)
    return total


class NativeBackend:
    """Whole recordings on the integer kernel."""

    name = "native"

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
        simulator = IntegerSimulator(network)
        n = simulator.n_neurons
        starts, mantissas = bias_rows(network, inputs, steps)
        states = {p: np.zeros((steps, n), dtype=np.int32) for p in ("v", "u") if p in probes}
        spikes: list[Spikes] = []
        updates = np.zeros((steps, 2), dtype=np.int32)
        chunk = max(1, _CHUNK_VALUES // n)
        for first in range(0, steps, chunk):
            count = min(chunk, steps - first)
            part = {name: array[first : first + count] for name, array in states.items()}
            events = Events.of(inputs, first, count, n)
            spikes.append(
                simulator.advance(count, events, starts, mantissas, part.get("v"), part.get("u"))
            )
            updates[first : first + count] = simulator.updates
        empty = np.zeros(0, np.int32)
        at = np.concatenate([empty, *(s[0] for s in spikes)])
        who = np.concatenate([empty, *(s[1] for s in spikes)])
        learned, traces = simulator.learned(), simulator.traces()
        v, u = states.get("v"), states.get("u")
        return Trace(at, who, steps, n, v, u, learned, inputs, traces, *updates.T.copy())
