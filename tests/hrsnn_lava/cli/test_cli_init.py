"""A start: the spec runs as it is written, the gate's files belong together, nothing is lost."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from hrsnn_lava.cli.init import CI_FILES
from hrsnn_lava.deploy.gate.limits import read_limits
from hrsnn_lava.spec import Spec

yaml = pytest.importorskip("yaml", reason="PyYAML is in the development dependencies alone")
WHEEL = "./wheels/hrsnn_lava-0.1.0-py3-none-any.whl"


def written(folder="."):
    return {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file()}


def test_a_spec_to_start_from(run, tmp_path):
    outcome = run("init", "my net")
    assert outcome.code == 0
    assert written("my net") == {"spec.toml"}
    spec = Spec.load("my net/spec.toml")
    assert spec.name == "my_net"
    assert outcome.out.splitlines()[-4:] == [
        "next",
        "  cd 'my net'",
        "  hrsnn-lava run spec.toml",
        "  hrsnn-lava inspect out/my_net/compiled.hlx",
    ]
    document = run("init", "other", "--json").json()
    assert document["files"] == ["spec.toml"]
    assert document["next"][1] == "hrsnn-lava run spec.toml"


@pytest.mark.parametrize(
    "name", ["my net", "it's", "a$HOME", "a;touch b", "-n", "~x", "a*", "plain/b"]
)
def test_the_folder_that_it_prints_is_one_word_of_a_shell(run, name):
    step = run("init", "--json", "--", name).json()["next"][0]
    done = subprocess.run(["sh", "-c", f"{step} && pwd"], capture_output=True, text=True)
    assert Path(done.stdout.rstrip("\n")) == Path(name).resolve(), done.stderr
    assert not Path("b").exists()


@pytest.mark.once
def test_what_it_prints_next_works(run, tmp_path, monkeypatch):
    assert run("init", "--ci").code == 0
    assert run("run", "spec.toml", "--quiet").out.startswith("PASS")
    (folder,) = Path("out").iterdir()
    report = folder / "report.json"
    assert run("check", report, "--budgets", "budgets.toml").code == 0
    assert run("inspect", folder / "compiled.hlx").code == 0
    limits = read_limits("budgets.toml").budgets
    measured = json.loads(report.read_text())
    share = measured["sop"]["total"] / limits["max_sops"]
    assert 0.3 < share < 0.8, "the limits are about twice what the spec costs"
    share = 1e6 * measured["energy"]["dynamic_j"] / limits["max_dynamic_energy_uj"]
    assert 0.3 < share < 0.8


def test_the_files_of_a_gate(run):
    assert run("init", "--ci", "--install", WHEEL).code == 0
    assert written() == {"spec.toml", *CI_FILES}
    workflow = yaml.safe_load(Path(".github/workflows/energy.yml").read_text())
    (use,) = [s for s in workflow["jobs"]["energy"]["steps"] if s["uses"].startswith("./")]
    action = Path(use["uses"]) / "action.yml"
    inputs = yaml.safe_load(action.read_text())["inputs"]
    assert set(use["with"]) <= set(inputs)
    assert use["with"]["install"] == WHEEL
    job = yaml.safe_load(Path(".gitlab-ci.yml").read_text())
    included = yaml.safe_load(Path(job["include"][0]["local"]).read_text())
    template = included[job["energy"]["extends"]]
    assert set(job["energy"]["variables"]) <= set(template["variables"])
    assert job["energy"]["variables"]["HRSNN_INSTALL"] == WHEEL
    for value in (*use["with"].values(), *job["energy"]["variables"].values()):
        if value.endswith(".toml"):
            assert Path(value).is_file()
    assert not [name for name in written() if re.search("@[A-Z]+@", Path(name).read_text())]


def test_without_a_source_the_gate_asks_a_variable(run):
    outcome = run("init", "--ci")
    assert "set the variable HRSNN_LAVA_INSTALL in CI" in outcome.out
    workflow = yaml.safe_load(Path(".github/workflows/energy.yml").read_text())
    step = workflow["jobs"]["energy"]["steps"][-1]
    assert step["with"]["install"] == "${{ vars.HRSNN_LAVA_INSTALL }}"
    job = yaml.safe_load(Path(".gitlab-ci.yml").read_text())
    assert job["energy"]["variables"]["HRSNN_INSTALL"] == "$HRSNN_LAVA_INSTALL"


@pytest.mark.parametrize(
    "what",
    [
        *("hrsnn-lava", "hrsnn-lava==0.1.0", "", "-r./a.whl", "--help", "a b.whl"),
        *("git+https://${{ secrets.TOKEN }}@h/r", "./$HOME/a.whl", "./a.whl\nrm", "./a\x1b.whl"),
    ],
)
def test_a_source_is_no_name_for_an_index_and_expands_nothing(run, what):
    outcome = run("init", "--ci", "--install", what)
    assert outcome.code == 2
    assert "a path (./ first), a wheel or a git URL" in outcome.err
    assert written() == set()


def test_nothing_is_replaced_unasked(run):
    assert run("init").code == 0
    Path("spec.toml").write_text("mine")
    Path(".gitlab-ci.yml").write_text("mine, too")
    outcome = run("init", "--ci")
    assert outcome.code == 2
    assert "nothing was written; --force replaces them" in outcome.err
    assert "spec.toml: is there already" in outcome.err
    assert ".gitlab-ci.yml: is there already" in outcome.err
    assert written() == {"spec.toml", ".gitlab-ci.yml"}
    assert Path("spec.toml").read_text() == "mine"
    assert run("init", "--ci", "--force").code == 0
    assert Spec.load("spec.toml").seed == 1
    Path("broken").mkdir()
    Path("broken/spec.toml").symlink_to("nowhere")  # a link is a file, too
    assert run("init", "broken").code == 2
    Path("held/spec.toml").mkdir(parents=True)
    assert "folders" in run("init", "held", "--force").err


def test_an_option_of_the_gate_needs_the_gate(run):
    outcome = run("init", "--install", WHEEL)
    assert outcome.code == 2
    assert "give --ci, too" in outcome.err


def test_a_file_is_no_folder(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert run("init", "file").code == 2
