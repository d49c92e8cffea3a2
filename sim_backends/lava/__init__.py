"""Intel Lava 0.10.0 on its own runtime, the oracle of bit-exactness; needs Python 3.10."""

from __future__ import annotations

from hrsnn_lava.sim_backends.lava.backend import LavaBackend

ENGINE = LavaBackend()
