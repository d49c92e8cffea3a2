"""The papers' readout: some neurons of high betweenness, a hidden layer, one unit an answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.hrsnn_options import PositiveShare
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.training.readouts._scikit import scikit
from hrsnn_lava.training.readouts.base import NEVER, LabelledFeatures, Layers, by_validation

__all__ = ["Network", "NetworkFitter"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Neurons above which betweenness is estimated from pivots, as where neurons are pruned.
EXACT, PIVOTS = 2000, 256


@options
class Network:
    """Three layers: the sampled neurons, hidden units with ReLU, and one unit for each answer.

    The papers sample the tenth of the neurons with the largest betweenness, have 20 hidden units,
    and as many units behind them as there are classes, or one for a value. How they train it, they
    do not say: Adam (scikit-learn's) on the cross entropy, or on the squared error of a value;
    features divided by their standard deviation over all neurons, a quadratic penalty chosen on
    validation samples.

    Attributes:
        neurons: share of the neurons that are read, those of the largest betweenness.
        hidden: units of the hidden layer; 0: two layers, none between neurons and answers.
        iterations: passes over the training samples, at most.
        learning_rate: of Adam.
    """

    name: ClassVar[str] = "network"
    neurons: PositiveShare = 0.1
    hidden: Annotated[int, Field(ge=0)] = 20
    iterations: Count = 300
    learning_rate: Positive = 0.005

    def fit(self, lesson: LabelledFeatures) -> Layers:
        """See `Fitter`."""
        neural = scikit("neural_network")
        columns = self.columns(lesson.features.shape[1], lesson.kinds, lesson.wiring, lesson.seed)
        seen = _Standard.of(lesson.features[:, columns], lesson.kinds)

        def fit(alpha: float, rows: NDArray[np.bool_]) -> Layers:
            model = neural.MLPClassifier(**self._model(alpha, lesson.seed))
            _run(model, seen.values[rows], lesson.labels[rows])
            *hidden, last = model.coefs_
            *low, high = model.intercepts_
            if last.shape[1] == 1:  # of two classes scikit-learn keeps one
                last, high = np.concatenate([-last, last], 1) / 2, np.append(-high, high) / 2
            everything = np.zeros((last.shape[0], lesson.n_classes))
            offsets = np.full(lesson.n_classes, NEVER)
            everything[:, model.classes_], offsets[model.classes_] = last, high
            weights, offsets_all = [*hidden, everything], [*low, offsets]
            return Layers(*seen.undone(weights, offsets_all), alpha, {}, columns)

        return by_validation(lesson, fit)

    def columns(
        self, n_features: int, kinds: int, wiring: sparse.csr_matrix | None, seed: int
    ) -> Ints:
        """Indices of the features of the neurons that are read, kind after kind.

        Args:
            n_features: of all neurons and kinds.
            kinds: features of each neuron.
            wiring: CSR (n_neurons, n_neurons) of the recurrent synapses; where none is wired, the
                first neurons are read.
            seed: of the pivots by which betweenness of a large network is estimated.
        """
        n = n_features // kinds
        chosen = self._sampled(n, wiring, seed)
        columns: Ints = (np.arange(kinds)[:, None] * n + chosen).ravel()
        return columns

    def _sampled(self, n: int, wiring: sparse.csr_matrix | None, seed: int) -> Ints:
        """The neurons that are read, rising; all of them by their number where none is wired."""
        count = max(1, round(self.neurons * n))
        if wiring is None or not wiring.nnz:
            return np.arange(count, dtype=np.int64)
        pivots = None if n <= EXACT else PIVOTS
        rng = np.random.Generator(np.random.Philox(seed))
        score = betweenness(wiring, n_pivots=pivots, rng=rng)
        return np.sort(np.argsort(-score, kind="stable")[:count]).astype(np.int64)

    def _model(self, alpha: float, seed: int) -> dict[str, Any]:
        """What scikit-learn's networks are made with."""
        layers = (self.hidden,) if self.hidden else ()
        return {
            "hidden_layer_sizes": layers,
            "learning_rate_init": self.learning_rate,
            "alpha": alpha,
            "max_iter": self.iterations,
            "random_state": seed,
        }


@dataclass(frozen=True, eq=False)
class NetworkFitter:
    """Fits the network to values, one unit for each of them, on all rows or on some.

    Attributes:
        network: its options.
        features: (n, n_features), kind after kind.
        targets: (n, d) what is to be told.
        kinds: features of each neuron.
        wiring: see `Network.columns`.
        seed: of the first weights, and of the order of samples.
    """

    network: Network
    features: Floats
    targets: Floats
    kinds: int = 1
    wiring: sparse.csr_matrix | None = None
    seed: int = 0

    def fit(self, alpha: float, keep: NDArray[np.bool_] | None = None) -> Layers:
        """Fit with one penalty on the rows where `keep`, (n,), is true; on all when None."""
        rows = np.ones(len(self.targets), dtype=np.bool_) if keep is None else keep
        seen, told = self._seen, _Standard.of(self.targets)
        model = scikit("neural_network").MLPRegressor(**self.network._model(alpha, self.seed))
        wanted = told.values[rows]
        _run(model, seen.values[rows], wanted[:, 0] if wanted.shape[1] == 1 else wanted)
        weights, offsets = seen.undone(list(model.coefs_), list(model.intercepts_))
        weights[-1], offsets[-1] = weights[-1] * told.spread, offsets[-1] * told.spread
        offsets[-1] = offsets[-1] + told.centre
        return Layers(weights, offsets, alpha, {}, self._columns)

    def fits(
        self, alphas: tuple[float, ...], keep: NDArray[np.bool_] | None = None
    ) -> Iterator[Layers]:
        """Yield a readout per penalty, in order."""
        return (self.fit(alpha, keep) for alpha in alphas)

    @cached_property
    def _columns(self) -> Ints:
        return self.network.columns(self.features.shape[1], self.kinds, self.wiring, self.seed)

    @cached_property
    def _seen(self) -> _Standard:
        return _Standard.of(self.features[:, self._columns], self.kinds)


@dataclass(frozen=True, eq=False)
class _Standard:
    """Values less their mean, by their standard deviation, one for each column or kind of them.

    Features have one for all neurons: by its own, a neuron that hardly ever fired would throw an
    answer off with a spike.
    """

    values: Floats
    centre: Floats
    spread: Floats

    @staticmethod
    def of(values: Floats, kinds: int | None = None) -> _Standard:
        variance = values.var(axis=0).reshape(kinds or values.shape[1], -1).mean(axis=1)
        variance[variance == 0] = 1.0
        spread = np.repeat(np.sqrt(variance), values.shape[1] // len(variance))
        centre = values.mean(axis=0)
        return _Standard((values - centre) / spread, centre, spread)

    def undone(
        self, weights: list[Floats], offsets: list[Floats]
    ) -> tuple[list[Floats], list[Floats]]:
        """Layers that see the values as they were."""
        first = weights[0] / self.spread[:, None]
        return [first, *weights[1:]], [offsets[0] - self.centre @ first, *offsets[1:]]


def _run(model: Any, features: Floats, truth: NDArray[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # iterations run out; the validation judges
        model.fit(features, truth)
