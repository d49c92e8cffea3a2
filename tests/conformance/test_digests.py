"""What small specs become is what `record_digests.py` recorded: networks, programs, runs, counts.

The recording was made on Python 3.10 with NumPy 1.26 and holds on Python 3.13 with NumPy 2 too.
A change that moves none of these results moves no result; where one is meant to move, record anew.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from digest_cases import CASES, CHIPS, figures_of_chip, figures_of_run, figures_of_spec

GOLDEN = json.loads((Path(__file__).parent / "golden" / "digests.json").read_text(encoding="utf-8"))
#: Floats of a whole run go through the BLAS of the machine: spiking arms end in a regularized
#: least-squares fit, the baselines in fits that are far worse conditioned.
TOLERANCE, TOLERANCE_OF_BASELINES = 2e-9, 2e-5
BASELINES = ("AR(10)", "NVAR", "echo-state network")


def assert_recorded(figures, name, chip):
    """Every quantity is there and equal; the message names spec, chip and quantity."""
    start = f"{name} | {chip} | "
    golden = {k.removeprefix(start): v for k, v in GOLDEN.items() if k.startswith(start)}
    wrong = [
        f"spec {name!r}, chip {chip!r}, {key}: {figures.get(key, 'missing')!r}, "
        f"recorded {golden.get(key, 'nothing')!r}"
        for key in dict.fromkeys((*golden, *figures))
        if not equal(golden.get(key, "nothing"), figures.get(key, "missing"), key)
    ]
    assert golden, f"nothing recorded of spec {name!r} on chip {chip!r}"
    assert not wrong, "\n".join(wrong)


def equal(recorded, found, key):
    """The same value; floats within the tolerance of their kind."""
    if isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        return all(equal(a, b, key) for a, b in zip(recorded, found, strict=True))
    if isinstance(recorded, float) and isinstance(found, float):
        baseline = any(f"comparison/{name}" in key for name in BASELINES)
        allowed = TOLERANCE_OF_BASELINES if baseline else TOLERANCE
        return math.isclose(recorded, found, rel_tol=allowed, abs_tol=1e-15)
    return type(recorded) is type(found) and recorded == found


@pytest.mark.parametrize("name", CASES)
def test_networks_are_built_and_pruned_as_recorded(name):
    assert_recorded(figures_of_spec(name), name, "-")


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", CASES)
def test_programs_run_and_cost_as_recorded(name, chip):
    assert_recorded(figures_of_chip(name, chip), name, chip)


def test_a_whole_run_compares_as_recorded(tmp_path):
    assert_recorded(figures_of_run(tmp_path), "run", "-")


def test_the_recording_holds_nothing_else_and_reaches_what_matters():
    kept = {tuple(key.split(" | ")[:2]) for key in GOLDEN}
    assert kept == {(name, chip) for name in CASES for chip in ("-", *CHIPS)} | {("run", "-")}
    refused = {key.split(" | ")[1] for key in GOLDEN if key.endswith(" | refused")}
    assert refused == {"loihi1", "truenorth"}

    def values(end):
        return [value for key, value in GOLDEN.items() if key.endswith(end) and value is not None]

    assert min(values("| run/spikes")) > 500
    assert max(values("| placement/cores")) >= 20
    assert max(values("| activity/hops_x")) > 0 < max(values("| activity/hops_y"))
    assert max(values("| activity/learning_updates")) > 1000
    assert max(values("/profiles")) >= 2
    assert min(values("| sop/total")) > 100
    formats = values("/format")
    assert {bits for _, bits, _, _ in formats} == {1, 2, 3, 4, 5, 6, 7, 8}
    assert {mode for *_, mode in formats} == {"mixed", "excitatory", "inhibitory"}
    assert max(exponent for exponent, *_ in formats) > 0
    assert sum(value != "None" for value in values("| energy/total_j")) > 15
