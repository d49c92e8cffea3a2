"""A bundle with a network in C: the source, an input and its spikes as text, the card."""

from __future__ import annotations

from typing import Any

from hrsnn_lava.deploy.bundle.card import in_markdown, model_card
from hrsnn_lava.deploy.bundle.contents import Deployed, expected_arrays, npz, template
from hrsnn_lava.deploy.bundle.sources import license_text
from hrsnn_lava.deploy.c_target.program import c_program
from hrsnn_lava.deploy.c_target.source import HEADER, c_source
from hrsnn_lava.quantized import in_counts

__all__ = ["c_bundle"]


def c_bundle(deployed: Deployed) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files.

    Raises:
        CapacityError, SpecError: what cannot run in C, see `c_program`.
    """
    source, network = c_source(c_program(deployed.network)), deployed.network
    flash, ram = source.footprint.flash, source.footprint.ram
    manifest = {**deployed.manifest("c"), "footprint": {"flash_bytes": flash, "ram_bytes": ram}}
    places = [(p.name, int(network.offset(p.name)), p.size) for p in network.compute_populations]
    neurons = ["| population | neurons |", "|---|---|"]
    neurons += [
        f"| {in_markdown(name)} | {first} to {first + size - 1} |" for name, first, size in places
    ]
    readme = template("c", "README.md")
    for mark, text in {
        "@NAME@": in_markdown(network.name),
        "@FOOTPRINT@": f"Its data take {flash:,} bytes of constants and {ram:,} bytes of "
        "variables; its code\ncomes on top, about 1,600 bytes with gcc -Os for x86-64.",
        "@STEPS@": str(deployed.trace.n_steps),
        "@NEURONS@": "\n".join(neurons),
    }.items():
        readme = readme.replace(mark, text)
    inputs, trace = in_counts(network, deployed.inputs), deployed.trace
    events = zip(inputs.steps, inputs.neurons, inputs.payload_values(), strict=True)
    columns = [trace.spike_steps, trace.spike_neurons]
    if trace.payloads is not None:
        columns.append(trace.payloads)
    spikes = zip(*columns, strict=True)
    members = {
        "network.c": source.text.encode(),
        "network.h": HEADER.encode(),
        "test/events.txt": "".join(f"{t} {c} {p}\n" for t, c, p in events).encode(),
        "test/spikes.txt": "".join(f"s {' '.join(map(str, spike))}\n" for spike in spikes).encode(),
        "program/input.npz": npz(deployed.inputs.to_artifact().arrays),
        "program/expected.npz": npz(expected_arrays(trace)),
        "README.md": readme.encode(),
        "MODEL_CARD.md": model_card(deployed, manifest).encode(),
        "LICENSE": license_text().encode(),
        **deployed.members(),
    }
    return manifest, members
