"""What a run did, in ``.npz`` files; the input that drove it goes along below ``input/``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Arrays, Artifact, Codec, below
from hrsnn_lava.codecs.input import whole_item
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import refusal, whole_array
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.trace import LOSSES, STATES, UPDATES, Origin, SpikeInput, Trace, digest_array

#: Probes that are of all where a file does not say of which.
_ALL = ("steps", "neurons")
_REQUIRED = ("spike_steps", "spike_neurons", "n_steps", "n_neurons")


def _to_artifact(trace: Trace) -> Artifact:
    arrays: dict[str, NDArray[Any]] = {
        "spike_steps": trace.spike_steps,
        "spike_neurons": trace.spike_neurons,
        "n_steps": np.array(trace.n_steps, dtype=np.int64),
        "n_neurons": np.array(trace.n_neurons, dtype=np.int64),
    }
    optional = {n: getattr(trace, n) for n in (*STATES, *UPDATES, *LOSSES, "payloads")}
    arrays |= {name: value for name, value in optional.items() if value is not None}
    arrays |= {f"weights/{name}": value for name, value in trace.weights.items()}
    arrays |= {f"traces/{name}": value for name, value in trace.traces.items()}
    if trace.origin is not None:
        arrays["network_digest"] = digest_array(trace.origin.digest)
    if trace.inputs is not None:
        events = trace.inputs.to_artifact().arrays
        arrays |= {f"input/{name}": value for name, value in events.items()}
    return Artifact(Trace.stage, {}, arrays)


def _from_artifact(artifact: Artifact) -> Trace:
    arrays = artifact.arrays
    inputs = None
    if "input/steps" in arrays:
        inputs = SpikeInput.from_artifact(Artifact("input", {}, below(arrays, "input/")))
    digest = arrays.get("network_digest")
    for name in STATES:
        if name in arrays and arrays[name].dtype.kind not in "iu":
            raise refusal(name, f"{arrays[name].dtype}", "integers", error=ArtifactError)
    trace = Trace(
        arrays["spike_steps"],
        arrays["spike_neurons"],
        whole_item("n_steps", arrays["n_steps"]),
        whole_item("n_neurons", arrays["n_neurons"]),
        arrays.get("v"),
        arrays.get("u"),
        below(arrays, "weights/"),
        inputs,
        below(arrays, "traces/"),
        active_updates=arrays.get("active_updates"),
        membrane_updates=arrays.get("membrane_updates"),
        wraps=arrays.get("wraps"),
        saturations=arrays.get("saturations"),
        origin=None if digest is None else Origin(digest=digest_text(digest)),
        payloads=arrays.get("payloads"),
    )
    _check_probes(arrays, trace)
    return trace


def _check_probes(arrays: Arrays, trace: Trace) -> None:
    """Refuse states at chosen steps and neurons that are none, and what was learned by then."""
    n_steps, n_neurons = trace.n_steps, trace.n_neurons
    lengths: dict[str, int] = {}
    for name, extent in (
        ("steps", n_steps),
        ("neurons", n_neurons),
        ("weight_steps", n_steps),
        ("trace_steps", n_steps),
    ):
        indices = arrays.get(f"probe/{name}", np.arange(extent if name in _ALL else 0))
        limits = (0, min(extent, INT32[1] + 1) - 1)
        lengths[name] = whole_array(f"probe/{name}", indices, (-1,), limits, ArtifactError).size
    for name, value in below(arrays, "probe/").items():
        if name in STATES:
            shape, (_, limits) = (lengths["steps"], lengths["neurons"]), trace.forms[name]
            whole_array(f"probe/{name}", value, shape, limits, ArtifactError)
        elif name.startswith(("weights/", "traces/")):
            rows = lengths["weight_steps" if name.startswith("weights/") else "trace_steps"]
            whole_array(f"probe/{name}", value, (rows, -1), INT32, ArtifactError)


def digest_text(array: NDArray[Any]) -> str:
    """The inverse of `hrsnn_lava.trace.digest_array`; raises `ArtifactError`."""
    if array.dtype != np.uint8 or array.shape != (32,):
        measured = f"{array.dtype} {array.shape}"
        raise ArtifactError(f"network_digest: {measured}; allowed: uint8 (32,)")
    return array.tobytes().hex()


CODEC = Codec(_to_artifact, _from_artifact, _REQUIRED)
