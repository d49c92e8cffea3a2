"""``check``, ``report --budgets`` and ``[budgets]`` of a spec, through the program."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from gate_reports import changed, denser, report

from hrsnn_lava.budgets.quantities import QUANTITIES
from hrsnn_lava.cli.main import cli


@pytest.fixture
def paths(tmp_path):
    """A report, a denser one, and budgets that only the first one keeps."""
    for name, data in (("good.json", report()), ("dense.json", denser(report(), 5))):
        (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "budgets.toml").write_text("[budgets]\nmax_sops = 20\nmax_cores = 3\n")
    return tmp_path


def test_a_report_within_its_budgets(run, paths):
    outcome = run("check", "good.json", "--budgets", "budgets.toml", "--budget", "max_spikes=10")
    assert outcome.code == 0
    assert outcome.out.startswith("PASS  clock on loihi1")
    assert "max_spikes  10 spikes  <= 10 spikes  0 %" in outcome.out
    assert outcome.err == ""


def test_a_report_beyond_its_budgets(run, paths):
    outcome = run("check", "dense.json", "--budgets", "budgets.toml")
    assert outcome.code == 5
    assert outcome.out.startswith("FAIL  clock on loihi1")
    assert "out: 100 % of the SOPs" in outcome.out
    assert outcome.err.splitlines() == [
        "error: 1 of 3 checks failed",
        "  - max_sops: 25 SOP; allowed: <= 20 SOP; 5 SOP, 25 % above the limit",
    ]


def test_the_command_line_wins_over_the_file(run, paths):
    given = ("check", "dense.json", "--budgets", "budgets.toml", "--budget", "max_sops=25")
    assert run(*given).code == 0


def test_a_baseline(run, paths):
    assert run("check", "good.json", "--baseline", "good.json").code == 0
    assert run("check", "good.json", "--baseline", "dense.json").code == 0
    outcome = run("check", "dense.json", "--baseline", "good.json")
    assert outcome.code == 5
    assert "grew: out: 20 -> 25 SOP (+25 %), 2 -> 3 synapses" in outcome.out
    assert "sops: 20 SOP -> 25 SOP (+25 %); allowed: at most 0 % higher" in outcome.err
    allowed = ("--max-regress", "sops=25%", "--max-regress", "energy=0.1")
    assert run("check", "dense.json", "--baseline", "good.json", *allowed).code == 0


def test_tolerances_of_a_file_are_used_with_a_baseline(run, paths):
    (paths / "t.toml").write_text("[tolerances]\nsops = 30\n")
    assert run("check", "dense.json", "--baseline", "good.json", "--budgets", "t.toml").code == 0
    assert run("check", "dense.json", "--budgets", "t.toml").code == 0


def test_one_json_document(run, paths):
    outcome = run("check", "dense.json", "--budget", "max_sops=20", "--json")
    assert outcome.code == 5
    document = outcome.json()
    assert (document["schema_version"], document["command"]) == (1, "check")
    assert (document["check"]["verdict"], document["check"]["exit_code"]) == ("FAIL", 5)
    assert document["check"]["budgets"][0]["margin_percent"] == -25.0
    assert outcome.err == ""


def test_without_anything_to_check_the_verdict_is(run, paths):
    outcome = run("check", "good.json")
    assert outcome.code == 0
    assert "only the report's own verdict was checked" in outcome.err
    failed = changed(report(), verdict="FAIL", summary="does not fit")
    (paths / "failed.json").write_text(json.dumps(failed))
    outcome = run("check", "failed.json", "--quiet")
    assert outcome.code == 5
    assert "report: its own verdict is FAIL: does not fit" in outcome.err


def test_markdown_and_junit_are_written_whatever_the_verdict(run, paths):
    for name, code in (("good.json", 0), ("dense.json", 5)):
        given = ("--budget", "max_sops=20", "--markdown", "m.md", "--junit", "j.xml")
        assert run("check", name, *given).code == code
        assert ("FAIL" in (paths / "m.md").read_text("utf-8")) is bool(code)
        suite = ElementTree.parse(paths / "j.xml").getroot()[0]
        assert (suite.get("tests"), suite.get("failures")) == ("2", "1" if code else "0")


def test_markdown_on_standard_output_is_all_that_is_there(run, paths):
    outcome = run("check", "dense.json", "--budget", "max_sops=20", "--markdown", "-")
    assert outcome.code == 5
    assert outcome.out.startswith("## ❌ FAIL")
    assert "FAIL  clock" not in outcome.out
    assert run("check", "good.json", "--markdown", "-", "--json").code == 2


def test_a_proxy_can_be_refused(run, paths):
    (paths / "proxy.json").write_text(json.dumps(report("loihi2", "sanafe_loihi")))
    given = ("check", "proxy.json", "--budget", "max_energy_uj=1e9")
    outcome = run(*given)
    assert outcome.code == 0
    assert "proxy: prices of another chip" in outcome.out
    outcome = run(*given, "--no-proxy")
    assert outcome.code == 5
    assert "a proxy is not accepted here" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "max_sop=3"), "max_sop: unknown key. Did you mean max_sops"),
        (("--budget", "max_sops=nan"), "max_sops: 'nan'"),
        (("--budget", "max_sops=1", "--budget", "max_sops=2"), "given twice"),
        (("--budgets", "none.toml"), "none.toml: no such file"),
        (("--max-regress", "sops=0"), "needs a --baseline"),
        (("--baseline", "good.json", "--max-regress", "sopss=0"), "sopss: unknown key"),
        (("--markdown", "no/such/folder.md"), "there is no folder"),
        (("--junit", "."), "is a folder"),
    ],
)
def test_wrong_usage(run, paths, arguments, message):
    outcome = run("check", "good.json", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "not a report"),
        ('{"a": NaN}', "no finite number"),
        ('{"a": 1, "a": 2}', "there twice"),
        ("[" * 10**5, "nested too deep"),
    ],
    ids=["empty", "list", "nan", "twice", "deep"],
)
def test_a_bad_file_is_one_line_and_code_3(run, paths, content, message):
    (paths / "bad.json").write_text(content)
    for given in (("bad.json",), ("good.json", "--baseline", "bad.json")):
        outcome = run("check", *given)
        assert outcome.code == 3
        assert outcome.out == ""
        assert len(outcome.err.splitlines()) == 1
        assert message in outcome.err


def test_a_report_of_another_version_is_refused(run, paths):
    (paths / "bad.json").write_text(json.dumps({**report(), "schema_version": 2}))
    outcome = run("check", "good.json", "--baseline", "bad.json")
    assert outcome.code == 3
    assert "schema_version '2'; allowed: 1" in outcome.err


def test_a_missing_file(run, paths):
    assert run("check", "none.json").code == 3
    assert run("check", "good.json", "--baseline", "none.json").code == 3


def test_a_report_is_judged_when_it_is_made(run, paths, files):
    outcome = run("report", files.compiled, "--budgets", "budgets.toml", "-o", "r.json")
    assert outcome.code == 0
    made = json.loads((paths / "r.json").read_text())
    assert (made["verdict"], [row["ok"] for row in made["budgets"]]) == ("FAIL", [False, True])
    assert run("check", "r.json").code == 5


BUDGETS = '\n[budgets]\nmax_cores = 1\nmax_sops_per_inference = {limit}\n"max:sop.macs" = 0\n'


@pytest.mark.parametrize(("limit", "code"), [(1e6, 0), (1, 5)])
def test_a_run_judges_the_budgets_of_its_spec(run, files, tmp_path, limit, code):
    text = files.spec.read_text() + BUDGETS.format(limit=limit)
    (tmp_path / "spec.toml").write_text(text)
    outcome = run("run", "spec.toml", "--out", "out", "--quiet")
    assert outcome.code == code
    assert outcome.out.startswith("FAIL" if code else "PASS")
    assert ("max_sops_per_inference: " in outcome.err) is bool(code)
    for name in ("network.hlx", "compiled.hlx", "report.html"):
        assert (tmp_path / "out" / name).is_file()
    made = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [row["ok"] for row in made["budgets"]] == [True, not code, True]
    assert made["verdict"] == ("FAIL" if code else "PASS")
    assert run("check", "out/report.json").code == code


def test_a_run_with_other_budgets_is_the_same_run(run, files, tmp_path):
    """They judge it and are no part of what the journal and the digest stand for."""
    plain = files.spec.read_text()
    digests = set()
    for text in (plain, plain + BUDGETS.format(limit=1)):
        (tmp_path / "spec.toml").write_text(text)
        run("run", "spec.toml", "--out", "out", "--quiet", "--resume")
        made = json.loads((tmp_path / "out" / "report.json").read_text())
        digests.add(made["provenance"]["spec_digest"])
        lines = len((tmp_path / "out" / "journal.jsonl").read_text().splitlines())
    assert len(digests) == 1
    assert lines == len({json.loads(line)["stage"] for line in journal(tmp_path)})


def journal(folder):
    return (folder / "out" / "journal.jsonl").read_text().splitlines()


def test_wrong_budgets_of_a_spec_are_found_before_anything_is_done(run, files, tmp_path):
    text = files.spec.read_text() + "[budgets]\nmax_sop = 3\nmin_accuracy = nan\n"
    (tmp_path / "spec.toml").write_text(text)
    outcome = run("run", "spec.toml", "--out", "out")
    assert outcome.code == 2
    assert "budgets.max_sop: 'max_sop'; allowed: a known key; did you mean max_sops" in outcome.err
    assert "budgets.min_accuracy: nan; allowed: a finite number" in outcome.err
    assert not (tmp_path / "out").exists()
    (tmp_path / "spec.toml").write_text(files.spec.read_text() + "[budgets]\nmax_sops = -3\n")
    outcome = run("run", "spec.toml", "--out", "out")
    assert outcome.code == 2
    assert "max_sops: -3.0; allowed: a finite number >= 0" in outcome.err


def test_the_gate_needs_no_numerical_library():
    """It has to be quick in continuous integration."""
    import subprocess
    import sys

    code = "import hrsnn_lava.deploy.gate.check, hrsnn_lava.cli.check, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "numba", "pydantic"} & set(done.stdout.split())


def test_every_key_has_a_row_on_the_page():
    from pathlib import Path

    page = Path(__file__).resolve().parents[3] / "docs" / "check.md"
    text = page.read_text(encoding="utf-8")
    for quantity in QUANTITIES.values():
        assert f"| `{quantity.budget}` | {quantity.unit or '–'} |" in text, quantity.budget
    assert cli.get_command(None, "check").name == "check"


ERRORS = {
    "a missing report": (("no.json",), 3, "no such file"),
    "a report of another kind": (("{spec}",), 3, "is a spec"),
    "an unknown key": (("{report}", "--budget", "max_sop=1"), 2, "max_sop: unknown key"),
    "no baseline": (("{report}", "--baseline", "no.json"), 3, "no such file"),
    "tolerances alone": (("{report}", "--max-regress", "sops=1"), 2, "needs a --baseline"),
    "missing budgets": (("{report}", "--budgets", "no.toml"), 2, "no such file"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_check_that_ends_in_an_error_writes_its_files(run, files, tmp_path, case):
    import hrsnn_lava as hl

    report = tmp_path / "report.json"
    hl.report(hl.CompiledNetwork.load(files.compiled)).write(report)
    call, code, words = ERRORS[case]
    filled = [text.format(report=report, spec=files.spec) for text in call]
    outcome = run("check", *filled, "--junit", "j.xml", "--markdown", "m.md")
    assert outcome.code == code
    assert words in outcome.err
    (suite,) = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")
    error = suite.find("testcase/error")
    assert words in error.text
    page = (tmp_path / "m.md").read_text(encoding="utf-8")
    assert page.startswith("## ❌ ERROR: ")
    assert f"Exit code {code}." in page
    assert words.split(":")[0].replace("_", "") in page.replace("\\_", "").replace("_", "")
    printed = run("check", *filled, "--markdown", "-")
    assert (printed.code, printed.out) == (code, page)


def test_a_check_without_a_budget_says_so(run, files, tmp_path):
    import hrsnn_lava as hl

    hl.report(hl.CompiledNetwork.load(files.compiled)).write(tmp_path / "report.json")
    outcome = run("check", "report.json")
    assert outcome.code == 0
    assert "no budget and no baseline: only the report's own verdict was checked" in outcome.err
    assert run("check", "report.json", "--json").json()["notes"]
