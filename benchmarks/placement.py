"""Placement of cores on the mesh: hops per step of every placer, of the search, and of SciPy.

Traffic between cores is generated: communities of cores, cores in a plane that talk to their
neighbours, and dense log-normal traffic, with 16 to 512 cores on Loihi's mesh (8 x 4 tiles of 4
cores, several chips side by side). SciPy's `quadratic_assignment` (2-opt, one start) is the peer;
it gets the same costs, and as many empty cores as there are empty slots.

    uv run python benchmarks/placement.py [--json FILE] [--largest 512]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import quadratic_assignment
from timing import cpu_seconds, table, write

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.placing._best import search
from hrsnn_lava.compiler.placing._task import PlaceTask
from hrsnn_lava.hardware_profiles import HardwareProfile

CASES = ((16, "plane"), (64, "communities"), (128, "plane"), (128, "communities"), (128, "dense"))
LARGE = ((256, "plane"), (512, "communities"))
CROSSING = 8
#: Most slots that SciPy is asked for; its 2-opt takes minutes beyond.
SCIPY_SLOTS = 128


def generated(n_cores: int, kind: str, seed: int) -> CoreTraffic:
    """Messages per step between cores; the numbers of the cores tell nothing."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(0.0, 0.7, (n_cores, n_cores))
    if kind == "communities":
        group = rng.permutation(n_cores) % max(2, n_cores // 16)
        amount *= np.where(group[:, None] == group[None, :], 1.0, 0.03)
    elif kind == "plane":
        point = rng.random((n_cores, 2))
        far = np.linalg.norm(point[:, None] - point[None], axis=2)
        amount *= np.exp(-far * np.sqrt(n_cores))
        amount[amount < 1e-3] = 0.0
    return CoreTraffic(sparse.csr_matrix(amount), 0.0)


def scipy_slots(task: PlaceTask, seed: int) -> np.ndarray:
    """Slots by SciPy's 2-opt."""
    x, y = task.slot_x.astype(float), task.slot_y.astype(float)
    far = np.abs(x[:, None] - x[None]) + np.abs(y[:, None] - y[None])
    n, flow = task.n_cores, np.zeros((x.size, x.size))
    flow[:n, :n] = task.matrix.toarray() / 2.0**40
    options = {"rng": np.random.default_rng(seed)}
    found = quadratic_assignment(flow, far, method="2opt", options=options)
    return np.asarray(found.col_ind[:n], dtype=np.int64)


def measure(n_cores: int, kind: str, seed: int) -> list[dict[str, Any]]:
    """A row per way to place; `cost` is relative to the search, seconds are CPU time."""
    profile = HardwareProfile.load("loihi1").with_chips(8)
    flow = generated(n_cores, kind, seed)
    mesh = Mesh.of(profile, n_cores)
    assert mesh is not None
    task = PlaceTask.of(flow, mesh, CROSSING)
    slots: dict[str, np.ndarray] = {}

    def keep(name: str, make: Any) -> Any:
        def call() -> None:
            slots[name] = make()

        return call

    made = {name: registry.load("placer", name) for name in registry.names("placer")}
    ways = {
        name: keep(name, lambda p=p: p(task, np.random.default_rng(seed)))
        for name, p in made.items()
    }
    if mesh.n_slots <= SCIPY_SLOTS:
        ways["scipy 2-opt"] = keep("scipy 2-opt", lambda: scipy_slots(task, seed))
    ways["search, no annealing"] = keep(
        "search, no annealing",
        lambda: search(flow, mesh, crossing=CROSSING, seed=seed, effort=0.0).slots,
    )
    ways["search"] = keep("search", lambda: search(flow, mesh, crossing=CROSSING, seed=seed).slots)
    seconds = {name: cpu_seconds(call) for name, call in ways.items()}
    best = task.cost(slots["search"])
    rows = []
    for name, found in slots.items():
        figures = flow.summary(mesh.coordinates(found), mesh.width)
        rows.append(
            {
                "case": f"{kind}, {n_cores}",
                "way": name,
                "hops": round(figures["mean_hops"], 3),
                "between chips": round(
                    figures["inter_chip_messages_per_step"] / figures["messages_per_step"], 3
                ),
                "cost": round(task.cost(found) / best, 3),
                "seconds": round(seconds[name], 3),
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures")
    parser.add_argument("--largest", type=int, default=512, help="cores of the largest case")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    search(generated(8, "dense", 0), Mesh(4, 2, 1, np.ones(8, dtype=np.int64)))  # compile kernels
    rows = []
    for n_cores, kind in (*CASES, *LARGE):
        if n_cores <= chosen.largest:
            rows += measure(n_cores, kind, chosen.seed)
    heads = {
        "case": "traffic, cores",
        "way": "placed by",
        "hops": "mean hops",
        "between chips": "share between chips",
        "cost": "cost / search",
        "seconds": "s",
    }
    print(table(rows, heads))
    write(chosen.json, "placement", rows, seed=chosen.seed, crossing=CROSSING)


if __name__ == "__main__":
    main()
