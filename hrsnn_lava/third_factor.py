"""Where the postsynaptic traces of a three-factor rule come from.

With two factors y1, y2 and y3 rise at postsynaptic spikes. With three they are sent to the synapses
in every step, and replace what was there (Lava 0.10, `PyLearningConnection.recv_traces`)::

    y_k(t) = what the sender of y_k sends to the neuron in step t, int32; 0 without a sender

Synapses look at them at the end of an epoch alone, so what arrived in its last step counts. From
there on all is as with two factors: row 0 of the epoch's history is what arrived, every step of
the epoch decays it with the trace's `tau`, a spike of the neuron adds the impulse and cuts it to
0..127, and a product reads the row of its dependency, cut to -128..127 with its constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hrsnn_lava.errors import Problem
from hrsnn_lava.resets import sends_several

#: Time constant of y1, y2 and y3 in Lava's `Loihi3FLearningRule`, in steps.
RECEIVED_TAU = 65535.0


@dataclass(frozen=True)
class ThirdFactor:
    """Senders of y1, y2 and y3, by name; None where nothing is sent, so that the trace is 0.

    A sender is one of two. The name of a population, with one neuron or channel for each
    postsynaptic neuron: 1 for a spike, or the payload, in the same step. Or the name of a
    projection with ``target="factor"`` onto the postsynaptic population: its sum, in the step in
    which it would arrive at the neurons, one after it was sent, or later by its delays.

    `y0` says whether the spikes of the postsynaptic neurons come back to the synapses (Lava's
    `s_in_bap`). Where they do not, no product of y0 acts, and no spike cuts what arrived.
    """

    y1: str | None = None
    y2: str | None = None
    y3: str | None = None
    y0: bool = True

    @property
    def senders(self) -> tuple[str | None, ...]:
        """Of y1, y2 and y3."""
        return self.y1, self.y2, self.y3


def third_factor_problems(network: Any) -> Iterator[Problem]:
    """Senders that an integer network does not have, and those that nobody hears."""
    factors = {p.name: p for p in network.projections if p.target == "factor"}
    sizes = {p.name: p.size for p in network.populations}
    several = {p.name for p in network.populations if sends_several(p)}
    heard: set[str | None] = set()
    for projection in network.projections:
        third = None if projection.learning is None else projection.learning.third_factor
        if third is None:
            continue
        if not isinstance(third, ThirdFactor):
            continue  # named with the rule
        heard.update(third.senders)
        for k, sender in enumerate(third.senders, start=1):
            where = f"projection {projection.name!r}.learning.third_factor.y{k}"
            if not isinstance(sender, str):
                continue
            if sender in several or (sender in factors and factors[sender].pre in several):
                measured = f"{sender!r}, whose neurons may send several spikes in a step"
                yield Problem(where, measured, "one spike a step")
            if (sender in sizes) == (sender in factors):
                both = "a population and a projection of that name"
                measured = f"{sender!r}, {both if sender in sizes else 'which is not there'}"
                yield Problem(where, measured, 'one population, or projection with target="factor"')
            elif sender in factors and factors[sender].post != projection.post:
                measured = f"{sender!r}, which is sent to {factors[sender].post!r}"
                yield Problem(where, measured, f"one onto {projection.post!r}")
            elif sender in sizes and sizes[sender] != sizes.get(projection.post):
                measured = f"{sender!r} of size {sizes[sender]}"
                allowed = f"{sizes.get(projection.post)}, one for each neuron"
                fix = 'put a projection with target="factor" between'
                yield Problem(where, measured, allowed, fix)
    for name in sorted(factors.keys() - heard):
        where = f"projection {name!r}.target"
        yield Problem(where, "factor, which no rule hears", "a name in some third_factor")
