"""What a user has to know beside the result: weights rounded away, currents that wrap, and so on.

A finding is made where its number is measured and goes along with the result: `findings` of a
compiled network, a trace, a report. `compile`, `simulate` and `report` show them in the headline;
a Python user gets a `FindingWarning` of each that is more than a note. What makes a result
impossible is no finding but an error, see `hrsnn_lava.errors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, get_args

Severity = Literal["error", "warning", "note"]
#: The worst first.
SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)


class FindingWarning(UserWarning):
    """A finding of severity ``warning`` or ``error``."""


@dataclass(frozen=True)
class Finding:
    """One thing that a user has to know.

    Attributes:
        severity: ``error``: the result is not what was asked for, and a report says FAIL;
            ``warning``: something is lost; ``note``: good to know.
        where: the part of the network or the run, such as ``projection 'p'``.
        measured: what was found, with its numbers.
        meaning: what follows from it.
        fix: what to do, as a sentence; empty where there is nothing.
        kind: name of all findings of this kind, such as ``weights_became_zero``.
    """

    severity: Severity
    where: str
    measured: str
    meaning: str
    fix: str = ""
    kind: str = field(kw_only=True)

    def __str__(self) -> str:
        text = f"{self.where}: {self.measured}: {self.meaning}"
        return f"{text}. {self.fix[:1].upper()}{self.fix[1:]}" if self.fix else text

    def to_dict(self) -> dict[str, str]:
        """Plain values, as records, artifacts and reports hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """The finding that `to_dict` gave."""
        return cls(**{name: str(value) for name, value in values.items()})  # type: ignore[arg-type]


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; those of one severity stay in their order, and equal ones are one."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda finding: SEVERITIES.index(finding.severity)))


def warn(findings: Iterable[Finding], stacklevel: int = 2) -> None:
    """A `FindingWarning` for each that is more than a note.

    Args:
        stacklevel: 2 points at the caller of the function that calls this one.
    """
    for finding in worst_first(findings):
        if finding.severity != "note":
            warnings.warn(str(finding), FindingWarning, stacklevel=stacklevel + 1)
