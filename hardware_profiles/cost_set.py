"""Cost sets: the energy and time of an event, with source, evidence and scope.

Which event costs what differs between sources, so a cost set states for EVERY count whether it
has a price, is known to have one that nobody published (no `value_j`), or is part of another
term (`covered`). Nothing is left out in silence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from hrsnn_lava.errors import Problem, ProfileError
from hrsnn_lava.hardware_profiles.profile import HardwareProfile
from hrsnn_lava.hardware_profiles.strict import Document, Evidence, Sourced, Strict, unprintable

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


#: Keys that only some tables have; left out of the plain data where they say nothing.
_OPTIONAL = {
    *("low_j", "high_j", "low_w", "high_w", "range_source"),
    *("overridden", "replaces_j", "replaces_w", "absent"),
}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)


class Coefficient(Sourced):
    """Price of one event of a kind: energy in joules, time in seconds where published.

    Attributes:
        name: the term, as a report prints it.
        count: which count it multiplies.
        value_j: joules per event; None: there is a cost, and no published figure.
        condition: voltage, format or operating point for which the figure holds.
        alternatives: figures of the same source for other conditions, joules by name.
        low_j, high_j, range_source: what other sources, or other conditions, give for the same
            event, and who says so; left out where nobody disagrees.
        time_s, time_evidence: seconds per event.
        overridden: put in place of a base set's price, see `overrides`; `replaces_j` is that
            price.
    """

    name: str
    count: CountKey
    value_j: float | None = None
    condition: str
    alternatives: dict[str, float] = Field(default_factory=dict)
    low_j: float | None = None
    high_j: float | None = None
    range_source: str = ""
    time_s: float | None = None
    time_evidence: Evidence = "none"
    overridden: bool = False
    replaces_j: float | None = None

    def known(self) -> bool:
        return self.value_j is not None

    def problems(self, where: str) -> Iterator[Problem]:
        where = f"{where} ({self.name})"
        yield from super().problems(where)
        if self.unit != "J":
            yield Problem(where, f"unit {self.unit!r}", "J")
        prices = [self.value_j, self.time_s, *self.alternatives.values()]
        prices += [self.low_j, self.high_j]
        if any(price is not None and not 0 <= price < 1e-3 for price in prices):
            yield Problem(where, "a price outside 0..1e-3", "joules and seconds per event")
        yield from range_problems(where, self.low_j, self.value_j, self.high_j, self.range_source)
        if (self.time_s is None) != (self.time_evidence == "none"):
            yield Problem(where, "time without evidence, or the reverse", "both or neither")


class Covered(Strict):
    """A count that this set prices within other terms.

    Attributes:
        reason: within which, or why not.
        absent: the chip cannot do this; the set is silent on it, and a count has no price.
    """

    count: CountKey
    reason: str
    absent: bool = False


class Static(Sourced):
    """Power in watts of one chip that does nothing; None: not published.

    `low_w`, `high_w`, `range_source` and `overridden`, `replaces_w`: as of a `Coefficient`.
    """

    value_w: float | None = None
    condition: str
    low_w: float | None = None
    high_w: float | None = None
    range_source: str = ""
    overridden: bool = False
    replaces_w: float | None = None

    def known(self) -> bool:
        return self.value_w is not None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if self.unit != "W":
            yield Problem(where, f"unit {self.unit!r}", "W")
        powers = (self.value_w, self.low_w, self.high_w)
        if any(power is not None and not 0 <= power < 1e4 for power in powers):
            yield Problem(where, "a power outside 0..1e4", "watts of one idle chip")
        yield from range_problems(where, self.low_w, self.value_w, self.high_w, self.range_source)


def range_problems(
    where: str, low: float | None, value: float | None, high: float | None, source: str
) -> Iterator[Problem]:
    """What is wrong with a range; it stands around a number, and somebody says so."""
    if low is None and high is None:
        if source.strip():
            yield Problem(where, "a range_source without a range", "low and high, or neither")
    elif low is None or high is None:
        yield Problem(where, "one end of a range only", "low and high, or neither")
    elif value is None or not low <= value <= high:
        yield Problem(where, f"a range {low:g}..{high:g} around {value}", "low <= value <= high")
    elif not source.strip():
        yield Problem(where, "a range without range_source", "say who gives the other numbers")


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
        if any(not 0 <= seconds < 1 for seconds in self.seconds):
            yield Problem(where, "a time outside 0..1", "seconds")


class MessageIn(Sourced):
    """Time in seconds that a core takes to receive one message; None: not published."""

    time_s: float | None = None
    condition: str

    def known(self) -> bool:
        return self.time_s is not None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if self.unit != "s":
            yield Problem(where, f"unit {self.unit!r}", "s")
        if self.time_s is not None and not 0 <= self.time_s < 1e-3:
            yield Problem(where, f"{self.time_s} s", "0..1e-3 seconds per message")


class CostSet(Document):
    """Energy and time per event of one chip, from one source.

    Attributes:
        chip: the profile that it describes, such as ``"loihi1"``, or another chip's name.
        bases: the sets that it extends, nearest first; none for a set of its own.
        scope: ``"per_term"``: terms add up; ``"all_in"``: one figure per synaptic operation
            that holds everything, static power too, so nothing may be added.
        coefficients, covered: together they name every count once.
        static: power of an idle chip; shown always, since it dominates small nets.
        barrier: time of the barrier synchronisation.
        message_in: time that a core takes to receive a message; left out, it is not known.
    """

    chip: str
    scope: Literal["per_term", "all_in"]
    coefficients: tuple[Coefficient, ...]
    covered: tuple[Covered, ...] = ()
    static: Static
    barrier: Barrier
    message_in: MessageIn | None = None
    bases: tuple[str, ...] = ()

    @classmethod
    def folder(cls) -> Path:
        return Path(__file__).resolve().parent / "cost_sets"

    @classmethod
    def load(cls, name_or_path: str | Path) -> CostSet:
        """Read a shipped set by its name, or any by its path (ends in ``.toml``).

        A file may be a whole set, or extend another one by ``[[override]]`` tables, see
        `hrsnn_lava.hardware_profiles.overrides`.

        Raises:
            SpecError: no such name or file.
            ProfileError: the file, or one that it extends, is no cost set; `problems` lists all.
        """
        from hrsnn_lava.hardware_profiles.overrides import resolve

        path = cls.path_of(name_or_path)
        raw = resolve(path)
        found = cls.from_dict(raw, origin=str(path))
        shipped = path.resolve().parent == cls.folder()
        if not shipped and found.name in cls.names():
            raise ProfileError(
                f"{path}: the name {found.name!r} is that of a cost set that comes with the "
                "package; give yours another"
            )
        return found

    def coefficient(self, count: CountKey) -> Coefficient | None:
        """The term for a count; None when another term covers it."""
        return next((c for c in self.coefficients if c.count == count), None)

    def is_proxy_for(self, profile: HardwareProfile) -> bool:
        """True when this set describes another chip than `profile`."""
        known = {self.name, *self.bases} & set(profile.cost_sets)
        return not known and self.chip != profile.name

    @property
    def overridden(self) -> tuple[str, ...]:
        """Counts whose price was overridden, and ``"static"`` for the idle power."""
        found: list[str] = [c.count for c in self.coefficients if c.overridden]
        return (*found, "static") if self.static.overridden else tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what the file leaves out of ranges and overrides is left out here."""
        data = super().to_dict()
        tables = (*data["coefficients"], *data["covered"], data["static"])
        for table in tables:
            for key in _OPTIONAL & set(table):
                if table[key] in (None, "", False):
                    del table[key]
        for key in ("bases", "message_in"):
            if not data[key]:
                del data[key]
        return data

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The kinds of evidence that its prices rest on, each once, sorted."""
        return tuple(sorted({c.evidence for c in self.coefficients if c.known()}))

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        yield from unprintable(self.to_dict(), "")
        if not _NAME.fullmatch(self.name):
            yield Problem("name", repr(self.name)[:80], "letters, digits, dots, _ and -")
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


#: Taken where the chip has it and nothing was asked for: it prices every event (our choice).
PREFERRED = "sanafe_loihi"


def preferred(profile: HardwareProfile) -> str | None:
    """The cost set of a chip that is taken when none is named; None where the chip has none."""
    sets = profile.cost_sets
    return PREFERRED if PREFERRED in sets else next(iter(sets), None)
