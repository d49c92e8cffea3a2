"""Generated networks whose rules have a third factor, with the extremes of what can be sent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from network_strategies import learning_networks, projections

from hrsnn_lava.quantized import QuantizedInput, QuantizedNetwork
from hrsnn_lava.third_factor import RECEIVED_TAU, ThirdFactor
from hrsnn_lava.trace import SpikeInput

#: Largest payloads: within a trace, about its ends with a constant, beyond 16 bits, all 32.
PAYLOADS = [1, 5, 130, 258, 40_000, 2**31 - 1]


@st.composite
def third_factor_networks(draw, max_size: int = 8):
    """A learning network in which most learning projections have a third factor."""
    base = draw(learning_networks(max_size))
    made: dict[str, QuantizedInput] = {}
    for projection in base.projections:
        if projection.learning is None or not draw(st.sampled_from([True, True, True, False])):
            continue
        size = base.population(projection.post).size
        base, third = draw_third_factor(draw, base, projection, size, made)
        taus = st.sampled_from([RECEIVED_TAU, RECEIVED_TAU, 0.5, 3.0, 1000.0])
        rules = tuple(
            replace(
                rule,
                **{
                    y: replace(getattr(rule, y), impulse=draw(st.sampled_from([0, 0, 7.5])), tau=t)
                    for y in ("y1", "y2", "y3")
                    for t in [draw(taus)]
                },
            )
            for rule in projection.learning.rules
        )
        learning = replace(projection.learning, rules=rules, third_factor=third)
        base = base.with_projection(replace(projection, learning=learning))
    return base.verify()


def draw_third_factor(draw, network, projection, size, made):
    """Senders of y1, y2 and y3: nobody, neurons, inputs, or connections of their own."""
    senders = {"y0": draw(st.sampled_from([True, True, True, False]))}
    for y in ("y1", "y2", "y3"):
        kind = draw(st.sampled_from(["none", "neurons", "input", "input", "connection"]))
        if kind == "neurons":
            alike = [p.name for p in network.compute_populations if p.size == size]
            senders[y] = draw(st.sampled_from(alike))
        elif kind == "input":
            scale = draw(st.sampled_from([None, 1.0, 1.0]))
            name = f"reward_{size}_{scale}"
            if name not in made:
                made[name] = QuantizedInput(name, size, scale)
                populations = (*network.populations, made[name])
                network = replace(network, populations=populations)
            senders[y] = name
        elif kind == "connection":
            pre = draw(st.sampled_from(network.populations))
            post = network.population(projection.post)
            name = f"{projection.name}_{y}"
            factor = draw(projections(name, pre, post, draw(st.booleans())))
            if not factor.n_synapses:
                continue
            factor = replace(factor, target="factor")
            every = (*network.projections, factor)
            network = QuantizedNetwork(network.populations, every, network.name, network.dt)
            senders[y] = name
    return network, ThirdFactor(**senders)


@st.composite
def factor_inputs(draw, network, steps: int):
    """Events for all inputs, with payloads of any size where an input has some."""
    if network.n_inputs == 0:
        return None
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    active = rng.random((steps, network.n_inputs)) < draw(st.sampled_from([0.05, 0.5, 0.9]))
    at, who = np.nonzero(active)
    sizes = [1 if p.payload_scale is None else 0 for p in network.input_populations]
    binary = np.repeat(sizes, [p.size for p in network.input_populations]).astype(bool)
    if binary.all():
        return SpikeInput(at, who, steps, network.n_inputs)
    size = draw(st.sampled_from(PAYLOADS))
    payloads = rng.integers(-size - (size == 2**31 - 1), size, at.size, endpoint=True)
    payloads[binary[who]] = 1
    return SpikeInput(at, who, steps, network.n_inputs, payloads)


@st.composite
def driven_third_factor_networks(draw, steps: int = 40, max_size: int = 8):
    """A network with third factors and an input that fits it."""
    network = draw(third_factor_networks(max_size))
    return network, draw(factor_inputs(network, steps))
