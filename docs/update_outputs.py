"""Runs what the documentation shows, and puts the real output back into it.

    uv run python docs/update_outputs.py             # all files
    uv run python docs/update_outputs.py README.md   # one of them
    uv run python docs/update_outputs.py --check     # change nothing, fail if something would

A ``console`` block holds commands, each after ``$ ``. A line ``# exit code 4`` after a command
states the code expected. Where the line before the block is a comment ``<!-- output: WHAT -->``,
the output of the last command is replaced; WHAT is a list, separated by ``;``, of

    all              everything
    head N           the first N lines
    section NAME     the paragraph that begins with NAME
    section NAME N   its first N lines
    manual           left alone, for outputs that take minutes

What is left out is shown as ``[...]``. A block whose first line is ``# PATH.toml`` or ``# PATH.py``
is written to that file. Other Python blocks run in order, in one namespace a file; one that begins
with ``# needs Lava`` runs as a program of its own. The tests in ``tests/docs`` use the same
functions.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
PAGES += sorted((DOCS / "api").glob("*.md"))
#: What a reader types on a bare machine; the part behind it is the program's.
BOOTSTRAP = "pip install uv && uv run "
ELIDED = "[...]"
_EXIT_CODE = re.compile(r"# exit code (\d+)$")
_MARKER = re.compile(r"<!-- output: (.*) -->$")
#: What makes a program print other lines than at a reader's prompt: pytest shortens none where it
#: runs as a check.
_CHANGES_OUTPUT = {"BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "LINES", "PYTEST_ADDOPTS"}
#: First cell of a row of ``spec.md``: a key, and the methods or kinds that have it.
_KEY = re.compile(r"`[\w.]+`(?: \([\w, ]+\))?")


@dataclass(frozen=True)
class Command:
    """A shell command of a page and the exit code that it must have."""

    text: str
    code: int = 0

    @property
    def outside(self) -> bool:
        """True for what sets up or uses uv, which the program cannot do from within itself."""
        return self.text.startswith(("pip install", "uv ", ".ci/"))

    @property
    def needs_lava(self) -> bool:
        """True when it cannot work where Lava is missing."""
        return re.search(r"(?<![\w-])lava(?![\w-])", self.text) is not None

    @property
    def needs_torch(self) -> bool:
        """True for gradient training."""
        return "--method surrogate" in self.text


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its lines, and where they are in the page.

    Attributes:
        language: after the opening fence.
        lines: between the fences.
        first: index of the first of them in the page.
        marker: WHAT of the comment before it, or None.
    """

    language: str
    lines: tuple[str, ...]
    first: int
    marker: str | None

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines) + "\n"

    @property
    def file_name(self) -> str | None:
        """Where the block is to be written to, from the page's folder; None for no file."""
        suffix = {"toml": "toml", "python": "py"}.get(self.language)
        title = re.match(rf"# (\S+\.{suffix})$", self.lines[0]) if self.lines else None
        return title.group(1) if title else None

    def write(self, folder: Path) -> None:
        """Write the block to its file in `folder`."""
        assert self.file_name is not None
        path = folder / self.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")

    @property
    def needs_lava(self) -> bool:
        """True for a program of its own, which imports Lava."""
        return self.language == "python" and self.text.startswith("# needs Lava")

    @property
    def needs_torch(self) -> bool:
        """True for a program that is run where torch is."""
        return self.language == "python" and self.text.startswith("# needs torch")

    def commands(self) -> list[tuple[Command, int]]:
        """The commands, each with the index in `lines` at which its output begins."""
        commands: list[tuple[Command, int]] = []
        k = 0
        while k < len(self.lines):
            line = self.lines[k]
            k += 1
            if not line.startswith("$ "):
                continue
            text = line[2:]
            while text.endswith("\\"):
                text = text[:-1] + self.lines[k].strip()
                k += 1
            code = _EXIT_CODE.match(self.lines[k]) if k < len(self.lines) else None
            if code:
                k += 1
            commands.append((Command(text, int(code.group(1)) if code else 0), k))
        return commands


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    lines, blocks = text.split("\n"), []
    k = 0
    while k < len(lines):
        if not lines[k].startswith("```"):
            k += 1
            continue
        end = lines.index("```", k + 1)
        marker = _MARKER.match(lines[k - 1]) if k else None
        inner = tuple(lines[k + 1 : end])
        blocks.append(Block(lines[k][3:], inner, k + 1, marker.group(1) if marker else None))
        k = end + 1
    return blocks


