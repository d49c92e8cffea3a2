"""Cost sets: the energy and time of an event, with source, evidence and scope.

Which event costs what differs between sources, so a cost set states for EVERY count whether it
has a price, is known to have one that nobody published (no `value_j`), or is part of another
term (`covered`). Nothing is left out in silence.

A file with ``extends`` names its base, a shipped set or a file beside it, and replaces prices::

    format = 1
    name = "our_board"
    title = "Loihi, with our idle power"
    description = "sanafe_loihi, but for the two numbers that we have measured."
    extends = "sanafe_loihi"

    [[override]]
    count = "synaptic_operations"
    value_j = 31e-12
    unit = "J"
    source = "our measurement of 2024, board 7"
    evidence = "measured"
    condition = "0.75 V, sparse format"

Title, description, unit and condition may be left out; a source and its evidence may not. An
override has all that a coefficient has and says it anew: nothing of the old source stays with
the new number, except the time of the event where the override gives none. ``count = "static"``
with ``value_w`` replaces the idle power. Chip and scope are the base's, so that a proxy stays one
and an all-in set takes no further term. A count that the base prices within another term cannot
be given a price: it would be paid twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.errors import Problem, ProfileError, SpecError, raise_if
from hrsnn_lava.hardware_profiles.documents import (
    Document,
    Evidence,
    Sourced,
    Strict,
    unprintable,
    validated,
)
from hrsnn_lava.hardware_profiles.profile import HardwareProfile
from hrsnn_lava.notebook import brief
from hrsnn_lava.spelling import did_you_mean

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
    "chip_crossings",
    "learning_updates",
]
#: What a run counts: spikes times fan-out; graded operations; neurons times steps, those among
#: them with and without state to update; spikes; (spike, destination core) pairs; router hops
#: along x and y; passages of a message from one chip to the next, which are no hops; synapses
#: updated by a learning rule.
COUNT_KEYS: tuple[CountKey, ...] = get_args(CountKey)
#: Counts that a file may leave out, since sets were written before they were counted. They have
#: no price then, and never that of something else.
_LATER: frozenset[CountKey] = frozenset({"chip_crossings"})


#: Keys that only some tables have; left out of the plain data where they say nothing.
_OPTIONAL = {
    *("low_j", "high_j", "low_w", "high_w", "range_source"),
    *("overridden", "replaces_j", "replaces_w", "absent"),
}
#: Sets that extend each other, at most; our choice.
MAX_DEPTH = 8
#: Of an override: joules for a count, watts for the idle power.
_JOULES, _WATTS = ("value_j", "low_j", "high_j"), ("value_w", "low_w", "high_w")
_TIMES = ("time_s", "time_evidence")
_MARKS = ("name", "alternatives", *_TIMES)
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
        overridden: put in place of a base set's price, see the module; `replaces_j` is that
            price.
    """

    FIGURES: ClassVar[tuple[str, ...]] = ("value_j",)
    UNIT: ClassVar[str] = "J"
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

    def problems(self, where: str) -> Iterator[Problem]:
        where = f"{where} ({self.name})"
        yield from super().problems(where)
        prices = [self.value_j, self.time_s, *self.alternatives.values()]
        prices += [self.low_j, self.high_j]
        if any(price is not None and not 0 <= price < 1e-3 for price in prices):
            yield Problem(where, "a price outside 0..1e-3", "joules and seconds per event")
        yield from range_problems(where, self.low_j, self.value_j, self.high_j, self.range_source)
        if (self.time_s is None) != (self.time_evidence == "none"):
            yield Problem(where, "time without evidence, or the reverse", "both or neither")


def _unnamed(count: CountKey) -> Coefficient:
    """The term of a count that a file leaves out: no price is known."""
    return Coefficient(
        name=count.replace("_", " ").removesuffix("s"),
        count=count,
        unit="J",
        source="the cost set does not name it",
        evidence="none",
        condition="not published",
    )


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

    FIGURES: ClassVar[tuple[str, ...]] = ("value_w",)
    UNIT: ClassVar[str] = "W"
    value_w: float | None = None
    condition: str
    low_w: float | None = None
    high_w: float | None = None
    range_source: str = ""
    overridden: bool = False
    replaces_w: float | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
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

    FIGURES: ClassVar[tuple[str, ...]] = ("tiles",)
    tiles: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if len(self.tiles) != len(self.seconds) or list(self.tiles) != sorted(set(self.tiles)):
            yield Problem(where, "tiles and seconds do not pair", "rising tiles, a time each")
        if any(not 0 <= seconds < 1 for seconds in self.seconds):
            yield Problem(where, "a time outside 0..1", "seconds")


class MessageIn(Sourced):
    """Time in seconds that a core takes to receive one message; None: not published."""

    FIGURES: ClassVar[tuple[str, ...]] = ("time_s",)
    UNIT: ClassVar[str] = "s"
    time_s: float | None = None
    condition: str

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if self.time_s is not None and not 0 <= self.time_s < 1e-3:
            yield Problem(where, f"{self.time_s} s", "0..1e-3 seconds per message")


