"""The templates for GitHub and GitLab: well-formed, and their scripts run as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML is in the development dependencies alone")

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = files("hrsnn_lava.deploy") / "templates"
ACTION = yaml.safe_load((TEMPLATES / "github-action" / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((TEMPLATES / "gitlab" / "hrsnn-lava-check.yml").read_text(encoding="utf-8"))
JOB = GITLAB[".hrsnn-lava-check"]
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
#: What must stay text, whichever input it comes in by.
HOSTILE = (
    "$(touch ran) `touch ran`\"; touch ran; \"'; touch ran; '\ntouch ran\nEND_OF_LIST\ntouch ran"
)


def report(total):
    rows = {"exc_exc": {"kind": "sop", "operations": total, "events": 10, "synapses": 5}}
    return {
        "schema_version": 1,
        "project": "p\n::warning::from a name",
        "profile": "loihi1",
        "verdict": "PASS",
        "summary": "fits",
        "network": {"neurons": 5, "synapses": 9},
        "mapping": {"cores": 1},
        "sop": {"total": total, "macs": 0, "per_projection": rows},
        "activity": {"steps": 10, "spikes": 10},
        "energy": {"cost_set": None, "terms": [], "unpriced": [], "total_j": None},
    }


class Job:
    """A folder in which the script of a template runs."""

    def __init__(self, folder):
        self.folder = folder
        for name, total in (("base", 100), ("same", 100), ("more", 150)):
            (folder / f"{name}.json").write_text(json.dumps(report(total)), encoding="utf-8")
        (folder / "temp").mkdir()

    def run(self, shell, script, **variables):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        runner = {
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
        }
        environment = {**os.environ, **runner, "PATH": path, **variables}
        return subprocess.run(
            [*shell, "-c", script],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )

    def github(self, **inputs):
        """The step of the check, with inputs by name as the runner hands them over."""
        given = {k: str(v.get("default", "")) for k, v in ACTION["inputs"].items()}
        given |= {key.replace("_", "-"): value for key, value in inputs.items()}
        return self.run(BASH, STEPS["Check"]["run"], **expanded(STEPS["Check"]["env"], given))

    def gitlab(self, shell=("sh",), **variables):
        script = "\n".join(["set -e", *JOB["script"]])
        given = {"HRSNN_INSTALL": "installed", **JOB["variables"], **variables}
        return self.run(shell, script, **given)

    def outputs(self):
        lines = (self.folder / "output").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


#: How GitHub starts ``shell: bash``.
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


def expanded(env, inputs):
    """Variables of a step, with the expressions replaced as the runner does it."""

    def value(text):
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m.group(1)], text)

    return {name: value(str(text)) for name, text in env.items()}


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


# --- what the files say


def test_the_action_is_a_composite_with_known_inputs_and_outputs():
    assert ACTION["runs"]["using"] == "composite"
    wanted = {"report", "baseline", "budgets", "max-regress", "python-version", "install"}
    assert wanted <= set(ACTION["inputs"])
    assert ACTION["outputs"]["verdict"]["value"] == "${{ steps.check.outputs.verdict }}"
    assert all(entry["description"] for entry in ACTION["inputs"].values())


def test_no_input_is_part_of_a_script():
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
        if "run" in step:
            assert step["shell"] == "bash"
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])


def test_every_option_of_the_scripts_exists():
    import click

    from hrsnn_lava.cli.main import cli

    commands = [cli.get_command(click.Context(cli), name) for name in ("check", "run")]
    known = {text for command in commands for p in command.params for text in p.opts}
    for script in (STEPS["Check"]["run"], JOB["script"][0]):
        used = set(re.findall(r"(--[a-z-]+)=", script))
        assert used - {"--out"} == {
            *("--markdown", "--junit", "--baseline", "--budgets", "--budget", "--max-regress")
        }
        assert used <= known


def test_gitlab_keeps_the_junit_file_of_a_job_that_failed():
    assert JOB["artifacts"]["when"] == "always"
    assert "--junit=" + JOB["artifacts"]["reports"]["junit"] in JOB["script"][0]
    assert "--markdown=" + JOB["artifacts"]["paths"][0] in JOB["script"][0]


def test_the_upload_comes_whatever_the_verdict():
    upload = STEPS["Keep the JUnit file"]
    assert upload["if"].startswith("always()")
    assert "inputs.junit" in upload["with"]["path"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "ci").rglob("*.yml")), ids=lambda p: p.name
)
def test_the_samples_workflows_use_what_is_there(path):
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "jobs" in data:
        steps = data["jobs"]["energy"]["steps"]
        (use,) = [step for step in steps if "hrsnn-lava-check" in step.get("uses", "")]
        assert set(use["with"]) <= set(ACTION["inputs"])
    else:
        assert data["energy"]["extends"] in GITLAB
        assert set(data["energy"]["variables"]) <= set(JOB["variables"])


# --- what the scripts do


def test_github_passes(job):
    done = job.github(report="same.json", baseline="base.json", budget="max_sops=100\n")
    assert done.returncode == 0, done.stderr
    assert job.outputs() == {"verdict": "PASS", "exit-code": "0"}
    assert "PASS" in (job.folder / "summary.md").read_text(encoding="utf-8")
    assert (job.folder / "hrsnn-lava-junit.xml").is_file()


def test_github_fails_and_the_summary_names_what_grew(job):
    done = job.github(report="more.json", baseline="base.json", max_regress="sops=0\ncores=0\n")
    assert done.returncode == 5
    assert job.outputs() == {"verdict": "FAIL", "exit-code": "5"}
    page = (job.folder / "summary.md").read_text(encoding="utf-8")
    assert "exc_exc" in page
    assert "FAIL" in page
    assert "<failure" in (job.folder / "hrsnn-lava-junit.xml").read_text(encoding="utf-8")


def test_github_tolerances_and_budgets_are_lists(job):
    options = {"report": "more.json", "baseline": "base.json"}
    assert job.github(**options, max_regress="sops=50").returncode == 0
    assert job.github(**options, max_regress="sops=50", budget="max_sops=149").returncode == 5
    budgets = job.folder / "b.toml"
    budgets.write_text("[budgets]\nmax_sops = 149\n", encoding="utf-8")
    assert job.github(**options, max_regress="sops=50", budgets="b.toml").returncode == 5


def test_github_says_error_where_nothing_was_checked(job):
    (job.folder / "temp" / "hrsnn-lava-check.md").write_text("of another run", encoding="utf-8")
    done = job.github(report="missing.json")
    assert done.returncode == 3
    assert job.outputs() == {"verdict": "ERROR", "exit-code": "3"}
    summary = (job.folder / "summary.md").read_text(encoding="utf-8")
    assert "of another run" not in summary
    assert "missing.json: no such file" in summary
    assert "<error" in (job.folder / "hrsnn-lava-junit.xml").read_text(encoding="utf-8")


def test_names_are_no_commands_of_the_runner(job):
    lines = job.github(report="same.json").stdout.split("\n")
    stop = next(k for k, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[stop].removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    end = lines.index(f"::{token}::")
    inside = [k for k, line in enumerate(lines) if line.startswith("::") and k not in (stop, end)]
    assert all(stop < k < end for k in inside)


@pytest.mark.parametrize(
    "name", ["report", "baseline", "budgets", "budget", "max_regress", "junit"]
)
def test_no_input_of_the_action_runs(job, name):
    given = {"report": "same.json", "baseline": "base.json", name: HOSTILE}
    job.github(**given)
    assert not (job.folder / "ran").exists()
    assert job.outputs()["verdict"] in ("PASS", "ERROR")


def test_no_input_is_an_option(job):
    done = job.github(report="--help")
    assert done.returncode == 3
    assert "no such file" in done.stderr


#: Scripts that install, each with the shell that runs it.
INSTALLS = ((STEPS["Install hrsnn-lava"]["run"], BASH), (JOB["before_script"][0], ("sh",)))


@pytest.mark.parametrize(
    "text", ["", HOSTILE, "hrsnn-lava", "hrsnn-lava==0.1.0", "a @ file:evil", "--help", "-r./x.whl"]
)
def test_no_index_is_asked_for_the_program(job, text):
    for script, shell in INSTALLS:
        done = job.run(shell, script, HRSNN_INSTALL=text)
        assert done.returncode == 2
        assert "a wheel, a git URL" in done.stderr
        assert not (job.folder / "ran").exists()


@pytest.fixture
def asked(job):
    """Runs an install script with a stand-in for Python, and says what pip was asked for."""
    bin_folder, log = job.folder / "bin", job.folder / "asked"
    bin_folder.mkdir()
    stand_in = bin_folder / "python"
    stand_in.write_text('#!/bin/sh\nfor a; do echo "$a" >> asked; done\n', encoding="utf-8")
    stand_in.chmod(0o755)
    path = os.pathsep.join([str(bin_folder), os.environ["PATH"]])

    def ask(script, shell, what):
        log.unlink(missing_ok=True)
        done = job.run(shell, f"PATH='{path}'\n{script}", HRSNN_INSTALL=what)
        assert done.returncode == 0, done.stderr
        return log.read_text(encoding="utf-8").split("\n")[:-1] if log.exists() else []

    return ask


@pytest.mark.parametrize(
    "source",
    [
        "./wheels/hrsnn_lava-0.1.0-py3-none-any.whl",
        "hrsnn_lava-0.1.0.tar.gz",
        "../hrsnn lava",
        "/opt/hrsnn-lava",
        "git+ssh://git@host/hrsnn-lava.git@v1",
    ],
)
def test_what_is_named_is_what_pip_is_asked_for(asked, source):
    for script, shell in INSTALLS:
        assert asked(script, shell, source)[:3] == ["-m", "pip", "install"]
        assert asked(script, shell, source)[-1] == source
        assert asked(script, shell, "installed") == []


@pytest.fixture
def runner(job):
    """A job with a stand-in for the program, which writes down its call and ends with a code."""

    def prepare(code):
        folder = job.folder / f"code{code}"
        folder.mkdir()
        program = folder / "hrsnn-lava"
        program.write_text(
            "#!/bin/sh\n"
            'echo "$1" >> called\n'
            '[ "$1" = run ] || exit 0\n'
            'for a; do case "$a" in --out=*) mkdir -p "${a#--out=}"; '
            'cp more.json "${a#--out=}/report.json";; esac; done\n'
            f'for last; do :; done; echo "$last" >> called; exit {code}\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        return f"PATH='{folder}':\"$PATH\"\n"

    return prepare


@pytest.mark.parametrize("code", [0, 5, 7, 2, 137])
def test_a_spec_is_run_and_its_report_is_the_one_to_judge(job, runner, code):
    path = runner(code)
    report = job.folder / "report.json"
    env = {"HRSNN_SPEC": "my spec.toml", "HRSNN_REPORT": "report.json"}
    scripts = ((BASH, STEPS["Run"]["run"]), (("sh",), "\n".join(["set -e", *JOB["script"]])))
    for shell, script in scripts:
        done = job.run(shell, path + script, **JOB["variables"] | env)
        assert done.returncode == 0, done.stderr
        document = json.loads(report.read_text(encoding="utf-8"))
        report.unlink()
        if code in (0, 5, 7):
            assert document["sop"]["total"] == 150
        else:  # the stand-in answers nothing, as a program that was killed
            error = {"message": f"the run ended with exit code {code}", "exit_code": code}
            assert document == {"error": error}
    called = (job.folder / "called").read_text(encoding="utf-8").split("\n")[:-1]
    assert called == ["run", "my spec.toml"] * 2 + ["check"]


SPEC = (TEMPLATES / "start" / "spec.toml").read_text(encoding="utf-8").replace("@NAME@", '"a"')


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        (SPEC.replace("loihi1", "odin"), 4, "weight_bits_range"),
        (SPEC.replace("size =", "siez ="), 2, "siez"),
        (SPEC.replace('"native"', '"nosuch"'), 2, "nosuch"),
        (None, 2, "spec.toml"),
    ],
    ids=["no fit", "a key", "a backend", "no spec"],
)
def test_the_files_say_why_a_spec_could_not_be_run(job, spec, code, said):
    if spec is not None:
        (job.folder / "spec.toml").write_text(spec, encoding="utf-8")
    env = {"HRSNN_SPEC": "spec.toml", "HRSNN_REPORT": "report.json"}
    ran = job.run(BASH, STEPS["Run"]["run"], **env)
    assert ran.returncode == 0, ran.stderr
    assert job.github(report="report.json").returncode == code
    assert job.outputs() == {"verdict": "ERROR", "exit-code": str(code)}
    junit, page = job.folder / "hrsnn-lava-junit.xml", job.folder / "summary.md"
    for file in (page, junit):
        assert said in file.read_text(encoding="utf-8")
    assert f"Exit code {code}." in page.read_text(encoding="utf-8")
    junit.unlink()
    (job.folder / "report.json").unlink()
    assert job.gitlab(**env).returncode == code
    for file in (job.folder / "hrsnn-lava-check.md", junit):
        assert said in file.read_text(encoding="utf-8")


def test_a_hostile_spec_stays_a_name(job):
    done = job.run(BASH, STEPS["Run"]["run"], HRSNN_SPEC=HOSTILE, HRSNN_REPORT="r.json")
    assert done.returncode == 0
    assert (
        json.loads((job.folder / "r.json").read_text(encoding="utf-8"))["error"]["exit_code"] == 2
    )
    job.gitlab(HRSNN_SPEC=HOSTILE)
    assert not (job.folder / "ran").exists()


def test_gitlab_passes_and_fails(job):
    done = job.gitlab(HRSNN_REPORT="same.json", HRSNN_BASELINE="base.json")
    assert done.returncode == 0, done.stderr
    done = job.gitlab(
        HRSNN_REPORT="more.json", HRSNN_BASELINE="base.json", HRSNN_MAX_REGRESS="sops=10\ncores=0\n"
    )
    assert done.returncode == 5
    assert "exc_exc" in (job.folder / "hrsnn-lava-check.md").read_text(encoding="utf-8")
    assert (job.folder / "hrsnn-lava-junit.xml").is_file()
    assert job.gitlab(shell=("bash",), HRSNN_REPORT="same.json").returncode == 0


@pytest.mark.parametrize("name", ["REPORT", "BASELINE", "BUDGETS", "BUDGET", "MAX_REGRESS"])
def test_no_variable_of_gitlab_runs(job, name):
    given = {"HRSNN_REPORT": "same.json", "HRSNN_BASELINE": "base.json", f"HRSNN_{name}": HOSTILE}
    assert job.gitlab(**given).returncode in (2, 3)
    assert not (job.folder / "ran").exists()
