"""The learning of a network in flat arrays: its state, and the random numbers of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.sim_backends.learning_layout import Draws, memory_of, rules_of, wiring_of
from hrsnn_lava.sim_backends.learning_program import Plastic, Streams

_BLOCK = 1024  # steps for which random numbers are drawn at least
#: Fields of `Memory` that a snapshot keeps; the lists of active neurons follow from them.
_KEPT = ("weights", "tag_1", "tag_2", "tx", "ty", "pending", "pinned")


class LearningState:
    """Flat arrays of the learning projections of a network of `n_neurons`, at their start."""

    def __init__(self, plastic: tuple[Plastic, ...], n_neurons: int) -> None:
        self.plastic = plastic
        self._orders = [np.lexsort((p.rows, p.cols)) for p in plastic]  # by pre, then post
        self.wiring = wiring_of(plastic, self._orders, n_neurons)
        self.rules = rules_of(plastic)
        self.pairs = all(_every_step(p) for p in plastic) and bool(self.rules.simple.all())
        self.memory = memory_of(plastic, self.wiring, self.rules, n_neurons)
        self._draws: list[Streams] = []
        self.reset()

    def reset(self) -> None:
        """Initial weights and tags, no trace, nothing on its way."""
        memory = self.memory
        for name in ("x", "y", "tx", "ty", "pending", "pinned"):
            getattr(memory, name)[...] = 0
        for name in ("weights", "tag_1", "tag_2"):
            parts = [getattr(p, name)[o] for p, o in zip(self.plastic, self._orders, strict=True)]
            getattr(memory, name)[:] = np.concatenate(parts)
        self._list_active()

    def draws(self, first: int, n_steps: int) -> Draws:
        """Random numbers of steps `first` to ``first + n_steps``."""
        known = self._draws
        end = first + n_steps
        if not known or first < known[0].first or end > known[0].first + known[0].synapse.size:
            count = max(n_steps, _BLOCK)
            self._draws = known = [Streams.of(p.rules[0], first, count) for p in self.plastic]
        part = slice(first - known[0].first, end - known[0].first)
        return Draws(*(np.stack([getattr(s, f)[part] for s in known]) for f in Draws._fields))

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state, for `restore`."""
        kept = {name: getattr(self.memory, name).copy() for name in _KEPT}
        return kept | {"x": self.memory.x[0].copy(), "y": self.memory.y[0].copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot.

        Raises:
            ArtifactError: a spike lies outside the epoch: no run reaches that.
        """
        longest = self.memory.x.shape[0] - 1
        if max(state["tx"].max(initial=0), state["ty"].max(initial=0)) > longest:
            raise ArtifactError("the learning state holds values that no run reaches")
        for name in _KEPT:
            getattr(self.memory, name)[...] = state[name]
        self.memory.x[0], self.memory.y[0] = state["x"], state["y"]
        self._list_active()

    def learned(self) -> dict[str, Any]:
        """Weights, and tags that can change, as in `Trace.weights`."""
        result: dict[str, Any] = {}
        first = 0
        for plastic, order in zip(self.plastic, self._orders, strict=True):
            values = np.zeros((3, order.size), dtype=np.int32)
            part = slice(first, first + order.size)
            for row, name in zip(values, ("weights", "tag_1", "tag_2"), strict=True):
                row[order] = getattr(self.memory, name)[part]
            result |= plastic.learned(*values)
            first += order.size
        return result

    def _list_active(self) -> None:
        """Lists of the neurons that spiked in this epoch, from the times of their spikes."""
        wiring, rules, memory = self.wiring, self.rules, self.memory
        for r in range(len(self.plastic)):
            groups = range(wiring.group[r], wiring.group[r + 1])
            for n, first, times, base, flags, active, count in (
                (
                    wiring.n_pre[r],
                    rules.x_first,
                    memory.tx,
                    wiring.column[r],
                    memory.pre_on,
                    memory.pre,
                    memory.pre_count,
                ),
                (
                    wiring.n_post[r],
                    rules.y_first,
                    memory.ty,
                    wiring.row[r],
                    memory.post_on,
                    memory.post,
                    memory.post_count,
                ),
            ):
                on = np.any([times[first[g] : first[g] + n] > 0 for g in groups], axis=0)
                who = np.flatnonzero(on)
                flags[base : base + n] = on
                active[base : base + who.size] = who
                count[r] = who.size


def _every_step(plastic: Plastic) -> bool:
    """True when `learning_pairs` runs a projection whose rules are of the pair kind."""
    regular = plastic.graded_spikes == "regular" and not plastic.graded
    single = len(plastic.rules) == 1 and len(plastic.rules[0].dw) > 0
    return regular and single and plastic.t_epoch == 1 and plastic.weight_exp >= 0