@brief("name", "title", "chip", "scope", "evidence")
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

    KIND: ClassVar[str] = "cost_set"
    NOUN: ClassVar[str] = "cost set"
    chip: str
    scope: Literal["per_term", "all_in"]
    coefficients: tuple[Coefficient, ...]
    covered: tuple[Covered, ...] = ()
    static: Static
    barrier: Barrier
    message_in: MessageIn | None = None
    bases: tuple[str, ...] = ()

    @classmethod
    def load(cls, name_or_path: str | Path) -> CostSet:
        """As of any file; one that is read by its path may not have the name of a known set."""
        prices = super().load(name_or_path)
        if prices.name in cls.names():
            path, owner = cls.path_of(name_or_path), registry.path(cls.KIND, prices.name)
            if path.resolve() != owner.resolve():
                raise ProfileError(
                    f"{path}: the name {prices.name!r} is that of a cost set that comes with the "
                    "package; give yours another"
                )
        return prices

    @classmethod
    def plain(cls, path: Path) -> dict[str, Any]:
        """A whole set, or one that extends another by ``[[override]]`` tables, resolved."""
        return _resolve(path)

    @property
    def terms(self) -> tuple[Coefficient, ...]:
        """The coefficients, and one without a price for every count that the file leaves out."""
        named = {c.count for c in self.coefficients} | {c.count for c in self.covered}
        return (*self.coefficients, *map(_unnamed, sorted(_LATER - named)))

    def coefficient(self, count: CountKey) -> Coefficient | None:
        """The term for a count; None when another term covers it."""
        return next((c for c in self.terms if c.count == count), None)

    def is_proxy_for(self, profile: HardwareProfile) -> bool:
        """True when this set describes another chip than `profile`."""
        listed = {self.name, *self.bases} & set(profile.cost_sets)
        return not listed and self.chip != profile.name

    @property
    def overridden(self) -> tuple[str, ...]:
        """Counts whose price was overridden, and ``"static"`` for the idle power."""
        counts: list[str] = [c.count for c in self.coefficients if c.overridden]
        return (*counts, "static") if self.static.overridden else tuple(counts)

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
        times = Counter([c.count for c in self.coefficients] + [c.count for c in self.covered])
        for key in COUNT_KEYS:
            if times[key] != 1 and not (key in _LATER and times[key] == 0):
                allowed = "once, as a coefficient or as covered"
                yield Problem(f"count {key!r}", f"named {times[key]} times", allowed)
        extra = [c.count for c in self.coefficients if c.count != "synaptic_operations"]
        terms = ", ".join([*extra, *(["static"] if self.static.known() else [])])
        if self.scope == "all_in" and terms:
            allowed = "synaptic_operations alone: the figure holds the rest"
            yield Problem("scope", f"all_in, with further terms {terms}", allowed)


class Override(Strict):
    """One price in place of the base's; `CostSet` checks the numbers themselves."""

    count: Literal[CountKey, "static"]
    name: str | None = None
    value_j: float | None = None
    value_w: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    low_w: float | None = None
    high_w: float | None = None
    range_source: str = ""
    unit: str | None = None
    source: str
    evidence: Evidence
    condition: str = "not stated"
    alternatives: dict[str, float] = Field(default_factory=dict)
    time_s: float | None = None
    time_evidence: Evidence = "none"


class Extension(Strict):
    """A file with ``extends``: a name of its own, its base, and the prices it replaces."""

    format: Literal[1] = 1
    name: str
    title: str | None = None
    description: str | None = None
    extends: str
    override: tuple[Override, ...] = ()


