"""`MmapSource`: streams the rows of a memory-mapped .npy file, one a time step.

Importing this module imports Lava, which needs Python 3.10.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

__all__ = ["MmapSource", "MmapSourceFixed", "MmapSourceFloat"]


class MmapSource(AbstractProcess):  # type: ignore[misc]
    """Sends row t - 1 of the array file at `path` in time step t, and zeros after its last row.

    The file holds a numeric array `(steps, *shape)`: spikes, graded payloads or a drive. Unlike
    Lava's RingBuffer it does not start over, and its data never pass through the compiler.
    Raises `ValueError` if the array has no such rows.
    """

    def __init__(self, *, path: str | os.PathLike[str], name: str | None = None) -> None:
        super().__init__(path=os.fspath(path), name=name)
        rows = np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
        if rows.ndim < 2:
            raise ValueError(f"{os.fspath(path)} holds an array {rows.shape}; (steps, n) is needed")
        self.s_out = OutPort(shape=rows.shape[1:])


class _MmapSourceModel(PyLoihiProcessModel):  # type: ignore[misc]
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._rows = np.load(proc_params["path"], mmap_mode="r", allow_pickle=False)
        self._silence = np.zeros(self._rows.shape[1:], dtype=self._rows.dtype)

    def run_spk(self) -> None:
        """Sends one row."""
        row = self.time_step - 1
        self.s_out.send(self._rows[row] if row < len(self._rows) else self._silence)


@implements(proc=MmapSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class MmapSourceFixed(_MmapSourceModel):
    """Sends integers (int32, like Lava's RingBuffer)."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)


@implements(proc=MmapSource, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MmapSourceFloat(_MmapSourceModel):
    """Sends floats."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
