"""What a NIR file of ours says beside its graph, so that the very network comes back from it.

The group ``hrsnn_lava`` of the file holds a text (names, signs, resets, the step, which populations
are one node, which matrix is what) and the parameters of all neurons as they were; weights stand in
the graph alone. Other programs do not look at it. Where they changed the graph and kept the group,
the two no longer agree, and the hints are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.network import LIF, LIF_FIELDS, Input, Network, Population, Projection

Float = NDArray[np.float64]
#: Name of the text in the group.
TEXT = "text"
VERSION = 1
#: It is written in pieces of so many characters: files of strangers may not have long texts.
PIECE = 800
#: By how much, as a share, numbers of the graph may differ from the hints: it may have come by way
#: of 32 bits.
TOLERANCE = 1e-5
#: What precedes the number of parallel projections, and that of a population.
OWNERS, POSITIONS = "owners_", "positions_"
#: Parameters that are numbers.
NUMBERS = LIF_FIELDS


@dataclass(frozen=True, eq=False)
class Group:
    """Populations that are one node: neurons that reach each other, or one input.

    Attributes:
        populations: in the order of the network.
        early: by how many steps its spikes come earlier in the file.
    """

    populations: tuple[Population, ...]
    early: int = 0

    @property
    def is_input(self) -> bool:
        """Whether it is driven from outside."""
        return self.populations[0].is_input

    @property
    def size(self) -> int:
        """Neurons or channels."""
        return sum(p.size for p in self.populations)

    @property
    def name(self) -> str:
        """Of the node; ``.`` and ``/`` would stand for graphs within graphs."""
        joined = "_".join(p.name for p in self.populations)
        return joined.replace(".", "_").replace("/", "_")

    @property
    def places(self) -> dict[str, int]:
        """First neuron of each population."""
        starts = np.cumsum([0, *(p.size for p in self.populations)])
        return {p.name: int(k) for p, k in zip(self.populations, starts[:-1], strict=True)}

    def gather(self, name: str) -> Float:
        """A parameter of all its neurons."""
        values: Float = np.concatenate([p.parameter(name) for p in self.populations])
        return values


@dataclass(frozen=True)
class Matrix:
    """A matrix of the file.

    Attributes:
        node: its name.
        pre, post: places of the groups that it joins.
        target: of its projections.
        latency: steps from a spike to its arrival in the network.
    """

    node: str
    pre: int
    post: int
    target: str
    latency: int


def latencies(projection: Projection, dt: float) -> NDArray[np.int64]:
    """Steps from a spike to its arrival, of every synapse, (nnz,); none for held currents."""
    steps = np.zeros(projection.n_synapses, dtype=np.int64)
    if projection.target == "bias":
        return steps
    if projection.delays is not None:
        steps += np.rint(np.asarray(projection.delays) / dt).astype(np.int64)
    return steps + 1


def parallel(network: Network) -> list[list[Projection]]:
    """Projections that join the same populations and act on the same, two or more each."""
    found: dict[tuple[str, str, str], list[Projection]] = {}
    for p in network.projections:
        found.setdefault((p.pre, p.post, p.target), []).append(p)
    return [together for together in found.values() if len(together) > 1]


def owners(together: Sequence[Projection], dt: float) -> NDArray[np.int64] | None:
    """Which of parallel projections a synapse is of, (S,), by latency, row and column.

    None where two have a synapse of the same neurons and latency, which are one number in a file.
    """
    parts = [p.weights.tocoo() for p in together]
    steps = np.concatenate([latencies(p, dt) for p in together])
    rows, cols = (np.concatenate([getattr(p, n) for p in parts]) for n in ("row", "col"))
    own = np.repeat(np.arange(len(parts)), [p.nnz for p in parts])
    order = np.lexsort((cols, rows, steps))
    places = np.stack([steps, rows, cols])[:, order]
    if np.any((np.diff(places, axis=1) == 0).all(axis=0)):
        return None
    return np.asarray(own[order], dtype=np.int64)


def euler(tau: Float, dt: float) -> Float:
    """The time constant with which a step of forward Euler decays by exp(-dt / tau)."""
    with np.errstate(divide="ignore"):
        found: Float = -dt / np.expm1(-dt / tau)
    return found


def hints_of(
    network: Network, groups: Sequence[Group], nodes: Sequence[str], matrices: Sequence[Matrix]
) -> dict[str, Any]:
    """The content of the group.

    Args:
        network: float.
        groups: of its populations.
        nodes: name of each in the file.
        matrices: all there are.
    """
    text = {
        "version": VERSION,
        "name": network.name,
        "dt": network.dt,
        "populations": [_of_population(p) for p in network.populations],
        "projections": [
            {"name": p.name, "pre": p.pre, "post": p.post, "target": p.target}
            for p in network.projections
        ],
        "groups": [
            {"node": node, "populations": list(group.places)}
            for node, group in zip(nodes, groups, strict=True)
        ],
        "matrices": [asdict(matrix) for matrix in matrices],
    }
    whole = json.dumps(text, sort_keys=True)  # in ASCII
    pieces = [whole[k : k + PIECE] for k in range(0, len(whole), PIECE)]
    hints = {TEXT: pieces} | {k: network.gather(k) for k in NUMBERS}
    for k, together in enumerate(parallel(network)):
        own = owners(together, network.dt)
        if own is not None:
            hints[f"{OWNERS}{k}"] = own
    for k, population in enumerate(network.populations):
        if population.positions is not None:
            hints[f"{POSITIONS}{k}"] = population.positions
    return hints


def _of_population(p: Population) -> dict[str, Any]:
    row: dict[str, Any] = {"name": p.name, "size": p.size, "sign": p.sign}
    return row | ({"graded": p.graded} if p.is_input else {"reset": p.lif.reset})


def from_hints(graph: NirGraph) -> Network | None:
    """The network that was written, or None for a file without hints, or with others.

    Hints that say nothing, or of another graph, are no error: the graph stands for itself.
    """
    hints = graph.hints
    if not isinstance(hints.get(TEXT), list):
        return None
    try:
        text = json.loads("".join(hints[TEXT]))
        if text["version"] != VERSION:
            return None
        network = _network(graph, text, hints)
    except (HrsnnError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return network if _agrees(graph, text, network) else None


def _network(graph: NirGraph, text: Mapping[str, Any], hints: Mapping[str, Any]) -> Network:
    """The network of the hints with the weights of the graph."""
    populations: list[Population] = []
    first = 0
    for row in text["populations"]:
        size = row["size"]
        if "graded" in row:
            neuron: Any = Input(row["graded"])
        else:
            own = {k: np.asarray(hints[k])[first : first + size] for k in NUMBERS}
            neuron, first = LIF(**own, reset=row["reset"]), first + size
        where = hints.get(f"{POSITIONS}{len(populations)}")
        populations.append(Population(row["name"], size, neuron, row["sign"], where))
    by_name = {p.name: p for p in populations}
    groups = [Group(tuple(by_name[n] for n in g["populations"])) for g in text["groups"]]
    dt = float(text["dt"])
    parts: dict[tuple[str, str, str], list[Any]] = {}
    for entry in text["matrices"]:
        matrix = Matrix(**entry)
        pre, post = groups[matrix.pre], groups[matrix.post]
        weights = graph.nodes[matrix.node].arrays["weight"]
        if weights.shape != (post.size, pre.size):
            raise ValueError(f"{matrix.node}: shape {weights.shape}")
        for a, b in ((a, b) for a in pre.populations for b in post.populations):
            rows, cols = post.places[b.name], pre.places[a.name]
            part = sparse.coo_matrix(weights[rows : rows + b.size, cols : cols + a.size])
            parts.setdefault((a.name, b.name, matrix.target), []).append((part, matrix.latency))
    for row in text["projections"]:  # without a synapse there is no matrix in the file
        shape = (by_name[row["post"]].size, by_name[row["pre"]].size)
        none = (sparse.coo_matrix(shape), 1)
        parts.setdefault((row["pre"], row["post"], row["target"]), [none])
    made = {p.name: p for p in _projections(text, parts, hints, dt)}
    ordered = [made[row["name"]] for row in text["projections"] if row["name"] in made]
    return Network(dt, tuple(populations), tuple(ordered), text["name"]).verify()


def _projections(
    text: Mapping[str, Any],
    parts: Mapping[tuple[str, str, str], Sequence[Any]],
    hints: Mapping[str, Any],
    dt: float,
) -> Iterator[Projection]:
    """All projections; parallel ones are one where the hints do not say which is whose."""
    rows_of: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in text["projections"]:
        rows_of.setdefault((row["pre"], row["post"], row["target"]), []).append(row)
    n_parallel = 0
    for key, named in rows_of.items():
        own = None
        if len(named) > 1:
            own = hints.get(f"{OWNERS}{n_parallel}")
            n_parallel += 1
        synapses = _synapses(parts[key])
        if own is None:
            yield _projection(named[0], synapses, dt)
            continue
        for k, row in enumerate(named):
            yield _projection(row, synapses.of(own == k), dt)


@dataclass(frozen=True, eq=False)
class _Synapses:
    """Entries of matrices of one shape, by latency, row and column: (S,) each."""

    shape: tuple[int, int]
    steps: NDArray[np.int64]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    data: Float

    def of(self, which: NDArray[Any]) -> _Synapses:
        """Some of them; `which` is a mask or an order."""
        arrays = (self.steps, self.rows, self.cols, self.data)
        return _Synapses(self.shape, *(values[which] for values in arrays))


def _synapses(found: Sequence[Any]) -> _Synapses:
    """Those of matrices with their latencies."""
    steps = np.concatenate([np.full(p.nnz, k, dtype=np.int64) for p, k in found])
    rows, cols = (np.concatenate([getattr(p, n) for p, _ in found]) for n in ("row", "col"))
    data = np.concatenate([p.data for p, _ in found])
    whole = _Synapses(found[0][0].shape, steps, rows, cols, data)
    return whole.of(np.lexsort((cols, rows, steps)))


def _projection(row: Mapping[str, Any], synapses: _Synapses, dt: float) -> Projection:
    """One projection of its synapses."""
    s = synapses.of(np.lexsort((synapses.cols, synapses.rows)))
    weights = sparse.csr_matrix((s.data, (s.rows, s.cols)), shape=s.shape)
    if weights.nnz != s.data.size:
        raise ValueError("two delays of one pair of neurons")
    delays: Any = (s.steps - 1) * dt
    if row["target"] == "bias" or not delays.any():
        delays = None
    elif (delays == delays[0]).all():
        delays = float(delays[0])
    return Projection(row["name"], row["pre"], row["post"], weights, delays, target=row["target"])


def _agrees(graph: NirGraph, text: Mapping[str, Any], network: Network) -> bool:
    """Whether the neurons of the graph are those of the hints."""
    dt = network.dt
    for row in text["groups"]:
        members = tuple(network.population(name) for name in row["populations"])
        if members[0].is_input:
            continue
        group, node = Group(members), graph.nodes.get(row["node"])
        if node is None:
            return False
        expected = {"v_threshold": group.gather("v_threshold"), "v_leak": group.gather("bias")}
        times = {"CubaLIF": "tau_mem", "LIF": "tau"}
        if name := times.get(node.type):
            expected[name] = euler(group.gather("tau_mem"), dt)
        if node.type == "CubaLIF":
            expected["tau_syn"] = euler(group.gather("tau_syn"), dt)
        for name, values in expected.items():
            if name in node.arrays and not np.allclose(
                node.arrays[name], values, rtol=TOLERANCE, atol=0.0
            ):
                return False
    return True
