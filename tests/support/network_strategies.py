"""Generated integer networks, with the extremes that make u wrap and v saturate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import (
    SYNAPTIC,
    TRACES,
    Factor,
    Learning,
    LearningRule,
    Product,
    Trace,
)
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.resets import RESETS, sends_several
from hrsnn_lava.trace import SpikeInput


def collected(strategy, count, number=0):
    """`count` values of a strategy, the same ones in every run of a profile that derandomizes.

    For runs in Lava, which pay off in batches: one child process for many networks. `number`
    tells apart collections that should differ.
    """
    found = []
    phases, checks = [Phase.generate], [*HealthCheck]

    @seed(number)
    @settings(max_examples=count, database=None, phases=phases, suppress_health_check=checks)
    @given(strategy)
    def take(value):
        found.append(value)

    take()
    return found


def check_in_runs(check, *strategies, examples, runs=6):
    """Hold a property for `examples` values in all, drawn in several runs of hypothesis.

    Within one run choices are correlated: some have a hundred networks without a graded input.
    """
    for number in range(runs):
        seed(number)(settings(max_examples=examples // runs)(given(*strategies)(check)))()


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
def populations(draw, name: str, max_size: int, resets: bool = False):
    """A population with per-neuron values of every field, and any reset if asked for."""
    size = draw(st.integers(1, max_size))
    fields = {field: draw(neuron_field(field, size)) for field in EDGE}
    reset = draw(st.sampled_from(RESETS)) if resets else "zero"
    if reset != "zero":
        fields["refractory"] = 0
    if reset == "subtract_all":
        fields["vth"] = np.maximum(fields["vth"], 1)
    return QuantizedPopulation(name, size, **fields, reset=reset)


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
    graded = sends_several(pre) or (pre.is_input and pre.payload_scale is not None)
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
def networks(draw, max_size: int = 12, delays: bool = False, resets: bool = False):
    """A recurrent network of one or two populations, with or without an input."""
    names = draw(st.sampled_from(["a", "ab"]))
    groups = [draw(populations(name, max_size, resets)) for name in names]
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
def driven_networks(
    draw, steps: int = 40, max_size: int = 12, delays: bool = False, resets: bool = False
):
    """A network and an input that fits it (None when it has no input)."""
    network = draw(networks(max_size, delays, resets))
    return network, draw(inputs_for(network, steps))


@st.composite
def inputs_for(draw, network, steps: int):
    """Random events for a network's inputs; None when it has none."""
    if network.n_inputs == 0:
        return None
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    active = rng.random((steps, network.n_inputs)) < draw(st.sampled_from([0.05, 0.5]))
    at, who = np.nonzero(active)
    payloads = None
    if network.input_populations[0].payload_scale is not None:
        size = draw(st.sampled_from([10, 2**8, 2**15, 2**20, 2**31 - 1]))
        payloads = rng.integers(-size, size, at.size, endpoint=True)
    return SpikeInput(at, who, steps, network.n_inputs, payloads)


# --- learning -------------------------------------------------------------------------------

CONSTANTS = [0, 0, 0, 1, -1, 5, -7, 64, -128, 127]


@st.composite
def factors(draw, synaptic: bool):
    """A factor: traces for the most part, synaptic variables and their signs if allowed."""
    names = [*TRACES, *TRACES, "x0", "y0"] + ([*SYNAPTIC, *SYNAPTIC] if synaptic else [])
    variable = draw(st.sampled_from(names))
    sign = variable in SYNAPTIC and draw(st.booleans())
    return Factor(variable, draw(st.sampled_from(CONSTANTS)), sign)


@st.composite
def products(draw, synaptic: bool):
    """A product with any dependency, scale and up to three factors."""
    return Product(
        draw(st.sampled_from(["x0", "x0", "y0", "y0", "u"])),
        draw(st.integers(-8, 7)),
        draw(st.integers(-7, 8) if draw(st.booleans()) else st.integers(-4, 2)),
        tuple(draw(st.lists(factors(synaptic), max_size=3))),
    )


