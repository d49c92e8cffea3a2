"""The result of compiling: an integer network, placed on a chip, with the record of every pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.container import Artifact, encode, read_artifact, write_artifact
from hrsnn_lava.artifacts.networks import quantized_from, quantized_parts, rebuild
from hrsnn_lava.compiler.design_rules.check import check
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError, CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork


@dataclass(frozen=True)
class PassRecord:
    """What one pass did: sizes before and after, and what it reports.

    Attributes:
        name: of the pass.
        options: as given.
        before, after: counts such as ``{"neurons": 1000, "synapses": 97520}``.
        seconds: wall time; left out of artifacts, so that equal input gives equal bytes.
        report: what the pass measured.
    """

    name: str
    options: Mapping[str, Any]
    before: Mapping[str, int]
    after: Mapping[str, int]
    seconds: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """A placed program.

    Attributes:
        network: integers; its palette fits the cores.
        profile: the chip.
        placement: core of every neuron and coordinates of every core.
        records: passes, in order.
        seed: of the spec, or None.
        readout: arrays of an off-chip readout by name, when there is one.
        readout_meta: what the readout needs to know beside its arrays.
        synapses_before: synapses of the network before pruning, for sparsity and SOP ratios.
    """

    network: QuantizedNetwork
    profile: HardwareProfile
    placement: Placement
    records: tuple[PassRecord, ...] = ()
    seed: int | None = None
    readout: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    readout_meta: Mapping[str, Any] = field(default_factory=dict)
    synapses_before: int | None = None

    @property
    def core_of(self) -> NDArray[np.int32]:
        """Core of every neuron, (n_neurons,)."""
        return self.placement.core_of

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network alone."""
        return hashlib.sha256(encode(quantized_parts(self.network))).hexdigest()

    def verify(self) -> CompiledNetwork:
        """Check network, placement and every design rule; return self.

        Raises:
            NetworkError, CapacityError: with everything that is wrong.
        """
        self.network.verify()
        self.placement.verify()
        violations = check(self)
        if violations:
            raise CapacityError(
                f"{self.network.name!r} breaks the rules of profile {self.profile.name!r}",
                violations=violations,
            )
        return self

    def _repr_html_(self) -> str:
        """Sizes and the chip, for a notebook."""
        from hrsnn_lava.notebook import card

        network, cores = self.network, f"{self.placement.n_cores:,}"
        limit = self.profile.chip.cores.value
        figures = [
            ("neurons", f"{network.n_neurons:,}", f"{network.n_inputs:,} inputs"),
            ("synapses", f"{network.n_synapses:,}", f"{len(network.projections)} projections"),
            ("cores", cores, "" if limit is None else f"of {limit:,} a chip"),
            ("passes", f"{len(self.records)}", ", ".join(r.name for r in self.records)),
        ]
        return card(network.name, f"compiled for {self.profile.title}", figures)

    def save(self, path: Any) -> str:
        """Write an ``.hlx`` artifact; return the file's SHA-256."""
        return write_artifact(path, self.to_artifact())

    def to_artifact(self) -> Artifact:
        """Meta data and arrays; equal networks give equal bytes."""
        inner = quantized_parts(self.network)
        arrays = {**inner.arrays, "placement/core_of": self.placement.core_of}
        if self.placement.coordinates is not None:
            arrays["placement/coordinates"] = self.placement.coordinates
        arrays |= {f"readout/{name}": np.asarray(a) for name, a in self.readout.items()}
        records = [{k: v for k, v in r.to_dict().items() if k != "seconds"} for r in self.records]
        meta = {
            "network": inner.meta,
            "profile": {
                "name": self.profile.name,
                "digest": self.profile.digest,
                "content": self.profile.to_dict(),
            },
            "placement": {"info": plain(self.placement.info)},
            "records": plain(records),
            "seed": self.seed,
            "readout": plain(dict(self.readout_meta)),
            "synapses_before": self.synapses_before,
            "program": __version__,
        }
        return Artifact("compiled", meta, arrays)

    @staticmethod
    def load(path: Any) -> CompiledNetwork:
        """Read a compiled network; raises `ArtifactError`."""
        return rebuild(path, "compiled", compiled_from)


def compiled_from(artifact: Artifact) -> CompiledNetwork:
    """The inverse of `CompiledNetwork.to_artifact`; checks profile hash, network and placement."""
    meta, arrays = artifact.meta, artifact.arrays
    profile = HardwareProfile.from_dict(meta["profile"]["content"])
    if profile.digest != meta["profile"]["digest"]:
        raise ArtifactError(f"profile {profile.name!r} does not match its recorded hash")
    network = quantized_from(Artifact("quantized", meta["network"], arrays))
    placement = Placement.of(
        arrays["placement/core_of"],
        arrays.get("placement/coordinates"),
        **meta["placement"]["info"],
    )
    if placement.core_of.shape != (network.n_neurons,):
        raise ArtifactError(
            f"placement of {placement.core_of.size} for {network.n_neurons} neurons"
        )
    readout = {k.removeprefix("readout/"): a for k, a in arrays.items() if k.startswith("readout/")}
    return CompiledNetwork(
        network,
        profile,
        placement,
        tuple(PassRecord(**record) for record in meta["records"]),
        meta["seed"],
        readout,
        meta["readout"],
        meta["synapses_before"],
    )


def load_any(path: Any) -> Any:
    """A `Network`, `QuantizedNetwork` or `CompiledNetwork`, whatever the artifact holds."""
    from hrsnn_lava.network import Network

    stage = read_artifact(path).stage
    loaders = {
        "network": Network.load,
        "quantized": QuantizedNetwork.load,
        "compiled": CompiledNetwork.load,
    }
    if stage not in loaders:
        raise ArtifactError(f"{path}: stage {stage!r}; allowed: {', '.join(loaders)}")
    return loaders[stage](path)


def plain(value: Any) -> Any:
    """`value` as JSON holds it: NumPy numbers and arrays become numbers and lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
