"""Senders of a third factor: what is wrong with them, and their way through a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hrsnn_lava import QuantizedInput, QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, Trace
from hrsnn_lava.errors import NetworkError
from hrsnn_lava.network import Projection
from hrsnn_lava.third_factor import RECEIVED_TAU, ThirdFactor

RULE = LearningRule(dw=(Product("x0", 1, 0, (Factor("y2"),)),), y2=Trace(0, RECEIVED_TAU))


def network(third, rule=RULE, **factor):
    neurons = QuantizedPopulation("a", 3, du=100, dv=100, vth=100)
    learning = Learning((rule,), third_factor=third)
    plastic = QuantizedProjection("p", "a", "a", np.ones((3, 3)), learning=learning)
    populations = (QuantizedInput("three", 3), QuantizedInput("one", 1), neurons)
    options = {"name": "f", "pre": "one", "post": "a", "weights": np.ones((3, 1))} | factor
    extra = (QuantizedProjection(**options, target="factor"),) if factor else ()
    return QuantizedNetwork(populations, (plastic, *extra))


def problems(*args, **options):
    with pytest.raises(NetworkError) as caught:
        network(*args, **options).verify()
    return [str(problem) for problem in caught.value.problems]


WHERE = "projection 'p'.learning.third_factor.y2"


@pytest.mark.parametrize(
    ("third", "options", "found"),
    [
        (
            ThirdFactor(y2="no"),
            {},
            f"{WHERE}: 'no', which is not there; allowed: one population, or projection with "
            'target="factor"',
        ),
        (
            ThirdFactor(y2="p"),
            {},
            f"{WHERE}: 'p', which is not there; allowed: one population, or projection with "
            'target="factor"',
        ),
        (
            ThirdFactor(y2="one"),
            {},
            f"{WHERE}: 'one' of size 1; allowed: 3, one for each neuron. Put a projection with "
            'target="factor" between',
        ),
        (
            ThirdFactor(y2="three"),
            {"name": "f"},
            "projection 'f'.target: factor, which no rule hears; allowed: a name in some "
            "third_factor",
        ),
        (
            ThirdFactor(y2="three"),
            {"name": "three"},
            f"{WHERE}: 'three', a population and a projection of that name; allowed: one "
            'population, or projection with target="factor"',
        ),
        (
            ThirdFactor(y2=3),
            {},
            f"{WHERE}: 3; allowed: a name, or None",
        ),
        (
            ThirdFactor(y2="three", y0="a"),
            {},
            "projection 'p'.learning.third_factor.y0: 'a'; allowed: True or False",
        ),
        (
            {"y2": "three"},
            {},
            "projection 'p'.learning.third_factor: dict; allowed: a ThirdFactor",
        ),
        (
            ThirdFactor(y2="three"),
            {"rule": replace(RULE, y2=Trace())},
            "projection 'p'.learning.rules[0].y2.tau: 0, which forgets what is sent before it is "
            "read; allowed: > 0 steps. Use 65535, as Lava's three-factor rules do",
        ),
    ],
)
def test_senders_that_cannot_be_are_named(third, options, found):
    assert problems(third, **options) == [found]


def test_a_factor_onto_other_neurons_is_named():
    whole = network(ThirdFactor(y2="f"), name="f")
    other = QuantizedPopulation("b", 3, du=100, dv=100, vth=100)
    moved = tuple(replace(p, post="b") if p.name == "f" else p for p in whole.projections)
    with pytest.raises(NetworkError, match="'f', which is sent to 'b'; allowed: one onto 'a'"):
        QuantizedNetwork((*whole.populations, other), moved).verify()


def test_a_factor_has_the_fields_of_synapses_and_does_not_learn():
    assert network(ThirdFactor(y2="f"), name="f", weight_exp=-7).verify()
    (found,) = problems(ThirdFactor(y2="f"), name="f", weight_exp=-8)
    assert found == "projection 'f'.weight_exp: -8; allowed: -7..7"
    (found,) = problems(ThirdFactor(y2="f"), name="f", learning=RULE)
    assert found.startswith("projection 'f'.learning: with target factor")


def test_a_float_projection_is_no_factor():
    with pytest.raises(NetworkError, match="'factor'; allowed: synapse, bias"):
        Projection("p", "a", "a", np.ones((1, 1)), target="factor")


def test_it_is_saved_and_loaded(tmp_path):
    for third in (ThirdFactor(y1="three", y2="f", y3="a"), ThirdFactor(y2="f", y0=False), None):
        whole = network(third, **({"name": "f"} if third else {}))
        whole.save(tmp_path / "n.hlx")
        again = QuantizedNetwork.load(tmp_path / "n.hlx")
        assert again.projection("p").learning.third_factor == third
        assert [p.target for p in again.projections] == [p.target for p in whole.projections]


@pytest.mark.parametrize("sender", ["b", "f"])
def test_senders_of_several_spikes_in_a_step_are_refused(sender):
    """As the population itself, and through a projection."""
    base = network(ThirdFactor(y2=sender))
    several = QuantizedPopulation("b", 3, du=100, dv=100, vth=100, reset="subtract_all")
    factor = QuantizedProjection(
        "f", "b", "a", np.ones((3, 3)), num_message_bits=17, target="factor"
    )
    projections = (*base.projections, factor) if sender == "f" else base.projections
    changed = replace(base, populations=(*base.populations, several), projections=projections)
    with pytest.raises(NetworkError) as caught:
        changed.verify()
    assert [str(problem) for problem in caught.value.problems] == [
        f"{WHERE}: {sender!r}, whose neurons may send several spikes in a step; allowed: one spike "
        "a step"
    ]
