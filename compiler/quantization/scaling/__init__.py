"""How weights become integers: one module per option, found by its file's name.

An option is a module `NAME.py` with a class `Option` that is a `base.Scaling`. It chooses the
scale of a target population, the exponent of each of its projections, and the integer of each
weight. `scaling("NAME")` makes one; what follows a colon, as in ``percentile:99.5``, is its value.
"""

from __future__ import annotations

import importlib
import pkgutil

from hrsnn_lava.compiler.quantization.scaling.base import Scaling, Synapses, Target
from hrsnn_lava.errors import Problem, SpecError

__all__ = ["Scaling", "Synapses", "Target", "names", "scaling"]


def names() -> tuple[str, ...]:
    """All options, sorted."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"))


def scaling(text: str) -> Scaling:
    """The option that a text such as ``mse`` or ``percentile:99.5`` asks for.

    Raises:
        SpecError: no option has that name, or its value is out of range.
    """
    name, colon, value = text.partition(":")
    if name not in names():
        raise SpecError(
            "how weights become integers",
            problems=[Problem("scaling", repr(text), ", ".join(names()))],
        )
    option = importlib.import_module(f"{__name__}.{name}").Option
    made: Scaling = option.parse(value) if colon else option()
    return made
