"""What every bundle holds: the network, an input, the spikes it makes, the card, the report."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import encode, plain
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.deploy.bundle.manifest import FORMAT, FORMAT_VERSION
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.sim_backends.base import as_quantized, runnable
from hrsnn_lava.sim_backends.runs.parity import verify_parity
from hrsnn_lava.trace import SpikeInput, Trace

__all__ = ["ENGINES", "Deployed", "deployed", "expected_arrays", "npz", "template"]

#: Engines whose agreement makes the spikes that a bundle expects.
ENGINES = ("native", "reference")
#: Where the network itself is, by its stage.
_ARTIFACTS = {"compiled": "program/compiled.hlx", "quantized": "program/quantized.hlx"}
#: Arrays of a trace that runs of a bundle are compared with, beside learned weights.
_EXPECTED = (
    "spike_steps",
    "spike_neurons",
    "payloads",
    "n_steps",
    "n_neurons",
    "network_digest",
)
_REPORTS = {".html": "report.html", ".json": "report.json"}


@dataclass(frozen=True, eq=False)
class Deployed:
    """A network with the input that is shipped and what it does there.

    Attributes:
        model: `CompiledNetwork`, or `QuantizedNetwork` for targets that need no chip.
        inputs: shipped; empty where the network has no input.
        source: where that comes from, in words.
        trace: of the run, on `ENGINES`.
        reports: ``report.html`` and ``report.json``, as they are.
    """

    model: CompiledNetwork | QuantizedNetwork
    inputs: SpikeInput
    source: str
    trace: Trace
    reports: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def network(self) -> QuantizedNetwork:
        """Its integers."""
        return as_quantized(self.model)

    @property
    def compiled(self) -> CompiledNetwork | None:
        """The model, where it is placed."""
        return self.model if isinstance(self.model, CompiledNetwork) else None

    @property
    def report(self) -> dict[str, Any] | None:
        """The report as a table, where there is one in JSON."""
        data = self.reports.get("report.json")
        return None if data is None else json.loads(data)

    @property
    def artifact(self) -> str:
        """Name of the file with the model."""
        return _ARTIFACTS[self.model.stage]

    def members(self) -> dict[str, bytes]:
        """The files of every target."""
        return {self.artifact: encode(self.model.to_artifact()), **self.reports}

    def manifest(self, target: str) -> dict[str, Any]:
        """The entries of every target."""
        network, compiled, report = self.network, self.compiled, self.report
        records = () if compiled is None else compiled.records
        given = {} if report is None else report.get("provenance", {})
        findings = self.model.findings
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "target": target,
            "name": network.name,
            "program": {
                "artifact": self.artifact,
                "network_digest": network.digest,
                "neurons": network.n_neurons,
                "inputs": network.n_inputs,
                "synapses": network.n_synapses,
                "dt_s": network.dt,
            },
            "profile": None
            if compiled is None
            else {"name": compiled.profile.name, "digest": compiled.profile.digest},
            "input": {
                "steps": self.inputs.n_steps,
                "events": int(self.inputs.steps.size),
                "source": self.source,
            },
            "expected": {"spikes": self.trace.n_spikes, "by": list(ENGINES)},
            "provenance": {
                "program": "hrsnn-lava",
                "version": __version__,
                "numpy": np.__version__,
                "seed": None if compiled is None else compiled.seed,
                "spec_digest": given.get("spec_digest"),
                "passes": [_without_seconds(record.to_dict()) for record in records],
                "findings": [finding.to_dict() for finding in findings],
            },
        }


def _without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    """Times differ from run to run; equal input gives equal bytes."""
    kept: dict[str, Any] = plain({k: v for k, v in record.items() if k != "seconds"})
    return kept


def deployed(
    model: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None,
    steps: int,
    *,
    source: str = "given",
    reports: Sequence[Path] = (),
    progress: Progress = silent,
) -> Deployed:
    """Run a network on what is to be shipped with it.

    Args:
        model: compiled, or quantized.
        inputs: of the run; None without any.
        steps: of the run.
        source: where the input comes from, in words.
        reports: files of `hrsnn-lava report`, ``.html`` and ``.json``.

    Raises:
        NetworkError, SpecError: the network contradicts itself, or the input does not fit it; a
            report of another program.
        ParityError: the engines do not agree.
    """
    network = runnable(model)
    shipped = SpikeInput.empty(steps, network.n_inputs) if inputs is None else _cut(inputs, steps)
    files = _read_reports(model, reports)
    parity, trace = verify_parity(model, shipped, steps, ENGINES, progress)
    parity.require()
    return Deployed(model, shipped, source, trace, files)


def _cut(inputs: SpikeInput, steps: int) -> SpikeInput:
    """The input of a run of so many steps, as long as it is."""
    inside = inputs.steps < steps
    payloads = None if inputs.payloads is None else inputs.payloads[inside]
    at, who = inputs.steps[inside], inputs.neurons[inside]
    return SpikeInput(at, who, steps, inputs.n_neurons, payloads)


def _read_reports(
    model: CompiledNetwork | QuantizedNetwork, paths: Sequence[Path]
) -> dict[str, bytes]:
    """The files, by their name in a bundle; raises where one is none, or of another program."""
    files: dict[str, bytes] = {}
    digest = hashlib.sha256(encode(model.to_artifact())).hexdigest()
    for path in paths:
        name = _REPORTS.get(path.suffix.lower())
        if name is None or name in files:
            problem = Problem("--report", str(path), "one .html and one .json")
            raise SpecError("a bundle has one report of each kind", problems=[problem])
        try:
            data = path.read_bytes()
            # the page shows the digest too, without the names of the document
            of = json.loads(data)["provenance"]["compiled_digest"] if name[-4:] == "json" else None
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: no report of hrsnn-lava ({error!r})") from error
        if (of != digest) if of is not None else (digest.encode() not in data):
            problem = Problem(
                f"{path}", "of another program", digest[:12], "run `hrsnn-lava report` anew"
            )
            raise SpecError("the report does not belong to this program", problems=[problem])
        files[name] = data
    return files


def template(folder: str, name: str) -> str:
    """A text of ``deploy/templates``."""
    packaged = resources.files("hrsnn_lava.deploy") / "templates" / folder / name
    return packaged.read_text(encoding="utf-8")


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An uncompressed ``.npz``; equal arrays give equal bytes."""
    stream = io.BytesIO()
    np.savez(stream, **{name: np.asarray(arrays[name], order="C") for name in sorted(arrays)})
    return stream.getvalue()


def expected_arrays(trace: Trace) -> dict[str, NDArray[Any]]:
    """What a run of the bundle is compared with."""
    arrays = trace.to_artifact().arrays
    return {k: a for k, a in arrays.items() if k in _EXPECTED or k.startswith("weights/")}
