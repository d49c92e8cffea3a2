"""Lava Processes of this package, their models, and the graph of a compiled network.

`program`, `lowering` and `from_lava` work everywhere; the others import Lava: Python 3.10.
The Processes are loaded on first use: ``from hrsnn_lava.processes import HeterogeneousLIF``.

Lava's search for models executes every module of this folder anew, outside its package. So the
imports here are absolute, and modules with dataclasses do without ``from __future__ import
annotations``: a dataclass looks up the text of its annotations in a package that is not there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hrsnn_lava.processes.lif import HeterogeneousLIF
    from hrsnn_lava.processes.mapped_files import MmapProbe, MmapSink, MmapSource

__all__ = ["HeterogeneousLIF", "MmapProbe", "MmapSink", "MmapSource"]

_HOMES = {
    "HeterogeneousLIF": "lif",
    "MmapProbe": "mapped_files",
    "MmapSink": "mapped_files",
    "MmapSource": "mapped_files",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hrsnn_lava.processes' has no attribute {name!r}")
    return getattr(import_module(f"hrsnn_lava.processes.{home}"), name)
