"""A report takes what verify and compare_float said of its own network and run, and no other."""

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError


def floats(weight=30.0):
    populations = (hl.Population("i", 2, hl.Input()), hl.Population("a", 2, hl.LIF(0.02)))
    projections = (hl.Projection("p", "i", "a", np.full((2, 2), weight)),)
    return hl.Network(1e-3, populations, projections)


INPUTS = hl.SpikeInput(np.arange(10), np.zeros(10, int), 10, 2)


@pytest.fixture(scope="module")
def program():
    return hl.compile(floats(), "loihi1")


@pytest.fixture(scope="module")
def other():
    return hl.compile(hl.quantize(replace(floats(), dt=2e-3)), "loihi1")


@pytest.fixture(scope="module")
def run(program):
    return hl.simulate(program, INPUTS)


def said(name, program, network=None, steps=None):
    if name == "parity":
        return hl.verify(program, INPUTS, steps)
    return hl.compare_float(floats() if network is None else network, program, INPUTS, steps)


EVIDENCE = ("parity", "float_vs_integer")


@pytest.mark.parametrize("name", EVIDENCE)
def test_that_of_the_network_and_the_run(name, program, run):
    right = said(name, program)
    assert hl.report(program, run, **{name: right}).to_dict()[name]["steps"] == 10
    assert hl.report(program, **{name: right}).to_dict()[name]["steps"] == 10
    counted = hl.report(program, counts=hl.count(program, INPUTS), **{name: right})
    assert counted.to_dict()[name]["steps"] == 10


@pytest.mark.parametrize("name", EVIDENCE)
def test_that_of_another_network(name, program, other, run):
    wrong = said(name, other)
    digests = (
        rf"{name}: of the network {other.network_digest[:12]}; .*{program.network_digest[:12]}"
    )
    for given in ((program, run), (program,)):
        with pytest.raises(SpecError, match=digests):
            hl.report(*given, **{name: wrong})


@pytest.mark.parametrize("name", EVIDENCE)
def test_that_of_a_run_of_another_length(name, program, run):
    short = said(name, program, steps=5)
    with pytest.raises(SpecError, match=rf"{name}: 5 steps; allowed: 10 \(those of the run\)"):
        hl.report(program, run, **{name: short})
    with pytest.raises(SpecError, match=f"{name}: 5 steps"):
        hl.report(program, counts=hl.count(program, INPUTS), **{name: short})


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.parametrize("junk", [5, "yes", [], True, {}, {"mismatches": 0}, np.ones(2)], ids=repr)
def test_what_nobody_said(name, junk, program, run):
    with pytest.raises(SpecError, match=f"{name}: (of type|without)"):
        hl.report(program, run, **{name: junk})


WRONG = {
    "parity": [
        ("steps", "10"),
        ("steps", None),
        ("mismatches", -1),
        ("mismatches", 0.5),
        ("mismatches", True),
        ("backends", None),
        ("backends", "native"),
        ("backends", ["x", "y"]),
        ("backends", [None]),
        ("network_digest", None),
        ("network_digest", "abc"),
    ],
    "float_vs_integer": [
        ("steps", 1.5),
        ("spikes", 5),
        ("rate_ratio", "1"),
        ("count_error", [1]),
        ("network_digest", 5),
    ],
}


@pytest.mark.parametrize(
    ("name", "key", "value"), [(name, *pair) for name in EVIDENCE for pair in WRONG[name]]
)
def test_what_is_malformed_is_named(name, key, value, program, run):
    right = said(name, program)
    plain = right.to_dict() if name == "parity" else right
    hl.report(program, run, **{name: plain})
    with pytest.raises(SpecError, match=key):
        hl.report(program, run, **{name: {**plain, key: value}})


def test_parity_knows_its_network_when_it_was_stored(program, run):
    """In ``report.json``, which a later report may take it from."""
    stored = hl.report(program, run, parity=said("parity", program)).to_dict()["parity"]
    assert stored["network_digest"] == program.network_digest
    hl.report(program, run, parity=stored)
