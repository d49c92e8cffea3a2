"""The pass: coordinates, the report of the mapping, options."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.occupancy.mapping import mapping_report
from hrsnn_lava.compiler.analysis.occupancy.traffic import traffic
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.mapped import Mapped, Placement
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection

LOIHI = HardwareProfile.load("loihi1")


def meshless() -> HardwareProfile:
    raw = LOIHI.to_dict()
    for name in ("mesh_width", "mesh_height", "cores_per_tile"):
        raw["chip"][name].update(value=None, evidence="none")
    return HardwareProfile.from_dict(raw)


def network_of(weights) -> QuantizedNetwork:
    population = QuantizedPopulation("a", len(weights), 100, 100, 100)
    projection = QuantizedProjection("p", "a", "a", sparse.csr_matrix(np.asarray(weights)))
    return QuantizedNetwork((population,), (projection,))


def put(network, placement, step, profile=LOIHI, rates=None) -> Placement:
    """The placement after a pass, with what a run showed."""
    context = Context(profile, Observed(rates))
    return step(Mapped(network, placement), context).on_cores


@pytest.fixture(scope="module")
def communities():
    """150 cores of 2 neurons in shuffled communities: more than a chip holds."""
    rng = np.random.default_rng(1)
    group = rng.permutation(300) % 10
    near = group[:, None] == group[None, :]
    weights = 2 * (rng.random((300, 300)) < np.where(near, 0.2, 0.002))
    core_of = np.argsort(np.argsort(group, kind="stable")) // 2
    return network_of(weights), Placement.of(rng.permutation(150)[core_of]), rng.lognormal(size=300)


def test_without_a_mesh_messages_count_and_hops_do_not() -> None:
    network = network_of([[2, 2], [2, 2]])
    figures = traffic(network, [0, 1], meshless(), None)
    assert figures["messages_per_step"] == 4.0
    assert figures["hops_per_step"] is None
    assert figures["mean_hops"] is None
    placed = put(network, Placement.of([0, 1]), Place(), meshless())
    assert placed.coordinates is None
    mapping = placed.info["mapping"]
    assert mapping["congestion"] is None
    assert mapping["baselines"]["neuron_order"]["messages_per_step"] == 4.0


def test_the_report_names_its_baselines() -> None:
    rng = np.random.default_rng(0)
    block = np.kron(np.eye(2), np.ones((20, 20))).astype(int) * 2
    order = rng.permutation(40)
    network = network_of(block[np.ix_(order, order)])
    core_of = (order >= 20).astype(int)
    placed = put(network, Placement.of(core_of), Place(), rates=0.1)
    mapping = placed.info["mapping"]
    assert mapping["cores"] == 2
    # Each community has a core of its own: one message a spike, against two in neuron order.
    assert mapping["messages_per_step"] == pytest.approx(40 * 0.1)
    assert mapping["between_cores_per_step"] == pytest.approx(0.0, abs=1e-12)
    assert mapping["baselines"]["neuron_order_row"]["messages_per_step"] == pytest.approx(8.0)
    assert placed.coordinates is not None
    assert placed.coordinates.shape == (2, 2)
    same = mapping_report(network, core_of, LOIHI, placed.coordinates, rates=np.full(40, 0.1))
    assert same | {"search": mapping["search"]} == mapping


def test_the_search_beats_every_baseline_on_two_chips(communities) -> None:
    network, placement, rates = communities
    placed = put(network, placement, Place(effort=0.1), LOIHI.with_chips(2), rates)
    mapping = placed.info["mapping"]
    assert mapping["chips"] == 2
    same = {k: v for k, v in mapping["baselines"].items() if k.startswith("same_cores")}
    assert len(same) == 3
    for row in same.values():
        assert row["messages_per_step"] == pytest.approx(mapping["messages_per_step"])
        assert mapping["mean_hops"] < 0.5 * row["mean_hops"]
        assert mapping["inter_chip_messages_per_step"] < 0.5 * row["inter_chip_messages_per_step"]
        assert mapping["congestion"]["max_per_step"] < row["max_link_per_step"]
    # The cost that was searched for is hops, and 8 more for each border between the two chips.
    cost = mapping["hops_per_step"] + 8 * mapping["inter_chip_messages_per_step"]
    assert mapping["search"]["cost"] == pytest.approx(cost, rel=1e-9)
    starts = mapping["search"]["starts"].values()
    assert all(mapping["search"]["cost"] <= s["settled"] <= s["cost"] for s in starts)


def test_a_tile_never_holds_more_cores_than_it_has(communities) -> None:
    network, placement, rates = communities
    placed = put(network, placement, Place(effort=0.01), LOIHI.with_chips(2), rates)
    assert placed.coordinates is not None
    _, counts = np.unique(placed.coordinates, axis=0, return_counts=True)
    assert counts.max() <= 4
    assert placed.coordinates.max(axis=0).tolist() <= [15, 3]


def test_a_seed_decides_the_places_and_the_report_is_plain(communities) -> None:
    network, placement, rates = communities
    once, again, other = (
        put(network, placement, Place(effort=0.05, seed=seed), LOIHI.with_chips(2), rates)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(once.coordinates, again.coordinates)
    assert once.info == again.info
    assert not np.array_equal(once.coordinates, other.coordinates)
    assert json.loads(json.dumps(plain(once.info))) == plain(once.info)


def test_a_silent_run_places_as_if_all_fired_alike(communities) -> None:
    network, placement, _ = communities
    profile = LOIHI.with_chips(2)
    silent = put(network, placement, Place(effort=0.0), profile, 0.0)
    alike = put(network, placement, Place(effort=0.0), profile, 1.0)
    assert np.array_equal(silent.coordinates, alike.coordinates)
    assert silent.info["mapping"]["messages_per_step"] == 0.0


def test_dear_borders_are_passed_less(communities) -> None:
    network, placement, rates = communities
    messages = [
        put(
            network, placement, Place(effort=0.1, crossing=crossing), LOIHI.with_chips(2), rates
        ).info["mapping"]["inter_chip_messages_per_step"]
        for crossing in (0, 100)
    ]
    assert messages[1] < messages[0]


def test_a_named_placer_is_taken_as_it_is(communities) -> None:
    network, placement, rates = communities
    profile = LOIHI.with_chips(2)
    placed = put(network, placement, Place("hilbert"), profile, rates)
    mapping = placed.info["mapping"]
    row = mapping["baselines"]["same_cores_hilbert"]
    assert mapping["hops_per_step"] == row["hops_per_step"]
    assert mapping["search"] == {"start": "hilbert"}
    with pytest.warns(FutureWarning, match="the chip is given to compile, not to a pass"):
        assert Place(profile, "hilbert") == Place("hilbert")


def test_what_cannot_be_is_refused(communities) -> None:
    network, placement, _ = communities
    with pytest.raises(CapacityError, match="150 cores; profile 'loihi1' has 128 cores on each"):
        put(network, placement, Place())
    two = LOIHI.with_chips(2)
    with pytest.raises(SpecError, match="method: 'spiral'; allowed: search, chips, grow, hilbert"):
        Place("spiral")
    with pytest.raises(SpecError, match=r"crossing: -1; allowed: >= 0") as caught:
        Place(crossing=-1, effort=-1.0)
    assert [p.where for p in caught.value.problems] == ["crossing", "effort"]
    with pytest.raises(SpecError, match=r"crossing: 1001; allowed: 0\.\.1000 hops"):
        put(network, placement, Place(crossing=1001), two)
    with pytest.raises(SpecError, match=r"effort: 1001.0; allowed: 0\.\.1000"):
        put(network, placement, Place(effort=1001.0), two)
    with pytest.raises(SpecError, match="this pass needs a chip: give the context a profile"):
        Place()(Mapped(network, placement))
    with pytest.raises(SpecError, match="on no cores yet: `partition` comes first"):
        Place()(Mapped(network), Context(two))
