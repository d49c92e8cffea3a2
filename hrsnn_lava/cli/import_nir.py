"""Import of NIR; see `hrsnn_lava.cli.import_`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrsnn_lava.cli.console import Console, columns
from hrsnn_lava.cli.import_arguments import OF_NETX, ImportArguments, refuse_given
from hrsnn_lava.errors import ParityError

if TYPE_CHECKING:
    from hrsnn_lava.deploy.interchange.against import Agreement
    from hrsnn_lava.deploy.interchange.from_nir import Imported
    from hrsnn_lava.network import Network


def import_nir(console: Console, arguments: ImportArguments) -> int:
    """Write the network of a ``.nir`` file, and say what was assumed; or that it is our own."""
    from hrsnn_lava.deploy.interchange.against import against
    from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported, own_network
    from hrsnn_lava.deploy.interchange.nir_file import read_nir
    from hrsnn_lava.deploy.interchange.recording import load_recording

    refuse_given(arguments, OF_NETX)
    graph = read_nir(arguments.file)
    options = ImportOptions(
        arguments.dialect,
        arguments.dt,
        arguments.reset,
        arguments.single_spikes,
        arguments.biases,  # type: ignore[arg-type]
    )
    if arguments.against is None and (network := own_network(graph, options)) is not None:
        return _came_back(console, arguments, network)
    found = imported(graph, options)
    agreement = None
    if arguments.against is not None:
        agreement = against(found, load_recording(arguments.against, found.model))
    sha256 = found.network.save(arguments.output)
    for remark in found.remarks:
        console.note(remark)
    data = {"output": arguments.output, "sha256": sha256, **_data(found)}
    if agreement is not None:
        data["against"] = agreement.to_dict()
    text = _text(arguments, found)
    console.result(data, text if agreement is None else f"{text}\n\n{_compared(agreement)}")
    return 0 if agreement is None or agreement.exact else ParityError.exit_code


def _came_back(console: Console, arguments: ImportArguments, network: Network) -> int:
    """A file that `export nir` wrote: nothing is assumed."""
    sha256 = network.save(arguments.output)
    data = {
        "output": arguments.output,
        "sha256": sha256,
        "dialect": "hrsnn-lava",
        "dt_s": network.dt,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "populations": [{"name": p.name, "size": p.size} for p in network.populations],
    }
    rows = [("dialect", "hrsnn-lava: the network as it was written, by the hints in the file")]
    rows += [("dt", f"{network.dt:g} s")]
    console.result(data, f"{_head(arguments, network)}\n{columns(rows)}")
    return 0


def _data(found: Imported) -> dict[str, Any]:
    choice, network = found.choice, found.network
    return {
        "dialect": choice.dialect.name,
        "reasons": choice.reasons,
        "dt_s": choice.setting.dt,
        "file_step": choice.setting.step,
        "reset": choice.setting.reset,
        "several_spikes": _several(found),
        "assumed": choice.assumed,
        "folded": found.model.folded,
        "shifts": found.timing.visible,
        "outputs": found.model.outputs,
        "neurons": network.n_neurons,
        "inputs": network.n_inputs,
        "synapses": network.n_synapses,
        "populations": [{"name": p.name, "size": p.size} for p in network.populations],
    }


def _several(found: Imported) -> list[str]:
    """Layers of neurons that may send several spikes in a step."""
    return [p.name for p in found.network.compute_populations if p.reset == "subtract_all"]


def _text(arguments: ImportArguments, found: Imported) -> str:
    choice, network = found.choice, found.network
    assumed = dict(line.split(" = ", 1) for line in choice.assumed)
    rows = [("dialect", f"{choice.dialect.name} ({'; '.join(choice.reasons)})")]
    rows += [("rule", choice.dialect.equations)]
    rows += [("dt", f"{choice.setting.dt:g} s{_why(assumed.get('dt'))}")]
    rows += [("reset", f"{choice.setting.reset}{_why(assumed.get('reset'))}")]
    if names := _several(found):
        text = "several in a step, in one message"
        rows += [("spikes", f"{text}: {', '.join(names)}")]
    rows += [("folded" if not k else "", line) for k, line in enumerate(found.model.folded)]
    later = ", ".join(f"{name} {shift}" for name, shift in found.timing.visible.items())
    rows += [("steps later", later)]
    clocks = (
        {p.name for p in network.populations}
        - {name for name, _ in found.model.inputs}
        - {layer.name for layer in found.model.layers}
    )
    rows += [("biases", f"by a neuron that fires in every step, {name!r}") for name in clocks]
    return f"{_head(arguments, network)}\n{columns(rows)}"


def _head(arguments: ImportArguments, network: Network) -> str:
    return (
        f"{arguments.output}: {network.n_neurons:,} neurons, {network.n_inputs:,} inputs, "
        f"{network.n_synapses:,} synapses, of {arguments.file}"
    )


def _why(assumed: str | None) -> str:
    """``, assumed: why``."""
    return "" if assumed is None else f", assumed: {assumed.partition(': ')[2]}"


def _compared(agreement: Agreement) -> str:
    rows = [
        (r.layer, r.source, r.floats, r.differing, r.integers, r.moved) for r in agreement.layers
    ]
    header = ("layer", "source", "float", "differ", "integers", "moved by rounding")
    table = columns(rows, header, right=range(1, 6))
    end = "every recorded spike is the same" if agreement.exact else str(agreement.first)
    return f"spikes in {agreement.steps:,} steps\n{table}\n{end}"
