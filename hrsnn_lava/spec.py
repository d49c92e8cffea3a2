"""The spec: one TOML file that says what to build, train, prune, quantize, place and report.

Models are strict: an unknown key, a wrong type or a value out of range is an error, and all
errors of a file are reported at once with the key's path, the value and what is allowed.
Defaults that the papers do not state are ours; `docs/decisions.md` says where they come from.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from hrsnn_lava import distributions as dist
from hrsnn_lava.budgets.judge import Budget, budgets_of
from hrsnn_lava.errors import SpecError
from hrsnn_lava.spec_problems import problems_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


def _budget_key(key: str) -> str:
    try:
        return Budget.of(key, 0).key
    except SpecError as error:
        problem = error.problems[0]
        hint = problem.fix or f"{problem.allowed} ({problem.measured})"
        raise ValueError(f"a known key; {hint}") from None


BudgetKey = Annotated[str, AfterValidator(_budget_key)]


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

    ee: Share = 0.3
    ei: Share = 0.2
    ie: Share = 0.4
    ii: Share = 0.1


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

    share: Share = 1.0
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


class TaskSpec(Section):
    """Lorenz-63 forecasting: train on the first samples, forecast the next in closed loop.

    ``readout = "quadratic"`` lets the readout, which is off the chip, use products of the values
    that it decodes from the spikes; ``"linear"`` sums features alone. Our choice.
    """

    kind: Literal["lorenz63"] = "lorenz63"
    dt: Positive = 0.02
    train: Annotated[int, Field(ge=250)] = 500
    horizon: Annotated[int, Field(ge=1)] = 100
    starts: Annotated[int, Field(ge=1)] = 3
    steps_per_sample: Annotated[int, Field(ge=1)] = 20
    washout: Annotated[int, Field(ge=0)] = 50
    replays: Annotated[int, Field(ge=1)] = 2
    trace_samples: Annotated[list[Positive], Field(min_length=1)] = [3.0, 1.5]
    readout: Literal["quadratic", "linear"] = "quadratic"


class StdpSpec(Section):
    """Pair STDP of some projections: on the chip, or in float before pruning, or both.

    Amplitudes are in units of `w_max`, and `w_max` in mean weights of the projection. The defaults
    are those of `hrsnn_lava.training.stdp`; the papers give none. The traces have all the headroom
    there is, since networks of a spec fire so fast that they would saturate otherwise.
    """

    projections: Annotated[
        list[Literal["exc_exc", "exc_inh", "inh_exc", "inh_inh"]], Field(min_length=1)
    ] = ["exc_exc"]
    a_plus: NonNegative | AnyTable = 0.002
    a_minus: NonNegative | AnyTable = 0.0021
    tau_plus: Positive | AnyTable = 0.020
    tau_minus: Positive | AnyTable = 0.020
    w_max: Positive = 3.0
    on_chip: bool = True
    train_passes: Annotated[int, Field(ge=0)] = 0
    max_profiles: Annotated[int, Field(ge=1)] | None = None
    max_error: NonNegative = 0.05
    amplitudes: Literal["auto", "tags", "profiles"] = "auto"
    match: Literal["area", "peak"] = "area"
    headroom: Annotated[float, Field(ge=1, le=16)] = 16.0
    t_epoch: Annotated[int, Field(ge=1, le=63)] = 1

    @model_validator(mode="after")
    def _sensible(self) -> StdpSpec:
        for field in ("tau_plus", "tau_minus"):
            if _reaches_zero(getattr(self, field), allowed=False):
                raise ValueError(f"{field} must stay positive: set low > 0 in its distribution")
        for field in ("a_plus", "a_minus"):
            if _reaches_zero(getattr(self, field), allowed=True):
                raise ValueError(f"{field} must not be negative: set low >= 0 in its distribution")
        if len(set(self.projections)) < len(self.projections):
            raise ValueError("projections: each name once")
        if not self.on_chip and not self.train_passes:
            raise ValueError("nothing learns: set on_chip = true, or train_passes >= 1")
        return self


class PruneSpec(Section):
    """Lyapunov Noise Pruning, or a control, and what follows it.

    ``rescale = "auto"`` tries ``none`` and ``match`` and keeps what forecasts better inside the
    training samples: which one is right depends on whether the task needs the recurrence.
    `curve` are further densities, at which the method and its controls are scored for the
    pruning curve of the report.
    """

    method: Literal["lyapunov", "random", "magnitude", "activity", "none"] = "lyapunov"
    density: Share = 0.02
    curve: list[Share] = []
    score: Literal["lyapunov", "weight", "product"] = "lyapunov"
    exponents: Literal["isolated", "participation"] = "isolated"
    rescale: Literal["auto", "none", "inverse", "match"] = "auto"
    drop_neurons: Annotated[float, Field(ge=0, lt=1)] = 0.0
    homeostasis: bool = True
    homeostasis_passes: Annotated[int, Field(ge=1)] = 30
    controls: list[Literal["random", "magnitude", "no-recurrence"]] = [
        "random",
        "magnitude",
        "no-recurrence",
    ]


class QuantizeSpec(Section):
    """Integers of the chip.

    `scaling` names an option of `hrsnn_lava.compiler.quantization.scaling`, such as
    ``percentile:99.5``;
    `headroom` says how the synaptic current is kept from wrapping, see
    `hrsnn_lava.compiler.quantization.headroom`. The task's own training input is the run that
    rates and currents are taken from.
    """

    weight_bits: Annotated[int, Field(ge=1, le=8)] = 8
    scaling: str = "max"
    headroom: Literal["auto", "worst_case", "measured", "none"] = "auto"
    margin: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    input_range: Positive = 4.0


class CompileSpec(Section):
    """The chip and the mapping."""

    profile: str = "loihi1"
    chips: Annotated[int, Field(ge=1)] | None = None
    neurons_per_core: Annotated[int, Field(ge=1)] | None = None
    absorb_thresholds: bool = True


class VerifySpec(Section):
    """Parity check of the compiled program."""

    backends: list[Literal["reference", "native", "lava"]] = ["reference", "native", "lava"]
    steps: Annotated[int, Field(ge=1)] = 1000


class ReportSpec(Section):
    """Prices, and the time that static power is charged for; ``"fastest"``: what the chip needs."""

    cost_set: str = "sanafe_loihi"
    step_time_s: Positive | Literal["fastest"] = 1e-3


class Spec(Section):
    """The whole file."""

    schema_version: Literal[1] = 1
    name: str = "hrsnn"
    seed: Annotated[int, Field(ge=0)] = 0
    network: NetworkSpec = NetworkSpec()
    stdp: StdpSpec | None = None
    task: TaskSpec = TaskSpec()
    prune: PruneSpec = PruneSpec()
    quantize: QuantizeSpec = QuantizeSpec()
    compile: CompileSpec = CompileSpec()
    verify: VerifySpec = VerifySpec()
    report: ReportSpec = ReportSpec()
    budgets: dict[BudgetKey, Number] | None = None

    @field_validator("budgets")
    @classmethod
    def _in_range(cls, table: dict[str, float] | None) -> dict[str, float] | None:
        try:
            budgets_of(table or {})
        except SpecError as error:
            raise ValueError("; ".join(str(problem) for problem in error.problems)) from None
        return table

    @model_validator(mode="after")
    def _learns(self) -> Spec:
        if self.stdp is not None and self.stdp.on_chip and self.network.connectivity.delay > 0:
            raise ValueError(
                "stdp.on_chip: learning connections have no delays; set "
                "network.connectivity.delay = 0, or stdp.on_chip = false"
            )
        return self

    @classmethod
    def load(cls, path: Any, overrides: tuple[str, ...] = ()) -> Spec:
        """Read a TOML file; `overrides` are ``a.b.c=VALUE`` with VALUE in TOML.

        Raises:
            SpecError: no such file, no TOML, or any wrong key or value (all of them are named).
        """
        where = Path(os.fspath(path))
        try:
            data = tomllib.loads(where.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpecError(f"{where}: no such spec file") from None
        except OSError as error:
            raise SpecError(f"{where}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"{where}: not valid TOML: {error}") from error
        for override in overrides:
            _set(data, override)
        return cls.parse(data, str(where))

    @classmethod
    def parse(cls, data: dict[str, Any], where: str = "spec") -> Spec:
        """Check a dictionary; raises `SpecError` with every problem."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise SpecError(f"{where} is not valid", problems=problems_of(error, cls)) from None

    def canonical(self) -> str:
        """The complete spec as JSON with sorted keys: equal specs give equal text.

        A table that is not asked for is left out: what was written before it existed is unchanged.
        Budgets are left out, too: they judge a run and change nothing of it.
        """
        data = self.model_dump(exclude={"budgets"})
        if self.stdp is None:
            del data["stdp"]
        return json.dumps(data, sort_keys=True)


def _set(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    path = key.strip().split(".")
    if not separator or not all(path):
        raise SpecError(f"--set {override!r}: expected KEY=VALUE, such as prune.density=0.05")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table = data
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise SpecError(f"--set {override!r}: {part!r} is not a table")
        table = inner
    table[path[-1]] = value
