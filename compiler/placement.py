"""Which core every neuron is on, and where the cores are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import NetworkError, Problem, raise_if


@dataclass(frozen=True, eq=False)
class Placement:
    """A placement of N neurons on cores.

    Attributes:
        core_of: (N,) int32, core of every neuron in global order; the cores in use are
            0..n_cores-1 and none of them is empty.
        n_cores: number of cores in use.
        coordinates: (n_cores, 2) int32, tile (x, y) of every core, or None while not placed.
        info: what the passes found: options taken, baselines, traffic.
    """

    core_of: NDArray[np.int32]
    n_cores: int
    coordinates: NDArray[np.int32] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(core_of: Any, coordinates: Any = None, **info: Any) -> Placement:
        """Build from arrays, and verify."""
        cores = np.ascontiguousarray(core_of, dtype=np.int32)
        places = None if coordinates is None else np.ascontiguousarray(coordinates, np.int32)
        return Placement(cores, int(cores.max(initial=-1)) + 1, places, info).verify()

    def verify(self) -> Placement:
        """Check everything; return self; raises `NetworkError` with every problem."""
        found = []
        if self.core_of.ndim != 1 or self.core_of.min(initial=0) < 0:
            found.append(Problem("core_of", "not a list of cores >= 0", "(n_neurons,) ints"))
        elif np.unique(self.core_of).size != self.n_cores:
            found.append(
                Problem(
                    "core_of",
                    f"{np.unique(self.core_of).size} cores in use",
                    f"{self.n_cores}, numbered without a gap",
                )
            )
        if self.coordinates is not None and self.coordinates.shape != (self.n_cores, 2):
            found.append(
                Problem("coordinates", f"shape {self.coordinates.shape}", f"({self.n_cores}, 2)")
            )
        raise_if(NetworkError, "the placement is not valid", found)
        return self
