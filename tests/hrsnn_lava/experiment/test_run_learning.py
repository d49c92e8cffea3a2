"""The whole line on a network that learns: on the chip, in training, refused, in both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hrsnn_lava import CompiledNetwork, HardwareProfile, Network, Spec
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.experiment import run_spec
from hrsnn_lava.training.simulation import simulator_of

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "learning.toml"
FAST = ('verify.backends=["reference", "native"]', "prune.controls=[]")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The example without Lava, which `test_the_example_learns_as_lava_does` takes along."""
    out = tmp_path_factory.mktemp("learning")
    return out, run_spec(Spec.load(EXAMPLE, FAST), out)


def report_of(out):
    return json.loads((out / "report.json").read_text())


def test_the_program_learns_and_backends_agree_on_the_weights(done):
    out, result = done
    assert result.parity.mismatches == 0
    assert "weights/exc_exc" in result.parity.compared
    compiled = CompiledNetwork.load(out / "compiled.hlx").verify()
    learning = compiled.network.projection("exc_exc").learning
    assert len(learning.rules) == HardwareProfile.load("loihi1").trace_profiles == 3
    assert [p.name for p in compiled.network.projections if p.learning] == ["exc_exc"]
    assert Network.load(out / "network.hlx").projection("exc_exc").plasticity is not None


def test_records_and_report_tell_what_became_of_the_rules(done):
    out, result = done
    report = report_of(out)
    names = [record["name"] for record in report["transforms"]]
    assert names[:3] == ["train_stdp", "prune_lyapunov", "quantize"]
    trained = report["transforms"][0]
    assert trained["options"] == {
        "projections": ["exc_exc"],
        "train_passes": 1,
        "on_chip": True,
        "schedule": {"reset": "sample", "potentials": "random", "silence": 0, "shuffle": True},
    }
    history = trained["report"]["history"]
    assert history["done"][-1] * 1000 >= 2590 > (history["done"][-1] - 1) * 1000
    assert history["drift"]["exc_exc"][-1] > 0
    assert trained["report"]["gain"]["exc_exc"] != 1.0
    rules = report["heterogeneity"]["stdp"]["exc_exc"]
    assert (rules["profiles"], rules["max_profiles"]) == (3, 3)
    assert rules["w_max"]["on_chip"] == pytest.approx(rules["w_max"]["asked"])
    assert 0.2 < rules["errors"]["tau_plus"]["mean"] < 0.5
    line = "exc_exc learns with 3 profiles of at most 3"
    assert line in result.summary_text
    assert line in (out / "report.html").read_text()
    used = {row["rule"]: row["used"] for row in report["constraints"]}
    assert (used["trace_profiles"], used["learning_epochs"]) == (3, 1)
    assert report["float_vs_integer"]["weights"]["exc_exc"]["correlation"] > 0.9
    assert 0.9 < report["float_vs_integer"]["rate_ratio"] < 1.1


def test_the_same_spec_gives_the_same_program(done, tmp_path):
    out, _ = done
    run_spec(Spec.load(EXAMPLE, FAST), tmp_path)
    for name in ("network.hlx", "compiled.hlx"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_training_alone_leaves_a_program_that_does_not_learn(tmp_path):
    result = run_spec(Spec.load(EXAMPLE, (*FAST, "stdp.on_chip=false")), tmp_path)
    compiled = CompiledNetwork.load(tmp_path / "compiled.hlx")
    assert all(p.learning is None for p in compiled.network.projections)
    assert "stdp" not in report_of(tmp_path)["heterogeneity"]
    assert "trace_profiles" not in {row["rule"] for row in report_of(tmp_path)["constraints"]}
    assert result.parity.mismatches == 0


def test_several_rules_on_one_population_and_an_epoch(tmp_path):
    more = (
        "stdp.train_passes=0",
        'stdp.projections=["exc_exc", "inh_exc", "exc_inh"]',
        "stdp.t_epoch=3",
    )
    result = run_spec(Spec.load(EXAMPLE, (*FAST, *more)), tmp_path)
    compiled = CompiledNetwork.load(tmp_path / "compiled.hlx").verify()
    rules = {p.name: p.learning for p in compiled.network.projections if p.learning}
    assert {name: len(r.rules) for name, r in rules.items()} == {
        "exc_exc": 1,
        "inh_exc": 1,
        "exc_inh": 3,
    }
    assert {r.t_epoch for r in rules.values()} == {3}
    assert result.parity.mismatches == 0


def test_a_chip_that_does_not_learn_is_named_before_any_work(tmp_path):
    source = HardwareProfile.path_of("loihi1").read_text()
    head, tail = source.split("[features.learning]")
    chip = tmp_path / "still.toml"
    chip.write_text(f"{head}[features.learning]{tail.replace('true', 'false', 1)}")
    asked = (*FAST, f'compile.profile="{chip}"')
    with pytest.raises(CapacityError, match=r"'exc_exc': a learning rule.*no learning on loihi1"):
        run_spec(Spec.load(EXAMPLE, asked), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    off_chip = (*asked, "stdp.on_chip=false")
    assert run_spec(Spec.load(EXAMPLE, off_chip), tmp_path / "out").parity.mismatches == 0


def test_a_float_network_starts_every_run_with_its_own_weights(done):
    out, _ = done
    simulator = simulator_of(Network.load(out / "network.hlx"))
    start = simulator.weights("exc_exc")
    first = simulator.run(np.ones(3), 200)
    assert np.abs(simulator.weights("exc_exc") - start).max() > 0
    simulator.reset()
    np.testing.assert_array_equal(simulator.weights("exc_exc"), start)
    for a, b in zip(first, simulator.run(np.ones(3), 200), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.lava
def test_the_example_learns_as_lava_does(tmp_path):
    """The example as it is, but for its controls."""
    result = run_spec(Spec.load(EXAMPLE, ("prune.controls=[]",)), tmp_path)
    assert result.parity.mismatches == 0
    assert "lava" in result.parity.line()
    assert "weights/exc_exc" in result.parity.compared
