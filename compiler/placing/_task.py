"""What a placer is given: which cores talk how much, and where they can go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.errors import SpecError

Int = NDArray[np.int64]
#: Sum of all traffic after scaling. Integers make every change of cost exact, so that the sum of
#: the changes is the change of the sum; 2^40 leaves 23 bits for distances.
SCALE = 2**40
MAX_CROSSING = 1000


@dataclass(frozen=True, eq=False)
class PlaceTask:
    """A quadratic assignment: n_cores cores to n_slots slots.

    The cost is ``sum over pairs a < b of S_ab (|X_a - X_b| + |y_a - y_b|)`` with
    ``X = x + crossing * chip``: hops, and `crossing` more for every border between chips.

    Attributes:
        mesh: the slots.
        indptr, indices, weights: S, symmetric CSR without diagonal: messages per step in both
            directions together, scaled to integers.
        crossing: hops that passing from one chip to the next counts for, besides its own one. No
            figure is published that would fit all systems, so this is our choice.
    """

    mesh: Mesh
    indptr: Int
    indices: Int
    weights: Int
    crossing: int = 0

    @staticmethod
    def of(flow: CoreTraffic, mesh: Mesh, crossing: int = 0) -> PlaceTask:
        """The task of placing the cores of `flow`.

        Raises:
            SpecError: `crossing` is out of range.
        """
        if not 0 <= crossing <= MAX_CROSSING:
            raise SpecError(f"crossing: {crossing}; allowed: 0..{MAX_CROSSING} hops")
        both = sparse.coo_matrix(flow.between + flow.between.T)
        off = both.row != both.col
        amount = both.data[off]
        total = float(amount.sum())
        scaled = np.rint(amount * (SCALE / total)).astype(np.int64) if total else amount
        shape = both.shape
        matrix = sparse.csr_matrix((scaled, (both.row[off], both.col[off])), shape, dtype=np.int64)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return PlaceTask.from_matrix(matrix, mesh, crossing)

    @staticmethod
    def from_matrix(matrix: sparse.csr_matrix, mesh: Mesh, crossing: int = 0) -> PlaceTask:
        """The task of a symmetric integer CSR without diagonal."""
        return PlaceTask(
            mesh,
            matrix.indptr.astype(np.int64),
            matrix.indices.astype(np.int64),
            matrix.data.astype(np.int64),
            crossing,
        )

    @property
    def n_cores(self) -> int:
        """Cores to place."""
        return self.indptr.size - 1

    @property
    def matrix(self) -> sparse.csr_matrix:
        """S as a CSR matrix (n_cores, n_cores)."""
        parts = (self.weights, self.indices, self.indptr)
        return sparse.csr_matrix(parts, shape=(self.n_cores, self.n_cores))

    @cached_property
    def column_x(self) -> Int:
        """X of every column of tiles, (total_width,)."""
        x: Int = np.arange(self.mesh.total_width, dtype=np.int64)
        x += self.crossing * (x // self.mesh.width)
        return x

    @cached_property
    def slot_x(self) -> Int:
        """X of every slot, (n_slots,)."""
        x: Int = self.column_x[self.mesh.tile_of // self.mesh.height]
        return x

    @cached_property
    def slot_y(self) -> Int:
        """y of every slot, (n_slots,)."""
        y: Int = self.mesh.tile_of % self.mesh.height
        return y

    def cost(self, slots: Int) -> int:
        """The cost of cores on the given slots; exact."""
        sender = np.repeat(np.arange(self.n_cores), np.diff(self.indptr))
        x, y = self.slot_x[slots], self.slot_y[slots]
        steps = np.abs(x[sender] - x[self.indices]) + np.abs(y[sender] - y[self.indices])
        return int(self.weights @ steps) // 2
