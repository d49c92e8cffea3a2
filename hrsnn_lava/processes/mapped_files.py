"""Processes that exchange arrays with files: `MmapSource`, `MmapSink`, `MmapProbe`.

Lava's Monitor and RingBuffer hand values over one element at a time (20 to 55 us each, measured);
a memory map holds a million values at no noticeable cost and needs no read-back at all.

Importing this module imports Lava, which needs Python 3.10.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import DTypeLike

__all__ = [
    "MmapProbe",
    "MmapProbeFixed",
    "MmapProbeFloat",
    "MmapSink",
    "MmapSinkFixed",
    "MmapSinkFloat",
    "MmapSource",
    "MmapSourceFixed",
    "MmapSourceFloat",
]

Path = str | os.PathLike[str]
#: Input port of `MmapProbe` behind each of its files.
PROBE_PORTS = {"spikes": "s_in", "v": "v_in", "u": "u_in"}


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
    def __init__(self, proc_params: Mapping[str, Any]) -> None:
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
        path: Path,
        steps: int,
        dtype: DTypeLike = np.int32,
        name: str | None = None,
    ) -> None:
        super().__init__(path=os.fspath(path), name=name)
        create_rows(path, (steps, *shape), dtype)
        self.a_in = InPort(shape=shape)


class MmapProbe(AbstractProcess):  # type: ignore[misc]
    """Up to three `MmapSink` in one Process, since each Process costs an operating-system one.

    `files` names them by what they record: rows of `s_in` go to "spikes" as bool, or with type
    `dtype` where `several` spikes may come in a step, those of `v_in` and `u_in` to "v" and "u"
    with type `dtype`. Ports without a file are there but read by nobody.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...],
        steps: int,
        files: Mapping[str, Path],
        dtype: DTypeLike = np.int32,
        several: bool = False,
        name: str | None = None,
    ) -> None:
        paths = {PROBE_PORTS[probe]: os.fspath(path) for probe, path in files.items()}
        super().__init__(paths=paths, name=name)
        for port, path in paths.items():
            kind = bool if port == "s_in" and not several else dtype
            create_rows(path, (steps, *shape), kind)
        self.s_in = InPort(shape=shape)
        self.v_in = InPort(shape=shape)
        self.u_in = InPort(shape=shape)


def create_rows(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    """Create the file of a recording, (n_steps, ...), all 0."""
    rows: np.memmap[Any, Any] = np.lib.format.open_memmap(
        os.fspath(path), mode="w+", dtype=np.dtype(dtype), shape=shape
    )
    rows.flush()
    return rows


class _MmapSinkModel(PyLoihiProcessModel):  # type: ignore[misc]
    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self._rows = np.lib.format.open_memmap(proc_params["path"], mode="r+")

    def run_spk(self) -> None:
        """Stores one row."""
        self._rows[self.time_step - 1] = self.a_in.recv()


@implements(proc=MmapSink, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class MmapSinkFixed(_MmapSinkModel):
    """Takes integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=MmapSink, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MmapSinkFloat(_MmapSinkModel):
    """Takes floats."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)


class _MmapProbeModel(PyLoihiProcessModel):  # type: ignore[misc]
    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        paths = proc_params["paths"]
        self._files = {p: np.lib.format.open_memmap(paths[p], mode="r+") for p in paths}

    def run_spk(self) -> None:
        """Stores one row of each port that has a file."""
        for port, rows in self._files.items():
            rows[self.time_step - 1] = getattr(self, port).recv()


@implements(proc=MmapProbe, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "bit_accurate_loihi")
class MmapProbeFixed(_MmapProbeModel):
    """Takes integers."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    v_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    u_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=MmapProbe, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MmapProbeFloat(_MmapProbeModel):
    """Takes floats."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    v_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    u_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
