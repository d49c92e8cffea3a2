"""Memory capacity: how much of an input that went by is still in what one sees of a network.

    MC = sum_k C_k,   C_k = Cov^2(u(t - k), y_k(t)) / (Var u  Var y_k),   k = 1..delays

u(t) is independent and identically distributed, y_k a linear readout trained to tell u(t - k)
(Jaeger 2001); k = 0 is no memory. MC is at most the number of features. Two biases are taken out:
C_k is of samples that trained nothing, since a fit to T samples tells n / T of any noise with n
features; and what the same readout tells of a shuffled input, about 1 / T a delay, is subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import locked
from hrsnn_lava.metrics.base import Floats, Metric, finite_values, same_shape
from hrsnn_lava.metrics.scores import Better
from hrsnn_lava.options import Count, Positive, Seed, Share, options
from hrsnn_lava.seeding import generator

__all__ = [
    "MemoryCapacity",
    "MemoryCurve",
    "memory_of_predictions",
    "past_values",
    "squared_correlations",
]


def past_values(values: Floats, delays: int) -> Floats:
    """The values k = 1..delays samples ago, (n, delays) for `values` (n,); 0 before the first."""
    columns = [
        np.concatenate([np.zeros(k), values[: len(values) - k]]) for k in range(1, delays + 1)
    ]
    return np.stack(columns, axis=1)


def squared_correlations(answers: Floats, targets: Floats) -> Floats:
    """r^2 of every column, (n_columns,); 0 where one of the two does not vary."""
    a, b = answers - answers.mean(axis=0), targets - targets.mean(axis=0)
    power = (a**2).sum(axis=0) * (b**2).sum(axis=0)
    cross_power = (a * b).sum(axis=0) ** 2
    return np.divide(cross_power, power, out=np.zeros(len(power)), where=power > 0)


@dataclass(frozen=True, eq=False)
class MemoryCurve:
    """What is told of the past, delay by delay.

    Attributes:
        curve: (delays,) C_k of held-out samples, k = 1 first.
        chance: (delays,) the same of a shuffled input; zeros where there was none.
        samples: held-out samples.
        bound: largest capacity there can be: features, or delays, whichever are fewer.
    """

    curve: Floats
    chance: Floats
    samples: int
    bound: int

    @property
    def value(self) -> float:
        """Memory capacity, ``sum_k (curve_k - chance_k)``; slightly below 0 if there is none."""
        return float((self.curve - self.chance).sum())

    @property
    def uncorrected(self) -> float:
        """``sum_k curve_k``."""
        return float(self.curve.sum())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return {
            "memory_capacity": self.value,
            "uncorrected": self.uncorrected,
            "chance": float(self.chance.sum()),
            "samples": self.samples,
            "bound": self.bound,
            "curve": self.curve.tolist(),
        }

    def __str__(self) -> str:
        """One line."""
        delays, chance = len(self.curve), self.chance.sum()
        return (
            f"memory capacity {self.value:.3f} of {self.bound} at most "
            f"({delays} delays, {self.samples:,} held-out samples, chance {chance:.3f})"
        )


def memory_of_predictions(
    targets: ArrayLike,
    predictions: ArrayLike,
    chance_targets: ArrayLike | None = None,
    chance_predictions: ArrayLike | None = None,
) -> MemoryCurve:
    """Memory of a readout of one's own, from what it told of samples that did not train it.

    Args:
        targets: (n, delays), ``u(t - k)`` in column k.
        predictions: (n, delays), y_k(t).
        chance_targets, chance_predictions: (n, delays) the same of a shuffled input.

    Raises:
        SpecError: shapes that differ, fewer than two samples, or one of the last two alone.
    """
    curve, shape = _curve("targets", targets, "predictions", predictions)
    if (chance_targets is None) != (chance_predictions is None):
        problem = Problem("chance_targets, chance_predictions", "one of them", "both or none")
        raise SpecError(str(problem))
    chance = np.zeros(len(curve))
    if chance_targets is not None and chance_predictions is not None:
        names = ("chance_targets", "chance_predictions")
        chance, _ = _curve(names[0], chance_targets, names[1], chance_predictions)
        if len(chance) != len(curve):
            problem = Problem(names[0], f"{len(chance)} delays", f"{len(curve)}")
            raise SpecError(str(problem))
    return MemoryCurve(locked(curve), locked(chance), shape[0], shape[1])


@options
class MemoryCapacity(Metric):
    """How much of an independent input the features still hold, by a ridge readout of their own.

    Attributes:
        delays: longest delay, in samples.
        washout: first samples, which nothing is fitted to.
        train: share of the samples after the washout that train.
        validation: share that chooses the penalty, and then trains, too; the rest is scored.
        alphas: penalties to choose from, relative to the features' mean square.
        surrogates: shuffled inputs whose mean is what chance gives; 0 for no correction.
        seed: of the shuffling.
    """

    name: ClassVar[str] = "memory_capacity"
    better: ClassVar[Better] = "higher"
    delays: Count = 20
    washout: Count = 100
    train: Share = 0.6
    validation: Share = 0.15
    alphas: tuple[Positive, ...] = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1)
    surrogates: Seed = 1
    seed: Seed = 0

    def __post_init__(self) -> None:
        problems = []
        if self.washout < self.delays:
            problems.append(Problem("washout", f"{self.washout}", f">= delays = {self.delays}"))
        if not (self.train > 0 and self.validation > 0 and self.train + self.validation < 1):
            measured = f"{self.train:g} + {self.validation:g}"
            problems.append(Problem("train + validation", measured, "each > 0, together < 1"))
        if not self.alphas:
            problems.append(Problem("alphas", "none", "one or more"))
        raise_if(SpecError, "options of memory_capacity", problems)

    def __call__(self, inputs: ArrayLike, features: ArrayLike) -> MemoryCurve:
        """The curve of held-out samples.

        Args:
            inputs: (n,) independent and identically distributed values u(t).
            features: (n, n_features) what is seen of the network after u(t), such as traces of
                its spikes.

        Raises:
            SpecError: shapes that differ, or too few samples for the split.
        """
        u = finite_values("inputs", inputs, (1,), "(n,)")
        x = finite_values("features", features, (2,), "(n, n_features)")
        usable = len(u) - self.washout
        fitted = self.washout + round(usable * (self.train + self.validation))
        trained = self.washout + round(usable * self.train)
        parts = (trained - self.washout, fitted - trained, len(u) - fitted)
        if len(x) != len(u):
            raise SpecError(str(Problem("features", f"{len(x)} rows", f"{len(u)}, as of inputs")))
        if min(parts) < 2:
            allowed = "two samples or more to train, to validate and to score"
            raise SpecError(str(Problem("inputs", f"{len(u)} samples", allowed)))
        shuffled = [
            generator(self.seed, "metrics/memory", k).permutation(u) for k in range(self.surrogates)
        ]
        pasts = [past_values(values, self.delays) for values in (u, *shuffled)]
        targets = np.concatenate(pasts, axis=1)
        own = slice(0, self.delays)
        training = slice(self.washout, trained)
        answers = _ridge_answers(
            x[training], targets[training][:, own], x[trained:fitted], self.alphas
        )
        truth = targets[trained:fitted][:, own]
        best = int(np.argmax([squared_correlations(a, truth).sum() for a in answers]))
        rows = slice(self.washout, fitted)
        (told,) = _ridge_answers(x[rows], targets[rows], x[fitted:], (self.alphas[best],))
        told_of = squared_correlations(told, targets[fitted:]).reshape(-1, self.delays)
        chance = told_of[1:].mean(axis=0) if shuffled else np.zeros(self.delays)
        bound = min(x.shape[1], self.delays)
        return MemoryCurve(locked(told_of[0].copy()), locked(chance), parts[2], bound)


@options
class MemoryOfPredictions(Metric):
    """Memory capacity of a readout of one's own, from what it told of held-out samples."""

    name: ClassVar[str] = "memory_of_predictions"
    title: ClassVar[str] = "memory capacity"
    better: ClassVar[Better] = "higher"

    def __call__(
        self,
        targets: ArrayLike,
        predictions: ArrayLike,
        chance_targets: ArrayLike | None = None,
        chance_predictions: ArrayLike | None = None,
    ) -> MemoryCurve:
        """See `memory_of_predictions`."""
        return memory_of_predictions(targets, predictions, chance_targets, chance_predictions)


