"""The errors this package raises on purpose, and the exit code each has on the command line.

::

    HrsnnError                1  a fault of ours
    ├── SpecError             2  a spec, an option or an argument is wrong
    │   ├── NetworkError      2  a network that contradicts itself
    │   └── PartError         2  a part of the user's, or of another package, that fails
    ├── ArtifactError         3  an input file is invalid, damaged or unsafe
    │   ├── ProfileError      3  a hardware profile or cost set contradicts itself
    │   ├── OutputError       2  a file or folder cannot be written
    │   └── AnswerError       3  a file is no report, but says why there is none
    ├── CapacityError         4  the network does not fit the chip
    ├── GateError             5  a budget or a regression gate failed
    ├── BackendError          6  a backend is missing or failed
    │   └── BackendMissingError
    ├── ParityError           7  two backends disagree
    └── DeadlineError        75  out of time; the work so far is kept and can be resumed

A message says where, what was measured, what is allowed, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AnswerError",
    "ArtifactError",
    "BackendError",
    "BackendMissingError",
    "CapacityError",
    "DeadlineError",
    "GateError",
    "HrsnnError",
    "NetworkError",
    "OutputError",
    "ParityError",
    "PartError",
    "Problem",
    "ProfileError",
    "SpecError",
    "Violation",
    "by_rule",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where it is, what was found, what is allowed, what to do."""

    where: str
    measured: str
    allowed: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.measured}"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.fix:
            text += f". {self.fix[:1].upper()}{self.fix[1:]}"
        return text


@dataclass(frozen=True)
class Violation:
    """A broken design rule: which, where, what was measured, the limit, the smallest fix.

    Attributes:
        rule: its name.
        where, measured, limit, fix: as those of a `Problem`.
        profile: the chip whose limit it is; `check` fills it in.
        share: what was measured over the limit, where both are counts; 0 elsewhere.
    """

    rule: str
    where: str
    measured: str
    limit: str
    fix: str
    profile: str = ""
    share: float = 0.0

    def __str__(self) -> str:
        chip = f" ({self.profile})" if self.profile else ""
        return f"{self.where}: {self.measured}, limit {self.limit}{chip}: {self.fix}"


class HrsnnError(Exception):
    """Base of all; `problems` lists every single finding, `exit_code` is the shell's answer."""

    exit_code = 1

    def __init__(self, message: str, *, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems: tuple[Problem, ...] = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])


class SpecError(HrsnnError):
    """A spec file, an option or an argument is wrong."""

    exit_code = 2


class NetworkError(SpecError):
    """A network contradicts itself."""


class PartError(SpecError):
    """A part that is not of this package failed; `__cause__` is what it raised, if it did."""


class ArtifactError(HrsnnError):
    """An input file is invalid, damaged or unsafe to read."""

    exit_code = 3


class ProfileError(ArtifactError):
    """A hardware profile or a cost set contradicts itself."""


class OutputError(ArtifactError):
    """A file or folder cannot be written."""

    exit_code = 2


class AnswerError(ArtifactError):
    """A file is no report but the JSON answer of a command that failed.

    Its `problems` are those of that command, and so is its `exit_code`, where the answer says it.
    """


def by_rule(violations: Iterable[Violation]) -> list[tuple[Violation, int]]:
    """For every broken rule its worst violation, and how many others there are, in their order.

    The worst is the one furthest above its limit; the first, where that is no number.
    """
    rules: dict[str, list[Violation]] = {}
    for violation in violations:
        rules.setdefault(violation.rule, []).append(violation)
    return [(max(broken, key=lambda v: v.share), len(broken) - 1) for broken in rules.values()]


class CapacityError(HrsnnError):
    """The network does not fit the chip.

    As text it is a line for every broken rule, that of its worst violation.

    Attributes:
        violations: every single one.
        placement: the placement that was refused, a `compiler.design_rules.PlacedNetwork`:
            `core_of`, and in `used` what it takes of every core. None where there was none.
    """

    exit_code = 4

    def __init__(
        self, message: str, *, violations: Sequence[Violation] = (), placement: Any = None
    ) -> None:
        super().__init__(
            message,
            problems=[
                Problem(f"{v.rule}: {v.where}", str(v.measured), str(v.limit), v.fix)
                for v in violations
            ],
        )
        self.violations = tuple(violations)
        self.placement = placement

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  - {line}" for line in self._lines())])

    def _lines(self) -> Iterator[str]:
        for worst, others in by_rule(self.violations):
            more = f" ({others:,} other{'s' * (others > 1)} too)" if others else ""
            where = f"{worst.rule}: {worst.where}{more}"
            yield str(Problem(where, worst.measured, worst.limit, worst.fix))


class GateError(HrsnnError):
    """A budget or a regression gate failed."""

    exit_code = 5


class BackendError(HrsnnError):
    """A backend failed."""

    exit_code = 6


class BackendMissingError(BackendError):
    """A backend is not available on this Python or in this installation."""


class ParityError(HrsnnError):
    """Two backends that must agree bit for bit do not."""

    exit_code = 7


class DeadlineError(HrsnnError):
    """The time limit was reached; what is done so far is kept and can be resumed."""

    exit_code = 75


def raise_if(error: type[HrsnnError], message: str, problems: Iterable[Problem]) -> None:
    """Raise `error` with all `problems` at once; do nothing when there are none."""
    if listed := tuple(problems):
        raise error(message, problems=listed)
