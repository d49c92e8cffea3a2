"""Cost sets that extend another one: a few prices of one's own, each marked as such.

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

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hrsnn_lava.errors import Problem, ProfileError, SpecError, raise_if
from hrsnn_lava.hardware_profiles.cost_set import CostSet, CountKey
from hrsnn_lava.hardware_profiles.strict import Evidence, Strict, validated

#: Sets that extend each other, at most; our choice.
MAX_DEPTH = 8
#: Of an override: joules for a count, watts for the idle power.
_JOULES, _WATTS = ("value_j", "low_j", "high_j"), ("value_w", "low_w", "high_w")
_TIMES = ("time_s", "time_evidence")
_MARKS = ("name", "alternatives", *_TIMES)


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


def resolve(path: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
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
    base = CostSet.from_dict(resolve(base_path, chain), origin=str(base_path))
    return extended(base, extension)


def _base(extension: Extension, path: Path) -> Path:
    name = extension.extends
    try:
        found = CostSet.path_of(name)
    except SpecError as error:
        raise ProfileError(f"{path}: extends: {error.message}, or a file *.toml") from None
    if not name.endswith(".toml"):
        return found
    found = path.parent / found
    if not found.exists():
        raise ProfileError(f"{path}: extends {name!r}: no such file beside it")
    return found


def extended(base: CostSet, extension: Extension) -> dict[str, Any]:
    """`base` with overridden prices, as the plain data of a cost set.

    Raises:
        ProfileError: an override has no place in the base; `problems` lists all of them.
    """
    data = base.to_dict()
    problems = []
    seen: set[str] = set()
    for index, override in enumerate(extension.override):
        where = f"override[{index}] ({override.count})"
        if override.count in seen:
            problems.append(Problem(where, "named twice", "once"))
        seen.add(override.count)
        found = list(_misplaced(base, override, where))
        problems += found
        if found:
            continue
        if override.count == "static":
            data["static"] = _static(base, override)
        else:
            data["coefficients"] = [
                _coefficient(base, override) if old["count"] == override.count else old
                for old in data["coefficients"]
            ]
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


def _coefficient(base: CostSet, override: Override) -> dict[str, Any]:
    old = next(c for c in base.coefficients if c.count == override.count)
    new = override.model_dump(mode="json", exclude=set(_WATTS))
    new["name"], new["unit"] = override.name or old.name, override.unit or old.unit
    if override.time_s is None:
        new |= {key: getattr(old, key) for key in _TIMES}
    # an override of an override still replaces what was published
    replaced = old.replaces_j if old.overridden else old.value_j
    return {**new, "overridden": True, "replaces_j": replaced}


def _static(base: CostSet, override: Override) -> dict[str, Any]:
    new = override.model_dump(mode="json", exclude={"count", *_JOULES, *_MARKS})
    old = base.static
    new["unit"] = override.unit or old.unit
    replaced = old.replaces_w if old.overridden else old.value_w
    return {**new, "overridden": True, "replaces_w": replaced}