def draw_pair(draw):
    """The products of pair STDP, in either order: what most networks learn with."""
    pair = [
        Product("x0", draw(st.integers(-8, 7)), draw(st.integers(-6, 3)), (Factor("y1"),)),
        Product("y0", draw(st.integers(-8, 7)), draw(st.integers(-6, 3)), (Factor("x1"),)),
    ]
    return tuple(pair if draw(st.booleans()) else reversed(pair))


@st.composite
def rules(draw, t_epoch: int, decimate_exponent: int, seed: int, kind: str):
    """A rule of a kind: "pair" STDP, products of traces alone ("traces"), or anything ("any")."""
    targets = {"dw": draw_pair(draw)}
    if kind != "pair":
        synaptic = kind == "any"
        some = st.lists(products(synaptic), max_size=3).map(tuple)
        targets = {"dw": draw(some), "dd": draw(some), "dt": draw(some)}
        if not any(targets.values()):
            targets["dw"] = (draw(products(synaptic)),)
    impulses = st.one_of(
        st.integers(0, 127), st.sampled_from([0.5, 16.25, 3.49, 126.998, 20.001, 7.75])
    )
    taus = st.sampled_from([0, 0.5, 1, 2.4, 10, 20, 33.3, 1000])
    traces = {name: Trace(draw(impulses), draw(taus)) for name in TRACES}
    uses_u = any(p.dependency == "u" for part in targets.values() for p in part)
    return LearningRule(
        **targets,
        **traces,
        t_epoch=t_epoch,
        decimate_exponent=decimate_exponent if uses_u else None,
        rng_seed=seed,
    )


@st.composite
def learnings(draw, n_synapses: int, graded: bool, kind: str, most_profiles: int):
    """Learning with one to three profiles, tags per synapse or one for all."""
    n_profiles = draw(st.integers(1, most_profiles))
    t_epoch, k = draw(st.integers(1, 8)), draw(st.integers(0, 2))
    seed = draw(st.integers(0, 2**31))
    made = tuple(draw(rules(t_epoch, k, seed, kind)) for _ in range(n_profiles))
    if len({rule.decimate_exponent for rule in made}) > 1:
        made = tuple(replace(rule, decimate_exponent=k) for rule in made)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tag_1, tag_2 = draw(st.integers(-256, 255)), draw(st.integers(0, 255))
    if draw(st.booleans()):
        tag_1 = rng.integers(-256, 256, n_synapses)
        tag_2 = rng.integers(0, 256, n_synapses)
    modes = ["regular", "overwrite", "add_saturating", "add_overflow"]
    return Learning(
        made,
        rng.integers(0, n_profiles, n_synapses) if n_profiles > 1 else None,
        tag_1,
        tag_2,
        draw(st.sampled_from(modes)) if graded else "regular",
        draw(st.booleans()),
    )


@st.composite
def learning_networks(draw, max_size: int = 12, resets: bool = False):
    """A recurrent network with one to three learning projections beside fixed ones."""
    base = draw(networks(max_size, True, resets))
    several = {p.name for p in base.populations if sends_several(p)}  # no rule says what they do
    plain = [p for p in base.projections if p.n_synapses and not several & {p.pre, p.post}]
    if not plain:
        return base
    chosen = draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3, unique_by=id))
    # graded inputs are rare by chance and have modes of their own: where there are any, they learn
    payloads = [p for p in plain if p.num_message_bits and all(p is not c for c in chosen)]
    if payloads:
        chosen = [*chosen, payloads[0]]
    for projection in chosen:
        graded = projection.num_message_bits > 0
        kind = draw(st.sampled_from(["pair", "traces", "any"]))
        most = 3 if projection.weight_exp >= 0 else 1
        learning = draw(learnings(projection.n_synapses, graded, kind, most))
        base = base.with_projection(replace(projection, delays=None, learning=learning))
    return base.verify()


@st.composite
def driven_learning_networks(draw, steps: int = 40, max_size: int = 12, resets: bool = False):
    """A learning network and an input that fits it."""
    network = draw(learning_networks(max_size, resets))
    return network, draw(inputs_for(network, steps))
