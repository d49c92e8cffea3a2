"""Placers and refinement against costs by hand and the best of all placements."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.occupancy.traffic import CoreTraffic
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.placing import _kernels
from hrsnn_lava.compiler.placing._best import search, slots_of
from hrsnn_lava.compiler.placing._orders import spectral_order
from hrsnn_lava.compiler.placing._refine import refine, tables
from hrsnn_lava.compiler.placing._task import SCALE, PlaceTask
from hrsnn_lava.compiler.placing.chips import chip_of
from hrsnn_lava.errors import SpecError


def mesh_of(width: int, height: int, per_tile: int = 1, chips: int = 1) -> Mesh:
    return Mesh(width, height, chips, np.full(width * height * chips, per_tile, dtype=np.int64))


def flow_of(matrix) -> CoreTraffic:
    return CoreTraffic(sparse.csr_matrix(np.asarray(matrix, dtype=float)), 0.0)


def random_flow(n: int, seed: int, density: float = 0.5) -> CoreTraffic:
    rng = np.random.default_rng(seed)
    return flow_of(rng.lognormal(size=(n, n)) * (rng.random((n, n)) < density))


def plain_cost(flow: CoreTraffic, mesh: Mesh, slots, crossing: int) -> float:
    """Every message on its own."""
    places, total = mesh.coordinates(np.asarray(slots)), 0.0
    for a, b, amount in zip(*flow.pairs, strict=True):
        (x0, y0), (x1, y1) = places[a].tolist(), places[b].tolist()
        hops = abs(x0 - x1) + abs(y0 - y1)
        total += amount * (hops + crossing * abs(x0 // mesh.width - x1 // mesh.width))
    return total


def unit(flow: CoreTraffic) -> float:
    sender, receiver, amount = flow.pairs
    return 2.0 * float(amount[sender != receiver].sum()) / SCALE


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 20))
def test_the_cost_is_that_of_every_message(seed: int, crossing: int) -> None:
    flow, mesh = random_flow(12, seed), mesh_of(3, 2, 2, 2)
    task = PlaceTask.of(flow, mesh, crossing)
    slots = registry.load("placer", "random")(task, np.random.default_rng(seed))
    expected = plain_cost(flow, mesh, slots, crossing)
    assert task.cost(slots) * unit(flow) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", registry.names("placer"))
@pytest.mark.parametrize(("n", "chips"), [(1, 1), (2, 1), (7, 1), (24, 1), (40, 2), (48, 2)])
def test_every_placer_gives_every_core_a_slot_of_its_own(name: str, n: int, chips: int) -> None:
    task = PlaceTask.of(random_flow(n, n), mesh_of(4, 3, 2, chips), 3)
    slots = registry.load("placer", name)(task, np.random.default_rng(0))
    assert slots.shape == (n,)
    assert np.unique(slots).size == n
    assert slots.min() >= 0
    assert slots.max() < 24 * chips


@pytest.mark.parametrize("name", registry.names("placer"))
def test_placers_take_silence(name: str) -> None:
    task = PlaceTask.of(flow_of(np.zeros((9, 9))), mesh_of(4, 3), 3)
    slots = registry.load("placer", name)(task, np.random.default_rng(0))
    assert np.unique(slots).size == 9
    assert task.cost(slots) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 9))
def test_a_change_is_the_difference_of_two_costs(seed: int, crossing: int) -> None:
    mesh = mesh_of(3, 3, 2, 2)
    task = PlaceTask.of(random_flow(20, seed), mesh, crossing)
    rng = np.random.default_rng(seed)
    slots = registry.load("placer", "random")(task, rng)
    core_at = np.full(mesh.n_slots, -1)
    core_at[slots] = np.arange(20)
    at_x, at_y = tables(task, slots)
    for _ in range(20):
        core, target = int(rng.integers(20)), int(rng.integers(mesh.n_slots))
        other, here = int(core_at[target]), int(slots[core])
        if target == here:
            continue
        sparse_parts = (task.indptr, task.indices, task.weights, task.column_x)
        rise = _kernels.change(
            *sparse_parts,
            at_x,
            at_y,
            mesh.height,
            core,
            other,
            mesh.tile_of[here],
            mesh.tile_of[target],
        )
        moved = slots.copy()
        moved[core] = target
        if other >= 0:
            moved[other] = here
        assert rise == task.cost(moved) - task.cost(slots)
        state = (mesh.tile_of, mesh.height, slots, core_at, core, target)
        _kernels.exchange(*sparse_parts, at_x, at_y, *state)
        assert np.array_equal(slots, moved)
        for kept, counted in zip((at_x, at_y), tables(task, slots), strict=True):
            assert np.array_equal(kept, counted)


def test_the_compiled_kernels_equal_the_plain_ones() -> None:
    mesh = mesh_of(4, 3, 2)
    task = PlaceTask.of(random_flow(20, 5), mesh)
    rng = np.random.default_rng(0)
    slots = registry.load("placer", "random")(task, rng)
    draws, allowance = rng.random((400, 4)), task.cost(slots) / 100 * rng.random(400)
    results = []
    fast = (_kernels.anneal, _kernels.descend)
    for anneal, sweep in (fast, tuple(kernel.py_func for kernel in fast)):
        at_x, at_y = tables(task, slots)
        slot_of, core_at = slots.copy(), np.full(mesh.n_slots, -1)
        core_at[slot_of] = np.arange(20)
        parts = (task.indptr, task.indices, task.weights, task.column_x, mesh.tile_of)
        state = (*parts, mesh.first_slot, mesh.height, at_x, at_y, slot_of, core_at)
        first = anneal(*state, 2, draws, allowance, 1000)
        second = sweep(*state, 4)
        assert task.cost(slot_of) == task.cost(slots) + first[0] + second
        results.append((tuple(first), second, slot_of.tolist(), core_at.tolist()))
    assert results[0] == results[1]
    assert results[0][0][1] >= 40


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05]), st.integers(2, 60))
def test_refinement_is_never_worse_and_its_cost_is_true(seed: int, effort: float, n: int) -> None:
    task = PlaceTask.of(random_flow(n, seed, 0.2), mesh_of(4, 4, 2, 2), 5)
    rng = np.random.default_rng(seed)
    slots = registry.load("placer", "random")(task, rng)
    kept = slots.copy()
    found = refine(task, slots, rng, effort=effort)
    assert found.cost == task.cost(found.slots) <= task.cost(slots)
    assert np.unique(found.slots).size == n
    assert np.array_equal(slots, kept)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_the_best_of_all_placements(seed: int) -> None:
    flow, mesh = random_flow(6, seed, 0.7), mesh_of(3, 2)
    task = PlaceTask.of(flow, mesh)
    best = min(task.cost(np.asarray(order)) for order in permutations(range(6)))
    assert task.cost(search(flow, mesh).slots) == best


def test_a_ring_of_cores_is_placed_without_a_long_hop() -> None:
    # 16 cores, each talking to the next: a closed tour of 4 x 4 tiles has 16 hops.
    order = np.random.default_rng(3).permutation(16)
    ring = np.zeros((16, 16))
    ring[order, np.roll(order, 1)] = 1.0
    found = search(flow_of(ring), mesh_of(4, 4))
    assert found.report["cost"] == pytest.approx(16.0)


def test_two_crowds_go_to_two_chips() -> None:
    rng = np.random.default_rng(2)
    crowd = rng.permutation(32) % 2
    near = crowd[:, None] == crowd[None, :]
    flow, mesh = flow_of(np.where(near, 1.0, 0.01)), mesh_of(4, 4, 1, 2)
    task = PlaceTask.of(flow, mesh, 8)
    chip = chip_of(task, spectral_order(task), np.random.default_rng(0))
    assert len({(a, b) for a, b in zip(crowd, chip, strict=True)}) == 2
    slots = search(flow, mesh, crossing=8).slots
    assert len({(a, b) for a, b in zip(crowd, slots // 16, strict=True)}) == 2


def test_the_spectral_order_straightens_a_path() -> None:
    order = np.random.default_rng(4).permutation(24)
    path = np.zeros((24, 24))
    path[order[:-1], order[1:]] = 1.0
    found = spectral_order(PlaceTask.of(flow_of(path), mesh_of(24, 1)))
    rank = np.empty(24, dtype=int)
    rank[order] = np.arange(24)
    assert np.abs(np.diff(rank[found])).mean() < 2.5


def test_searches_are_repeatable_and_name_their_start() -> None:
    flow, mesh = random_flow(30, 8, 0.3), mesh_of(4, 4, 2)
    once, again = (search(flow, mesh, seed=5, effort=0.1) for _ in range(2))
    assert np.array_equal(once.slots, again.slots)
    assert once.report == again.report
    assert once.report["start"] in registry.names("placer")
    only = search(flow, mesh, starts=["row"], effort=0.0)
    assert list(only.report["starts"]) == ["row"]
    with pytest.raises(SpecError, match="starts: none"):
        search(flow, mesh, starts=[])


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ([0, 0, 1], "1 slots taken twice; allowed: 3 different whole numbers in 0..3"),
        ([-1, 0, 1], r"-1\.\.1; allowed: 3 different"),
        ([0, 1, 4], r"0\.\.4; allowed"),
        ([0.0, 1.0, 2.0], "float64 of shape"),
        ([0, 1], r"int64 of shape \(2,\)"),
        (None, "object of shape"),
    ],
)
def test_a_placer_that_returns_no_placement_is_named(monkeypatch, slots, message) -> None:
    task = PlaceTask.of(random_flow(3, 1, 1.0), mesh_of(2, 2))
    monkeypatch.setattr(registry, "load", lambda *_: lambda *_: slots)
    with pytest.raises(SpecError, match=f"placer 'mine': {message}"):
        slots_of("mine", task, np.random.default_rng(0))
