"""What a run did, in ``.npz`` files; the input that drove it goes along below ``input/``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Arrays, Artifact, Codec, below
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.trace import LOSSES, UPDATES, SpikeInput, Trace

_REQUIRED = ("spike_steps", "spike_neurons", "n_steps", "n_neurons")


def _to_artifact(trace: Trace) -> Artifact:
    arrays: dict[str, NDArray[Any]] = {
        "spike_steps": trace.spike_steps,
        "spike_neurons": trace.spike_neurons,
        "n_steps": np.array(trace.n_steps, dtype=np.int64),
        "n_neurons": np.array(trace.n_neurons, dtype=np.int64),
    }
    optional = {name: getattr(trace, name) for name in ("v", "u", *UPDATES, *LOSSES)}
    arrays |= {name: value for name, value in optional.items() if value is not None}
    arrays |= {f"weights/{name}": value for name, value in trace.weights.items()}
    arrays |= {f"traces/{name}": value for name, value in trace.traces.items()}
    if trace.inputs is not None:
        events = trace.inputs.to_artifact().arrays
        arrays |= {f"input/{name}": value for name, value in events.items()}
    return Artifact(Trace.stage, {}, arrays)


def _from_artifact(artifact: Artifact) -> Trace:
    arrays = artifact.arrays
    inputs = None
    if "input/steps" in arrays:
        inputs = SpikeInput.from_artifact(Artifact("input", {}, below(arrays, "input/")))
    steps, neurons = (_indices(arrays, name) for name in ("spike_steps", "spike_neurons"))
    n_steps, n_neurons = int(arrays["n_steps"]), int(arrays["n_neurons"])
    outside = steps.size and (
        min(steps.min(), neurons.min()) < 0 or steps.max() >= n_steps or neurons.max() >= n_neurons
    )
    if steps.shape != neurons.shape or outside:
        raise ArtifactError(f"spikes outside the trace's {n_steps} x {n_neurons}")
    return Trace(
        steps,
        neurons,
        n_steps,
        n_neurons,
        arrays.get("v"),
        arrays.get("u"),
        below(arrays, "weights/"),
        inputs,
        below(arrays, "traces/"),
        active_updates=_updates(arrays, "active_updates", n_steps),
        membrane_updates=_updates(arrays, "membrane_updates", n_steps),
        wraps=_losses(arrays, "wraps", n_neurons),
        saturations=_losses(arrays, "saturations", n_neurons),
    )


def _indices(arrays: Arrays, name: str) -> NDArray[np.int32]:
    values = np.ascontiguousarray(arrays[name])
    if values.size and values.dtype.kind not in "iub":
        raise ArtifactError(f"not a trace: {name}: integers expected, found {values.dtype}")
    return values.astype(np.int32)


def _updates(arrays: Arrays, name: str, n_steps: int) -> NDArray[np.int32] | None:
    """Counts by step, checked; None when the file has none."""
    counts = arrays.get(name)
    if counts is not None and (counts.dtype.kind not in "iu" or counts.shape != (n_steps,)):
        measured = f"{counts.dtype} {counts.shape}"
        raise ArtifactError(f"{name}: {measured}; allowed: integers ({n_steps},)")
    return None if counts is None else counts.astype(np.int32)


def _losses(arrays: Arrays, name: str, n_neurons: int) -> NDArray[np.int64] | None:
    """Counts by neuron, checked; None when the file has none."""
    counts = arrays.get(name)
    if counts is not None and (counts.dtype.kind not in "iu" or counts.shape != (n_neurons,)):
        measured = f"{counts.dtype} {counts.shape}"
        raise ArtifactError(f"{name}: {measured}; allowed: integers ({n_neurons},)")
    return None if counts is None else counts.astype(np.int64)


CODEC = Codec(_to_artifact, _from_artifact, _REQUIRED)
