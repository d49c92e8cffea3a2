"""The chip's integers: every width, range, shift and grid, stated once, each with its source.

All of it is Lava 0.10's fixed point, which is bit-accurate for Loihi 1 and 2; paths below are
relative to ``lava/`` of that release. One step of a neuron, all state int32
(``proc/lif/models.py``, `AbstractPyLifModelFixed`)::

    u = wrap24(toward_zero(u (4096 - (du + 1)) / 4096) + (a << 6))
    v = clip(toward_zero(v (4096 - dv) / 4096) + u + (bias_mant << bias_exp), +-(2^23 - 1))
    s = v > (vth << 6)

Nothing here knows networks: it may be imported from everywhere.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

INT32: Final = (-(2**31), 2**31 - 1)

# --- State of a neuron -------------------------------------------------------------------------

#: Bits by which weights, biases at exponent 6 and thresholds are raised into the unit of u and v
#: (``proc/lif/models.py``: ``a_in << 6``, ``vth << 6``).
STATE_SHIFT: Final = 6
#: The same as a factor: units of the state per unit of a weight.
STATE_UNIT: Final = 1 << STATE_SHIFT
#: u and v have 24 bits (``uv_bitwidth = 24``). The current wraps: a sum above 2^23 loses 2^24, one
#: at -2^23 or below gains it, so -2^23 itself becomes +2^23. The potential saturates instead.
STATE_WRAP: Final = 2**23
#: Largest magnitude of v (``neg_voltage_limit``, ``pos_voltage_limit``).
POTENTIAL_MAX: Final = STATE_WRAP - 1

# --- Parameters of a neuron --------------------------------------------------------------------

#: Decays are in units of 1/4096 (12 bits; ``decay_shift = 12``).
DECAY_SHIFT: Final = 12
DECAY_ONE: Final = 1 << DECAY_SHIFT
#: The current forgets ``du + 1`` of 4096 (``ds_offset = 1``), the potential ``dv`` (``dm_offset``).
CURRENT_OFFSET: Final = 1
#: Closed ranges of the fields of a neuron; bit widths in brackets.
NEURON_RANGES: Final[dict[str, tuple[int, int]]] = {
    "du": (-1, 4095),  # 12 bits, offset 1: -1 keeps the current, 4095 drops it
    "dv": (0, 4096),  # 12 bits: 0 keeps the potential, 4096 drops it
    "vth": (0, 2**17 - 1),  # 17 bits; compared as vth << 6
    "bias_mant": (-(2**12), 2**12 - 1),  # 13 bits, signed
    "bias_exp": (0, 7),  # 3 bits
    "refractory": (0, 63),  # steps, 6 bits (Davies et al. 2018)
}

# --- Synapses ----------------------------------------------------------------------------------

WEIGHT_BITS: Final = 8
#: Largest magnitude of a weight of one sign (``utils/weightutils.py``, `clip_weights`).
WEIGHT_MAX: Final = 2**WEIGHT_BITS - 1
#: Exponent of a projection; a negative one shifts the sum of a step, which rounds down
#: (``proc/dense/models.py``: ``a_accum >> -weight_exp``).
WEIGHT_EXP_RANGE: Final = (-7, 7)
#: A held input goes onto the bias on the host, so its shift is no field of the chip.
BIAS_WEIGHT_EXP_RANGE: Final = (-31, 7)
#: Bits of a graded payload.
MESSAGE_BITS_MAX: Final = 32
#: Bits of the number of spikes that one message can be: v holds a threshold of one unit, vth = 1,
#: ``(2^23 - 1) // 64`` times at most.
SPIKE_COUNT_BITS: Final = (POTENTIAL_MAX // STATE_UNIT).bit_length()
#: Steps; the chip's field has 6 bits, of which Lava's delay buffers use 0..62.
DELAY_MAX: Final = 62

# --- Learning (``magma/core/model/py/connection.py``, ``magma/core/learning/constants.py``) ------

#: Weights at the start of learning; Lava has no limit there, 9 bits are left after one epoch.
LEARNING_WEIGHT_RANGE: Final = (-(2**15), 2**15 - 1)
#: Spike traces have 7 bits; x1 alone can be set beyond it, by payloads.
TRACE_MAX: Final = 127
#: Values that a trace can have, payloads included.
TRACE_VALUES: Final = 256
#: Literals of a rule, ``mantissa 2^exponent`` (4 bits, signed).
MANTISSA_BITS: Final = 4
MANTISSA_RANGE: Final = (-8, 7)
EXPONENT_RANGE: Final = (-7, 8)
#: Constant added to a factor, 8 bits.
CONSTANT_RANGE: Final = (-128, 127)
#: Steps of a learning epoch, 6 bits.
EPOCH_RANGE: Final = (1, 63)
#: Weights and tags are held 7 bits up in the 16-bit accumulator.
ACCUMULATOR_SHIFT: Final = 7
ACCUMULATOR_BITS: Final = 15
#: The odd lower end is Lava's.
ACCUMULATOR_RANGE: Final = (-(2**15) - 1, 2**15 - 1)
#: Closed ranges of tag ``t`` (dt) and delay variable ``d`` (dd) after an epoch; the lower end of
#: the tag is Lava's, one more than 9 bits hold.
TAG_RANGES: Final[dict[str, tuple[int, int]]] = {"dt": (-257, 255), "dd": (0, 255)}
#: The same at the start of a run.
INITIAL_TAG_RANGES: Final[dict[str, tuple[int, int]]] = {"tag_1": (-256, 255), "tag_2": (0, 255)}


def weight_grid(num_weight_bits: int, mixed: bool) -> int:
    """Step between the weights that act; a mixed sign costs one bit.

    Lava's `truncate_weights` drops ``8 - num_weight_bits + (1 if mixed)`` low bits.
    """
    return 1 << (WEIGHT_BITS - num_weight_bits + int(mixed))


def kept_of_current(du: ArrayLike) -> NDArray[np.int64]:
    """What a step leaves of the current, in 1/4096: ``4096 - (du + 1)``."""
    return DECAY_ONE - (np.asarray(du, dtype=np.int64) + CURRENT_OFFSET)


def kept_of_potential(dv: ArrayLike) -> NDArray[np.int64]:
    """What a step leaves of the potential, in 1/4096: ``4096 - dv``."""
    return DECAY_ONE - np.asarray(dv, dtype=np.int64)


def current_leak(du: ArrayLike) -> NDArray[np.float64]:
    """Share of the current that a step takes: ``(du + 1) / 4096``."""
    return (np.asarray(du, dtype=np.float64) + CURRENT_OFFSET) / DECAY_ONE


def potential_leak(dv: ArrayLike) -> NDArray[np.float64]:
    """Share of the potential that a step takes: ``dv / 4096``."""
    return np.asarray(dv, dtype=np.float64) / DECAY_ONE


def firing_current(vth: ArrayLike, dv: ArrayLike) -> NDArray[np.float64]:
    """The constant current that just fires a neuron, in integer weight units: ``vth dv / 4096``.

    At rest under a constant current I the potential is ``I / (dv / 4096)``.
    """
    product = np.asarray(vth, dtype=np.float64) * np.asarray(dv, dtype=np.float64)
    return product / DECAY_ONE


def decay_integers(tau: ArrayLike, dt: float) -> NDArray[np.float64]:
    """``round(4096 (1 - exp(-dt / tau)))``: the decay of a time constant in seconds, unclipped.

    dv is this number, du is one less. tau = 0 forgets everything (4096), infinity nothing (0).
    """
    with np.errstate(divide="ignore"):
        rate = -np.expm1(-dt / np.asarray(tau, dtype=np.float64))
    rounded: NDArray[np.float64] = np.rint(DECAY_ONE * rate)
    return rounded


def decay_rate(decay: ArrayLike, full: float = DECAY_ONE - 1) -> NDArray[np.float64]:
    """``dt / tau = -ln(1 - decay / 4096)`` per step; 0 for a decay of 0, which never forgets.

    Args:
        decay: units of 1/4096: ``du + 1`` or ``dv``.
        full: stands in for a larger decay, since the rate of a full one (4096) is infinite.
    """
    clipped = np.minimum(np.asarray(decay, dtype=np.float64), full)
    rate: NDArray[np.float64] = -np.log1p(-clipped / DECAY_ONE)
    return rate


def shift_sum(total: Any, exponent: int) -> Any:
    """``total << exponent``, or the arithmetic ``total >> -exponent``, which rounds down (Lava)."""
    return total << exponent if exponent >= 0 else total >> -exponent


def most_spikes(vth: ArrayLike) -> NDArray[np.int32]:
    """How many spikes a neuron that may send several can send in a step, at most; 1 at least.

    Its potential, below 2^23, holds ``vth << 6`` so often.

    Args:
        vth: mantissas of thresholds, >= 1; others count as 1.
    """
    units = np.maximum(np.asarray(vth, dtype=np.int64), 1) << STATE_SHIFT
    return np.maximum(POTENTIAL_MAX // units, 1).astype(np.int32)


def wrapped_32(total: Any) -> Any:
    """The sum of a projection in a step as Lava holds it, in 32 bits, where large payloads wrap.

    Lava's connections multiply and add int32 (``proc/sparse/models.py``: ``weights.dot(s_in)``), so
    it is this that a negative `weight_exp` shifts. Sums that are shifted up wrap alike before and
    after.

    Args:
        total: (n,) int64.
    """
    with np.errstate(over="ignore"):
        return total.astype(np.int32).astype(np.int64)
