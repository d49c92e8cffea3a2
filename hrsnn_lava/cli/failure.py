"""Exceptions to messages and exit codes.

::

    0 ok          1 a bug of ours            2 usage or spec        3 invalid input file
    4 no fit      5 budget or regression     6 backend              7 parity
    75 timed out  130 interrupted            128 + n: ended by signal n
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import click

from hrsnn_lava import registry
from hrsnn_lava.cli.console import ReaderGone, answer, columns, json_document, say
from hrsnn_lava.errors import CapacityError, HrsnnError, PartError, Problem, by_rule
from hrsnn_lava.spelling import did_you_mean, names_in

TRACEBACK_VARIABLE = "HRSNN_LAVA_TRACEBACK"
#: Rows of the utilization of a refused placement.
FULLEST = 5
#: Faults of the surroundings, not of this program: named, and answered like a usage error.
_SURROUNDINGS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOENT, errno.EISDIR),
    *(errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG, errno.EDQUOT, errno.ENOSPC),
    *(errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENXIO),
}


class Terminated(BaseException):
    """SIGTERM or SIGHUP was received; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Failure:
    """What the user is told.

    Attributes:
        kind: class name, for JSON.
        message: one line or more.
        exit_code: of the process.
        problems: every single finding.
        details: more of it, by name, for JSON.
        expected: False for a bug of ours, which may show a traceback.
    """

    kind: str
    message: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    expected: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The ``error`` object of a JSON answer."""
        return {
            "type": self.kind,
            "message": self.message,
            "problems": [asdict(problem) for problem in self.problems],
            "exit_code": self.exit_code,
            **self.details,
        }


def describe(error: BaseException) -> Failure:
    """Message and exit code of an exception."""
    kind = type(error).__name__
    if isinstance(error, HrsnnError):
        expected = error.exit_code != 1
        details = refusal(error) if isinstance(error, CapacityError) else {}
        problems = tuple(map(_with_near_name, error.problems))
        return Failure(kind, error.message, error.exit_code, problems, expected, details)
    if isinstance(error, click.ClickException):
        return Failure(kind, error.format_message() + _meant(error), error.exit_code)
    if isinstance(error, click.Abort) and isinstance(error.__cause__, EOFError):
        return describe(error.__cause__)  # click takes any end of a file for that of a prompt
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Failure("Interrupted", "interrupted", 130)
    if isinstance(error, Terminated):
        return Failure("Terminated", "terminated; nothing half-written is left", 128 + error.number)
    if isinstance(error, MemoryError):
        advice = "out of memory: use fewer steps, fewer probes or a smaller network"
        return Failure(kind, advice, 1)
    if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
        where = f"{error.filename}: " if error.filename else ""
        return Failure(kind, f"{where}{error.strerror}", 2)
    if isinstance(error, ImportError) and not (error.name or "").startswith("hrsnn_lava"):
        advice = "The installation is damaged: see `hrsnn-lava doctor`"
        return Failure(kind, f"{error}. {advice}", 1)
    text = str(error).strip()
    detail = f"{kind}: {text}" if text else kind
    return Failure(kind, f"this is a bug in hrsnn-lava: {detail}", 1, expected=False)


def _with_near_name(problem: Problem) -> Problem:
    """The problem of a name that is not among those allowed, with the one that may be meant."""
    name = re.fullmatch(r"'([^']*)'", problem.measured)
    if name is None or problem.fix:
        return problem
    return replace(problem, fix=did_you_mean(name[1], names_in(problem.allowed)))


def _meant(error: click.ClickException) -> str:
    """What a wrong value of an option with choices may have been meant to be."""
    value = re.match(r"'(.*)' is not one of", error.message)
    kind = getattr(getattr(error, "param", None), "type", None)
    if value is None or not isinstance(kind, click.Choice):
        return ""
    near = did_you_mean(value[1], map(str, kind.choices))
    return f" {near[:1].upper()}{near[1:]}" if near else ""


def report_failure(error: BaseException, command: str | None, arguments: Sequence[str]) -> int:
    """Tell the user on standard error, or as JSON on standard output; return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    failure = describe(error)
    if failure.exit_code == 1 and not isinstance(error, (HrsnnError, MemoryError)):
        with contextlib.suppress(HrsnnError):  # of the registry itself
            error = registry.of_part(error) or error
            failure = describe(error)
    unplanned = not failure.expected or isinstance(error, PartError)
    if unplanned and wants_traceback(arguments):
        say("".join(traceback.format_exception(error)).rstrip())
    if has_flag(arguments, "--json"):
        with contextlib.suppress(ReaderGone, OSError):
            answer(json_document(command, {"error": failure.to_dict()}))
    else:
        say(_text(error, failure, arguments))
    return failure.exit_code


def refusal(error: CapacityError) -> dict[str, Any]:
    """What JSON says of a network that does not fit: every violation, and what was tried."""
    found: dict[str, Any] = {"violations": [asdict(v) for v in error.violations]}
    if error.placement is not None:
        used = error.placement.used
        found["placement"] = {
            "cores": used.n_cores,
            "core_of": error.placement.core_of.tolist(),
            "utilization": list(used.constraints()),
        }
    return found


def _fullest(error: CapacityError) -> list[str]:
    """The fullest resources of the placement that was refused, as a table."""
    if error.placement is None:
        return []
    limited = [row for row in error.placement.used.constraints() if row["fraction"] is not None]
    limited.sort(key=lambda row: -row["fraction"])
    rows = [
        (
            row["rule"],
            row["worst_core"],
            row["used"],
            row["limit"],
            f"{100 * row['fraction']:.1f} %",
        )
        for row in limited[:FULLEST]
    ]
    if not rows:
        return []
    names = ("resource", "worst core", "used", "limit", "share")
    return ["", "the placement that was refused:", columns(rows, names, (1, 2, 3, 4))]


def has_flag(arguments: Sequence[str], flag: str) -> bool:
    """True when `flag` is among the options, also where the others could not be parsed."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return flag in arguments[:end]


def wants_traceback(arguments: Sequence[str]) -> bool:
    """True when the option or the environment asks for tracebacks."""
    return has_flag(arguments, "--traceback") or os.environ.get(TRACEBACK_VARIABLE, "0") not in (
        "",
        "0",
    )


def _text(error: BaseException, failure: Failure, arguments: Sequence[str]) -> str:
    lines = []
    if isinstance(error, click.UsageError) and error.ctx is not None:
        lines += [error.ctx.get_usage(), f"Try '{error.ctx.command_path} --help' for help.", ""]
    lines.append(failure.message if failure.exit_code == 130 else f"error: {failure.message}")
    if isinstance(error, CapacityError) and error.violations:
        rows = [
            (v.rule, v.where, f"{others:,}" if others else "-", v.measured, v.limit, v.fix)
            for v, others in by_rule(error.violations)
        ]
        names = ("rule", "worst", "others", "measured", "limit", "smallest fix")
        lines += ["", columns(rows, names, (2,)), *_fullest(error)]
    else:
        lines += [f"  - {problem}" for problem in failure.problems]
    if isinstance(error, PartError) and error.__cause__ and not wants_traceback(arguments):
        lines.append(f"--traceback or {TRACEBACK_VARIABLE}=1 shows where it was raised.")
    if not failure.expected and not wants_traceback(arguments):
        lines.append(f"Please report it, with what --traceback or {TRACEBACK_VARIABLE}=1 shows.")
    return "\n".join(lines)
