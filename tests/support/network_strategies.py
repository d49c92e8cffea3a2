"""Generated integer networks, with the extremes that make u wrap and v saturate."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.trace import SpikeInput

EDGE = {
    "du": [-1, 0, 1, 4094, 4095],
    "dv": [0, 1, 4095, 4096],
    "vth": [0, 1, 100, 131071],
    "bias_mant": [-4096, -1, 0, 1, 4095],
    "bias_exp": [0, 6, 7],
    "refractory": [0, 1, 2, 63],
}
COMMON = {
    "du": (100, 2000),
    "dv": (50, 1500),
    "vth": (10, 2000),
    "bias_mant": (-200, 1500),
    "bias_exp": (0, 7),
    "refractory": (0, 4),
}


@st.composite
def neuron_field(draw, field: str, size: int):
    """Values of one field: common ones, or the ends of its range, mixed neuron by neuron."""
    one = st.one_of(st.sampled_from(EDGE[field]), st.integers(*COMMON[field]))
    return np.array(draw(st.lists(one, min_size=size, max_size=size)), dtype=np.int32)


@st.composite
def populations(draw, name: str, max_size: int):
    """A population with per-neuron values of every field."""
    size = draw(st.integers(1, max_size))
    fields = {field: draw(neuron_field(field, size)) for field in EDGE}
    return QuantizedPopulation(name, size, **fields)


@st.composite
def weight_matrices(draw, n_post: int, n_pre: int):
    """A random pattern of weights, inside and outside the 8-bit range."""
    seed = draw(st.integers(0, 2**32 - 1))
    density = draw(st.sampled_from([0.1, 0.5, 1.0]))
    spread = draw(st.sampled_from([3, 60, 255, 1000]))
    rng = np.random.default_rng(seed)
    dense = rng.integers(-spread, spread + 1, (n_post, n_pre))
    dense[rng.random((n_post, n_pre)) >= density] = 0
    return sparse.csr_matrix(dense.astype(np.int32))


@st.composite
def projections(draw, name: str, pre, post, delays: bool):
    """A projection with any exponent, sign mode and number of bits."""
    weights = draw(weight_matrices(post.size, pre.size))
    steps = None
    if delays and weights.nnz:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        steps = rng.choice([0, 1, 5, 62], weights.nnz)
    graded = pre.is_input and pre.payload_scale is not None
    return QuantizedProjection(
        name,
        pre.name,
        post.name,
        weights,
        weight_exp=draw(st.integers(-7, 7)),
        sign_mode=draw(st.sampled_from(list(SignMode))),
        num_weight_bits=draw(st.integers(1, 8)),
        delays=steps,
        num_message_bits=24 if graded else 0,
    )


@st.composite
def networks(draw, max_size: int = 12, delays: bool = False):
    """A recurrent network of one or two populations, with or without an input."""
    groups = [draw(populations(name, max_size)) for name in draw(st.sampled_from(["a", "ab"]))]
    inputs = []
    if draw(st.booleans()):
        scale = draw(st.sampled_from([None, 64.0]))
        inputs = [QuantizedInput("inp", draw(st.integers(1, 4)), scale)]
    joined = [
        draw(projections(f"{pre.name}_{post.name}", pre, post, delays and draw(st.booleans())))
        for pre in [*inputs, *groups]
        for post in groups
        if pre is post or draw(st.booleans())
    ]
    return QuantizedNetwork((*inputs, *groups), tuple(joined)).verify()


@st.composite
def driven_networks(draw, steps: int = 40, max_size: int = 12, delays: bool = False):
    """A network and an input that fits it (None when it has no input)."""
    network = draw(networks(max_size, delays))
    if network.n_inputs == 0:
        return network, None
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    active = rng.random((steps, network.n_inputs)) < draw(st.sampled_from([0.05, 0.5]))
    at, who = np.nonzero(active)
    payloads = None
    if network.input_populations[0].payload_scale is not None:
        size = draw(st.sampled_from([10, 2**15, 2**20]))
        payloads = rng.integers(-size, size + 1, at.size)
    return network, SpikeInput(at, who, steps, network.n_inputs, payloads)
