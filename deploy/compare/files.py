"""Reading JSON that somebody else may have written: reports, and baselines of operations.

What is not a whole, finite, sensible document of the version that is known is refused with one
line; nothing of it is guessed.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.errors import AnswerError, ArtifactError, Problem

#: Version of reports that the gate understands.
SCHEMA_VERSION = 1
#: Largest file that is read, bytes; reports of 100,000 neurons are below 10 MB (our choice).
MAX_BYTES = 64 * 2**20
#: Deepest nesting; reports need 8 (our choice).
MAX_DEPTH = 64
#: Problems of an error that are told; one that does not fit may have thousands (our choice).
MAX_PROBLEMS = 20
_PROBLEM = tuple(field.name for field in fields(Problem))
#: What no report can be without; a budget on another part that is missing fails on its own.
_SECTIONS = ("sop", "energy")


def read_report(source: Any) -> dict[str, Any]:
    """A report from a file, or from what a command printed with ``--json``.

    Args:
        source: path of the file.

    Raises:
        ArtifactError: missing, larger than `MAX_BYTES`, no JSON, duplicate keys, NaN or numbers
            out of range, too deep, no report, or of another version.
        AnswerError: it is the JSON answer of a command that failed.
    """
    where = Path(os.fspath(source))
    return as_report(read_json(where), str(where))


def as_report(data: Any, where: str = "report") -> dict[str, Any]:
    """`data` when it is a report; a command's document is opened first.

    Raises:
        ArtifactError: it is none, or one of another version.
    """
    if not isinstance(data, Mapping):
        raise ArtifactError(f"{where}: not a report: the JSON document is no object")
    if "verdict" not in data and isinstance(data.get("error"), Mapping):
        raise _answered(data["error"], where)
    if "verdict" not in data and isinstance(data.get("report"), Mapping):
        data = data["report"]
    missing_keys = [k for k in ("schema_version", "project", "profile", "verdict") if k not in data]
    missing_keys += [k for k in _SECTIONS if not isinstance(data.get(k), Mapping)]
    if missing_keys:
        raise ArtifactError(f"{where}: not a report: {', '.join(missing_keys)} missing")
    version = data["schema_version"]
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise ArtifactError(
            f"{where}: schema_version {str(version)[:40]!r}; allowed: {SCHEMA_VERSION}. "
            "Make the report anew with this version of hrsnn-lava"
        )
    if data["verdict"] not in ("PASS", "FAIL"):
        value = repr(data["verdict"])[:40]
        raise ArtifactError(f"{where}: verdict {value}; allowed: 'PASS' or 'FAIL'")
    return dict(data)


def _answered(error: Mapping[str, Any], where: str) -> AnswerError:
    """The error that a command gave as its answer, with its exit code."""
    message, code, listed = (error.get(key) for key in ("message", "exit_code", "problems"))
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    texts = ({name: str(row.get(name) or "")[:200] for name in _PROBLEM} for row in rows)
    problems = [Problem(**text) for text in texts]
    answer = AnswerError(
        f"{where}: not a report but an error: {str(message)[:200]}",
        problems=problems[:MAX_PROBLEMS],
    )
    if isinstance(code, int) and 1 < code < 256:  # neither True nor a bug of ours
        answer.exit_code = code
    return answer


def read_json(where: Path, label: str = "") -> Any:
    """The document of a file.

    Args:
        where: path of the file.
        label: put before what is wrong with the document, such as ``not a baseline: ``.

    Raises:
        ArtifactError: missing, larger than `MAX_BYTES`, no JSON, duplicate keys, NaN or numbers
            out of range, or too deep.
    """
    return _parse(_read(where), f"{where}: {label}")


def _read(where: Path) -> str:
    try:
        if where.exists() and not where.is_file():
            raise ArtifactError(f"{where}: not a regular file")
        with where.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{where}: cannot be read ({error.strerror})") from error
    if len(raw) > MAX_BYTES:
        raise ArtifactError(f"{where}: more than {MAX_BYTES // 2**20} MiB; not a report")
    try:
        return decoded(raw)
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{where}: not UTF-8: {error.reason} at byte {error.start}") from None


def _parse(text: str, label: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(items)
        if len(entries) < len(items):
            names = [key for key, _ in items]
            twice = next(key for key in names if names.count(key) > 1)
            raise ArtifactError(f"{label}the key {twice[:80]!r} is there twice")
        return entries

    def number(literal: str) -> float:
        value = float(literal)
        return value if math.isfinite(value) else out_of_range(literal)

    def whole(literal: str) -> int:
        # counts fit 64 bits
        return int(literal) if len(literal) <= 19 else out_of_range(literal)

    def out_of_range(literal: str) -> NoReturn:
        raise ArtifactError(f"{label}{literal[:40]} is no finite number in range")

    too_deep = f"{label}nested too deep; allowed: {MAX_DEPTH} levels"
    try:
        data = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=out_of_range,
            parse_float=number,
            parse_int=whole,
        )
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise ArtifactError(f"{label}not JSON: {error.msg} ({at})") from None
    except RecursionError:
        raise ArtifactError(too_deep) from None
    if _deeper(data, MAX_DEPTH):
        raise ArtifactError(too_deep)
    return data


def _deeper(data: Any, limit: int) -> bool:
    """Whether tables and lists are nested in more than `limit` levels."""
    level: list[Any] = [data] if isinstance(data, (dict, list)) else []
    for _ in range(limit + 1):
        nested = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for group in nested for v in group if isinstance(v, (dict, list))]
    return bool(level)
