"""What a file is, told by its content, and which command takes it.

The first bytes decide, not the suffix: what a user hands to the wrong command is named for what it
is. Nothing is checked here; that is the readers' work.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.errors import ArtifactError, HrsnnError, SpecError

#: What is read of a text to tell its kind, in bytes.
HEAD = 65536
_LARGEST_MANIFEST = 64 * 2**20
_TABLE = re.compile(r"^\s*\[\[?\s*([\w-]+)", re.MULTILINE)
_KEY = re.compile(r"^\s*\"?([\w-]+)\"?\s*=", re.MULTILINE)

#: Kinds by name, with what one is called in a sentence.
NOUNS = {
    "network": "a float network",
    "quantized": "a quantized network",
    "compiled": "a compiled network",
    "state": "the state of a run",
    "counts": "the counts of a run",
    "checkpoint": "the checkpoint of a recording under way",
    "training": "the checkpoint of a training under way",
    "pruning": "the checkpoint of a pruning under way",
    "trace": "a trace",
    "input": "an input",
    "arrays": "a file of arrays",
    "report": "a report",
    "page": "the page of a report",
    "text": "the text of a report",
    "check": "the outcome of a check",
    "comparison": "a comparison of chips",
    "difference": "what moved between two files",
    "operations": "a table of operations by test",
    "ci": "a file of a CI gate",
    "baseline": "a baseline of operations",
    "journal": "the journal of a run",
    "answer": "the JSON answer of a command",
    "spec": "a spec",
    "budgets": "a file of budgets",
    "profile": "a hardware profile",
    "cost set": "a cost set",
    "recording": "the folder of a recording under way",
    "bundle": "a bundle",
    "run": "the folder of a run",
    "log": "the log of a recording under way",
    "nir": "an HDF5 file, such as NIR",
    "netx": "a file of lava-dl's network exchange",
}
#: What takes a file of a kind, shown as it is typed.
TAKERS = {
    "network": "compile",
    "quantized": "compile",
    "compiled": "simulate",
    "state": "simulate --state-in",
    "counts": "report --counts",
    "trace": "report --trace",
    "input": "simulate --input",
    "report": "check",
    "page": "a browser",
    "baseline": "pytest --sop-baseline",
    "journal": "inspect",
    "spec": "run",
    "budgets": "check --budgets",
    "profile": "compile --profile",
    "cost set": "report --cost-set",
    "recording": "simulate --stream --resume",
    "bundle": "inspect",
    "training": "train --resume",
    "pruning": "prune --resume",
    "nir": "import",
    "netx": "import",
}
_MODELS = ("network", "quantized", "compiled")
#: An answer holds a report, or the error in its place, which the reader then tells.
_REPORTS = ("report", "answer")
#: Kinds that a parameter of a command takes.
ACCEPTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("run", "spec"): ("spec",),
    ("search", "spec"): ("spec",),
    ("compile", "model"): ("network", "quantized", "nir", "netx", "spec"),
    ("compile", "run"): ("trace",),
    ("train", "model"): ("network", "quantized", "spec"),
    ("train", "input_file"): ("input",),
    ("train", "task"): ("spec",),
    ("prune", "network"): ("network",),
    ("prune", "input_file"): ("input",),
    ("simulate", "compiled"): ("compiled", "quantized"),
    ("simulate", "input_file"): ("input",),
    ("simulate", "state_in"): ("state",),
    ("verify", "compiled"): ("compiled", "quantized"),
    ("verify", "input_file"): ("input",),
    ("report", "compiled"): ("compiled",),
    ("deploy", "compiled"): ("compiled", "quantized"),
    ("deploy", "input_file"): ("input",),
    ("deploy", "reports"): ("report", "page"),
    ("report", "traces"): ("trace",),
    ("report", "counts"): ("counts",),
    ("report", "unpruned"): ("compiled", "quantized"),
    ("report", "source"): ("network",),
    ("report", "budgets"): ("budgets",),
    ("check", "report"): _REPORTS,
    ("check", "baseline"): _REPORTS,
    ("check", "file"): ("budgets",),
    ("compare", "model"): (*_MODELS, "spec"),
    ("compare", "input_file"): ("input",),
    ("diff", "before"): (*_REPORTS, *_MODELS),
    ("diff", "after"): (*_REPORTS, *_MODELS),
    ("import", "file"): ("nir", "netx"),
    ("export", "network"): ("network", "quantized", "compiled"),
    ("import", "against"): ("arrays",),
    ("nir-check", "file"): ("nir",),
}
#: How texts for people and for other programs begin, in all their forms; a group is what they show.
PAGES = {
    "comparison": re.compile(
        r'\A\s*\{\s*"network": ("(?:[^"\\]|\\.)*"),\s*"rows": \['
        r"|\A(profile,title,verdict,reason,cores,)"
        r"|\A(?:## )?(.+ on \d+ chips?)\n\n(?:\| )?profile +(?:\| )?verdict "
    ),
    "check": re.compile(
        r"\A## \W* ((?:PASS|FAIL|ERROR): <code>.*)"
        r'|\A<\?xml[^>]*>\s*<testsuites>\s*<testsuite name="(hrsnn-lava check: [^>]*)>'
    ),
    "difference": re.compile(r"\A## What moved\n\n(.* → .*)"),
    "operations": re.compile(r"\A## Synaptic operations by test\n\n(.*)"),
    # whole, or one of its sections
    "text": re.compile(
        r"\A((?:PASS|FAIL)  .+: .+|\w+: this report has nothing to say of it"
        r"|(?:ACCURACY|COMPARISON|CONSTRAINTS|DYNAMICS|ENERGY(?: BY COST SET)?|45 NM CONVENTION"
        r"|FLOAT AGAINST INTEGERS|HETEROGENEITY|MAPPING|NEUROBENCH|PARITY|PER SAMPLE|PROVENANCE"
        r"|QUANTIZATION|SYNAPTIC OPERATIONS|TIMING|TRANSFORMS)(?=\n.))"
    ),
    "ci": re.compile(
        r"^(?:\s*(?:- )?(uses: .*hrsnn-lava-check)|\s+(extends: \.hrsnn-lava-check)"
        r"|(\.hrsnn-lava-check):|(name: hrsnn-lava check))\s*$",
        re.M,
    ),
}
#: Kinds that are TOML: what is wrong with one is a usage error.
_TOML = ("spec", "budgets", "profile", "cost set")


@dataclass(frozen=True)
class Misplaced:
    """A file of one kind where another one is expected."""

    path: Path
    kind: str
    accepted: tuple[str, ...]

    def error(self) -> HrsnnError:
        """What it is, and which command takes it; a usage error where TOML was expected."""
        taker = TAKERS.get(self.kind)
        text = f"{self.path} is {NOUNS[self.kind]}"
        if self.kind == "run":
            names = ("network.hlx", "compiled.hlx", "input.npz", "report.json", "report.html")
            text += f"; it holds {', '.join(n for n in names if (self.path / n).is_file())}"
        elif taker is not None:
            text += f"; {taker if self.kind == 'page' else f'`{taker}`'} takes it"
        wanted = " or ".join(kind for kind in self.accepted if kind != "answer")
        kind = SpecError if all(name in _TOML for name in self.accepted) else ArtifactError
        return kind(f"{text}; expected: {wanted}")


def misplaced(command: str, parameter: str, path: Path) -> Misplaced | None:
    """The fault of a file that a parameter of a command does not take.

    None where it takes it, where the file is of no kind that is known, or where nothing is said
    of the parameter: then its reader says what is wrong.
    """
    accepted = ACCEPTED.get((command, parameter))
    if accepted is None:
        return None
    kind = kind_of(path)
    if kind in (None, "arrays") or kind in accepted:
        return None
    return Misplaced(path, kind, accepted)


def kind_of(path: Path) -> str | None:
    """The kind of a file or a folder; None where it is none of ours, or cannot be read."""
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            return None
        with path.open("rb") as handle:
            head = handle.read(HEAD)
        if head.startswith(b"PK"):
            return _zipped(path)
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return _hdf5(head)
        if head.startswith(b"HRCK"):
            return "log"
        # a text may be cut within a letter
        return _text(decoded(head, errors="replace" if len(head) == HEAD else "strict"))
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        return None


def _folder(path: Path) -> str | None:
    if (path / "chunks.log").is_file():
        return "recording"
    if _is_bundle(path / "manifest.json"):
        return "bundle"
    return "run" if any((path / n).is_file() for n in ("journal.jsonl", "report.json")) else None


def _hdf5(head: bytes) -> str:
    """By the names in the outermost group, which stand at the beginning."""
    return "netx" if b"layer\0" in head and b"node\0" not in head else "nir"


def _is_bundle(manifest: Path) -> bool:
    """Whether it is the manifest of one, in any state: its reader says what is wrong with it."""
    if not manifest.is_file() or manifest.stat().st_size > _LARGEST_MANIFEST:
        return False
    return b'"hrsnn-lava-bundle"' in manifest.read_bytes()


def _zipped(path: Path) -> str | None:
    """The stage of an artifact, or what arrays an ``.npz`` has."""
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if sizes.get("manifest.json", _LARGEST_MANIFEST + 1) <= _LARGEST_MANIFEST:
            stage = json.loads(archive.read("manifest.json"))["stage"]
            return stage if stage in NOUNS else None
    names = {name.removesuffix(".npy") for name in sizes if name.endswith(".npy")}
    if "spike_steps" in names:
        return "trace"
    if {"steps", "neurons"} <= names:
        return "input"
    return "arrays" if names else None


def _text(text: str) -> str | None:
    start = text.lstrip()
    for kind, form in PAGES.items():
        if form.search(text.rstrip()):
            return kind
    if start.startswith("{"):
        return _json(text)
    if start.lower().startswith(("<!doctype html", "<html")):
        return "page" if "hrsnn-lava" in text else None
    return _toml(text)


def _json(text: str) -> str | None:
    """By the keys of the document, or of the first line of a journal; long ones are cut."""
    first = text.lstrip().split("\n", 1)[0]
    try:
        line: Any = json.loads(first)
        if isinstance(line, dict) and {"stage", "key", "result"} <= set(line):
            return "journal"
    except ValueError:
        pass
    keys = set(re.findall(r'"(\w+)"\s*:', text))
    if {"verdict", "profile", "project"} <= keys and not re.search(r'"check"\s*:\s*{', text):
        return "report"
    if {"tests", "unit"} <= keys:
        return "baseline"
    return "answer" if {"schema_version", "command"} <= keys else None


def _toml(text: str) -> str | None:
    tables, keys = set(_TABLE.findall(text)), set(_KEY.findall(text))
    if "coefficients" in tables or "extends" in keys or "override" in tables:
        return "cost set"
    if "chip" in tables or {"format", "title", "description"} <= keys:
        return "profile"
    if tables and tables <= {"budgets", "tolerances"} and not _head_keys(text):
        return "budgets"
    known = {"network", "task", "prune", "compile", "verify", "report", "quantize", "stdp"}
    return "spec" if tables & known or {"seed", "schema_version"} & keys else None


def _head_keys(text: str) -> set[str]:
    """Keys before the first table."""
    table = _TABLE.search(text)
    return set(_KEY.findall(text[: table.start()] if table else text))
