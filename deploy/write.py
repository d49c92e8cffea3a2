"""A network deployed in one call: run on an input, made for a target, written as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.deploy.bundle.contents import Deployed, deployed
from hrsnn_lava.deploy.bundle.folder import Bundle, require_room, write
from hrsnn_lava.deploy.bundle.lava_target import lava_bundle
from hrsnn_lava.deploy.c_target.target import c_bundle
from hrsnn_lava.errors import SpecError
from hrsnn_lava.fields import choice
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import run_steps
from hrsnn_lava.trace import SpikeInput

__all__ = ["TARGETS", "DeployOptions", "Target", "deploy"]

Target = Literal["lava", "c"]
TARGETS: tuple[Target, ...] = get_args(Target)
_MAKERS: Mapping[str, Callable[[Deployed], tuple[dict[str, Any], dict[str, bytes]]]] = {
    "lava": lava_bundle,
    "c": c_bundle,
}


@dataclass(frozen=True)
class DeployOptions:
    """What a bundle is for, and what goes into it.

    Attributes:
        target: ``lava`` or ``c``.
        source: where the input comes from, in words for the card.
        reports: files of ``hrsnn-lava report`` to ship, ``.html`` and ``.json``.
        force: replace a bundle that is there.
    """

    target: Target = "lava"
    source: str = "the shipped input was given"
    reports: Sequence[Path] = ()
    force: bool = False

    def __post_init__(self) -> None:
        choice("target", self.target, TARGETS, SpecError)


def deploy(
    model: CompiledNetwork | QuantizedNetwork,
    path: PathLike,
    inputs: SpikeInput | None = None,
    steps: int | None = None,
    options: DeployOptions | None = None,
    progress: Progress = silent,
) -> Bundle:
    """Write a network as a folder that runs without this package.

    Args:
        model: compiled, or quantized.
        path: of the folder, which must not be there, or be empty.
        inputs: to ship and to test with; None: nothing is sent.
        steps: of the shipped run; None: the input's.
        options: what for, and with what; None: the default ones.
        progress: called with what is being done.

    Returns:
        The bundle, verified as `hrsnn_lava.deploy.bundle.load` does.

    Raises:
        SpecError: something is there already, the input does not fit, or a report is of another
            program.
        CapacityError: the network learns, and the target is C.
        ParityError: the engines that make the shipped spikes disagree.
        OutputError: the folder cannot be written.
    """
    o = DeployOptions() if options is None else options
    require_room(path, force=o.force)
    content = deployed(
        model,
        inputs,
        run_steps(inputs, steps),
        source=o.source,
        reports=o.reports,
        progress=progress,
    )
    return write(path, *_MAKERS[o.target](content), force=o.force)
