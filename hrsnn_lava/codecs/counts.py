"""Counts of a run in ``.hlx`` files: what is left of a run of which no trace was kept."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from hrsnn_lava.artifacts.container import Artifact, Codec, below
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.counting import Counts, CountsFile
from hrsnn_lava.compiler.analysis.operations.synops import ProjectionOps, SynapticOperations

#: Counts that older files do not have.
_LATER = ("chip_crossings", "wraps_of", "saturations_of")


def _to_artifact(file: CountsFile) -> Artifact:
    ops, activity = file.counts.ops, file.counts.done
    arrays = {f"per_step/{k}": p.per_step for k, p in enumerate(ops.projections)}
    if ops.per_core is not None:
        arrays["per_core"] = ops.per_core
    # files from before these were counted do not name them, as where they are not known
    unknown = [name for name in _LATER if getattr(activity, name) is None]
    arrays |= {f"done/{k}": v for k, v in vars(activity).items() if isinstance(v, np.ndarray)}
    meta = {
        "program": file.network_digest,
        "cores": list(file.cores),
        "steps": file.counts.steps,
        "ops": _plain_fields(ops, "projections"),
        "projections": [_plain_fields(p) for p in ops.projections],
        "done": _plain_fields(activity, *unknown),
    }
    return Artifact(CountsFile.stage, meta, arrays)


def _from_artifact(artifact: Artifact) -> CountsFile:
    meta, arrays = artifact.meta, artifact.arrays
    projections = tuple(
        ProjectionOps(**{**p, "shape": tuple(p["shape"])}, per_step=arrays[f"per_step/{k}"])
        for k, p in enumerate(meta["projections"])
    )
    per_core = arrays.get("per_core")
    ops = SynapticOperations(**meta["ops"], projections=projections, per_core=per_core)
    values: dict[str, Any] = {**meta["done"], **below(arrays, "done/")}
    counts = Counts(int(meta["steps"]), ops, Activity(**values))
    return CountsFile(counts, meta["program"], tuple(meta["cores"]))


def _plain_fields(value: Any, *without: str) -> dict[str, Any]:
    """Fields of a dataclass that are no arrays, whatever their value now."""
    values = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in without}
    return {k: v for k, v in values.items() if not isinstance(v, np.ndarray) and k != "per_core"}


CODEC = Codec(_to_artifact, _from_artifact)
