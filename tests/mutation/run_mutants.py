"""Changes the code in one small way at a time and asks whether a test notices.

    uv run python tests/mutation/run_mutants.py --count 60 --out mutants.json

Mutants are drawn evenly over five rooms whose integers have to be right: quantization, pricing,
kernels of the engines, partitioning and palettes. Each is written into a copy of the repository,
where the nearest tests run until the first failure. A mutant that they all let pass survives; what
it changed is printed, for somebody to explain or to kill.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("hrsnn_lava", "compiler", "deploy", "hardware_profiles", "sim_backends", "tests")
TIMEOUT_S = 600
PASSES, STEPS = "tests/compiler/passes", "tests/sim_backends"
CONFORMANCE = "tests/conformance"
#: What is changed in each room, and the tests that are to notice: cheapest first.
NEAREST: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quantize": (
        (
            "compiler/passes/quantize.py",
            "compiler/quantization/*.py",
            "hrsnn_lava/integer_format.py",
        ),
        (
            f"{PASSES}/test_quantize_by_hand.py",
            f"{PASSES}/test_quantize.py",
            f"{PASSES}/test_quantize_headroom.py",
            f"{PASSES}/test_absorb_thresholds.py",
            "tests/compiler/quantization",
            "tests/hrsnn_lava/test_integer_format.py",
            f"{CONFORMANCE}/test_digests.py",
        ),
    ),
    "energy": (
        ("compiler/analysis/pricing/*.py", "compiler/analysis/operations/*.py"),
        (
            "tests/compiler/analysis/pricing",
            "tests/compiler/analysis/operations",
            "tests/compiler/analysis/test_unknown_inputs.py",
            f"{STEPS}/runs/test_counters.py",
            f"{CONFORMANCE}/test_digests.py",
        ),
    ),
    "kernels": (
        (
            "sim_backends/native/kernels.py",
            "sim_backends/native/learning_kernels.py",
            "sim_backends/native/learning_pairs.py",
            "sim_backends/native/learning_changes.py",
            "sim_backends/native/learning_lines.py",
            "sim_backends/native/learning_forms.py",
            "sim_backends/native/simulator.py",
            "sim_backends/reference/*.py",
        ),
        (
            f"{STEPS}/test_integer_step.py",
            f"{CONFORMANCE}/test_boundaries_of_the_state.py",
            f"{STEPS}/test_learning_engine.py",
            f"{STEPS}/test_learning_known_values.py",
            f"{STEPS}/test_third_factor.py",
            f"{STEPS}/native",
            f"{STEPS}/test_engines.py",
            f"{STEPS}/runs",
            f"{CONFORMANCE}/test_golden.py",
            f"{CONFORMANCE}/test_learning_networks.py",
            f"{CONFORMANCE}/test_third_factor_networks.py",
        ),
    ),
    "partition": (
        ("compiler/passes/partition.py", "compiler/partitioning/*.py"),
        (
            "tests/compiler/partitioning",
            f"{PASSES}/test_partition.py",
            "tests/compiler/test_boundaries.py",
            f"{CONFORMANCE}/test_digests.py",
        ),
    ),
    "palette": (
        ("compiler/passes/palette.py", "compiler/palettes/*.py"),
        (
            "tests/compiler/palettes",
            f"{PASSES}/test_palette.py",
            f"{PASSES}/test_partition.py",
            f"{CONFORMANCE}/test_digests.py",
        ),
    ),
}
SWAPPED: dict[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "+",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.And: "or",
    ast.Or: "and",
}
#: Functions of two arguments that stand for each other's opposite.
TWINS = {
    "minimum": "maximum",
    "maximum": "minimum",
    "min": "max",
    "max": "min",
    "floor": "ceil",
    "ceil": "floor",
    "any": "all",
    "all": "any",
}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        room: key of `NEAREST`.
        path: of the file, below the root.
        line: of the change, from 1.
        start: offset of the text that is replaced, in bytes of the file.
        end: where it ends.
        text: what stands there instead.
        before: the line as it is.
        after: the line as it becomes.
    """

    room: str
    path: str
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str


