"""`compile` of what does not fit: a line a rule, what was tried, and all of it as JSON."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection


@pytest.fixture
def small_chip(tmp_path):
    """Loihi with 16 neurons and 64 output axons a core: its cores cannot all reach each other."""
    text = HardwareProfile.path_of("loihi1").read_text(encoding="utf-8")
    text = text.replace('name = "loihi1"', 'name = "small"', 1)
    text = text.replace("value = 1024", "value = 16", 1)
    text = text.replace("[core.out_axons]\nvalue = 4096", "[core.out_axons]\nvalue = 64", 1)
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def dense_network(tmp_path):
    weights = sparse.csr_matrix(np.full((80, 80), 2))
    network = QuantizedNetwork(
        (QuantizedPopulation("a", 80, 742, 200, 1000),),
        (QuantizedProjection("p", "a", "a", weights, sign_mode="excitatory"),),
    )
    path = tmp_path / "dense.hlx"
    network.save(path)
    return path


def test_a_line_a_rule_and_the_fullest_resources(run, small_chip, dense_network, tmp_path):
    words = ("compile", str(dense_network), "--profile", str(small_chip), "-o", str(tmp_path / "c"))
    done = run(*words, "--quiet")
    assert done.code == 4
    assert done.out == ""
    head, table = done.err.split("the placement that was refused:")
    lines = head.splitlines()
    assert lines[0].startswith("error: network 'network' does not fit profile 'small'")
    start = next(k for k, line in enumerate(lines) if line.startswith("rule"))
    rules = [line.split()[0] for line in lines[start + 2 :] if line]
    assert len(rules) == len(set(rules))
    rows = table.strip().splitlines()
    assert rows[0].split() == ["resource", "worst", "core", "used", "limit", "share"]
    shares = [float(row.split()[-2]) for row in rows[2:]]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 5
    assert shares[0] > 100


def test_json_has_every_violation_and_the_placement(run, small_chip, dense_network, tmp_path):
    words = ("compile", str(dense_network), "--profile", str(small_chip), "-o", str(tmp_path / "c"))
    done = run(*words, "--json")
    assert done.code == 4
    error = done.json()["error"]
    assert len(error["violations"]) == len(error["problems"])
    assert {v["rule"] for v in error["violations"]} == {
        p["where"].split(":")[0] for p in error["problems"]
    }
    cores = error["placement"]["core_of"]
    assert len(cores) == 80
    assert error["placement"]["cores"] == max(cores) + 1
    used = {row["rule"]: row for row in error["placement"]["utilization"]}
    assert used["neurons"]["used"] == np.bincount(cores).max()
    assert any(row["fraction"] is not None and row["fraction"] > 1 for row in used.values())
