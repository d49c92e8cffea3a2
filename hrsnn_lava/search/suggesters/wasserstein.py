"""Bayesian optimisation over distributions, by the Wasserstein distances between them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hrsnn_lava.bayesian.geometry import Geometry
from hrsnn_lava.options import Positive, options
from hrsnn_lava.search.features import Distance, geometry_of
from hrsnn_lava.search.learning import LearningSuggester
from hrsnn_lava.search.space import Space


@options
class Wasserstein(LearningSuggester):
    """A Matern kernel on Wasserstein distances of distributions, eq. (6) of the papers.

    Attributes:
        distance: between distributions: ``marginals``, the W2 of each with a length scale of its
            own; ``location``, that in two parts, place and shape, each with its own (ours);
            ``sliced``, the sliced W2 of all together; ``sinkhorn``, their debiased Sinkhorn
            divergence, which needs a guard and is slow: for tens of trials.
        quantiles: nodes of a quantile function; a joint sample has a quarter as many points.
        epsilon: of the Sinkhorn divergence, in units of the mean squared distance of two points of
            the prior.
    """

    name: ClassVar[str] = "wasserstein"

    distance: Distance = "marginals"
    quantiles: Annotated[int, Field(ge=8, le=256)] = 64
    epsilon: Positive = 0.1

    @property
    def guarded(self) -> bool:
        """Sinkhorn's is no distance of a Hilbert space."""
        return self.distance == "sinkhorn"

    def geometry(self, space: Space) -> Geometry:
        """Every distribution is a part, or two, or all are one."""
        return geometry_of(space, self.distance, self.quantiles, self.epsilon)
