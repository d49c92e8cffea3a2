"""Labelled samples of one's own, as a table of text."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._files import damaged, number_of, text_of
from hrsnn_lava.tasks.readers._ragged import named
from hrsnn_lava.tasks.readers.base import PARTS, Labelled

_INTEGER = re.compile(r"[-+]?\d{1,18}")


@dataclass(frozen=True)
class _Row:
    """A row, and the line where it ends."""

    line: int
    cells: list[str]


@options
class CsvSamples:
    """A row a sample: values, and the label in the last column or in one that is named.

    The first row is a header where columns are named, or where none of its values is a number.

    Attributes:
        path: of the file, UTF-8.
        label: name of the column of the labels; empty: the last one.
        group: name of the column of the groups, which a split keeps together; empty: there is none.
        part: name of the column of the parts, ``train``, ``validation`` or ``test``; empty: there
            is none.
        frames: into which the values of a row are cut, one after the other.
        separator: between cells, one character.
    """

    name: ClassVar[str] = "csv"
    path: str
    label: str = ""
    group: str = ""
    part: str = ""
    frames: Count = 1
    separator: str = ","

    def __post_init__(self) -> None:
        if len(self.separator) != 1 or self.separator in '"\r\n ':
            problem = Problem("separator", repr(self.separator), "one character that parts cells")
            raise_if(SpecError, "options of csv", [problem])

    def read(self) -> Labelled:
        """All rows; raises `ArtifactError` with the line of what is wrong."""
        path = Path(self.path)
        rows = list(self._rows(path))
        if not rows:
            raise damaged(path, "rows", "none", "a row for every sample")
        columns = self._columns(path, rows[0].cells)
        values = [k for k in range(len(rows[0].cells)) if k not in columns.values()]
        if not values or len(values) % self.frames:
            measured, allowed = f"{len(values)} columns of values", f"a multiple of {self.frames}"
            raise damaged(path, "frames", measured, allowed)
        headed = self.label or self.group or self.part
        if headed or not any(_is_number(rows[0].cells[k]) for k in values):
            rows = rows[1:]
        if not rows:
            raise damaged(path, "rows", "a header alone", "a row for every sample")
        x = np.array([[_number(path, row, k) for k in values] for row in rows])
        labels, classes = named(_labels([row.cells[columns["label"]] for row in rows]))
        groups = parts = None
        if "group" in columns:
            groups = named(np.array([row.cells[columns["group"]] for row in rows]))[0]
        if "part" in columns:
            parts = np.array([_part(path, row, columns["part"]) for row in rows], dtype=np.int64)
        frames = x.reshape(len(rows), self.frames, -1)
        return Labelled(frames, labels, classes, groups, parts)

    def _rows(self, path: Path) -> Iterator[_Row]:
        """Rows of cells; all have as many as the first one."""
        text = io.StringIO(text_of(path), newline="")
        reader = csv.reader(text, delimiter=self.separator, strict=True)
        width = None
        try:
            for cells in reader:
                if not cells or (len(cells) == 1 and not cells[0].strip()):
                    continue
                width = width or len(cells)
                if len(cells) != width:
                    where = f"line {reader.line_num}"
                    raise damaged(path, where, f"{len(cells)} cells", f"{width}, as before")
                yield _Row(reader.line_num, [cell.strip() for cell in cells])
        except csv.Error as error:
            raise damaged(path, f"line {reader.line_num}", str(error)) from None

    def _columns(self, path: Path, first: list[str]) -> dict[str, int]:
        """Columns that are no values, by what they are."""
        columns = {}
        for role, name in (("label", self.label), ("group", self.group), ("part", self.part)):
            if name and first.count(name) != 1:
                allowed = f"one of {', '.join(first)[:200]}"
                raise damaged(path, "line 1", f"no single column {name!r}, the {role}", allowed)
            if name:
                columns[role] = first.index(name)
        columns.setdefault("label", len(first) - 1)
        if len(set(columns.values())) != len(columns):
            raise damaged(
                path, "line 1", "one column for several of label, group, part", "one each"
            )
        return columns


def _labels(cells: list[str]) -> NDArray[np.generic]:
    """Labels as integers where all of them are, so that 10 comes after 9; else as texts."""
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells])
    return np.array(cells)


def _is_number(cell: str) -> bool:
    try:
        number_of(cell)
    except ValueError:
        return False
    return True


def _number(path: Path, row: _Row, column: int) -> float:
    cell = row.cells[column]
    if not _is_number(cell) or not math.isfinite(float(cell)):
        where = f"line {row.line}, column {column + 1}"
        raise damaged(path, where, repr(cell[:40]), "a finite number")
    return float(cell)


def _part(path: Path, row: _Row, column: int) -> int:
    cell = row.cells[column]
    if cell not in PARTS:
        raise damaged(path, f"line {row.line}", f"part {cell[:40]!r}", ", ".join(PARTS))
    return PARTS.index(cell)
