"""Export to NIR; see `hrsnn_lava.cli.export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hrsnn_lava.cli.console import Console, columns

if TYPE_CHECKING:
    from hrsnn_lava.deploy.interchange.to_nir import ToDialect


def export_nir(console: Console, path: Path, output: Path, dialect: ToDialect) -> None:
    """Write a float network as ``.nir``, and say how to read it and what NIR does not hold."""
    from hrsnn_lava.deploy.interchange.to_nir import to_nir
    from hrsnn_lava.network import Network
    from hrsnn_lava.report.sections.verdict import findings_lines

    network = Network.load(path)
    told = to_nir(network, output, dialect)
    findings = [finding.to_dict() for finding in told.findings]
    data = {
        "output": output,
        "dt_s": told.dt,
        "nodes": dict(told.nodes),
        "early": dict(told.early),
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "findings": findings,
    }
    head = (
        f"{output}: {network.n_neurons:,} neurons, {network.n_inputs:,} inputs, "
        f"{network.n_synapses:,} synapses, of {path}"
    )
    early = ", ".join(f"{name} {steps}" for name, steps in told.early.items())
    rows = [("dt", f"{told.dt:g} s: no file says it, so tell whoever reads this one")]
    rows += [("nodes", ", ".join(f"{name} ({kind})" for name, kind in told.nodes.items()))]
    rows += [("steps earlier", early)]
    console.result(data, "\n".join([head, *findings_lines(findings), columns(rows)]))
