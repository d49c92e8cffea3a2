"""What a recording keeps: which states, of which neurons, in which steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

STATES = ("v", "u")
PROBES = ("spikes", *STATES, "weights")


@dataclass(frozen=True)
class ProbePlan:
    """Spikes are always kept, whole; the rest as chosen here.

    Attributes:
        n_steps, n_neurons, n_inputs: extent of the run.
        probes: any of ``spikes``, ``v``, ``u`` and ``weights`` (of projections that learn).
        every: states are kept in steps ``between[0] + k every``.
        between: first step, and the one after the last; None for the whole run.
        neurons: global indices, rising, or None for all.
        weights_every: weights are kept after every so many steps; None: at the end alone.
    """

    n_steps: int
    n_neurons: int
    n_inputs: int = 0
    probes: tuple[str, ...] = ()
    every: int = 1
    between: tuple[int, int] | None = None
    neurons: tuple[int, ...] | None = None
    weights_every: int | None = None

    @classmethod
    def of(
        cls,
        network: Any,
        steps: int,
        probes: Collection[str] = (),
        every: int = 1,
        between: Sequence[int] | None = None,
        neurons: slice | ArrayLike | None = None,
    ) -> ProbePlan:
        """Check a choice against a network.

        Args:
            neurons: a slice or indices of neurons; None for all.

        Raises:
            SpecError: with everything that is wrong.
        """
        n = network.n_neurons
        chosen: tuple[int, ...] | None = None
        if isinstance(neurons, slice):
            chosen = tuple(range(n)[neurons])
        elif neurons is not None:
            chosen = tuple(sorted({int(k) for k in np.atleast_1d(np.asarray(neurons))}))
        learned = every if "weights" in probes else None
        window = None if between is None else (int(between[0]), int(between[1]))
        kept = tuple(p for p in PROBES if p in probes and p != "spikes")
        plan = cls(int(steps), n, network.n_inputs, kept, int(every), window, chosen, learned)
        unknown = [p for p in probes if p not in PROBES]
        raise_if(SpecError, "the probes are not possible", plan._problems(unknown))
        return plan

    def _problems(self, unknown: Sequence[str]) -> list[Problem]:
        found = [Problem("probes", repr(p), ", ".join(PROBES)) for p in unknown]
        if self.n_steps < 0:
            found.append(Problem("steps", str(self.n_steps), ">= 0"))
        if self.every < 1:
            found.append(Problem("every", str(self.every), ">= 1"))
        if self.between is not None and not 0 <= self.between[0] <= self.between[1]:
            found.append(Problem("between", f"{self.between}", "0 <= first <= last + 1"))
        if self.neurons is not None:
            wrong = [k for k in self.neurons if not 0 <= k < self.n_neurons]
            if wrong:
                allowed = f"0..{self.n_neurons - 1}"
                found.append(Problem("neurons", f"{wrong[0]} ({len(wrong)} in all)", allowed))
            elif not self.neurons:
                found.append(Problem("neurons", "none", "at least one"))
        return found

    @property
    def states(self) -> tuple[str, ...]:
        """Which of v and u are kept."""
        return tuple(p for p in STATES if p in self.probes)

    @property
    def everything(self) -> bool:
        """True when states are kept in all steps of all neurons, as a plain trace has them."""
        window = self.between is None or self.between == (0, self.n_steps)
        return self.every == 1 and window and self.neurons is None

    def probed_steps(self, first: int, end: int) -> NDArray[np.int64]:
        """The steps in ``first .. end - 1`` whose states are kept."""
        low, high = self.between or (0, self.n_steps)
        start = max(first, low)
        start += -(start - low) % self.every
        return np.arange(start, min(end, high), self.every, dtype=np.int64)

    def neuron_indices(self) -> NDArray[np.int32]:
        """The neurons whose states are kept, (Q,)."""
        chosen = range(self.n_neurons) if self.neurons is None else self.neurons
        return np.array(chosen, dtype=np.int32)

    def width(self, name: str) -> tuple[int, ...]:
        """Shape of a row of an array: () for lists of events."""
        return (self.neuron_indices().size,) if name in STATES else ()

    def stretch_end(self, first: int, stretch: int) -> int:
        """Where the chunk that begins with step `first` ends; weights are read at ends."""
        end = min(first + stretch, self.n_steps)
        if self.weights_every is not None:
            end = min(end, (first // self.weights_every + 1) * self.weights_every)
        return end

    def samples_weights(self, end: int) -> bool:
        """True when weights are kept after step ``end - 1``."""
        return self.weights_every is not None and end % self.weights_every == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON gives them back."""
        lists: dict[str, Any] = {"probes": list(self.probes)}
        for name in ("between", "neurons"):
            value = getattr(self, name)
            lists[name] = None if value is None else list(value)
        numbers = ("n_steps", "n_neurons", "n_inputs", "every", "weights_every")
        return {**{name: getattr(self, name) for name in numbers}, **lists}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProbePlan:
        """The inverse of `to_dict`."""
        between, neurons = values["between"], values["neurons"]
        return cls(
            values["n_steps"],
            values["n_neurons"],
            values["n_inputs"],
            tuple(values["probes"]),
            values["every"],
            None if between is None else (between[0], between[1]),
            None if neurons is None else tuple(neurons),
            values["weights_every"],
        )
