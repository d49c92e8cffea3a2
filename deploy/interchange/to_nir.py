"""A `Network` as a NIR file: the standard graph that any program reads, with hints for this one.

Read by the equations of NIR at the network's step, the file is the network: its parameters are
those with which forward Euler gives the exact decays of a step::

    tau_mem' = dt / (1 - exp(-dt / tau_mem))      tau_syn' = dt / (1 - exp(-dt / tau_syn))
    w_in = tau_syn' / dt      r = 1      v_leak = bias

Populations that can reach each other are one node, since a cycle costs one step, however many nodes
are on it; delays on it come on top. In NIR a spike reaches the next layer in the same step, here in
the next one: what is reached after k steps at the earliest fires k steps earlier in the file, and
longer ways have delays. Biases act from the first step on in either, which is k steps of them more
here. A held current enters behind the synaptic filter: such neurons are an LI and a LIF. NIR has no
sparse weights: all synapses between two nodes become a matrix, one for every delay.

``dialect="snntorch"`` writes what snnTorch's importer takes, see `nir_for_snntorch`.

What NIR cannot hold stands in the hints, a group of the file beside the graph that other programs
do not look at (see `nir_hints`), or is lost, and a finding either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrsnn_lava.artifacts.files import PathLike, atomic_write
from hrsnn_lava.deploy.interchange.nir_file import HINTS
from hrsnn_lava.deploy.interchange.nir_for_snntorch import fitted, gain, snntorch_problems
from hrsnn_lava.deploy.interchange.nir_hints import (
    Group,
    Matrix,
    euler,
    hints_of,
    latencies,
    owners,
    parallel,
)
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import choice
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network

ToDialect = Literal["literal", "snntorch"]
Float = NDArray[np.float64]
#: What files say of their layout: the version of ``nir`` that writes the same.
NIR_VERSION = "1.0.8"
#: Weights in all matrices beyond which a network is refused: 2 GiB of them.
MOST_WEIGHTS = 2**28


@dataclass(frozen=True)
class NirExport:
    """What was written.

    Attributes:
        nodes: type of every node, by name.
        dt: the step in seconds at which the file is to be read.
        early: by how many steps the spikes of every population come earlier than in the network.
        findings: what NIR does not hold.
    """

    nodes: Mapping[str, str]
    dt: float
    early: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass
class Drawing:
    """Nodes and edges on their way to a file.

    Attributes:
        nodes: type and arrays, by name.
        edges: from, to.
    """

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, kind: str, **arrays: Any) -> str:
        """A node; returns its name, which is made unique."""
        unique, k = name, 2
        while unique in self.nodes:
            unique, k = f"{name}_{k}", k + 1
        self.nodes[unique] = {"type": kind, **arrays}
        return unique

    def join(self, *names: str) -> None:
        """Edges from each to the next."""
        self.edges += list(pairwise(names))


@dataclass(frozen=True)
class Ends:
    """Nodes of a group: where synaptic and held currents enter, and where spikes come from."""

    synapse: str
    bias: str
    spikes: str


def to_nir(network: Network, path: PathLike, dialect: ToDialect = "literal") -> NirExport:
    """Write a network as a NIR file.

    Args:
        network: float.
        path: file to write; ``.nir`` by custom.
        dialect: ``literal``, the equations of NIR with hints for this program; or ``snntorch``,
            what its importer takes, without hints.

    Raises:
        SpecError: neurons without a leak that NIR cannot hold; matrices of more than 2 GiB; what
            snnTorch cannot be given.
    """
    network.verify()
    choice("dialect", dialect, get_args(ToDialect))
    groups, fit = groups_of(network), dialect == "snntorch"
    problems = [*_problems(network, groups)]
    problems += snntorch_problems(network, groups) if fit else ()
    raise_if(SpecError, "the network cannot be a NIR file", problems)
    told = findings_of(network)
    if fit:
        told = (f for f in told if f.kind == "nir_plasticity")
        network = fitted(network)
        groups = groups_of(network)
    findings, drawing = tuple(told), Drawing()
    ends = [_add_group(drawing, network, group, fit) for group in groups]
    biased = {k for k, g in enumerate(groups) if fit and not g.is_input and g.gather("bias").any()}
    senders, matrices = set(), []
    for (a, b, target, delay), matrix in sorted(_matrices(network, groups).items()):
        entry = ends[b].bias if target == "bias" else ends[b].synapse
        name = f"{groups[a].name}_to_{groups[b].name}"
        way = [ends[a].spikes]
        own = 1 if a == b else groups[b].early - groups[a].early
        if delay:
            seconds = np.full(groups[a].size, delay * network.dt)
            way.append(drawing.add(f"{name}_delay_{delay}", "Delay", delay=seconds))
        weight = matrix.toarray()
        if not fit:
            way.append(drawing.add(name, "Linear", weight=weight))
        else:
            own_gain = gain(groups[b])
            bias = groups[b].gather("bias") * own_gain * (b in biased)
            biased.discard(b)  # on one of its matrices
            arrays = {"weight": weight * own_gain[:, None], "bias": bias}
            way.append(drawing.add(name, "Affine", **arrays))
        drawing.join(*way, entry)
        matrices.append(Matrix(way[-1], a, b, target, delay + own))
        senders |= {a} - {b}
    neurons = [k for k, group in enumerate(groups) if not group.is_input]
    last = [k for k in neurons if k not in senders]
    for k in last:
        name = "output" if len(last) == 1 else f"output_{groups[k].name}"
        shape = np.array([groups[k].size])
        drawing.join(ends[k].spikes, drawing.add(name, "Output", shape=shape))
    nodes = [end.spikes for end in ends]
    _write(drawing, {} if fit else hints_of(network, groups, nodes, matrices), path)
    early = {p.name: group.early for group in groups for p in group.populations}
    kinds = {name: str(node["type"]) for name, node in drawing.nodes.items()}
    return NirExport(kinds, network.dt, early, findings)


def groups_of(network: Network) -> list[Group]:
    """Populations that reach each other, inputs first, each with the steps that it is early.

    .. math:: k_B = \\min_{A \\to B} (k_A + 1 + d_{AB}), \\quad k = 0 \\text{ for inputs}

    d is the least delay of the synapses in steps; a held current takes no step at all. A group that
    nothing leads to is as early as an input.
    """
    index = {p.name: k for k, p in enumerate(network.populations)}
    ways = [(index[p.pre], index[p.post]) for p in network.projections if p.n_synapses]
    rows, cols = ([way[side] for way in ways] for side in (0, 1))
    n = len(index)
    graph = sparse.coo_matrix((np.ones(len(ways)), (rows, cols)), shape=(n, n))
    _, label = connected_components(graph, connection="strong")
    order = list(dict.fromkeys(int(k) for k in label))
    members = [tuple(p for p in network.populations if label[index[p.name]] == k) for k in order]
    place = {p.name: k for k, group in enumerate(members) for p in group}
    links: dict[tuple[int, int], int] = {}
    for p in network.projections:
        a, b = place[p.pre], place[p.post]
        if a != b and p.n_synapses:
            links[a, b] = min(links.get((a, b), 2**31), int(latencies(p, network.dt).min()))
    reached = {b for _, b in links}
    early = [2**31 if k in reached else 0 for k in range(len(members))]
    for _ in members:  # without cycles, so as many rounds as there are groups do
        for (a, b), steps in links.items():
            early[b] = min(early[b], early[a] + steps)
    return [Group(group, early[k]) for k, group in enumerate(members)]


def _matrices(
    network: Network, groups: Sequence[Group]
) -> dict[tuple[int, int, str, int], sparse.csr_matrix]:
    """Weights between two groups by target and delay in the file, in steps."""
    place = {p.name: k for k, group in enumerate(groups) for p in group.populations}
    found: dict[tuple[int, int, str, int], sparse.csr_matrix] = {}
    for p in network.projections:
        a, b = place[p.pre], place[p.post]
        # within a group NIR takes the one step of a cycle
        own = 1 if a == b else groups[b].early - groups[a].early
        delays, coo = latencies(p, network.dt) - own, p.weights.tocoo()
        rows = coo.row + groups[b].places[p.post]
        cols = coo.col + groups[a].places[p.pre]
        shape = (groups[b].size, groups[a].size)
        for delay in np.unique(delays):
            part = delays == delay
            matrix = sparse.csr_matrix((coo.data[part], (rows[part], cols[part])), shape=shape)
            key = (a, b, p.target, int(delay))
            found[key] = found[key] + matrix if key in found else matrix
    return found


def _add_group(drawing: Drawing, network: Network, group: Group, fit: bool) -> Ends:
    """The node of a group, or its two nodes; for snnTorch without a bias, and with a gain of 1."""
    if group.is_input:
        name = drawing.add(group.name, "Input", shape=np.array([group.size]))
        return Ends(name, name, name)
    dt, ones = network.dt, np.ones(group.size)
    tau_mem, tau_syn = group.gather("tau_mem"), group.gather("tau_syn")
    common = {"v_threshold": group.gather("v_threshold"), "v_reset": 0.0 * ones}
    if np.isinf(tau_mem).all():
        name = drawing.add(group.name, "IF", r=ones / dt, **common)
        return Ends(name, name, name)
    r = euler(tau_mem, dt) / dt if fit else ones
    common |= {"r": r, "v_leak": 0.0 * ones if fit else group.gather("bias")}
    if not tau_syn.any():
        name = drawing.add(group.name, "LIF", tau=euler(tau_mem, dt), **common)
        return Ends(name, name, name)
    if _is_held(network, group):
        filtered = {"tau": euler(tau_syn, dt), "r": euler(tau_syn, dt) / dt, "v_leak": 0.0 * ones}
        current = drawing.add(f"{group.name}_current", "LI", **filtered)
        name = drawing.add(group.name, "LIF", tau=euler(tau_mem, dt), **common)
        drawing.join(current, name)
        return Ends(current, name, name)
    times = {"tau_mem": euler(tau_mem, dt), "tau_syn": euler(tau_syn, dt)}
    w_in = times["tau_syn"] / dt
    name = drawing.add(group.name, "CubaLIF", **times, w_in=w_in, **common)
    return Ends(name, name, name)


def _is_held(network: Network, group: Group) -> bool:
    return any(p.target == "bias" and p.post in group.places for p in network.projections)


def _problems(network: Network, groups: Sequence[Group]) -> Iterator[Problem]:
    total = sum(groups[a].size * groups[b].size for a, b, _, _ in _matrices(network, groups))
    if total > MOST_WEIGHTS:
        fix = "NIR has no sparse weights: prune neurons, or fewer delays"
        yield Problem("weights", f"{total:,} in full matrices", f"at most {MOST_WEIGHTS:,}", fix)
    for group in groups:
        if group.is_input:
            continue
        leaks = ~np.isinf(group.gather("tau_mem"))
        where = f"populations {', '.join(group.places)}"
        if leaks.all():
            continue
        if leaks.any():
            allowed = "all with a leak, or none, where they reach each other"
            yield Problem(f"{where}.tau_mem", "infinite for some", allowed)
        elif group.gather("tau_syn").any() or group.gather("bias").any():
            measured = "infinite, with a synaptic filter or a bias"
            yield Problem(f"{where}.tau_mem", measured, "a leak: NIR's IF has neither")


def findings_of(network: Network) -> Iterator[Finding]:
    """What of a network stands in hints alone, or is lost."""
    hinted = "only this program finds it, in the hints"
    held = [p.name for p in network.compute_populations if p.parameter("refractory").any()]
    if held:
        yield Finding(
            "warning",
            f"populations {', '.join(held)}",
            "refractory periods",
            f"NIR has none; {hinted}",
            kind="nir_refractory",
        )
    resets = {getattr(p.lif, "reset", "zero") for p in network.compute_populations} - {"zero"}
    if resets:
        yield Finding(
            "warning",
            "reset",
            ", ".join(sorted(resets)),
            f"NIR does not say how a neuron is reset; {hinted}: tell other programs",
            kind="nir_reset",
        )
    learning = [p.name for p in network.projections if p.plasticity is not None]
    if learning:
        yield Finding(
            "warning",
            f"projections {', '.join(learning)}",
            "learning rules",
            "NIR has none: the weights are written, the rules are lost",
            kind="nir_plasticity",
        )
    for together in parallel(network):
        if owners(together, network.dt) is None:
            yield Finding(
                "note",
                f"projections {', '.join(p.name for p in together)}",
                "have synapses of the same two neurons that arrive in the same step",
                "they come back as one",
                kind="nir_merged",
            )


def _write(drawing: Drawing, hints: Mapping[str, Any], path: PathLike) -> None:
    """The file, whole or not at all; equal networks give equal bytes."""
    import h5py

    def put(group: Any, content: Mapping[str, Any]) -> None:
        for key, value in content.items():
            if isinstance(value, Mapping):
                put(group.create_group(key), value)
            elif isinstance(value, (str, list)):
                group.create_dataset(key, data=value, dtype=h5py.string_dtype())
            else:
                packed = {"compression": "gzip"} if value.ndim else {}
                group.create_dataset(key, data=value, **packed)

    edges = np.array(drawing.edges, dtype=object)
    content = BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("version", data=NIR_VERSION, dtype=h5py.string_dtype())
        if hints:
            put(file.create_group(HINTS), hints)
        root = file.create_group("node")
        root.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
        put(root, {"type": "NIRGraph", "nodes": drawing.nodes})
    with atomic_write(path) as handle:
        handle.write(content.getvalue())
