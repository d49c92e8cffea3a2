"""Spikes that a source framework recorded of its own network, to hold an import against.

An ``.npz`` with ``inputs`` (T, n_inputs) and any of ``hidden``, ``output`` and the names of layers,
(T, n) each: spikes, 0 or 1, or how many. ``output`` is the layer that the graph's output reads,
``hidden`` the first one that it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import load_npz
from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.deploy.interchange.step_model import StepModel
from hrsnn_lava.errors import ArtifactError, Problem, raise_if

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recording:
    """What a framework did.

    Attributes:
        inputs: (T, n_inputs), 0 or 1.
        layers: (T, n) spikes by name of the layer, in the order of the model.
    """

    inputs: Counts
    layers: Mapping[str, Counts]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.inputs.shape[0])


def load_recording(path: PathLike, model: StepModel) -> Recording:
    """A recording of the network that a model is of.

    Raises:
        ArtifactError: damaged, or not of this network; with every problem that there is.
    """
    arrays = load_npz(path, ("inputs",))
    names = {key: _layer_of(model, key) for key in arrays if key != "inputs"}
    problems: list[Problem] = []
    inputs = _counts("inputs", arrays["inputs"], (None, model.n_inputs), problems)
    if inputs.size and inputs.max() > 1:
        problems.append(Problem("inputs", f"up to {inputs.max()} events at once", "0 or 1"))
    layers: dict[str, Counts] = {}
    for key, name in names.items():
        if name is None:
            known = ", ".join(("hidden", "output", *(layer.name for layer in model.layers)))
            problems.append(Problem(key, "no such layer", known))
            continue
        shape = (inputs.shape[0], model.layer(name).size)
        layers[name] = _counts(key, arrays[key], shape, problems)
    if not names:
        problems.append(Problem(str(path), "inputs alone", "spikes of a layer, hidden or output"))
    raise_if(ArtifactError, f"{path}: no recording of this network", problems)
    in_order = [layer.name for layer in model.layers if layer.name in layers]
    return Recording(inputs, {name: layers[name] for name in in_order})


def read_layers(model: StepModel) -> list[str]:
    """Names of the layers that outputs read."""
    return [name for names in model.outputs.values() for name in names]


def _layer_of(model: StepModel, key: str) -> str | None:
    """The layer that a key of a recording means."""
    names = [layer.name for layer in model.layers]
    if key in names:
        return key
    read = read_layers(model) or names[-1:]
    if key == "output":
        return read[0]
    unread = [name for name in names if name not in read]
    return next(iter(unread), None) if key == "hidden" else None


def _counts(
    key: str, values: NDArray[Any], shape: tuple[int | None, int], problems: list[Problem]
) -> Counts:
    """Whole numbers from 0 on, of a shape of which None is any."""
    wrong = values.ndim != 2 or any(
        n is not None and n != m for n, m in zip(shape, values.shape, strict=False)
    )
    if wrong:
        wanted = f"({'steps' if shape[0] is None else shape[0]}, {shape[1]})"
        problems.append(Problem(key, f"shape {values.shape}", wanted))
        return np.zeros((0, shape[1]), dtype=np.int64)
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all() or (numbers < 0).any() or (numbers != np.rint(numbers)).any():
        problems.append(Problem(key, "values that count nothing", "whole numbers from 0 on"))
        return np.zeros(values.shape, dtype=np.int64)
    return numbers.astype(np.int64)


def differing(found: NDArray[Any], expected: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Steps and neurons in which two arrays differ, in order."""
    return (
        (int(step), int(neuron))
        for step, neuron in zip(*np.nonzero(found != expected), strict=True)
    )
