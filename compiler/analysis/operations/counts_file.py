"""Counts of a run as an ``.hlx`` file: what is left of a run of which no trace was kept."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from hrsnn_lava.artifacts.container import Artifact, write_artifact
from hrsnn_lava.artifacts.networks import rebuild
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.counting import Counts
from hrsnn_lava.compiler.analysis.operations.synops import ProjectionOps, SynapticOperations
from hrsnn_lava.compiler.mapped import PlacedProgram
from hrsnn_lava.errors import ArtifactError

STAGE = "counts"


def save_counts(counts: Counts, compiled: PlacedProgram, path: Any) -> str:
    """Write the counts of a run of `compiled`; return the file's SHA-256."""
    ops, done = counts.ops, counts.done
    arrays = {f"per_step/{k}": p.per_step for k, p in enumerate(ops.projections)}
    if ops.per_core is not None:
        arrays["per_core"] = ops.per_core
    arrays |= {f"done/{name}": value for name, value in vars(done).items() if _is_array(value)}
    meta = {
        "program": compiled.network_digest,
        "cores": compiled.core_of.tolist(),
        "steps": counts.steps,
        "ops": _plain_fields(ops, "projections"),
        "projections": [_plain_fields(p) for p in ops.projections],
        "done": _plain_fields(done),
    }
    return write_artifact(path, Artifact(STAGE, meta, arrays))


def load_counts(path: Any, compiled: PlacedProgram) -> Counts:
    """Read the counts of a run of `compiled`.

    Raises:
        ArtifactError: no such file, damaged, or of another program.
    """

    def build(artifact: Artifact) -> Counts:
        meta, arrays = artifact.meta, artifact.arrays
        other = meta["program"] != compiled.network_digest
        if other or meta["cores"] != compiled.core_of.tolist():
            what = "network" if other else "placement"
            raise ArtifactError(f"{path}: counts of another {what}; count this program")
        projections = tuple(
            ProjectionOps(**_typed(p), per_step=arrays[f"per_step/{k}"])
            for k, p in enumerate(meta["projections"])
        )
        ops = SynapticOperations(
            **meta["ops"], projections=projections, per_core=arrays.get("per_core")
        )
        found: dict[str, Any] = {
            k.removeprefix("done/"): a for k, a in arrays.items() if k.startswith("done/")
        }
        return Counts(int(meta["steps"]), ops, Activity(**meta["done"], **found))

    return rebuild(path, STAGE, build)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _plain_fields(value: Any, *without: str) -> dict[str, Any]:
    """Fields of a dataclass that are no arrays and may be None."""
    named = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in without}
    return {k: v for k, v in named.items() if not _is_array(v) and k != "per_core"}


def _typed(projection: dict[str, Any]) -> dict[str, Any]:
    return projection | {"shape": tuple(projection["shape"])}
