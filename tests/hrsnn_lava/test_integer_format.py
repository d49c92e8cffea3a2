"""The chip's integers against Lava's source: literals, and Lava itself where it can run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava import integer_format as fmt

DECAYS = st.integers(0, 4096)


def test_widths_and_ranges_are_those_of_the_chip():
    """Read off ``proc/lif/models.py``, ``utils/weightutils.py`` and ``learning/constants.py``."""
    assert (fmt.STATE_SHIFT, fmt.STATE_UNIT) == (6, 64)
    assert (fmt.STATE_WRAP, fmt.POTENTIAL_MAX) == (8_388_608, 8_388_607)
    assert (fmt.DECAY_SHIFT, fmt.DECAY_ONE, fmt.CURRENT_OFFSET) == (12, 4096, 1)
    assert fmt.NEURON_RANGES == {
        "du": (-1, 4095),
        "dv": (0, 4096),
        "vth": (0, 131_071),
        "bias_mant": (-4096, 4095),
        "bias_exp": (0, 7),
        "refractory": (0, 63),
    }
    assert (fmt.WEIGHT_BITS, fmt.WEIGHT_MAX) == (8, 255)
    assert fmt.WEIGHT_EXP_RANGE == (-7, 7)
    assert fmt.BIAS_WEIGHT_EXP_RANGE == (-31, 7)
    assert (fmt.DELAY_MAX, fmt.MESSAGE_BITS_MAX) == (62, 32)
    assert fmt.INT32 == (-2_147_483_648, 2_147_483_647)
    assert (fmt.TRACE_MAX, fmt.TRACE_VALUES) == (127, 256)
    assert (fmt.MANTISSA_BITS, fmt.MANTISSA_RANGE) == (4, (-8, 7))
    assert fmt.EXPONENT_RANGE == (-7, 8)
    assert fmt.CONSTANT_RANGE == (-128, 127)
    assert fmt.EPOCH_RANGE == (1, 63)
    assert fmt.LEARNING_WEIGHT_RANGE == (-32_768, 32_767)
    assert (fmt.ACCUMULATOR_BITS, fmt.ACCUMULATOR_SHIFT) == (15, 7)
    assert fmt.ACCUMULATOR_RANGE == (-32_769, 32_767)
    assert fmt.TAG_RANGES == {"dt": (-257, 255), "dd": (0, 255)}
    assert fmt.INITIAL_TAG_RANGES == {"tag_1": (-256, 255), "tag_2": (0, 255)}


@pytest.mark.lava
def test_learning_widths_are_lavas_own():
    from lava.magma.core.learning import constants as lava

    assert lava.W_WEIGHTS_U == fmt.WEIGHT_BITS
    assert 2**lava.W_TRACE - 1 == fmt.TRACE_MAX
    assert lava.W_TRACE_FRACTIONAL_PART == 8
    assert lava.W_S_MANT == fmt.MANTISSA_BITS
    assert (-(2 ** (lava.W_CONST - 1)), 2 ** (lava.W_CONST - 1) - 1) == fmt.CONSTANT_RANGE
    assert lava.W_ACCUMULATOR_U == fmt.ACCUMULATOR_BITS
    assert lava.W_ACCUMULATOR_U - lava.W_WEIGHTS_U == fmt.ACCUMULATOR_SHIFT
    assert fmt.EPOCH_RANGE[1] == 2**lava.W_EPOCH_TIME - 1


@pytest.mark.lava
@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("mixed", [False, True])
def test_the_grid_is_what_lava_truncates_to(bits, mixed):
    from lava.utils.weightutils import SignMode, truncate_weights

    sign = SignMode.MIXED if mixed else SignMode.EXCITATORY
    values = np.arange(-256 if mixed else 0, 256)
    acting = np.unique(truncate_weights(values.copy(), sign, bits))
    assert np.unique(np.diff(acting)).tolist() == [fmt.weight_grid(bits, mixed)]
    if bits == 8:
        assert acting.max() == fmt.WEIGHT_MAX - mixed


def test_grids_double_with_every_bit_less():
    assert [fmt.weight_grid(bits, mixed=False) for bits in (8, 7, 6, 1)] == [1, 2, 4, 128]
    assert [fmt.weight_grid(bits, mixed=True) for bits in (8, 7, 6, 1)] == [2, 4, 8, 256]


@given(DECAYS)
def test_what_a_step_leaves_and_what_it_takes_are_all_there_is(decay):
    assert fmt.kept_of_potential(decay) == 4096 - decay
    assert fmt.kept_of_current(decay - 1) == 4096 - decay
    assert fmt.potential_leak(decay) == fmt.current_leak(decay - 1) == decay / 4096
    assert fmt.kept_of_current(np.array([-1, 4095])).tolist() == [4096, 0]


def test_the_current_that_just_fires():
    """Under a constant current I the potential rests at I 4096 / dv."""
    assert fmt.firing_current(1000, 4096) == 1000.0
    assert fmt.firing_current(1000, 1024) == 250.0
    assert fmt.firing_current([100, 200], [0, 2048]).tolist() == [0.0, 100.0]
    # products beyond int32, which the arrays of a network have
    assert fmt.firing_current(np.int32(131_071), np.int32(4096)) == 131_071.0


@pytest.mark.parametrize(
    ("tau", "dt", "decay"),
    [
        (0.020, 1e-3, 200),  # 4096 (1 - exp(-0.05)) = 199.76
        (0.010, 1e-3, 390),  # 389.79
        (0.0, 1e-3, 4096),  # forgets everything
        (np.inf, 1e-3, 0),  # forgets nothing
        (1e-5, 1e-3, 4096),
        (10.0, 1e-3, 0),  # 0.41: too slow for the chip
        (8.0, 1e-3, 1),  # 0.51
    ],
)
def test_decays_of_time_constants(tau, dt, decay):
    assert fmt.decay_integers(tau, dt) == decay


@given(st.integers(1, 4095))
def test_a_rate_is_the_logarithm_of_what_is_left(decay):
    rate = fmt.decay_rate(decay)
    assert rate == pytest.approx(-np.log((4096 - decay) / 4096))
    assert fmt.decay_integers(1.0, float(rate)) == decay  # there and back


def test_a_rate_of_all_is_bounded():
    assert fmt.decay_rate(0) == 0.0
    assert fmt.decay_rate(4096) == fmt.decay_rate(4095) == pytest.approx(np.log(4096))
    assert fmt.decay_rate(4096, 4095.5) == pytest.approx(np.log(8192))


@given(st.integers(-(2**40), 2**40), st.integers(-7, 7))
def test_a_negative_exponent_rounds_down(total, exponent):
    """``a_accum >> -weight_exp`` of ``proc/dense/models.py``: towards minus infinity."""
    found = fmt.shift_sum(total, exponent)
    assert found == (total * 2**exponent if exponent >= 0 else total // 2**-exponent)
    assert fmt.shift_sum(np.int64(total), exponent) == found
    assert fmt.shift_sum(-1, -3) == -1


@pytest.mark.lava
def test_lavas_neuron_has_these_shifts_and_limits():
    import inspect

    from lava.proc.lif import models

    text = inspect.getsource(models.AbstractPyLifModelFixed)
    for line in (
        f"self.uv_bitwidth = {int(np.log2(fmt.STATE_WRAP)) + 1}",
        f"self.decay_shift = {fmt.DECAY_SHIFT}",
        f"self.vth_shift = {fmt.STATE_SHIFT}",
        f"self.act_shift = {fmt.STATE_SHIFT}",
        f"self.ds_offset = {fmt.CURRENT_OFFSET}",
        "self.dm_offset = 0",
    ):
        assert line in text, line