def _curve(
    name: str, targets: ArrayLike, other_name: str, predictions: ArrayLike
) -> tuple[Floats, tuple[int, ...]]:
    """C_k of two arrays of equal shape (n, delays), and that shape."""
    wanted = finite_values(name, targets, (2,), "(n, delays)")
    told = finite_values(other_name, predictions, (2,), "(n, delays)")
    same_shape((name, wanted), (other_name, told))
    if len(wanted) < 2:
        raise SpecError(str(Problem(name, "1 sample", ">= 2")))
    return squared_correlations(told, wanted), wanted.shape


def _ridge_answers(
    features: Floats, targets: Floats, held_out: Floats, alphas: tuple[float, ...]
) -> list[Floats]:
    """Answers on held-out rows of one ridge regression for each penalty, intercept free.

    ``W = (X^T X + lambda I)^-1 X^T Y`` of centred X and Y, ``lambda = alpha trace(X^T X) / n``. One
    decomposition of the smaller Gram matrix serves all penalties: ``X^T X = V s V^T``, or
    ``X X^T = U s U^T`` where features outnumber samples.
    """
    mean, target_mean = features.mean(axis=0), targets.mean(axis=0)
    x, y, z = features - mean, targets - target_mean, held_out - mean
    primal = x.shape[1] <= x.shape[0]
    values, vectors = np.linalg.eigh(x.T @ x if primal else x @ x.T)
    left = z @ vectors if primal else z @ (x.T @ vectors)
    right = vectors.T @ (x.T @ y if primal else y)
    total = float(values.sum()) or 1.0  # all features constant: the answers are the mean
    answers: list[NDArray[np.float64]] = []
    for alpha in alphas:
        shrunk = np.maximum(values, 0.0) + alpha * total / len(x)
        answers.append((left / shrunk) @ right + target_mean)
    return answers
