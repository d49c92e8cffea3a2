"""Suggesters that learn: a Gaussian process of the trials, and what it promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.bayesian.gaussian_process import GaussianProcess
from hrsnn_lava.bayesian.geometry import Geometry, reference_points
from hrsnn_lava.bayesian.kernels import Guarded, Joint, Kernel, Product, least_eigenvalue
from hrsnn_lava.bayesian.proposing import Acquisition, Liar, Proposing, process_of, proposed
from hrsnn_lava.bayesian.sequences import sobol
from hrsnn_lava.options import Count, options
from hrsnn_lava.search.pareto import scalarised, simplex_weights
from hrsnn_lava.search.space import Point, Space
from hrsnn_lava.search.suggester import Explanation, Suggester, Told, objectives
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]


@options
class LearningSuggester(Suggester):
    """Base of suggesters by a Gaussian process; a class of it says what the distances are.

    The first `initial` trials are a scrambled Sobol sequence. A failed trial counts as the worst
    that was seen (`failures`), or not at all.

    Attributes:
        initial: trials before anything is learned; by default twice the number of coordinates and
            two, at most 20.
        acquisition: what a point promises: ``noisy_ei``, the expected improvement over values
            without noise, or ``ei``, that over the best value that was measured.
        kernel: ``joint``, a Matern kernel of the distance of all parts, or ``product``, one of each
            part multiplied.
        liar: value that a point of a batch is given while the others are chosen: that of the
            worst, of the mean, or of the best trial.
        failures: ``worst``, or ``left_out``: say this where failures have nothing to do with the
            point.
        candidates: points that are compared before the best of them are refined.
    """

    name: ClassVar[str] = ""

    initial: Count | None = None
    acquisition: Acquisition = "noisy_ei"
    kernel: Literal["joint", "product"] = "joint"
    liar: Liar = "mean"
    failures: Literal["worst", "left_out"] = "worst"
    candidates: Annotated[int, Field(ge=16)] = 1024

    @abstractmethod
    def geometry(self, space: Space) -> Geometry:
        """Distances between points."""

    @property
    def guarded(self) -> bool:
        """Whether the kernel may have negative eigenvalues."""
        return False

    def points(
        self, space: Space, told: Sequence[Told], count: int, rng: np.random.Generator
    ) -> Sequence[Point]:
        """See `Suggester.points`."""
        from threadpoolctl import threadpool_limits

        key, total = int(rng.integers(2**62)), len(told) + count
        first = self.initial or min(2 * space.size + 2, 20)
        started = sobol(space.size, total, generator(key, "search/initial"))
        ready = sum(not trial.failed for trial in told) >= 2
        begun = started[len(told) : max(first, len(told)) if ready else total][:count]
        missing = count - len(begun)
        if missing:
            with threadpool_limits(limits=1):  # sums in another order give other last bits
                stream = generator(key, "search/learn", len(told))
                begun = np.concatenate([begun, self._learned(space, told, begun, missing, stream)])
        return [tuple(row) for row in begun.tolist()]

    def _learned(
        self,
        space: Space,
        told: Sequence[Told],
        pending: Float,
        count: int,
        rng: np.random.Generator,
    ) -> Float:
        """`count` points (count, d) of a process that knows the trials; `pending` are on the way.

        Of several objectives, each point has a scalarisation and a process of its own.
        """
        names, geometry = objectives(told), self.geometry(space)
        at, values = self._table(told, names)
        several = len(names) > 1
        chosen = pending
        while len(chosen) < len(pending) + count:
            y = scalarised(values, simplex_weights(len(names), rng)) if several else values[:, 0]
            process = process_of(geometry, at, y, rng, self._kernel)
            known = at
            if len(chosen):
                lie = {"worst": y.min(), "mean": y.mean(), "best": y.max()}[self.liar]
                lies = np.full(len(chosen), float(lie))
                process = process.extended(geometry.features(chosen), lies)
                known = np.concatenate([at, chosen])
            wanted = 1 if several else len(pending) + count - len(chosen)
            more = proposed(process, known, wanted, rng, self._proposing)
            chosen = np.concatenate([chosen, np.array(more)])
        return chosen[len(pending) :]

    def _table(self, told: Sequence[Told], names: Sequence[str]) -> tuple[Float, Float]:
        """Points (n, d) and objectives (n, m) of the trials, those of failed ones made up."""
        done = [trial for trial in told if not trial.failed]
        values = np.array([[trial.values[name] for name in names] for trial in done])
        points = np.array([trial.point for trial in done], dtype=np.float64)
        failed = [trial.point for trial in told if trial.failed]
        if failed and self.failures == "worst":
            points = np.concatenate([points, np.array(failed, dtype=np.float64)])
            values = np.concatenate([values, np.tile(values.min(axis=0), (len(failed), 1))])
        return points, values

    @property
    def _kernel(self) -> Kernel:
        kernel: Kernel = Joint() if self.kernel == "joint" else Product()
        return Guarded(kernel) if self.guarded else kernel

    @property
    def _proposing(self) -> Proposing:
        return Proposing(
            kernel=self._kernel,
            acquisition=self.acquisition,
            liar=self.liar,
            candidates=self.candidates,
        )

    def explain(
        self, space: Space, told: Sequence[Told], objective: str, rng: np.random.Generator
    ) -> Explanation | None:
        """See `Suggester.explain`."""
        from threadpoolctl import threadpool_limits

        if sum(not trial.failed for trial in told) < 2:
            return None
        geometry = self.geometry(space)
        at, values = self._table(told, [objective])
        with threadpool_limits(limits=1):
            process = process_of(geometry, at, values[:, 0], rng, self._kernel)
            lengths = dict(zip(geometry.names, process.hyper.lengths.tolist(), strict=True))
            count = 32 if self.guarded else 256
            found = importance(process, space.size, count)
            shares = dict(zip(space.names, found, strict=True))
            noise = process.scale * float(np.sqrt(process.hyper.noise))
            least = self._least(process) if self.guarded else None
        return Explanation(lengths, shares, noise, least)

    def _least(self, process: GaussianProcess) -> float:
        kernel = Joint() if self.kernel == "joint" else Product()
        squared = np.stack(list(process.geometry.squared(process.features, process.features)))
        return least_eigenvalue(kernel.correlations(squared, process.hyper.lengths).matrix)


def importance(process: GaussianProcess, size: int, count: int) -> list[float]:
    r"""Total Sobol indices of the posterior mean, (size,) (Jansen 1999).

    .. math:: T_k = \frac{1}{2 V} \overline{(f(A) - f(A^{(k)}))^2}

    over even points A of the prior, and A^(k) with another coordinate k; 0 where the mean is flat.
    """
    both = reference_points(2 * size, count)
    first, second = both[:, :size], both[:, size:]
    mean = process.posterior(process.geometry.features(first))[0]
    variance = float(mean.var())
    shares = []
    for k in range(size):
        moved = first.copy()
        moved[:, k] = second[:, k]
        gap = mean - process.posterior(process.geometry.features(moved))[0]
        shares.append(float((gap**2).mean()) / (2.0 * variance) if variance > 0 else 0.0)
    return shares
