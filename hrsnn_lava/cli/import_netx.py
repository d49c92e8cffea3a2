"""Import of lava-dl's network exchange; see `hrsnn_lava.cli.import_`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hrsnn_lava.cli.console import Console, columns
from hrsnn_lava.cli.import_arguments import OF_NIR, ImportArguments, refuse_given
from hrsnn_lava.errors import Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.quantized import QuantizedNetwork


def import_netx(console: Console, arguments: ImportArguments) -> int:
    """Write the integer network of a ``.net`` file, and say what it is."""
    from hrsnn_lava.deploy.interchange.from_netx import network_of
    from hrsnn_lava.deploy.interchange.netx_file import read_netx
    from hrsnn_lava.report.sections.verdict import findings_lines

    refuse_given(arguments, OF_NIR)
    shape = None if arguments.input_shape is None else _shape(arguments.input_shape)
    file = read_netx(arguments.file, arguments.num_layers)
    network = network_of(file, f"{arguments.file}", arguments.weights, shape, arguments.dt)
    sha256 = network.save(arguments.output)
    findings = [finding.to_dict() for finding in network.findings]
    data = {
        "output": arguments.output,
        "sha256": sha256,
        "dt_s": network.dt,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "findings": findings,
        "populations": [{"name": p.name, "size": p.size} for p in network.populations],
    }
    head = (
        f"{arguments.output}: {network.n_neurons:,} neurons, {network.n_inputs:,} inputs, "
        f"{network.n_synapses:,} synapses, of {arguments.file}"
    )
    console.result(data, "\n".join([head, *findings_lines(findings), _layers(network)]))
    return 0


def _shape(text: str) -> tuple[int, ...]:
    """``C,H,W`` or ``N`` as sizes."""
    parts = text.split(",")
    if not (1 <= len(parts) <= 3 and all(p.strip().isdecimal() and int(p) for p in parts)):
        problem = Problem("--input-shape", f"{text!r:.40}", "C,H,W or N, whole numbers above 0")
        raise SpecError(str(problem))
    return tuple(int(part) for part in parts)


def _layers(network: QuantizedNetwork) -> str:
    """One line for each projection."""
    rows = [
        (p.name, p.pre, p.post, p.n_synapses, p.weight_exp, p.num_weight_bits, p.sign_mode.value)
        for p in network.projections
    ]
    header = ("projection", "from", "to", "synapses", "exponent", "bits", "signs")
    return columns(rows, header, right=(3, 4, 5))
