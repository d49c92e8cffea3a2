"""Budgets and tolerances in a TOML file, and on the command line.

::

    [budgets]
    max_sops_per_inference = 20_000
    "max:sop.per_projection.exc_exc.operations" = 1000

    [tolerances]          # percent that a number may get worse than the baseline's
    sops = 0
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.budgets.judge import Budget, budgets_of, number, wrong
from hrsnn_lava.deploy.gate.baseline import tolerances_of
from hrsnn_lava.errors import Problem, SpecError, raise_if

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLES = ("budgets", "tolerances")


@dataclass(frozen=True)
class Limits:
    """What to hold a report against: limits by key, and percents by key."""

    budgets: dict[str, float] = field(default_factory=dict)
    tolerances: dict[str, float] = field(default_factory=dict)

    def updated(self, other: Limits) -> Limits:
        """`other` wins where both name a key."""
        return Limits(self.budgets | other.budgets, self.tolerances | other.tolerances)


def read_limits(source: Any) -> Limits:
    """The tables ``[budgets]`` and ``[tolerances]`` of a file.

    Raises:
        SpecError: no such file, no TOML, other tables, unknown keys, wrong numbers: all at once.
    """
    where = Path(os.fspath(source))
    try:
        data = tomllib.loads(decoded(where.read_bytes()))
    except FileNotFoundError:
        raise SpecError(f"{where}: no such file") from None
    except OSError as error:
        raise SpecError(f"{where}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{where}: not valid TOML: {error}") from error
    problems = [
        Problem(str(key), "unknown table", "[budgets] and [tolerances]")
        for key in data
        if key not in _TABLES
    ]
    for name in _TABLES:
        table = data.setdefault(name, {})
        if not isinstance(table, dict):
            problems.append(Problem(name, repr(table)[:80], "a table"))
            continue
        try:
            budgets_of(table) if name == "budgets" else tolerances_of(table)
        except SpecError as error:
            problems += error.problems
    if not any(isinstance(data[name], dict) and data[name] for name in _TABLES):
        problems.append(Problem("budgets", "empty", "at least one budget or tolerance"))
    raise_if(SpecError, f"{where}: not valid", problems)
    return Limits({k.strip(): v for k, v in data["budgets"].items()}, data["tolerances"])


def parse_budgets(texts: Iterable[str]) -> Limits:
    """``KEY=VALUE`` each.

    Raises:
        SpecError: every mistake of `Budget.parse`, and every key that is there twice.
    """

    def read(text: str) -> tuple[str, float]:
        budget = Budget.parse(text)
        return budget.key, budget.limit

    return Limits(budgets=_parse(texts, read))


def parse_tolerances(texts: Iterable[str]) -> Limits:
    """``KEY=PERCENT`` each; the percent sign may be there.

    Raises:
        SpecError: every mistake of `tolerances_of`, and every key that is there twice.
    """

    def read(text: str) -> tuple[str, float]:
        key, sign, value = (part.strip() for part in text.rpartition("="))
        if not sign or not key:
            raise wrong(repr(text), "no tolerance", "KEY=PERCENT, such as sops=0")
        percent = number(value.removesuffix("%"), key)
        tolerances_of({key: percent})
        return key, percent

    return Limits(tolerances=_parse(texts, read))


def _parse(texts: Iterable[str], parse: Callable[[str], tuple[str, float]]) -> dict[str, float]:
    limits: dict[str, float] = {}
    problems: list[Problem] = []
    for text in texts:
        try:
            key, value = parse(text)
        except SpecError as error:
            problems += error.problems
            continue
        if key in limits:
            problems.append(Problem(key, "given twice", "once"))
        limits[key] = value
    raise_if(SpecError, "a budget or tolerance is not valid", problems)
    return limits
