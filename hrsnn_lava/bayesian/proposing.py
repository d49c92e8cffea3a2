"""Points of the unit cube that promise most, one or several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.bayesian.acquisition import NoisyImprovement, log_expected_improvement
from hrsnn_lava.bayesian.gaussian_process import GaussianProcess, Priors
from hrsnn_lava.bayesian.geometry import Geometry
from hrsnn_lava.bayesian.kernels import Joint, Kernel
from hrsnn_lava.bayesian.sequences import sobol

Float = NDArray[np.float64]

Acquisition = Literal["ei", "noisy_ei"]
Liar = Literal["worst", "mean", "best"]
_HIGHEST = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True)
class Proposing:
    """How points are chosen.

    Attributes:
        kernel: correlations of the process.
        acquisition: ``ei`` or ``noisy_ei``.
        liar: value that a proposed point is given while the others of a batch are chosen.
        samples: of `NoisyImprovement`.
        candidates: points that are spread over the cube.
        rounds: of refinement around the best of them; 0 for none.
        batch: points at which the acquisition is evaluated at once.
    """

    kernel: Kernel = Joint()  # noqa: RUF009 - frozen, without state
    acquisition: Acquisition = "noisy_ei"
    liar: Liar = "mean"
    samples: int = 32
    candidates: int = 1024
    rounds: int = 4
    batch: int = 512


def process_of(
    geometry: Geometry,
    points: Float,
    values: Float,
    rng: np.random.Generator,
    kernel: Kernel = Joint(),  # noqa: B008 - frozen, without state
    priors: Priors = Priors(),  # noqa: B008
) -> GaussianProcess:
    """A process of trials at points (n, d) of the unit cube with values (n,)."""
    return GaussianProcess.fit(geometry, geometry.features(points), values, rng, kernel, priors)


def proposed(
    process: GaussianProcess,
    points: Float,
    count: int,
    rng: np.random.Generator,
    how: Proposing = Proposing(),
) -> list[Float]:
    """Points to try next, (d,) each.

    A batch is chosen one by one; what was chosen counts as a trial with a constant value, the
    liar's (Ginsbourger, Le Riche and Carraro 2010), and hyper-parameters stay as they are.

    Args:
        process: of the trials, see `process_of`.
        points: (n, d) of the trials.
        count: of new points.
        rng: draws candidates, and the sample of noisy EI.
        how: options.
    """
    values = process.values
    lie = {"worst": values.min(), "mean": values.mean(), "best": values.max()}[how.liar]
    chosen: list[Float] = []
    while True:
        objective = _objective(process, how, rng)
        centres = points[np.argsort(-process.posterior(process.features)[0], kind="stable")[:4]]
        chosen.append(maximised(objective, centres, rng, how))
        if len(chosen) == count:
            return chosen
        points = np.concatenate([points, chosen[-1][None, :]])
        process = process.extended(
            process.geometry.features(chosen[-1][None, :]), np.array([float(lie)])
        )


def _objective(
    process: GaussianProcess, how: Proposing, rng: np.random.Generator
) -> Callable[[Float], Float]:
    """The logarithm of the acquisition at points (m, d), (m,)."""
    if how.acquisition == "noisy_ei":
        noisy = NoisyImprovement(process, how.samples, rng)
        return lambda points: noisy.log(process.geometry.features(points))
    best = float(process.values.max())

    def plain(points: Float) -> Float:
        mean, variance = process.posterior(process.geometry.features(points))
        return log_expected_improvement(mean, np.sqrt(variance), best)

    return plain


def maximised(
    objective: Callable[[Float], Float],
    centres: Float,
    rng: np.random.Generator,
    how: Proposing,
) -> Float:
    """The best point of the unit cube that was found, (d,).

    Candidates are a Sobol sequence and neighbours of good trials; then, in rounds, neighbours of
    the best four candidates, ever nearer.

    Args:
        objective: of points (m, d).
        centres: (c, d) good trials.
        rng: draws candidates.
        how: how many.
    """
    size = centres.shape[1]
    points = sobol(size, how.candidates, rng)
    near = how.candidates // 16
    around = [_neighbours(centres, near, radius, rng) for radius in (0.2, 0.05)]
    points = np.concatenate([points, *around])
    values = _in_batches(objective, points, how.batch)
    for step in range(how.rounds):
        best = np.argsort(-values, kind="stable")[:4]
        more = _neighbours(points[best], near, 0.1 * 0.35**step, rng)
        points = np.concatenate([points[best], more])
        values = np.concatenate([values[best], _in_batches(objective, more, how.batch)])
    best_point: Float = points[int(np.argmax(values))]
    return best_point


def _neighbours(centres: Float, count: int, radius: float, rng: np.random.Generator) -> Float:
    """`count` points around each centre: a normal step in some of the coordinates, one at least."""
    repeated = np.repeat(centres, count, axis=0)
    size = centres.shape[1]
    moved = rng.random(repeated.shape) < max(0.5, 1.0 / size)
    moved[np.arange(len(repeated)), rng.integers(size, size=len(repeated))] = True
    steps = radius * rng.standard_normal(repeated.shape)
    inside: Float = np.clip(repeated + np.where(moved, steps, 0.0), 0.0, _HIGHEST)
    return inside


def _in_batches(objective: Callable[[Float], Float], points: Float, batch: int) -> Float:
    parts: Sequence[Float] = [
        objective(points[first : first + batch]) for first in range(0, len(points), batch)
    ]
    return np.concatenate(parts)
