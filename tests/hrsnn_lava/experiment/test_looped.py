"""Runs that prune in iterations: budgets, ends, controls, retraining, resume."""

from __future__ import annotations

import json

import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.experiment import run_spec
from hrsnn_lava.experiment.preparation import built_network
from hrsnn_lava.experiment.run import trial_of
from hrsnn_lava.training.loop_checkpoints import checkpoints

pytestmark = pytest.mark.once

CARE = {"gains": [1.0], "balance": {"passes": 2, "samples": 60}}
TASK = {"kind": "memory", "train": 160, "validation": 40, "test": 60, "delays": 5, "washout": 10}
PRUNE = {
    "method": "balanced",
    "sops_per_spike": 1.0,
    "rescale": "match",
    "aftercare": CARE,
    "controls": ["random", "no-recurrence"],
    "loop": {"iterations": 3},
}
SMALL = {
    "name": "looped",
    "seed": 3,
    "network": {"size": 50, "connectivity": {"mean_degree": 10.0, "gain": 0.1}},
    "task": TASK,
    "prune": PRUNE,
    "verify": {"backends": ["native"], "steps": 50},
}


def run(folder, more=None, prune=None, **options):
    table = SMALL | (more or {}) | {"prune": PRUNE | (prune or {})}
    return run_spec(hl.Spec.parse(table), folder, **options)


def record(result, name="pruning_loop"):
    return next(r for r in result.report.to_dict()["transforms"] if r["name"] == name)


def interrupted_at(text):
    def progress(what, _=None, /):
        if text in what:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("looped")
    return out, run(out)


def test_method_and_controls_go_through_as_many_iterations(done):
    out, result = done
    names = [row["name"] for row in result.comparison]
    assert names[:5] == [
        "unpruned",
        "balanced 1 SOP/spike",
        "balanced 1 SOP/spike, integers",
        "random 1 SOP/spike",
        "no recurrence",
    ]
    rows = record(result)["report"]["rows"]
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3]
    assert rows[-1]["sops"] == pytest.approx(rows[0]["spikes"], rel=0.3)
    folders = sorted(path.name for path in (out / "pruning").iterdir())
    assert folders == ["balanced-1-sop-spike-match", "random-1-sop-spike-match"]
    assert all(len(checkpoints(out / "pruning" / name)) == 4 for name in folders)
    assert "ITERATIONS" in result.summary_text
    sizes = {row["name"]: row["synapses"] for row in result.comparison}
    assert sizes["balanced 1 SOP/spike"] == rows[-1]["synapses"]


