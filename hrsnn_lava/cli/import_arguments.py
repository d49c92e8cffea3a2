"""What the command `import` is given, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hrsnn_lava.errors import Problem, SpecError, raise_if

#: Options of netx alone, with their values where nobody gave them.
OF_NETX = {"weights": "lava", "num_layers": None, "input_shape": None}
#: Those of NIR alone.
OF_NIR = {
    "dialect": "auto",
    "reset": None,
    "single_spikes": False,
    "biases": "exact",
    "against": None,
}


@dataclass(frozen=True)
class ImportArguments:
    """Arguments of the command."""

    format: str
    file: Path
    output: Path
    dialect: str
    dt: float | None
    reset: str | None
    single_spikes: bool
    biases: str
    against: Path | None
    weights: Literal["lava", "file"]
    num_layers: int | None
    input_shape: str | None


def refuse_given(arguments: ImportArguments, defaults: Mapping[str, Any]) -> None:
    """Refuse options that the format does not have: those that are not at their defaults.

    Raises:
        SpecError: with each of them.
    """
    problems = [
        Problem(f"--{name.replace('_', '-')}", f"{getattr(arguments, name)}", "another format")
        for name, default in defaults.items()
        if getattr(arguments, name) != default
    ]
    raise_if(SpecError, f"import {arguments.format} has no such option", problems)
