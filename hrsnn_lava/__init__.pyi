"""Public names and where they live: the only list of them.

`hrsnn_lava/__init__.py` loads a name on its first use; type checkers read this file.
"""

from .api import (
    compare as compare,
)
from .api import (
    compare_float as compare_float,
)
from .api import (
    compile as compile,
)
from .api import (
    count as count,
)
from .api import (
    quantize as quantize,
)
from .api import (
    record as record,
)
from .api import (
    report as report,
)
from .api import (
    simulate as simulate,
)
from .api import (
    simulate_batch as simulate_batch,
)
from .api import (
    to_lava as to_lava,
)
from .api import (
    verify as verify,
)
from .arms import homogeneous_arm as homogeneous_arm
from .chip_learning import (
    Learning as Learning,
)
from .chip_learning import (
    LearningRule as LearningRule,
)
from .chip_learning import (
    pair_stdp as pair_stdp,
)
from .compiler.compiled import CompiledNetwork as CompiledNetwork
from .compiler.context import Context as Context
from .compiler.context import Observed as Observed
from .compiler.context import Pass as Pass
from .compiler.pipeline import Pipeline as Pipeline
from .deploy.gate.check import CheckResult as CheckResult
from .deploy.gate.check import check as check
from .deploy.interchange.from_netx import from_netx as from_netx
from .deploy.interchange.from_nir import from_nir as from_nir
from .deploy.interchange.to_netx import to_netx as to_netx
from .deploy.interchange.to_nir import to_nir as to_nir
from .distributions import (
    Constant as Constant,
)
from .distributions import (
    Discrete as Discrete,
)
from .distributions import (
    Exponential as Exponential,
)
from .distributions import (
    Gamma as Gamma,
)
from .distributions import (
    LogNormal as LogNormal,
)
from .distributions import (
    Normal as Normal,
)
from .distributions import (
    Uniform as Uniform,
)
from .errors import CapacityError as CapacityError
from .errors import HrsnnError as HrsnnError
from .estimators.classifier import ReservoirClassifier as ReservoirClassifier
from .estimators.compiled_classifier import CompiledClassifier as CompiledClassifier
from .estimators.compiled_forecaster import CompiledForecaster as CompiledForecaster
from .estimators.forecaster import ReservoirForecaster as ReservoirForecaster
from .findings import Finding as Finding
from .findings import FindingWarning as FindingWarning
from .hardware_profiles import CostSet as CostSet
from .hardware_profiles import HardwareProfile as HardwareProfile
from .hrsnn import build_hrsnn as build_hrsnn
from .metrics.base import Metric as Metric
from .metrics.base import metric as metric
from .metrics.paired import PairedComparisons as PairedComparisons
from .metrics.paired import PairedDifference as PairedDifference
from .metrics.paired import compare_arms as compare_arms
from .metrics.paired import paired_difference as paired_difference
from .metrics.scores import Score as Score
from .metrics.scores import Scores as Scores
from .metrics.shapley import Importance as Importance
from .metrics.shapley import shapley as shapley
from .network import (
    LIF as LIF,
)
from .network import (
    Input as Input,
)
from .network import (
    Network as Network,
)
from .network import (
    Population as Population,
)
from .network import (
    Projection as Projection,
)
from .plasticity import STDP as STDP
from .processes.from_lava import FromLava as FromLava
from .processes.from_lava import from_lava as from_lava
from .quantized import (
    QuantizedInput as QuantizedInput,
)
from .quantized import (
    QuantizedNetwork as QuantizedNetwork,
)
from .quantized import (
    QuantizedPopulation as QuantizedPopulation,
)
from .quantized import (
    QuantizedProjection as QuantizedProjection,
)
from .quantized import (
    SignMode as SignMode,
)
from .sim_backends.runs.recording import Recording as Recording
from .sim_backends.runs.session import Session as Session
from .sim_backends.runs.session import State as State
from .spec import Spec as Spec
from .surrogate_options import SurrogateOptions as SurrogateOptions
from .third_factor import ThirdFactor as ThirdFactor
from .trace import SpikeInput as SpikeInput
from .trace import Trace as Trace
from .training.balance import balance as balance
from .training.chip_stdp import train_on_chip as train_on_chip
from .training.controls import stdp_controls as stdp_controls
from .training.simulation import measure_rates as measure_rates
from .training.stdp import STDPOptions as STDPOptions
from .training.stdp import train_stdp as train_stdp
from .training.surrogate import train_surrogate as train_surrogate

__version__: str
