"""Lava's own `LIF` for a group of neurons: its Process, its record of states, its biases over time.

Stock `LIF` has one du, dv and vth; biases and their exponents are per neuron. It has no port for a
held input either. What a host would do on a chip is done here: the run is paused where an input
changes, and the biases are written.

Importing this module imports Lava, which needs Python 3.10.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from numpy.typing import NDArray

from hrsnn_lava.processes.program import Neurons

__all__ = ["BiasWrite", "RecordedLIF", "bias_writes", "stock_lif", "stretches"]


class BiasWrite(NamedTuple):
    """Before step `step` (from 0) `process.bias_mant` is set to `mantissa`, (size,)."""

    step: int
    process: Any
    mantissa: NDArray[Any]


class RecordedLIF(PyLifModelBitAcc):  # type: ignore[misc]
    """Lava's own model, which writes v and u of every step to the files in ``record``."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        paths = proc_params["record"]
        self._files = {k: np.lib.format.open_memmap(paths[k], mode="r+") for k in paths}

    def run_spk(self) -> None:
        """One time step."""
        super().run_spk()
        for state, rows in self._files.items():
            rows[self.time_step - 1] = getattr(self, state)


def stock_lif(group: Neurons, record: Mapping[str, Path] | None = None, steps: int = 0) -> Any:
    """The `LIF` of a group.

    Args:
        group: neurons with one value of du, dv and vth, and no refractory period.
        record: files for "v" and "u", which are created with `steps` rows.

    Raises `ValueError` for a group that is none.
    """
    shared = {name: np.unique(group.parameters[name]) for name in ("du", "dv", "vth")}
    mixed = [name for name, values in shared.items() if values.size > 1]
    if mixed or np.any(group.parameters["refractory"]):
        found = f"several values of {', '.join(mixed)}" if mixed else "a refractory period"
        raise ValueError(f"{group.name!r} has {found}, which stock LIF cannot have")
    options = {}
    if record:
        for path in record.values():
            shape = (steps, group.size)
            np.lib.format.open_memmap(path, mode="w+", dtype=np.int32, shape=shape).flush()
        options["record"] = {state: str(path) for state, path in record.items()}
    mantissa = group.parameters["bias_mant"]
    if len(group.drive_steps) and group.drive_steps[0] == 0:
        mantissa = mantissa + group.drive_values[0]
    return LIF(
        shape=(group.size,),
        name=group.name,
        bias_mant=mantissa,
        bias_exp=group.parameters["bias_exp"],
        **{name: int(values[0]) for name, values in shared.items()},
        **options,
    )


def bias_writes(group: Neurons, process: Any) -> list[BiasWrite]:
    """What the host writes in the course of a run, after the start; only what changes."""
    rows = group.parameters["bias_mant"] + group.drive_values
    before, writes = process.bias_mant.init, []
    for step, row in zip(group.drive_steps.tolist(), rows, strict=True):
        if np.any(row != before):
            writes.append(BiasWrite(step, process, row))
        before = row
    return writes


def stretches(steps: int, writes: Sequence[BiasWrite]) -> Iterator[tuple[int, list[BiasWrite]]]:
    """Cut a run where something is written: lengths, each with what is written before it."""
    due: dict[int, list[BiasWrite]] = {0: []}
    for write in writes:
        due.setdefault(write.step, []).append(write)
    starts = sorted(due)
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        yield end - start, due[start]
