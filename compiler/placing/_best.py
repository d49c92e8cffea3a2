"""The best placement that starts and refinement find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.placing._refine import refine
from hrsnn_lava.compiler.placing._task import PlaceTask
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.seeding import generator


@dataclass(frozen=True, eq=False)
class Placing:
    """What a search found.

    Attributes:
        slots: (n_cores,) slot of every core.
        report: start taken, cost of every start before and after sweeps of best exchanges, cost
            in the end, moves proposed and made. Costs are hops per step, borders between chips
            counted as `crossing` hops more.
    """

    slots: NDArray[np.int64]
    report: dict[str, Any]


def search(
    flow: CoreTraffic,
    mesh: Mesh,
    *,
    starts: Sequence[str] | None = None,
    crossing: int = 0,
    effort: float = 1.0,
    seed: int = 0,
) -> Placing:
    """Try every start, settle each by sweeps of best exchanges, refine the best of them.

    Args:
        flow: messages between cores.
        mesh: the slots.
        starts: placers to start from; None takes all of them.
        crossing: hops that passing from one chip to the next counts for.
        effort: scales the annealing; 0 leaves it out.
        seed: of the annealing and of placers that draw.

    Raises:
        SpecError: an unknown placer, no start, `crossing` or `effort` out of range.
    """
    if not 0.0 <= effort <= 1000.0:
        raise SpecError(f"effort: {effort}; allowed: 0..1000")
    placers = registry.names("placer") if starts is None else tuple(starts)
    if not placers:
        raise SpecError("starts: none; allowed: one placer or more")
    task = PlaceTask.of(flow, mesh, crossing)
    unit = _unit(flow, task)
    best = (-1, "", np.zeros(0, dtype=np.int64))
    costs = {}
    for name in placers:
        rng = generator(seed, f"place/{name}")
        begun = slots_of(name, task, rng)
        settled = refine(task, begun, rng, effort=0.0)
        costs[name] = {"cost": task.cost(begun) * unit, "settled": settled.cost * unit}
        if best[0] < 0 or settled.cost < best[0]:
            best = settled.cost, name, settled.slots
        if best[0] == 0:
            break  # nothing is left to gain
    refined = refine(task, best[2], generator(seed, "place"), effort=effort)
    return Placing(
        refined.slots,
        {
            "start": best[1],
            "starts": costs,
            "cost": refined.cost * unit,
            "proposed": refined.proposed,
            "made": refined.accepted,
            "crossing": crossing,
        },
    )


def slots_of(name: str, task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:
    """Slot of every core by a placer, (n_cores,).

    Raises:
        SpecError: no such placer, or what it returns is no placement.
    """
    slots = np.asarray(registry.load("placer", name)(task, rng))
    allowed = f"{task.n_cores} different whole numbers in 0..{task.mesh.n_slots - 1}"
    fault = ""
    if slots.dtype.kind not in "iu" or slots.shape != (task.n_cores,):
        fault = f"{slots.dtype} of shape {slots.shape}"
    elif slots.size and (slots.min() < 0 or slots.max() >= task.mesh.n_slots):
        fault = f"{slots.min()}..{slots.max()}"
    elif np.unique(slots).size < slots.size:
        fault = f"{slots.size - np.unique(slots).size} slots taken twice"
    if fault:
        problem = Problem(f"placer {name!r}", fault, allowed)
        raise SpecError("the cores are not placed", problems=[problem])
    return slots.astype(np.int64)


def _unit(flow: CoreTraffic, task: PlaceTask) -> float:
    """Messages per step that a weight of 1 stands for."""
    scaled = int(task.weights.sum())
    sender, receiver, amount = flow.pairs
    leaving = float(amount[sender != receiver].sum())
    return 2.0 * leaving / scaled if scaled else 0.0
