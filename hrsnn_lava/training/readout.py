"""The readout, and the search for its ridge penalty.

The readout predicts the increment u(t+1) - u(t) from the features after u(t): the last value is
carried over for free, and the network has only the change to say. It reads spikes alone:

    q = features D + c                         the value u(t) as the spikes tell it, decoded
    increment = features W + (q_i q_j) P + b   i <= j, d (d + 1) / 2 products

The products are a quadratic readout of the population: each q averages over all neurons, so they
carry less spike noise than squares of single traces, and they hold where the training samples do
not reach. They are our choice, and a strong one: on Lorenz-63, whose field is quadratic, they
more than halve the median error. A table has to show the network without recurrence beside the
others: it has the same readout.

Penalties are compared by what the readout is for, a closed loop, on windows inside the training
samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.ridge import DualRidge, LinearMap

__all__ = [
    "Readout",
    "ReadoutFitter",
    "ReadoutOptions",
    "products",
    "select_readout",
    "validation_starts",
]

Floats = NDArray[np.float64]


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
        found = {"weights": self.weights, "offset": self.offset}
        if self.decoder is not None and self.product_weights is not None:
            found["decoder_weights"] = self.decoder.weights
            found["decoder_offset"] = self.decoder.offset
            found["product_weights"] = self.product_weights
        return found


@dataclass(frozen=True)
class ReadoutOptions:
    """How the readout is fitted; all values are our choice.

    Without products and balance, the readout is linear in features as they are.

    alphas:             ridge penalties to choose from, relative to trace(K) / n. One is enough:
                        from 1e-4 to 1e-2 the forecasts differ less than a choice on a few windows
                        gets wrong (measured, 30 seeds)
    validation_windows: closed-loop windows inside the training samples that choose alpha, and that
                        say how well a network forecasts without a look at the windows to
                        forecast; 0 for none
    validation_length:  samples of each
    balance:     divide each kind of feature (a trace of all neurons, its square) by one number,
                 the root of its variance averaged over neurons, so that the penalty treats the
                 kinds alike. Never by a number per neuron: that would raise the neurons that
                 hardly ever fire to the weight of all others, and one spike of theirs in a
                 forecast would throw it off (measured: the error grows tenfold)
    products:    add the products of decoded values
    decoder_alpha: ridge penalty of the decoder, relative as alphas are
    product_sd:  mean standard deviation with which the products enter the ridge, where a balanced
                 feature has 1: the penalty on them is its square times lighter
    """

    alphas: tuple[float, ...] = (1e-3,)
    validation_windows: int = 3
    validation_length: int = 50
    balance: bool = True
    products: bool = True
    decoder_alpha: float = 1e-3
    product_sd: float = 30.0

    def __post_init__(self) -> None:
        problems = []
        if not self.alphas or min(self.alphas) <= 0:
            problems.append(Problem("alphas", f"{self.alphas}", "at least one, all > 0"))
        fewest = 0 if len(self.alphas) == 1 else 1
        if self.validation_windows < fewest:
            allowed = f">= {fewest} with {len(self.alphas)} penalties"
            problems.append(Problem("validation_windows", f"{self.validation_windows}", allowed))
        if self.validation_length < 1:
            problems.append(Problem("validation_length", f"{self.validation_length}", ">= 1"))
        for name in ("decoder_alpha", "product_sd"):
            if not getattr(self, name) > 0:
                problems.append(Problem(name, f"{getattr(self, name)}", "> 0"))
        raise_if(SpecError, "options of the readout", problems)


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
        self._ridge = DualRidge(self._features)

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
        made = products(decode(self._features[rows]))
        spread = float(made.std(axis=0).mean())
        factor = self._options.product_sd / spread if spread > 0 else 1.0
        joint = DualRidge(np.concatenate([self._features[rows], factor * made], axis=1))
        decoder = LinearMap(self._scale[:, None] * decode.weights, decode.offset)
        for alpha in alphas:
            fitted = joint.fit(np.arange(len(rows)), targets, alpha)
            linear, quadratic = np.split(fitted.weights, [len(self._scale)])
            weights = self._scale[:, None] * linear
            yield Readout(weights, fitted.offset, alpha, decoder, factor * quadratic)


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
    loss: Callable[[Readout], float] | None,
) -> tuple[Readout, dict[float, float]]:
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
