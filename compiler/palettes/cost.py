r"""What a core's table costs a set of neurons, for partitions that trade likeness against traffic.

Three grains, all in weighted squared error of the logarithms of the time constants:

- `palette_cost`: of one core, by the clustering that the palette pass uses: exact where tau_syn
  is uniform;
- `CellTable`: an estimate that a move of one neuron changes in O(1), for the inner loop of a
  refinement;
- `global_palette`: G profiles for the whole network, so that a partition may only count how many
  of them a core uses.

The estimate is the limit of many clusters (Panter and Dite 1951, Gersho 1979). Neurons are sorted
into cells of equal size V over the plane of log rates. With m_b the weight in cell b and K
clusters, in d dimensions,

.. math:: D \approx J_d \, V^{2/d} K^{-2/d} \Big(\sum_b m_b^{d/(d+2)}\Big)^{(d+2)/d},
    \qquad J_1 = 1/12, \quad J_2 = 5/(18\sqrt 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.clustering import (
    compartment_classes,
    compartment_labels,
    log_rates,
    nearest_decay,
)
from hrsnn_lava.compiler.palettes.plane_clusters import centres, squared_error
from hrsnn_lava.integer_format import DECAY_ONE

Float = NDArray[np.float64]
Int = NDArray[np.int64]
_CONSTANT = {1: 1.0 / 12.0, 2: 5.0 / (18.0 * np.sqrt(3.0))}
_CELLS = {1: 64, 2: 12}


def palette_cost(
    parameters: Int, weights: Float | None, members: Int | None, limit: int | None
) -> float:
    """Weighted squared error of the log rates of `members` on one core with `limit` profiles.

    Infinite where classes that cannot be merged (refractory periods) are more than `limit`; 0
    where they need no merging, or without a table.

    Args:
        parameters: (n_neurons, 4) columns du, dv, refractory, vth.
        weights: (n_neurons,) how much each neuron's error counts, see `activity_weights`.
        members: neurons on the core; None: all.
    """
    rows = parameters if members is None else parameters[members]
    if limit is None or not len(rows):
        return 0.0
    table, inverse = np.unique(rows[:, :3], axis=0, return_inverse=True)
    if table.shape[0] <= limit:
        return 0.0
    member_weights = weights if weights is None or members is None else weights[members]
    mass = np.bincount(inverse.ravel(), member_weights, table.shape[0]).astype(np.float64)
    labels = compartment_labels(table, mass, limit)
    return np.inf if labels is None else squared_error(log_rates(table), labels, mass)


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells of the neurons, and the constants of the estimate.

    A partition keeps, per core, the weight in each cell and ``S = sum m^exponent``; moving a
    neuron changes two terms of two sums. `cost` turns S into an error.

    Attributes:
        cell_of: (n_neurons,) cell of every neuron. n_cells: number of cells in use.
        dimensions: 2 where tau_mem and tau_syn both vary, 1 where one of them does.
        volume: of a cell. limit: profiles a core.
    """

    cell_of: Int
    n_cells: int
    dimensions: int
    volume: float
    limit: int

    @staticmethod
    def of(parameters: Int, limit: int, cells: int | None = None) -> CellTable:
        """Cells over the extent of the log rates, `cells` of them along its longer side: by default
        64 in one dimension and 12 in two, so that a core has more neurons than cells.

        Neurons of different classes (refractory periods) are in different cells.
        """
        points = log_rates(parameters)
        extent = np.ptp(points, axis=0) if len(points) else np.zeros(2)
        spread = np.flatnonzero(extent > 1e-9)
        dimensions = max(spread.size, 1)
        cells = cells or _CELLS[dimensions]
        side = float(extent.max()) / cells or 1.0
        place = np.floor((points - points.min(axis=0)) / side).astype(np.int64)
        place = np.minimum(place, cells - 1)
        classes = compartment_classes(parameters[:, 0], parameters[:, 1], parameters[:, 2])
        keys, cell_of = np.unique(np.column_stack([classes, place]), axis=0, return_inverse=True)
        return CellTable(
            cell_of.ravel().astype(np.int64), keys.shape[0], dimensions, side**dimensions, limit
        )

    @property
    def exponent(self) -> float:
        """d / (d + 2)."""
        return self.dimensions / (self.dimensions + 2)

    def sums(self, core_of: Int, weights: Float, n_cores: int) -> tuple[Float, Float]:
        """Weight per core and cell (n_cores, n_cells), and S per core (n_cores,)."""
        key = np.asarray(core_of, dtype=np.int64) * self.n_cells + self.cell_of
        flat = np.bincount(key, weights, n_cores * self.n_cells).astype(np.float64)
        mass = flat.reshape(n_cores, self.n_cells)
        return mass, np.asarray((mass**self.exponent).sum(axis=1), dtype=np.float64)

    def cost(self, sums: Float) -> Float:
        """The error of cores with these S, in the shape of `sums`."""
        d = self.dimensions
        scale = _CONSTANT[d] * (self.volume / self.limit) ** (2.0 / d)
        return np.asarray(scale * np.asarray(sums) ** ((d + 2.0) / d), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class GlobalPalette:
    """Profiles for the whole network.

    Attributes:
        labels: (n_neurons,) profile of every neuron.
        table: (n_profiles, 3) columns du, dv, refractory.
        error: weighted squared error of the log rates.
    """

    labels: Int
    table: Int
    error: float


def global_palette(
    parameters: Int, count: int, weights: Float | None = None
) -> GlobalPalette | None:
    """Cluster all neurons into at most `count` profiles; None where classes alone are more.

    With ``count`` a few times a core's table, a partition can let a core use few of them, and
    each neuron's error is settled before any core is filled.
    """
    rows = np.asarray(parameters[:, :3], dtype=np.int64)
    table, inverse = np.unique(rows, axis=0, return_inverse=True)
    inverse = inverse.ravel().astype(np.int64)
    if table.shape[0] <= count:
        return GlobalPalette(inverse, table, 0.0)
    mass = np.bincount(inverse, weights, table.shape[0]).astype(np.float64)
    labels = compartment_labels(table, mass, count)
    if labels is None:
        return None
    points = log_rates(table)
    middle = nearest_decay(centres(points, labels, mass, int(labels.max()) + 1))
    profiles = np.zeros((middle.shape[0], 3), dtype=np.int64)
    profiles[labels] = table  # a class has one period, and decays of 0 are classes of their own
    profiles[:, 1] = np.where(profiles[:, 1] == 0, 0, np.minimum(middle[:, 0], DECAY_ONE - 1))
    profiles[:, 0] = np.where(profiles[:, 0] == -1, -1, middle[:, 1] - 1)
    return GlobalPalette(labels[inverse], profiles, squared_error(points, labels, mass))
