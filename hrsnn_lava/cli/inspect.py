"""What a file holds."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE
from hrsnn_lava.cli.console import Console, columns, with_console
from hrsnn_lava.cli.file_kinds import kind_of
from hrsnn_lava.cli.inspect_texts import TEXTS
from hrsnn_lava.errors import ArtifactError

#: Artifacts of a run; all that can be said of them without the network are their arrays.
NO_NETWORK = ("counts", "state", "checkpoint", "training", "pruning")


@click.command("inspect")
@click.argument("file", type=INPUT_FILE)
@with_console
def inspect(console: Console, file: Path) -> None:
    """Say what FILE holds: any file or folder that this program writes or reads."""
    kind = kind_of(file)
    readers = {**TEXTS, "trace": _npz, "input": _npz, "arrays": _npz, "spec": _toml, "nir": _nir}
    readers |= {"netx": _netx, "bundle": _bundle}
    readers |= dict.fromkeys(("profile", "cost set"), _toml)
    by_suffix = {".toml": _toml, ".npz": _npz, ".json": TEXTS["report"]}
    reader = readers.get(kind or "", by_suffix.get(file.suffix.lower(), _artifact))
    data = reader(file)
    console.result({"file": file, **data}, _text(file, data))


def _artifact(path: Path) -> dict[str, Any]:
    from hrsnn_lava.artifacts.container import (
        FORMAT_VERSION,
        NETWORK_STAGES,
        load_any,
        read_artifact,
    )

    artifact = read_artifact(path)
    data: dict[str, Any] = {
        "kind": artifact.stage,
        "format_version": FORMAT_VERSION,
        "checksums": "ok",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "arrays": {
            name: {
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "unit": artifact.units.get(name, "1"),
            }
            for name, array in sorted(artifact.arrays.items())
        },
    }
    if artifact.stage in NO_NETWORK:
        return data
    network = load_any(
        path, NETWORK_STAGES
    )  # a sound container can still hold a network that makes no sense
    inner = network.network if artifact.stage == "compiled" else network
    data |= {
        "name": inner.name,
        "dt_s": inner.dt,
        "neurons": inner.n_neurons,
        "inputs": inner.n_inputs,
        "synapses": inner.n_synapses,
        "populations": [_population(p) for p in inner.populations],
        "projections": [_projection(p) for p in inner.projections],
    }
    if artifact.stage != "network":
        data["findings"] = [finding.to_dict() for finding in network.findings]
    if artifact.stage == "compiled":
        data |= {
            "profile": {"name": network.profile.name, "digest": network.profile.digest},
            "cores": network.placement.n_cores,
            "seed": network.seed,
            "synapses_before": network.synapses_before,
            "readout": sorted(network.readout),
            "passes": [record.to_dict() for record in network.records],
        }
    return data


def _population(population: Any) -> dict[str, Any]:
    entry = {"name": population.name, "size": int(population.size), "input": population.is_input}
    if getattr(population, "sign", None):
        entry["sign"] = population.sign
    if not population.is_input and population.reset != "zero":
        entry["reset"] = population.reset
    return entry


def _projection(projection: Any) -> dict[str, Any]:
    n_post, n_pre = projection.weights.shape
    entry = {
        "name": projection.name,
        "pre": projection.pre,
        "post": projection.post,
        "target": projection.target,
        "synapses": projection.n_synapses,
        "density": projection.n_synapses / max(n_post * n_pre, 1),
        "plastic": bool(
            getattr(projection, "plasticity", None) or getattr(projection, "learning", None)
        ),
    }
    if hasattr(projection, "sign_mode"):
        entry |= {
            "sign_mode": projection.sign_mode.value,
            "weight_exp": int(projection.weight_exp),
            "num_weight_bits": int(projection.num_weight_bits),
        }
    return entry


def _several(trace: Any) -> dict[str, Any]:
    """Of a network whose neurons may send several spikes in a step: how many in all, and at most.
    Nothing of others."""
    if trace.payloads is None:
        return {}
    most = int(trace.payloads.max(initial=0))
    return {"sent": int(trace.payload_counts().sum()), "most_in_a_step": most}


def _npz(path: Path) -> dict[str, Any]:
    from hrsnn_lava.artifacts.container import below, load_npz
    from hrsnn_lava.trace import SpikeInput, Trace

    arrays = load_npz(path, required=())
    if "spike_steps" in arrays:
        trace = Trace.load(path)
        return {
            "kind": "trace",
            "steps": trace.n_steps,
            "neurons": trace.n_neurons,
            "spikes": trace.n_spikes,
            **_several(trace),
            "network": trace.network_digest,
            "states": [name for name in ("v", "u") if getattr(trace, name) is not None],
            "weights": sorted(trace.weights),
            "traces": sorted(trace.traces),
            "probed": sorted(below(arrays, "probe/")),
            "input_events": None if trace.inputs is None else int(trace.inputs.steps.size),
        }
    if "steps" in arrays:
        events = SpikeInput.load(path)
        return {
            "kind": "input",
            "steps": events.n_steps,
            "channels": events.n_neurons,
            "events": int(events.steps.size),
            "payloads": events.payloads is not None,
        }
    names = ", ".join(arrays) or "no array"
    raise ArtifactError(
        f"{path}: neither an input (steps, neurons) nor a trace (spike_steps, spike_neurons); "
        f"found: {names}"
    )


def _bundle(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.bundle.folder import load

    bundle = load(path)
    manifest = bundle.manifest
    program, profile = manifest["program"], manifest["profile"]
    return {
        "kind": "bundle",
        "name": manifest["name"],
        "target": manifest["target"],
        "checksums": "ok",
        "digest": bundle.digest,
        "format_version": manifest["version"],
        "bytes": bundle.size,
        **{key: program[key] for key in ("neurons", "inputs", "synapses", "dt_s")},
        **({} if profile is None else {"profile": profile}),
        "written_by": f"{manifest['provenance']['program']} {manifest['provenance']['version']}",
        "files": sorted(manifest["members"]),
    }


def _nir(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.interchange.dialect import recognized
    from hrsnn_lava.deploy.interchange.nir_file import read_nir

    graph = read_nir(path)
    return {
        "kind": "nir",
        "nir_version": graph.version,
        "written_by": " or ".join(recognized(graph)) or None,
        "edges": len(graph.edges),
        "nodes": [f"{node.name} ({node.type})" for node in graph.nodes.values()],
    }


def _netx(path: Path) -> dict[str, Any]:
    from hrsnn_lava.deploy.interchange.netx_file import read_netx

    file = read_netx(path)
    kinds = [type(layer).__name__.removesuffix("Layer").lower() for layer in file.layers]
    return {
        "kind": "netx",
        "dt_s": file.dt,
        "layers": [f"{index} ({kind})" for index, kind in enumerate(kinds)],
    }


def _toml(path: Path) -> dict[str, Any]:
    text = ""
    with contextlib.suppress(OSError), path.open("rb") as handle:  # its reader then explains it
        text = handle.read(1_000_000).decode("utf-8", "replace")
    if "[[coefficients]]" in text or "\n[chip" in text:
        from hrsnn_lava.hardware_profiles import document_of

        document = document_of(str(path))
        return {
            "kind": "cost set" if hasattr(document, "coefficients") else "profile",
            "name": document.name,
            "title": document.title,
            "digest": document.digest,
        }
    from hrsnn_lava.spec import Spec

    spec = Spec.load(path)
    return {
        "kind": "spec",
        "name": spec.name,
        "seed": spec.seed,
        "neurons": spec.network.size,
        "task": spec.task.kind,
        "prune": f"{spec.prune.way}, {spec.prune.budget}",
        "profile": spec.compile.profile,
        "sha256_of_complete_spec": hashlib.sha256(spec.canonical().encode()).hexdigest(),
        "spec": spec.model_dump(mode="json"),
    }


def _text(path: Path, data: dict[str, Any]) -> str:
    simple = [
        (key.replace("_", " "), value)
        for key, value in data.items()
        if not isinstance(value, (dict, list)) and key != "kind"
    ]
    if data["kind"] in ("trace", "nir", "netx", *TEXTS):
        lists = ((key, names) for key, names in data.items() if names and isinstance(names, list))
        simple += [(key, ", ".join(map(str, names))) for key, names in lists]
    if isinstance(data.get("profile"), dict):
        simple.append(("profile", f"{data['profile']['name']} {data['profile']['digest'][:12]}"))
    parts = [f"{path}: {data['kind']}", columns(simple)]
    if data["kind"] in NO_NETWORK:
        arrays = data["arrays"].items()
        rows = [(key, " x ".join(map(str, a["shape"])) or "1", a["dtype"]) for key, a in arrays]
        parts.append(columns(rows, ("array", "shape", "type"), right=(1,)))
    if "populations" in data:
        populations: list[tuple[Any, ...]] = [
            (p["name"], p["size"], "input" if p["input"] else p.get("sign") or "neurons")
            for p in data["populations"]
        ]
        head: tuple[str, ...] = ("population", "size", "kind")
        if any("reset" in p for p in data["populations"]):
            head = (*head, "reset")
            resets = ["" if p["input"] else p.get("reset", "zero") for p in data["populations"]]
            populations = [(*row, r) for row, r in zip(populations, resets, strict=True)]
        parts.append(columns(populations, head, right=(1,)))
        projections = [
            (p["name"], f"{p['pre']} -> {p['post']}", p["synapses"], p["density"], p["target"])
            for p in data["projections"]
        ]
        header = ("projection", "from, to", "synapses", "density", "target")
        parts.append(columns(projections, header, right=(2, 3)))
    if data.get("passes"):
        passes = [
            (p["name"], p["before"].get("synapses"), p["after"].get("synapses"))
            for p in data["passes"]
        ]
        parts.append(columns(passes, ("pass", "synapses before", "after"), right=(1, 2)))
    if data.get("findings"):
        from hrsnn_lava.report.sections.verdict import findings_lines

        parts.append("\n".join(["findings", *findings_lines(data["findings"], None)]))
    return "\n\n".join(parts)


ORDER = 120
COMMAND = inspect
