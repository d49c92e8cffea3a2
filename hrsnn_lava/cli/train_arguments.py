"""What the command `train` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainArguments:
    """What the command line says."""

    model: Path
    method: str
    input_file: Path | None
    task: Path | None
    overrides: tuple[str, ...]
    epochs: int | None
    on_chip: bool
    backend: str
    reset: str | None
    potentials: str | None
    silence: int | None
    keep_order: bool
    keep_rules: bool
    every: int | None
    checkpoint: Path | None
    resume: bool
    seed: int | None
    output: Path

    @property
    def state_file(self) -> Path:
        """Where the training is kept while it is under way."""
        default = self.output.with_name(f"{self.output.name}.training")
        return default if self.checkpoint is None else self.checkpoint
