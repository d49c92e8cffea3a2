"""The result of compiling: an integer network, placed on a chip, with the record of every pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.compiler.design_rules.check import PlacedNetwork, check
from hrsnn_lava.compiler.mapped import Mapped, Placement
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.findings import Finding, worst_first
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.notebook import brief, card
from hrsnn_lava.quantized import QuantizedNetwork


@brief("name", "before", "after", "seconds", "findings", in_cells=False)
@dataclass(frozen=True)
class PassRecord:
    """What one pass did: sizes before and after, and what it reports.

    Attributes:
        name: of the pass.
        options: as given.
        before, after: counts such as ``{"neurons": 1000, "synapses": 97520}``.
        seconds: wall time; left out of artifacts, so that equal input gives equal bytes.
        report: what the pass measured.
        findings: what a user has to know of it.
    """

    name: str
    options: Mapping[str, Any]
    before: Mapping[str, int]
    after: Mapping[str, int]
    seconds: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PassRecord:
        """The record that `to_dict` gave."""
        findings = tuple(Finding.from_dict(f) for f in values.get("findings", ()))
        return cls(**{**values, "findings": findings})

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@brief(
    "name=network.name",
    "chip=profile.name",
    "neurons=network.n_neurons",
    "synapses=network.n_synapses",
    "cores=placement.n_cores",
)
@dataclass(frozen=True, eq=False)
class CompiledNetwork(Saved):
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

    stage: ClassVar[str] = "compiled"

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
    def findings(self) -> tuple[Finding, ...]:
        """What a user has to know of the way here, the worst first."""
        of_passes = (finding for record in self.records for finding in record.findings)
        return worst_first((*self.network.findings, *of_passes))

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network alone."""
        return self.network.digest

    def verify(self) -> CompiledNetwork:
        """Check network, placement and every design rule; return self.

        Raises:
            NetworkError, CapacityError: with everything that is wrong.
        """
        self.verify_placement()
        placed = PlacedNetwork.of(self.network, self.core_of, self.profile)
        violations = check(placed)
        if violations:
            raise CapacityError(
                f"{self.network.name!r} breaks the rules of profile {self.profile.name!r}",
                violations=violations,
                placement=placed,
            )
        return self

    def verify_placement(self) -> CompiledNetwork:
        """Check that network and placement are valid, and go together; return self.

        Raises:
            NetworkError: with everything that is wrong.
        """
        Mapped(self.network, self.placement).verify()
        return self

    def _repr_html_(self) -> str:
        """Sizes and the chip, for a notebook."""
        network, cores = self.network, f"{self.placement.n_cores:,}"
        limit = self.profile.chip.cores.value
        figures = [
            ("neurons", f"{network.n_neurons:,}", f"{network.n_inputs:,} inputs"),
            ("synapses", f"{network.n_synapses:,}", f"{len(network.projections)} projections"),
            ("cores", cores, "" if limit is None else f"of {limit:,} a chip"),
            ("passes", f"{len(self.records)}", ", ".join(r.name for r in self.records)),
        ]
        return card(network.name, f"compiled for {self.profile.title}", figures)
