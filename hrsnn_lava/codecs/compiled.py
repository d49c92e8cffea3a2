"""Placed programs in ``.hlx`` files: the integer network, the chip in full, cores, pass records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import Artifact, Codec, below, plain, rounded
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import listed, real_values, refusal, table, whole_number
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
    _check_meta(meta)
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


_NUMBER = (int, float, type(None))
#: What passes measured and reports read: the kind of every entry of such a name.
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("mapping", "search", "before", "after", "options"), Mapping),
    **dict.fromkeys(("baselines", "starts", "populations", "projections"), Mapping),
    **dict.fromkeys(("tau_mem", "tau_syn", "threshold"), Mapping),
    **dict.fromkeys(("chips", "links", "neurons", "synapses", "max"), _NUMBER),
    **dict.fromkeys(("clipped", "zeroed", "rms_error", "threshold_error_max"), _NUMBER),
    **dict.fromkeys(("busiest", "congestion"), (Mapping, type(None))),
    "start": (str, type(None)),
    "messages_by_hops_per_step": (list, type(None)),
    "findings": list,
}
#: Passes whose reports the sections of a report read.
_READ = ("quantize", "palette")
#: Tables of tables, whose keys are names of parts.
_OF_PARTS = ("baselines", "starts", "populations", "projections")
#: Entries that tables of such a name have.
_ENTRIES = {
    **dict.fromkeys(("tau_mem", "tau_syn", "threshold"), ("max",)),
    "busiest": ("from", "to"),
    "congestion": ("busiest", "links"),
    "starts/": ("cost",),
}


def _require_entries(where: str, value: Any, name: str) -> None:
    for entry in _ENTRIES.get(name, ()):
        if entry not in value:
            raise refusal(where, f"without {entry!r}", "what a pass records", error=ArtifactError)


def _check_measured(where: str, value: Any) -> None:
    """Refuse what no pass measures, before a report trips over it."""
    for key, inner in table(where, value, _KINDS, ArtifactError).items():
        place = f"{where}.{key}"
        if isinstance(inner, Mapping):
            _require_entries(place, inner, key)
            for name, part in inner.items() if key in _OF_PARTS else ():
                _check_measured(f"{place}.{name}", part)
                _require_entries(f"{place}.{name}", part, f"{key}/")
            if key in _KINDS and key not in _OF_PARTS:
                _check_measured(place, inner)
        elif key == "messages_by_hops_per_step" and inner is not None:
            if real_values(place, inner, error=ArtifactError).ndim != 1:
                raise refusal(place, "lists", "numbers", error=ArtifactError)
        elif inner is None and key in ("neurons", "synapses"):
            raise refusal(place, "None", "a number", error=ArtifactError)


def _check_meta(meta: dict[str, Any]) -> None:
    """Refuse what no compilation records."""
    table("readout", meta["readout"], {}, ArtifactError)
    if (before := meta["synapses_before"]) is not None:
        whole_number("synapses_before", before, (0, 2**63 - 1), error=ArtifactError)
    _check_measured("placement.info", meta["placement"]["info"])
    for k, record in enumerate(listed("records", meta["records"], "a list", ArtifactError)):
        where = f"records[{k}]"
        kinds = {"name": str, "report": Mapping, "findings": list, "options": Mapping}
        table(where, record, kinds, ArtifactError)
        _check_measured(where, {name: record[name] for name in ("before", "after")})
        if record["name"] in _READ:  # the reports of others are their own affair
            _check_measured(f"{where}.report", record.get("report", {}))


CODEC = Codec(_to_artifact, _from_artifact)
