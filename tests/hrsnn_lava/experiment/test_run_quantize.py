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


def spec_with(quantize, target="bias"):
    """The small spec with a table of its own."""
    network = {**SMALL["network"], "input": {"target": target}}
    chip = {"profile": "loihi1" if target == "bias" else "loihi2_lava"}  # graded spikes
    return Spec.parse({**SMALL, "network": network, "quantize": quantize, "compile": chip})


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ({"scaling": "activity", "weight_bits": 4, "headroom": "measured"}, "bias"),
        ({"scaling": "activity"}, "synapse"),
    ],
)
def test_rates_come_from_the_training_input(tmp_path, table, target):
    result = run_spec(spec_with(table, target), tmp_path)
    report = result.report.to_dict()
    data = report["quantization"]
    assert {k: data["options"][k] for k in table} == table
    assert set(data["cost"]) >= {"count_error", "van_rossum", "task_error_ratio"}
    # room was made for the run that was seen; nobody saw the graded input
    wraps = sum(p["run"]["wraps"] for p in data["populations"].values())
    assert report["activity"]["wraps"] == wraps
    assert wraps == 0 or target == "synapse"
    assert ("current_wrapped" in {f["kind"] for f in report["findings"]}) == (wraps > 0)
    assert "QUANTIZATION" in result.summary_text
    unseen = "not seen while training and scoring"
    assert (unseen in result.summary_text) == (target == "synapse")


def test_wrong_options_are_refused_before_any_work(tmp_path):
    with pytest.raises(SpecError, match="scaling: 'best'; allowed: activity"):
        run_spec(spec_with({"scaling": "best"}), tmp_path)
    with pytest.raises(SpecError, match='"measured" needs inputs that are held'):
        run_spec(spec_with({"headroom": "measured"}, "synapse"), tmp_path)
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_check_that_ends_within_a_sample(tmp_path):
    """Floats and integers are compared over the steps of the check, the last sample cut."""
    spec = Spec.parse(
        {
            "network": {"size": 40, "connectivity": {"mean_degree": 6.0}},
            "balance": {"passes": 2},
            "task": {
                "kind": "memory",
                "train": 60,
                "validation": 30,
                "test": 40,
                "delays": 3,
                "steps_per_sample": 3,
            },
            "prune": {"controls": []},
            "verify": {"backends": ["reference", "native"], "steps": 50},
        }
    )
    report = run_spec(spec, tmp_path).report.to_dict()
    assert report["float_vs_integer"]["steps"] == 50
    assert report["parity"]["steps"] == 50
