"""Cost sets: the energy and time of an event, with source, evidence and scope.

Which event costs what differs between sources, so a cost set states for EVERY count whether it
has a price, is known to have one that nobody published (no `value_j`), or is part of another
term (`covered`). Nothing is left out in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from hrsnn_lava.errors import Problem
from hrsnn_lava.hardware_profiles.profile import HardwareProfile
from hrsnn_lava.hardware_profiles.strict import Document, Evidence, Sourced, Strict

CountKey = Literal[
    "synaptic_operations",
    "macs",
    "neuron_updates",
    "neuron_updates_active",
    "neuron_updates_inactive",
    "spikes",
    "messages",
    "hops_x",
    "hops_y",
    "learning_updates",
]
#: What a run counts: spikes times fan-out; graded operations; neurons times steps, those among
#: them with and without state to update; spikes; (spike, destination core) pairs; router hops
#: along x and y; synapses updated by a learning rule.
COUNT_KEYS: tuple[CountKey, ...] = get_args(CountKey)


class Coefficient(Sourced):
    """Price of one event of a kind: energy in joules, time in seconds where published.

    Attributes:
        name: the term, as a report prints it.
        count: which count it multiplies.
        value_j: joules per event; None: there is a cost, and no published figure.
        condition: voltage, format or operating point for which the figure holds.
        alternatives: figures of the same source for other conditions, joules by name.
        time_s, time_evidence: seconds per event.
    """

    name: str
    count: CountKey
    value_j: float | None = None
    condition: str
    alternatives: dict[str, float] = Field(default_factory=dict)
    time_s: float | None = None
    time_evidence: Evidence = "none"

    def known(self) -> bool:
        return self.value_j is not None

    def problems(self, where: str) -> Iterator[Problem]:
        where = f"{where} ({self.name})"
        yield from super().problems(where)
        if self.unit != "J":
            yield Problem(where, f"unit {self.unit!r}", "J")
        prices = [self.value_j, self.time_s, *self.alternatives.values()]
        if any(price is not None and not 0 <= price < 1e-3 for price in prices):
            yield Problem(where, "a price outside 0..1e-3", "joules and seconds per event")
        if (self.time_s is None) != (self.time_evidence == "none"):
            yield Problem(where, "time without evidence, or the reverse", "both or neither")


class Covered(Strict):
    """A count that this set prices within other terms."""

    count: CountKey
    reason: str


class Static(Sourced):
    """Power in watts of one chip that does nothing; None: not published."""

    value_w: float | None = None
    condition: str

    def known(self) -> bool:
        return self.value_w is not None


class Barrier(Sourced):
    """Time in seconds of the synchronisation that ends a step, by number of tiles in use."""

    tiles: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    def known(self) -> bool:
        return bool(self.tiles)

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if len(self.tiles) != len(self.seconds) or list(self.tiles) != sorted(set(self.tiles)):
            yield Problem(where, "tiles and seconds do not pair", "rising tiles, a time each")


class CostSet(Document):
    """Energy and time per event of one chip, from one source.

    Attributes:
        chip: the profile that it describes, such as ``"loihi1"``, or another chip's name.
        scope: ``"per_term"``: terms add up; ``"all_in"``: one figure per synaptic operation
            that holds everything, static power too, so nothing may be added.
        coefficients, covered: together they name every count once.
        static: power of an idle chip; shown always, since it dominates small nets.
        barrier: time of the barrier synchronisation.
    """

    chip: str
    scope: Literal["per_term", "all_in"]
    coefficients: tuple[Coefficient, ...]
    covered: tuple[Covered, ...] = ()
    static: Static
    barrier: Barrier

    @classmethod
    def folder(cls) -> Path:
        return Path(__file__).resolve().parent / "cost_sets"

    def coefficient(self, count: CountKey) -> Coefficient | None:
        """The term for a count; None when another term covers it."""
        return next((c for c in self.coefficients if c.count == count), None)

    def is_proxy_for(self, profile: HardwareProfile) -> bool:
        """True when this set describes another chip than `profile`."""
        return self.name not in profile.cost_sets

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The kinds of evidence that its prices rest on, each once, sorted."""
        return tuple(sorted({c.evidence for c in self.coefficients if c.known()}))

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        named = Counter([c.count for c in self.coefficients] + [c.count for c in self.covered])
        for key in COUNT_KEYS:
            if named[key] != 1:
                yield Problem(
                    f"count {key!r}",
                    f"named {named[key]} times",
                    "once, as a coefficient or as covered",
                )
        if self.scope == "all_in":
            extra: list[str] = [
                c.count for c in self.coefficients if c.count != "synaptic_operations"
            ]
            extra += ["static"] if self.static.known() else []
            if extra:
                yield Problem(
                    "scope",
                    f"all_in, with further terms {', '.join(extra)}",
                    "synaptic_operations alone: the figure holds the rest",
                )
