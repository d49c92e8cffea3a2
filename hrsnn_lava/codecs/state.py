"""Where a run stands, in ``.hlx`` files."""

from __future__ import annotations

from hrsnn_lava.artifacts.container import Artifact, Codec
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.sim_backends.runs.session import State


def _to_artifact(state: State) -> Artifact:
    meta = {"step": state.step, "network": state.network_digest}
    return Artifact(State.stage, meta, dict(state.arrays))


def _from_artifact(artifact: Artifact) -> State:
    meta = artifact.meta
    step = whole_number("step", meta["step"], INT32, error=ArtifactError)
    return State(step, str(meta["network"]), dict(artifact.arrays))


CODEC = Codec(_to_artifact, _from_artifact)
