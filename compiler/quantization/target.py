"""The synapses onto a population, in float: what every choice of integers is made from.

With the scale S of the population (integer units per 1.0 of current) and the exponent e of a
projection, a weight w becomes ``W = w S / 2^e`` on the projection's grid, at most `top` in size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import row_maxima, rows_of
from hrsnn_lava.integer_format import (
    DECAY_ONE,
    STATE_UNIT,
    WEIGHT_EXP_RANGE,
    WEIGHT_MAX,
    weight_grid,
)
from hrsnn_lava.quantized import SignMode

Float = NDArray[np.float64]
#: Spikes per step of sources whose rates nobody knows (ours).
TYPICAL_RATE = 0.05
#: Synapses that are looked at together: some arrays of them fit a cache of a megabyte.
_BLOCK = 2**15


@dataclass(frozen=True, eq=False)
class Synapses:
    """One projection onto the target population.

    Attributes:
        name: of the projection.
        weights: CSR float (n_post, n_pre), current per spike, or per count of a payload.
        bits: of an integer weight, 1..8.
        mode: sign mode; the grid depends on it.
        rates: (n_pre,) spikes per step of the sources, None where no run tells.
        counts: payload counts per 1.0 of what the sources send; 1 for spikes.
    """

    name: str
    weights: sparse.csr_matrix
    bits: int
    mode: SignMode
    rates: Float | None = None
    counts: float = 1.0

    @property
    def grid(self) -> int:
        """Step between integer weights; a mixed sign costs one bit (Lava)."""
        return weight_grid(self.bits, self.mode is SignMode.MIXED)

    @property
    def top(self) -> int:
        """Largest integer on the grid."""
        return WEIGHT_MAX // self.grid * self.grid

    @property
    def exact_exponents(self) -> range:
        """Exponents whose shift loses nothing: not below ``-log2(grid)``.

        A negative exponent e shifts the sum of a step down and floors it, which takes up to a whole
        unit from an isolated spike, and makes a small inhibition a whole unit strong. Sums are
        multiples of the grid, so down to ``2^e grid = 1`` there is nothing to floor. A graded
        spike multiplies its weight by counts, so that a unit is lost of that many.
        """
        octaves = int(np.log2(self.grid * self.counts))
        return range(max(-octaves, WEIGHT_EXP_RANGE[0]), WEIGHT_EXP_RANGE[1] + 1)

    @property
    def source_rates(self) -> Float:
        """Spikes per step of every source, (n_pre,): of the run, else `TYPICAL_RATE`."""
        if self.rates is None:
            return np.full(self.weights.shape[1], TYPICAL_RATE)
        return np.clip(self.rates, 0.0, 1.0)

    @property
    def largest(self) -> float:
        """Largest magnitude."""
        return float(np.abs(self.weights.data).max(initial=0.0))

    @property
    def row_maxima(self) -> Float:
        """Largest magnitude onto every neuron, (n_post,)."""
        return row_maxima(self.weights, np.abs(self.weights.data))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Target of every stored weight, (nnz,)."""
        return rows_of(self.weights)

    @cached_property
    def rates_by_synapse(self) -> Float:
        """Spikes per step of the source of every stored weight, (nnz,)."""
        rates: Float = self.source_rates[self.weights.indices]
        return rates


