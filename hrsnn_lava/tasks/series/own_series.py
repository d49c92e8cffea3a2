"""A series of one's own, from a CSV file or an ``.npz``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.metrics.forecast import Headline
from hrsnn_lava.options import options
from hrsnn_lava.tasks.series.recorded import RecordedForecast
from hrsnn_lava.tasks.series.table import read_arrays, read_table
from hrsnn_lava.tasks.series.windows import System

__all__ = ["OwnSeries"]

Floats = NDArray[np.float64]


@options
class OwnSeries(RecordedForecast):
    """Forecasts of a series of one's own, equidistant samples of one column or several.

    Attributes:
        path: of a CSV file in UTF-8, or of an ``.npz`` with the array ``values`` or ``x``, (n,) or
            (n, d).
        columns: to read, by their names in the header or by their numbers, counted from 1; empty:
            all.
        header: whether the first line has names.
        delimiter: between two cells.
        decimal: mark of the decimals.
        log: forecast logarithms; all values have to be positive.
        differences: forecast the differences of successive values, after `log`.
        headline: what networks are compared by: the error of the next step, or of the closed loop.
    """

    name: ClassVar[str] = "csv"
    path: str = ""
    columns: tuple[str | int, ...] = ()
    header: bool = True
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    log: bool = False
    differences: bool = False
    headline: Headline = "one_step"

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        problems = []
        if self.delimiter in '"\r\n' or self.delimiter == self.decimal:
            allowed = f"a character that is no quote, no end of a line and not {self.decimal!r}"
            problems.append(Problem("delimiter", repr(self.delimiter), allowed))
        if problems:
            raise SpecError("options of csv", problems=problems)

    def main_error(self) -> Headline:
        """As the options say."""
        return self.headline

    def recording(self) -> tuple[Floats, System]:
        """The series after logarithms and differences, (n, d).

        Raises:
            ArtifactError: the file cannot be read, or a value has no logarithm.
            SpecError: no path, or no such column.
        """
        if not self.path:
            problem = Problem("task.path", "not set", "a CSV file or an .npz")
            raise SpecError("a series of one's own needs a file", problems=[problem])
        values = self._values()
        if self.log:
            if not np.all(values > 0):
                row, column = np.argwhere(values <= 0)[0]
                where = f"{self.path}, sample {row + 1}, column {column + 1} of those read"
                problem = Problem(where, f"{values[row, column]:g}", "> 0 with log = true")
                raise ArtifactError("a value has no logarithm", problems=[problem])
            values = np.log(values)
        if self.differences:
            with np.errstate(over="ignore"):  # refused where the series is cut
                values = np.diff(values, axis=0)
        return values, System("csv", 1.0)

    def _values(self) -> Floats:
        if self.path.lower().endswith(".npz"):
            return read_arrays(self.path, self.columns)
        return read_table(
            self.path,
            self.columns,
            header=self.header,
            delimiter=self.delimiter,
            decimal=self.decimal,
        )
