"""A run that goes on later: `Session` keeps the state between runs, `State` is that state on disk.

``run(100)`` equals ``run(60)`` then ``run(40)`` bit for bit on every backend, also when the state
went through a file in between. Steps, of inputs and of traces, count from the start of each run.
A state belongs to a network, not to a backend: one that `native` saved goes on in `reference`,
and the other way round. `lava` keeps its state in Lava's own processes, which hand none out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.errors import SpecError
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import as_quantized, bias_rows, check_run
from hrsnn_lava.sim_backends.native.engine import Engine, NativeEngine, Stretch
from hrsnn_lava.sim_backends.runs.state_form import LAST_STEP
from hrsnn_lava.trace import UPDATES, SpikeInput, Trace

if TYPE_CHECKING:
    from hrsnn_lava.sim_backends.lava.backend import LavaBackend

#: A stretch holds at most this many neuron-steps: it bounds memory and the time to an interrupt.
STRETCH_VALUES = 1_000_000
BACKENDS = ("native", "reference", "lava")


@dataclass(frozen=True, eq=False)
class State(Saved):
    """Where a run stands: everything that the next step depends on.

    Attributes:
        step: steps since rest.
        network_digest: SHA-256 of the integer network; a state fits no other one.
        arrays: potentials, currents, refractory counts, spikes on their way, held values,
            learning; int32, named and laid out as `session_form` says, whatever the backend.
    """

    stage: ClassVar[str] = "state"

    step: int
    network_digest: str
    arrays: Mapping[str, NDArray[Any]]


class Session:
    """An integer network that keeps its state between runs.

    Works as a context manager too: `close` matters for `lava`, whose processes run on until then.

    Args:
        network: `CompiledNetwork` or verified `QuantizedNetwork`.
        state: where to go on; None starts from rest (u = v = 0).
        backend: ``native``, ``reference``, ``lava``, or a `LavaBackend` with a time limit of its
            own. On Lava the Processes stay paused between runs; each stretch of a run has the time
            limit to itself.

    Raises:
        SpecError: the state is one of another network, or the backend is unknown or takes none.
        ArtifactError: the state holds values that no run reaches.
        BackendMissingError: no Lava on this Python.
    """

    def __init__(
        self, network: Any, state: State | None = None, backend: str | LavaBackend = "native"
    ) -> None:
        self.network: QuantizedNetwork = as_quantized(network)
        self._engine = _engine(self.network, backend)
        self._driven = any(p.target == "bias" for p in self.network.projections)
        self._base = self.network.gather("bias_mant")[None, :]
        self._digest: str | None = None
        self._step = 0
        self._held = np.zeros(self.network.n_inputs, dtype=np.int32)
        if state is not None:
            self.restore(state)

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
        self._step = 0
        self._held = np.zeros(self.network.n_inputs, dtype=np.int32)

    def twin(self) -> Session:
        """A session at rest with a state of its own; the tables of synapses are shared."""
        twin = copy(self)
        twin._engine = self._engine.twin()
        twin._step, twin._held = 0, np.zeros_like(self._held)
        return twin

    def run(
        self,
        inputs: SpikeInput | None = None,
        steps: int = 1000,
        probes: Collection[str] = ("spikes",),
        keep_going: Callable[[], None] = lambda: None,
    ) -> Trace:
        """Run `steps` further steps.

        Args:
            inputs: events; step 0 is the first step of this run.
            steps: number of steps, >= 0.
            probes: as of `Backend.run`.
            keep_going: called before every stretch of steps; may raise to end the run.

        Raises:
            SpecError: as `Backend.run`, and beyond 2^31 - 1 steps since rest.
            BackendError: Lava failed now or before, or the session is closed.
        """
        given = check_run(self.network, inputs, steps, probes)
        parts = []
        for first in range(0, steps, self.stretch_steps):
            keep_going()
            count = min(self.stretch_steps, steps - first)
            parts.append((first, self.advance(part_of(given, first, count), probes)))
        at = [np.zeros(0, np.int32), *(p.spike_steps + np.int32(first) for first, p in parts)]
        who = [np.zeros(0, np.int32), *(p.spike_neurons for _, p in parts)]
        empty = np.zeros((0, self.network.n_neurons), dtype=np.int32)
        states = {
            name: np.concatenate([empty, *(getattr(p, name) for _, p in parts)])
            for name in ("v", "u")
            if name in probes
        }
        return Trace(
            np.concatenate(at),
            np.concatenate(who),
            steps,
            self.network.n_neurons,
            states.get("v"),
            states.get("u"),
            self.weights(),
            given,
            self.traces(),
            **joined_updates([part for _, part in parts]),
        )

    def advance(self, inputs: SpikeInput, probes: Collection[str] = ()) -> Trace:
        """Run the ``inputs.n_steps`` steps of one stretch, in one piece."""
        if self._step + inputs.n_steps > LAST_STEP:
            raise SpecError(
                f"{self._step + inputs.n_steps:,} steps since rest; allowed: {LAST_STEP:,}. "
                "Reset the session"
            )
        starts, mantissas, held = self._drive(inputs)
        trace = self._engine.advance(Stretch(self._step, inputs, starts, mantissas, probes))
        self._step, self._held = self._step + inputs.n_steps, held
        return trace

    def _drive(
        self, inputs: SpikeInput
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Bias mantissas of a stretch, with the values held from before, and those held after."""
        if not self._driven:
            return np.zeros(1, dtype=np.int64), self._base, self._held
        late = inputs.steps > 0
        values = inputs.payload_values()
        now, after = self._held.copy(), self._held.copy()
        now[inputs.neurons[~late]] = values[~late]
        channels = np.arange(now.size, dtype=np.int32)
        held = SpikeInput(
            np.append(np.zeros_like(channels), inputs.steps[late]),
            np.append(channels, inputs.neurons[late]),
            inputs.n_steps,
            inputs.n_neurons,
            np.append(now, values[late]),
        )
        after[inputs.neurons] = values  # sorted by step, so the last one of a channel stays
        return *bias_rows(self.network, held, inputs.n_steps), after

    def state(self) -> State:
        """A copy of the whole state.

        Raises:
            SpecError: on `lava`.
        """
        arrays = {"held": self._held.copy(), **self._engine.snapshot()}
        return State(self._step, self.network_digest, arrays)

    def restore(self, state: State) -> None:
        """Go back, or on, to a state of the same network, whichever backend it comes from.

        Raises:
            SpecError: another network's state, or on `lava`.
            ArtifactError: the state holds values that no run reaches.
        """
        if state.network_digest != self.network_digest:
            raise SpecError(
                f"the state is one of another network than {self.network.name!r} "
                f"({state.network_digest[:12]}, not {self.network_digest[:12]})"
            )
        self._engine.restore(state.step, state.arrays)
        self._step, self._held = state.step, state.arrays["held"].copy()

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network, as `CompiledNetwork.network_digest` has it."""
        if self._digest is None:
            self._digest = self.network.digest
        return self._digest

    def weights(self) -> dict[str, NDArray[np.int32]]:
        """Learned weights and tags now, (nnz,) each, named as in `Trace.weights`."""
        return self._engine.weights()

    def traces(self) -> dict[str, NDArray[np.int32]]:
        """Spike traces of learning projections now, named as in `Trace.traces`."""
        return self._engine.traces()


def joined_updates(parts: Sequence[Trace]) -> dict[str, NDArray[np.int32] | None]:
    """Counts by step over several stretches; None where one of them was not counted."""
    found: dict[str, NDArray[np.int32] | None] = {}
    for name in UPDATES:
        counts = [getattr(part, name) for part in parts]
        known = all(count is not None for count in counts)
        none = np.zeros(0, dtype=np.int32)
        found[name] = np.concatenate([none, *counts]) if known else None
    return found


def _engine(network: QuantizedNetwork, backend: str | LavaBackend) -> Engine:
    """The engine of a backend; what each needs is imported here, when it is asked for."""
    if backend == "native":
        return NativeEngine(network)
    if backend == "reference":
        from hrsnn_lava.sim_backends.reference.engine import ReferenceEngine

        return ReferenceEngine(network)
    from hrsnn_lava.sim_backends.lava.backend import LavaBackend
    from hrsnn_lava.sim_backends.lava.engine import LavaEngine

    if backend == "lava":
        backend = LavaBackend()
    if not isinstance(backend, LavaBackend):
        raise SpecError(f"unknown backend {backend!r}; allowed: {', '.join(BACKENDS)}")
    return LavaEngine(network, backend)


def part_of(inputs: SpikeInput, first: int, count: int) -> SpikeInput:
    """The events of steps ``first`` to ``first + count``, counted from `first`."""
    lo, hi = np.searchsorted(inputs.steps, (first, first + count))
    payloads = None if inputs.payloads is None else inputs.payloads[lo:hi]
    steps = inputs.steps[lo:hi] - np.int32(first)
    return SpikeInput(steps, inputs.neurons[lo:hi], count, inputs.n_neurons, payloads)
