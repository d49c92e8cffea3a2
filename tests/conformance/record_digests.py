"""Records digests of what small specs become on every chip: networks, programs, runs, counts.

    python tests/conformance/record_digests.py

Writes ``golden/digests.json``, which `test_digests.py` holds every later version to. Record anew
only where a result is meant to change, and say so in the commit; what changed is printed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from digest_cases import CASES, CHIPS, figures_of_chip, figures_of_run, figures_of_spec

TARGET = Path(__file__).parent / "golden" / "digests.json"


def recorded():
    """All figures, by quantity: ``SPEC | CHIP | QUANTITY``, CHIP being ``-`` without one."""
    found = {}
    for name in CASES:
        for chip in ("-", *CHIPS):
            sys.stderr.write(f"{name}, {chip}\n")
            figures = figures_of_spec(name) if chip == "-" else figures_of_chip(name, chip)
            found |= {f"{name} | {chip} | {key}": value for key, value in figures.items()}
    with tempfile.TemporaryDirectory() as folder:
        figures = figures_of_run(Path(folder))
    return found | {f"run | - | {key}": value for key, value in figures.items()}


def main():
    """Write the file; print the quantities that are not what they were."""
    before = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    after = recorded()
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in after.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    for key in dict.fromkeys((*before, *after)):
        if before.get(key, "none") != after.get(key, "none"):
            sys.stdout.write(f"{key}: {before.get(key, 'none')} -> {after.get(key, 'none')}\n")


if __name__ == "__main__":
    main()
