"""Logistic regression, by scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.options import Count, options
from hrsnn_lava.training.readouts._scikit import scikit
from hrsnn_lava.training.readouts.base import NEVER, LabelledFeatures, Layers, by_validation

Floats = NDArray[np.float64]


@options
class Logistic:
    """Multinomial logistic regression with a quadratic penalty (scikit-learn's).

    The penalty is relative, as of a ridge: alpha times the summed variance of the features. Every
    kind of feature is divided by one number, its standard deviation, first.

    Attributes:
        iterations: of the solver, at most.
    """

    name: ClassVar[str] = "logistic"
    iterations: Count = 500

    def fit(self, lesson: LabelledFeatures) -> Layers:
        """See `Fitter`."""
        linear, scale = scikit("linear_model"), _scales(lesson)
        scaled = lesson.features * scale

        def fit(alpha: float, rows: NDArray[np.bool_]) -> Layers:
            features, labels = scaled[rows], lesson.labels[rows]
            power = float(features.var(axis=0).sum()) or 1.0
            model: Any = linear.LogisticRegression(
                C=1.0 / (alpha * power), max_iter=self.iterations
            )
            with warnings.catch_warnings():
                # a penalty that has not converged is judged on the validation samples like others
                warnings.simplefilter("ignore")
                model.fit(features, labels)
            return _all_classes(model, lesson.n_classes, alpha, scale)

        return by_validation(lesson, fit)


def _scales(lesson: LabelledFeatures) -> Floats:
    """What every feature is multiplied by: one number for each kind, (n_features,)."""
    n_features = lesson.features.shape[1]
    variance = lesson.features.var(axis=0).reshape(lesson.kinds, -1).mean(axis=1)
    variance[variance == 0] = 1.0
    return np.asarray(np.repeat(variance**-0.5, n_features // lesson.kinds))


def _all_classes(model: Any, n_classes: int, alpha: float, scale: Floats) -> Layers:
    """One answer a class, also of two classes, of which scikit-learn keeps one."""
    weights, offset = model.coef_.T * scale[:, None], model.intercept_
    if weights.shape[1] == 1:
        weights, offset = np.concatenate([-weights, weights], 1) / 2, np.append(-offset, offset) / 2
    known = np.asarray(model.classes_)
    everything = np.zeros((weights.shape[0], n_classes))
    everything[:, known] = weights
    offsets = np.full(n_classes, NEVER)
    offsets[known] = offset
    return Layers([everything], [offsets], alpha)
