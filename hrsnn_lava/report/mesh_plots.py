"""Drawings of the mesh: where the cores are, what its links carry, how far messages go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.congestion import LinkLoads, link_loads
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.report.format import number
from hrsnn_lava.report.plots import SIDE, Plot, axis

if TYPE_CHECKING:
    from hrsnn_lava.report.model import Figures

#: Tiles that are drawn; of a larger mesh the table has to do.
MAX_TILES = 1024


def mesh_plot(figures: Figures) -> Plot | None:
    """Tiles by the cores on them, links by the messages of the run that pass them.

    None without a mesh, and for more than `MAX_TILES` tiles.
    """
    compiled, done = figures.compiled, figures.done
    places = compiled.placement.coordinates
    mesh = Mesh.of(compiled.profile, compiled.placement.n_cores)
    if mesh is None or places is None or mesh.n_tiles > MAX_TILES:
        return None
    steps = 0 if figures.trace is None else figures.trace.n_steps
    loads = None
    if done is not None and steps:
        flow = CoreTraffic.of(compiled.network, compiled.core_of, rates=done.spikes_of / steps)
        loads = link_loads(flow, places, mesh.total_width, mesh.height)
    return drawing(mesh, places, loads)


def drawing(mesh: Mesh, places: NDArray[np.int32], loads: LinkLoads | None) -> Plot:
    """The mesh with its cores, and the loads of its links where they are known.

    Args:
        mesh: the tiles.
        places: (n_cores, 2) tile of every core.
        loads: messages per step; a line stands for both directions, drawn by the larger.
    """
    n_x, n_y = mesh.total_width, mesh.height
    held = np.bincount(places[:, 0] * n_y + places[:, 1], minlength=mesh.n_tiles)
    wide, high = SIDE / n_x, SIDE / n_y
    pieces = []
    top = 0.0 if loads is None else float(loads.values.max(initial=0.0))
    if loads is not None and top > 0:
        pieces += _links(loads, wide, high, top)
    for tile in range(mesh.n_tiles):
        x, y = divmod(tile, n_y)
        share = held[tile] / max(int(mesh.capacity[tile]), 1)
        cores = ", ".join(str(c) for c in np.flatnonzero((places == [x, y]).all(axis=1)))
        hint = f"tile ({x}, {y}): {f'cores {cores}' if cores else 'no cores'}"
        left, below = (x + 0.25) * wide, SIDE - (y + 0.75) * high
        pieces.append(
            f'<rect class="tile" x="{left:.1f}" y="{below:.1f}" width="{wide / 2:.1f}" '
            f'height="{high / 2:.1f}"/><rect class="cell" x="{left:.1f}" y="{below:.1f}" '
            f'width="{wide / 2:.1f}" height="{high / 2:.1f}" '
            f'fill-opacity="{0.04 + 0.96 * share:.3f}"><title>{escape(hint)}</title></rect>'
        )
    for border in range(1, mesh.chips):
        at = border * mesh.width * wide
        pieces.append(f'<path class="rule" d="M{at:.1f} 0V1000"/>')
    note = f"{len(places)} cores on {int(np.count_nonzero(held))} of {mesh.n_tiles} tiles"
    if top > 0:
        note += f"; thickest link {number(top)} messages a step"
    every = max(1, -(-n_x // 16))
    return Plot(
        "Cores on the mesh" if loads is None else "Cores and link loads on the mesh",
        Markup("".join(pieces)),
        tuple((100 * (x + 0.5) / n_x, str(x)) for x in range(0, n_x, every)),
        tuple((100 * (y + 0.5) / n_y, str(y)) for y in range(n_y)),
        "tile x" if mesh.chips == 1 else f"tile x, {mesh.chips} chips side by side",
        "",
        note,
        height=min(max(48 * n_y, 90), 640),
        wide=True,
        alt=f"mesh of {n_x} by {n_y} tiles: {note}",
        rows=True,
    )


def _links(loads: LinkLoads, wide: float, high: float, top: float) -> list[str]:
    pieces = []
    for there, back, step in ((loads.right, loads.left, (1, 0)), (loads.up, loads.down, (0, 1))):
        for x, y in np.argwhere(np.maximum(there, back) > 0):
            most = max(there[x, y], back[x, y]) / top
            x0, y0 = (x + 0.5) * wide, SIDE - (y + 0.5) * high
            x1, y1 = x0 + step[0] * wide, y0 - step[1] * high
            hint = (
                f"({x}, {y}) to ({x + step[0]}, {y + step[1]}): {number(float(there[x, y]))}, "
                f"back: {number(float(back[x, y]))} messages a step"
            )
            pieces.append(
                f'<path class="link" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" '
                f'stroke-width="{1 + 9 * most:.1f}" stroke-opacity="{0.25 + 0.75 * most:.2f}">'
                f"<title>{escape(hint)}</title></path>"
            )
    return pieces


def hops_plot(counts: Sequence[float]) -> Plot | None:
    """Messages per step by their hops; None when all have the same."""
    if len(counts) < 2 or not sum(counts):
        return None
    top, width = max(counts) * 1.05, SIDE / len(counts)
    total = sum(counts)
    bars = []
    for k, value in enumerate(counts):
        tall = SIDE * value / top
        hint = f"{k} hops: {number(float(value))} messages a step, {100 * value / total:.1f} %"
        bars.append(
            f'<rect class="bin" x="{(k + 0.1) * width:.1f}" y="{SIDE - tall:.1f}" '
            f'width="{0.8 * width:.1f}" height="{tall:.1f}"><title>{escape(hint)}</title></rect>'
        )
    every = max(1, -(-len(counts) // 24))
    return Plot(
        "Messages by hops",
        Markup("".join(bars)),
        tuple((100 * (k + 0.5) / len(counts), str(k)) for k in range(0, len(counts), every)),
        axis(0, top, 4),
        "hops",
        "messages/step",
        height=150,
        alt=f"messages by hops, at most {len(counts) - 1}",
    )
