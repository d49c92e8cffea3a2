"""Energy against published anchors, and the rule that nothing is left out in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.compiler.analysis.pricing.energy import UnpricedCount, energy
from hrsnn_lava.errors import ProfileError, SpecError
from hrsnn_lava.hardware_profiles import COUNT_KEYS, CostSet, HardwareProfile

LOIHI1, LOIHI2 = HardwareProfile.load("loihi1"), HardwareProfile.load("loihi2")
DAVIES, SANAFE = CostSet.load("davies2018"), CostSet.load("sanafe_loihi")
TRUENORTH = CostSet.load("truenorth_all_in")


def counts(**given_counts):
    return {**dict.fromkeys(COUNT_KEYS, 0), **given_counts}


def test_truenorth_published_power():
    """72 mW at 2^20 neurons, 20 Hz, 128 synapses each (Merolla et al. 2014)."""
    operations = 2**20 * 20 * 128
    found = energy(counts(synaptic_operations=operations), TRUENORTH, LOIHI1, 1000, 1e-3)
    assert found.total_j == pytest.approx(operations * 26e-12)
    assert found.total_j == pytest.approx(0.072, rel=0.04)
    assert found.static.energy_j is None


def test_keyword_spotting_stays_below_the_board():
    """All of 172 k synapses active for 10 steps: 41 uJ, 15 % of the measured 0.27 mJ."""
    found = energy(counts(synaptic_operations=1_720_000), DAVIES, LOIHI1, 10)
    assert found.dynamic_j == pytest.approx(40.6e-6, rel=1e-3)
    assert found.dynamic_j < 0.27e-3


def test_static_power_is_that_of_an_idle_chip_for_the_wall_time():
    """29.6 mW: 29.6 uJ a step of 1 ms and chip."""
    found = energy(counts(), SANAFE, LOIHI1, 1, 1e-3, 1)
    assert found.total_j == pytest.approx(29.6e-6)
    found = energy(counts(), SANAFE, LOIHI1, 200, 2e-3, 3)
    assert found.wall_time_s == pytest.approx(0.4)
    assert found.static.energy_j == pytest.approx(29.6e-3 * 0.4 * 3)


def test_every_term_of_sanafe():
    found = energy(
        counts(
            synaptic_operations=1000,
            neuron_updates=100,
            neuron_updates_active=10,
            spikes=5,
            messages=7,
            hops_x=3,
            hops_y=2,
        ),
        SANAFE,
        LOIHI1,
        1,
    )
    picojoules = 1000 * 33.6 + 100 * 51.2 + 10 * 21.6 + 5 * 69.3 + 7 * 111 + 3 * 3.0 + 2 * 4.2
    assert found.dynamic_j == pytest.approx(picojoules * 1e-12)
    assert [left.name for left in found.covered] == ["neuron_updates_inactive"]
    assert not found.proxy


def test_a_count_without_a_price_makes_the_total_null():
    found = energy(counts(synaptic_operations=10, macs=3), SANAFE, LOIHI1, 5)
    assert found.total_j is None
    assert found.per_step_j is None
    assert found.dynamic_j == pytest.approx(336e-12)
    assert [(left.name, left.count) for left in found.unpriced] == [("graded operation", 3)]
    assert "no published price" in found.unpriced[0].reason


def test_a_count_of_zero_needs_no_price():
    assert energy(counts(macs=0), SANAFE, LOIHI1, 5).unpriced == ()


@pytest.mark.parametrize("unknown", [{"hops_x": None}, None])
def test_unknown_counts_make_the_total_null(unknown):
    given_counts = counts(**unknown) if unknown else {k: 0 for k in COUNT_KEYS if k != "hops_x"}
    found = energy(given_counts, DAVIES, LOIHI1, 5)
    assert found.total_j is None
    assert [left.name for left in found.unpriced] == ["hop, east-west"]
    assert found.unpriced[0].reason == "the count is not known"


def test_without_a_cost_set_every_count_is_named():
    found = energy(counts(synaptic_operations=7, spikes=2), None, LOIHI2, 5)
    assert found.total_j is found.dynamic_j is None
    assert [t.key for t in found.terms if t.count] == ["synaptic_operations", "spikes"]
    names = [left.name for left in found.unpriced]
    assert names == ["synaptic operations", "spikes", "static power"]


def test_prices_of_another_chip_are_a_proxy_on_every_line():
    found = energy(counts(spikes=1), DAVIES, LOIHI2, 5)
    assert found.proxy
    assert all(term.proxy for term in found.terms)
    assert found.static.proxy
    assert not any(term.proxy for term in energy(counts(), DAVIES, LOIHI1, 5).terms)


def test_an_all_in_price_takes_no_further_term():
    extended = TRUENORTH.model_copy(
        update={"coefficients": (*TRUENORTH.coefficients, DAVIES.coefficient("hops_x"))}
    )
    with pytest.raises(ProfileError, match="nothing may be added"):
        energy(counts(), extended, LOIHI1, 1)
    idle = TRUENORTH.model_copy(update={"static": DAVIES.static})
    with pytest.raises(ProfileError, match="all-in"):
        energy(counts(), idle, LOIHI1, 1)


def test_host_work_is_named_and_costs_nothing_here():
    work = (UnpricedCount("bias writes", 12, "by the host"),)
    found = replace(energy(counts(), SANAFE, LOIHI1, 1), excluded=work)
    assert found.to_dict()["excluded"] == [
        {"name": "bias writes", "count": 12, "reason": "by the host"}
    ]


def test_per_sample():
    found = energy(counts(), SANAFE, LOIHI1, 100, samples=4)
    assert found.per_sample_j == pytest.approx(found.total_j / 4)
    assert energy(counts(), SANAFE, LOIHI1, 100).per_sample_j is None


def test_all_wrong_arguments_are_reported_at_once():
    with pytest.raises(SpecError) as caught:
        energy({"spikes": -1, "sparks": 2}, SANAFE, LOIHI1, -1, 0.0, 0, samples=0)
    where = {problem.where for problem in caught.value.problems}
    assert where == {"counts.spikes", "counts", "step_time_s", "steps", "n_chips", "samples"}


@given(
    values=st.dictionaries(st.sampled_from(COUNT_KEYS), st.integers(0, 10**12)),
    steps=st.integers(0, 10**6),
    chips=st.integers(1, 100),
    cost_set=st.sampled_from([DAVIES, SANAFE, TRUENORTH]),
)
def test_total_is_the_sum_of_its_lines_or_null(values, steps, chips, cost_set):
    found = energy(counts(**values), cost_set, LOIHI1, steps, 1e-3, chips)
    priced = [t for t in found.terms if t.energy_j is not None]
    assert found.dynamic_j == pytest.approx(sum(t.energy_j for t in priced))
    for term in priced:
        assert term.energy_j == pytest.approx(term.count * (term.coefficient_j or 0.0))
    missing = [t.name for t in found.terms if t.count and t.coefficient_j is None]
    missing += [c.count for c in cost_set.covered if c.absent and values.get(c.count)]
    assert [left.name for left in found.unpriced] == missing
    assert (found.total_j is None) == bool(missing)
    if found.total_j is not None:
        assert found.total_j == pytest.approx(found.dynamic_j + (found.static.energy_j or 0.0))
    twice = energy(counts(**{k: 2 * v for k, v in values.items()}), cost_set, LOIHI1, steps)
    assert twice.dynamic_j == pytest.approx(2 * found.dynamic_j)


@pytest.mark.parametrize("name", ["truenorth_all_in", "odin_all_in"])
@pytest.mark.parametrize("key", ["macs", "learning_updates", "chip_crossings"])
def test_what_a_chip_cannot_do_is_not_inside_its_all_in_price(name, key):
    """A graded operation on TrueNorth has no price, and is no part of the measured 26 pJ."""
    found = energy(counts(synaptic_operations=10, **{key: 3}), CostSet.load(name), LOIHI1, 5)
    assert found.total_j is None
    assert [(left.name, left.count) for left in found.unpriced] == [(key, 3)]
    assert key not in [left.name for left in found.covered]
    idle = energy(counts(synaptic_operations=10), CostSet.load(name), LOIHI1, 5)
    assert idle.total_j is not None


@pytest.mark.parametrize("cost_set", [DAVIES, SANAFE])
def test_a_message_between_chips_has_no_price_and_not_that_of_a_hop(cost_set):
    found = energy(counts(hops_x=4, chip_crossings=5), cost_set, LOIHI1, 1, 1e-3, 2)
    assert found.dynamic_j == pytest.approx(4 * 3e-12)
    assert found.total_j is None
    assert [(left.name, left.count) for left in found.unpriced] == [("chip crossing", 5)]
    assert "no published price" in found.unpriced[0].reason


def test_nothing_leaves_a_single_chip():
    known = {key: 0 for key in COUNT_KEYS if key != "chip_crossings"}
    assert energy(known, SANAFE, LOIHI1, 1, 1e-3, 1).total_j is not None
    found = energy(known, SANAFE, LOIHI1, 1, 1e-3, 2)
    assert [(left.name, left.count) for left in found.unpriced] == [("chip crossing", None)]


def test_a_cost_set_from_before_crossings_were_counted_has_no_price_of_them():
    raw = SANAFE.to_dict()
    raw["coefficients"] = [c for c in raw["coefficients"] if c["count"] != "chip_crossings"]
    old = CostSet.from_dict({**raw, "name": "older"})
    assert old.to_dict()["coefficients"] == raw["coefficients"]
    assert energy(counts(), old, LOIHI1, 1, 1e-3, 2).total_j is not None
    found = energy(counts(chip_crossings=2), old, LOIHI1, 1, 1e-3, 2)
    assert found.total_j is None
    assert found.unpriced[0].count == 2
    assert "does not name it" in found.unpriced[0].reason
