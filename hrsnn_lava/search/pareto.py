r"""Several objectives at once: the Pareto front, its hypervolume, and random scalarisation.

A search of several objectives makes one of them at a time (ParEGO, Knowles 2006): for every
suggestion, weights are drawn evenly from the simplex, and

.. math:: g(y) = \min_j w_j y_j + \rho \sum_j w_j y_j

of the objectives, each scaled to 0 for the worst and 1 for the best trial, is what a Gaussian
process learns and the acquisition improves (augmented Chebyshev scalarisation, rho = 0.05; here
higher is better). It takes any number of objectives and one process for a suggestion; the expected
hypervolume improvement costs more and gains little at hundreds of trials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError

Float = NDArray[np.float64]

#: Of the sum in a scalarisation.
RHO = 0.05


def non_dominated(values: Float) -> NDArray[np.bool_]:
    """Which rows no other row dominates, (n,): as good in every objective, better in one.

    Args:
        values: (n, m) objectives, higher is better; rows that are equal do not dominate each other.
    """
    values = np.asarray(values, dtype=np.float64)
    front = np.ones(len(values), dtype=bool)
    for k, row in enumerate(values):
        front[k] = not ((values >= row).all(axis=1) & (values > row).any(axis=1)).any()
    return front


def hypervolume(values: Float, reference: Float) -> float:
    """Area that rows of two objectives dominate, above a reference point.

    Args:
        values: (n, 2), higher is better; rows not above the reference add nothing.
        reference: (2,).

    Raises:
        SpecError: other than two objectives.
    """
    values, reference = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    if values.ndim != 2 or values.shape[1] != 2 or reference.shape != (2,):
        measured = f"values of shape {values.shape}, reference {reference.shape}"
        problem = Problem("hypervolume", measured, "two objectives: (n, 2) and (2,)")
        raise SpecError("the hypervolume is not known", problems=[problem])
    above = values[(values > reference).all(axis=1)]
    area, height = 0.0, float(reference[1])
    # from the best first objective to the worst, each step adds what is above the ones before
    for first, second in above[np.lexsort((-above[:, 1], -above[:, 0]))]:
        if second > height:
            area += (first - reference[0]) * (second - height)
            height = second
    return float(area)


def simplex_weights(count: int, rng: np.random.Generator) -> Float:
    """Weights of `count` objectives, even over those that are >= 0 and have the sum 1."""
    drawn = rng.exponential(size=count)
    weights: Float = drawn / drawn.sum()
    return weights


def scalarised(values: Float, weights: Float) -> Float:
    """The augmented Chebyshev scalarisation of objectives (n, m), (n,); see the module.

    An objective that is the same in all rows counts as 0.
    """
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    scaled = (values - low) / np.where(span > 0, span, 1.0)
    weighted = weights * scaled
    total: Float = weighted.min(axis=1) + RHO * weighted.sum(axis=1)
    return total
