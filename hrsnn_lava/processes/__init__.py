"""Lava Processes of this package, their models, and the graph of a compiled network.

`program` works everywhere; the other modules import Lava and so need Python 3.10. Nothing is
imported here: ``from hrsnn_lava.processes.lif import HeterogeneousLIF``.
"""
