"""Generated networks on every chip: placed within the published limits, or refused for a true one.

The checker of `independent_checker` judges both. A sample runs always; all 300 with
``uv run pytest -m nightly tests/compiler/test_every_profile.py``.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from chip_networks import KINDS, STYLES, cases, network
from independent_checker import check_placement, read_toml

from hrsnn_lava.compiler.design_rules.check import PlacedNetwork, check
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile

PROFILES = HardwareProfile.names()
SAMPLE = cases(60, 200)
#: 300 in all with the sample: 220 up to 2,000 neurons, 20 up to 20,000.
NIGHTLY = [*cases(220, 2_000, first=1000), *cases(20, 20_000, first=2000)]


@functools.cache
def plain(name):
    """The TOML of a shipped profile, as the checker reads it."""
    return read_toml(HardwareProfile.path_of(name))


def judge(integer, name):
    """Compile for a chip: the violations that it was refused for, and the checker's findings."""
    try:
        compiled = compile_network(integer, HardwareProfile.load(name))
    except CapacityError as refusal:
        tried = refusal.placement
        return refusal, check_placement(tried.network, tried.core_of, plain(name))
    return None, check_placement(compiled.network, compiled.core_of, plain(name))


def assert_refused_for_truth(refusal, found, name):
    """Every rule that a refusal names is broken by the placement that was tried."""
    assert refusal.exit_code == 4
    assert refusal.violations, str(refusal)
    assert {v.rule for v in refusal.violations} <= {f.rule for f in found}, str(refusal)
    for violation in refusal.violations:
        assert violation.profile == name
        assert all((violation.where, violation.measured, violation.limit, violation.fix))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=[pytest.mark.once] if k % 3 else [])
        for k, case in enumerate(SAMPLE)
    ],
)
def test_placed_within_the_limits_or_refused_for_a_true_one(case):
    integer = network(case)
    for name in PROFILES:
        refusal, found = judge(integer, name)
        if refusal is None:
            assert found == [], (name, found[:3])
        else:
            assert_refused_for_truth(refusal, found, name)


@pytest.mark.nightly
@pytest.mark.parametrize("case", NIGHTLY, ids=str)
def test_all_of_them(case):
    test_placed_within_the_limits_or_refused_for_a_true_one(case)


@pytest.mark.parametrize("case", SAMPLE[::3], ids=str)
def test_rules_and_checker_agree_on_placements_by_chance(case):
    """Most of them are bad ones, in many ways at once."""
    integer = network(case)
    rng = np.random.default_rng(case.number)
    n_cores = int(rng.integers(1, 8))
    cores = np.concatenate([np.arange(n_cores), rng.integers(0, n_cores, integer.n_neurons)])
    cores = rng.permutation(cores[: integer.n_neurons])
    for name in PROFILES:
        violations = check(PlacedNetwork.of(integer, cores, HardwareProfile.load(name)))
        found = check_placement(integer, cores, plain(name))
        assert {v.rule for v in violations} == {f.rule for f in found}, name


def test_the_cases_cover_every_kind_style_and_size():
    everything = [*SAMPLE, *NIGHTLY]
    assert len(everything) == 300
    assert {(c.kind, c.style) for c in SAMPLE} == {(k, s) for k in KINDS for s in STYLES}
    sizes = [c.size for c in everything]
    assert (min(sizes), max(sizes)) == (10, 20_000)
    assert len({str(c) for c in everything}) == 300
