"""The whole line with options of the quantization: runs are made where something needs them."""

from __future__ import annotations

import pytest

from hrsnn_lava import Spec
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment import run_spec

SMALL = {
    "name": "small",
    "seed": 3,
    "network": {"size": 40, "connectivity": {"mean_degree": 6.0}},
    "task": {
        "train": 260,
        "horizon": 5,
        "starts": 1,
        "steps_per_sample": 5,
        "washout": 10,
        "replays": 1,
    },
    "prune": {"density": 0.5, "rescale": "none", "homeostasis_passes": 1, "controls": []},
    "verify": {"backends": ["reference", "native"], "steps": 50},
}


SPIKES = {
    "kind": "memory",
    "train": 60,
    "validation": 20,
    "test": 30,
    "washout": 5,
    "delays": 3,
    "steps_per_sample": 5,
    "encoder": {"kind": "population", "channels": 6},
}


def spec_with(quantize, target="bias"):
    """The small spec with a table of its own, whose inputs are held or spike."""
    network = {**SMALL["network"], "input": {"target": target}}
    task = SMALL["task"] if target == "bias" else SPIKES
    return Spec.parse({**SMALL, "network": network, "quantize": quantize, "task": task})


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ({"scaling": "activity", "weight_bits": 4, "headroom": "measured"}, "bias"),
        ({"scaling": "activity"}, "synapse"),
    ],
)
def test_rates_come_from_the_training_input(tmp_path, table, target):
    result = run_spec(spec_with(table, target), tmp_path)
    data = result.report.to_dict()["quantization"]
    assert {k: data["options"][k] for k in table} == table
    ratio = "task_error_ratio" if target == "bias" else "task_score_ratio"
    assert set(data["cost"]) >= {"count_error", "van_rossum", ratio}
    assert data["populations"]["exc"]["run"]["wraps"] == 0
    assert "QUANTIZATION" in result.summary_text


def test_wrong_options_are_refused_before_any_work(tmp_path):
    with pytest.raises(SpecError, match="scaling: 'best'; allowed: activity"):
        run_spec(spec_with({"scaling": "best"}), tmp_path)
    assert not (tmp_path / "journal.jsonl").exists()
