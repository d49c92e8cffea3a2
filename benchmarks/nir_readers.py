"""Which NIR files are taken, by this program and by snn-mlir, which reads them for MLIR.

    uv run python benchmarks/nir_readers.py FOLDER --peer ENV/bin/snn-mlir

FOLDER holds ``NAME.nir`` and, where there are any, the source's own spikes ``NAME.npz``. A file
that leaves its reset open is read with the one in its name, else with a reset to zero.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from hrsnn_lava.deploy.interchange.against import against
from hrsnn_lava.deploy.interchange.from_nir import Imported, ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import NirGraph, read_nir
from hrsnn_lava.deploy.interchange.recording import load_recording
from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.resets import Reset


def ours(path: Path) -> str:
    """What this program makes of a file."""
    try:
        graph = read_nir(path)
        found = _imported(graph, "subtract" if "subtract" in path.stem else "zero")
    except HrsnnError as error:
        return f"refused: {_first(error)}"
    spikes = path.with_suffix(".npz")
    if not spikes.is_file():
        return f"taken ({found.choice.dialect.name})"
    try:
        agreement = against(found, load_recording(spikes, found.model))
    except HrsnnError as error:
        return f"taken; spikes refused: {_first(error)}"
    recorded = [row for row in agreement.layers if row.source]
    if not recorded:
        return "taken; its source is silent"
    total = sum(row.source or 0 for row in recorded)
    differ = sum(row.differing or 0 for row in recorded)
    return f"taken: {differ} of {total} spikes of the source differ"


def _imported(graph: NirGraph, reset: Reset) -> Imported:
    try:
        return imported(graph, ImportOptions())
    except HrsnnError as error:
        if "reset: not given" in str(error):
            return imported(graph, ImportOptions(reset=reset))
        if "no exporter is recognized" in str(error):
            return imported(graph, ImportOptions("literal", 1e-4, reset))
        raise


def peer(program: str, path: Path) -> str:
    """What snn-mlir says of it."""
    done = subprocess.run([program, "check", str(path), "--json"], capture_output=True, text=True)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return f"error: {(done.stderr.strip().splitlines() or ['none'])[-1][:90]}"
    if said["ok"]:
        return "taken"
    faults = [f["message"] for node in said["nodes"] for f in node["findings"]]
    faults += [f["message"] for f in said["graph"]]
    return f"refused: {faults[0][:90]}" if faults else "refused"


def _first(error: HrsnnError) -> str:
    problems = getattr(error, "problems", ())
    text = f"{problems[0].where}: {problems[0].measured}" if problems else str(error)
    return text.splitlines()[0][:90]


def main() -> None:
    """A row for each file, in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", help="the program snn-mlir; without it, our column alone")
    arguments = parser.parse_args()
    print("| file | this program | snn-mlir |\n|---|---|---|")
    for path in sorted(arguments.folder.rglob("*.nir")):
        other = peer(arguments.peer, path) if arguments.peer else "not run"
        print(f"| `{path.stem}` | {ours(path)} | {other} |", flush=True)


if __name__ == "__main__":
    main()
