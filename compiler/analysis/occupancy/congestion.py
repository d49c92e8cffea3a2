"""Load of the links of the mesh.

Every message goes along x in the row of its sender, then along y in the column of its receiver
(dimension-order routing, as in SANA-FE's model of Loihi). A link joins the routers of neighbouring
tiles, one in each direction; the load of a link is the messages that pass it in a step. What the
host sends is left out, since its way is not known, and so is the way from a router to its cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """Messages per step over every directed link of a mesh of (width, height) tiles.

    Attributes:
        right, left: (width - 1, height) between (x, y) and (x + 1, y): away from 0, towards 0.
        up, down: (width, height - 1) between (x, y) and (x, y + 1): away from 0, towards 0.
    """

    right: Float
    left: Float
    up: Float
    down: Float

    @property
    def values(self) -> Float:
        """Loads of all links, (n_links,)."""
        return np.concatenate([a.ravel() for a in (self.right, self.left, self.up, self.down)])

    @property
    def total(self) -> float:
        """Hops per step: every message counts once on each link that it passes."""
        return float(self.values.sum())

    def busiest(self) -> tuple[list[int], list[int], float] | None:
        """From and to tile and load of the most loaded link, the first of several; None if idle."""
        best: tuple[list[int], list[int], float] | None = None
        for name, step in (("right", (1, 0)), ("left", (1, 0)), ("up", (0, 1)), ("down", (0, 1))):
            loads = getattr(self, name)
            if not loads.size or loads.max() <= (0.0 if best is None else best[2]):
                continue
            x, y = (int(k) for k in np.unravel_index(int(np.argmax(loads)), loads.shape))
            ends = [x, y], [x + step[0], y + step[1]]
            first, last = ends if name in ("right", "up") else ends[::-1]
            best = first, last, float(loads.max())
        return best

    def summary(self) -> dict[str, Any]:
        """links (in the mesh, of them links_used), max, mean and p99 of the load over all links in
        messages per step, and the busiest link as tiles `from` and `to`."""
        values, busiest = self.values, self.busiest()
        ends = None if busiest is None else {"from": busiest[0], "to": busiest[1]}
        return {
            "links": int(values.size),
            "links_used": int(np.count_nonzero(values)),
            "max_per_step": float(values.max(initial=0.0)),
            "mean_per_step": float(values.mean()) if values.size else 0.0,
            "p99_per_step": float(np.percentile(values, 99)) if values.size else 0.0,
            "busiest": ends,
        }


def link_loads(flow: CoreTraffic, coordinates: Any, width: int, height: int) -> LinkLoads:
    """Load of every link of a mesh of `width` x `height` tiles.

    A message along x from a to b adds 1 at a and takes 1 at b; the running sum is the load.

    Args:
        flow: messages between cores.
        coordinates: (n_cores, 2) tiles.
        width, height: of the whole mesh, all chips together.
    """
    places = np.asarray(coordinates, dtype=np.int64)
    sender, receiver, amount = flow.pairs
    x0, y0 = places[sender].T
    x1, y1 = places[receiver].T
    right, left = _along(x0, x1, y0, amount, (width, height))
    up, down = _along(y0, y1, x1, amount, (height, width))
    return LinkLoads(right, left, up.T, down.T)


def _along(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    line: NDArray[np.int64],
    amount: Float,
    shape: tuple[int, int],
) -> tuple[Float, Float]:
    """Loads (shape[0] - 1, shape[1]) of the links along the first axis: rising, falling."""
    loads = []
    for mask, low, high in ((stop > start, start, stop), (stop < start, stop, start)):
        edges = np.zeros(shape)
        np.add.at(edges, (low[mask], line[mask]), amount[mask])
        np.subtract.at(edges, (high[mask], line[mask]), amount[mask])
        total = np.cumsum(edges, axis=0)[:-1]
        # Sums of rates that cancel leave rounding behind; where nobody passes, the load is 0.
        passing = np.zeros(shape, dtype=np.int64)
        np.add.at(passing, (low[mask], line[mask]), 1)
        np.subtract.at(passing, (high[mask], line[mask]), 1)
        loads.append(np.where(np.cumsum(passing, axis=0)[:-1] > 0, total, 0.0))
    return loads[0], loads[1]
