"""The linear readout, and the search for its ridge penalty.

The readout predicts the increment u(t+1) - u(t) from the features after u(t): the last value is
carried over for free, and the network has only the change to say. Penalties are compared by what
the readout is for, a closed loop, on windows inside the training samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.ridge import DualRidge

__all__ = ["Readout", "ReadoutFitter", "ReadoutOptions", "select_readout", "validation_starts"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Readout:
    """increment = features weights + offset.

    Features are not divided by their standard deviations: that would raise the neurons that
    hardly ever fire to the weight of all others, and one spike of theirs in a forecast would
    throw it off (measured: the error grows tenfold).

    weights: (n_features, d)
    offset:  (d,)
    alpha:   ridge penalty it was fitted with, relative to trace(K) / n
    """

    weights: Floats
    offset: Floats
    alpha: float

    @property
    def n_features(self) -> int:
        """Length of the feature vector it reads."""
        return int(self.weights.shape[0])

    def predict(self, features: Floats) -> Floats:
        """Return the increment, (..., d), for features (..., n_features)."""
        result: Floats = features @ self.weights + self.offset
        return result


@dataclass(frozen=True)
class ReadoutOptions:
    """How the readout is fitted; all values are our choice.

    alphas:             ridge penalties to choose from, relative to trace(K) / n
    validation_windows: closed-loop windows inside the training samples that choose alpha
    validation_length:  samples of each
    """

    alphas: tuple[float, ...] = (1e-5, 1e-4, 1e-3)
    validation_windows: int = 3
    validation_length: int = 50

    def __post_init__(self) -> None:
        problems = []
        if not self.alphas or min(self.alphas) <= 0:
            problems.append(Problem("alphas", f"{self.alphas}", "at least one, all > 0"))
        if self.validation_windows < 1:
            problems.append(Problem("validation_windows", f"{self.validation_windows}", ">= 1"))
        if self.validation_length < 1:
            problems.append(Problem("validation_length", f"{self.validation_length}", ">= 1"))
        raise_if(SpecError, "options of the readout", problems)


class ReadoutFitter:
    """Fits readouts to one recording, on all rows or on some, for any penalty."""

    def __init__(self, features: Floats, increments: Floats) -> None:
        """Take features (n, n_features), increments (n, d); the Gram matrix is formed here."""
        self._ridge = DualRidge(features)
        self._increments = increments

    def fit(self, alpha: float, keep: NDArray[np.bool_] | None = None) -> Readout:
        """Fit with one penalty on the rows where `keep`, (n,), is true; on all when None.

        Raises:
            SpecError: alpha is not positive, or fewer than two rows are kept.
        """
        n = len(self._increments)
        rows = np.arange(n) if keep is None else np.flatnonzero(keep)
        fitted = self._ridge.fit(rows, self._increments[rows], alpha)
        return Readout(fitted.weights, fitted.offset, alpha)


def validation_starts(
    n_train: int, washout: int, context: int, windows: int, length: int
) -> list[int]:
    """Return where the validation windows start: evenly spread, the last one ends at n_train.

    The first lies far enough in that `context` samples precede it, and `length` fitted ones
    follow the washout. No window asked for, none returned, however short the series.

    Raises:
        SpecError: the training samples are too few for that.
    """
    if windows == 0:
        return []
    first = max(context, washout + length)
    last = n_train - length
    if last - first < (windows - 1) * length:
        raise SpecError(
            "the training series is too short to validate on",
            problems=[
                Problem(
                    "n_train",
                    f"{n_train} samples",
                    f">= {first + windows * length} for {windows} windows of {length}",
                    "train on more samples, or validate on fewer or shorter windows",
                )
            ],
        )
    if windows == 1:
        return [last]
    return [int(start) for start in np.rint(np.linspace(first, last, windows))]


def select_readout(
    fitter: ReadoutFitter,
    keep: NDArray[np.bool_],
    alphas: tuple[float, ...],
    loss: Callable[[Readout], float],
) -> tuple[Readout, dict[float, float]]:
    """Choose the penalty whose readout, fitted on the kept rows, loses least; refit on all rows.

    A single penalty is taken without a look at the loss.

    Args:
        fitter: holds the recording.
        keep: (n,) rows that no validation window touches.
        alphas: penalties.
        loss: of a readout on the validation windows; not-a-number counts as infinite.

    Returns:
        The readout, and the loss of each penalty tried.
    """
    if len(alphas) == 1:
        return fitter.fit(alphas[0]), {}
    losses = {}
    for alpha in alphas:
        value = loss(fitter.fit(alpha, keep))
        losses[alpha] = value if np.isfinite(value) else np.inf
    return fitter.fit(min(losses, key=lambda alpha: losses[alpha])), losses
