"""The model card of a bundle: what the network is, how it came about, what it costs, its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrsnn_lava import __version__
from hrsnn_lava.deploy.bundle.contents import Deployed

__all__ = ["in_markdown", "model_card"]

_LONGEST = 120  # letters of an option that is shown


def model_card(deployed: Deployed, manifest: Mapping[str, Any]) -> str:
    """The card in Markdown."""
    sections = (_facts, _history, _costs, _findings, _input_and_readout, _limits)
    parts = ["\n".join(section(deployed, manifest)) for section in sections]
    return (
        f"# Model card: {in_markdown(deployed.network.name)}\n\n"
        + "\n\n".join(filter(None, parts))
        + "\n"
    )


def _facts(deployed: Deployed, manifest: Mapping[str, Any]) -> Iterator[str]:
    network, compiled = deployed.network, deployed.compiled
    yield "| | |"
    yield "|---|---|"
    yield "| license | **to be filled in by who publishes the network** |"
    parts = len(network.compute_populations)
    yield f"| neurons | {network.n_neurons:,} in {parts} population{'s' * (parts != 1)} |"
    yield f"| inputs | {network.n_inputs:,} channels |"
    parts = len(network.projections)
    yield f"| synapses | {network.n_synapses:,} in {parts} projection{'s' * (parts != 1)} |"
    if compiled is not None and compiled.synapses_before is not None:
        yield f"| synapses before pruning | {compiled.synapses_before:,} |"
    yield f"| a step | {network.dt:g} s |"
    learning = [p.name for p in network.projections if p.learning is not None]
    names = ", ".join(map(in_markdown, learning))
    yield f"| learns on the chip | {names or 'nothing'} |"
    if compiled is not None:
        profile, cores = compiled.profile, compiled.placement.n_cores
        count = f"{cores:,} core{'s' * (cores != 1)}"
        yield f"| placed on | {profile.title} (`{profile.name}`), {count} |"
        yield f"| seed | {'not known' if compiled.seed is None else compiled.seed} |"
    spec = manifest["provenance"]["spec_digest"]
    origin = f"`{spec}`" if spec else "not known: no report was given"
    yield f"| SHA-256 of the spec | {origin} |"
    yield f"| SHA-256 of the integers | `{network.digest}` |"
    yield f"| written by | hrsnn-lava {__version__} |"
    yield ""
    yield "| population | neurons | time constants (du, dv) | thresholds |"
    yield "|---|---|---|---|"
    for p in network.compute_populations:
        pairs = len({*zip(p.parameter("du").tolist(), p.parameter("dv").tolist(), strict=True)})
        vth = p.parameter("vth")
        span = f"{vth.min()}" if vth.min() == vth.max() else f"{vth.min()} to {vth.max()}"
        yield f"| {in_markdown(p.name)} | {p.size:,} | {pairs:,} sets | {span} |"


def _history(deployed: Deployed, _: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it came about"
    yield ""
    records = () if deployed.compiled is None else deployed.compiled.records
    if not records:
        yield "Nothing is recorded: the integers were given as they are."
        return
    yield "| pass | synapses | options |"
    yield "|---|---|---|"
    for record in records:
        before, after = (counts.get("synapses") for counts in (record.before, record.after))
        change = f"{before:,}" if before == after and before is not None else f"{before} to {after}"
        options = ", ".join(f"{k} = {v}" for k, v in sorted(record.options.items()))
        short = options if len(options) <= _LONGEST else f"{options[:_LONGEST]} ..."
        yield f"| {record.name} | {change} | {in_markdown(short)} |"
    yield ""
    yield "Training before the first pass is in the report and the spec, not in the program."


def _costs(deployed: Deployed, _: Mapping[str, Any]) -> Iterator[str]:
    report = deployed.report
    yield "## What it costs"
    yield ""
    if report is None:
        yield "No report was given, so operations and energy are not stated here."
        return
    sop, energy = report.get("sop") or {}, report.get("energy") or {}
    yield "| | |"
    yield "|---|---|"
    yield f"| verdict of the report | {report.get('verdict')} |"
    rows = (
        ("synaptic operations of the reported run", sop.get("total"), ""),
        ("a step", sop.get("per_step"), ""),
        ("dynamic energy of the run", energy.get("dynamic_j"), " J"),
        ("energy in all", energy.get("total_j"), " J"),
    )
    for name, value, unit in rows:
        yield f"| {name} | {'not stated' if value is None else f'{value:,.6g}{unit}'} |"
    if energy:
        evidence = energy.get("evidence")
        grades = ", ".join(evidence) if isinstance(evidence, list) else evidence
        yield f"| prices | {energy.get('cost_set')}, {grades} |"
    yield ""
    yield "Estimates of a model; nothing was measured on a chip."


def _findings(deployed: Deployed, _: Mapping[str, Any]) -> Iterator[str]:
    yield "## Findings"
    yield ""
    if not deployed.model.findings:
        yield "None were recorded on the way."
    for finding in deployed.model.findings:
        yield (
            f"- {finding.severity}: {in_markdown(finding.where)}: {in_markdown(finding.measured)}. "
            + in_markdown(finding.meaning)
        )


def _input_and_readout(deployed: Deployed, manifest: Mapping[str, Any]) -> Iterator[str]:
    network, readout = deployed.network, manifest.get("readout")
    yield "## Input and readout"
    yield ""
    for p in network.input_populations:
        scale = p.payload_scale
        kind = "spikes" if scale is None else f"values, {scale:g} counts for 1.0"
        yield f"- input {in_markdown(p.name)}: {p.size:,} channels, {kind}"
    if not network.input_populations:
        yield "- no input"
    if readout is None:
        yield "- no readout: the program says with spikes what it says"
        return
    meta = readout["meta"]
    for key in ("encoder", "target", "features", "classes", "steps_per_sample"):
        if key in meta:
            yield f"- {key.replace('_', ' ')}: {in_markdown(str(meta[key]))}"
    if "encoder" not in meta:
        yield "- encoder: none is recorded; a value is held and sent as its count when it changes"


def _limits(deployed: Deployed, manifest: Mapping[str, Any]) -> Iterator[str]:
    by = " and ".join(manifest["expected"]["by"])
    yield "## Limits"
    yield ""
    yield f"- The shipped spikes are those of the engines {by}; {manifest['input']['source']}."
    yield "- Runs start from rest. A score that was measured from other potentials may differ."
    yield "- It never ran on a chip here. Known differences of chips to Lava's CPU models exist."
    yield "- Intended use, data, groups affected: **to be filled in**."
    if (stock := manifest.get("stock")) and stock["obstacle"]:
        yield f"- Lava's own LIF cannot express it: {in_markdown(stock['obstacle'])}."
    if deployed.compiled is None:
        yield "- Not placed: nothing was checked against the limits of a chip."


def in_markdown(text: str) -> str:
    """A name from a file as Markdown shows it, in one line and one cell of a table."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(f"\\{c}" if c in "\\`*_<>[]|#" else c for c in flat)
