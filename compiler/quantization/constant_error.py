r"""What integers do to a neuron's threshold and bias, and what that does to its rate.

Both are rounded, by :math:`\delta` together, in thresholds. A neuron whose bias alone is f
thresholds fires with the period :math:`T = \tau \ln \frac{f}{f - 1}`, so near the threshold little
is much:

.. math:: \frac{dT}{T} = -\frac{\delta}{f (f - 1) \ln \frac{f}{f - 1}}

At f = 1.005 an error of 0.1 % moves the rate by 4 %. That measure is used for biases close to the
threshold, from either side; other errors count as they are, in thresholds. Ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.integer_format import NEURON_RANGES, STATE_UNIT
from hrsnn_lava.resets import Reset

Float = NDArray[np.float64]
Int = NDArray[np.int64]
_MANTISSA_MAX = NEURON_RANGES["bias_mant"][1]
#: Largest bias there is, in integer weight units.
BIAS_MAX = _MANTISSA_MAX * 2.0 ** NEURON_RANGES["bias_exp"][1] / STATE_UNIT
#: Thresholds that a potential holds where a spike subtracts one: 14 bits are left for vth (ours).
THRESHOLDS_ABOVE = 8
#: Biases closer to the threshold than this (in thresholds) are looked at; none as closer than that.
_NEAR, _NEAREST = 0.5, 0.002


def largest_threshold(reset: Reset) -> int:
    """Largest vth of neurons with a reset.

    A potential that a spike sets to 0 needs no room above the threshold, and the largest of 17 bits
    lies 64 units below its end. One from which the threshold is subtracted keeps what it had above.
    """
    most = NEURON_RANGES["vth"][1]
    return most if reset == "zero" else (most + 1) // THRESHOLDS_ABOVE


def rate_sensitivity(bias: Float, threshold: Float) -> Float:
    """Relative change of the rate per threshold that the current is off, at least 1, (n,)."""
    f = bias / threshold
    distance = np.clip(np.abs(f - 1.0), _NEAREST, _NEAR)
    level = 1.0 + distance  # below the threshold as above it: there a neuron may begin to fire
    slope = 1.0 / (level * distance * np.log(level / distance))
    near: Float = np.where(np.abs(f - 1.0) < _NEAR, slope, 1.0)
    return np.maximum(near, 1.0)


def bias_exponents(drive: Float) -> Int:
    """The smallest exponents at which these biases fit their mantissas, (n,).

    Args:
        drive: (n,) largest magnitudes, in units of the state.
    """
    # half a unit above the largest mantissa still rounds to it
    octaves = np.log2(np.maximum(drive, 1e-300) / (_MANTISSA_MAX + 0.5))
    exponents: Int = np.maximum(np.ceil(octaves), 0).astype(np.int64)
    return exponents


@dataclass(frozen=True, eq=False)
class Constants:
    """What drives the neurons of a population beside synapses, and what they have to reach.

    Attributes:
        threshold: v_threshold, (n,), in currents: the constant one that just fires a neuron.
        vth_unit: vth of the chip per unit of the scale, (n,).
        bias: (n,). drive: largest magnitude of the bias that held inputs may make of it, (n,).
        vth_max: largest vth that there may be, see `largest_threshold`.
    """

    threshold: Float
    vth_unit: Float
    bias: Float
    drive: Float
    vth_max: int = NEURON_RANGES["vth"][1]

    def with_gains(self, gains: Float) -> Constants:
        """The same neurons with all that they have times (n,) gains."""
        return Constants(
            self.threshold * gains,
            self.vth_unit * gains,
            self.bias * gains,
            self.drive * gains,
            self.vth_max,
        )

    def some(self, neurons: Int) -> Constants:
        """Those neurons alone."""
        return Constants(
            self.threshold[neurons],
            self.vth_unit[neurons],
            self.bias[neurons],
            self.drive[neurons],
            self.vth_max,
        )

    @property
    def largest_scale(self) -> Float:
        """The scale that threshold and bias of each neuron allow, (n,)."""
        of_threshold = self.vth_max / self.vth_unit
        limit: Float = np.minimum(of_threshold, BIAS_MAX / np.maximum(self.drive, 1e-300))
        return limit

    @property
    def _held(self) -> NDArray[np.bool_]:
        """Neurons whose bias held inputs change, (n,)."""
        return np.asarray(self.drive > np.abs(self.bias))

    @property
    def _sensitivity(self) -> Float:
        """`rate_sensitivity` of the bias; 1 where held inputs change it."""
        return np.where(self._held, 1.0, rate_sensitivity(self.bias, self.threshold))

    def half_units(self, scale: float, exponents: NDArray[Any]) -> Float:
        """Error of the rate where threshold and bias are half a unit off, (n,).

        Args:
            scale: integer weight units per 1.0 of current. exponents: of the biases.
        """
        of_threshold = 0.5 / np.maximum(self.vth_unit * scale, 0.5)
        of_bias = 0.5 * 2.0**exponents / (STATE_UNIT * scale * self.threshold)
        of_bias = np.where(self.drive > 0, of_bias, 0.0)
        error: Float = (of_threshold + of_bias) * self._sensitivity
        return error

    def errors(
        self, scale: float, vth: NDArray[Any], mantissas: NDArray[Any], exponents: NDArray[Any]
    ) -> Float:
        """Error of the rate of given integers, (n,); held inputs are half a unit off.

        Args:
            scale: of all. vth, mantissas, exponents: of threshold and bias, (n,) each.
        """
        of_threshold = vth / (self.vth_unit * scale) - 1.0
        current = mantissas * 2.0**exponents / (STATE_UNIT * scale)
        of_bias = (current - self.bias) / self.threshold
        level = np.maximum(np.abs(self.bias) / self.threshold, 1.0)
        error = np.abs(of_bias - of_threshold * level) * self._sensitivity
        coarse = np.maximum(error, self.half_units(scale, exponents))
        whole: Float = np.where(self._held, coarse, error)
        return whole
