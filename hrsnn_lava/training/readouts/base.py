"""What tells classes apart from the features of samples. Parts of the kind ``readout``.

A readout is an options class with `name`; a file of this folder each. `fit` trains it on features
and labels, chooses a penalty on samples that do not train, and gives a `Classifier`: arrays that
the host needs beside the program, and what they mean. ``readout = "logistic"`` in the table of a
task takes one by its name, or a table with its options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from hrsnn_lava.options import Part

__all__ = [
    "NEVER",
    "Classifier",
    "Fitter",
    "LabelledFeatures",
    "Layers",
    "ReadoutOption",
    "answers_of",
    "by_validation",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: The answer for a class of which nothing trained.
NEVER = -1e3


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """What a readout is fitted on.

    Attributes:
        features: (n, kinds * n_neurons), kind after kind.
        labels: (n,) index of the class of each.
        n_classes: how many there are.
        training: (n,) samples that train; the others choose the penalty, and train then, too.
        alphas: penalties to choose from, relative to the features' mean square.
        kinds: features of each neuron.
        wiring: CSR (n_neurons, n_neurons) of the recurrent network, for readouts that choose
            neurons by their place in it; None where there is none.
        seed: of what is drawn.
    """

    features: Floats
    labels: Ints
    n_classes: int
    training: NDArray[np.bool_]
    alphas: tuple[float, ...]
    kinds: int = 1
    wiring: sparse.csr_matrix | None = None
    seed: int = 0

    def training_alone(self, alpha: float) -> LabelledFeatures:
        """Without the samples that choose a penalty, which was chosen."""
        rows = self.training
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            training=rows[rows],
            alphas=(alpha,),
        )

    @property
    def one_hot(self) -> Floats:
        """(n, n_classes), 1 at the class of each sample."""
        targets: Floats = np.eye(self.n_classes)[self.labels]
        return targets


class Classifier(Protocol):
    """A readout that was fitted."""

    @property
    def alpha(self) -> float:
        """The penalty that was chosen."""

    @property
    def losses(self) -> Mapping[float, float]:
        """Mean squared error on the validation samples, by penalty."""

    def answers(self, features: Floats) -> Floats:
        """One number for each class, (n, n_classes), of which the largest wins."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that a host needs to work out `answers`, by name; see `answers_of`."""


class Fitter(Protocol):
    """Options of a readout."""

    name: ClassVar[str]

    def fit(self, lesson: LabelledFeatures) -> Classifier:
        """The readout, fitted; raises `SpecError` where it cannot be."""


#: A field for a `Fitter`, its table or its name.
ReadoutOption = Annotated[Any, Part("readout"), Field(validate_default=True)]


@dataclass(frozen=True, eq=False)
class Layers:
    """Answers of one or two layers: ``W2 relu(W1 f + b1) + b2``, or ``W f + b``.

    An answer is one number for each class, or, where values are read, for each of these.

    Attributes:
        weights, offsets: of every layer, (n_in, n_out) and (n_out,).
        alpha, losses: see `Classifier`.
        features: indices of the features that the first layer sees; None: all.
    """

    weights: Sequence[Floats]
    offsets: Sequence[Floats]
    alpha: float
    losses: Mapping[float, float] = field(default_factory=dict)
    features: Ints | None = None

    def answers(self, features: Floats) -> Floats:
        """See `Classifier`."""
        return answers_of(self.arrays(), features)

    def predict(self, features: Floats) -> Floats:
        """The values, (..., d), of features (..., n_features): the answers."""
        return self.answers(features)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``weights`` and ``offset``, ``weights_2`` and ``offset_2`` of a second layer, and so on,
        ``features`` where not all are seen."""
        arrays: dict[str, NDArray[Any]] = {}
        for k, (weights, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            ending = f"_{k + 1}" if k else ""
            arrays |= {f"weights{ending}": weights, f"offset{ending}": offset}
        if self.features is not None:
            arrays["features"] = self.features
        return arrays


def answers_of(arrays: Mapping[str, NDArray[Any]], features: Floats) -> Floats:
    """The answers of a readout from its arrays, as they are in an artifact, (..., n_answers)."""
    values: Floats = features[..., arrays["features"]] if "features" in arrays else features
    values = values @ arrays["weights"] + arrays["offset"]
    layer = 2
    while f"weights_{layer}" in arrays:
        values = np.maximum(values, 0.0) @ arrays[f"weights_{layer}"] + arrays[f"offset_{layer}"]
        layer += 1
    return values


def by_validation(
    lesson: LabelledFeatures, fit: Callable[[float, NDArray[np.bool_]], Layers]
) -> Layers:
    """Choose the penalty that errs least on the validation samples, then fit on all of them.

    The error is the mean over samples of 0 or 1, ties broken by the distance of the answers'
    softmax from the class; with one penalty and no validation sample there is nothing to choose.

    Args:
        lesson: features and labels.
        fit: fits one penalty on the samples where the mask, (n,), is true.
    """
    held_out, losses = ~lesson.training, {}
    everything = np.ones(lesson.training.size, dtype=np.bool_)
    if not held_out.any():
        return fit(lesson.alphas[0], everything)
    truth = lesson.one_hot[held_out]
    for alpha in lesson.alphas:
        answers = fit(alpha, lesson.training).answers(lesson.features[held_out])
        shares = np.exp(answers - answers.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        losses[alpha] = float(np.mean((shares - truth) ** 2))
    chosen = fit(min(losses, key=lambda alpha: losses[alpha]), everything)
    return Layers(chosen.weights, chosen.offsets, chosen.alpha, losses, chosen.features)
