"""Lava Processes of this package, their models, and the graph of a compiled network.

`program` works everywhere; the other modules import Lava and so need Python 3.10. Nothing is
imported here: ``from hrsnn_lava.processes.lif import HeterogeneousLIF``.

Lava's search for models executes every module of this folder anew, outside its package. So the
imports here are absolute, and modules with dataclasses do without ``from __future__ import
annotations``: a dataclass looks up the text of its annotations in a package that is not there.
"""
