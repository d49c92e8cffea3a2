"""Integer networks on the numba kernels.

`IntegerSimulator` keeps its state between calls, which is what training and closed loops need;
`NativeEngine` is the same for sessions and whatever else `runs` offers.
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.fields import locked, real_values
from hrsnn_lava.integer_format import INT32, STATE_UNIT, STATE_WRAP
from hrsnn_lava.quantized import HeldInput, QuantizedNetwork, unit_counts
from hrsnn_lava.resets import require_single_spikes
from hrsnn_lava.sim_backends.base import Engine, Program, Stretch, check_run, lower, runnable
from hrsnn_lava.sim_backends.learning_program import Arrays
from hrsnn_lava.sim_backends.native.layout import (
    Events,
    Int,
    NetworkState,
    Neurons,
    Spikes,
    integer_synapses,
    largest_magnitude,
    most_that_arrives,
)
from hrsnn_lava.sim_backends.native.learning import LearningState
from hrsnn_lava.sim_backends.state import check_state, messages, sent_by_age
from hrsnn_lava.trace import SpikeInput, Trace

Float = NDArray[np.float64]


class IntegerSimulator(NetworkState):
    """An integer network with its state.

    Args:
        network: `QuantizedNetwork` or `CompiledNetwork`; checked here, once.
        counting: count updates while running, see `advance`. Without it a step of a network that
            does not learn takes a little less; learning kernels always count.
        several: whoever runs it reads `sent`, too. Otherwise a network whose neurons may send
            several spikes in a step is refused: all but one of them would be lost unseen.

    Attributes:
        program: the lowered network.
        learning: its learning projections, None without any.
        updates: (steps, 2) int32, active and membrane updates of every step of the last call, as
            `hrsnn_lava.compiler.analysis.operations.activity` defines them; None when not counted.
        losses: (2, n_neurons) int64, of the last call: how often each current wrapped, and in how
            many steps each potential was at an end, as `Trace.saturations` counts them.
    """

    def __init__(self, network: Any, counting: bool = True, several: bool = False) -> None:
        self.network: QuantizedNetwork = runnable(network)
        if not several:
            require_single_spikes(self.network, "this part of the program")
        program: Program = lower(self.network)
        self.program = program
        neurons = Neurons(
            program.keep_u, program.keep_v, program.threshold, program.refractory, program.reset
        )
        past = program.past_steps + 1
        super().__init__(neurons, integer_synapses(program), program.n_inputs, past)
        self._most = plain, graded = most_that_arrives(program)
        most = np.inf if graded else plain * STATE_UNIT
        self.run_arrays.scratch.wide[:2] = most >= STATE_WRAP, most >= 2**31
        self._counting = counting or bool(program.plastic)
        self.updates: Int | None = None
        self.losses: NDArray[np.int64] = self.run_arrays.scratch.losses
        self._bias = program.bias_mant << program.bias_exp
        self._held = HeldInput(self.network)
        scales = [getattr(p, "payload_scale", None) or 1.0 for p in self.network.input_populations]
        self._scale = np.repeat(scales, [p.size for p in self.network.input_populations])
        self._units = unit_counts(self.network)
        self.learning = LearningState(program.plastic, self.n_neurons) if program.plastic else None

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest at step 0, base biases and initial weights.

        With `rng`, start from random potentials in [0, threshold).
        """
        super().reset()
        self.run_arrays.scratch.wide[2] = False
        if rng is not None:
            potential = rng.random(self.n_neurons) * self.program.threshold
            self.run_arrays.potentials.v[:] = np.floor(potential)
        if self.learning is not None:
            self.learning.reset()
        self._bias[:] = self.program.bias_mant << self.program.bias_exp

    def rest(self, potentials: Int) -> None:
        """Go to rest with weights, tags and the number of steps as they are.

        Args:
            potentials: (n_neurons,) to start with.
        """
        time = self.time
        super().reset()
        self.time = time
        self.run_arrays.scratch.wide[2] = False
        self.run_arrays.potentials.v[:] = potentials
        if self.learning is not None:
            self.learning.rest()

    def run(self, x: Float, steps: int) -> Spikes:
        """Hold the analog input `x` (n_inputs,) for `steps` steps.

        Returns:
            steps (relative to the call) and neurons of the spikes, (S,) int32 each.

        Raises:
            SpecError: `x` is no number a channel, or one that has no count of 32 bits.
        """
        first = self.time
        payloads = self._payloads(x)
        mantissas = self._held.mantissas(payloads)[None, :]
        at, who = self.advance(steps, Events.none(steps), np.array([first]), mantissas)
        return at - np.int32(first), who

    def _payloads(self, x: Float) -> NDArray[np.int64]:
        """Payload counts of held values, (n_inputs,)."""
        values = real_values("x", x, error=SpecError)
        if values.shape != (self.n_inputs,):
            raise SpecError(f"x: shape {values.shape}; allowed: ({self.n_inputs},), one a channel")
        counts: Float = np.rint(values * self._scale)
        if not (np.abs(counts) <= INT32[1]).all():  # NaN compares as false
            raise SpecError("x: no finite number, or beyond the 32 bits of a payload")
        payloads: NDArray[np.int64] = counts.astype(np.int64)
        return payloads

    def run_events(self, inputs: SpikeInput, first: int, steps: int) -> Spikes:
        """Run over steps `first` to ``first + steps`` of a recording; analog inputs hold 0.

        Returns:
            steps (relative to the call) and neurons of the spikes, (S,) int32 each.

        Raises:
            SpecError: `inputs` has another number of channels than the network.
        """
        check_run(self.network, inputs, steps)
        start = self.time
        at_rest = self._held.mantissas(np.zeros(self.n_inputs, dtype=np.int64))[None, :]
        events = Events.of(inputs, first, steps, self.n_neurons)
        if inputs.payloads is None and self._units is not None:
            events = events._replace(value=self._units[events.source - self.n_neurons])
        at, who = self.advance(steps, events, np.array([start]), at_rest)
        return at - np.int32(start), who

    def advance(
        self,
        steps: int,
        events: Events,
        starts: NDArray[np.int64],
        mantissas: Int,
        out_v: Int | None = None,
        out_u: Int | None = None,
    ) -> Spikes:
        """Run `steps` steps; returns absolute steps and neurons of the spikes.

        Args:
            events: counted from the first of these steps.
            starts, mantissas: row k of `mantissas` (K, n_neurons) holds from step ``starts[k]``
                since rest.
            out_v, out_u: (steps, n_neurons), filled where given.
        """
        self.updates = np.empty((steps, 2), dtype=np.int32) if self._counting else None
        self.losses[:] = 0
        self._expect(events)
        out = self.out(steps, out_v, out_u)
        # writable arrays alone: one kernel to compile, however it is called
        starts = starts if starts.flags.writeable else starts.copy()
        mantissas = mantissas if mantissas.flags.writeable else mantissas.copy()
        drive = (self.program.bias_exp, self._bias, starts, mantissas)
        call, arrays = (self.time, steps, self.updates), (*self.arrays, *drive, *events, *out)
        if self.learning is None:
            from hrsnn_lava.sim_backends.native.kernels import run_integers

            count = int(run_integers(*call, *arrays))
        else:
            wiring, rules, memory, draws = self.learning.arrays(self.time, steps)
            if self.learning.pairs:
                from hrsnn_lava.sim_backends.native.learning_pairs import pair_steps

                count = int(pair_steps(*call, wiring, rules, memory, draws, *arrays))
            else:
                from hrsnn_lava.sim_backends.native.learning_kernels import learning_steps

                factors = self.learning.factors
                count = int(learning_steps(*call, wiring, rules, memory, draws, factors, *arrays))
        self.time += steps
        return self.written(count)

    def _expect(self, events: Events) -> None:
        """Find out whether sums of this call may leave 32 bits, see `Scratch`."""
        scratch, (plain, graded) = self.run_arrays.scratch, self._most
        sent = (events.value, self.run_arrays.ring.value) if graded else ()
        payload = max((largest_magnitude(values) for values in sent), default=0)
        if graded and self.program.most is not None:
            payload = max(payload, int(self.program.most.max(initial=1)))
        exact = plain + graded * payload >= 2**31
        if exact and not scratch.wide[2] and self.learning is not None:
            scratch.later[:] = self.learning.memory.pending
        scratch.wide[2] = exact

    def learned(self) -> dict[str, Int]:
        """Learned weights now, (nnz,) each, and tags that rules change, as in `Trace.weights`."""
        return {} if self.learning is None else self.learning.learned()

    def twin(self) -> IntegerSimulator:
        """Another one at rest, with arrays of its own for all that changes."""
        run, learning = self.run_arrays, self.learning
        shared_objects: tuple[Any, ...] = (self.network, self.program, self._held)
        shared_objects += (
            run.neurons,
            run.synapses,
            *(() if learning is None else learning.shared),
        )
        twin = deepcopy(self, {id(value): value for value in shared_objects})
        twin.reset()
        return twin

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the whole state, for `restore`; learning comes last, when there is any."""
        state = super().snapshot()
        return state if self.learning is None else (*state, self.learning.snapshot())

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state that `snapshot` returned."""
        self.run_arrays.scratch.wide[2] = False
        if self.learning is None:
            super().restore(state)
        else:
            super().restore(state[:-1])
            self.learning.restore(state[-1])


