"""Weights as lava-dl's netx hands them to Lava, and as projections here that act alike.

netx shifts a matrix up as far as 8 bits allow and gives Lava the exponent that undoes it
(`optimized`, lava-dl's ``netx/utils.py``). It does not hand over the sign mode, so Lava's `Dense`
finds one by itself, and then clips and truncates (`acting`). Mostly nothing is lost by that. Where
no weight of a matrix is positive, Lava clips -256 to -255 and rounds toward zero, and weights
change: -64 alone becomes 0. So do recurrent weights of one sign beside odd ones above 127.
Convolutions are not shifted, and Lava's `Conv` truncates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.integer_format import WEIGHT_BITS, WEIGHT_EXP_RANGE, WEIGHT_MAX
from hrsnn_lava.quantized import SignMode

Int = NDArray[np.int64]


class Shifted(NamedTuple):
    """Weights with what Lava is told of them.

    Attributes:
        weights: integers of any shape.
        weight_exp: exponent of their sum.
        num_weight_bits: 1 to 8 as a rule; netx also gives 0 and 9.
        shift: by how much the weights stand above those of the file.
    """

    weights: Int
    weight_exp: int = 0
    num_weight_bits: int = WEIGHT_BITS
    shift: int = 0


class Part(NamedTuple):
    """One projection's share of a matrix.

    Attributes:
        suffix: of its name; "" where it is all of it.
        weights: with zeros where another part has a weight.
        options: weight_exp, num_weight_bits and sign_mode.
    """

    suffix: str
    weights: Int
    options: dict[str, Any]


def sign_mode(weights: Int) -> SignMode:
    """The mode that Lava's `Dense` finds (``utils/weightutils.py``, `determine_sign_mode`)."""
    if not weights.size or weights.min() >= 0:
        return SignMode.EXCITATORY
    return SignMode.INHIBITORY if weights.max() <= 0 else SignMode.MIXED


def optimized(weights: Int) -> Shifted | None:
    """`optimize_weight_bits` of lava-dl 0.6.0; None where it shifts by a negative number.

    It warns of weights that it clips to -256..254. It fails on zeros alone; they stay zeros here.
    """
    low, high = int(weights.min()), int(weights.max())
    if (high > 254 and low < 0) or (low < -256 and high > 0):
        weights = np.clip(weights, -256, 254)
        low, high = int(weights.min()), int(weights.max())
    if low == high == 0:
        return Shifted(weights)
    mixed = low < 0 <= high  # with 0 as the largest, too
    if mixed:
        scale = min(127 / high if high else np.inf, -128 / low)
    else:
        scale = 255 / high if low >= 0 else -256 / low
    shift = int(np.floor(np.log2(scale))) + int(mixed)
    if shift < 0:
        return None
    zeros = _common_zeros(weights) - int(mixed)
    return Shifted(weights << shift, -shift, WEIGHT_BITS - shift - zeros, shift)


def _common_zeros(weights: Int) -> int:
    """Low bits that are 0 in all weights, 8 at most."""
    together = int(np.bitwise_or.reduce(np.abs(weights), axis=None))
    return min((together & -together).bit_length() - 1, 8) if together else 8


def acting(shifted: Shifted) -> Int:
    """What Lava's `Dense` makes of it at its first step: clipped and truncated.

    Of one sign and told of 9 bits, which the other matrix of a recurrent layer can need, it shifts
    by -1, of which NumPy makes 0.
    """
    mode = sign_mode(shifted.weights)
    clipped = np.clip(shifted.weights, *mode.limits)
    dropped = WEIGHT_BITS - shifted.num_weight_bits + int(mode is SignMode.MIXED)
    if dropped < 0:
        return np.zeros_like(clipped)
    step = 1 << dropped
    toward_zero = -(-clipped & -step)
    return toward_zero if mode is SignMode.INHIBITORY else clipped & -step


def parts(shifted: Shifted) -> tuple[Part, ...] | None:
    """Projections that act as Lava's `Dense` does on what netx gives it.

    One, with the same integers, where our ranges hold them; else those of `exactly`.
    """
    weights, exponent, bits, _ = shifted
    if 1 <= bits <= WEIGHT_BITS and exponent >= WEIGHT_EXP_RANGE[0]:
        return (Part("", weights, _options(exponent, bits, sign_mode(weights))),)
    return exactly(acting(shifted), exponent)


def exactly(values: Int, exponent: int = 0) -> tuple[Part, ...] | None:
    """Projections whose weights act as `values` with an exponent <= 0; None beyond 9 bits.

    A mixed projection holds even numbers in -256..254, and after a shift all in -128..127. Other
    mixed ones take two, of one sign each.
    """
    lowest = WEIGHT_EXP_RANGE[0]
    spare = lowest - exponent
    if spare > 0:  # netx shifts by 8 where -1 is the lowest weight
        if np.any(values & ((1 << spare) - 1)):
            return None
        values, exponent = values >> spare, lowest
    mode = sign_mode(values)
    low, high = mode.limits
    if not values.size or (values.min() >= low and values.max() <= high):
        if not np.any(values & (mode.grid() - 1)):
            return (Part("", values, _options(exponent, WEIGHT_BITS, mode)),)
        if values.min() >= -128 and values.max() <= 127 and exponent > lowest:
            return (Part("", values << 1, _options(exponent - 1, WEIGHT_BITS, mode)),)
    if values.min() < -256 or values.max() > WEIGHT_MAX or exponent < 0:
        return None
    return tuple(_by_sign(values, exponent))


def _by_sign(values: Int, exponent: int) -> Iterator[Part]:
    """Parts of one sign; -256, which no inhibitory projection holds, is a mixed one of its own."""
    lowest = values == -256
    for suffix, mode, chosen in (
        ("_exc", SignMode.EXCITATORY, values > 0),
        ("_inh", SignMode.INHIBITORY, (values < 0) & ~lowest),
        ("_low", SignMode.MIXED, lowest),
    ):
        if chosen.any():
            weights = np.where(chosen, values, 0)
            yield Part(suffix, weights, _options(exponent, WEIGHT_BITS, mode))


def _options(exponent: int, bits: int, mode: SignMode) -> dict[str, Any]:
    return {"weight_exp": exponent, "num_weight_bits": bits, "sign_mode": mode}