def test_a_resumed_run_gives_the_same_bytes(done, tmp_path):
    out, _ = done
    for text in ("iteration 3 of 3", "control: random"):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, resume=True, progress=interrupted_at(text))
    result = run(tmp_path, resume=True)
    for name in ("network.hlx", "compiled.hlx", "report.json"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name
    assert result.earlier_stages


def test_checkpoints_of_another_spec_are_replaced(tmp_path):
    run(tmp_path, prune={"controls": []})
    other = run(tmp_path, prune={"controls": [], "loop": {"iterations": 2}}, resume=True)
    assert record(other)["report"]["iterations"] == 2
    assert len(checkpoints(tmp_path / "pruning" / "balanced-1-sop-spike-match")) == 3


def test_a_loop_until_it_fits_the_cores_of_the_spec(tmp_path):
    # neurons of a core share 31 settings, so that cores run out before neurons do
    table = {
        "network": {"size": 1500, "connectivity": {"mean_degree": 5.0}},
        "compile": {"profile": "loihi1", "cores": 1},
        "task": TASK | {"train": 40, "validation": 20, "test": 20},
    }
    prune = {
        "method": "random",
        "loop": {"iterations": 3, "until_fits": True},
        "controls": ["magnitude"],
        "aftercare": {"gains": [1.0], "balance": {"passes": 1, "samples": 20}},
    }
    with pytest.raises(CapacityError):
        run(tmp_path / "plain", table, prune | {"loop": None})
    result = run(tmp_path / "loop", table, prune)
    report = record(result)["report"]
    assert report["rows"][0]["fits"] is False
    assert report["rows"][-1]["fits"] is True
    assert report["why"] == "fits loihi1 on 1 of 1 cores"
    assert result.report.to_dict()["mapping"]["cores"] == 1
    assert result.report.to_dict()["constraints"][0]["limit"] == 1
    taken = report["rows"][report["taken"]]
    assert taken["neurons"] == 1024
    if report["taken"] < 3:
        # the control has what the loop ended with
        sops = f"{taken['sops']:g} SOP/step"
        assert result.comparison[3]["name"] == f"magnitude {sops}"


def test_a_loop_ends_before_its_loss_is_too_large(tmp_path):
    result = run(tmp_path, prune={"loop": {"iterations": 3, "tolerated_loss": 1.0}})
    report = record(result)["report"]
    losses = [row["loss"] for row in report["rows"]]
    taken = report["taken"]
    assert losses[taken] <= losses[0]
    if report["iterations"] > taken:
        assert losses[-1] > losses[0]
        assert "what is tolerated where it is" in report["why"]


def test_networks_are_trained_again_after_every_iteration(tmp_path):
    stdp = {"projections": ["exc_exc"], "on_chip": False, "train_passes": 1}
    prune = {"loop": {"iterations": 2, "retrain": 1}, "controls": []}
    result = run(tmp_path / "a", {"stdp": stdp}, prune)
    without = run(tmp_path / "b", {"stdp": stdp}, prune | {"loop": {"iterations": 2}})
    again, once = (hl.Network.load(tmp_path / name / "network.hlx") for name in "ab")
    assert all(p.plasticity is None for p in again.projections)
    assert again.digest != once.digest
    assert record(result)["report"]["rows"][0] == record(without)["report"]["rows"][0]


GRADIENTS = {
    "network": {
        "size": 30,
        "connectivity": {"mean_degree": 8.0},
        "input": {"target": "synapse", "graded": False, "fan_in": 0.5, "normalise": True},
    },
    "task": {
        "kind": "patterns",
        "classes": 2,
        "channels": 6,
        "steps": 25,
        "train": 24,
        "validation": 8,
        "test": 8,
    },
    "surrogate": {"epochs": 1, "stage": "after_pruning", "learning_rate": 0.02},
}


def test_networks_are_trained_by_gradients_between_iterations(tmp_path):
    pytest.importorskip("torch")
    loop = {"iterations": 3, "gradients": 1}
    prune = {"method": "magnitude", "sops_per_spike": None, "density": 0.3, "controls": []}
    prune |= {"loop": loop, "rescale": "none"}
    result = run(tmp_path / "a", GRADIENTS, prune)
    plain = run(tmp_path / "b", GRADIENTS, prune | {"loop": {"iterations": 3}})
    rows = record(result)["report"]["rows"]
    counts = [row["synapses"] for row in rows]
    # the places that are left fall by equal factors, training between them or not
    assert counts == [row["synapses"] for row in record(plain)["report"]["rows"]]
    assert counts[-1] == pytest.approx(0.3 * counts[0], abs=1)
    trained, once = (hl.Network.load(tmp_path / name / "network.hlx") for name in "ab")
    full = built_network(
        hl.Spec.parse(SMALL | GRADIENTS), trial_of(hl.Spec.parse(SMALL | GRADIENTS))
    )
    for projection in trained.projections:
        there = full.projection(projection.name).weights.toarray() != 0
        assert not (projection.weights.toarray() != 0)[~there].any()
    assert trained.digest != once.digest
    # which weights are smallest was decided anew after each training
    assert any(
        (a.weights.toarray() != 0).tolist() != (b.weights.toarray() != 0).tolist()
        for a, b in zip(trained.projections, once.projections, strict=True)
    )


def test_gradients_between_iterations_resume_with_the_same_bits(tmp_path):
    pytest.importorskip("torch")
    prune = {"method": "magnitude", "sops_per_spike": None, "density": 0.5, "controls": []}
    prune |= {"loop": {"iterations": 2, "gradients": 1}, "rescale": "none"}
    run(tmp_path / "whole", GRADIENTS, prune)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", GRADIENTS, prune, progress=interrupted_at("iteration 2 of 2"))
    run(tmp_path / "killed", GRADIENTS, prune, resume=True)
    a, b = (tmp_path / name / "network.hlx" for name in ("whole", "killed"))
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize(
    ("prune", "words"),
    [
        (
            {"loop": {"iterations": 2, "gradients": 1}},
            r"prune.loop.gradients: 1; allowed: 0, or a spec with a table \[surrogate\]",
        ),
        ({"loop": {"iterations": 2, "retrain": 1}}, "prune.loop.retrain: 1; allowed: 0, or a spec"),
        ({"loop": {"iterations": 0}}, r"prune.loop.iterations: 0; allowed: >= 1"),
        ({"loop": {"iterations": 2, "tolerated_loss": 0.5}}, r"tolerated_loss: 0.5; allowed: >= 1"),
        ({"screen": "portfolio"}, "leave loop out, or screen"),
        ({"method": "none"}, 'loop: nothing is pruned by method = "none"'),
    ],
)
def test_what_cannot_be_done_is_refused(prune, words, tmp_path):
    with pytest.raises(SpecError, match=words):
        run(tmp_path, prune=prune)


def test_specs_without_a_loop_are_what_they_were():
    plain = hl.Spec.parse({"name": "x"})
    data = json.loads(plain.canonical())
    looped = hl.Spec.parse({"name": "x", "prune": {"loop": {"iterations": 2}}})
    assert "gradients" not in json.loads(looped.canonical())["prune"]["loop"]
    assert not {"loop", "rescale_time"} & set(data["prune"])
    assert "cores" not in data["compile"]
    table = {"name": "x", "prune": {"rescale_time": True}, "compile": {"cores": 2}}
    data = json.loads(hl.Spec.parse(table).canonical())
    assert data["prune"]["rescale_time"]["evaluations"] == 30
    assert data["compile"]["cores"] == 2
