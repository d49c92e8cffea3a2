"""What snnTorch's importer takes of NIR, and a network in that form.

It reads every file at a step of 1e-4 s, takes one threshold for a layer, and asserts that the gain
of a neuron is 1::

    r = tau_mem' / dt      w_in = tau_syn' / dt      v_threshold = 1      v_leak = 0

(``snntorch/import_nir.py`` of 1.0.0). What it builds is reset at once, ``reset_delay=False``, where
neurons that are built without a word stay at zero for a step, see the dialect `snntorch`. So
thresholds and gains go into the weights, times are stretched to its step, and a bias becomes that
of the Affine before the layer. It has no delays, and what it does with recurrent graphs is not what
NIR says: such networks are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.deploy.interchange.nir_hints import Group, euler, latencies
from hrsnn_lava.errors import Problem
from hrsnn_lava.network import Network

#: Step at which it reads any file, in seconds.
DT = 1e-4


def fitted(network: Network) -> Network:
    """The same network with all thresholds 1, and times in its steps: the same spikes."""
    stretch = DT / network.dt
    scale = {p.name: 1.0 / p.parameter("v_threshold") for p in network.compute_populations}
    populations = [
        p
        if p.is_input
        else p.with_parameters(
            tau_mem=p.parameter("tau_mem") * stretch,
            tau_syn=p.parameter("tau_syn") * stretch,
            v_threshold=1.0,
            bias=p.parameter("bias") * scale[p.name],
            refractory=p.parameter("refractory") * stretch,
        )
        for p in network.populations
    ]
    projections = [
        replace(
            p,
            weights=p.weights.multiply(scale[p.post][:, None]).tocsr(),
            delays=None if p.delays is None else np.asarray(p.delays) * stretch,
            plasticity=None,
        )
        for p in network.projections
    ]
    return Network(DT, tuple(populations), tuple(projections), network.name)


def gain(group: Group) -> NDArray[np.float64]:
    """Share of its drive by which a neuron's potential moves in a step: the weights take it up."""
    found: NDArray[np.float64] = DT / euler(group.gather("tau_mem"), DT)
    return found


def snntorch_problems(network: Network, groups: Sequence[Group]) -> Iterator[Problem]:
    """What of a network snnTorch cannot be given."""
    hidden = [g for g in groups if not g.is_input]
    place = {p.name: k for k, g in enumerate(groups) for p in g.populations}
    for group in hidden:
        where = f"populations {', '.join(group.places)}"
        inside = [
            p for p in network.projections if p.pre in group.places and p.post in group.places
        ]
        if any(p.n_synapses for p in inside):
            allowed = "feed-forward: its importer does not do there what NIR says"
            yield Problem(where, "recurrent synapses", allowed)
        if np.isinf(group.gather("tau_mem")).any():
            yield Problem(
                f"{where}.tau_mem", "infinite", "a leak: it reads NIR's IF with beta = .9"
            )
        if group.gather("bias").any() and group.gather("tau_syn").any():
            yield Problem(f"{where}.bias", "not 0, with a synaptic filter", "0: it has no v_leak")
    for population in network.compute_populations:
        reset = population.lif.reset
        if reset != "zero":
            yield Problem(f"population {population.name!r}.reset", reset, "zero: no file says it")
        if np.any(population.parameter("refractory")):
            where = f"population {population.name!r}.refractory"
            yield Problem(where, "not 0", "0: a Leaky and a Synaptic have none")
    for p in network.projections:
        if p.target == "bias":
            yield Problem(f"projection {p.name!r}", "a held current", "synapses")
        elif p.n_synapses and place[p.pre] != place[p.post]:
            early = groups[place[p.post]].early - groups[place[p.pre]].early
            if np.any(latencies(p, network.dt) != early):
                text = "spikes that arrive later than those of other ways"
                yield Problem(
                    f"projection {p.name!r}", text, "no delays, no ways that skip a layer"
                )