def mutants_of(path: Path, room: str) -> Iterator[Mutant]:
    """All changes of a file; none in annotations, error messages, docstrings and `__all__`."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + column

    def change(start: int, end: int, text: str) -> Mutant:
        row = max(k for k, s in enumerate(starts) if s <= start)
        first, last = starts[row], source.find(b"\n", end)
        after = source[first:start] + text.encode() + source[end:last]
        before = source[first : source.find(b"\n", end)]
        name = str(path.relative_to(ROOT))
        return Mutant(room, name, row + 1, start, end, text, before.decode(), after.decode())

    for node in _code(ast.parse(source)):
        between: list[tuple[ast.AST, ast.expr, ast.expr]] = []
        if isinstance(node, ast.BinOp):
            between = [(node.op, node.left, node.right)]
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            between = list(zip(node.ops, operands, operands[1:], strict=False))
        elif isinstance(node, ast.BoolOp):
            pairs = zip(node.values, node.values[1:], strict=False)
            between = [(node.op, a, b) for a, b in pairs]
        for operator, left, right in between:
            new = SWAPPED.get(type(operator))
            if new is None:
                continue
            start = offset(left.end_lineno or 0, left.end_col_offset or 0)
            segment = source[start : offset(right.lineno, right.col_offset)]
            old = segment.strip(b" ()\n")
            if old and segment.count(old) == 1:
                at = start + segment.index(old)
                yield change(at, at + len(old), new)
        if isinstance(node, ast.Constant) and type(node.value) is int:
            start = offset(node.lineno, node.col_offset)
            end = offset(node.end_lineno or 0, node.end_col_offset or 0)
            yield change(start, end, str(node.value + 1))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            start = offset(node.lineno, node.col_offset)
            yield change(start, start + 4, "")
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in TWINS:
                end = offset(called.end_lineno or 0, called.end_col_offset or 0)
                yield change(end - len(name), end, TWINS[name])


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes whose change could matter."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list"} or isinstance(node, ast.Raise):
                continue
            children = value if isinstance(value, list) else [value]
            waiting += [c for c in children if isinstance(c, ast.AST)]


def drawn(count: int, seed: int, rooms: list[str]) -> list[Mutant]:
    """`count` mutants, the same number from each room, and within a room by chance."""
    generator = random.Random(seed)
    chosen: list[Mutant] = []
    for index, room in enumerate(rooms):
        files = sorted({p for pattern in NEAREST[room][0] for p in ROOT.glob(pattern)})
        every = [m for path in files for m in mutants_of(path, room)]
        share = (count + len(rooms) - 1 - index) // len(rooms)
        chosen += generator.sample(every, min(share, len(every)))
    return chosen


def copy_of_the_repository(folder: Path) -> None:
    """Everything that the tests need."""
    for name in (*COPIED, "examples", "docs", "benchmarks"):
        skipped = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)


def outcome(folder: Path, mutant: Mutant) -> tuple[str, str]:
    """``killed``, ``survived`` or ``timeout``, and the test that said so."""
    path = folder / mutant.path
    source = path.read_bytes()
    # compiled kernels do not notice that what they call in another file has changed
    compiled = b"jit" in source
    cache = tempfile.mkdtemp(prefix="numba-") if compiled else str(folder / ".numba")
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": cache}
    path.write_bytes(source[: mutant.start] + mutant.text.encode() + source[mutant.end :])
    options = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", "--tb=no")
    command = [sys.executable, "-m", "pytest", *options, *NEAREST[mutant.room][1]]
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timeout", ""
    finally:
        path.write_bytes(source)
        if compiled:
            shutil.rmtree(cache, ignore_errors=True)
    if result.returncode == 0:
        return "survived", ""
    lines = result.stdout.splitlines()
    noticed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "killed", noticed[0][:160] if noticed else result.stdout[-160:] + result.stderr[-160:]


def main() -> None:
    """Draw, try, print; with ``--out`` also write what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=sorted(NEAREST), action="append")
    parser.add_argument("--out", type=Path, help="a JSON file of all mutants and what came of them")
    arguments = parser.parse_args()
    rooms = arguments.room or list(NEAREST)
    results = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copy_of_the_repository(folder)
        mutants = drawn(arguments.count, arguments.seed, rooms)
        for index, mutant in enumerate(mutants):
            started = time.monotonic()
            verdict, noticed = outcome(folder, mutant)
            seconds = time.monotonic() - started
            results.append({**asdict(mutant), "verdict": verdict, "noticed": noticed})
            where = f"{mutant.path}:{mutant.line}"
            print(f"{index + 1}/{len(mutants)} {verdict} {seconds:.0f} s {where}", flush=True)
            if verdict != "killed":
                print(f"    - {mutant.before.strip()}\n    + {mutant.after.strip()}", flush=True)
            if arguments.out:
                arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    for room in rooms:
        verdicts = [r["verdict"] for r in results if r["room"] == room]
        print(f"{room}: {verdicts.count('killed')} of {len(verdicts)} noticed")


if __name__ == "__main__":
    main()
