"""What produced the report: versions, seed and digests."""

from __future__ import annotations

import hashlib
import json
import platform

import numpy as np
from markupsafe import Markup

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import encode
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, pairs, titled
from hrsnn_lava.report.section import Section, render
from hrsnn_lava.trace import Trace


def _origins(facts: Facts) -> Plain:
    """No time and no command, so that equal input gives equal bytes; see `Report.made`."""
    compiled, evidence = facts.compiled, facts.evidence
    return {
        "program": "hrsnn-lava",
        "version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": compiled.seed,
        "spec_digest": evidence.spec_digest,
        "profile_digest": compiled.profile.digest,
        "compiled_digest": hashlib.sha256(encode(compiled.to_artifact())).hexdigest(),
        "input_digest": input_digest(facts.trace),
        **(evidence.provenance or {}),
    }


def input_digest(trace: Trace | None) -> str | None:
    """SHA-256 of the events that drove the run, whatever the machine; None when not known."""
    if trace is None or trace.inputs is None:
        return None
    events = trace.inputs
    digest = hashlib.sha256(f"{events.n_steps} {events.n_neurons}".encode())
    for array in (events.steps, events.neurons, events.payloads):
        digest.update(b"none" if array is None else array.astype("<i8").tobytes())
    return digest.hexdigest()


def data(facts: Facts) -> Plain:
    """``provenance``."""
    return {"provenance": _origins(facts)}


def _short(report: Plain) -> Plain:
    """All but the spec, which is long."""
    return {key: value for key, value in report["provenance"].items() if key != "spec"}


def text(report: Plain) -> str:
    """A line an entry; the spec is in the other forms."""
    rest = "" if not report["provenance"].get("spec") else "\nspec: in report.json, complete"
    return titled("Provenance", pairs(_short(report)) + rest)


def html(report: Plain, _: Facts) -> Markup:
    """A list, and below it the complete spec as JSON."""
    spec = report["provenance"].get("spec")
    whole = "" if spec is None else json.dumps(spec, indent=1, ensure_ascii=False, sort_keys=True)
    return render("provenance.html.j2", report, entries=_short(report), spec=whole)


SECTION = Section("provenance", "Provenance", data, text, html)
