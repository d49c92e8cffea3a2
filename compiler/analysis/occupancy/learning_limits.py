"""What learning needs of a core beside memory: settings of presynaptic traces, and epochs.

A core of Loihi keeps few settings (impulse, tau) of the traces x1 and x2, and one length of the
learning epoch. The synapses of a neuron are all on its core, so what converges on one neuron must
fit; neurons whose synapses follow other rules go to other cores where both do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.hardware_profiles import HardwareProfile

Int = NDArray[np.int64]


def learning_limits(profile: HardwareProfile) -> dict[str, int | None]:
    """Limits per core, by the name of the resource; None where not published."""
    return {"trace_profiles": profile.trace_profiles, "learning_epochs": profile.learning_epochs}


def kinds_of(links: Connectivity, name: str) -> tuple[int, ...]:
    """Per format, which setting of traces (or which epoch) it needs; -1 for none."""
    return links.trace_settings if name == "trace_profiles" else links.epochs


def _needs(links: Connectivity, name: str) -> sparse.csr_matrix:
    """True where a neuron has synapses that need a kind, (n_neurons, n_kinds)."""
    kinds = kinds_of(links, name)
    columns = []
    for kind in sorted(set(kinds) - {-1}):
        patterns = [p for p, k in zip(links.inbound, kinds, strict=True) if k == kind]
        columns.append(np.any([np.diff(p.indptr) > 0 for p in patterns], axis=0))
    if not columns:
        return sparse.csr_matrix((links.n_neurons, 0), dtype=np.bool_)
    return sparse.csr_matrix(np.stack(columns, axis=1))


def needed_per_neuron(links: Connectivity, name: str) -> Int:
    """Settings of traces (or epochs) that the synapses of each neuron need, (n_neurons,)."""
    return np.diff(_needs(links, name).indptr).astype(np.int64)


def attainable_limits(links: Connectivity, profile: HardwareProfile) -> dict[str, int]:
    """Limits raised to what a single neuron needs: no filling of cores could keep less.

    The design rules name the neurons that need too much.
    """
    if not links.learns:
        return {}
    return {
        name: max(limit, int(needed_per_neuron(links, name).max(initial=0)))
        for name, limit in learning_limits(profile).items()
        if limit is not None
    }


def learning_groups(links: Connectivity, profile: HardwareProfile) -> Int | None:
    """Group of every neuron, (n_neurons,), where one core cannot hold the rules of all.

    Neurons whose synapses share what is scarce, directly or through others, are one group; those
    without learning synapses join the first. None when no grouping is needed.
    """
    if not links.learns:
        return None
    scarce = [
        needs
        for name, limit in learning_limits(profile).items()
        if (needs := _needs(links, name)).shape[1] > (np.inf if limit is None else limit)
    ]
    if not scarce:
        return None
    both = sparse.hstack(scarce, format="csr")
    linked = sparse.bmat([[None, both], [both.T, None]], format="csr")
    labels = connected_components(linked, directed=False)[1][: links.n_neurons]
    learns = np.diff(both.indptr) > 0
    groups = np.zeros(links.n_neurons, dtype=np.int64)
    groups[learns] = np.unique(labels[learns], return_inverse=True)[1]
    return groups
