"""A network as a NIR file, read by the equations of NIR in plain NumPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange.from_nir import from_nir
from hrsnn_lava.deploy.interchange.nir_file import read_nir
from hrsnn_lava.deploy.interchange.nir_hints import from_hints
from hrsnn_lava.deploy.interchange.to_nir import MOST_WEIGHTS, groups_of, to_nir
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF_FIELDS
from hrsnn_lava.resets import RESETS
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

STEPS = 120
DT = 1e-3


def by_the_equations(path: Path, dt: float, inputs: dict[str, Any]) -> dict[str, Any]:
    """Spikes (STEPS, n) of every neuron node: forward Euler, nodes in the order of their edges,
    what a cycle brings from the step before."""
    with h5py.File(path) as file:
        nodes = {
            name: {key: value[()] for key, value in group.items()}
            for name, group in file["node/nodes"].items()
        }
        edges = [tuple(name.decode() for name in pair) for pair in file["node/edges"][()]]
    types = {name: node["type"].decode() for name, node in nodes.items()}
    before = {name: [a for a, b in edges if b == name] for name in nodes}
    order: list[str] = []

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in order or name in way:
            return
        for other in before[name]:
            visit(other, (*way, name))
        order.append(name)

    for name in sorted(nodes, key=lambda n: types[n] != "Output"):
        visit(name, ())
    steps = next(iter(inputs.values())).shape[0]
    sent = {name: np.zeros((steps + 1, _size(node))) for name, node in nodes.items()}
    arrived: dict[str, list[Any]] = {name: [] for name in nodes}
    state = {name: np.zeros((2, _size(node))) for name, node in nodes.items()}
    for t in range(1, steps + 1):
        done: set[str] = set()
        for name in order:
            node, kind = nodes[name], types[name]
            came = np.zeros(state[name].shape[1])
            for other in before[name]:
                out = sent[other][t if other in done else t - 1]
                came = came + out if kind != "Linear" else out
            if kind == "Input":
                value = inputs[name][t - 1]
            elif kind == "Linear":
                # onto a node that is not done yet comes what a cycle sent before
                value = node["weight"] @ came
            elif kind == "Delay":
                arrived[name].append(came)
                back = t - round(node["delay"][0] / dt) - 1
                value = arrived[name][back] if back >= 0 else 0.0 * came
            elif kind == "Output":
                value = came
            else:
                value = _neuron(kind, node, state[name], came, dt)
            sent[name][t] = value
            done.add(name)
    return {name: out[1:] for name, out in sent.items() if "v_threshold" in nodes[name]}


def _size(node: dict[str, Any]) -> int:
    for key in ("v_threshold", "tau", "delay"):
        if key in node:
            return int(node[key].size)
    return int(node["weight"].shape[0]) if "weight" in node else int(node["shape"][0])


def _neuron(kind: str, node: dict[str, Any], state: Any, current: Any, dt: float) -> Any:
    v, i = state
    if kind == "CubaLIF":
        i += dt / node["tau_syn"] * (node["w_in"] * current - i)
        v += dt / node["tau_mem"] * (node["v_leak"] - v + node["r"] * i)
    elif kind in ("LIF", "LI"):
        v += dt / node["tau"] * (node["v_leak"] - v + node["r"] * current)
    else:
        v += dt * node["r"] * current
    if kind == "LI":
        return v.copy()
    fired = v > node["v_threshold"]
    v[fired] = node["v_reset"][fired]
    return fired.astype(float)


def layered(seed: int, delays: bool = True) -> hl.Network:
    """Two inputs, two populations in a cycle, one behind them that an input reaches, too."""
    rng = np.random.default_rng(seed)

    def weights(post: int, pre: int, scale: float) -> sparse.csr_matrix:
        return sparse.csr_matrix(
            rng.normal(0, scale, (post, pre)) * (rng.random((post, pre)) < 0.5)
        )

    def lif(n: int, filtered: bool) -> hl.LIF:
        return hl.LIF(
            tau_mem=rng.uniform(0.002, 0.03, n),
            tau_syn=rng.uniform(0.001, 0.01, n) if filtered else 0.0,
            v_threshold=rng.uniform(0.3, 1, n),
            bias=rng.normal(0, 0.1, n),
        )

    late = DT * int(rng.integers(1, 4)) if delays else None
    populations = (
        hl.Population("a", 4, hl.Input()),
        hl.Population("e", 12, lif(12, True)),
        hl.Population("b", 3, hl.Input()),
        hl.Population("i", 5, lif(5, bool(rng.integers(2)))),
        hl.Population("out", 4, lif(4, False)),
    )
    joined = [
        ("a", "e", 3.0, None),
        ("b", "i", 3.0, late),
        ("e", "i", 1.0, None),
        ("i", "e", 1.0, late),
        ("e", "e", 1.0, None),
        ("e", "out", 8.0, None),
        ("b", "out", 8.0, late),
    ]
    size = {p.name: p.size for p in populations}
    projections = tuple(
        hl.Projection(f"{a}_{b}", a, b, weights(size[b], size[a], s), delays=d)
        for a, b, s, d in joined
    )
    return hl.Network(DT, populations, projections, name=f"layered{seed}")


def spikes(network: hl.Network, shown: Any, early: Any = 0) -> Any:
    """(STEPS, n_neurons) of our engine; biases act from the step on at which the file begins."""
    at, who = np.nonzero(shown)
    events = hl.SpikeInput(at, who, n_steps=len(shown), n_neurons=network.n_inputs)
    simulator = FloatSimulator(network)
    whole, dense = simulator.bias.copy(), np.zeros((len(shown), network.n_neurons))
    for t in range(len(shown)):
        simulator.bias = np.where(t >= np.asarray(early), whole, 0.0)
        dense[t, simulator.run_events(events, t, 1)[1]] = 1
    return dense


@pytest.mark.parametrize("seed", range(6))
def test_a_file_read_by_nir_is_the_network(tmp_path: Path, seed: int) -> None:
    network = layered(seed)
    told = to_nir(network, tmp_path / "n.nir")
    assert told.findings == ()
    shown = (np.random.default_rng(seed).random((STEPS, 7)) < 0.2).astype(float)
    theirs = by_the_equations(tmp_path / "n.nir", DT, {"a": shown[:, :4], "b": shown[:, 4:]})
    early = [np.full(p.size, told.early[p.name]) for p in network.compute_populations]
    ours, first = spikes(network, shown, np.concatenate(early)), 0
    groups = {p.name: g for g in groups_of(network) for p in g.populations}
    for population in network.compute_populations:
        group, steps = groups[population.name], told.early[population.name]
        place = group.places[population.name]
        file = theirs[group.name][:, place : place + population.size]
        engine = ours[:, first : first + population.size]
        first += population.size
        assert engine.any(), population.name
        np.testing.assert_array_equal(engine[steps:], file[: STEPS - steps])
        assert not engine[:steps].any()


def test_held_currents_enter_behind_the_filter(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lif = hl.LIF(tau_mem=rng.uniform(0.005, 0.02, 6), tau_syn=0.005, v_threshold=0.5)
    populations = (hl.Population("x", 2, hl.Input(graded=True)), hl.Population("n", 6, lif))
    projections = (
        hl.Projection("in", "x", "n", rng.uniform(0, 1, (6, 2)), target="bias"),
        hl.Projection("rec", "n", "n", sparse.csr_matrix(rng.normal(0, 1, (6, 6)))),
    )
    network = hl.Network(DT, populations, projections)
    told = to_nir(network, tmp_path / "n.nir")
    assert told.nodes["n_current"] == "LI"
    values = np.repeat(rng.uniform(0, 2, (12, 2)), 10, axis=0)
    theirs = by_the_equations(tmp_path / "n.nir", DT, {"x": values})["n"]
    simulator = FloatSimulator(network)
    ours = np.zeros((120, 6))
    for k in range(12):
        steps, neurons = simulator.run(values[10 * k], 10)
        ours[10 * k + steps, neurons] = 1
    assert ours.sum() > 20
    np.testing.assert_array_equal(ours, theirs)


def test_neurons_without_a_leak_are_integrators(tmp_path: Path) -> None:
    lif = hl.LIF(tau_mem=np.inf, tau_syn=0.0, v_threshold=[0.5, 1.0, 1.5])
    network = hl.Network.from_arrays(np.full((3, 1), 0.3), None, tau_mem=0.01, tau_syn=0.0)
    populations = tuple(
        p if p.is_input else hl.Population(p.name, p.size, lif) for p in network.populations
    )
    network = hl.Network(DT, populations, network.projections)
    told = to_nir(network, tmp_path / "n.nir")
    assert "IF" in told.nodes.values()
    name = network.input_populations[0].name
    theirs = by_the_equations(tmp_path / "n.nir", DT, {name: np.ones((20, 1))})
    ours = spikes(network, np.ones((20, 1)))
    np.testing.assert_array_equal(ours[1:], next(iter(theirs.values()))[:-1])


def assert_same(a: hl.Network, b: hl.Network) -> None:
    """Every array and every name."""
    assert (a.name, a.dt) == (b.name, b.dt)
    assert [p.name for p in a.populations] == [p.name for p in b.populations]
    for p, q in zip(a.populations, b.populations, strict=True):
        assert (p.size, p.sign, p.is_input, p.graded) == (q.size, q.sign, q.is_input, q.graded)
        if not p.is_input:
            assert p.reset == q.reset
            for name in LIF_FIELDS:
                np.testing.assert_array_equal(p.parameter(name), q.parameter(name))
    assert [p.name for p in a.projections] == [p.name for p in b.projections]
    for p, q in zip(a.projections, b.projections, strict=True):
        assert (p.pre, p.post, p.target) == (q.pre, q.post, q.target)
        assert (p.weights != q.weights).nnz == 0
        none = np.zeros(p.n_synapses)
        delays = [none if x.delays is None else none + x.delays for x in (p, q)]
        np.testing.assert_array_equal(*delays)


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 10**6), st.sampled_from(RESETS))
def test_out_and_in_is_the_same_network(tmp_path_factory: Any, seed: int, reset: Any) -> None:
    path = tmp_path_factory.mktemp("out") / "n.nir"
    network = layered(seed)
    if reset != "zero":
        e = network.population("e")
        network = network.with_population(replace(e, neuron=replace(e.lif, reset=reset)))
    else:
        network = network.with_population(network.population("e").with_parameters(refractory=DT))
    to_nir(network, path)
    assert_same(from_nir(path), network)


def split(network: hl.Network, name: str, seed: int) -> hl.Network:
    """The network with the synapses of a projection dealt out to three of its name."""
    rng, found = np.random.default_rng(seed), []
    for p in network.projections:
        if p.name != name:
            found.append(p)
            continue
        coo = p.weights.tocoo()
        own = rng.integers(0, 3, coo.nnz)
        delays = DT * rng.integers(0, 3, coo.nnz)
        for k in range(3):
            part = own == k
            entries = (coo.data[part], (coo.row[part], coo.col[part]))
            weights = sparse.csr_matrix(entries, shape=coo.shape)
            late = delays[part] if name == "e_e" else None
            found.append(hl.Projection(f"{name}{k}", p.pre, p.post, weights, delays=late))
    return hl.Network(DT, network.populations, tuple(found), network.name)


@pytest.mark.parametrize("seed", range(4))
def test_parallel_projections_positions_and_empty_ones_come_back(tmp_path: Path, seed: int) -> None:
    network = split(split(layered(seed), "a_e", seed), "e_e", seed)
    where = np.random.default_rng(seed).random((12, 3))
    network = network.with_population(replace(network.population("e"), positions=where))
    empty = [hl.Projection(f"no{k}", "e", "out", sparse.csr_matrix((4, 12))) for k in range(2)]
    network = hl.Network(DT, network.populations, (*network.projections, *empty), network.name)
    told = to_nir(network, tmp_path / "n.nir")
    assert told.findings == ()
    again = from_nir(tmp_path / "n.nir")
    assert_same(again, network)
    assert again.digest == network.digest
    np.testing.assert_array_equal(again.population("e").positions, where)


def test_two_synapses_that_are_one_number_in_the_file_are_told(tmp_path: Path) -> None:
    network = layered(0)
    more = hl.Projection("more", "e", "i", network.projection("e_i").weights)
    network = hl.Network(DT, network.populations, (*network.projections, more))
    told = to_nir(network, tmp_path / "n.nir")
    assert [finding.kind for finding in told.findings] == ["nir_merged"]
    again = from_nir(tmp_path / "n.nir")
    both = 2 * network.projection("e_i").weights
    assert (again.projection("e_i").weights != both).nnz == 0
    assert "more" not in [p.name for p in again.projections]


def test_hints_of_another_graph_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "n.nir"
    to_nir(layered(1), path)
    with h5py.File(path, "a") as file:
        file["node/nodes/e_i/v_threshold"][3] *= 1.01
    assert from_hints(read_nir(path)) is None
    with h5py.File(path, "a") as file:
        del file["hrsnn_lava/text"]
        file["hrsnn_lava/text"] = ["{}"]
    assert from_hints(read_nir(path)) is None
    with pytest.raises(SpecError, match="no exporter is recognized"):
        from_nir(path)


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_alone_gives_the_same_spikes(tmp_path: Path, seed: int) -> None:
    network = layered(seed)
    to_nir(network, tmp_path / "n.nir")
    given_so = {"dialect": "literal", "dt": DT, "reset": "zero", "biases": "constant"}
    again = from_nir(tmp_path / "n.nir", **given_so)
    assert [p.name for p in again.compute_populations] == ["e_i", "out"]
    shown = (np.random.default_rng(seed).random((STEPS, 7)) < 0.2).astype(float)
    ours = spikes(network, shown)
    assert ours[:, -4:].any()
    np.testing.assert_array_equal(ours, spikes(again, shown))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_equal_networks_give_equal_bytes(tmp_path_factory: Any, seed: int) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in "ab":
        to_nir(layered(seed), folder / name)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_what_nir_does_not_hold_is_told(tmp_path: Path) -> None:
    network = layered(0)
    changed = network.with_population(network.population("e").with_parameters(refractory=2e-3))
    rule = hl.STDP(a_plus=0.01, a_minus=0.01, tau_plus=0.02, tau_minus=0.02, w_max=1.0)
    learning = hl.Projection("more", "e", "i", np.ones((5, 12)), plasticity=rule)
    changed = hl.Network(DT, changed.populations, (*changed.projections, learning))
    kinds = [finding.kind for finding in to_nir(changed, tmp_path / "n.nir").findings]
    assert kinds == ["nir_refractory", "nir_plasticity", "nir_merged"]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    endless = hl.Population("n", 2, hl.LIF(tau_mem=np.inf, tau_syn=0.01))
    mixed = hl.Population("n", 2, hl.LIF(tau_mem=[np.inf, 0.01], tau_syn=0.0))
    large = hl.Population("n", 20_000, hl.LIF(tau_mem=0.01))
    loop = hl.Projection("r", "n", "n", sparse.eye(20_000, format="csr"))
    cases = [
        (hl.Network(DT, (endless,), ()), "infinite, with a synaptic filter"),
        (hl.Network(DT, (mixed,), ()), "infinite for some"),
        (hl.Network(DT, (large,), (loop,)), f"in full matrices; allowed: at most {MOST_WEIGHTS:,}"),
    ]
    for network, message in cases:
        with pytest.raises(SpecError, match=message):
            to_nir(network, tmp_path / "n.nir")
    assert not list(tmp_path.iterdir())
