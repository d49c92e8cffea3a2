"""Networks for the fast paths of native learning: long lines, and values at the ends of ranges.

Sizes are large enough that loops over a line run in full registers and in remainders, and that
pieces of the storage do not end where a line does.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hrsnn_lava import SpikeInput
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.seeding import generator

#: What a rule is made of, see `rule_of`.
KINDS = ("pairs", "amplitudes", "eligibility", "leak", "timed", "any form")
GRADED = ("regular", "overwrite", "add_saturating", "add_overflow")
STEPS = 24


def case(seed: int, kind: str, profiles: int, t_epoch: int, graded: str | None):
    """A network of one recurrent population, with the input of `STEPS` steps.

    Args:
        seed: of everything that is drawn.
        kind: one of `KINDS`.
        profiles: rules of each projection; with several one of them is followed by no synapse.
        t_epoch: steps of an epoch.
        graded: mode of the input's payloads, which learns too; None: spikes that count one.
    """
    rng = generator(seed, f"fast learning/{kind}/{profiles}/{t_epoch}/{graded}")
    n_in, n = int(rng.integers(5, 30)), int(rng.integers(18, 44))
    neurons = QuantizedPopulation(
        "a",
        n,
        du=rng.integers(300, 3000, n),
        dv=rng.integers(50, 2000, n),
        vth=rng.integers(50, 2000, n),
        bias_mant=rng.integers(0, 3000, n),
        bias_exp=2,
    )
    inputs = QuantizedInput("in", n_in)
    sign = SignMode(rng.choice([mode.value for mode in SignMode]))
    projections = []
    for name, pre, n_pre in (("in_a", "in", n_in), ("a_a", "a", n)):
        weights = rng.integers(1, int(rng.choice([20, 255, 3000])), (n, n_pre))
        if sign is SignMode.INHIBITORY:
            weights = -weights
        elif sign is SignMode.MIXED:
            weights *= rng.choice([-1, 1], weights.shape)
        weights *= rng.random(weights.shape) < rng.choice([0.3, 0.9])
        matrix = sparse.csr_matrix(weights.astype(np.int32))
        mode = graded if pre == "in" and graded else "regular"
        projections.append(
            QuantizedProjection(
                name,
                pre,
                "a",
                matrix,
                int(rng.integers(0, 2)),
                sign,
                num_message_bits=8 if pre == "in" and graded else 0,
                learning=learning_of(rng, kind, profiles, t_epoch, matrix.nnz, mode),
            )
        )
    network = QuantizedNetwork((inputs, neurons), tuple(projections)).verify()
    at, who = np.nonzero(rng.random((STEPS, n_in)) < rng.choice([0.1, 0.5]))
    payloads = None
    if graded:
        largest = int(rng.choice([4, 255]))
        payloads = rng.integers(1, largest + 1, at.size)
    return network, SpikeInput(at, who, STEPS, n_in, payloads)


def learning_of(rng, kind, profiles, t_epoch, n_synapses, mode):
    """Learning with tags at and between the ends of their ranges."""
    decimate = int(rng.integers(0, 2)) if kind in ("leak", "timed", "any form") else None
    shape = int(rng.integers(0, 1000))
    rules = []
    for _ in range(profiles):
        # one form for all profiles, or one for each
        form = generator(shape if kind != "any form" else int(rng.integers(0, 1000)), "form")
        rules.append(rule_of(rng, form, kind, t_epoch, decimate))
    tags = (
        rng.choice([-256, -128, -1, 0, 3, 40, 255], n_synapses),
        rng.integers(0, 256, n_synapses),
    )
    if rng.random() < 0.3:
        tags = (-256, 0)
    profile = rng.integers(0, max(profiles - 1, 1), n_synapses)
    return Learning(tuple(rules), profile, *tags, mode, bool(rng.integers(0, 2)))


def rule_of(rng, form, kind, t_epoch, decimate):
    """A rule; `form` draws what its profiles share, `rng` the scales and traces."""

    def product(dependency, *factors):
        exponent = rng.integers(-7, 9) if rng.random() < 0.3 else rng.integers(-6, 1)
        return Product(dependency, int(rng.integers(-8, 8)), int(exponent), factors)

    def constant():
        return int(form.choice([0, 0, 1, -7, 64, -128, 127]))

    x, y = Factor("x1", constant()), Factor("y1", constant())
    pairs = (product("x0", y), product("y0", x))
    if form.random() < 0.5:
        pairs = pairs[::-1]
    targets = {"dw": pairs}
    if kind == "pairs" and form.random() < 0.3:
        targets = {"dw": pairs[: int(form.integers(1, 3))]}
    elif kind == "amplitudes":
        targets = {"dw": (product("x0", y, Factor("d")), product("y0", x, Factor("t", constant())))}
    elif kind == "eligibility":
        targets = {
            "dt": pairs,
            "dw": (product("x0", Factor("t")), product("y0", Factor("t", sign=True), Factor("y0"))),
            "dd": (product("y0", Factor("w"), Factor("x0", 1)),),
        }
    elif kind == "leak":
        targets = {
            "dw": (*pairs, product("u", Factor("w"))),
            "dt": (product("u", Factor("t", constant())), product("x0", Factor("y2"))),
            "dd": (product("y0", Factor("x2")), product("u", Factor("w", sign=True), Factor("t"))),
        }
        targets = {name: targets[name] for name in form.choice(list(targets), 2, replace=False)}
    elif kind == "timed":
        targets = {
            "dw": (product("u", x, y), product("x0", Factor("x0"), Factor("y3"), Factor("x2"))),
            "dt": (
                product("y0", Factor("y2"), Factor("x1")),
                product("u", Factor("y0"), Factor("x0", -1)),
            ),
        }
    elif kind == "any form":
        targets = {
            name: tuple(
                product(
                    str(form.choice(["x0", "y0", "u"])),
                    *(
                        Factor(str(v), constant())
                        for v in form.choice(["x1", "y1", "x0", "y0", "w", "d", "t"], 2)
                    ),
                )
                for _ in range(int(form.integers(1, 3)))
            )
            for name in ("dw", "dd", "dt")
        }
    impulses, taus = [0, 1, 16, 20.5, 127], [0, 0.5, 3, 20, 1000]
    traces = {
        name: Trace(float(rng.choice(impulses)), float(rng.choice(taus)))
        for name in ("x1", "x2", "y1", "y2", "y3")
    }
    return LearningRule(
        **targets, **traces, t_epoch=t_epoch, decimate_exponent=decimate, rng_seed=3
    )
