"""Runs on any engine: `simulate` for one from rest, `Session` for one that goes on later.

``run(100)`` equals ``run(60)`` then ``run(40)`` bit for bit on every engine, also when the state
went through a file in between. Steps, of inputs and of traces, count from the start of each run.
A `State` belongs to a network, not to an engine: one that `native` saved goes on in `reference`,
and the other way round. Lava keeps its state in its own processes, which hand none out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.compiler.analysis.run_findings import run_findings
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.fields import locked
from hrsnn_lava.findings import warn, worst_first
from hrsnn_lava.integer_format import POTENTIAL_MAX
from hrsnn_lava.notebook import brief
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork, drive_schedule, in_counts
from hrsnn_lava.sim_backends.base import (
    LAST_STEP,
    Backend,
    Stretch,
    backend_of,
    check_run,
    opened,
    require_backend,
    run_steps,
    runnable,
)
from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.state import Field, at_rest
from hrsnn_lava.trace import LOSSES, STATES, UPDATES, Origin, SpikeInput, Trace, summed_losses

#: A stretch holds at most this many neuron-steps: it bounds memory and the time to an interrupt.
STRETCH_VALUES = 1_000_000
#: The engine that counts wraps and saturations where another one does not.
_COUNTING = "native"
#: Steps of a run that may be a piece of one: that no neuron spiked in so few says nothing.
_PIECE = 100


def simulate(
    network: Any,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    backend: str | Backend = "native",
    probes: Collection[str] = ("spikes",),
    progress: Progress = silent,
) -> Trace:
    """Run `steps` steps from rest (u = v = 0) and return the whole trace.

    Args:
        network: `CompiledNetwork` or `QuantizedNetwork`; checked here, once.
        inputs: events for the input populations; None for none.
        steps: number of steps, >= 0; events after them are ignored. None: those of the input, or
            `DEFAULT_STEPS` without one.
        backend: name of an engine, or a `Backend` with options of its own.
        probes: any of ``spikes`` (always recorded), ``v``, ``u``.
        progress: told how far the run is, before every stretch of it.

    Raises:
        SpecError: unknown engine or probe, inputs of another width than the network's, or learning
            with several profiles and a negative exponent.
        NetworkError: the network contradicts itself.
        CapacityError: the engine cannot express the network.
        BackendMissingError, BackendError: the engine cannot run here, or failed.
    """
    with Session(network, backend=backend) as session:
        steps = run_steps(inputs, steps)
        moving = session.telling(progress, f"simulate: {session.backend.name}", steps)
        return session.quiet_run(inputs, steps, probes, moving)


def told(trace: Trace, network: QuantizedNetwork) -> Trace:
    """The trace of a run of `network` with what a user has to know of it, the worst first."""
    return replace(trace, findings=worst_first(run_findings(network, trace, trace.n_steps)))


@brief("step", "network_digest", "arrays")
@dataclass(frozen=True, eq=False)
class State(Saved):
    """Where a run stands: everything that the next step depends on.

    Attributes:
        step: steps since rest.
        network_digest: SHA-256 of the integer network; a state fits no other one.
        arrays: potentials, currents, refractory counts, spikes on their way, held values,
            learning; int32, named and laid out as `hrsnn_lava.sim_backends.state` says.
    """

    stage: ClassVar[str] = "state"

    step: int
    network_digest: str
    arrays: Mapping[str, NDArray[Any]]


@brief("network=network.name", "backend=backend.name", "step")
class Session:
    """An integer network that keeps its state between runs.

    Works as a context manager too: `close` matters for Lava, whose processes run on until then.

    Args:
        network: `CompiledNetwork` or `QuantizedNetwork`; checked here, once.
        state: where to go on; None starts from rest (u = v = 0).
        backend: name of an engine, or a `Backend` with options of its own, such as a `LavaBackend`
            with a time limit. On Lava the Processes stay paused between runs; each stretch of a
            run has the time limit to itself.

    Raises:
        SpecError: no such engine, one that takes no state, or the state of another network.
        NetworkError: the network contradicts itself.
        ArtifactError: the state holds values that no run reaches.
        CapacityError: the engine cannot express the network.
        BackendMissingError: the engine cannot run here.
    """

    def __init__(
        self, network: Any, state: State | None = None, backend: str | Backend = "native"
    ) -> None:
        self.network: QuantizedNetwork = runnable(network)
        self.backend = backend_of(backend)
        if state is not None:
            self._check_state(state)
        self.backend.check(self.network)
        self._engine = opened(require_backend(self.backend), self.network)
        self._driven = any(p.target == "bias" for p in self.network.projections)
        self._base = self.network.gather("bias_mant")[None, :]
        self._said: frozenset[tuple[str, str]] = frozenset()
        self._rest()
        if state is not None:
            self.restore(state)

    def _rest(self) -> None:
        self._step = 0
        self._held = np.zeros(self.network.n_inputs, dtype=np.int32)
        self._shadow: Session | None = None
        self._counted = True

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End Lava's processes; their state is lost and `reset` starts anew. Others hold none."""
        self._engine.close()

    @property
    def step(self) -> int:
        """Steps since rest."""
        return self._step

    @property
    def stretch_steps(self) -> int:
        """How many steps `run` takes at a time."""
        return max(1, STRETCH_VALUES // (self.network.n_neurons + self.network.n_inputs))

    def reset(self) -> None:
        """Return to rest: no current, no potential, no spike on its way, initial weights."""
        self._engine.reset()
        self._rest()

    def rest(self, potentials: NDArray[np.int32] | None = None) -> None:
        """Go to rest with the weights that were learned; the steps count on, and with them the
        random numbers of learning rules.

        Args:
            potentials: (n_neurons,) int32 to start with; None: 0.

        Raises:
            SpecError: an engine that hands out no states.
            ArtifactError: potentials that no run reaches.
        """
        self._require_states()
        n, held = self.network.n_neurons, np.zeros(self.network.n_inputs, dtype=np.int32)
        v = np.zeros(n, dtype=np.int32) if potentials is None else potentials
        if fault := Field((n,), -POTENTIAL_MAX, POTENTIAL_MAX).fault(v):
            problem = Problem("potentials", fault.measured, fault.allowed)
            raise ArtifactError("no run reaches them", problems=[problem])
        if not self._engine.rest(v):
            arrays = at_rest(self._engine.snapshot())
            self._engine.restore(self._step, arrays | {"v": v, "held": held})
        self._held = held

    def twin(self) -> Session:
        """A session at rest with a state of its own; the tables of synapses are shared."""
        twin = copy(self)
        twin._engine = self._engine.twin()
        twin._rest()
        return twin

    def run(
        self,
        inputs: SpikeInput | None = None,
        steps: int | None = None,
        probes: Collection[str] = ("spikes",),
        keep_going: Callable[[], None] = lambda: None,
    ) -> Trace:
        """Run `steps` further steps.

        What one has to know of them is in `findings` of the trace; a session gives a
        `FindingWarning` of each once. Of fewer than 100 steps only wraps and saturations are
        told, since a closed loop goes step by step.

        Args:
            inputs: events; step 0 is the first step of this run.
            steps: number of steps, >= 0; None: as of `simulate`.
            probes: as of `simulate`.
            keep_going: called before every stretch of steps; may raise to end the run.

        Raises:
            SpecError: as `simulate`, and beyond 2^31 - 1 steps since rest.
            BackendError: the engine failed now or before, or the session is closed.
        """
        trace = self.quiet_run(inputs, steps, probes, keep_going)
        short = trace.n_steps < _PIECE
        losses = [getattr(trace, name) for name in LOSSES]
        if short and not any(count is None or count.any() for count in losses):
            return trace
        trace = told(trace, self.network)
        if short:
            known = [f for f in trace.findings if not f.kind.startswith("silent")]
            trace = replace(trace, findings=tuple(known))
        new = [f for f in trace.findings if (f.kind, f.where) not in self._said]
        self._said |= {(finding.kind, finding.where) for finding in new}
        warn(new)
        return trace

    def quiet_run(
        self,
        inputs: SpikeInput | None = None,
        steps: int | None = None,
        probes: Collection[str] = ("spikes",),
        keep_going: Callable[[], None] = lambda: None,
    ) -> Trace:
        """`run` without findings, for what tells them itself."""
        (whole, steps), n = check_run(self.network, inputs, steps, probes), self.network.n_neurons
        states = tuple(probe for probe in STATES if probe in probes)
        if 0 < steps <= self.stretch_steps:
            keep_going()
            trace = self._advance(part_of(whole, 0, steps), states)
        else:
            rows = {name: np.empty((steps, n), dtype=np.int32) for name in states}
            parts = []
            for first in range(0, steps, self.stretch_steps):
                keep_going()
                count = min(self.stretch_steps, steps - first)
                part = self._advance(part_of(whole, first, count), states)
                for name, values in rows.items():
                    values[first : first + count] = getattr(part, name)
                parts.append(replace(part, v=None, u=None))  # or memory would hold them twice
            for values in rows.values():
                locked(values)
            trace = replace(joined(parts, n), v=rows.get("v"), u=rows.get("u"))
        return replace(
            trace,
            weights=self.weights(),
            inputs=whole,
            traces=self.traces(),
            origin=Origin(self.network),
        )

    def telling(self, progress: Progress, text: str, steps: int) -> Callable[[], None]:
        """A `keep_going` for a run of `steps` steps from here: it tells how far the run is."""
        first = self._step
        return lambda: progress(text, (self._step - first) / steps if steps else 1.0)

    def advance(self, inputs: SpikeInput, probes: Collection[str] = ()) -> Trace:
        """Run the ``inputs.n_steps`` steps of one stretch, in one piece; `probes`: "v", "u"."""
        if inputs.n_neurons != self.network.n_inputs:
            check_run(self.network, inputs, inputs.n_steps, probes)
        return replace(self._advance(inputs, probes), origin=Origin(self.network))

    def _advance(self, inputs: SpikeInput, probes: Collection[str]) -> Trace:
        if self._step + inputs.n_steps > LAST_STEP:
            raise SpecError(
                f"{self._step + inputs.n_steps:,} steps since rest; allowed: {LAST_STEP:,}. "
                "Reset the session"
            )
        self.network.require_unaltered()
        inputs = in_counts(self.network, inputs)
        starts, mantissas, held_values = self._drive(inputs)
        stretch = Stretch(self._step, inputs, starts, mantissas, probes)
        with registry.guarded("engine", self.backend.name):
            trace = self._engine.advance(stretch)
        if not isinstance(trace, Trace):
            text = f"advance gave {type(trace).__name__}; allowed: a {Trace.__module__}.Trace"
            raise registry.failure("engine", self.backend.name, text)
        if trace.wraps is None:
            trace = self._with_losses(trace, inputs)
        self._step, self._held = self._step + inputs.n_steps, held_values
        return trace

    def _with_losses(self, trace: Trace, inputs: SpikeInput) -> Trace:
        """The trace of a stretch with wraps and saturations, for engines that do not count them.

        A session on the default engine runs along: where it sends the same spikes, its counts hold.
        """
        if self._counted and self._shadow is None and self.backend.name != _COUNTING:
            self._shadow = Session(self.network, backend=_COUNTING)
            if self._step:
                self._counted = False  # it began somewhere else
        if not self._counted or self._shadow is None:
            return trace
        again = self._shadow.advance(inputs)
        same = [
            np.array_equal(getattr(again, name), getattr(trace, name))
            for name in ("spike_steps", "spike_neurons")
        ]
        same.append(np.array_equal(again.payload_values(), trace.payload_values()))
        if not all(same) or again.wraps is None:
            self._counted = False
            return trace
        return replace(trace, wraps=again.wraps, saturations=again.saturations)

    def _drive(
        self, inputs: SpikeInput
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Bias mantissas of a stretch, with the values held from before, and those held after."""
        if not self._driven:
            return np.zeros(1, dtype=np.int64), self._base, self._held
        starts, mantissas = drive_schedule(self.network, inputs, inputs.n_steps, self._held)
        after = self._held.copy()
        after[inputs.neurons] = inputs.payload_values()  # sorted by step: the last one stays
        return starts.astype(np.int64), mantissas, after

    def state(self) -> State:
        """A copy of the whole state; raises `SpecError` on an engine that hands none out."""
        self._require_states()
        arrays = {"held": self._held.copy(), **self._engine.snapshot()}
        return State(self._step, self.network_digest, arrays)

    def restore(self, state: State) -> None:
        """Go back, or on, to a state of the same network, whichever engine it comes from.

        Raises:
            SpecError: another network's state, or an engine that takes none.
            ArtifactError: the state holds values that no run reaches.
        """
        self._check_state(state)
        self._engine.restore(state.step, state.arrays)
        self._step, self._held = state.step, state.arrays["held"].copy()

    def _check_state(self, state: State) -> None:
        self._require_states()
        if state.network_digest != self.network_digest:
            raise SpecError(
                f"the state is one of another network than {self.network.name!r} "
                f"({state.network_digest[:12]}, not {self.network_digest[:12]})"
            )

    def _require_states(self) -> None:
        if not self.backend.keeps_state:
            others = [name for name in registry.names("engine") if backend_of(name).keeps_state]
            raise SpecError(
                f"backend {self.backend.name}: its state stays where it runs; "
                f"save and restore states with {' or '.join(others)}"
            )

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network, as `CompiledNetwork.network_digest` has it."""
        return self.network.digest

    def weights(self) -> dict[str, NDArray[np.int32]]:
        """Learned weights and tags now, (nnz,) each, named as in `Trace.weights`."""
        return self._engine.weights()

    def traces(self) -> dict[str, NDArray[np.int32]]:
        """Spike traces of learning projections now, named as in `Trace.traces`."""
        return self._engine.traces()


def joined(parts: Sequence[Trace], n_neurons: int) -> Trace:
    """The stretches of one run, each counting its steps from its own start, as one trace.

    Spikes, and counts by step where all stretches have them; no states.
    """
    firsts = np.cumsum([0, *(part.n_steps for part in parts)], dtype=np.int32)
    none = np.zeros(0, dtype=np.int32)
    updates = {name: [getattr(part, name) for part in parts] for name in UPDATES}
    counts = {
        name: np.concatenate([none, *columns])
        for name, columns in updates.items()
        if all(column is not None for column in columns)
    }
    at = (part.spike_steps + first for part, first in zip(parts, firsts[:-1], strict=True))
    several = any(part.payloads is not None for part in parts)
    sent = [part.payload_values() for part in parts] if several else []
    return Trace(
        np.concatenate([none, *at]),
        np.concatenate([none, *(part.spike_neurons for part in parts)]),
        int(firsts[-1]),
        n_neurons,
        active_updates=counts.get("active_updates"),
        membrane_updates=counts.get("membrane_updates"),
        **summed_losses(parts, n_neurons),
        payloads=np.concatenate([none, *sent]) if several else None,
    )
