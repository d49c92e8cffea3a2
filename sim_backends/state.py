"""A run that goes on later: `Session` keeps the state between runs, `State` is that state on disk.

``run(100)`` equals ``run(60)`` then ``run(40)`` bit for bit, also when the state went through a
file in between. Steps, of inputs and of traces, count from the start of each run. Only `native`
offers this: `reference` and `lava` always start from rest, they are there to be compared with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifact import Artifact, encode, write_artifact
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import as_quantized, bias_rows, check_run
from hrsnn_lava.sim_backends.layout import Events
from hrsnn_lava.sim_backends.native import IntegerSimulator
from hrsnn_lava.storage import quantized_parts, rebuild
from hrsnn_lava.trace import SpikeInput, Trace

T = TypeVar("T")
#: A stretch holds at most this many neuron-steps: it bounds memory and the time to an interrupt.
STRETCH_VALUES = 1_000_000
#: Steps since rest that a state can count: spikes carry their step as int32.
LAST_STEP = 2**31 - 1


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands: everything that the next step depends on.

    Attributes:
        step: steps since rest.
        network_digest: SHA-256 of the integer network; a state fits no other one.
        held: (n_inputs,) int32, the payload last sent by every channel (``target="bias"``).
        tree: plain values of the simulator's snapshot.
        arrays: potentials, currents, refractory counts, spikes on their way, learning, by name.
    """

    step: int
    network_digest: str
    held: NDArray[np.int32]
    tree: Any
    arrays: Mapping[str, NDArray[Any]]

    def to_artifact(self) -> Artifact:
        """Meta data and arrays; equal states give equal bytes."""
        meta = {"step": self.step, "network": self.network_digest, "tree": self.tree}
        return Artifact("state", meta, {"held": self.held, **self.arrays})

    @property
    def digest(self) -> str:
        """SHA-256 of the whole state."""
        return hashlib.sha256(encode(self.to_artifact())).hexdigest()

    def save(self, path: Any) -> str:
        """Write an ``.hlx`` artifact, whole or not at all; return the file's SHA-256."""
        return write_artifact(path, self.to_artifact())

    @staticmethod
    def load(path: Any) -> State:
        """Read a state; raises `ArtifactError`."""
        return rebuild(path, "state", state_from)


def state_from(artifact: Artifact) -> State:
    """The inverse of `State.to_artifact`."""
    meta, arrays = artifact.meta, dict(artifact.arrays)
    held = arrays.pop("held")
    return State(int(meta["step"]), str(meta["network"]), held, meta["tree"], arrays)