class NativeEngine(Engine):
    """The kernels' ring of messages and their order of synapses stay in here.

    Args:
        network: verified.
        counting: see `IntegerSimulator`.
    """

    def __init__(self, network: QuantizedNetwork, counting: bool = True) -> None:
        self._simulator = IntegerSimulator(network, counting, several=True)

    def reset(self) -> None:
        """See `Engine.reset`."""
        self._simulator.reset()

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`."""
        simulator = self._simulator
        steps, n = stretch.steps, simulator.n_neurons
        states = {p: np.empty((steps, n), dtype=np.int32) for p in stretch.probes}
        v, u = states.get("v"), states.get("u")
        events, starts = Events.of(stretch.inputs, 0, steps, n), stretch.starts + stretch.first
        at, who = simulator.advance(steps, events, starts, stretch.mantissas, v, u)
        at -= np.int32(stretch.first)
        updates = simulator.updates
        active, membrane = (None, None) if updates is None else updates.T.copy()
        for array in (at, who, *states.values()):  # a trace copies what can be written to
            locked(array)
        return Trace(
            at,
            who,
            steps,
            n,
            v,
            u,
            inputs=stretch.inputs,
            active_updates=active,
            membrane_updates=membrane,
            wraps=simulator.losses[0].copy(),
            saturations=simulator.losses[1].copy(),
            payloads=None if simulator.sent is None else locked(simulator.sent),
        )

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return self._simulator.learned()

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        learning = self._simulator.learning
        return {} if learning is None else learning.traces()

    def twin(self) -> NativeEngine:
        """See `Engine.twin`; the program and the tables of synapses are shared."""
        twin = copy(self)
        twin._simulator = self._simulator.twin()
        return twin

    def rest(self, potentials: Int) -> bool:
        """See `Engine.rest`."""
        self._simulator.rest(potentials)
        return True

    def snapshot(self) -> dict[str, Int]:
        """See `Engine.snapshot`."""
        simulator, (u, v, waiting) = self._simulator, self._simulator.run_arrays.potentials
        source, value, count = simulator.run_arrays.ring
        past = range(simulator.program.past_steps)
        slots = [(simulator.time - 1 - age) % count.size for age in past]
        sent = [(source[k, : count[k]], value[k, : count[k]]) for k in slots]
        state = {"u": u.copy(), "v": v.copy(), "waiting": waiting.copy(), **messages(sent)}
        return state | ({} if simulator.learning is None else simulator.learning.snapshot())

    def restore(self, step: int, arrays: Arrays) -> None:
        """See `Engine.restore`."""
        simulator = self._simulator
        check_state(simulator.program, step, arrays)
        before = simulator.snapshot()
        source, value, count = (np.zeros_like(array) for array in before[3:6])
        for age, (sources, values) in enumerate(sent_by_age(arrays, simulator.program.past_steps)):
            slot = (step - 1 - age) % count.size
            source[slot, : sources.size], value[slot, : sources.size] = sources, values
            count[slot] = sources.size
        state = (arrays["u"], arrays["v"], arrays["waiting"], source, value, count, step)
        try:
            simulator.restore(state if simulator.learning is None else (*state, arrays))
        except ArtifactError:
            simulator.restore(before)
            raise
