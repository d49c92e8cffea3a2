"""Every file that the program writes or reads is known, and named where another one is wanted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from netx_cases import case, write_net
from nir_files import exported, write

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.cli.file_kinds import ACCEPTED, NOUNS, PAGES, TAKERS, kind_of
from hrsnn_lava.cli.main import cli, command_parts
from hrsnn_lava.compiler.pruning.pruning_state import PruningState
from hrsnn_lava.deploy.pytest_budget.runs import markdown
from hrsnn_lava.experiment.run_folder import RunIdentity
from hrsnn_lava.spec import Spec

ROOT = Path(__file__).resolve().parents[3]
#: Steps of a recording that is stopped after its first chunk.
LONG = 5_000_000


@pytest.fixture(scope="module")
def everything(files, clock, tmp_path_factory):
    """A file of every kind, by kind."""
    folder = tmp_path_factory.mktemp("everything")
    paths = {kind: getattr(files, kind) for kind in ("network", "quantized", "compiled", "spec")}
    compiled = hl.CompiledNetwork.load(files.compiled)
    inputs = hl.SpikeInput.from_dense(np.eye(20, 3))
    session = hl.Session(compiled)
    trace = session.run(inputs, 20)
    session.state().save(folder / "state.hlx")
    trace.save(folder / "trace.npz")
    inputs.save(folder / "input.npz")
    np.savez(folder / "arrays.npz", samples=np.zeros(3))
    write(folder / "nir.nir", exported("spikingjelly_lif_hard")[0])
    write_net(folder / "netx.net", case("recurrent_4")[0])
    state = TrainingState("0" * 64, 1, 2, {"counts": np.zeros(3, dtype=np.int64)})
    state.save(folder / "training.hlx")
    network = hl.Network.load(files.network)
    silent, everyone = np.zeros(network.n_neurons), np.arange(network.n_neurons)
    PruningState("0" * 64, 0, network, everyone, silent, ({},)).save(folder / "pruning.hlx")
    counts = hl.count(compiled, inputs, 20)
    counts.save(folder / "counts.hlx", compiled)
    report = hl.report(compiled, trace, cost_set="sanafe_loihi")
    run = folder / "run"
    run.mkdir()
    report.write(run / "report.json")
    report.write(folder / "page.html")
    head = RunIdentity.of(Spec.load(files.spec)).line()
    (run / "journal.jsonl").write_text(head + '{"stage": "arm/a", "key": "k", "result": 1}\n{"st')
    (folder / "answer.json").write_text('{"schema_version": 1, "command": "doctor", "checks": []}')
    budgets = "# limits\n[budgets]\nmax_sops = 100\n[tolerances]\nsops = 2\n"
    (folder / "budgets.toml").write_text(budgets)
    with pytest.raises(KeyboardInterrupt):
        hl.record(clock, None, LONG, folder / "rec.npz", progress=interrupt, checkpoint_s=0.0)
    names = (
        "training.hlx",
        "pruning.hlx",
        "state.hlx",
        "trace.npz",
        "input.npz",
        "arrays.npz",
        "counts.hlx",
        "answer.json",
        "nir.nir",
        "netx.net",
    )
    paths |= {name.partition(".")[0]: folder / name for name in (*names, "budgets.toml")}
    recording = folder / "rec.npz.partial"
    profiles = ROOT / "hardware_profiles"
    pages = written(folder / "written", run / "report.json", files)
    bundle = ("deploy", str(files.compiled), "-o", str(folder / "bundle"), "--steps", "5")
    assert CliRunner().invoke(cli, bundle).exit_code == 0
    return paths | {
        "bundle": folder / "bundle",
        **{kind: forms[0] for kind, forms in pages.items()},
        "page": folder / "page.html",
        "report": run / "report.json",
        "journal": run / "journal.jsonl",
        "run": run,
        "recording": recording,
        "checkpoint": recording / "checkpoint.hlx",
        "log": recording / "chunks.log",
        "baseline": ROOT / "examples" / "ci" / "sops.json",
        "profile": profiles / "loihi1.toml",
        "cost set": profiles / "cost_sets" / "davies2018.toml",
    }


def written(folder, report, files):
    """What commands write for people and for other programs, in every form, by kind."""
    folder.mkdir()
    names = {
        "comparison": ("c.md", "c.txt", "c.csv", "c.json"),
        "check": ("k.md", "k.xml", "fail.md", "fail.xml", "error.md", "error.xml"),
        "difference": ("d.md", "same.md", "networks.md"),
        "text": ("whole.txt", "energy.txt"),
        "operations": ("operations.md",),
        "ci": (
            ".github/workflows/energy.yml",
            ".gitlab-ci.yml",
            "hrsnn-lava-check.yml",
            ".github/actions/hrsnn-lava-check/action.yml",
        ),
    }
    changed = json.loads(report.read_text())
    changed["sop"]["total"] += 1
    other = folder / "other.json"
    other.write_text(json.dumps(changed))
    asked = {"k": ("max_sops=1e9", report), "fail": ("max_sops=1", report)}
    asked["error"] = ("max_sops=1", folder / "no.json")
    calls = [
        *(
            ("compare", files.compiled, "--steps", 20, "-o", folder / n)
            for n in names["comparison"]
        ),
        *(
            (
                "check",
                of,
                "--budget",
                b,
                "--markdown",
                folder / f"{n}.md",
                "--junit",
                folder / f"{n}.xml",
            )
            for n, (b, of) in asked.items()
        ),
        ("diff", report, other, "--markdown", folder / "d.md"),
        ("diff", report, report, "--markdown", folder / "same.md"),
        ("diff", files.compiled, files.compiled, "--markdown", folder / "networks.md"),
        ("report", files.compiled, "-o", folder / "whole.txt"),
        ("report", files.compiled, "--section", "energy", "-o", folder / "energy.txt"),
        ("init", folder, "--ci"),
    ]
    for call in calls:
        assert CliRunner().invoke(cli, [str(word) for word in call]).exit_code in (0, 3, 5)
    (folder / "operations.md").write_text(markdown([]))
    return {kind: [folder / name for name in forms] for kind, forms in names.items()}


def interrupt(*_):
    raise KeyboardInterrupt


def test_there_is_a_file_of_every_kind(everything):
    assert set(everything) == set(NOUNS)


@pytest.mark.parametrize("kind", NOUNS)
def test_a_kind_is_told_by_the_content(everything, kind, tmp_path):
    path = everything[kind]
    assert kind_of(path) == kind
    if path.is_file():  # whatever its name
        shutil.copy(path, tmp_path / "thing.dat")
        assert kind_of(tmp_path / "thing.dat") == kind


def test_every_form_that_is_written_is_known(run, everything, files, tmp_path):
    pages = written(tmp_path / "written", everything["report"], files)
    assert set(pages) == set(PAGES)
    for kind, forms in pages.items():
        for path in forms:
            data = run("inspect", path, "--json").json()
            assert (data["kind"], data["bytes"]) == (kind, path.stat().st_size), path
            assert data["shows"], path
    said = {p.name: run("inspect", p, "--json").json()["shows"] for f in pages.values() for p in f}
    assert said["c.json"] == said["c.md"].split(" on ")[0] == "small"
    assert said["fail.md"] == "FAIL: small on loihi1"
    assert said["error.md"].startswith("ERROR: ")
    assert "failures=1 errors=0" in said["fail.xml"]
    assert said["d.md"].endswith("other.json")
    assert said["operations.md"] == "None of 0 grew."


def test_every_section_of_a_report_is_known(run, everything):
    for section in registry.names("section"):
        trace, path = everything["trace"], f"{section}.txt"
        call = ("report", everything["compiled"], "--trace", trace, "--verify", "--network")
        outcome = run(*call, everything["network"], "--section", section, "-o", path)
        assert outcome.code == 0, outcome.err
        assert run("inspect", path, "--json").json()["kind"] == "text", section


@pytest.mark.parametrize(
    "text",
    [
        "ENERGY",
        "LICENSE\n\ntext\n",
        "# a page\n",
        "## What moved\n",
        "name: hrsnn-lava\n",
        "a,b\n",
        "PASS\n",
        "{}",
        "",
    ],
)
def test_other_texts_are_none_of_ours(run, text, tmp_path):
    path = tmp_path / "other.md"
    path.write_text(text)
    assert kind_of(path) is None
    assert run("inspect", path).code == 3


@pytest.mark.parametrize("kind", NOUNS)
def test_inspect_knows_every_kind(run, everything, kind):
    outcome = run("inspect", everything[kind], "--json")
    if kind == "arrays":
        assert outcome.code == 3
        assert "found: samples" in outcome.json()["error"]["message"]
        return
    assert outcome.code == 0, outcome.out
    assert outcome.json()["kind"] == {"log": "recording"}.get(kind, kind)
    text = run("inspect", everything[kind])
    assert text.code == 0
    assert text.out.startswith(f"{everything[kind]}: ")


def test_what_inspect_says_of_texts(run, everything):
    report = run("inspect", everything["report"], "--json").json()
    assert (report["verdict"], report["profile"], report["steps"]) == ("PASS", "loihi1", 20)
    truth = json.loads(everything["report"].read_text())
    assert report["synaptic_operations"] == truth["sop"]["total"]
    journal = run("inspect", everything["journal"], "--json").json()
    assert (journal["seed"], journal["stages"], journal["damaged_lines"]) == (3, ["arm/a"], 1)
    folder = run("inspect", everything["run"], "--json").json()
    assert (folder["name"], folder["seed"], folder["verdict"]) == ("small", 3, "PASS")
    budgets = run("inspect", everything["budgets"], "--json").json()
    assert (budgets["budgets"], budgets["tolerances"]) == (["max_sops = 100"], ["sops = 2 %"])
    recording = run("inspect", everything["recording"], "--json").json()
    assert (recording["steps"], recording["complete"]) == (LONG, False)
    assert 0 < recording["steps_done"] < LONG
    baseline = run("inspect", everything["baseline"], "--json").json()
    assert (baseline["runs"], baseline["synaptic_operations"]) == (2, 2 * 19160)


#: How each parameter is given; what else the command must have to get as far.
CALLS = {
    ("train", "model"): ("train", "FILE", "--input", "FILE", "-o", "x.hlx"),
    ("train", "task"): ("train", "NETWORK", "--task", "FILE", "-o", "x.hlx"),
    ("train", "input_file"): ("train", "NETWORK", "--input", "FILE", "-o", "x.hlx"),
    ("run", "spec"): ["run", "FILE"],
    ("search", "spec"): ["search", "FILE", "--out", "found"],
    ("compile", "model"): ["compile", "FILE", "-o", "o.hlx"],
    ("compile", "run"): ["compile", "NETWORK", "--rates", "FILE", "-o", "o.hlx"],
    ("prune", "network"): ["prune", "FILE", "--method", "random", "--density", "1", "-o", "o.hlx"],
    ("prune", "input_file"): (
        [
            "prune",
            "NETWORK",
            "--method",
            "balanced",
            "--density",
            "0.1",
            "--input",
            "FILE",
            "-o",
            "o.hlx",
        ]
    ),
    ("simulate", "compiled"): ["simulate", "FILE"],
    ("simulate", "input_file"): ["simulate", "COMPILED", "--input", "FILE"],
    ("simulate", "state_in"): ["simulate", "COMPILED", "--state-in", "FILE"],
    ("verify", "compiled"): ["verify", "FILE"],
    ("verify", "input_file"): ["verify", "COMPILED", "--input", "FILE"],
    ("report", "compiled"): ["report", "FILE"],
    ("report", "traces"): ["report", "COMPILED", "--trace", "FILE"],
    ("report", "counts"): ["report", "COMPILED", "--counts", "FILE"],
    ("report", "unpruned"): ["report", "COMPILED", "--unpruned", "FILE"],
    ("report", "source"): ["report", "COMPILED", "--network", "FILE"],
    ("report", "budgets"): ["report", "COMPILED", "--budgets", "FILE"],
    ("deploy", "compiled"): ["deploy", "FILE", "-o", "out"],
    ("deploy", "input_file"): ["deploy", "COMPILED", "--input", "FILE", "-o", "out"],
    ("deploy", "reports"): ["deploy", "COMPILED", "--report", "FILE", "-o", "out"],
    ("check", "report"): ["check", "FILE"],
    ("check", "baseline"): ["check", "REPORT", "--baseline", "FILE"],
    ("check", "file"): ["check", "REPORT", "--budgets", "FILE"],
    ("compare", "model"): ["compare", "FILE"],
    ("compare", "input_file"): ["compare", "COMPILED", "--input", "FILE"],
    ("diff", "before"): ["diff", "FILE", "REPORT"],
    ("diff", "after"): ["diff", "REPORT", "FILE"],
    ("import", "file"): ["import", "nir", "FILE", "-o", "o.hlx"],
    ("import", "against"): ["import", "nir", "NIR", "-o", "o.hlx", "--against", "FILE"],
    ("export", "network"): ["export", "netx", "FILE", "-o", "o.net"],
    ("nir-check", "file"): ["nir-check", "FILE"],
}


def test_every_file_that_a_command_takes_is_in_the_table():
    from hrsnn_lava.cli.arguments import InputFile

    for name in set(command_parts()) - {"inspect"}:
        for parameter in cli.get_command(click.Context(cli), name).params:
            if isinstance(parameter.type, InputFile):
                assert (name, parameter.name) in ACCEPTED
    assert set(CALLS) == set(ACCEPTED)


@pytest.mark.parametrize("place", CALLS, ids="-".join)
def test_a_file_of_another_kind_is_named_with_what_takes_it(run, everything, place):
    known = ("network", "compiled", "report", "nir")
    stand_ins = {k.upper(): str(everything[k]) for k in known}
    for kind, path in everything.items():
        if kind in ACCEPTED[place] or kind == "arrays":
            continue
        call = [str(path) if w == "FILE" else stand_ins.get(w, w) for w in CALLS[place]]
        outcome = run(*call)
        toml = set(ACCEPTED[place]) <= {"spec", "budgets"}
        assert outcome.code == (2 if toml else 3), (kind, outcome.err)
        assert f"{path} is {NOUNS[kind]}" in outcome.err
        if kind in TAKERS:
            assert TAKERS[kind] in outcome.err
        assert "Traceback" not in outcome.err


def test_what_takes_a_kind_is_a_command_with_that_option():
    for kind, words in TAKERS.items():
        command, *options = words.split()
        if kind in ("page", "baseline"):
            continue
        parameters = cli.get_command(click.Context(cli), command).params
        known = {text for p in parameters for text in p.opts}
        assert set(options) <= known, words


def test_a_mark_of_byte_order_is_no_part_of_a_text(run, everything, tmp_path):
    for kind in ("spec", "budgets", "report", "baseline", "answer", "profile", "cost set"):
        path = tmp_path / f"marked{everything[kind].suffix}"
        text = everything[kind].read_bytes()
        if kind in ("profile", "cost set"):  # those that come with the package keep their names
            text = text.replace(b'name = "', b'name = "my_', 1)
        path.write_bytes(b"\xef\xbb\xbf" + text)
        assert run("inspect", path).code == 0, kind
    report, budgets = tmp_path / "report.json", tmp_path / "budgets.toml"
    report.write_bytes(b"\xef\xbb\xbf" + everything["report"].read_bytes())
    budgets.write_bytes(b"\xef\xbb\xbf[budgets]\nmax_sops = 1e9\n")
    assert run("check", report, "--baseline", report, "--budgets", budgets).code == 0
    spec = tmp_path / "spec.toml"
    spec.write_bytes(b"\xef\xbb\xbf" + everything["spec"].read_bytes())
    assert run("compile", spec, "-o", "o.hlx").code == 0


def test_names_that_are_spelled_wrong_are_answered_with_the_right_one(run, everything):
    spec, compiled = everything["spec"], everything["compiled"]
    for call, word in (
        (["simulat", compiled], "simulate"),
        (["simulate", compiled, "--bakend", "native"], "--backend"),
        (["simulate", compiled, "--backend", "nativ"], "native"),
        (["verify", compiled, "--backends", "nativ,reference"], "native"),
        (["prune", everything["network"], "--method", "randm", "-o", "o.hlx"], "random"),
        (["compile", spec, "--profile", "loihi_1", "-o", "o.hlx"], "loihi1"),
        (["profiles", "davis2018"], "davies2018"),
        (["run", spec, "--cost-set", "sanafe_lohi"], "sanafe_loihi"),
        (["run", spec, "--set", "prune.densty=1"], "density"),
        (["run", spec, "--set", "sead=1"], "seed"),
        (["run", spec, "--set", "prune.method=lyapunv"], "lyapunov"),
        (["run", spec, "--set", "task.kind=lorens63"], "lorenz63"),
        (["run", spec, "--set", "quantize.scaling=mze"], "mse"),
        (["run", spec, "--set", "network.input.target=bia"], "bias"),
        (["run", spec, "--set", "budgets.max_sop=1"], "max_sops"),
        (["check", everything["report"], "--budget", "max_sop=1"], "max_sops"),
    ):
        outcome = run(*call)
        assert outcome.code == 2, outcome.err
        meant = outcome.err.lower().partition("did you mean")[2]
        assert meant.lstrip(" '").startswith(word.lower()), (call, outcome.err)