def _resolve(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The plain data of a cost set, with what it extends filled in.

    Args:
        path: of the file.
        below: files that extend it, the outermost first.

    Raises:
        SpecError: the file cannot be read.
        ProfileError: it, or a file that it extends, is no cost set, or extends itself.
    """
    raw = CostSet.read(path)
    if "extends" not in raw:
        if "override" in raw:
            raise ProfileError(f"{path}: [[override]] without extends; name the set it changes")
        return raw
    extension = validated(Extension, raw, f"{path} is no cost set that extends another")
    if not extension.override:
        raise ProfileError(f"{path}: extends without [[override]]; name what it changes")
    chain = (*below, path.resolve())
    base_path = _base(extension, path)
    if base_path.resolve() in chain:
        names = " -> ".join(p.name for p in (*chain, base_path))
        raise ProfileError(f"{path}: cost sets extend each other in a circle: {names}")
    if len(chain) > MAX_DEPTH:
        raise ProfileError(f"{path}: more than {MAX_DEPTH} cost sets extend one another")
    base = CostSet.from_dict(_resolve(base_path, chain), origin=str(base_path))
    return extended(base, extension)


def _base(extension: Extension, path: Path) -> Path:
    name = extension.extends
    try:
        base = CostSet.path_of(name)
    except SpecError as error:
        raise ProfileError(f"{path}: extends: {error.message}, or a file *.toml") from None
    if not name.endswith(".toml"):
        return base
    beside = path.parent / base
    if not beside.exists():
        raise ProfileError(f"{path}: extends {name!r}: no such file beside it")
    return beside


def extended(base: CostSet, extension: Extension) -> dict[str, Any]:
    """`base` with overridden prices, as the plain data of a cost set.

    Raises:
        ProfileError: an override has no place in the base; `problems` lists all of them.
    """
    data = base.to_dict()
    problems = []
    counts: set[str] = set()
    for index, override in enumerate(extension.override):
        where = f"override[{index}] ({override.count})"
        if override.count in counts:
            problems.append(Problem(where, "named twice", "once"))
        counts.add(override.count)
        misplaced = _misplaced(base, override, where)
        problems += misplaced
        if override.count == "static" and not misplaced:
            data["static"] = _static(base, override)
        elif not misplaced:
            data["coefficients"] = [
                _coefficient(base, override) if term.count == override.count else old
                for term, old in zip(base.coefficients, data["coefficients"], strict=True)
            ]
            if override.count not in {c.count for c in base.coefficients}:
                data["coefficients"].append(_coefficient(base, override))
    raise_if(ProfileError, f"cost set {extension.name!r} cannot extend {base.name!r}", problems)
    own: dict[str, Any] = {
        "format": extension.format,
        "name": extension.name,
        "title": extension.title or f"{base.title}, with prices replaced",
        "description": extension.description or base.description,
    }
    return {**data, **own, "bases": [base.name, *base.bases]}


def _misplaced(base: CostSet, override: Override, where: str) -> list[Problem]:
    """Why an override has no place in the base."""
    problems = []
    static = override.count == "static"
    wrong = [key for key in (_JOULES if static else _WATTS) if getattr(override, key) is not None]
    if static:
        wrong += [key for key in _MARKS if key in override.model_fields_set]
        if base.scope == "all_in":
            problems.append(Problem(where, "an all-in price holds the static power", "nothing"))
    else:
        covered = next((c for c in base.covered if c.count == override.count), None)
        if covered is not None:
            text = f"{base.name} prices it within another term: {covered.reason}"
            problems.append(Problem(where, text, "counts with a price of their own"))
    if wrong:
        kind = "watts: value_w, low_w, high_w" if static else "joules: value_j, low_j, high_j"
        problems.append(Problem(where, ", ".join(wrong), kind))
    return problems


def _replacement(
    old: Coefficient | Static, override: Override, value: str, exclude: set[str]
) -> dict[str, Any]:
    """The plain data of a price in place of `old`, marked; `value` is the unit's ending."""
    new = override.model_dump(mode="json", exclude=exclude)
    new["unit"] = override.unit or old.unit
    # an override of an override still replaces what was published
    replaced = getattr(old, f"{'replaces' if old.overridden else 'value'}_{value}")
    return {**new, "overridden": True, f"replaces_{value}": replaced}


def _coefficient(base: CostSet, override: Override) -> dict[str, Any]:
    old = next(c for c in base.terms if c.count == override.count)
    new = _replacement(old, override, "j", set(_WATTS))
    new["name"] = override.name or old.name
    return new if override.time_s is not None else new | {k: getattr(old, k) for k in _TIMES}


def _static(base: CostSet, override: Override) -> dict[str, Any]:
    return _replacement(base.static, override, "w", {"count", *_JOULES, *_MARKS})


#: Taken where the chip has it and nothing was asked for: it prices every event (our choice).
PREFERRED = "sanafe_loihi"


def preferred(profile: HardwareProfile) -> str | None:
    """The cost set of a chip that is taken when none is named; None where the chip has none."""
    sets = profile.cost_sets
    return PREFERRED if PREFERRED in sets else next(iter(sets), None)


def document_of(name: str) -> HardwareProfile | CostSet:
    """A chip or a cost set by name; a file is taken for what it says.

    Raises:
        SpecError: no such name or file.
        ProfileError: the file is neither.
    """
    if name in CostSet.names():
        return CostSet.load(name)
    if name.endswith(".toml"):
        try:
            return HardwareProfile.load(name)
        except ProfileError as error:
            try:
                return CostSet.load(name)
            except ProfileError as other:
                # the one with fewer faults is what it was meant to be
                raise min(error, other, key=lambda e: len(e.problems)) from None
    if name not in HardwareProfile.names():
        near = did_you_mean(name, (*HardwareProfile.names(), *CostSet.names()))
        hint = f". {near[:1].upper()}{near[1:]}" if near else ""
        raise SpecError(
            f"no profile and no cost set {name!r}; there are: "
            f"{', '.join(HardwareProfile.names())}; {', '.join(CostSet.names())}{hint}"
        )
    return HardwareProfile.load(name)
