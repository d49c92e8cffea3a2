"""Runs every benchmark and puts the figures into ``docs/performance.md`` and its picture.

    uv run python benchmarks/run_all.py --peer-python ENV/bin/python
    uv run python benchmarks/run_all.py --only startup trials
    uv run python benchmarks/run_all.py --render      # from the figures of the last run

The figures stay in ``out/benchmarks``. All tables of the page, the list of targets included, are
written from them; nothing in it is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import counting
import learning
import learning_rules
import pruning
import scaling
import search_suggest
import simulation
import startup
import trials
from plot import draw_all
from timing import table

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = (
    *("simulation", "learning", "scaling", "counting", "trials", "startup", "pruning"),
    "search_suggest",
)
#: Arguments of a script that has its own.
OWN = {"pruning": ("--neurons", "5000", "--peer-neurons", "0")}
NOT_MEASURED = "not measured"
#: What steps of pruning may take, in seconds and GB.
PRUNING: dict[str, tuple[float, float | None]] = {
    "balanced": (10.0, 1.0),
    "covariance, exact": (30.0, None),
    "betweenness": (10.0, None),
    "iteration": (60.0, 4.0),
}
_BLOCK = re.compile(r"(<!-- benchmark: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def measure(folder: Path, only: Sequence[str], arguments: Sequence[str], peer: str | None) -> None:
    """Run the scripts one after the other, each in a process with one thread of BLAS."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if peer:
        environment["HRSNN_PEER_PYTHON"] = peer
    for name in only:
        print(f"--- {name}", flush=True)
        script = str(Path(__file__).with_name(f"{name}.py"))
        command = [sys.executable, script, "--json", str(folder / f"{name}.json")]
        command += OWN.get(name, arguments)
        subprocess.run(command, check=True, env=environment)


def load(folder: Path) -> dict[str, Any]:
    """The documents that are there, by benchmark."""
    paths = {name: folder / f"{name}.json" for name in SCRIPTS}
    return {name: json.loads(p.read_text()) for name, p in paths.items() if p.exists()}


def render(documents: dict[str, Any], page: Path) -> None:
    """Replace the blocks of the page whose figures are there; what stays keeps its machine."""
    blocks: dict[str, str] = {}
    if "simulation" in documents:
        blocks["simulation"] = simulation_tables(documents["simulation"])
        blocks["parts"] = parts_table(documents["simulation"])
    if "learning" in documents:
        blocks["learning"] = learning_tables(documents["learning"])
        rows = [learning.display_parts(case) for case in documents["learning"]["rows"]]
        blocks["learning-parts"] = table(rows, learning.PART_COLUMNS)
        rules = [row for case in documents["learning"]["rows"] for row in case.get("rules", [])]
        if rules:
            shown = [learning_rules.display(row) for row in rules]
            blocks["learning-rules"] = table(shown, learning_rules.COLUMNS)
    if "pruning" in documents:
        blocks["pruning"] = pruning.step_table(documents["pruning"]["rows"]["steps"])
    tables = {"scaling": scaling, "counting": counting, "trials": trials, "startup": startup}
    tables["search_suggest"] = search_suggest
    for name, module in tables.items():
        if name in documents:
            rows = [module.display(row) for row in documents[name]["rows"]]
            blocks[name] = table(rows, module.COLUMNS)

    page_text = page.read_text(encoding="utf-8")
    before = {found[2]: found[0] for found in _BLOCK.finditer(page_text)}
    blocks["targets"] = targets_table(documents, before.get("targets", ""))
    blocks["machine"] = machine_lines(documents, before.get("machine", ""))

    def fill(found: re.Match[str]) -> str:
        text = blocks.get(found[2])
        return found[0] if text is None else f"{found[1]}\n{text}\n\n{found[3]}"

    page.write_text(_BLOCK.sub(fill, page_text), encoding="utf-8")


def machine_lines(documents: dict[str, Any], before: str = "") -> str:
    """Where and under what load each benchmark ran; those of `before` that did not run again."""
    lines = {found[1]: found[0] for found in re.finditer(r"^- (\w+): .*$", before, re.MULTILINE)}
    for name, document in documents.items():
        of = document["machine"]
        lines[name] = (
            f"- {name}: {of['cpu']}, {of['cores']} cores, {of['system']}, Python {of['python']}, "
            f"NumPy {of['numpy']}, SciPy {of['scipy']}, numba {of['numba']}; "
            f"load average at the end {of['load_average']}"
        )
    return "\n".join(lines.values())


def simulation_tables(document: dict[str, Any]) -> str:
    """One table for each size."""
    parts = []
    for case in document["rows"]:
        parts.append(
            f"N = {case['neurons']}, {case['synapses']} synapses, rate {case['rate']:.3f}, "
            f"{case['events_per_step']:.0f} synaptic events a step:\n"
        )
        rows = [simulation.display(row) for row in case["tools"]]
        parts.append(table(rows, simulation.TOOL_COLUMNS) + "\n")
        parts += [simulation.wall_line(r) + "\n" for r in case["tools"] if "wall_s_per_step" in r]
    return "\n".join(parts).rstrip()


def parts_table(document: dict[str, Any]) -> str:
    """What a step is spent on, and the bound."""
    columns = {
        "n": "N",
        "neuron": "ns/neuron",
        "share": "neurons' share",
        "synapse": "synapses, ns/event",
        "bound": "bare additions, ns/event",
        "fraction": "synapses at",
        "whole": "whole step at",
    }
    rows = [
        {
            "n": str(case["neurons"]),
            "neuron": f"{case['ns_per_neuron']:.2f}",
            "share": f"{case['neuron_share']:.0%}",
            "synapse": f"{case['synapse_ns_per_event']:.2f}",
            "bound": f"{case['bound_ns_per_event']:.2f}",
            "fraction": f"{case['synapses_of_bound']:.0%} of the bound",
            "whole": f"{case['of_bound']:.0%}",
        }
        for case in document["rows"]
    ]
    bandwidth = document["triad_bytes_per_s"] / 1e9
    return f"{table(rows, columns)}\n\nMemory bandwidth of one core (triad): {bandwidth:.1f} GB/s."


