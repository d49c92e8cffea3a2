"""Google's closing price, 2,148 trading days, which travels with the package."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.options import options
from hrsnn_lava.tasks.series.recorded import RecordedForecast
from hrsnn_lava.tasks.series.table import read_table
from hrsnn_lava.tasks.series.windows import System

__all__ = ["Goog"]

Floats = NDArray[np.float64]


@options
class Goog(RecordedForecast):
    """Forecasts of Google's closing price, 2004-08-19 to 2013-03-01.

    The LNP paper forecasts a Google stock; which days, and how it is normalised, it does not say.
    Nothing is known to beat persistence on it, so its error stands beside every other.

    Attributes:
        log: forecast the logarithm of the price.
    """

    name: ClassVar[str] = "goog"
    log: bool = True

    def recording(self) -> tuple[Floats, System]:
        """Closing prices, or their logarithms, (2148, 1); see ``goog_close.LICENSE.txt``."""
        source = resources.files("hrsnn_lava.tasks.series").joinpath("goog_close.csv")
        with resources.as_file(source) as path:
            close = read_table(path, ("close",))
        return np.log(close) if self.log else close, System("goog", 1.0)
