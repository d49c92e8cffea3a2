"""Options of the networks that `hrsnn_lava.hrsnn` builds: the ``[network]`` table of a spec.

Every neuron and synapse parameter is a number, the same for all, or a distribution from which each
neuron or synapse draws its own. Defaults that the papers do not state are ours; ``docs/spec.md``
says which.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hrsnn_lava import distributions as dist
from hrsnn_lava.options import NonNegative, Number, Positive, options

PositiveShare = Annotated[float, Field(gt=0, le=1)]
Synapses = Literal["exc_exc", "exc_inh", "inh_exc", "inh_inh"]


class Section(BaseModel):
    """Base of all tables: strict, frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Clipped(Section):
    low: Number | None = None
    high: Number | None = None
    exact_mean: bool = False

    def clip(self) -> dist.Clip:
        """Bounds as the distributions take them."""
        return dist.Clip(self.low, self.high, self.exact_mean)


class GammaSpec(_Clipped):
    """``{distribution = "gamma", shape = 3.0, mean = 0.01, low = 0.003, high = 0.1}``"""

    distribution: Literal["gamma"]
    shape: Positive
    mean: Positive

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Gamma(self.shape, self.mean, self.clip())


class LogNormalSpec(_Clipped):
    """``{distribution = "lognormal", mean = 0.02, sigma = 0.5}``"""

    distribution: Literal["lognormal"]
    mean: Positive
    sigma: NonNegative

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.LogNormal(self.mean, self.sigma, self.clip())


class NormalSpec(_Clipped):
    """``{distribution = "normal", mean = 1.0, std = 0.1, low = 0.5, high = 1.5}``"""

    distribution: Literal["normal"]
    mean: Number
    std: Positive

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Normal(self.mean, self.std, self.clip())


class UniformSpec(Section):
    """``{distribution = "uniform", low = 0.1, high = 2.1}``"""

    distribution: Literal["uniform"]
    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> UniformSpec:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    def build(self) -> dist.Distribution:
        """The distribution."""
        return dist.Uniform(self.low, self.high)


AnyTable = Annotated[
    Union[GammaSpec, LogNormalSpec, NormalSpec, UniformSpec],  # noqa: UP007 - pydantic on 3.10
    Field(discriminator="distribution"),
]


def distribution(value: float | GammaSpec | LogNormalSpec | NormalSpec | UniformSpec) -> Any:
    """A number becomes a `Constant`, a table its distribution."""
    return dist.Constant(float(value)) if isinstance(value, (int, float)) else value.build()


def _reaches_zero(value: Any, *, allowed: bool) -> bool:
    """True when a distribution can give negative values, or 0 where that is not `allowed`."""
    if not isinstance(value, (NormalSpec, UniformSpec)):
        return False
    return value.low is None or value.low < 0 or (value.low == 0 and not allowed)


class NeuronSpec(Section):
    """Neuron parameters of one type, each a number or a distribution; times in seconds."""

    tau_mem: Positive | AnyTable = GammaSpec(
        distribution="gamma", shape=3.0, mean=0.010, low=0.003, high=0.100
    )
    tau_syn: NonNegative | AnyTable = 0.020
    v_threshold: Positive | AnyTable = NormalSpec(
        distribution="normal", mean=1.0, std=0.1, low=0.5, high=1.5
    )
    bias: Number | AnyTable = UniformSpec(distribution="uniform", low=0.1, high=2.1)
    refractory: NonNegative | AnyTable = 0.0

    @model_validator(mode="after")
    def _positive(self) -> NeuronSpec:
        for field in ("tau_mem", "v_threshold"):
            if _reaches_zero(getattr(self, field), allowed=False):
                raise ValueError(f"{field} must stay positive: set low > 0 in its distribution")
        for field in ("tau_syn", "refractory"):
            if _reaches_zero(getattr(self, field), allowed=True):
                raise ValueError(f"{field} must not be negative: set low >= 0 in its distribution")
        return self


class InhibitorySpec(NeuronSpec):
    """The same for inhibitory neurons, which are faster by default."""

    tau_mem: Positive | AnyTable = GammaSpec(
        distribution="gamma", shape=3.0, mean=0.005, low=0.003, high=0.100
    )


class NeuronsSpec(Section):
    """Excitatory and inhibitory neurons have their own distributions."""

    excitatory: NeuronSpec = NeuronSpec()
    inhibitory: InhibitorySpec = InhibitorySpec()


class ConnectionFactors(Section):
    """C of the connection probability; the first letter is the presynaptic type."""

    ee: PositiveShare = 0.3
    ei: PositiveShare = 0.2
    ie: PositiveShare = 0.4
    ii: PositiveShare = 0.1


class ConnectivitySpec(Section):
    """``P = C exp(-(D / length)^2)``; `length` is found from `mean_degree` when not given.

    `clusters` > 1 builds a CHRSNN: neurons of one cluster connect `cluster_ratio` times as
    likely as others (our reading; the papers do not define it).
    """

    c: ConnectionFactors = ConnectionFactors()
    length: Positive | None = None
    mean_degree: Positive | None = 100.0
    clusters: Annotated[int, Field(ge=1)] = 1
    cluster_ratio: Annotated[float, Field(ge=1)] = 8.0
    gain: NonNegative = 0.2
    inhibitory_factor: NonNegative = 4.0
    weight: Positive | AnyTable = GammaSpec(distribution="gamma", shape=2.0, mean=1.0)
    delay: NonNegative = 0.0


class InputSpec(Section):
    """The input population and its projection to a random share of the neurons."""

    share: PositiveShare = 1.0
    weight: Number | AnyTable = UniformSpec(distribution="uniform", low=-2.0, high=2.0)
    target: Literal["bias", "synapse"] = "bias"


class NetworkSpec(Section):
    """An HRSNN: excitatory and inhibitory LIF neurons in space."""

    size: Annotated[int, Field(ge=2)] = 1000
    excitatory: Annotated[float, Field(gt=0, lt=1)] = 0.8
    dt: Positive = 1e-3
    neurons: NeuronsSpec = NeuronsSpec()
    connectivity: ConnectivitySpec = ConnectivitySpec()
    input: InputSpec = InputSpec()


@options
class RuleOptions:
    """Pair STDP of some projections, each synapse by a rule of its own.

    The defaults are those of `hrsnn_lava.training.stdp`; the papers give none.

    Attributes:
        projections: that learn; an inhibitory weight learns by its magnitude.
        a_plus: amplitude of potentiation, for each synapse; in units of `w_max`.
        a_minus: amplitude of depression, in units of `w_max`.
        tau_plus: time constant of the presynaptic trace, seconds.
        tau_minus: time constant of the postsynaptic trace, seconds.
        w_max: largest magnitude of a weight, in mean weights of the projection.
    """

    projections: Annotated[tuple[Synapses, ...], Field(min_length=1)] = ("exc_exc",)
    a_plus: NonNegative | AnyTable = 0.002
    a_minus: NonNegative | AnyTable = 0.0021
    tau_plus: Positive | AnyTable = 0.020
    tau_minus: Positive | AnyTable = 0.020
    w_max: Positive = 3.0

    def __post_init__(self) -> None:
        for name in ("tau_plus", "tau_minus"):
            if _reaches_zero(getattr(self, name), allowed=False):
                raise ValueError(f"{name} must stay positive: set low > 0 in its distribution")
        for name in ("a_plus", "a_minus"):
            if _reaches_zero(getattr(self, name), allowed=True):
                raise ValueError(f"{name} must not be negative: set low >= 0 in its distribution")
        if len(set(self.projections)) < len(self.projections):
            raise ValueError("projections: each name once")
