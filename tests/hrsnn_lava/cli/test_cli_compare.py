"""``compare``, and the options of ``report`` for time and samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hrsnn_lava as hl


def test_compare_prints_rows_and_the_footnote(run, files) -> None:
    outcome = run(
        "compare", files.network, "--profile", "loihi1", "--profile", "loihi2", "--steps", 20
    )
    assert outcome.code == 0
    assert "small on 2 chips" in outcome.out
    assert "No ranking" in outcome.out
    assert "input: random, the same on every chip, seed 0" in outcome.err
    assert "compare: loihi2" in outcome.err


def test_compare_as_json_and_files(run, files) -> None:
    which = ("--profile", "loihi1", "--cost-set", "sanafe_loihi", "--steps", 20, "--quiet")
    data = run("compare", files.compiled, *which, "--json").json()
    assert data["command"] == "compare"
    assert data["rows"][0]["evidence"] == ["derived"]
    for name in ("a.json", "a.md", "a.csv", "a.txt"):
        outcome = run("compare", files.compiled, *which, "-o", name)
        assert outcome.code == 0, outcome.err
        assert outcome.out == f"written to {name}\n"
    assert json.loads(Path("a.json").read_text())["rows"] == data["rows"]
    assert Path("a.md").read_text().startswith("## ")
    assert Path("a.csv").read_text().startswith("profile,title,verdict")


def test_compare_takes_a_spec_and_an_input(run, files) -> None:
    network = hl.Network.load(files.network)
    hl.SpikeInput.empty(15, network.n_inputs).save("input.npz")
    outcome = run("compare", files.spec, "--profile", "loihi2", "--input", "input.npz", "--json")
    assert outcome.json()["rows"][0]["steps"] == 15
    longer = run(
        "compare", files.network, "--profile", "loihi2", "--input", "input.npz", "--steps", 20
    )
    assert "ends after 15 steps" in longer.err
    shorter = run(
        "compare", files.network, "--profile", "loihi2", "--input", "input.npz", "--steps", 9
    )
    assert "has 15 steps; those after 9 are not sent" in shorter.err


def test_a_chip_that_is_too_small_is_no_error(run, files) -> None:
    outcome = run("compare", files.network, "--profile", "odin", "--steps", 5)
    assert outcome.code == 0
    assert "odin does not fit:" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--profile", "loihi9"), 2, "no hardware profile"),
        (("--cost-set", "free"), 2, "no cost set"),
        (("--step-time", "0"), 2, "fastest"),
        (("--step-time", "slow"), 2, "fastest"),
        (("-o", "table.pdf"), 2, ".json, .md, .csv, .txt"),
        (("--input", "none.npz"), 3, "no such file"),
        (("--input", "wide.npz"), 3, "99 channels"),
    ],
)
def test_wrong_arguments(run, files, arguments, code, text) -> None:
    hl.SpikeInput.empty(5, 99).save("wide.npz")
    outcome = run("compare", files.network, "--steps", 5, *arguments)
    assert outcome.code == code
    assert text in outcome.err
    assert outcome.out == ""


@pytest.fixture
def traces(run, files):
    """Two runs of the compiled network, 40 and 20 steps."""
    for name, steps in (("a.npz", 40), ("b.npz", 20)):
        assert run("simulate", files.compiled, "--steps", steps, "-o", name, "--quiet").code == 0
    return "a.npz", "b.npz"


def test_report_as_fast_as_possible(run, files, traces) -> None:
    priced = ("--cost-set", "sanafe_loihi", "--json", "--quiet")
    data = run("report", files.compiled, "--trace", "a.npz", "--step-time", "fastest", *priced)
    timing = data.json()["report"]["timing"]
    assert timing["mode"] == "as_fast_as_possible"
    assert 0 < timing["wall_time_s"] < 40 * 1e-3


@pytest.mark.parametrize(
    ("options", "samples"),
    [
        (("--trace", "a.npz", "--samples", 8), 8),
        (("--trace", "a.npz", "--steps-per-sample", 10), 4),
        (("--trace", "a.npz", "--trace", "b.npz"), 2),
    ],
)
def test_report_per_sample(run, files, traces, options, samples) -> None:
    outcome = run("report", files.compiled, *options, "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    found = outcome.json()["report"]["per_sample"]
    assert found["samples"] == samples
    text = run("report", files.compiled, *options, "--quiet", "--full").out
    assert f"{samples} samples; a sample is " in text


def test_several_traces_are_the_sum_of_each(run, files, traces) -> None:
    def sops(*options):
        return run("report", files.compiled, *options, "--json", "-q").json()["report"]["sop"][
            "total"
        ]

    both = sops("--trace", "a.npz", "--trace", "b.npz")
    assert both == sops("--trace", "a.npz") + sops("--trace", "b.npz")


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--trace", "a.npz", "--samples", 7), 2, "7 equal windows of 40 steps"),
        (("--trace", "a.npz", "--steps-per-sample", 41), 2, "allowed: 1..40"),
        (("--trace", "a.npz", "--samples", 4, "--steps-per-sample", 10), 2, "in two ways"),
        (("--samples", 4), 2, "none is given"),
        (("--trace", "a.npz", "--trace", "b.npz", "--samples", 2), 2, "each of them is a sample"),
        (("--trace", "other.npz"), 3, "Simulate this network"),
    ],
)
def test_wrong_samples(run, files, traces, options, code, text) -> None:
    none = np.zeros(0, np.int32)
    hl.Trace(none, none, 4, 1).save("other.npz")
    outcome = run("report", files.compiled, *options)
    assert outcome.code == code
    assert text in " ".join(outcome.err.split())


def test_several_traces_know_what_was_active(run, files, traces) -> None:
    options = ("--trace", "a.npz", "--trace", "b.npz", "--json", "-q")
    activity = run("report", files.compiled, *options).json()["report"]["activity"]
    assert activity["updates_exact"] is True
