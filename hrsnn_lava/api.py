"""The verbs of the package: `compile`, `quantize`, `simulate`, `verify`, `report`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import Pass, compile_network
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.trace import SpikeInput, Trace


def compile(
    network: Network | QuantizedNetwork,
    profile: HardwareProfile | str,
    passes: Sequence[Pass] | None = None,
    **options: Any,
) -> CompiledNetwork:
    """Compile a network for a chip; see `hrsnn_lava.compiler.pipeline.compile_network`.

    Raises:
        CapacityError: the network does not fit; `violations` lists every broken rule.
    """
    chip = HardwareProfile.load(profile) if isinstance(profile, str) else profile
    return compile_network(network, chip, passes, **options)


def quantize(network: Network, weight_bits: int = 8) -> QuantizedNetwork:
    """The integer network of a float one, not placed on any chip."""
    from hrsnn_lava.compiler.passes.quantize import Quantize

    return Quantize(weight_bits)(network)


def simulate(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None = None,
    steps: int = 1000,
    backend: str = "native",
    probes: Collection[str] = ("spikes",),
) -> Trace:
    """Run `steps` steps on a backend: ``reference``, ``native`` or ``lava``."""
    from hrsnn_lava.sim_backends.parity import backend as named

    return named(backend).run(network, inputs, steps, probes)


def verify(
    network: CompiledNetwork | QuantizedNetwork,
    inputs: SpikeInput | None = None,
    steps: int = 1000,
    backends: Sequence[str] = ("reference", "native"),
) -> Any:
    """Compare backends bit for bit; returns a `Parity`, with ``mismatches`` and ``line()``."""
    from hrsnn_lava.sim_backends.parity import verify_parity

    return verify_parity(network, inputs, steps, backends)[0]


def report(
    compiled: CompiledNetwork,
    trace: Trace | None = None,
    cost_set: CostSet | str | None = None,
    **options: Any,
) -> Any:
    """Resources, synaptic operations and energy; see `hrsnn_lava.report.model.build_report`."""
    from hrsnn_lava.report.model import build_report

    return build_report(compiled, trace, cost_set, **options)
