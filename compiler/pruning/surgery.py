"""Take synapses or neurons out of a network, with everything that hangs on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.csr import rows_of, select, select_values, with_values
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF_FIELDS, Network, Population, Projection
from hrsnn_lava.plasticity import STDP

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
PER_SYNAPSE = ("a_plus", "a_minus", "tau_plus", "tau_minus", "w_max")


def keep_synapses(
    network: Network, edges: RecurrentEdges, keep: Bool, gain: Float | None = None
) -> Network:
    """Drop recurrent synapses and scale those that stay.

    Delays and learning parameters go along. A learning rule's upper bound is scaled as its weight
    is, so that a rescaled weight keeps its distance from the bound (our choice).

    Args:
        edges: all recurrent synapses of `network`, as from `recurrent_edges`.
        keep: (E,) which to keep.
        gain: (E,) factors > 0; None leaves the weights as they are.
    """
    for k, name in enumerate(edges.names):
        part = slice(int(edges.bounds[k]), int(edges.bounds[k + 1]))
        projection = network.projection(name)
        factor = None if gain is None else gain[part]
        network = network.with_projection(_select(projection, keep[part], factor))
    return network


def _select(projection: Projection, keep: Bool, gain: Float | None) -> Projection:
    weights = select(projection.weights, keep)
    if gain is not None:
        weights = with_values(weights, weights.data * gain[keep])
    rule = projection.plasticity
    return replace(
        projection,
        weights=weights,
        delays=select_values(projection.delays, keep),
        plasticity=None if rule is None else _select_plasticity(rule, keep, gain),
    )


def _select_plasticity(rule: STDP, keep: Bool, gain: Float | None) -> STDP:
    fields = {name: select_values(getattr(rule, name), keep) for name in PER_SYNAPSE}
    if gain is not None and fields["w_max"] is not None and np.any(gain[keep] != 1.0):
        fields["w_max"] = fields["w_max"] * gain[keep]
    return replace(rule, **fields)


def drop_neurons(network: Network, keep: Bool) -> Network:
    """Take neurons out, with all their synapses, input weights included.

    Args:
        keep: (N,) which neurons to keep, in global order (inputs not counted).

    Raises:
        SpecError: wrong shape, or a population would be left empty.
    """
    keep = np.asarray(keep, dtype=np.bool_)
    if keep.shape != (network.n_neurons,):
        raise SpecError(f"keep has shape {keep.shape}; allowed: ({network.n_neurons},)")
    masks = {}
    for population in network.populations:
        start = network.offset(population.name)
        mask = keep[start : start + population.size]
        if population.is_input:
            mask = np.ones(population.size, dtype=np.bool_)
        if not mask.any():
            raise SpecError(f"population {population.name!r} would be left without a neuron")
        masks[population.name] = mask
    populations = tuple(_shrink(p, masks[p.name]) for p in network.populations)
    projections = tuple(_restrict(p, masks[p.post], masks[p.pre]) for p in network.projections)
    return replace(network, populations=populations, projections=projections)


def _shrink(population: Population, mask: Bool) -> Population:
    if population.is_input or mask.all():
        return population
    positions = None if population.positions is None else np.asarray(population.positions)[mask]
    fields: dict[str, Any] = {f: population.parameter(f)[mask] for f in LIF_FIELDS}
    neuron = replace(population.lif, **fields)
    size = int(np.count_nonzero(mask))
    return replace(population, size=size, neuron=neuron, positions=positions)


def _restrict(projection: Projection, post: Bool, pre: Bool) -> Projection:
    if post.all() and pre.all():
        return projection
    csr = projection.weights
    inside = post[rows_of(csr)] & pre[csr.indices]
    smaller = _select(projection, inside, None)
    # Dropping whole rows and columns keeps the order of the stored weights, hence of the delays.
    return replace(smaller, weights=smaller.weights[post][:, pre].sorted_indices())


def synapse_report(network: Network, edges: RecurrentEdges, keep: Bool) -> dict[str, Any]:
    """Synapses before and after, in all and per projection, and neurons that are left without.

    ``without_input`` and ``without_output`` count neurons that no recurrent synapse reaches, or
    that send along none, afterwards.
    """
    return replaced_report(network, edges, edges.select(keep))


def replaced_report(
    network: Network, before: RecurrentEdges, after: RecurrentEdges
) -> dict[str, Any]:
    """`synapse_report` of any other synapses of the same neurons and projections."""
    sizes = zip(before.names, np.diff(before.bounds), np.diff(after.bounds), strict=True)
    n = before.n_neurons
    return {
        "synapses_before": before.n_edges,
        "synapses_after": after.n_edges,
        "density_kept": after.n_edges / before.n_edges if before.n_edges else 1.0,
        "input_synapses": network.n_synapses - before.n_edges,
        "without_input": n - int(np.unique(after.post).size),
        "without_output": n - int(np.unique(after.pre).size),
        "projections": {name: {"before": int(b), "after": int(a)} for name, b, a in sizes},
    }


def pruned_synapses(
    before: Network, after: Network, survivors: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Recurrent synapses between the same neurons that one network has and the other has not.

    Args:
        before, after: networks before and after pruning.
        survivors: (n_neurons of `after`,) index in `before` of every neuron of `after`, as the
            reports of passes that drop neurons have it under ``kept``; None where all stayed.

    Returns:
        (P, 2) post and pre, as `after` numbers them, sorted.

    Raises:
        SpecError: `survivors` does not fit the networks.
    """
    n, n_before = after.n_neurons, before.n_neurons
    places = np.arange(n_before) if survivors is None else np.asarray(survivors)
    if places.shape != (n,) or (n and not 0 <= places.min() <= places.max() < n_before):
        allowed = f"({n},) indices from 0 to {n_before - 1}"
        raise SpecError(f"survivors: shape {places.shape}; allowed: {allowed}")
    number = np.full(n_before, -1, dtype=np.int64)
    number[places] = np.arange(n)
    old, new = recurrent_edges(before), recurrent_edges(after)
    post, pre = number[old.post], number[old.pre]
    there = (post >= 0) & (pre >= 0)
    keys = np.setdiff1d(post[there] * n + pre[there], new.post * n + new.pre)
    return np.stack(np.divmod(keys, max(n, 1)), axis=1)
