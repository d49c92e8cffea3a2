"""A bundle for Intel Lava: the program as arrays, the code that runs it, what a host needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.passes.lower_stock import lower_stock
from hrsnn_lava.csr import drives, rows_of
from hrsnn_lava.deploy.bundle import runner
from hrsnn_lava.deploy.bundle.card import in_markdown, model_card
from hrsnn_lava.deploy.bundle.contents import Deployed, expected_arrays, npz, template
from hrsnn_lava.deploy.bundle.sources import license_text, sources
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.processes.lowering import lava_program
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.quantized import QuantizedNetwork, unit_counts
from hrsnn_lava.resets import require_single_spikes
from hrsnn_lava.sim_backends.learning_program import plastic_projections

__all__ = ["REQUIRES", "lava_bundle"]

#: What an environment needs beside Python; Lava 0.10.0 is the last release.
REQUIRES = {"python": ">=3.10,<3.11", "lava-nc": "==0.10.0", "numpy": ">=1.26,<2"}
_TEMPLATES = {"ci/github.yml": "github.yml", "ci/gitlab-ci.yml": "gitlab-ci.yml"}


def lava_bundle(deployed: Deployed) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files.

    Raises:
        SpecError: what Lava cannot run, see `lava_program`, or a readout of neurons that may send
            several spikes in a step.
    """
    network = deployed.network
    program = lava_program(network, None, 0)
    host, header = _host(network, program)
    members = {runner.PROGRAM: npz(program.arrays())}
    obstacle = None
    try:
        split = lower_stock(network)
        stock = replace(lava_program(split.network, None, 0), stock=True)
        members[runner.STOCK] = npz(stock.arrays())
        host["stock_neurons"] = split.neurons.astype(np.int64)
    except CapacityError as error:
        first, *others = error.violations
        more = f", and {len(others)} more" if others else ""
        obstacle = f"{first.where}: {first.measured}; allowed: {first.limit}{more}"
    readout = _readout(deployed)
    manifest = {
        **deployed.manifest("lava"),
        "requires": REQUIRES,
        "host": header,
        "stock": {"obstacle": obstacle},
        "readout": readout,
    }
    members |= {
        runner.HOST: npz(host),
        runner.INPUT: npz(deployed.inputs.to_artifact().arrays),
        runner.EXPECTED: npz(expected_arrays(deployed.trace)),
        **sources(),
        **deployed.members(),
        "LICENSE": license_text().encode(),
        "requirements.txt": "".join(
            f"{name}{version}\n" for name, version in REQUIRES.items() if name != "python"
        ).encode(),
    }
    if readout is not None and deployed.compiled is not None:
        members[runner.READOUT] = npz(deployed.compiled.readout)
    for name, of in _TEMPLATES.items():
        members[name] = template("bundle", of).encode()
    readme = template("bundle", "README.md").replace("@NAME@", in_markdown(network.name))
    members["README.md"] = readme.encode()
    members["MODEL_CARD.md"] = model_card(deployed, manifest).encode()
    return manifest, members


def _host(
    network: QuantizedNetwork, program: LavaProgram
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What the host needs beside the program: arrays, and what they are of."""
    units = unit_counts(network)
    arrays: dict[str, NDArray[Any]] = {
        "bias_mant": network.gather("bias_mant"),
        "units": np.ones(network.n_inputs, dtype=np.int32) if units is None else units,
        "network_digest": np.frombuffer(bytes.fromhex(network.digest), dtype=np.uint8),
    }
    exponents = []
    for k, (projection, channels, neurons) in enumerate(drives(network)):
        weights = projection.weights
        arrays[f"drive/{k}/rows"] = rows_of(weights) + neurons.start
        arrays[f"drive/{k}/columns"] = weights.indices.astype(np.int64) + channels.start
        arrays[f"drive/{k}/weights"] = weights.data.astype(np.int64)
        exponents.append(int(projection.weight_exp))
    learning = []
    for k, plastic in enumerate(plastic_projections(network)):
        live = np.zeros(plastic.start.size, dtype=np.bool_)
        live[plastic.place] = True
        arrays[f"learning/{k}/start"] = np.stack([plastic.start, *plastic.tags]).astype(np.int64)
        arrays[f"learning/{k}/live"] = live
        parts = [c.learning for c in program.connections if c.learning is not None]
        parts = [part for part in parts if part.projection == plastic.name]
        for part in parts:
            arrays[f"learning/{k}/place/{part.number}"] = np.asarray(part.place, dtype=np.int64)
        changed = [(1, "/tag_1", "dt"), (2, "/tag_2", "dd")]
        endings = [(row, ending) for row, ending, target in changed if plastic.changes(target)]
        learning.append(
            {
                "name": plastic.name,
                "connections": [part.number for part in parts],
                "endings": [[0, ""], *map(list, endings)],
            }
        )

    def places(populations: Any) -> list[list[Any]]:
        return [[p.name, int(network.offset(p.name)), int(p.size)] for p in populations]

    header = {
        "inputs": places(network.input_populations),
        "populations": places(network.compute_populations),
        "payload_scales": {p.name: p.payload_scale for p in network.input_populations},
        "drives": exponents,
        "learning": learning,
    }
    return arrays, header


def _readout(deployed: Deployed) -> dict[str, Any] | None:
    """What the readout reads and says, where the program has one."""
    compiled = deployed.compiled
    if compiled is None or not compiled.readout:
        return None
    require_single_spikes(deployed.network, "the readout of a bundle")
    meta = dict(compiled.readout_meta)
    return {
        "arrays": {name: list(array.shape) for name, array in sorted(compiled.readout.items())},
        "features": features_of(meta),
        "meta": meta,
    }


def features_of(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which features of `host` a readout reads, by what a task says of it; None where unknown."""
    steps = meta.get("steps_per_sample")
    text = str(meta.get("features", ""))
    if "trace_samples" in meta and steps is not None:
        squared = list(meta.get("squared", ()))
        taus = list(meta["trace_samples"])
        return {"kind": "blocks", "steps": steps, "trace_samples": taus, "squared": squared}
    if "trace_steps" in meta:
        known = {"spikes per step": "rates", "spikes of a sample": "counts", "traces": None}
        firsts = [first for start, first in known.items() if text.startswith(start)]
        if not firsts:
            return None
        return {"kind": "sample", "first": firsts[0], "trace_steps": list(meta["trace_steps"])}
    return None
