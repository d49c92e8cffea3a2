"""`MmapSink`: keeps what a port sends, one row a time step, in a memory-mapped .npy file.

Lava's Monitor and RingBuffer hand values back one element at a time (20 to 55 us each, measured);
a memory map holds a million values at no noticeable cost and needs no read-back at all.

Importing this module imports Lava, which needs Python 3.10.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import DTypeLike

__all__ = ["MmapSink", "MmapSinkFixed", "MmapSinkFloat"]


class MmapSink(AbstractProcess):  # type: ignore[misc]
    """Writes `a_in` of time step t into row t - 1 of the array file at `path`.

    `path` names a `.npy` that is created here with `steps` rows of `shape` and type `dtype`
    (bool for spikes, int32 for integer states, float64 for float ones). Read it with
    `numpy.load(path, mmap_mode="r")` after the run. A run beyond `steps` raises `IndexError`
    in the model. The file is the caller's: nothing here deletes it.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        path: str | os.PathLike[str],
        steps: int,
        dtype: DTypeLike = np.int32,
        name: str | None = None,
    ) -> None:
        super().__init__(path=os.fspath(path), name=name)
        rows = np.lib.format.open_memmap(
            os.fspath(path), mode="w+", dtype=np.dtype(dtype), shape=(steps, *shape)
        )
        rows.flush()
        self.a_in = InPort(shape=shape)


class _MmapSinkModel(PyLoihiProcessModel):  # type: ignore[misc]
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._rows = np.lib.format.open_memmap(proc_params["path"], mode="r+")

    def run_spk(self) -> None:
        """Stores one row."""
        self._rows[self.time_step - 1] = self.a_in.recv()


@implements(proc=MmapSink, protocol=LoihiProtocol)  # type: ignore[untyped-decorator]
@requires(CPU)  # type: ignore[untyped-decorator]
@tag("fixed_pt", "bit_accurate_loihi")  # type: ignore[untyped-decorator]
class MmapSinkFixed(_MmapSinkModel):
    """Takes integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=MmapSink, protocol=LoihiProtocol)  # type: ignore[untyped-decorator]
@requires(CPU)  # type: ignore[untyped-decorator]
@tag("floating_pt")  # type: ignore[untyped-decorator]
class MmapSinkFloat(_MmapSinkModel):
    """Takes floats."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
