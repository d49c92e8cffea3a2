"""Export to lava-dl's network exchange; see `hrsnn_lava.cli.export`."""

from __future__ import annotations

import warnings
from pathlib import Path

from hrsnn_lava.cli.console import Console


def export_netx(console: Console, path: Path, output: Path) -> None:
    """Write the integers of a quantized or compiled network as ``.net``, and say what is lost."""
    from hrsnn_lava.artifacts.container import load_any
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.deploy.interchange.to_netx import to_netx
    from hrsnn_lava.findings import FindingWarning
    from hrsnn_lava.report.sections.verdict import findings_lines

    loaded = load_any(path, ("quantized", "compiled"))
    network = loaded.network if isinstance(loaded, CompiledNetwork) else loaded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FindingWarning)  # they are part of the answer
        found = to_netx(network, output)
    findings = [finding.to_dict() for finding in found]
    data = {
        "output": output,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "findings": findings,
    }
    head = (
        f"{output}: {network.n_neurons:,} neurons, {network.n_inputs:,} inputs, "
        f"{network.n_synapses:,} synapses, of {path}"
    )
    console.result(data, "\n".join([head, *findings_lines(findings)]))
