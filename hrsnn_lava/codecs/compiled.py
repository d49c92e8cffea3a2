"""Placed programs in ``.hlx`` files: the integer network, the chip in full, cores, pass records."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import Artifact, Codec, below, plain, rounded
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork


def _to_artifact(compiled: CompiledNetwork) -> Artifact:
    inner, profile = compiled.network.to_artifact(), compiled.profile
    arrays = {**inner.arrays, "placement/core_of": compiled.placement.core_of}
    if compiled.placement.coordinates is not None:
        arrays["placement/coordinates"] = compiled.placement.coordinates
    arrays |= {f"readout/{name}": np.asarray(a) for name, a in compiled.readout.items()}
    # durations differ from run to run, so records go without: equal input gives equal bytes
    records = [{k: v for k, v in asdict(r).items() if k != "seconds"} for r in compiled.records]
    records = [{k: v for k, v in r.items() if k != "findings" or v} for r in records]
    meta = {
        "network": inner.meta,
        "profile": {
            "name": profile.name,
            "digest": profile.digest,
            "content": profile.to_dict(),
        },
        "placement": {"info": rounded(plain(compiled.placement.info))},
        "records": rounded(plain(records)),
        "seed": compiled.seed,
        "readout": plain(dict(compiled.readout_meta)),
        "synapses_before": compiled.synapses_before,
        "program": __version__,
    }
    return Artifact(CompiledNetwork.stage, meta, arrays)


def _from_artifact(artifact: Artifact) -> CompiledNetwork:
    """Checks the profile's hash, the network and the placement; not the design rules."""
    meta, arrays = artifact.meta, artifact.arrays
    profile = HardwareProfile.from_dict(meta["profile"]["content"])
    if profile.digest != meta["profile"]["digest"]:
        raise ArtifactError(f"profile {profile.name!r} does not match its recorded hash")
    network = QuantizedNetwork.from_artifact(Artifact("quantized", meta["network"], arrays))
    placement = Placement.of(
        arrays["placement/core_of"],
        arrays.get("placement/coordinates"),
        **meta["placement"]["info"],
    )
    if placement.core_of.shape != (network.n_neurons,):
        raise ArtifactError(
            f"placement of {placement.core_of.size} for {network.n_neurons} neurons"
        )
    return CompiledNetwork(
        network,
        profile,
        placement,
        tuple(PassRecord.from_dict(record) for record in meta["records"]),
        meta["seed"],
        below(arrays, "readout/"),
        meta["readout"],
        meta["synapses_before"],
    )


CODEC = Codec(_to_artifact, _from_artifact)
