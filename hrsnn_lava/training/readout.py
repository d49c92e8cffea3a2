"""The readout, off the chip: spike traces as features, linear and quadratic maps, their penalty.

Features are filtered spike trains, sampled once per block of steps:

    z(t) = lambda z(t-1) + s(t),   lambda = exp(-1 / tau)

z is a sum over past spikes, each worth lambda^age. Only spikes enter, no membrane potential, so
that a host can compute the features from what a chip sends out.

    increment = features W + b                               a linear readout
    q = features D + c                                       u(t) as the spikes tell it, decoded
    increment = features W + (q_i q_j) P + b,   i <= j       a quadratic one, d (d + 1) / 2 products

Each q averages over all neurons, so products carry less spike noise than squares of single traces,
and they hold where the training samples do not reach. They are our choice, and a strong one: on
Lorenz-63, whose field is quadratic, they more than halve the median error. A table has to show the
network without recurrence beside the others: it has the same readout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Count, Positive, options
from hrsnn_lava.training.ridge import LinearMap, ridge_search
from hrsnn_lava.training.simulation import Simulator, Stimulus

__all__ = [
    "FeatureOptions",
    "FeatureRecording",
    "Readout",
    "ReadoutFitter",
    "ReadoutOptions",
    "SpikeFeatures",
    "ValueFitter",
    "ValueReadout",
    "products",
    "record_features",
    "select_readout",
]

Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]


def _not_empty(values: tuple[float, ...]) -> tuple[float, ...]:
    if not values:
        raise ValueError("at least one")
    return values


#: One or more positive numbers: time constants, penalties.
Positives = Annotated[tuple[Positive, ...], AfterValidator(_not_empty)]


@options
class FeatureOptions:
    """Which features are made; all values are our choice.

    Attributes:
        trace_samples: time constants tau of the exponential spike traces, in blocks (with 20 steps
            a block the default traces decay over 60 and 30 steps).
        squared: indices into `trace_samples` of the traces that enter squared, too.
    """

    trace_samples: Positives = (3.0, 1.5)
    squared: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        last = len(self.trace_samples) - 1
        if any(not 0 <= index <= last for index in self.squared):
            problem = Problem("squared", f"{self.squared}", f"indices 0 to {last}")
            raise SpecError("options of the spike features", problems=[problem])

    @property
    def per_neuron(self) -> int:
        """Features of each neuron."""
        return len(self.trace_samples) + len(self.squared)


class SpikeFeatures:
    """Spike traces of a network, brought forward one block of steps at a time.

    A block of S steps costs one weighted count of its spikes per trace:
    z <- lambda^S z + sum_spikes lambda^(S - 1 - step).
    """

    def __init__(self, n_neurons: int, steps: int, options: FeatureOptions) -> None:
        """Take the number of neurons, the steps S of a block, and what features to make."""
        self.n_neurons, self.steps = n_neurons, steps
        taus = steps * np.asarray(options.trace_samples, dtype=np.float64)
        self._carry: Floats = np.exp(-steps / taus)
        ages = np.arange(steps - 1, -1, -1)
        self._spike_value: Floats = np.exp(-ages[None, :] / taus[:, None])
        self._squared = list(options.squared)
        self._traces = np.zeros((len(taus), n_neurons))

    @property
    def n_features(self) -> int:
        """Length of the feature vector."""
        return self.n_neurons * (len(self._traces) + len(self._squared))

    def reset(self) -> None:
        """Set all traces to 0."""
        self._traces[:] = 0.0

    def update(self, spike_steps: Int32s, spike_neurons: Int32s) -> Floats:
        """Take in the spikes of one block; return the features at its end, (n_features,).

        Order: the traces one after another, each (n_neurons,), then the squared ones.
        """
        for k, value in enumerate(self._spike_value):
            self._traces[k] *= self._carry[k]
            self._traces[k] += np.bincount(
                spike_neurons, weights=value[spike_steps], minlength=self.n_neurons
            )
        return np.concatenate([self._traces.ravel(), (self._traces[self._squared] ** 2).ravel()])


@dataclass(frozen=True)
class FeatureRecording:
    """What a driven run showed.

    features:     (n_blocks, n_features) after each block
    spike_counts: (n_neurons,) spikes of each neuron over the whole run
    late_counts:  (n_neurons,) the same from block `late` on
    """

    features: Floats
    spike_counts: NDArray[np.int64]
    late_counts: NDArray[np.int64]


def record_features(
    simulator: Simulator,
    stimulus: Stimulus,
    options: FeatureOptions,
    rng: np.random.Generator | None,
    late: int = 0,
) -> FeatureRecording:
    """Drive a network by a stimulus from a fresh start; row t follows its block t.

    Args:
        simulator: the network.
        stimulus: what it is shown; traces start at 0 wherever the network starts afresh.
        options: which features.
        rng: draws the initial potentials; None starts from 0.
        late: block from which on spikes are counted by themselves, too.
    """
    traces = SpikeFeatures(simulator.n_neurons, stimulus.block, options)
    rows = np.empty((stimulus.n_blocks, traces.n_features))
    counts, late_counts = np.zeros((2, simulator.n_neurons), dtype=np.int64)
    starts = set(stimulus.bounds[:-1].tolist())
    for block, (spike_steps, spike_neurons) in enumerate(stimulus.play(simulator, rng)):
        if block in starts:
            traces.reset()
        rows[block] = traces.update(spike_steps, spike_neurons)
        fired = np.bincount(spike_neurons, minlength=simulator.n_neurons)
        counts += fired
        if block >= late:
            late_counts += fired
    return FeatureRecording(rows, counts, late_counts)


def products(values: Floats) -> Floats:
    """Return the d (d + 1) / 2 products x_i x_j, i <= j, of `values` (..., d), row by row."""
    i, j = np.triu_indices(values.shape[-1])
    result: Floats = values[..., i] * values[..., j]
    return result


@dataclass(frozen=True)
class Readout:
    """increment = features weights + products(decoder(features)) product_weights + offset.

    weights: (n_features, d)
    offset:  (d,)
    alpha:   ridge penalty it was fitted with, relative to trace(K) / n
    decoder: features to u(t), weights (n_features, d), offset (d,); None: a linear readout
    product_weights: (d (d + 1) / 2, d), or None with the decoder
    """

    weights: Floats
    offset: Floats
    alpha: float
    decoder: LinearMap | None = None
    product_weights: Floats | None = None

    @property
    def n_features(self) -> int:
        """Length of the feature vector it reads."""
        return int(self.weights.shape[0])

    def predict(self, features: Floats) -> Floats:
        """Return the increment, (..., d), for features (..., n_features)."""
        result: Floats = features @ self.weights + self.offset
        if self.decoder is not None and self.product_weights is not None:
            result += products(self.decoder(features)) @ self.product_weights
        return result

    def arrays(self) -> dict[str, Floats]:
        """All that a host needs to compute `predict`, by name."""
        arrays = {"weights": self.weights, "offset": self.offset}
        if self.decoder is not None and self.product_weights is not None:
            arrays["decoder_weights"] = self.decoder.weights
            arrays["decoder_offset"] = self.decoder.offset
            arrays["product_weights"] = self.product_weights
        return arrays


@options
class ReadoutOptions:
    """How the readout is fitted; all values are our choice.

    Without products and balance, the readout is linear in features as they are.

    Attributes:
        alphas: ridge penalties to choose from, relative to trace(K) / n. One is enough: from 1e-4
            to 1e-2 the forecasts differ less than a choice on a few windows gets wrong (measured,
            30 seeds).
        validation_windows: closed-loop windows inside the training samples that choose alpha, and
            that say how well a network forecasts without a look at the windows to forecast; 0 for
            none.
        validation_length: samples of each.
        balance: divide each kind of feature (a trace of all neurons, its square) by one number,
            the root of its variance averaged over neurons, so that the penalty treats the kinds
            alike. Never by a number per neuron: that would raise the neurons that hardly ever fire
            to the weight of all others, and one spike of theirs in a forecast would throw it off
            (measured: the error grows tenfold).
        products: add the products of decoded values.
        decoder_alpha: ridge penalty of the decoder, relative as alphas are.
        product_sd: mean standard deviation with which the products enter the ridge, where a
            balanced feature has 1: the penalty on them is its square times lighter.
    """

    alphas: Positives = (1e-3,)
    validation_windows: Annotated[int, Field(ge=0)] = 3
    validation_length: Count = 50
    balance: bool = True
    products: bool = True
    decoder_alpha: Positive = 1e-3
    product_sd: Positive = 30.0

    def __post_init__(self) -> None:
        if len(self.alphas) > 1 and not self.validation_windows:
            allowed = f">= 1 with {len(self.alphas)} penalties"
            problem = Problem("validation_windows", f"{self.validation_windows}", allowed)
            raise SpecError("options of the readout", problems=[problem])


class ReadoutFitter:
    """Fits readouts to one recording, on all rows or on some, for any penalty."""

    def __init__(
        self,
        features: Floats,
        values: Floats,
        increments: Floats,
        kinds: int = 1,
        options: ReadoutOptions | None = None,
    ) -> None:
        """Take a recording of n rows; the Gram matrix of the features is formed here.

        Args:
            features: (n, n_features), kind after kind, each of the same length.
            values: (n, d) what u(t) was, for the decoder.
            increments: (n, d) what is to be predicted.
            kinds: how many kinds of features there are.
            options: whether to balance and to add products.
        """
        self._options = options or ReadoutOptions()
        self._values, self._increments = values, increments
        self._scale = np.ones(features.shape[1])
        if self._options.balance:
            variance = features.var(axis=0).reshape(kinds, -1).mean(axis=1)
            variance[variance == 0] = 1.0
            self._scale = np.repeat(variance**-0.5, features.shape[1] // kinds)
        self._features = features * self._scale
        self._ridge = ridge_search(self._features)

    def fit(self, alpha: float, keep: NDArray[np.bool_] | None = None) -> Readout:
        """Fit with one penalty on the rows where `keep`, (n,), is true; on all when None.

        Raises:
            SpecError: alpha is not positive, or fewer than two rows are kept.
        """
        return next(self.fits((alpha,), keep))

    def fits(
        self, alphas: tuple[float, ...], keep: NDArray[np.bool_] | None = None
    ) -> Iterator[Readout]:
        """Yield a readout per penalty, in order; the decoder is fitted once for all of them.

        Raises:
            SpecError: alpha is not positive, or fewer than two rows are kept.
        """
        n = len(self._increments)
        rows = np.arange(n) if keep is None else np.flatnonzero(keep)
        targets = self._increments[rows]
        if not self._options.products:
            for alpha in alphas:
                fitted = self._ridge.fit(rows, targets, alpha)
                weights = self._scale[:, None] * fitted.weights
                yield Readout(weights, fitted.offset, alpha)
            return
        decode = self._ridge.fit(rows, self._values[rows], self._options.decoder_alpha)
        pairs = products(decode(self._features[rows]))
        spread = float(pairs.std(axis=0).mean())
        factor = self._options.product_sd / spread if spread > 0 else 1.0
        joint = ridge_search(np.concatenate([self._features[rows], factor * pairs], axis=1))
        decoder = LinearMap(self._scale[:, None] * decode.weights, decode.offset)
        for alpha in alphas:
            fitted = joint.fit(np.arange(len(rows)), targets, alpha)
            linear, quadratic = np.split(fitted.weights, [len(self._scale)])
            weights = self._scale[:, None] * linear
            yield Readout(weights, fitted.offset, alpha, decoder, factor * quadratic)


class ValueReadout(Protocol):
    """A readout of values that was fitted."""

    @property
    def alpha(self) -> float:
        """The penalty it was fitted with."""

    def predict(self, features: Floats) -> Floats:
        """The values, (..., d), of features (..., n_features)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that a host needs to work them out, by name."""


R = TypeVar("R", bound=ValueReadout)
R_co = TypeVar("R_co", bound=ValueReadout, covariant=True)


class ValueFitter(Protocol[R_co]):
    """Fits readouts to one recording, on all rows or on some, for any penalty."""

    def fit(self, alpha: float, keep: NDArray[np.bool_] | None = None) -> R_co:
        """Fit with one penalty on the rows where `keep`, (n,), is true; on all when None."""

    def fits(
        self, alphas: tuple[float, ...], keep: NDArray[np.bool_] | None = None
    ) -> Iterator[R_co]:
        """Yield a readout per penalty, in order."""


def select_readout(
    fitter: ValueFitter[R],
    keep: NDArray[np.bool_],
    alphas: tuple[float, ...],
    loss: Callable[[R], float] | None,
) -> tuple[R, dict[float, float]]:
    """Choose the penalty whose readout, fitted on the kept rows, loses least; refit on all rows.

    Args:
        fitter: holds the recording.
        keep: (n,) rows that no validation window touches.
        alphas: penalties; the first is taken where there is no loss.
        loss: of a readout on the validation windows; not-a-number counts as infinite.

    Returns:
        The readout, and the loss of each penalty tried.
    """
    if loss is None:
        return fitter.fit(alphas[0]), {}
    losses = {}
    for readout in fitter.fits(alphas, keep):
        value = loss(readout)
        losses[readout.alpha] = value if np.isfinite(value) else np.inf
    return fitter.fit(min(losses, key=lambda alpha: losses[alpha])), losses
