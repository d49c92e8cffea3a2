"""hrsnn-lava: heterogeneous recurrent spiking networks, from a spec to a neuromorphic chip.

Names are loaded on first use, so that importing the package stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "errors": ["CapacityError", "HrsnnError"],
    "network": ["LIF", "Input", "Network", "Population", "Projection"],
    "plasticity": ["STDP"],
    "distributions": ["Constant", "Gamma", "LogNormal", "Normal", "Uniform"],
    "spec": ["Spec"],
    "hrsnn": ["build_hrsnn"],
    "quantized": [
        "QuantizedInput",
        "QuantizedNetwork",
        "QuantizedPopulation",
        "QuantizedProjection",
        "SignMode",
    ],
    "trace": ["SpikeInput", "Trace"],
    "hardware_profiles": ["CostSet", "HardwareProfile"],
    "chip_learning": ["Learning", "LearningRule", "pair_stdp"],
    "compiler.compiled": ["CompiledNetwork"],
    "sim_backends.runs.session": ["Session", "State"],
    "sim_backends.runs.recording": ["Recording"],
    "processes.from_lava": ["FromLava", "from_lava"],
    "training.stdp": ["STDPOptions", "train_stdp"],
    "deploy.gate.check": ["CheckResult", "check"],
    "api": [
        "compare",
        "compile",
        "count",
        "quantize",
        "record",
        "report",
        "simulate",
        "simulate_batch",
        "to_lava",
        "verify",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from hrsnn_lava.api import (
        compare,
        compile,
        count,
        quantize,
        record,
        report,
        simulate,
        simulate_batch,
        to_lava,
        verify,
    )
    from hrsnn_lava.chip_learning import Learning, LearningRule, pair_stdp
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.deploy.gate.check import CheckResult, check
    from hrsnn_lava.distributions import Constant, Gamma, LogNormal, Normal, Uniform
    from hrsnn_lava.errors import CapacityError, HrsnnError
    from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
    from hrsnn_lava.hrsnn import build_hrsnn
    from hrsnn_lava.network import LIF, Input, Network, Population, Projection
    from hrsnn_lava.plasticity import STDP
    from hrsnn_lava.processes.from_lava import FromLava, from_lava
    from hrsnn_lava.quantized import (
        QuantizedInput,
        QuantizedNetwork,
        QuantizedPopulation,
        QuantizedProjection,
        SignMode,
    )
    from hrsnn_lava.sim_backends.runs.recording import Recording
    from hrsnn_lava.sim_backends.runs.session import Session, State
    from hrsnn_lava.spec import Spec
    from hrsnn_lava.trace import SpikeInput, Trace
    from hrsnn_lava.training.stdp import STDPOptions, train_stdp

__all__ = [
    "LIF",
    "STDP",
    "CapacityError",
    "CheckResult",
    "CompiledNetwork",
    "Constant",
    "CostSet",
    "FromLava",
    "Gamma",
    "HardwareProfile",
    "HrsnnError",
    "Input",
    "Learning",
    "LearningRule",
    "LogNormal",
    "Network",
    "Normal",
    "Population",
    "Projection",
    "QuantizedInput",
    "QuantizedNetwork",
    "QuantizedPopulation",
    "QuantizedProjection",
    "Recording",
    "STDPOptions",
    "Session",
    "SignMode",
    "Spec",
    "SpikeInput",
    "State",
    "Trace",
    "Uniform",
    "build_hrsnn",
    "check",
    "compare",
    "compile",
    "count",
    "from_lava",
    "pair_stdp",
    "quantize",
    "record",
    "report",
    "simulate",
    "simulate_batch",
    "to_lava",
    "train_stdp",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'hrsnn_lava' has no attribute {name!r}")
    value = getattr(import_module(f"hrsnn_lava.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
