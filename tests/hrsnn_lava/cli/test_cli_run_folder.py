"""Whose results a folder holds: another run's are not replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hrsnn_lava.experiment.run_folder import JOURNAL, RunIdentity, identity_in
from hrsnn_lava.spec import Spec


@pytest.fixture
def quick(monkeypatch):
    """Runs that write what the folder of a run begins and ends with, and do nothing between."""
    calls = []

    def fake(spec, out, *, resume, **_):
        calls.append((out, resume))
        (out / JOURNAL).write_text(RunIdentity.of(spec).line())
        (out / "report.json").write_text(spec.canonical())
        report = SimpleNamespace(to_dict=lambda: {"verdict": "PASS"}, to_summary=lambda: "PASS")
        return SimpleNamespace(report=report, summary_text="PASS", earlier_stages=(), new_stages=())

    monkeypatch.setattr("hrsnn_lava.experiment.run_spec", fake)
    return calls


def test_another_seed_goes_to_another_folder(run, files, quick):
    assert run("run", files.spec).code == 0
    assert run("run", files.spec, "--seed", "4").code == 0
    assert run("run", files.spec, "--seed", "3").code == 0  # the spec's own
    assert run("run", files.spec, "--set", "seed=3").code == 0
    assert [str(out) for out, _ in quick] == ["out/small", "out/small-seed=4"] + ["out/small"] * 2
    assert json.loads(Path("out/small/report.json").read_text())["seed"] == 3
    assert json.loads(Path("out/small-seed=4/report.json").read_text())["seed"] == 4


def test_overrides_name_the_folder_in_any_order(run, files, quick):
    pairs = (("--set", "prune.density=0.25"), ("--seed", "9"), ("--set", "prune.method = 'random'"))
    for order in (pairs, pairs[::-1]):
        assert run("run", files.spec, *(text for pair in order for text in pair)).code == 0
    assert {str(out) for out, _ in quick} == {
        "out/small-prune.density=0.25-prune.method=_random_-seed=9"
    }
    texts = [f"network.neurons.{kind}.tau_mem=0.0{k}" for k in (1, 2) for kind in ("excitatory",)]
    many = [w for t in (*texts, "network.connectivity.mean_degree=9.0") for w in ("--set", t)]
    assert run("run", files.spec, *many).code == 0
    long = quick[-1][0].name
    assert len(long) < 110
    assert run("run", files.spec, *many[:-1], "network.connectivity.mean_degree=9.5").code == 0
    assert quick[-1][0].name != long  # it is cut, and still tells them apart
    assert run("run", files.spec, "--set", "budgets.max_sops=1e9").code == 0
    assert quick[-1][0] == Path("out/small")  # a budget makes no other run


def test_a_folder_of_another_run_is_left_alone(run, files, quick):
    assert run("run", files.spec, "--out", "here").code == 0
    assert run("run", files.spec, "--out", "here").code == 0
    before = Path("here/report.json").read_text()
    for options in (("--seed", "4"), ("--seed", "4", "--resume"), ("--set", "prune.density=0.2")):
        outcome = run("run", files.spec, "--out", "here", *options)
        assert outcome.code == 2
        assert "the folder holds another run" in outcome.err
        assert "here: the run of spec small" in outcome.err
        assert (
            "Give another folder with --out, or replace what is there with --force" in outcome.err
        )
        assert outcome.out == ""
    assert Path("here/report.json").read_text() == before
    assert len(quick) == 2
    assert run("run", files.spec, "--out", "here", "--seed", "4", "--force").code == 0
    assert json.loads(Path("here/report.json").read_text())["seed"] == 4


def test_the_demo_has_a_folder_of_its_own_too(run, quick):
    assert run("demo").code == 0
    outcome = run("demo", "--seed", "5")
    assert outcome.code == 2
    assert "--out" in outcome.err
    assert "--force" not in outcome.err  # an option that the command does not have


def test_a_report_says_whose_folder_it_is_where_no_journal_does(tmp_path):
    assert identity_in(tmp_path) is None
    digest = "ab" * 32
    origin = {"spec_digest": digest, "seed": 7}
    report = {"project": "p", "provenance": origin}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert identity_in(tmp_path) == RunIdentity(digest, "p", 7)
    (tmp_path / JOURNAL).write_text('{"stage": "arm/unpruned", "key": "k", "result": 1}\n')
    assert identity_in(tmp_path) == RunIdentity(digest, "p", 7)
    (tmp_path / JOURNAL).write_text(RunIdentity("cd" * 32, "q", 8).line() + "{")
    assert identity_in(tmp_path) == RunIdentity("cd" * 32, "q", 8)
    (tmp_path / "report.json").write_text("[]")
    (tmp_path / JOURNAL).write_text("no journal")
    assert identity_in(tmp_path) is None


def test_a_run_writes_whose_it_is_first(files, tmp_path):
    from hrsnn_lava.experiment import run_spec

    spec = Spec.load(files.spec)

    def killed(text, share=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_spec(spec, tmp_path, progress=killed)
    assert identity_in(tmp_path) == RunIdentity.of(spec)
    assert not (tmp_path / "report.json").exists()
