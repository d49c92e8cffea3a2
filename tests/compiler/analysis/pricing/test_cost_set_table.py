"""All cost sets on one run, and the 45 nm convention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.compiler.analysis.pricing.cost_set_table import NOTE, by_cost_set
from hrsnn_lava.compiler.analysis.pricing.energy import energy
from hrsnn_lava.compiler.analysis.pricing.ops_45nm import ops_45nm
from hrsnn_lava.hardware_profiles import COUNT_KEYS, CostSet, HardwareProfile

LOIHI1, LOIHI2 = HardwareProfile.load("loihi1"), HardwareProfile.load("loihi2")
RUN = {
    **dict.fromkeys(COUNT_KEYS, 0),
    "synaptic_operations": 1000,
    "neuron_updates": 500,
    "neuron_updates_active": 400,
    "neuron_updates_inactive": 100,
    "spikes": 50,
    "messages": 70,
    "hops_x": 30,
    "hops_y": 20,
}


def test_every_shipped_set_has_a_row_in_the_order_of_names():
    rows = by_cost_set(RUN, LOIHI1, 100)
    assert [row.cost_set for row in rows] == sorted(CostSet.names())
    assert not any(row.used for row in rows)
    for row in rows:
        prices = CostSet.load(row.cost_set)
        alone = energy(RUN, prices, LOIHI1, 100)
        assert (row.chip, row.scope, row.evidence) == (prices.chip, prices.scope, prices.evidence)
        assert (row.dynamic_j, row.total_j) == (alone.dynamic_j, alone.total_j)
        assert row.proxy == (prices.chip != "loihi1")


def test_figures_of_a_row():
    rows = {row.cost_set: row for row in by_cost_set(RUN, LOIHI1, 100, 1e-3, 2)}
    davies = rows["davies2018"]
    dynamic = 1e-12 * (1000 * 23.6 + 400 * 81 + 100 * 52 + 70 * 1.7 + 30 * 3 + 20 * 4)
    assert davies.dynamic_j == pytest.approx(dynamic, rel=1e-12)
    assert davies.static_j == pytest.approx(2 * 0.1 * 0.0296, rel=1e-12)
    assert davies.per_sop_j == pytest.approx((dynamic + 0.00592) / 1000, rel=1e-12)
    assert davies.dynamic_per_sop_j == pytest.approx(dynamic / 1000, rel=1e-12)
    assert rows["truenorth_all_in"].per_sop_j == pytest.approx(26e-12)
    assert rows["odin_all_in"].total_low_j == pytest.approx(8.43e-9)
    assert rows["odin_all_in"].total_high_j == pytest.approx(54e-9)


def test_a_set_without_every_price_is_null_and_says_what_is_missing():
    rows = {row.cost_set: row for row in by_cost_set(RUN, LOIHI1, 100)}
    spinnaker = rows["spinnaker1_keras_spiking"]
    assert spinnaker.total_j is spinnaker.per_sop_j is spinnaker.dynamic_per_sop_j is None
    assert not spinnaker.dynamic_complete
    named = [left.name for left in spinnaker.unpriced]
    assert named == ["message", "hop, east-west", "hop, north-south", "static power"]


def test_on_loihi2_every_row_is_a_proxy():
    assert all(row.proxy for row in by_cost_set(RUN, LOIHI2, 100))


def test_a_set_of_ones_own_is_among_them():
    own = CostSet.load("davies2018").model_copy(update={"name": "aaa"})
    rows = by_cost_set(RUN, LOIHI1, 100, used=own)
    assert rows[0].cost_set == "aaa"
    assert [row.cost_set for row in rows if row.used] == ["aaa"]
    assert len(rows) == len(CostSet.names()) + 1


def test_an_unknown_count_makes_every_total_null():
    rows = by_cost_set({**RUN, "synaptic_operations": None}, LOIHI1, 100)
    assert all(row.total_j is row.per_sop_j is None for row in rows)


def test_no_operations_no_figure_per_operation():
    rows = by_cost_set({**RUN, "synaptic_operations": 0}, LOIHI1, 100)
    assert all(row.per_sop_j is None for row in rows)


def test_the_note_says_what_the_table_is_not():
    for words in ("not of their figures", "differ between applications", "different scope"):
        assert words in NOTE
    assert "this placement" in NOTE


@given(acs=st.integers(0, 2**60), macs=st.integers(0, 2**60), pairs=st.integers(0, 2**40))
def test_45_nm(acs, macs, pairs):
    """syops-counter README: AC 0.9 pJ, MAC 4.6 pJ."""
    found = ops_45nm(acs, macs, 0, pairs, 1000)
    assert found.energy_j == pytest.approx(0.9e-12 * acs + 4.6e-12 * macs, rel=1e-15)
    assert found.dense_ann_energy_j == pytest.approx(4.6e-12 * pairs * 1000, rel=1e-15)
    assert found.dense_ann_per_pass_j == pytest.approx(4.6e-12 * pairs, rel=1e-15)
    assert found.label == "no chip; for comparison with papers"
    assert "syops-counter" in found.source


def test_45_nm_without_a_count_is_null():
    found = ops_45nm(None, 0, 5, 10, 10).to_dict()
    assert found["energy_j"] is None
    assert found["host_macs_j"] == pytest.approx(23e-12)
