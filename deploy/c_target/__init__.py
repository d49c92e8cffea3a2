"""Networks as one file of C11, for whatever has a compiler.

`program` makes arrays of a network, `source` writes them down in front of a step that is the same
for all (``templates/c/network.c``), `target` makes a bundle of it.
"""

from __future__ import annotations

from hrsnn_lava.deploy.c_target.program import CProgram, c_program
from hrsnn_lava.deploy.c_target.source import c_source

__all__ = ["CProgram", "c_program", "c_source"]
