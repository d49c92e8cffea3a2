"""Diagnose the installation."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from hrsnn_lava import part_files, registry
from hrsnn_lava.cli.arguments import nearest_folder
from hrsnn_lava.cli.console import Console, columns, with_console

DISTRIBUTION = "hrsnn-lava"
#: Closed range of the Python versions that are supported.
PYTHONS = ((3, 10), (3, 13))
#: Imported, and not only looked up: a broken binary shows in no list of versions.
COMPILED_PACKAGES = ("numpy", "scipy", "numba")
SHARED_MEMORY = Path("/dev/shm")
#: What the Lava backend names its blocks of shared memory.
LEFTOVERS = re.compile(r"hl[0-9a-f]{6}_")


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        what: was looked at.
        status: ``ok``; ``note``: something optional is absent; ``broken``: something needed is.
        detail: what was found.
        fix: what to do.
    """

    what: str
    status: Literal["ok", "note", "broken"]
    detail: str
    fix: str = ""


@click.command("doctor")
@click.pass_context
@with_console
def doctor(console: Console, ctx: click.Context) -> None:
    """Diagnose the installation; exit code 1 if something that is needed is broken."""
    findings = diagnose()
    broken = [finding for finding in findings if finding.status == "broken"]
    rows = [(f.what, f.status, f"{f.detail}. {f.fix}" if f.fix else f.detail) for f in findings]
    verdict = f"{len(broken)} broken" if broken else "nothing needed is broken"
    data = {"ok": not broken, "findings": [asdict(finding) for finding in findings]}
    console.result(data, f"{columns(rows)}\n\n{verdict}")
    if broken:
        ctx.exit(1)


def diagnose() -> list[Finding]:
    """All findings; a check that fails is a finding itself."""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        _program,
        _python,
        _packages,
        _compiled,
        _lava,
        _data,
        _parts,
        _numba_cache,
        _machine,
        _shared_memory,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # the diagnosis must go on whatever is broken
            name = check.__name__.strip("_").replace("_", " ")
            findings.append(Finding(name, "broken", f"{type(error).__name__}: {error}"))
    return findings


def _program() -> list[Finding]:
    from hrsnn_lava import __version__

    where = Path(__file__).resolve().parent.parent
    return [Finding(DISTRIBUTION, "ok", f"{__version__} in {where}")]


def _python(version: tuple[int, ...] = sys.version_info[:3]) -> list[Finding]:
    low, high = PYTHONS
    text = ".".join(map(str, version))
    if low <= version[:2] <= high:
        return [Finding("Python", "ok", f"{text} ({sys.platform})")]
    return [
        Finding("Python", "broken", text, f"Supported: {low[0]}.{low[1]} to {high[0]}.{high[1]}")
    ]


def needed(requirements: list[str], version: tuple[int, ...] = sys.version_info[:2]) -> list[str]:
    """Names of the packages that must be there, from a distribution's requirements.

    Extras and Lava, which is looked at on its own, are left out.
    """
    names = []
    for requirement in requirements:
        specifier, _, marker = requirement.partition(";")
        name = re.match(r"[\w.-]+", specifier.strip())
        limit = re.search(r"""python_version\s*<\s*['"](\d+)\.(\d+)""", marker)
        if name is None or "extra" in marker or name.group() == "lava-nc":
            continue
        if limit is None or version[:2] < (int(limit.group(1)), int(limit.group(2))):
            names.append(name.group())
    return sorted(names, key=str.lower)


def _packages() -> list[Finding]:
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return [
            Finding("packages", "broken", f"{DISTRIBUTION} is not installed", "Run: pip install .")
        ]
    versions, missing_names = [], []
    for name in needed(required):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing_names.append(name)
    if missing_names:
        fix = f"Run: pip install {' '.join(missing_names)}"
        return [Finding("packages", "broken", f"missing: {', '.join(missing_names)}", fix)]
    return [Finding("packages", "ok", ", ".join(versions))]


def _compiled() -> list[Finding]:
    findings = []
    for name in COMPILED_PACKAGES:
        try:
            importlib.import_module(name)
        except Exception as error:
            fix = f"Reinstall it: pip install --force-reinstall {name}"
            findings.append(Finding(name, "broken", f"{type(error).__name__}: {error}", fix))
    return findings


def _lava() -> list[Finding]:
    from hrsnn_lava.sim_backends.base import backend_of

    obstacle = backend_of("lava").obstacle()
    if obstacle is not None:
        return [Finding("Lava", "note", obstacle)]
    try:
        version = importlib.metadata.version("lava-nc")
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    return [Finding("Lava", "ok", f"lava-nc {version}")]


def _data() -> list[Finding]:
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile

    profiles = [HardwareProfile.load(name).name for name in HardwareProfile.names()]
    sets = [CostSet.load(name).name for name in CostSet.names()]
    if not profiles or not sets:
        fix = "The package's data files are not installed: reinstall it"
        return [Finding("profiles", "broken", "none", fix)]
    return [Finding("profiles", "ok", f"{', '.join(profiles)}; prices: {', '.join(sets)}")]


def _parts() -> list[Finding]:
    """A line for each folder of the user's parts."""
    findings = []
    for folder, counts in registry.given().items():
        contents = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"
        fix = ""
        if strange := part_files.of_no_kind(folder):
            contents += f"; of no kind: {', '.join(entry.name for entry in strange)}"
            fix = f"Kinds: {', '.join(registry.KINDS)}"
        note = bool(fix) or not counts
        findings.append(Finding("parts", "note" if note else "ok", f"{folder}: {contents}", fix))
    return findings


def _numba_cache() -> list[Finding]:
    from hrsnn_lava.kernels import ADVICE, cache_path
    from hrsnn_lava.sim_backends.native import kernels

    where = cache_path(kernels.integer_steps)
    if where is None:
        return [Finding("numba cache", "note", "no folder can be written: slow starts", ADVICE)]
    if os.access(nearest_folder(where), os.W_OK):
        return [Finding("numba cache", "ok", str(where))]
    return [Finding("numba cache", "note", f"{where} cannot be written: slow starts", ADVICE)]


def _machine() -> list[Finding]:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    detail = f"{cores} of {os.cpu_count()} cores"
    total = memory_bytes()
    if total is not None:
        detail += f", {total / 2**30:.1f} GiB of memory"
    return [Finding("machine", "ok", detail)]


def memory_bytes() -> int | None:
    """Memory that this process may use: the machine's, or the control group's limit."""
    sizes = []
    with contextlib.suppress(ValueError, OSError, AttributeError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit():
            sizes.append(int(text))
    return min(sizes) if sizes else None


def _shared_memory(folder: Path = SHARED_MEMORY) -> list[Finding]:
    if not folder.is_dir():
        return [Finding("shared memory", "note", f"no {folder}; Lava may need it")]
    blocks = [path for path in folder.iterdir() if LEFTOVERS.match(path.name)]
    usage = shutil.disk_usage(folder)
    free = f"{usage.free / 2**20:,.0f} of {usage.total / 2**20:,.0f} MiB free in {folder}"
    if not blocks:
        return [Finding("shared memory", "ok", free)]
    size = sum(path.stat().st_size for path in blocks if path.is_file())
    detail = f"{free}; {len(blocks)} blocks of Lava's ({size / 2**20:,.1f} MiB)"
    runs = sorted({f"{folder / path.name[:9]}*" for path in blocks})  # one prefix a run
    return [Finding("shared memory", "note", detail, f"If none is running: rm {' '.join(runs)}")]


ORDER = 130
COMMAND = doctor
