"""Wind speed at 50 m, hourly over two years, from NASA's MERRA-2; it travels with the package."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import load_npz
from hrsnn_lava.options import options
from hrsnn_lava.tasks.series.recorded import RecordedForecast
from hrsnn_lava.tasks.series.windows import System

__all__ = ["Wind"]

Floats = NDArray[np.float64]


@options
class Wind(RecordedForecast):
    """Forecasts of the wind speed at one place, hour by hour.

    The LNP paper forecasts a wind without saying whose; this one is NASA's reanalysis. A linear
    autoregression beats persistence clearly, one hour ahead. Over a hundred hours in closed loop it
    is hardly better than the mean of the training samples.
    """

    name: ClassVar[str] = "wind"

    def recording(self) -> tuple[Floats, System]:
        """m/s, (17568, 1), from 2000-01-01 on; see ``merra2_wind.LICENSE.txt``."""
        source = resources.files("hrsnn_lava.tasks.series").joinpath("merra2_wind.npz")
        with resources.as_file(source) as path:
            speed = load_npz(path, required=("wind_mm_s",))["wind_mm_s"]
        return 1e-3 * speed.astype(np.float64)[:, None], System("wind", 1.0)
