"""The papers' readout: some neurons of high betweenness, a hidden layer, one unit a class."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.hrsnn_options import PositiveShare
from hrsnn_lava.options import Count, options
from hrsnn_lava.training.readouts._scikit import scikit
from hrsnn_lava.training.readouts.base import NEVER, LabelledFeatures, Layers, by_validation

Ints = NDArray[np.int64]
#: Neurons above which betweenness is estimated from pivots, as where neurons are pruned.
EXACT, PIVOTS = 2000, 256


@options
class Network:
    """Three layers: the sampled neurons, hidden units with ReLU, and one unit a class.

    The papers sample the tenth of the neurons with the largest betweenness and have 20 hidden
    units; how they train it, they do not say: Adam on the cross entropy (scikit-learn's), inputs
    divided by their standard deviation, a quadratic penalty chosen on validation samples.

    Attributes:
        neurons: share of the neurons that are read, those of the largest betweenness.
        hidden: units of the hidden layer.
        iterations: passes over the training samples, at most.
    """

    name: ClassVar[str] = "network"
    neurons: PositiveShare = 0.1
    hidden: Count = 20
    iterations: Count = 300

    def fit(self, lesson: LabelledFeatures) -> Layers:
        """See `Fitter`."""
        neural, chosen = scikit("neural_network"), self.sampled(lesson)
        n = lesson.features.shape[1] // lesson.kinds
        columns = (np.arange(lesson.kinds)[:, None] * n + chosen).ravel()
        seen = lesson.features[:, columns]
        centre, spread = seen.mean(axis=0), seen.std(axis=0)
        spread[spread == 0] = 1.0

        def fit(alpha: float, rows: NDArray[np.bool_]) -> Layers:
            model: Any = neural.MLPClassifier(
                (self.hidden,), alpha=alpha, max_iter=self.iterations, random_state=lesson.seed
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # iterations run out; the validation judges
                model.fit((seen[rows] - centre) / spread, lesson.labels[rows])
            (first, last), (low, high) = model.coefs_, model.intercepts_
            if last.shape[1] == 1:  # of two classes scikit-learn keeps one
                last, high = np.concatenate([-last, last], 1) / 2, np.append(-high, high) / 2
            everything = np.zeros((self.hidden, lesson.n_classes))
            offsets = np.full(lesson.n_classes, NEVER)
            everything[:, model.classes_], offsets[model.classes_] = last, high
            scaled = first / spread[:, None]
            return Layers(
                [scaled, everything], [low - centre @ scaled, offsets], alpha, {}, columns
            )

        return by_validation(lesson, fit)

    def sampled(self, lesson: LabelledFeatures) -> Ints:
        """The neurons that are read, rising; all of them by their number where none is wired."""
        n = lesson.features.shape[1] // lesson.kinds
        count = max(1, round(self.neurons * n))
        if lesson.wiring is None or not lesson.wiring.nnz:
            return np.arange(count, dtype=np.int64)
        pivots = None if n <= EXACT else PIVOTS
        rng = np.random.Generator(np.random.Philox(lesson.seed))
        score = betweenness(lesson.wiring, n_pivots=pivots, rng=rng)
        return np.sort(np.argsort(-score, kind="stable")[:count]).astype(np.int64)
