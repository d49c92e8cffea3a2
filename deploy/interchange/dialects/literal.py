"""The file as its equations stand, by Euler's method; step and reset are the user's."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, euler
from hrsnn_lava.deploy.interchange.step_model import RESETS, Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace


class Literal(Dialect):
    """No exporter: nothing marks such files, and nothing is assumed of them."""

    name: ClassVar[str] = "literal"
    title: ClassVar[str] = "the equations of NIR"
    resets: ClassVar[tuple[Reset, ...]] = RESETS
    equations: ClassVar[str] = "Euler's method, i before v, then the reset"

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        return euler(place, setting)


DIALECT = Literal()
