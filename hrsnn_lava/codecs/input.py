"""Input events in ``.npz`` files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Artifact, Codec
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.trace import EXTENT, SpikeInput

_REQUIRED = ("steps", "neurons", "n_steps", "n_neurons")
_OPTIONAL = ("payloads", "samples")


def _to_artifact(events: SpikeInput) -> Artifact:
    arrays: dict[str, NDArray[np.generic]] = {
        "steps": events.steps,
        "neurons": events.neurons,
        "n_steps": np.array(events.n_steps, dtype=np.int64),
        "n_neurons": np.array(events.n_neurons, dtype=np.int64),
    }
    values = {name: getattr(events, name) for name in _OPTIONAL}
    arrays |= {name: value for name, value in values.items() if value is not None}
    return Artifact(SpikeInput.stage, {}, arrays)


def _from_artifact(artifact: Artifact) -> SpikeInput:
    arrays = artifact.arrays
    return SpikeInput(
        arrays["steps"],
        arrays["neurons"],
        whole_item("n_steps", arrays["n_steps"]),
        whole_item("n_neurons", arrays["n_neurons"]),
        *(arrays.get(name) for name in _OPTIONAL),
    )


def whole_item(name: str, array: NDArray[Any]) -> int:
    """An extent that a file gives, alone in its array; raises `ArtifactError`."""
    if array.size != 1:
        raise ArtifactError(f"{name}: shape {array.shape}; allowed: a single number")
    return whole_number(name, array.reshape(()), EXTENT, floats=True, error=ArtifactError)


CODEC = Codec(_to_artifact, _from_artifact, _REQUIRED)
