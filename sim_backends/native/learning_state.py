"""The learning of a network in flat arrays: its state, and the random numbers of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.chip_learning import PRE_TRACES
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.sim_backends.learning_program import Plastic, Streams
from hrsnn_lava.sim_backends.native.learning_layout import Draws, memory_of, rules_of, wiring_of
from hrsnn_lava.sim_backends.native.learning_merge import Part, merge

_BLOCK = 1024  # steps for which random numbers are drawn at least
_SYNAPTIC = ("weights", "tag_1", "tag_2")


class LearningState:
    """Flat arrays of the learning projections of a network of `n_neurons`, at their start.

    The arrays are those of `merge`d projections; what comes out and goes in is per projection.
    """

    def __init__(self, plastic: tuple[Plastic, ...], n_neurons: int) -> None:
        self.plastic = plastic
        self._merged, self._part_of = merge(plastic)
        orders = [np.lexsort((p.rows, p.cols)) for p in self._merged]  # by pre, then post
        self.wiring = wiring_of(self._merged, orders, n_neurons)
        self.rules = rules_of(self._merged)
        self.pairs = all(_every_step(p) for p in self._merged) and bool(self.rules.simple.all())
        self.memory = memory_of(self._merged, self.wiring, self.rules, n_neurons)
        self._places = self._find(orders)
        self._draws: list[Streams] = []
        self.reset()

    def _find(self, orders: list[Any]) -> list[Any]:
        """Where the synapses of each projection are stored, (S,) each, in its own order."""
        stored = []
        first = 0
        for order in orders:
            stored.append(np.empty(order.size, dtype=np.int64))
            stored[-1][order] = np.arange(first, first + order.size)
            first += order.size
        return [
            stored[part.index][part.synapse : part.synapse + p.rows.size]
            for p, part in zip(self.plastic, self._part_of, strict=True)
        ]

    def reset(self) -> None:
        """Initial weights and tags, no trace, nothing on its way."""
        memory = self.memory
        for name in ("x", "y", "tx", "ty", "pending", "pinned"):
            getattr(memory, name)[...] = 0
        for name in ("weights", "tag_1", "tag_2"):
            for p, place in zip(self.plastic, self._places, strict=True):
                getattr(memory, name)[place] = getattr(p, name)
        self._list_active()

    def draws(self, first: int, n_steps: int) -> Draws:
        """Random numbers of steps `first` to ``first + n_steps``."""
        known = self._draws
        end = first + n_steps
        if not known or first < known[0].first or end > known[0].first + known[0].synapse.size:
            count = max(n_steps, _BLOCK)
            self._draws = known = [Streams.of(p.rules[0], first, count) for p in self._merged]
        part = slice(first - known[0].first, end - known[0].first)
        return Draws(*(np.stack([getattr(s, f)[part] for s in known]) for f in Draws._fields))

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state, for `restore`.

        ``weights``, ``tag_1``, ``tag_2`` (S,): of all projections, one after the other, each in
        its own order. ``x`` (2, NX), ``tx`` (NX,), ``y`` (3, NY), ``ty`` (NY,): per projection
        and rule. ``pending`` (n,), ``pinned`` (R,).
        """
        memory, pres, posts = self.memory, self._neurons("x"), self._neurons("y")
        place = np.concatenate(self._places)
        return {
            **{name: getattr(memory, name)[place] for name in _SYNAPTIC},
            "x": memory.x[0][:, pres],
            "tx": memory.tx[pres],
            "y": memory.y[0][:, posts],
            "ty": memory.ty[posts],
            "pending": memory.pending.copy(),
            "pinned": memory.pinned[[part.index for part in self._part_of]],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot.

        Raises:
            ArtifactError: a spike lies outside the epoch, or projections disagree about the same
                trace: no run reaches that.
        """
        memory, pres, posts = self.memory, self._neurons("x"), self._neurons("y")
        longest = memory.x.shape[0] - 1
        inside = max(state["tx"].max(initial=0), state["ty"].max(initial=0)) <= longest
        place = np.concatenate(self._places)
        for name in _SYNAPTIC:
            getattr(memory, name)[place] = state[name]
        memory.tx[pres], memory.ty[posts] = state["tx"], state["ty"]
        memory.x[0][:, pres], memory.y[0][:, posts] = state["x"], state["y"]
        memory.pending[:] = state["pending"]
        memory.pinned[:] = False
        for part, pinned in zip(self._part_of, state["pinned"], strict=True):
            memory.pinned[part.index] |= pinned
        same = np.array_equal(memory.x[0][:, pres], state["x"])
        if not (inside and same and np.array_equal(memory.tx[pres], state["tx"])):
            raise ArtifactError("the learning state holds values that no run reaches")
        self._list_active()

    def _neurons(self, side: str) -> Any:
        """Where the traces of each projection and rule are, one after the other."""
        found = [np.zeros(0, dtype=np.int64)]
        for p, part in zip(self.plastic, self._part_of, strict=True):
            for k in range(len(p.rules)):
                first, size = self._trace_place(p, part, k, side)
                found.append(np.arange(first, first + size))
        return np.concatenate(found)

    def _trace_place(self, p: Plastic, part: Part, k: int, side: str) -> tuple[int, int]:
        """First place and size of the traces of rule `k` of a projection."""
        group = self.wiring.group[part.index] + k
        if side == "x":
            return int(self.rules.x_first[group]), p.n_pre
        return int(self.rules.y_first[group]) + part.row, p.n_post

    def learned(self) -> dict[str, Any]:
        """Weights, and tags that can change, as in `Trace.weights`."""
        result: dict[str, Any] = {}
        for plastic, place in zip(self.plastic, self._places, strict=True):
            values = (getattr(self.memory, name)[place].astype(np.int32) for name in _SYNAPTIC)
            result |= plastic.learned(*values)
        return result

    def traces(self) -> dict[str, Any]:
        """Entries of `Trace.traces`."""
        result: dict[str, Any] = {}
        for plastic, part in zip(self.plastic, self._part_of, strict=True):

            def read(k: int, name: str, p: Plastic = plastic, part: Part = part) -> Any:
                side = "x" if name in PRE_TRACES else "y"
                first, size = self._trace_place(p, part, k, side)
                return getattr(self.memory, side)[0, int(name[1]) - 1, first : first + size]

            result |= plastic.traces(read)
        return result

    def _list_active(self) -> None:
        """Lists of the neurons that spiked in this epoch, from the times of their spikes."""
        wiring, rules, memory = self.wiring, self.rules, self.memory
        for r in range(len(self._merged)):
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