def prepare(folder: Path) -> None:
    """Make `folder` look like the checkout where the pages need it: the examples are there."""
    (folder / "examples").symlink_to(ROOT / "examples")


def environment() -> dict[str, str]:
    """Variables for a command: the program on the path, one thread, no colours."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    usual = {name: value for name, value in os.environ.items() if name not in _CHANGES_OUTPUT}
    return {**usual, "PATH": path, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def run_shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`."""
    return subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment(), capture_output=True, text=True
    )


def run_program(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python block as a program of its own."""
    path = folder / "block.py"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, str(path)]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)


def select(output: str, what: str) -> list[str]:
    """The lines of an output that a marker asks for, with `ELIDED` for the rest."""
    lines = output.replace(str(ROOT), ".").rstrip("\n").split("\n")
    chosen: set[int] = set()
    for part in (p.strip() for p in what.split(";")):
        word, _, rest = part.partition(" ")
        if word == "all":
            chosen.update(range(len(lines)))
        elif word == "head":
            chosen.update(range(min(int(rest), len(lines))))
        elif word == "section":
            count = re.search(r" (\d+)$", rest)
            name = rest[: count.start()] if count else rest
            first = next((k for k, line in enumerate(lines) if line.startswith(name)), None)
            if first is None:
                raise SystemExit(f"no line of the output begins with {name!r}")
            last = next((k for k in range(first, len(lines)) if not lines[k]), len(lines))
            chosen.update(range(first, min(last, first + int(count.group(1)) if count else last)))
        else:
            raise SystemExit(f"unknown marker {part!r}")
    return _joined(lines, sorted(chosen))


def _joined(lines: list[str], chosen: list[int]) -> list[str]:
    shown: list[str] = []
    last = -1
    for k in chosen:
        if any(line for line in lines[last + 1 : k]):
            shown.append(ELIDED)
        elif k > last + 1 and shown:
            shown.append("")
        shown.append(lines[k])
        last = k
    if any(lines[last + 1 :]):
        shown.append(ELIDED)
    return shown


def refreshed(page: Path) -> str:
    """The text of a page with every marked output replaced."""
    text = page.read_text(encoding="utf-8")
    lines = text.split("\n")
    changes: list[tuple[int, int, list[str]]] = []
    space: dict[str, Any] = {"__name__": "page"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for block in blocks(text):
            if block.file_name:
                block.write(folder)
            elif block.language == "python" and not block.needs_lava and _torch_for(block):
                _run_inside(block, folder, space)
            elif block.language == "console":
                output = _output(block, folder, page)
                if output is not None:
                    start = block.first + block.commands()[-1][1]
                    changes.append((start, block.first + len(block.lines), output))
    for start, end, output in reversed(changes):
        lines[start:end] = output
    new = "\n".join(lines)
    return with_defaults(new) if page.name == "spec.md" else new


def _torch_for(item: Block | Command) -> bool:
    """Whether it needs no torch, or torch is there."""
    return not item.needs_torch or importlib.util.find_spec("torch") is not None


def _run_inside(block: Block, folder: Path, space: dict[str, Any]) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(block.text, "block", "exec", dont_inherit=True), space)
    finally:
        os.chdir(before)


def _output(block: Block, folder: Path, page: Path) -> list[str] | None:
    """Output of the last command, as its marker wants it; None where it stays as it is."""
    result = None
    if block.marker == "manual":
        return None
    for command, _ in block.commands():
        text = command.text.removeprefix(BOOTSTRAP)
        if (text == command.text and command.outside) or not _torch_for(command):
            continue
        result = run_shell(text, folder)
        if result.returncode != command.code:
            sys.stderr.write(result.stdout + result.stderr)
            raise SystemExit(
                f"{page.name}: {text!r} ended with {result.returncode}, stated: {command.code}"
            )
    if block.marker is None or result is None:
        return None
    return select(result.stdout if result.returncode == 0 else result.stderr, block.marker)


@dataclass(frozen=True)
class Row:
    """What the program knows of a key of a spec.

    Attributes:
        default: as TOML writes it; `NOT_SET` where TOML cannot, `REQUIRED` where there is none.
        allowed: values, in words.
        meaning: from the class that has the option; "" where the page says it by hand.
    """

    default: str
    allowed: str
    meaning: str = ""


NOT_SET, REQUIRED = "not set", "required"


#: Keys of [prune] that take a table or something shorter, and have a row of their own.
OPTIONAL_TABLES = ("drop_neurons", "delocalize", "aftercare", "rescale_time", "screen")


def spec_rows() -> dict[str, Row]:
    """Every key of a spec, as ``docs/spec.md`` shows it.

    A key of ``[prune]`` that not every method has is followed by the methods, ``prune.score
    (lyapunov)``, and one of ``[task]`` by the kinds; where defaults differ there is a row for each.
    """
    from hrsnn_lava import registry
    from hrsnn_lava.aftercare_options import pruning_methods
    from hrsnn_lava.spec import PruneSpec, Spec, prune_table

    texts = _texts(Spec)
    schema = Spec.model_json_schema()
    value = Spec().model_dump()
    del value["prune"]
    del value["task"]
    rows = dict(_rows(schema, value, schema["$defs"], "", texts))
    # options of the lowering stand in [stdp], and so they do on the page
    rows = {key: row for key, row in rows.items() if not key.startswith("quantize.stdp")}
    rows["task.kind"] = Row(toml_of("lorenz63"), _quoted(registry.names("task")))
    rows |= _table_rows(PruneSpec, "prune")
    kinds = {name: registry.load("task", name) for name in registry.names("task")}
    methods = {name: prune_table(name) for name in pruning_methods()}
    rows |= _owned("task", kinds, rows) | _owned("prune", methods, rows)
    return {key: _named(key, row) for key, row in rows.items()}


def _table_rows(cls: Any, prefix: str) -> dict[str, Row]:
    """Rows of one options class."""
    from pydantic import TypeAdapter

    from hrsnn_lava.options import table_of

    schema = TypeAdapter(cls).json_schema()
    # the schema leaves out which part a default is
    parts = {f.name: table_of(f.default) for f in fields(cls) if getattr(f.default, "name", "")}
    return dict(_rows(schema, parts, schema.get("$defs", {}), f"{prefix}.", _texts(cls)))


def _owned(prefix: str, classes: dict[str, Any], shared: dict[str, Row]) -> dict[str, Row]:
    """Rows that not all classes of a table have, each with those that do behind its key."""
    owners: dict[tuple[str, Row], list[str]] = {}
    for name, cls in classes.items():
        for key, row in _table_rows(cls, prefix).items():
            if key not in shared:
                owners.setdefault((key, row), []).append(name)
    return {f"{key} ({', '.join(names)})": row for (key, row), names in owners.items()}


def _named(key: str, row: Row) -> Row:
    """A row whose schema says less than the program checks: names, and scalars for tables."""
    from hrsnn_lava import registry
    from hrsnn_lava.aftercare_options import pruning_methods

    allowed = {
        "prune.method": _quoted((*pruning_methods(), "none")),
        "prune.controls": f"list of {_quoted((*pruning_methods(), 'no-recurrence'))}",
        "prune.rescale": _quoted(("auto", "none", "inverse", "match", "refit")) + " or a table",
        "prune.drop_neurons": "number >= 0, < 1 or a table",
        "prune.delocalize": "number >= 0, <= 1 or a table",
        "prune.aftercare": "true, false or a table",
        "prune.rescale_time": "true, false or a table",
        "prune.screen": '"portfolio" or a table',
        "prune.screen.candidates": f"list of {_quoted(pruning_methods())}",
        "place.method": _quoted(("search", *registry.names("placer"))),
    }
    if key == "search.space":
        return replace(row, allowed="table of intervals, choices and distributions")
    parts = ("task.encoder", "task.reader", "prune.screen.criterion", "search.suggester")
    if key.startswith(parts):
        return replace(row, allowed=f"{row.allowed} or a table")
    return replace(row, allowed=allowed.get(key, row.allowed))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _texts(cls: Any) -> dict[str, Any]:
    """Texts of the fields of every options class that a class holds, by the class's name."""
    from hrsnn_lava.options import help_texts

    texts = {cls.__name__: help_texts(cls)} if is_dataclass(cls) else {}
    hints = list(get_type_hints(cls, include_extras=True).values())
    while hints:
        hint = hints.pop()
        hints += get_args(hint)
        if isinstance(hint, type) and is_dataclass(hint) and hint.__name__ not in texts:
            texts |= _texts(hint)
    return texts


def _rows(
    schema: Any, value: Any, known: Any, prefix: str, texts: Any
) -> Iterator[tuple[str, Row]]:
    """Rows of a table, and of the tables in it.

    Args:
        schema: of the table. value: what its keys hold; what is missing has its default.
        known: definitions of the schema. texts: see `_texts`.
    """
    own = texts.get(schema.get("title"), {})
    for key, entry in schema["properties"].items():
        if prefix == "" and key not in value:
            continue
        default = value.get(key, entry.get("default", REQUIRED))
        choices = entry.get("anyOf", [entry])
        tables = [known[e["$ref"].rsplit("/", 1)[1]] for e in choices if "$ref" in e]
        plain = [e for e in choices if "$ref" not in e and e.get("type") != "null"]
        tables = [t for t in tables if "properties" in t]
        if not tables or plain or key in OPTIONAL_TABLES:
            text = own.get(key, "").replace("``", "`").replace("|", "\\|").removesuffix(".")
            yield f"{prefix}{key}", Row(_default(default), allowed_of(entry), text)
        for table in tables:
            inner = default if isinstance(default, dict) else {}
            if prefix + key == "quantize":
                table = {
                    **table,
                    "properties": {k: e for k, e in table["properties"].items() if k in inner},
                }
            yield from _rows(table, inner, known, f"{prefix}{key}.", texts)


def _default(value: Any) -> str:
    return value if value == REQUIRED else toml_of(value)


def toml_of(value: Any) -> str:
    """A value as TOML writes it; what TOML cannot write is `not set`."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_of(v) for v in value) + "]"
    if isinstance(value, dict):
        entries = {k: v for k, v in value.items() if v is not None and v is not False}
        first = {name: entries[name] for name in ("distribution", "kind") if name in entries}
        entries = {**first, **entries}
        return "{ " + ", ".join(f"{k} = {toml_of(v)}" for k, v in entries.items()) + " }"
    return repr(value)


def allowed_of(entry: Any) -> str:
    """What a key accepts, in words, from its JSON schema."""
    if "const" in entry:
        return toml_of(entry["const"])
    for names in ("enum", "examples"):
        if names in entry:
            return ", ".join(toml_of(v) for v in entry[names])
    if "discriminator" in entry:
        return "a distribution"
    for choices in ("anyOf", "oneOf"):
        if choices in entry:
            return " or ".join(allowed_of(e) for e in entry[choices] if e.get("type") != "null")
    if "$ref" in entry:
        return "a table"
    if entry.get("type") == "object":
        return f"table of {allowed_of(entry.get('additionalProperties', {'enum': ['any']}))}"
    if "prefixItems" in entry:
        return f"list of {len(entry['prefixItems'])}, each {allowed_of(entry['prefixItems'][0])}"
    if entry.get("type") == "array":
        return f"list of {allowed_of(entry['items'])}"
    bounds = [
        f"{sign} {entry[key]:g}"
        for key, sign in (
            ("exclusiveMinimum", ">"),
            ("minimum", ">="),
            ("exclusiveMaximum", "<"),
            ("maximum", "<="),
        )
        if key in entry
    ]
    names = {"number": "number", "integer": "integer", "boolean": "true, false", "string": "text"}
    return f"{names[entry['type']]} {', '.join(bounds)}".strip()


def spec_table(text: str) -> dict[str, tuple[str, str, str, str]]:
    """Rows of the tables of ``spec.md``: key to default, allowed, origin, meaning."""
    rows = {}
    for line in text.split("\n"):
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if len(cells) == 5 and _KEY.fullmatch(cells[0]):
            rows[cells[0].replace("`", "")] = (cells[1].strip("`"), cells[2], cells[3], cells[4])
    return rows


def with_owners(text: str, truth: dict[str, Row]) -> str:
    """``spec.md`` with the owners of options as they are now, ``task.train (digits, npz)``.

    A row whose owners are out of date takes those of a row of the same key and default that is
    missing; one that is left over then is dropped, if its key has rows with other owners.
    """
    there = spec_table(text)
    missing = [key for key in truth if key not in there]
    gone = {key: row for key, row in there.items() if key not in truth and "(" in key}
    if not gone:
        return text
    lines: list[str] = []
    written = set(there) - set(gone)
    for line in text.split("\n"):
        start = re.match(rf"\| ({_KEY.pattern}) \|", line)
        key = start.group(1).replace("`", "") if start else ""
        if start is None or key not in gone:
            lines.append(line)
            continue
        option = key.partition(" ")[0]
        heirs = [k for k in missing if k.partition(" ")[0] == option and k not in written]
        heirs = [k for k in heirs if truth[k].default == gone[key][0]] or heirs
        if heirs:
            written.add(heirs[0])
            owners = heirs[0].partition(" ")[2]
            lines.append(f"| `{option}` {owners} |" + line[start.end() :])
        elif not any(k.partition(" ")[0] == option for k in written):
            lines.append(line)
    return "\n".join(lines)


def with_defaults(text: str) -> str:
    """``spec.md`` with defaults and allowed values as the program has them."""
    truth = spec_rows()
    text = with_owners(text, truth)
    there = spec_table(text)
    missing, gone = sorted(set(truth) - set(there)), sorted(set(there) - set(truth))
    if missing or gone:
        raise SystemExit(f"spec.md: write a row for {missing}, remove the rows {gone}")
    lines = []
    for line in text.split("\n"):
        start = re.match(rf"\| ({_KEY.pattern}) \|", line)
        key = start.group(1).replace("`", "") if start else ""
        if start and key in truth:
            row, (*_, origin, meaning) = truth[key], there[key]
            cells = (
                start.group(1),
                f"`{row.default}`",
                row.allowed,
                origin,
                row.meaning or meaning,
            )
            line = f"| {' | '.join(cells)} |"
        lines.append(line)
    return "\n".join(lines)


def main() -> int:
    """Refresh the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="all by default")
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    stale = []
    for page in [p.resolve() for p in arguments.pages] or PAGES:
        new = refreshed(page)
        if new != page.read_text(encoding="utf-8"):
            stale.append(page.name)
            if not arguments.check:
                page.write_text(new, encoding="utf-8")
    sys.stdout.write(f"{'out of date' if arguments.check else 'changed'}: {stale or 'none'}\n")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
