"""What a recording keeps: which states, of which neurons, in which steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

STATES = ("v", "u")
LEARNED = ("weights", "traces")
PROBES = ("spikes", *STATES, *LEARNED)


@dataclass(frozen=True)
class ProbePlan:
    """Spikes are always kept, whole; the rest as chosen here.

    Attributes:
        n_steps, n_neurons, n_inputs: extent of the run.
        probes: any of ``spikes``, ``v``, ``u``, and ``weights`` and ``traces`` of projections that
            learn. Weights and traces of the end are kept without being asked for.
        every: states are kept in steps ``between[0] + k every``, weights and traces after every
            `every` steps, which is ``between[0] + k every - 1`` with k >= 1.
        between: first step, and the one after the last; None for the whole run.
        neurons: global indices of those whose states are kept, rising, or None for all. Weights
            and traces are kept whole.
    """

    n_steps: int
    n_neurons: int
    n_inputs: int = 0
    probes: tuple[str, ...] = ()
    every: int = 1
    between: tuple[int, int] | None = None
    neurons: tuple[int, ...] | None = None

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
        window = None if between is None else (int(between[0]), int(between[1]))
        kept = tuple(p for p in PROBES if p in probes and p != "spikes")
        plan = cls(int(steps), n, network.n_inputs, kept, int(every), window, chosen)
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
    def learned(self) -> tuple[str, ...]:
        """Which of weights and traces are kept over time."""
        return tuple(p for p in LEARNED if p in self.probes)

    @property
    def _window(self) -> tuple[int, int]:
        return self.between or (0, self.n_steps)

    @property
    def everything(self) -> bool:
        """True when states are kept in all steps of all neurons, as a plain trace has them."""
        window = self.between is None or self.between == (0, self.n_steps)
        return self.every == 1 and window and self.neurons is None

    def probed_steps(self, first: int, end: int) -> NDArray[np.int64]:
        """The steps in ``first .. end - 1`` whose states are kept."""
        low, high = self._window
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
        """Where the chunk that begins with step `first` ends; what is learned is read at ends."""
        end = min(first + stretch, self.n_steps)
        low, high = self._window
        sample = low + (max(first - low, 0) // self.every + 1) * self.every
        return min(end, sample) if self.learned and sample <= high else end

    def samples_learned(self, end: int) -> bool:
        """True when weights and traces, as far as they are wanted, are kept after ``end - 1``."""
        low, high = self._window
        return bool(self.learned) and low < end <= high and (end - low) % self.every == 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON gives them back."""
        lists: dict[str, Any] = {"probes": list(self.probes)}
        for name in ("between", "neurons"):
            value = getattr(self, name)
            lists[name] = None if value is None else list(value)
        numbers = ("n_steps", "n_neurons", "n_inputs", "every")
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
        )
