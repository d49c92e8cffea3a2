"""Energies against formulas written out by hand, in exact fractions, for counts of any size."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.compiler.analysis.pricing.energy import energy
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import COUNT_KEYS, CostSet, HardwareProfile

LOIHI1 = HardwareProfile.load("loihi1")
DAVIES, SANAFE = CostSet.load("davies2018"), CostSet.load("sanafe_loihi")
PICO = Fraction(1, 10**12)
#: Rounding of a count, its price, their product and the sum, each half a unit in the last place.
ROUNDING = Fraction(1, 10**15)


def davies2018(n):
    """Davies et al. 2018, table 2, in pJ; MACs have no price and are 0 here."""
    return PICO * (
        Fraction("23.6") * n["synaptic_operations"]
        + 81 * n["neuron_updates_active"]
        + 52 * n["neuron_updates_inactive"]
        + Fraction("1.7") * n["messages"]
        + 3 * n["hops_x"]
        + 4 * n["hops_y"]
        + 120 * n["learning_updates"]
    )


def sanafe_loihi(n):
    """SANA-FE 2.2.9 arch/loihi.yaml, in pJ; MACs and learning have no price and are 0 here."""
    return PICO * (
        Fraction("33.6") * n["synaptic_operations"]
        + Fraction("51.2") * n["neuron_updates"]
        + Fraction("21.6") * n["neuron_updates_active"]
        + Fraction("69.3") * n["spikes"]
        + 111 * n["messages"]
        + 3 * n["hops_x"]
        + Fraction("4.2") * n["hops_y"]
    )


def close(found, exact):
    return abs(Fraction(found) - exact) <= ROUNDING * exact


@given(
    values=st.fixed_dictionaries({key: st.integers(0, 2**60) for key in COUNT_KEYS}),
    steps=st.integers(0, 10**9),
    step_time_us=st.integers(1, 10**6),
    chips=st.integers(1, 1000),
)
@pytest.mark.parametrize(
    ("prices", "formula", "unpriced"),
    [(DAVIES, davies2018, ()), (SANAFE, sanafe_loihi, ("learning_updates",))],
)
def test_both_loihi_sets(prices, formula, unpriced, values, steps, step_time_us, chips):
    counted = {**values, "macs": 0, "chip_crossings": 0, **dict.fromkeys(unpriced, 0)}
    found = energy(counted, prices, LOIHI1, steps, step_time_us / 1e6, chips)
    dynamic = formula(counted)
    static = Fraction("0.0296") * chips * steps * Fraction(step_time_us, 10**6)
    assert close(found.dynamic_j, dynamic)
    assert close(found.static.energy_j, static)
    assert close(found.total_j, dynamic + static)


@given(values=st.fixed_dictionaries({key: st.integers(0, 2**60) for key in COUNT_KEYS}))
def test_both_ends_of_the_range(values):
    """SOP 23.6 to 35.5 pJ, hops 3.0 to 3.5 and 3.5 to 4.2 pJ, idle 29 to 29.6 mW."""
    counted = {**values, "macs": 0, "learning_updates": 0, "chip_crossings": 0}
    found = energy(counted, SANAFE, LOIHI1, 1000, 1e-3)
    middle = sanafe_loihi({**counted, "synaptic_operations": 0, "hops_x": 0, "hops_y": 0})
    ends = ((found.dynamic_low_j, found.total_low_j), (found.dynamic_high_j, found.total_high_j))
    prices = (("23.6", "3.0", "3.5", "0.029"), ("35.5", "3.5", "4.2", "0.0296"))
    for (dynamic, total), (sop, east, north, idle) in zip(ends, prices, strict=True):
        exact = middle + PICO * (
            Fraction(sop) * counted["synaptic_operations"]
            + Fraction(east) * counted["hops_x"]
            + Fraction(north) * counted["hops_y"]
        )
        if dynamic is None:  # nothing was counted that sources price differently
            assert not any(counted[k] for k in ("synaptic_operations", "hops_x", "hops_y"))
            assert found.dynamic_j is not None
            dynamic = found.dynamic_j
        assert close(dynamic, exact)
        assert close(total, exact + Fraction(idle))


@given(operations=st.integers(0, 2**200))
def test_counts_beyond_any_integer_of_the_machine(operations):
    counted = {**dict.fromkeys(COUNT_KEYS, 0), "synaptic_operations": operations}
    found = energy(counted, CostSet.load("truenorth_all_in"), LOIHI1, 1)
    assert close(found.total_j, 26 * PICO * operations)


def test_a_count_of_absurd_size_is_refused():
    with pytest.raises(SpecError, match=re.escape("counts.spikes: a number of 300 bits")):
        energy({"spikes": 2**299}, SANAFE, LOIHI1, 1)


def test_counts_of_numpy_are_as_good():
    counted = {**dict.fromkeys(COUNT_KEYS, np.int64(0)), "spikes": np.int64(2**60)}
    found = energy(counted, SANAFE, LOIHI1, 1)
    assert close(found.dynamic_j, Fraction("69.3") * PICO * 2**60)
    assert all(type(term.count) is int for term in found.terms)
