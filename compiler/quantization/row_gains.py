r"""Gains of rows: a slow neuron, or one of a high threshold, costs the others no bits.

All neurons of a population share one scale S, since the weights of a projection share an exponent.
A slow neuron has a large threshold on the chip, ``vth = v_threshold S 4096 / dv``, so its 17 bits
bound S for all; a neuron with one huge weight takes the 8 bits of every weight. But a neuron is
linear up to its threshold, and

.. math:: w_{ij} \to g_i w_{ij}, \quad b_i \to g_i b_i, \quad \vartheta_i \to g_i \vartheta_i

changes no spike. Gains that give every neuron the scale that its own threshold, bias and weights
allow leave the float network as it is, and its integers with all their bits. Neurons stay on one
scale where that is good enough: where no neuron has an error of its current above `_TOLERATED`
that gains would halve. Populations onto which a projection learns stay on one scale too, since a
rule moves weights by absolute steps.

A neuron whose current could wrap gets a scale that leaves room, where its errors stay within that.
With the scales that their own limits allow, the strongest projection onto a neuron has all bits.
Where slow neurons leave it less anyway, weaker projections may profit from a larger scale of the
others: scales of up to ``2^7`` above that are tried, and the smallest sum of errors wins. All of
this is our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.balance import with_coarse_rows_balanced
from hrsnn_lava.compiler.quantization.constant_error import Constants, bias_exponents
from hrsnn_lava.compiler.quantization.current_error import Chosen, NeuronErrors
from hrsnn_lava.compiler.quantization.target import Target, exponent_for, nearest
from hrsnn_lava.csr import scaled_rows
from hrsnn_lava.integer_format import STATE_UNIT, WEIGHT_EXP_RANGE
from hrsnn_lava.network import Network, Projection

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Error of a neuron's current, in thresholds, for which nothing is changed.
_TOLERATED = 0.02
#: Neurons on which gains are compared, beside those that bound the scale.
_NEURONS_COMPARED = 1000


@dataclass(frozen=True, eq=False)
class Rows:
    """The neurons of a population, as far as their scales go.

    Attributes:
        target: their synapses.
        constants: their thresholds and biases.
        room: (n,) largest scale at which the current cannot wrap.
    """

    target: Target
    constants: Constants
    room: Float

    def with_gains(self, gains: Float) -> Rows:
        """The same neurons with all that they have times (n,) gains."""
        synapses = tuple(
            replace(s, weights=scaled_rows(s.weights, gains)) for s in self.target.synapses
        )
        target = replace(self.target, threshold=self.target.threshold * gains, synapses=synapses)
        return Rows(target, self.constants.with_gains(gains), self.room / gains)

    def some(self, neurons: Int) -> Rows:
        """Those neurons alone."""
        target = self.target.part(neurons)
        return Rows(target, self.constants.some(neurons), self.room[neurons])

    def common_errors(self) -> Float:
        """Error of each neuron's current on the largest scale that all can have, (n,)."""
        tops = [max(s.top, 1) * 2.0 ** WEIGHT_EXP_RANGE[1] for s in self.target.synapses]
        reach = [s.largest / t for s, t in zip(self.target.synapses, tops, strict=True)]
        scale = min(float(self.constants.largest_scale.min()), 1.0 / max([*reach, 1e-300]))
        exponents = bias_exponents(self.constants.drive * scale * STATE_UNIT)
        exponents[:] = exponents.max(initial=0)
        return self._errors(scale, exponents)

    def own_errors(self) -> Float:
        """The same on a scale of 1, with an exponent of its own for every neuron's bias."""
        return self._errors(1.0, bias_exponents(self.constants.drive * STATE_UNIT))

    def _errors(self, scale: float, exponents: Int) -> Float:
        """In thresholds, (n,); no weight is clipped. Rounded thresholds and biases are part."""
        chosen = []
        for synapses in self.target.synapses:
            exponent = exponent_for(synapses, synapses.largest * scale)
            weights = nearest(synapses, synapses.weights.data * scale, exponent)
            weights = with_coarse_rows_balanced(self.target, synapses, scale, exponent, weights)
            chosen.append(Chosen(synapses, exponent, weights))
        constant = self.constants.half_units(scale, exponents)
        errors: Float = np.hypot(NeuronErrors.of(self.target, scale, chosen).size, constant)
        return errors


def row_scales(rows: Rows) -> Float | None:
    """Scale of each neuron, (n,); None where one serves them all."""
    if not rows.target.free or rows.room.size < 2:
        return None
    sample = rows.some(_sample(rows))
    common = sample.common_errors()
    if common.max() <= _TOLERATED:
        return None
    costs = []
    for octaves in range(WEIGHT_EXP_RANGE[1] + 1):
        scales = _roomy(sample, _largest_scales(sample, octaves))
        errors = sample.with_gains(scales).own_errors()
        errors[scales > sample.room] += _TOLERATED  # it may wrap
        helped = np.any((common > _TOLERATED) & (errors < 0.5 * common))
        # a neuron that is lost is lost: it must not outweigh those that can be saved
        costs.append((np.minimum(errors, 1.0).sum(), octaves, helped))
    cost, octaves, helped = min(costs)
    if not helped or cost >= np.minimum(common, 1.0).sum():
        return None
    return _roomy(rows, _largest_scales(rows, octaves))


def _roomy(rows: Rows, scales: Float) -> Float:
    """Smaller scales where the current could wrap, as far as the neuron can do with fewer bits.

    Errors grow as scales shrink, about in proportion.
    """
    risky = scales > rows.room
    if not risky.any():
        return scales
    errors = rows.with_gains(scales).own_errors()
    least = scales * np.minimum(errors / _TOLERATED, 1.0)
    return np.where(risky, np.maximum(rows.room, least), scales)


def _largest_scales(rows: Rows, octaves: int) -> Float:
    """The scale that each neuron's own threshold, bias and weights allow, (n,).

    Args:
        octaves: by how much the strongest projection may exceed its bits at exponent 0.
    """
    scale = rows.constants.largest_scale.copy()
    for synapses in rows.target.synapses:
        largest = synapses.row_maxima
        allowed = max(synapses.top, 1) * 2.0**octaves / np.maximum(largest, 1e-300)
        scale = np.where(largest > 0, np.minimum(scale, allowed), scale)
    return scale


def _sample(rows: Rows) -> Int:
    """Neurons that tell what a common scale costs: those that bound it, and others evenly."""
    n = rows.room.size
    if n <= _NEURONS_COMPARED:
        return np.arange(n)
    bounding = [int(np.argmin(rows.constants.largest_scale))]
    bounding += [int(np.argmax(s.row_maxima)) for s in rows.target.synapses]
    evenly = np.linspace(0, n - 1, _NEURONS_COMPARED).astype(np.int64)
    sample: Int = np.unique(np.concatenate([evenly, bounding]))
    return sample


def with_row_gains(network: Network, gains: dict[str, Float]) -> Network:
    """The network with the gains of each population's neurons: the same spikes in floats."""
    for name, of_neurons in gains.items():
        population = network.population(name)
        parameters = {
            field: population.parameter(field) * of_neurons for field in ("v_threshold", "bias")
        }
        network = network.with_population(population.with_parameters(**parameters))
        for projection in _onto(network, name):
            weights = scaled_rows(projection.weights, of_neurons)
            network = network.with_projection(replace(projection, weights=weights))
    return network


def _onto(network: Network, name: str) -> Iterator[Projection]:
    return (p for p in network.projections if p.post == name)
