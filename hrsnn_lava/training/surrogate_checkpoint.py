"""Where a gradient training stands: what a killed one goes on from, with the same bits on a CPU.

One file of safetensors holds what is learned and the moments of the optimiser as tensors, and in
its header, as JSON, whose training it is, how far it is, and its history. Nothing is pickled.
``NAME.json`` beside it says the same to a reader, and nothing reads it. No generator has a state
that would have to be kept: what is drawn is keyed by seed, epoch and batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.files import atomic_write
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.training.surrogate_torch import safetensors_numpy

__all__ = ["Keep", "Standing"]

FORMAT = "hrsnn-lava gradient training 1"
#: Bytes that a checkpoint may have: 4 GiB hold 10^8 synapses with their moments.
_LARGEST = 2**32


@dataclass(frozen=True, eq=False)
class Standing:
    """A training after an epoch.

    epochs:  that are done
    updates: that were made
    history: a row for each epoch
    tensors: by name
    """

    epochs: int
    updates: int
    history: tuple[Mapping[str, Any], ...]
    tensors: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Keep:
    """Where a training is kept.

    Attributes:
        path: of the file; None keeps nothing.
        resume: go on from it where it is there.
        every: epochs between two of them; the last is kept in any case.
    """

    path: Path | None = None
    resume: bool = False
    every: int = 1

    @property
    def sidecar(self) -> Path | None:
        """The same for readers."""
        return None if self.path is None else self.path.with_name(f"{self.path.name}.json")

    def ready(self) -> None:
        """Raise `BackendMissingError` where nothing could be kept, `SpecError` for nowhere."""
        if self.path is None and self.resume:
            raise SpecError("resume: True; allowed: with a checkpoint to go on from")
        if self.path is not None:
            safetensors_numpy()

    def save(self, key: str, standing: Standing, facts: Mapping[str, Any]) -> None:
        """Write both files, each whole or not at all."""
        if self.path is None or self.sidecar is None:
            return
        head = {
            "format": FORMAT,
            "key": key,
            "epochs": standing.epochs,
            "updates": standing.updates,
            "history": list(standing.history),
        }
        tensors = {name: np.ascontiguousarray(a) for name, a in standing.tensors.items()}
        data = safetensors_numpy().save(tensors, {"training": json.dumps(head)})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as file:
            file.write(data)
        text = json.dumps(head | dict(facts), indent=1, sort_keys=True)
        with atomic_write(self.sidecar) as file:
            file.write(f"{text}\n".encode())

    def load(self, key: str, expected: Mapping[str, NDArray[Any]]) -> Standing | None:
        """What there is to go on from; None where there is nothing.

        Args:
            key: of the training.
            expected: arrays of the names, shapes and types that it has.

        Raises:
            SpecError: the file is of another training.
            ArtifactError: it is damaged.
        """
        if self.path is None or not self.resume or not self.path.exists():
            return None
        safetensors_numpy()
        from safetensors import SafetensorError, safe_open

        if self.path.stat().st_size > _LARGEST:
            raise ArtifactError(f"{self.path}: larger than any checkpoint")
        try:
            with safe_open(self.path, framework="np") as file:
                head = json.loads((file.metadata() or {})["training"])
                if head["format"] != FORMAT:
                    raise ArtifactError(f"{self.path}: {head['format']!r:.60}; allowed: {FORMAT!r}")
                if head["key"] != key:
                    raise SpecError(
                        f"{self.path}: the checkpoint of another training; allowed: one of the "
                        "same network, lesson, options and seed. Give these, or train without "
                        "resuming"
                    )
                if set(file.keys()) != set(expected):
                    raise ArtifactError(f"{self.path}: tensors of another network")
                tensors = {name: file.get_tensor(name) for name in expected}
            epochs, updates = int(head["epochs"]), int(head["updates"])
            history = tuple(dict(row) for row in head["history"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{self.path}: no checkpoint of a gradient training ({error})"
            ) from (error)
        for name, array in expected.items():
            value = tensors[name]
            if value.shape != array.shape or value.dtype != array.dtype:
                raise ArtifactError(
                    f"{self.path}: {name}: {value.dtype} {value.shape}; allowed: {array.dtype} "
                    f"{array.shape}"
                )
            if not np.isfinite(value).all():
                raise ArtifactError(f"{self.path}: {name}: values that are not finite")
        if epochs < 0 or updates < 0 or len(history) != epochs:
            raise ArtifactError(f"{self.path}: a history of {len(history)} rows, {epochs} epochs")
        return Standing(epochs, updates, history, tensors)
