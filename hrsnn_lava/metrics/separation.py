"""How far apart different inputs drive a network, beside what noise does.

Three definitions are in use, and they are not the same thing:

- ``variance``: between-class over within-class variance. It has no unit, does not change when the
  states are scaled, and says what a linear readout has to work with. It is the default, since
  networks that fire differently are compared by it.
- ``centroid``: mean distance of the class means over 1 + mean distance to them (Goodman and
  Ventura 2006, Norton and Ventura 2010). The 1 has the unit of a state, so it grows with the
  states: compare it at one scale alone.
- ``pairwise``: mean distance of two states of different inputs, over time (the separation
  property of Maass, Natschlaeger and Markram 2002). It knows no noise: compare it with the distance
  of two runs of one input. The linear separation of Legenstein and Maass (2007) is a rank, see
  `hrsnn_lava.metrics.state_space.effective_rank`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import choice
from hrsnn_lava.metrics.base import Floats, Metric, finite_values
from hrsnn_lava.metrics.classification import label_array
from hrsnn_lava.metrics.scores import Better
from hrsnn_lava.options import options

__all__ = ["SEPARATIONS", "separation"]

Definition = Literal["variance", "centroid", "pairwise"]
SEPARATIONS: tuple[Definition, ...] = ("variance", "centroid", "pairwise")


def separation(
    states: ArrayLike, labels: ArrayLike, definition: Definition = "variance"
) -> float | None:
    """How far apart states of different classes are; the module says which definition is for what.

    With n states x, C classes of n_c states, means m_c and the mean m of all:

    - ``variance``: ``sum_c n_c |m_c - m|^2 / sum_c sum_{x in c} |x - m_c|^2``. Noise alone gives
      about (C - 1) / (n - C).
    - ``centroid``: ``d / (v + 1)``, ``d = sum_{c,c'} |m_c - m_c'| / C^2``,
      ``v = mean_c mean_{x in c} |x - m_c|``.
    - ``pairwise``: mean of ``|x - x'|`` over pairs of different classes, and over time.

    Args:
        states: (n, d); for ``pairwise`` also trajectories, (n, T, d).
        labels: (n,) classes, or which input it was.
        definition: see above.

    Returns:
        None for ``variance`` where no state differs from its class: there is no noise to compare
        with.

    Raises:
        SpecError: shapes that disagree, fewer than two classes, another definition.
    """
    choice("definition", definition, SEPARATIONS, SpecError)
    values = finite_values("states", states, (2, 3), "(n, d) or (n, T, d)")
    names = label_array("labels", labels)
    if len(names) != len(values):
        raise SpecError(str(Problem("labels", f"{len(names)}", f"{len(values)}, as of states")))
    classes, which = np.unique(names, return_inverse=True)
    if len(classes) < 2:
        raise SpecError(str(Problem("labels", f"one class, {classes[0]}", "two or more classes")))
    if definition == "pairwise":
        return _pairwise(values.reshape(len(values), -1, values.shape[-1]), which)
    if values.ndim == 3:
        fix = "give one time of the trajectories, such as states[:, -1]"
        raise SpecError(str(Problem("states", f"shape {values.shape}", "(n, d)", fix)))
    means, counts = _class_means(values, which, len(classes))
    apart = values - means[which]
    if definition == "centroid":
        return _centroid(means, np.linalg.norm(apart, axis=1), which, counts)
    within = float((apart**2).sum())
    between = float((counts * ((means - values.mean(axis=0)) ** 2).sum(axis=1)).sum())
    return between / within if within > 0 else None


@options
class Separation(Metric):
    """How far apart states of different classes are.

    Attributes:
        definition: ``variance``: between classes over within; ``centroid``: distance of class
            means over 1 + distance to them; ``pairwise``: mean distance of states.
    """

    name: ClassVar[str] = "separation"
    better: ClassVar[Better] = "higher"
    definition: Definition = "variance"

    def __call__(self, states: ArrayLike, labels: ArrayLike) -> float | None:
        """See `separation`."""
        return separation(states, labels, self.definition)


def _class_means(
    values: Floats, which: NDArray[Any], n_classes: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Mean state of every class, (C, d), and how many states it has, (C,)."""
    counts = np.bincount(which, minlength=n_classes)
    sums = np.zeros((n_classes, values.shape[1]))
    np.add.at(sums, which, values)
    return sums / counts[:, None], counts


def _centroid(
    means: Floats, distances: Floats, which: NDArray[Any], counts: NDArray[np.int64]
) -> float:
    from scipy.spatial.distance import cdist

    between = float(cdist(means, means).sum()) / len(means) ** 2
    spread = np.bincount(which, weights=distances) / counts
    return between / (float(spread.mean()) + 1.0)


def _pairwise(trajectories: Floats, which: NDArray[Any]) -> float:
    """Mean distance of (n, T, d) over pairs of different classes, and over time."""
    from scipy.spatial.distance import cdist

    total, pairs = 0.0, 0
    for label in range(int(which.max())):
        first, later = trajectories[which == label], trajectories[which > label]
        pairs += len(first) * len(later)
        total += sum(
            float(cdist(first[:, t], later[:, t]).sum()) for t in range(trajectories.shape[1])
        )
    return total / (pairs * trajectories.shape[1])