class Session:
    """An integer network that keeps its state between runs.

    Args:
        network: `CompiledNetwork` or verified `QuantizedNetwork`.
        state: where to go on; None starts from rest (u = v = 0).

    Raises:
        SpecError: the state is one of another network.
    """

    def __init__(self, network: Any, state: State | None = None) -> None:
        self.network: QuantizedNetwork = as_quantized(network)
        self._simulator = IntegerSimulator(self.network)
        self._driven = any(p.target == "bias" for p in self.network.projections)
        self._base = self.network.gather("bias_mant")[None, :]
        self._digest: str | None = None
        self.reset()
        if state is not None:
            self.restore(state)

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
        self._simulator.reset()
        self._step = 0
        self._held = np.zeros(self.network.n_inputs, dtype=np.int32)

    def twin(self) -> Session:
        """A session at rest with a state of its own; the tables of synapses are shared."""
        twin = copy(self)
        frozen = [v for v in vars(self._simulator).values() if is_dataclass(v)]
        twin._simulator = deepcopy(self._simulator, {id(v): v for v in frozen})
        twin.reset()
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
        )

    def advance(self, inputs: SpikeInput, probes: Collection[str] = ()) -> Trace:
        """Run the ``inputs.n_steps`` steps of one stretch, in one piece."""
        steps, n = inputs.n_steps, self.network.n_neurons
        if self._step + steps > LAST_STEP:
            raise SpecError(
                f"{self._step + steps:,} steps since rest; allowed: {LAST_STEP:,}. "
                "Reset the session"
            )
        starts, mantissas = self._drive(inputs)
        out = {p: np.empty((steps, n), dtype=np.int32) for p in ("v", "u") if p in probes}
        at, who = self._simulator.advance(
            steps,
            Events.of(inputs, 0, steps, n),
            starts + self._step,
            mantissas,
            out.get("v"),
            out.get("u"),
        )
        first = self._step
        self._step += steps
        return Trace(at - np.int32(first), who, steps, n, out.get("v"), out.get("u"), inputs=inputs)

    def _drive(self, inputs: SpikeInput) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Bias mantissas of a stretch, with the values that the channels hold from before."""
        if not self._driven:
            return np.zeros(1, dtype=np.int64), self._base
        late = inputs.steps > 0
        values = inputs.payload_values()
        now = self._held.copy()
        now[inputs.neurons[~late]] = values[~late]
        channels = np.arange(now.size, dtype=np.int32)
        held = SpikeInput(
            np.append(np.zeros_like(channels), inputs.steps[late]),
            np.append(channels, inputs.neurons[late]),
            inputs.n_steps,
            inputs.n_neurons,
            np.append(now, values[late]),
        )
        self._held[inputs.neurons] = values  # sorted by step, so the last one of a channel stays
        return bias_rows(self.network, held, inputs.n_steps)

    def state(self) -> State:
        """A copy of the whole state."""
        arrays: dict[str, NDArray[Any]] = {}
        snapshot = self._simulator.snapshot()
        source, value, count = snapshot[3:6]
        unused = np.arange(source.shape[1]) >= count[:, None]
        source[unused] = value[unused] = 0  # left from steps that no synapse waits for any more
        tree = _pack(snapshot, "state", arrays)
        return State(self._step, self.network_digest, self._held.copy(), tree, arrays)

    def restore(self, state: State) -> None:
        """Go back, or on, to a state of the same network; raises `SpecError` for another's."""
        if state.network_digest != self.network_digest:
            raise SpecError(
                f"the state is one of another network than {self.network.name!r} "
                f"({state.network_digest[:12]}, not {self.network_digest[:12]})"
            )
        template = self._simulator.snapshot()
        try:
            snapshot = _unpack(template, state.tree, "state", state.arrays)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"the state is incomplete or wrong ({error!r})") from error
        self._check(state, snapshot)
        self._simulator.restore(snapshot)
        self._step, self._held = state.step, state.held.copy()

    def _check(self, state: State, snapshot: Any) -> None:
        """Refuse what would lead the kernel, which tests no index, out of its arrays."""
        source, count = snapshot[3], snapshot[5]
        n_sources = self.network.n_neurons + self.network.n_inputs
        sound = (
            state.held.shape == (self.network.n_inputs,)
            and state.held.dtype == np.int32
            and 0 <= state.step <= LAST_STEP
            and source.min(initial=0) >= 0
            and source.max(initial=0) < n_sources
            and count.min(initial=0) >= 0
            and count.max(initial=0) <= n_sources
        )
        if not sound:
            raise ArtifactError("the state holds values that no run reaches; it was altered")

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network, as `CompiledNetwork.network_digest` has it."""
        if self._digest is None:
            self._digest = hashlib.sha256(encode(quantized_parts(self.network))).hexdigest()
        return self._digest

    def weights(self) -> dict[str, NDArray[np.int32]]:
        """Learned weights and tags now, (nnz,) each, named as in `Trace.weights`."""
        return self._simulator.learned()


def part_of(inputs: SpikeInput, first: int, count: int) -> SpikeInput:
    """The events of steps ``first`` to ``first + count``, counted from `first`."""
    lo, hi = np.searchsorted(inputs.steps, (first, first + count))
    payloads = None if inputs.payloads is None else inputs.payloads[lo:hi]
    steps = inputs.steps[lo:hi] - np.int32(first)
    return SpikeInput(steps, inputs.neurons[lo:hi], count, inputs.n_neurons, payloads)


def _pack(value: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """What JSON can hold of `value`; arrays go into `arrays`."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return None
    if isinstance(value, np.random.Generator):
        return _pack(value.bit_generator.state, name, arrays)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): _pack(v, f"{name}/{k}", arrays) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(v, f"{name}/{k}", arrays) for k, v in enumerate(value)]
    if is_dataclass(value):
        return {
            f.name: _pack(getattr(value, f.name), f"{name}/{f.name}", arrays) for f in fields(value)
        }
    return value


def _unpack(template: T, tree: Any, name: str, arrays: Mapping[str, NDArray[Any]]) -> T:
    """The inverse of `_pack`: a value with the types, dtypes and shapes of `template`."""
    found: Any
    if isinstance(template, np.ndarray):
        found = arrays[name]
        if found.dtype != template.dtype or found.shape != template.shape:
            raise ValueError(f"{name}: {found.dtype} {found.shape}")
    elif isinstance(template, np.random.Generator):
        bits = type(template.bit_generator)()
        bits.state = _unpack(template.bit_generator.state, tree, name, arrays)
        found = np.random.Generator(bits)
    elif isinstance(template, Mapping):
        found = {k: _unpack(v, tree[str(k)], f"{name}/{k}", arrays) for k, v in template.items()}
    elif isinstance(template, (list, tuple)):
        parts = zip(template, tree, strict=True)
        found = type(template)(
            _unpack(v, part, f"{name}/{k}", arrays) for k, (v, part) in enumerate(parts)
        )
    elif is_dataclass(template):
        found = copy(template)
        for f in fields(template):
            value = _unpack(getattr(template, f.name), tree[f.name], f"{name}/{f.name}", arrays)
            object.__setattr__(found, f.name, value)
    else:
        found = tree
        if type(found) is not type(template):
            raise ValueError(f"{name}: {found!r}")
    unpacked: T = found
    return unpacked