def learning_tables(document: dict[str, Any]) -> str:
    """One table for each size."""
    parts = []
    for case in document["rows"]:
        parts.append(
            f"N = {case['neurons']}, {case['plastic']} plastic of {case['synapses']} synapses, "
            f"rate {case['rate']:.3f}, {case['ns_per_plastic_event']:.2f} ns per plastic event "
            "on top:\n"
        )
        rows = [simulation.display(row) for row in case["tools"]]
        parts.append(table(rows, learning.COLUMNS) + "\n")
    return "\n".join(parts).rstrip()


def targets_table(documents: dict[str, Any], before: str = "") -> str:
    """Every target beside what was measured, now or, where that is missing, before."""
    rows = [
        {"what": what, "target": f"{sign} {goal:g} {unit}".strip(), "found": found, "met": met}
        for what, sign, goal, unit, found, met in _targets(documents)
    ]
    earlier = {cells[0]: cells for line in before.splitlines() if (cells := _cells(line))}
    for row in rows:
        if row["found"] == NOT_MEASURED and row["what"] in earlier:
            _, _, row["found"], row["met"] = earlier[row["what"]]
    columns = {"what": "what", "target": "target", "found": "measured", "met": ""}
    return table(rows, columns)


def _cells(line: str) -> list[str]:
    """Of a row of a table of four columns; empty for another line."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return cells if len(cells) == 4 else []


def _targets(documents: dict[str, Any]) -> list[tuple[str, str, float, str, str, str]]:
    found = []

    def add(what: str, sign: str, goal: float, unit: str, value: float | None) -> None:
        if value is None:
            found.append((what, sign, goal, unit, NOT_MEASURED, ""))
            return
        met = value <= goal if sign == "<=" else value >= goal
        text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
        found.append((what, sign, goal, unit, f"{text} {unit}".strip(), "met" if met else "missed"))

    large = _case(documents, "simulation", 5000)
    add("step, N=5000, per synaptic event", "<=", 0.8, "ns", large.get("ns_per_event"))
    add("step, N=5000, against Lava", ">=", 200, "x", _ratio(large, "Lava"))
    add("step, N=5000, against Brian2 C++", ">=", 4, "x", _ratio(large, "Brian2"))
    plastic = _case(documents, "learning", 1000)
    add("learning, N=1000, against Lava", ">=", 3000, "x", _ratio(plastic, "Lava"))
    add("learning, N=1000, against Brian2 C++", ">=", 10, "x", _ratio(plastic, "Brian2"))
    counted = _case(documents, "counting", 5000)
    share = None if not counted else 100 * counted["overhead"]
    add("counting, N=5000, on top of a run", "<=", 5, "%", share)
    gains = [r["gain"] for r in documents.get("trials", {}).get("rows", []) if r["threads"] == 2]
    add("trials on 2 cores, worst size", ">=", 1.8, "x", min(gains, default=None))
    starts = [r for r in documents.get("startup", {}).get("rows", []) if "N=" in r["command"]]
    add("simulate, warm start", "<=", 1.0, "s", starts[0]["wall_s"] if starts else None)
    suggested = [
        row["cpu_s"]
        for row in documents.get("search_suggest", {}).get("rows", [])
        if (row["trials"], row["tool"]) == (500, "wasserstein")
    ]
    add("a suggestion at 500 trials", "<=", 1.0, "s", max(suggested, default=None))
    steps = documents.get("pruning", {}).get("rows", {}).get("steps", [])
    for name, (seconds, size) in PRUNING.items():
        row = next((row for row in steps if row["step"] == name), None)
        what = f"pruning, N=5000, {name}"
        add(what, "<=", seconds, "s", None if row is None else row["cpu_s"])
        peak = None if row is None else row["peak_bytes"] / 1e9
        if size is not None:
            add(f"{what}, peak", "<=", size, "GB", peak)
    return found


def _case(documents: dict[str, Any], name: str, n: int) -> dict[str, Any]:
    rows = documents.get(name, {}).get("rows", [])
    return next((row for row in rows if row["neurons"] == n), {})


def _ratio(case: dict[str, Any], tool: str) -> float | None:
    ratios = (r["ratio"] for r in case.get("tools", []) if r["tool"].startswith(tool))
    return min(ratios, default=None)


def main() -> int:
    """Measure, then render."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    options.add_argument("--render", action="store_true", help="measure nothing")
    options.add_argument("--no-lava", action="store_true")
    options.add_argument("--no-peers", action="store_true")
    options.add_argument("--peer-python", help="interpreter that has Brian2 and NEST")
    options.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    options.add_argument("--page", type=Path, default=ROOT / "docs" / "performance.md")
    arguments = options.parse_args()
    if not arguments.render:
        left_out = {"--no-lava": arguments.no_lava, "--no-peers": arguments.no_peers}
        flags = [flag for flag, given in left_out.items() if given]
        measure(arguments.out, arguments.only, flags, arguments.peer_python)
    documents = load(arguments.out)
    if not documents:
        print(f"no figures in {arguments.out}", file=sys.stderr)
        return 1
    render(documents, arguments.page)
    draw_all(documents, arguments.page.parent / "img" / "performance.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
