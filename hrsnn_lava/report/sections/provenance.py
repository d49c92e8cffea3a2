"""What produced the report: versions, seed and digests."""

from __future__ import annotations

import hashlib
import platform

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import encode
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain
from hrsnn_lava.report.section import listed
from hrsnn_lava.trace import Trace


def _origins(facts: Facts) -> Plain:
    """No time and no path, so that equal input gives equal bytes."""
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


SECTION = listed("provenance", "Provenance", _origins)
