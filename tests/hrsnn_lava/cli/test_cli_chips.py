"""Chips as files, from the command line: a chip of one's own, and what a chip cannot express."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import pair_stdp


def one_layer(path, fan_in=4, bits=1, learning=None):
    """`fan_in` inputs onto two neurons; a file."""
    populations = (hl.QuantizedInput("inp", fan_in), hl.QuantizedPopulation("a", 2, 700, 200, 100))
    projection = hl.QuantizedProjection(
        "p",
        "inp",
        "a",
        sparse.csr_matrix(np.full((2, fan_in), 128)),
        sign_mode=hl.SignMode.EXCITATORY,
        num_weight_bits=bits,
        learning=learning,
    )
    hl.QuantizedNetwork(populations, (projection,), "layer").save(path)
    return path


@pytest.mark.parametrize(
    ("chip", "options", "reason"),
    [
        ("truenorth", {"learning": pair_stdp((1, 0), (1, 0), 20, 20)}, "no learning on truenorth"),
        ("dynap_se", {"fan_in": 65}, "65 synapses onto one neuron (2 such in all)"),
        ("truenorth", {"bits": 8}, "weight_bits 8"),
        ("xylo_audio2", {"fan_in": 17}, "17 input channels"),
        ("odin", {"fan_in": 257}, "257 synapses onto one neuron"),
        ("odin", {"bits": 4}, "weight_bits 4"),
    ],
)
def test_what_a_chip_cannot_express_is_refused_for_that_reason(
    run, tmp_path, chip, options, reason
):
    model = one_layer(tmp_path / "layer.hlx", **options)
    outcome = run("compile", model, "--profile", chip, "-o", "x.hlx", "--quiet")
    assert outcome.code == 4
    assert reason in outcome.err
    assert not (tmp_path / "x.hlx").exists()


@pytest.mark.parametrize("chip", hl.HardwareProfile.names())
def test_what_every_chip_can_express_compiles(run, tmp_path, chip):
    model = one_layer(tmp_path / "layer.hlx")
    outcome = run("compile", model, "--profile", chip, "-o", "x.hlx", "--quiet")
    assert outcome.code == 0, outcome.err
    assert run("verify", "x.hlx", "--backends", "reference,native", "--steps", 20).code == 0
    report = run("report", "x.hlx", "--json").json()["report"]
    assert report["verdict"] == "PASS"
    assert report["profile"] == chip


def test_the_energy_of_a_chip_without_every_price_is_null(run, tmp_path):
    model = one_layer(tmp_path / "layer.hlx")
    run("compile", model, "--profile", "spinnaker1", "-o", "x.hlx", "--quiet")
    run("simulate", "x.hlx", "--steps", 20, "-o", "t.npz", "--quiet")
    energy = run("report", "x.hlx", "--trace", "t.npz", "--json").json()["report"]["energy"]
    assert energy["cost_set"] == "spinnaker1_keras_spiking"
    assert energy["total_j"] is None
    assert energy["unpriced"]


def small_cores(tmp_path, **changes):
    """Loihi with cores of another size, as a file of the user's."""
    text = hl.HardwareProfile.path_of("loihi1").read_text(encoding="utf-8")
    text = text.replace('name = "loihi1"', 'name = "small_cores"')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "small_cores.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_chip_of_ones_own_is_one_file(run, tmp_path, files):
    chip = small_cores(tmp_path, **{"value = 1024": "value = 16"})
    shown = run("profiles", chip)
    assert shown.code == 0
    assert "nengo-loihi 1.1.0 block.py MAX_COMPARTMENTS" in shown.out
    assert "energy: davies2018, per_term, simulated, unverified: Loihi" in shown.out
    compiled = run("compile", files.quantized, "--profile", chip, "-o", "x.hlx", "--json").json()
    assert compiled["profile"]["name"] == "small_cores"
    rows = {row["rule"]: row for row in compiled["constraints"]}
    assert rows["neurons"]["limit"] == 16
    assert rows["cores"]["used"] >= 4


def test_a_chip_that_contradicts_itself_is_refused_with_every_contradiction(run, tmp_path, files):
    chip = small_cores(
        tmp_path,
        **{
            "value = 128": "value = 200",
            "[fields.delay]\nlow = 0\nhigh = 62": "[fields.delay]\nlow = 0\nhigh = 500",
            "[0, 6, 7, 8, 9, 10, 11, 12]": "[0, 6]",
        },
    )
    for command in (
        ("profiles", chip),
        ("compile", files.quantized, "--profile", chip, "-o", "x.hlx"),
    ):
        outcome = run(*command)
        assert outcome.code == 3
        assert "200 cores on 8 x 4 tiles of 4" in outcome.err
        assert "at most 6 bits for 1024 neurons a core" in outcome.err
        assert "up to 500 steps in at most 7 bits" in outcome.err


def test_the_rules_are_listed_with_a_sentence_each(run):
    outcome = run("profiles", "--rules")
    assert outcome.code == 0
    listed = run("profiles", "--rules", "--json").json()["rules"]
    assert {
        "rule": "fan_in",
        "says": "A neuron has a bounded number of synapses onto it.",
    } in listed
    assert all(rule["rule"] in outcome.out for rule in listed)
    assert run("profiles", "loihi1", "--rules").code == 2
