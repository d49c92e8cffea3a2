"""A linear readout of classes, for tasks that draw their own samples.

A ridge regression on the one-hot classes; the largest answer wins. Rows are in the order training,
validation, test. The penalty is chosen by the squared error on the validation rows, which then
train, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.training.readouts.base import LabelledFeatures, Layers
from hrsnn_lava.training.readouts.ridge import Ridge

__all__ = ["ClassReadout", "Split", "fit_classes"]

Floats = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """How many rows train, choose the penalty, and are scored; in this order."""

    train: int
    validation: int
    test: int

    @property
    def fitted(self) -> int:
        """Rows of training and validation."""
        return self.train + self.validation

    @property
    def total(self) -> int:
        """All rows."""
        return self.fitted + self.test


@dataclass(frozen=True, eq=False)
class ClassReadout:
    """A fitted readout, and what it says of the test rows.

    Attributes:
        readout: features to one answer for each class.
        loss: squared error on the validation rows, of the chosen penalty.
        answers: (n_test,) class of the largest answer.
        truth: (n_test,) the class.
    """

    readout: Layers
    loss: float
    answers: Int
    truth: Int

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the largest answer is the class, (n_test,)."""
        return np.asarray(self.answers == self.truth)

    @property
    def measured(self) -> dict[str, Any]:
        """What metrics of classes are asked of, see `hrsnn_lava.tasks.base.Outcome`."""
        told = {"truth": self.truth, "answers": self.answers, "labels": self.truth}
        return {"answers_are": "classes", **told}

    @property
    def accuracy(self) -> float:
        """Share of the test rows that are right."""
        return float(self.right.mean())


def fit_classes(
    features: Floats, labels: Int, split: Split, alphas: Sequence[float], kinds: int = 1
) -> ClassReadout:
    """Fit on all but the test rows.

    Args:
        features: (n, n_features), kind after kind, each of the same length.
        labels: (n,) 0 to the number of classes - 1, each of them among the training rows.
        split: of the rows.
        alphas: penalties to choose from.
        kinds: how many kinds of features there are.
    """
    rows = slice(0, split.fitted)
    lesson = LabelledFeatures(
        features[rows],
        labels[rows],
        int(labels.max()) + 1,
        np.arange(split.fitted) < split.train,
        tuple(alphas),
        kinds,
    )
    readout = Ridge().fit(lesson)
    answers = readout.answers(features[split.fitted :]).argmax(axis=1)
    loss = min(readout.losses.values())
    return ClassReadout(readout, loss, answers.astype(np.int64), labels[split.fitted :])
