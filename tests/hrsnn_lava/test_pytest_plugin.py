"""The plugin for pytest, in runs of pytest of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytest_plugins = ["pytester"]
#: The module by its name, whether or not the installation has the entry point.
PLUGIN = ("-p", "no:hrsnn_lava", "-p", "hrsnn_lava.pytest_plugin")

HELPERS = """
import json, pathlib
import pytest

def report(**operations):
    rows = {
        name: {"kind": "sop", "operations": n, "events": 10, "synapses": n // 10}
        for name, n in operations.items()
    }
    return {
        "schema_version": 1, "project": "p", "profile": "loihi1", "verdict": "PASS",
        "network": {"neurons": 5, "synapses": 9}, "mapping": {"cores": 2},
        "sop": {"total": sum(operations.values()), "macs": 0, "per_projection": rows},
        "activity": {"steps": 100, "spikes": 10},
        "energy": {"cost_set": "davies2018", "proxy": False, "terms": [], "unpriced": [],
                   "dynamic_j": 2e-6, "static_j": 1e-6, "total_j": 3e-6},
    }

class Numbers:
    a, b = 100, 200

def current():
    path = pathlib.Path(__file__).parent / "operations.json"
    return report(**(json.loads(path.read_text()) if path.exists() else {"a": 100, "b": 200}))
"""


class Project:
    """A folder with tests, and pytest run in it."""

    def __init__(self, pytester, monkeypatch) -> None:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.setenv("COLUMNS", "200")
        # pytest rewrites plugins when it imports them, and warns where that was done before
        monkeypatch.delitem(sys.modules, "hrsnn_lava.pytest_plugin", raising=False)
        self._pytester = pytester
        self.folder = pytester.path
        (self.folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (self.folder / "helpers.py").write_text(HELPERS, encoding="utf-8")

    def tests(self, text, name="test_it.py"):
        head = "from helpers import *\n"
        (self.folder / name).write_text(head + text, encoding="utf-8")

    def operations(self, **counts):
        (self.folder / "operations.json").write_text(json.dumps(counts), encoding="utf-8")

    def pytest(self, *arguments, plugin=PLUGIN, apart=False):
        """Exit code and output; `apart` in a process of its own."""
        arguments = ("--strict-markers", "--strict-config", *arguments)
        arguments = (*plugin, "-p", "no:cacheprovider", "-W", "error", *arguments)
        run = self._pytester.runpytest_subprocess if apart else self._pytester.runpytest_inprocess
        done = run(*arguments)
        return int(done.ret), done.stdout.str() + done.stderr.str()

    def baseline(self, name="sops.json"):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))["tests"]


@pytest.fixture
def project(pytester, monkeypatch):
    return Project(pytester, monkeypatch)


RECORDS = "def test_it(sop_counter):\n    sop_counter.record(current())\n"


# --- a run that does not use it


def test_it_is_installed_as_a_plugin():
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"hrsnn_lava": "hrsnn_lava.pytest_plugin"}


def test_loading_it_imports_the_standard_library_and_pytest_alone():
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport hrsnn_lava.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = {"hrsnn_lava", "hrsnn_lava.pytest_plugin"}
    assert set(done.stdout.split()) == own | {"lazy_loader"}  # which loads the public names


def test_a_run_without_it_is_not_disturbed(project):
    project.tests(
        "import sys\n"
        "def test_plain():\n"
        "    assert 'numpy' not in sys.modules\n"
        "    assert not [m for m in sys.modules if m.startswith('hrsnn_lava.deploy')]\n"
    )
    code, output = project.pytest(apart=True)
    assert code == 0, output
    assert "synaptic" not in output


def test_it_can_be_left_out(project):
    project.tests("def test_plain():\n    pass\n")
    assert project.pytest(plugin=("-p", "no:hrsnn_lava"))[0] == 0
    assert project.pytest("--sop-baseline", "x.json", plugin=("-p", "no:hrsnn_lava"))[0] == 4


def test_the_marker_and_the_options_are_described(project):
    assert "@pytest.mark.sop_budget(max_sops=N, **budgets)" in project.pytest("--markers")[1]
    text = project.pytest("--help")[1]
    for option in ("--sop-baseline", "--sop-update", "--sop-tolerance", "--sop-markdown"):
        assert option in text


# --- budgets


def test_budgets_that_are_kept(project):
    project.tests(
        "def test_it(energy_budget):\n"
        "    made = energy_budget(current(), max_uj=3.0, max_sops=300, max_cores=None)\n"
        "    assert made['sop']['total'] == 300\n"
        "@pytest.mark.sop_budget(max_sops=300)\n" + RECORDS.replace("test_it", "test_marked")
    )
    code, output = project.pytest("--junitxml", "junit.xml")
    assert code == 0, output
    cases = ElementTree.parse(project.folder / "junit.xml").getroot().iter("testcase")
    found = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in cases
    }
    assert found["test_it"] == {"sops": "300", "max_energy_uj": "3.0", "max_sops": "300"}
    assert found["test_marked"] == {"sops": "300", "max_sops": "300"}


def test_a_broken_budget_fails_with_a_table(project):
    project.tests(
        "def test_it(energy_budget):\n"
        "    energy_budget(current(), max_uj=2.0, max_sops=299, max_cores=2)\n"
    )
    code, output = project.pytest()
    assert code == 1
    assert "2 of 3 budgets broken" in output
    assert "max_energy_uj" in output
    assert "3 µJ" in output
    assert "-50.0 %" in output
    assert "max_cores" in output
    assert "projection b: 200 operations, 20 synapses" in output
    assert "sop_counter.py" not in output  # no traceback of ours


def test_the_marker_limits_every_run_and_the_nearest_one_holds(project):
    project.tests(
        "@pytest.mark.sop_budget(max_sops=100)\n"
        "class TestIt:\n"
        "    def test_class(self, sop_counter):\n"
        "        sop_counter.record(report(a=50))\n"
        "        sop_counter.record(report(a=101))\n"
        "    @pytest.mark.sop_budget(max_sops=200)\n"
        "    def test_own(self, sop_counter):\n"
        "        sop_counter.record(report(a=101))\n"
    )
    code, output = project.pytest("-q")
    assert code == 1
    assert "1 failed, 1 passed" in output
    assert "101 SOP" in output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pytest.mark.sop_budget(max_sops=1)\ndef test_it():\n    pass\n", "nothing was recorded"),
        ("@pytest.mark.sop_budget(1)\n" + RECORDS, "give budgets by name"),
        ("@pytest.mark.sop_budget\n" + RECORDS, "give budgets by name"),
        ("@pytest.mark.sop_budget(max_spos=1)\n" + RECORDS, "max_sops"),
        ("def test_it(energy_budget):\n    energy_budget(current())\n", "no budget"),
        (
            "def test_it(energy_budget):\n"
            "    energy_budget(current(), max_sops=1, cost_set='davies2018')\n",
            "cost_set: only with a network",
        ),
        ("def test_it(sop_counter):\n    sop_counter.record(3)\n", "int without a trace"),
    ],
    ids=["nothing", "positional", "bare", "unknown", "none", "option", "kind"],
)
def test_what_is_wrong_is_said(project, text, said):
    project.tests(text)
    code, output = project.pytest()
    assert code == 1
    assert said in output


def test_an_unknown_energy_breaks_its_budget(project):
    project.tests(
        "def test_it(energy_budget):\n"
        "    made = current()\n"
        "    made['energy'].update(total_j=None, unpriced=['hop'])\n"
        "    energy_budget(made, max_uj=1e9)\n"
    )
    code, output = project.pytest()
    assert code == 1
    assert "energy.total_j is null: no price for hop" in output


def test_a_failing_test_fails_for_its_own_reason(project):
    project.tests(
        "@pytest.mark.sop_budget(max_sops=1)\n" + RECORDS + "    assert 1 == 2\n"
        "@pytest.mark.sop_budget(max_sops=1)\ndef test_skipped():\n    pytest.skip('why')\n"
    )
    code, output = project.pytest("-q")
    assert code == 1
    assert "assert 1 == 2" in output
    assert "budgets broken" not in output
    assert "1 failed, 1 skipped" in output


# --- the baseline


def test_the_baseline_is_written_compared_and_renewed(project):
    project.tests(RECORDS)
    options = ("-q", "--sop-baseline", "sops.json")
    code, output = project.pytest(*options)
    assert code == 4
    assert "--sop-update makes it" in output
    code, output = project.pytest(*options, "--sop-update")
    assert code == 0, output
    assert project.baseline()["test_it.py::test_it"]["sops"] == 300
    code, output = project.pytest(*options)
    assert code == 0
    assert "1 of 1 runs as in sops.json" in output
    project.operations(a=100, b=260)
    code, output = project.pytest(*options)
    assert code == 1
    assert "360 synaptic operations, baseline 300 (+20.00 %); allowed: +0 %" in output
    assert "projection b: +60 (more fan-out +60)" in output
    command = "pytest test_it.py::test_it --sop-baseline sops.json --sop-update"
    assert command in output
    assert project.pytest(*command.split()[1:])[0] == 0
    assert project.baseline()["test_it.py::test_it"]["sops"] == 360


def test_growth_within_the_tolerance_passes(project):
    project.tests(RECORDS)
    options = ("--sop-baseline", "sops.json", "--sop-tolerance")
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    project.operations(a=100, b=230)  # 10 % more
    assert project.pytest(*options, "10")[0] == 0
    assert project.pytest(*options, "9.999")[0] == 1
    for wrong in ("-1", "nan", "inf", "ten"):
        code, output = project.pytest(*options, wrong)
        assert code == 4
        assert "--sop-tolerance" in output


def test_a_gain_passes_and_is_told(project):
    project.tests(RECORDS)
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    project.operations(a=100, b=100)
    code, output = project.pytest("--sop-baseline", "sops.json")
    assert code == 0
    assert "200 synaptic operations, baseline 300 (-33.33 %)" in output
    assert "1 fell: --sop-update keeps the gain" in output


def test_an_entry_that_is_missing_fails_with_the_command_that_adds_it(project):
    project.tests(RECORDS)
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    project.tests(
        "@pytest.mark.parametrize('k', ['x y'])\n"
        + RECORDS.replace("sop_counter)", "sop_counter, k)")
    )
    code, output = project.pytest("--sop-baseline", "sops.json")
    assert code == 1
    assert "no entry in sops.json; measured 300 synaptic operations" in output
    node = "'test_it.py::test_it[x y]'"
    assert f"pytest {node} --sop-baseline sops.json --sop-update" in output


def test_only_what_passed_is_written(project):
    project.tests(RECORDS + RECORDS.replace("test_it", "test_other"))
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    project.operations(a=1)
    project.tests(RECORDS + RECORDS.replace("test_it", "test_other") + "    assert False\n")
    code, output = project.pytest("--sop-baseline", "sops.json", "--sop-update")
    assert code == 1
    assert "did not pass, so its entry stays as it is" in output
    kept = {key: entry["sops"] for key, entry in project.baseline().items()}
    assert kept == {"test_it.py::test_it": 1, "test_it.py::test_other": 300}
    before = (project.folder / "sops.json").read_bytes()
    project.pytest("-k", "none_of_them", "--sop-baseline", "sops.json", "--sop-update")
    assert (project.folder / "sops.json").read_bytes() == before


def test_several_runs_of_a_test_have_a_number(project):
    project.tests(
        "def test_it(sop_counter, energy_budget):\n"
        "    first, second = report(a=10), report(a=20)\n"
        "    sop_counter.record(first)\n"
        "    energy_budget(first, max_sops=10)\n"
        "    sop_counter.record(second)\n"
    )
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    kept = {key: entry["sops"] for key, entry in project.baseline().items()}
    assert kept == {"test_it.py::test_it": 10, "test_it.py::test_it #2": 20}
    project.tests("def test_it(sop_counter):\n    sop_counter.record(report(a=10))\n")
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    assert list(project.baseline()) == ["test_it.py::test_it"]


def test_workers_hand_their_runs_over(project):
    """The same file and the same table, whatever process ran a test."""
    project.tests("".join(RECORDS.replace("test_it", f"test_{k}") for k in range(6)))
    written = []
    for workers in ("0", "2"):
        name = f"sops{workers}.json"
        options = ("-p", "xdist", "-n", workers, "--sop-baseline", name)
        assert project.pytest(*options, "--sop-update", "--sop-markdown", f"{workers}.md")[0] == 0
        code, output = project.pytest(*options)
        assert code == 0, output
        assert f"6 of 6 runs as in {name}" in output
        pages = [(project.folder / f).read_bytes() for f in (name, f"{workers}.md")]
        written.append(pages)
    assert written[0] == written[1]
    project.operations(a=101, b=200)
    code, output = project.pytest("-p", "xdist", "-n", "2", "--sop-baseline", "sops2.json")
    assert code == 1
    assert "6 failed" in output
    assert "projection a: +1 (more fan-out +1)" in output


def test_markdown_names_the_projection_that_grew(project):
    project.tests(
        RECORDS + RECORDS.replace("test_it", "test_same").replace("current()", "report(a=5)")
    )
    project.pytest("--sop-baseline", "sops.json", "--sop-update")
    project.operations(a=100, b=260)
    project.pytest("--sop-baseline", "sops.json", "--sop-markdown", "sops.md")
    page = (project.folder / "sops.md").read_text(encoding="utf-8")
    assert "1 of 2 grew." in page
    rows = [line for line in page.split("\n") if line.startswith("| test")][1:]
    assert "projection b: +60" in rows[0]
    assert "+20.00 %" in rows[0]
    assert "the same" in rows[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not a baseline"),
        ("[]", "not a baseline"),
        ('{"schema_version": 2, "tests": {}}', "schema_version 2; this program reads 1"),
        ('{"schema_version": 1, "tests": {"x": {"sops": NaN}}}', "NaN"),
        ('{"schema_version": 1, "tests": {"x": {"sops": "many"}}}', "not a baseline"),
        ("[" * 100_000, "not a baseline"),
    ],
    ids=["json", "list", "version", "nan", "text", "deep"],
)
def test_a_damaged_baseline_is_refused(project, content, said):
    project.tests(RECORDS)
    (project.folder / "sops.json").write_text(content, encoding="utf-8")
    code, output = project.pytest("--sop-baseline", "sops.json")
    assert code == 4
    assert said in output
    assert "Traceback" not in output


def test_options_that_do_not_fit(project):
    project.tests(RECORDS)
    code, output = project.pytest("--sop-update")
    assert code == 4
    assert "name the file with --sop-baseline FILE" in output
    code, output = project.pytest("--sop-baseline", "none/sops.json", "--sop-update")
    assert code == 4
    assert "cannot be written" in output


# --- networks


NETWORK = """
import numpy as np
import hrsnn_lava as hl

def network():
    clock = hl.QuantizedPopulation("clock", 1, du=4095, dv=0, vth=10, bias_mant=100)
    quiet = hl.QuantizedPopulation("quiet", 2, du=4095, dv=0, vth=100_000)
    out = hl.QuantizedProjection("out", "clock", "quiet", [[2], [4]], sign_mode="excitatory")
    return hl.QuantizedNetwork((clock, quiet), (out,))
"""


def test_networks_and_their_traces(project):
    """10 spikes in 70 steps, each onto 2 synapses: 20 operations at 23.6 pJ."""
    project.tests(
        NETWORK + "def test_placed(energy_budget):\n"
        "    compiled = hl.compile(network(), 'loihi1')\n"
        "    trace = hl.simulate(compiled, steps=70)\n"
        "    made = energy_budget(compiled, trace, max_sops=20, min_sops=20, max_uj=3000,\n"
        "                         cost_set='davies2018', step_time_s=1e-3)\n"
        "    assert made['energy']['cost_set'] == 'davies2018'\n"
        "    assert energy_budget(compiled, trace, max_sops=20)['energy']['cost_set']\n"
        "    energy_budget(hl.report(compiled, trace), max_sops=20)\n"
        "    made = energy_budget(compiled, hl.count(compiled, None, 70), max_sops=20)\n"
        "    assert made['sop']['total'] == 20\n"
        "def test_unplaced(sop_counter, energy_budget):\n"
        "    made = sop_counter.record(network(), hl.simulate(network(), steps=70))\n"
        "    assert made['sop']['total'] == 20\n"
        "    assert [run.steps for run in sop_counter.runs] == [70]\n"
        "    with pytest.raises(hl.HrsnnError, match='without a trace'):\n"
        "        sop_counter.record(network())\n"
        "    with pytest.raises(hl.HrsnnError, match='only with a network that is compiled'):\n"
        "        sop_counter.record(network(), hl.simulate(network(), steps=70), samples=1)\n"
    )
    code, output = project.pytest(apart=True)
    assert code == 0, output


def test_the_energy_of_one_idle_step_is_static(project):
    """29.6 mW on loihi1 for 1 ms; a budget of operations can be kept beside it."""
    project.tests(
        "import warnings\n"
        "import hrsnn_lava as hl\n"
        "def ran():\n"
        "    warnings.simplefilter('ignore')  # that the neuron is idle\n"
        "    parts = (hl.QuantizedPopulation('a', 1, du=1, dv=1, vth=1),)\n"
        "    compiled = hl.compile(hl.QuantizedNetwork(parts), 'loihi1')\n"
        "    return compiled, hl.simulate(compiled, None, 1)\n"
        "def test_dynamic(energy_budget):\n"
        "    made = energy_budget(*ran(), cost_set='sanafe_loihi', max_dynamic_uj=0.001)\n"
        "    assert abs(made['energy']['static_j'] - 29.6e-6) < 1e-12\n"
        "def test_total(energy_budget):\n"
        "    energy_budget(*ran(), cost_set='sanafe_loihi', max_uj=5.0)\n"
    )
    code, output = project.pytest()
    assert code == 1
    assert "29.6 µJ of it static" in output
    assert "1 failed, 1 passed" in output