@dataclass(frozen=True, eq=False)
class Target:
    """A population and the synapses onto it that do not learn.

    Attributes:
        keep: (n_post,) share of a current that is left after a step, exp(-dt / tau_syn).
        threshold: (n_post,) v_threshold; errors count in its units.
        synapses: fixed projections.
        free: whether the scale may be lowered; projections that learn have tied it otherwise.
    """

    keep: Float
    threshold: Float
    synapses: tuple[Synapses, ...]
    free: bool = True

    @cached_property
    def _arrivals(self) -> tuple[Float, Float]:
        """Spikes that arrive in a step, and the mean size of a weight among them, (n_post,)."""
        count, size = np.zeros((2, self.keep.size))
        for synapses in self.synapses:
            rates = synapses.rates_by_synapse
            count += np.bincount(synapses.rows, rates, self.keep.size)
            weights = rates * np.abs(synapses.weights.data) * synapses.counts
            size += np.bincount(synapses.rows, weights, self.keep.size)
        return count, size / np.maximum(count, 1e-300)

    def truncation(self, scale: float) -> Float:
        """What the truncated decay of the current takes from an arriving spike, (n_post,).

        In integer weight units; see `hrsnn_lava.compiler.quantization.current_error`.
        """
        count, size = self._arrivals
        tau = self.keep / np.maximum(1.0 - self.keep, 0.5 / DECAY_ONE)
        alive = tau * np.log1p(2.0 * STATE_UNIT * size * scale / np.maximum(tau, 1e-6))
        loss: Float = np.minimum(alive, 1.0 / np.maximum(count, 1e-300)) / (2.0 * STATE_UNIT)
        return loss

    def blocks(self, synapses: Synapses) -> Iterator[tuple[slice, slice, Target, Synapses]]:
        """Neurons a few at a time, with one projection onto them: what is worked out for each
        synapse then fits a processor's cache.

        Yields: rows, stored weights, and the two for them alone.
        """
        indptr = synapses.weights.indptr
        if indptr[-1] <= _BLOCK:
            yield slice(0, self.keep.size), slice(0, int(indptr[-1])), self, synapses
            return
        first = 0
        while first < self.keep.size:
            end = int(np.searchsorted(indptr, indptr[first] + _BLOCK, side="right")) - 1
            end = min(max(end, first + 1), self.keep.size)
            rows, stored = slice(first, end), slice(int(indptr[first]), int(indptr[end]))
            weights = sparse.csr_matrix(
                (
                    synapses.weights.data[stored],
                    synapses.weights.indices[stored],
                    indptr[first : end + 1] - indptr[first],
                ),
                shape=(end - first, synapses.weights.shape[1]),
            )
            part = replace(self, keep=self.keep[rows], threshold=self.threshold[rows])
            arrivals = tuple(values[rows] for values in self._arrivals)
            part.__dict__["_arrivals"] = arrivals  # of all projections, which the part has not
            yield rows, stored, part, replace(synapses, weights=weights)
            first = end

    def thinned(self, most: int) -> Target:
        """At most so many neurons, evenly chosen, with their synapses; self where that is all."""
        n = self.keep.size
        return self if n <= most else self.part(np.linspace(0, n - 1, most).astype(np.int64))

    def part(self, neurons: NDArray[np.int64]) -> Target:
        """These neurons alone, with their synapses."""
        synapses = tuple(replace(s, weights=s.weights[neurons]) for s in self.synapses)
        return Target(self.keep[neurons], self.threshold[neurons], synapses, self.free)


def nearest(synapses: Synapses, exact: Float, exponent: int) -> Float:
    """`exact` (nnz,), in integer units, over 2^exponent on the grid."""
    grid, top = synapses.grid, synapses.top
    rounded: Float = np.clip(np.rint(exact / 2.0**exponent / grid) * grid, -top, top)
    return rounded


def fitting_exponent(largest: float, top: int) -> int:
    """The smallest exponent at which a weight of size `largest` is not clipped."""
    low, high = WEIGHT_EXP_RANGE
    fits = low if largest == 0 else int(np.ceil(np.log2(largest / (top + 0.5))))
    return min(max(fits, low), high)


def exponent_for(synapses: Synapses, largest: float) -> int:
    """The smallest exponent that holds `largest` integer units and floors no sum."""
    return max(fitting_exponent(largest, synapses.top), synapses.exact_exponents.start)


def clipping_exponents(synapses: Synapses, scale: float, octaves: int = 4) -> range:
    """Exponents that floor no sum, from the one that clips nothing downwards."""
    first = exponent_for(synapses, synapses.largest * scale)
    lowest = max(first - octaves, synapses.exact_exponents.start)
    return range(first, lowest - 1, -1)
