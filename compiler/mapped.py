"""Integers, the core of every neuron, the tile of every core: what the last passes work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.snapping import PaletteReport
from hrsnn_lava.errors import NetworkError, Problem, SpecError, raise_if
from hrsnn_lava.fields import whole_values
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.notebook import brief
from hrsnn_lava.quantized import QuantizedNetwork


@brief("n_cores", "core_of", "coordinates", in_cells=False)
@dataclass(frozen=True, eq=False)
class Placement:
    """A placement of N neurons on cores.

    Attributes:
        core_of: (N,) int32, core of every neuron in global order; the cores in use are
            0..n_cores-1 and none of them is empty.
        n_cores: number of cores in use.
        coordinates: (n_cores, 2) int32, tile (x, y) of every core, or None while not placed.
        info: what the passes measured: options taken, baselines, traffic.
    """

    core_of: NDArray[np.int32]
    n_cores: int
    coordinates: NDArray[np.int32] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(core_of: Any, coordinates: Any = None, **info: Any) -> Placement:
        """Build from arrays, and verify."""
        cores = whole_values("placement.core_of", core_of)
        return Placement(cores, int(cores.max(initial=-1)) + 1, coordinates, info).verify()

    def __post_init__(self) -> None:
        object.__setattr__(self, "core_of", whole_values("placement.core_of", self.core_of))
        if self.coordinates is not None:
            tiles = whole_values("placement.coordinates", self.coordinates)
            object.__setattr__(self, "coordinates", tiles)

    def verify(self) -> Placement:
        """Check everything; return self; raises `NetworkError` with every problem."""
        problems = []
        if self.core_of.ndim != 1 or self.core_of.min(initial=0) < 0:
            problems.append(Problem("core_of", "not a list of cores >= 0", "(n_neurons,) ints"))
        elif np.unique(self.core_of).size != self.n_cores:
            measured = f"{np.unique(self.core_of).size} cores in use"
            problems.append(Problem("core_of", measured, f"{self.n_cores}, numbered without a gap"))
        if self.coordinates is not None and self.coordinates.shape != (self.n_cores, 2):
            shape = f"shape {self.coordinates.shape}"
            problems.append(Problem("coordinates", shape, f"({self.n_cores}, 2)"))
        raise_if(NetworkError, "the placement is not valid", problems)
        return self


@dataclass(frozen=True)
class Chips:
    """Chips that a placement takes.

    Attributes:
        number: of chips with a core of the network.
        width: tiles of one along x; None without a mesh.
    """

    number: int = 1
    width: int | None = None

    @staticmethod
    def of(profile: HardwareProfile, n_cores: int) -> Chips:
        """Those that so many cores of a chip fill one after the other."""
        per_chip = profile.chip.cores.value
        number = max(1, -(-n_cores // per_chip)) if per_chip else 1
        return Chips(number, profile.chip.mesh_width.value)


ONE_CHIP = Chips()


@dataclass(frozen=True, eq=False)
class ThresholdPlan:
    """Thresholds to be, weights not yet changed.

    Attributes:
        original: the network as it was.
        network: the same with the planned thresholds: what partition and palette see.
        absorbed: (n_neurons,) neurons whose threshold will be absorbed; the table of a core
            can give them any value.
        room: (n_neurons,) largest gains, see `quantization.input_scaling.largest_gains`.
        rates: (n_sources,) spikes per step, neurons first.
        untouched: neurons left alone, by reason.
    """

    original: QuantizedNetwork
    network: QuantizedNetwork
    absorbed: NDArray[np.bool_]
    room: NDArray[np.float64]
    rates: NDArray[np.float64]
    untouched: dict[str, int] = field(default_factory=dict)


@brief("network=network.name", "placement")
@dataclass(frozen=True, eq=False)
class Mapped:
    """An integer network on its way onto a chip.

    Attributes:
        network: the integers. While `plan` is not None its thresholds are those to be, and its
            weights not yet scaled to them.
        placement: cores of the neurons, and their tiles once placed; None before the partition.
        plan: thresholds that weights are to take up after the palette; None where none are.
        palette: what the palette did, error by error; None before it.
    """

    network: QuantizedNetwork
    placement: Placement | None = None
    plan: ThresholdPlan | None = None
    palette: PaletteReport | None = None

    @staticmethod
    def of(network: QuantizedNetwork | Mapped) -> Mapped:
        """The argument, or plain integers that are on no core yet."""
        return network if isinstance(network, Mapped) else Mapped(network)

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name

    @property
    def n_neurons(self) -> int:
        """Of the network."""
        return self.network.n_neurons

    @property
    def n_synapses(self) -> int:
        """Of the network."""
        return self.network.n_synapses

    @property
    def on_cores(self) -> Placement:
        """The placement; raises `SpecError` before the partition."""
        if self.placement is None:
            raise SpecError("the neurons are on no cores yet: `partition` comes first")
        return self.placement

    def verify(self) -> Mapped:
        """Check network and placement; return self; raises `NetworkError` with every problem."""
        self.network.verify()
        if self.placement is not None:
            self.placement.verify()
            size = self.placement.core_of.size
            if size != self.n_neurons:
                problem = Problem("core_of", f"{size} neurons", f"{self.n_neurons} (the network's)")
                raise NetworkError("the placement is not valid", problems=[problem])
        return self


class PlacedProgram(Protocol):
    """What analyses need of a program on a chip; a `CompiledNetwork` is one."""

    @property
    def network(self) -> QuantizedNetwork:
        """The integers."""
        ...

    @property
    def profile(self) -> HardwareProfile:
        """The chip."""
        ...

    @property
    def placement(self) -> Placement:
        """Cores and tiles."""
        ...

    @property
    def core_of(self) -> NDArray[np.int32]:
        """Core of every neuron, (n_neurons,)."""
        ...

    @property
    def synapses_before(self) -> int | None:
        """Synapses of the network before pruning, where that is known."""
        ...

    @property
    def network_digest(self) -> str:
        """SHA-256 of the integer network alone."""
        ...
