"""Trainings under way, in ``.hlx`` files."""

from __future__ import annotations

import re

from hrsnn_lava.artifacts.container import Artifact, Codec
from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32

_DIGEST = re.compile("[0-9a-f]{64}")


def _to_artifact(state: TrainingState) -> Artifact:
    meta = {"key": state.key, "done": state.done, "pieces": state.pieces}
    return Artifact(TrainingState.stage, meta, dict(state.arrays))


def _from_artifact(artifact: Artifact) -> TrainingState:
    key = artifact.meta["key"]
    if not (isinstance(key, str) and _DIGEST.fullmatch(key)):
        raise ArtifactError(f"key: {key!r:.80}; allowed: 64 hexadecimal digits")
    pieces = whole_number("pieces", artifact.meta["pieces"], (0, INT32[1]), error=ArtifactError)
    done = whole_number("done", artifact.meta["done"], (0, pieces), error=ArtifactError)
    return TrainingState(key, done, pieces, dict(artifact.arrays))


CODEC = Codec(_to_artifact, _from_artifact)
