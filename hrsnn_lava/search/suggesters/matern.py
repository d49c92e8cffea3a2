"""Bayesian optimisation over numbers alone: the control of the Wasserstein kernel."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.bayesian.geometry import Geometry
from hrsnn_lava.options import options
from hrsnn_lava.search.features import geometry_of
from hrsnn_lava.search.learning import LearningSuggester
from hrsnn_lava.search.space import Space


@options
class Matern(LearningSuggester):
    """A Matern kernel on the free numbers, which knows nothing of distributions."""

    name: ClassVar[str] = "matern"

    def geometry(self, space: Space) -> Geometry:
        """Every coordinate is a part."""
        return geometry_of(space, None)
