"""Checkpoints of a pruning loop: one file for every iteration, each enough to go on from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.compiler.pruning.pruning_state import PruningState
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.training.loop_plan import PruningLoop
from hrsnn_lava.training.simulation import Stimulus

__all__ = [
    "Checkpointing",
    "checkpoints",
    "forget_others",
    "key_of",
    "last_checkpoint",
    "load_checkpoint",
    "remove_checkpoints",
    "save_checkpoint",
]

#: Of the file of an iteration.
FILE = "iteration-{:04d}.hlx"
_PATTERN = "iteration-[0-9][0-9][0-9][0-9].hlx"
#: What a process that was killed in the middle of writing one left of it.
_UNFINISHED = f".{_PATTERN}.*.part"


@dataclass(frozen=True)
class Checkpointing:
    """Where a loop keeps its checkpoints, and what it does with those that are there.

    Attributes:
        folder: one file an iteration.
        resume: go on from the last one.
        foreign: what becomes of those of another loop.
    """

    folder: Path
    resume: bool = False
    foreign: Literal["refuse", "replace"] = "refuse"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a loop, in the order of its iterations."""
    return sorted(folder.glob(_PATTERN))


def remove_checkpoints(folder: Path) -> None:
    """Take away all checkpoints of a folder, and what was left of those never finished."""
    for path in (*checkpoints(folder), *folder.glob(_UNFINISHED)):
        path.unlink(missing_ok=True)


def key_of(network: Network, loop: PruningLoop, lesson: Stimulus, seed: int) -> str:
    """What the checkpoints of this loop alone have."""
    digest = hashlib.sha256()
    for text in (__version__, network.digest, loop.identity(), str(seed), str(lesson.block)):
        digest.update(text.encode() + b"\0")
    shown = lesson.inputs
    arrays = (
        [shown]
        if isinstance(shown, np.ndarray)
        else [shown.steps, shown.neurons, np.array([shown.n_steps, shown.n_neurons])]
    )
    payloads = getattr(shown, "payloads", None)
    for values in (*arrays, payloads, lesson.starts):
        digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def save_checkpoint(folder: Path, state: PruningState) -> None:
    """Write the file of an iteration, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    state.save(folder / FILE.format(state.iteration))


def last_checkpoint(
    folder: Path, key: str, resume: bool, progress: Progress = silent
) -> PruningState | None:
    """The last checkpoint of this loop, where it is to go on; else all of them are taken away.

    A damaged file is passed over, which is told: the iteration is then done again.

    Raises:
        SpecError: the checkpoints are of another loop, and not ours to take away.
    """
    found = checkpoints(folder) if folder.is_dir() else []
    last = None
    for path in reversed(found):
        try:
            last = PruningState.load(path)
            break
        except ArtifactError as error:
            progress(f"passed over: {error}")
    if last is not None and last.key != key:
        problem = Problem(
            str(folder),
            "of another network, input, seed, method, budget, chip or options",
            "checkpoints of this loop",
            "take another folder, or remove them",
        )
        raise SpecError("the checkpoints are of another loop", problems=[problem])
    if last is not None and resume:
        return last
    if folder.is_dir():
        remove_checkpoints(folder)
    return None


def forget_others(folder: Path, key: str) -> None:
    """Take away the checkpoints of other loops, and damaged ones."""
    for path in checkpoints(folder) if folder.is_dir() else []:
        try:
            ours = PruningState.load(path).key == key
        except ArtifactError:
            ours = False
        if not ours:
            path.unlink()


def load_checkpoint(folder: Path, iteration: int, key: str) -> PruningState:
    """That of one iteration; an `ArtifactError` where it is damaged, or of another loop."""
    state = PruningState.load(folder / FILE.format(iteration))
    if state.key != key:
        raise ArtifactError(f"{folder / FILE.format(iteration)}: the checkpoint of another loop")
    return state
