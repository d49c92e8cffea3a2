"""Input events in ``.npz`` files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Artifact, Codec
from hrsnn_lava.trace import SpikeInput

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
        int(arrays["n_steps"]),
        int(arrays["n_neurons"]),
        *(arrays.get(name) for name in _OPTIONAL),
    )


CODEC = Codec(_to_artifact, _from_artifact, _REQUIRED)
