"""What a `Session` runs on: the protocol of its engines, and the one of `native`."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy, deepcopy
from dataclasses import dataclass, is_dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.state_form import (
    SYNAPTIC,
    Arrays,
    Int,
    check,
    messages,
    past_steps,
    read_traces,
    rows_of,
)
from hrsnn_lava.trace import SpikeInput, Trace


@dataclass(frozen=True, eq=False)
class Stretch:
    """Steps to run in one piece.

    Attributes:
        first: steps since rest.
        inputs: events, counted from the stretch's own start; its length is ``inputs.n_steps``.
        starts, mantissas: row k of `mantissas` (K, n_neurons) holds from step ``starts[k]`` of the
            stretch on; ``starts[0] = 0``.
        probes: any of "v" and "u".
    """

    first: int
    inputs: SpikeInput
    starts: NDArray[np.int64]
    mantissas: Int
    probes: Collection[str]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.inputs.n_steps


class Engine(Protocol):
    """A network with its state, on one backend."""

    def reset(self) -> None:
        """Return to rest and to the initial weights."""
        ...

    def advance(self, stretch: Stretch) -> Trace:
        """Run one stretch, >= 1 steps; spikes and states alone, nothing of learning."""
        ...

    def weights(self) -> dict[str, Int]:
        """Learned weights and tags now, as in `Trace.weights`."""
        ...

    def traces(self) -> dict[str, Int]:
        """Spike traces now, as in `Trace.traces`."""
        ...

    def snapshot(self) -> dict[str, Int]:
        """The state in the form of `session_form`, but for `held`; raises `SpecError` if none."""
        ...

    def restore(self, step: int, arrays: Arrays) -> None:
        """Go to a state, `held` included; raises `ArtifactError` and `SpecError`."""
        ...

    def twin(self) -> Engine:
        """Another one at rest; what never changes is shared."""
        ...

    def close(self) -> None:
        """Give back what the machine lent."""
        ...


class NativeEngine:
    """The numba kernels; their ring of messages and their order of synapses stay in here."""

    def __init__(self, network: QuantizedNetwork, counting: bool = True) -> None:
        self._simulator = IntegerSimulator(network, counting)
        self._program = self._simulator._program

    def reset(self) -> None:
        """See `Engine.reset`."""
        self._simulator.reset()

    def advance(self, stretch: Stretch) -> Trace:
        """See `Engine.advance`."""
        steps, n = stretch.steps, self._program.n_neurons
        out = {p: np.empty((steps, n), dtype=np.int32) for p in ("v", "u") if p in stretch.probes}
        at, who = self._simulator.advance(
            steps,
            Events.of(stretch.inputs, 0, steps, n),
            stretch.starts + stretch.first,
            stretch.mantissas,
            out.get("v"),
            out.get("u"),
        )
        at = at - np.int32(stretch.first)
        updates = self._simulator.updates
        active, changed = (None, None) if updates is None else updates.T.copy()
        return Trace(
            at,
            who,
            steps,
            n,
            out.get("v"),
            out.get("u"),
            inputs=stretch.inputs,
            active_updates=active,
            membrane_updates=changed,
        )

    def weights(self) -> dict[str, Int]:
        """See `Engine.weights`."""
        return self._simulator.learned()

    def traces(self) -> dict[str, Int]:
        """See `Engine.traces`."""
        return self._simulator.traces()

    def twin(self) -> NativeEngine:
        """See `Engine.twin`; the tables of synapses are shared."""
        twin = copy(self)
        frozen = [v for v in vars(self._simulator).values() if is_dataclass(v)]
        twin._simulator = deepcopy(self._simulator, {id(v): v for v in frozen})
        twin.reset()
        return twin

    def close(self) -> None:
        """Nothing to give back."""

    def snapshot(self) -> dict[str, Int]:
        """See `Engine.snapshot`."""
        u, v, waiting, source, value, count, time, *learning = self._simulator.snapshot()
        slots = [(time - 1 - age) % count.size for age in range(past_steps(self._program))]
        sent = [(source[k, : count[k]], value[k, : count[k]]) for k in slots]
        state = {"u": u, "v": v, "waiting": waiting, **messages(sent)}
        return state | (self._learning_arrays(learning[0]) if learning else {})

    def restore(self, step: int, arrays: Arrays) -> None:
        """See `Engine.restore`."""
        check(self._program, step, arrays)
        before = self._simulator.snapshot()
        source, value, count = (np.zeros_like(array) for array in before[3:6])
        for age, (sources, values) in enumerate(rows_of(arrays, past_steps(self._program))):
            slot = (step - 1 - age) % count.size
            source[slot, : sources.size], value[slot, : sources.size] = sources, values
            count[slot] = sources.size
        state = (arrays["u"], arrays["v"], arrays["waiting"], source, value, count, step)
        learning = (self._learning_memory(arrays),) if self._program.plastic else ()
        try:
            self._simulator.restore((*state, *learning))
        except ArtifactError:
            self._simulator.restore(before)
            raise

    def _learning_arrays(self, memory: dict[str, Any]) -> dict[str, Int]:
        """`LearningState.snapshot`, where projections lie one after the other, taken apart."""
        arrays = {"pending": memory["pending"]}
        synapse = pre = post = 0
        for k, p in enumerate(self._program.plastic):
            count, size = len(p.rules), p.rows.size
            n_x, n_y = count * p.n_pre, count * p.n_post
            x = memory["x"][:, pre : pre + n_x].reshape(2, count, p.n_pre).swapaxes(0, 1)
            y = memory["y"][:, post : post + n_y].reshape(3, count, p.n_post).swapaxes(0, 1)
            x_read, y_read = read_traces(p)
            found = {
                **{name: memory[name][synapse : synapse + size] for name in SYNAPTIC},
                "x": np.where(x_read, x, 0),
                "y": np.where(y_read, y, 0),
                "tx": memory["tx"][pre : pre + n_x].reshape(count, p.n_pre),
                "ty": memory["ty"][post : post + n_y].reshape(count, p.n_post),
            }
            arrays |= {f"learning/{k}/{name}": a.astype(np.int32) for name, a in found.items()}
            synapse, pre, post = synapse + size, pre + n_x, post + n_y
        return arrays

    def _learning_memory(self, arrays: Arrays) -> dict[str, Any]:
        """The inverse of `_learning_arrays`."""
        parts: dict[str, list[Any]] = {}
        for k, p in enumerate(self._program.plastic):
            mine = {name: arrays[f"learning/{k}/{name}"] for name in (*SYNAPTIC, "tx", "ty")}
            found = {name: array.ravel() for name, array in mine.items()}
            for name, n in (("x", p.n_pre), ("y", p.n_post)):
                traces = arrays[f"learning/{k}/{name}"].swapaxes(0, 1)
                found[name] = traces.reshape(-1, len(p.rules) * n)
            # such a tag moves in the next epoch even if nothing happens; see `learning_updates`
            found["pinned"] = np.array([np.any(mine["tag_1"] < -256)])
            for name, array in found.items():
                parts.setdefault(name, []).append(array)
        memory = {name: np.concatenate(pieces, axis=-1) for name, pieces in parts.items()}
        return {**memory, "pending": arrays["pending"]}
