"""Ways to put cores on the mesh, one module each.

A placer is a module of this package with a function ``place(task, rng)``: it takes a `PlaceTask`
and a random generator and returns the slot of every core, (n_cores,), all different. Adding one
takes one new file: the pass then tries it as a start. Modules whose name starts with an underscore
are shared by the placers.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError

Placer = Callable[[Any, np.random.Generator], NDArray[np.int64]]


def names() -> tuple[str, ...]:
    """All placers, by the alphabet."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def placer(name: str) -> Placer:
    """The placer of that name; raises `SpecError` with the names that there are."""
    if name not in names():
        raise SpecError(f"placer: {name!r}; allowed: {', '.join(names())}")
    found: Placer = import_module(f"{__name__}.{name}").place
    return found
