"""Tables of numbers: a text file of comma-separated values (RFC 4180), or an ``.npz``.

Nothing is guessed and nothing is repaired: a cell that is missing, no number or not finite is
named by file, line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import MAX_BYTES, load_npz
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.spelling import did_you_mean

__all__ = ["read_arrays", "read_table"]

Floats = NDArray[np.float64]
#: What a number looks like; Python's own `float` takes ``1_000`` and ``nan``, too.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
#: Bad cells that a message lists; a wrong delimiter makes one of every line.
_LISTED = 8
#: Arrays of an ``.npz`` that are taken for the series, the first that is there.
_ARRAYS = ("values", "x")


def read_table(
    path: str | Path,
    columns: Sequence[str | int] = (),
    *,
    header: bool = True,
    delimiter: str = ",",
    decimal: str = ".",
) -> Floats:
    """Read columns of numbers, (n_rows, n_columns), from a CSV file in UTF-8.

    Args:
        path: of the file.
        columns: names, where there is a header, or numbers counted from 1; empty: all.
        header: whether the first line has names.
        delimiter: between two cells.
        decimal: mark of the decimals, a point or a comma.

    Raises:
        ArtifactError: the file is missing, is no such text, has lines of unequal length, or cells
            that are no finite numbers; up to eight of them are named.
        SpecError: a column is not there, or there are numbers where the header should be.
    """
    where = Path(path)
    rows = _rows(where, delimiter)
    if not rows:
        raise ArtifactError(f"{where}: no line; allowed: a table of numbers")
    first_line, first = rows[0]
    names = [name.strip() for name in first] if header else [""] * len(first)
    by_name = any(isinstance(column, str) for column in columns)
    if header and not by_name and all(_NUMBER.fullmatch(name) for name in names):
        measured, fix = "numbers alone", "set header = false, or choose columns by these names"
        problem = Problem(f"{where}, line {first_line}", measured, "names of columns", fix)
        raise SpecError("a table without a header", problems=[problem])
    chosen = _columns(where, names, columns, header)
    cells, problems = [], []
    for line, row in rows[1:] if header else rows:
        if len(row) != len(names):
            measured = f"{len(row)} cells" if len(row) != 1 else "1 cell"
            allowed = f"{len(names)}, as in line {first_line}"
            problems.append(Problem(f"{where}, line {line}", measured, allowed))
            continue
        for column in chosen:
            text = row[column].strip()
            number = text.replace(decimal, ".") if decimal != "." else text
            value = float(number) if _NUMBER.fullmatch(number) else np.nan
            if not np.isfinite(value):
                place = f"{where}, line {line}, column {_label(column, names)}"
                measured = repr(text) if text else "empty"
                fix = "set header = true, if these are names" if line == first_line else ""
                fix = fix or ("" if columns else "or name the columns to read")
                problems.append(Problem(place, measured, "a finite number", fix))
            cells.append(value)
    rest = len(problems) - _LISTED
    more = f", of which the first {_LISTED} are listed" if rest > 0 else ""
    title = f"{where}: faults: {len(problems)}{more}"
    raise_if(ArtifactError, title, problems[:_LISTED])
    if not cells:
        raise ArtifactError(f"{where}: no line of numbers; allowed: at least one")
    return np.array(cells, dtype=np.float64).reshape(-1, len(chosen))


def _label(column: int, names: Sequence[str]) -> str:
    return f"{column + 1} ({names[column]!r})" if names[column] else f"{column + 1}"


def _rows(where: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """Every record with the number of its first line; empty lines at the end are no records."""
    try:
        if where.stat().st_size > MAX_BYTES:
            size = where.stat().st_size
            raise ArtifactError(f"{where}: {size} bytes; allowed: {MAX_BYTES}")
        text = where.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ArtifactError(f"{where}: no such file") from None
    except OSError as error:
        raise ArtifactError(f"{where}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{where}: byte {error.start} is no UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, line = [], 1
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ArtifactError(f"{where}, line {line}: {error}") from error
    while rows and not any(cell.strip() for cell in rows[-1][1]):
        rows.pop()
    return rows


def _columns(
    where: Path, names: Sequence[str], columns: Sequence[str | int], header: bool
) -> list[int]:
    """Indices of the columns asked for."""
    if not columns:
        return list(range(len(names)))
    problems, chosen = [], []
    known = ", ".join(name or "''" for name in names)
    for column in columns:
        if isinstance(column, int):
            if not 1 <= column <= len(names):
                problems.append(Problem("columns", f"{column}", f"1 to {len(names)}"))
            chosen.append(column - 1)
        elif not header:
            problems.append(Problem("columns", repr(column), f"1 to {len(names)}: no header"))
        elif names.count(column) != 1:
            count = names.count(column)
            measured = f"{column!r}, there {count} times" if count else repr(column)
            problems.append(Problem("columns", measured, known, did_you_mean(column, names)))
        else:
            chosen.append(names.index(column))
    if not problems and len(set(chosen)) < len(chosen):
        problems.append(Problem("columns", f"{list(columns)}", "each once"))
    raise_if(SpecError, f"{where}: no such columns", problems)
    return chosen


def read_arrays(path: str | Path, columns: Sequence[str | int] = ()) -> Floats:
    """Read a series, (n, d), from an ``.npz``: its array ``values`` or ``x``, (n,) or (n, d).

    Args:
        path: of the file.
        columns: numbers counted from 1; empty: all.

    Raises:
        ArtifactError: the file is missing or damaged, or its numbers are not finite.
        SpecError: a column is not there.
    """
    where = Path(path)
    arrays = load_npz(where)
    name = next((name for name in _ARRAYS if name in arrays), None)
    if name is None:
        there = ", ".join(arrays) or "no array"
        raise ArtifactError(f"{where}: arrays: {there}; allowed: {' or '.join(_ARRAYS)}")
    array = arrays[name]
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or array.size == 0:
        text = f"{array.dtype} of shape {array.shape}; allowed: numbers, (n,) or (n, d)"
        raise ArtifactError(f"{where}: {name}: {text}")
    values = array.reshape(len(array), -1).astype(np.float64)
    chosen = _columns(where, [""] * values.shape[1], columns, header=False)
    values = values[:, chosen]
    bad = np.argwhere(~np.isfinite(values))
    problems = [
        Problem(
            f"{where}, {name}, row {row + 1}, column {chosen[k] + 1}", f"{values[row, k]}", "finite"
        )
        for row, k in bad[:_LISTED]
    ]
    raise_if(ArtifactError, f"{where}: faults: {len(bad)}", problems)
    return values
