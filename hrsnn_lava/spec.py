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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hrsnn_lava import distributions as dist
from hrsnn_lava.errors import Problem, SpecError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


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
            value = getattr(self, field)
            low = getattr(value, "low", None)
            if isinstance(value, (NormalSpec, UniformSpec)) and (low is None or low <= 0):
                raise ValueError(f"{field} must stay positive: set low > 0 in its distribution")
        for field in ("tau_syn", "refractory"):
            value = getattr(self, field)
            low = getattr(value, "low", None)
            if isinstance(value, (NormalSpec, UniformSpec)) and (low is None or low < 0):
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


class PruneSpec(Section):
    """Lyapunov Noise Pruning, or a control, and what follows it.

    ``rescale = "auto"`` tries ``none`` and ``match`` and keeps what forecasts better inside the
    training samples: which one is right depends on whether the task needs the recurrence.
    """

    method: Literal["lyapunov", "random", "magnitude", "activity", "none"] = "lyapunov"
    density: Share = 0.02
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
    """Integers of the chip."""

    weight_bits: Annotated[int, Field(ge=1, le=8)] = 8


class CompileSpec(Section):
    """The chip and the mapping."""

    profile: str = "loihi1"
    neurons_per_core: Annotated[int, Field(ge=1)] | None = None


class VerifySpec(Section):
    """Parity check of the compiled program."""

    backends: list[Literal["reference", "native", "lava"]] = ["reference", "native", "lava"]
    steps: Annotated[int, Field(ge=1)] = 1000


class ReportSpec(Section):
    """Prices and the time that static power is charged for."""

    cost_set: str = "sanafe_loihi"
    step_time_s: Positive = 1e-3


class Spec(Section):
    """The whole file."""

    schema_version: Literal[1] = 1
    name: str = "hrsnn"
    seed: Annotated[int, Field(ge=0)] = 0
    network: NetworkSpec = NetworkSpec()
    task: TaskSpec = TaskSpec()
    prune: PruneSpec = PruneSpec()
    quantize: QuantizeSpec = QuantizeSpec()
    compile: CompileSpec = CompileSpec()
    verify: VerifySpec = VerifySpec()
    report: ReportSpec = ReportSpec()

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
            raise SpecError(f"{where} is not valid", problems=_problems(error)) from None

    def canonical(self) -> str:
        """The complete spec as JSON with sorted keys: equal specs give equal text."""
        return json.dumps(self.model_dump(), sort_keys=True)


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


#: pydantic's technical path segments, which say nothing to a user
_UNION_TAGS = {"float", "int", "gamma", "lognormal", "normal", "uniform", "constrained-float"}


def _problems(error: ValidationError) -> list[Problem]:
    merged: dict[str, Problem] = {}
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        plain = [p for i, p in enumerate(location) if i == 0 or not _is_tag(p)]
        where = ".".join(plain) or "spec"
        value = item.get("input")
        shown = "a table" if isinstance(value, dict) else repr(value)
        if item["type"] == "union_tag_invalid":
            where, shown = f"{where}.distribution", repr(item["ctx"]["tag"])
        if item["type"] == "extra_forbidden":
            problem = Problem(where, "unknown key", _known_keys(location))
        elif item["type"] == "missing":
            problem = Problem(where, "missing", "required here")
        else:
            problem = Problem(where, shown, _allowed(item))
        if where in merged:  # branches of one union: say what each of them allows
            before = merged[where]
            if problem.allowed not in before.allowed:
                problem = Problem(where, before.measured, f"{before.allowed}, or {problem.allowed}")
            else:
                problem = before
        merged[where] = problem
    # "a number was allowed too" says nothing once the table itself has named faults
    return [
        problem
        for where, problem in merged.items()
        if problem.measured != "a table" or not any(w.startswith(f"{where}.") for w in merged)
    ]


def _is_tag(part: str) -> bool:
    return part in _UNION_TAGS or part.startswith(("tagged-union", "function-", "constrained"))


def _allowed(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    bounds = {
        "greater_than": ("> {}", "gt"),
        "greater_than_equal": (">= {}", "ge"),
        "less_than": ("< {}", "lt"),
        "less_than_equal": ("<= {}", "le"),
    }
    if kind in bounds:
        text, key = bounds[kind]
        return text.format(context[key])
    if kind == "union_tag_invalid":
        return str(context["expected_tags"])
    if kind == "literal_error":
        return str(context["expected"])
    names = {
        "float_type": "a number",
        "int_type": "an integer",
        "bool_type": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "model_type": "a table",
        "model_attributes_type": "a distribution table",
        "finite_number": "a finite number",
        "union_tag_not_found": 'a table with distribution = "gamma|lognormal|normal|uniform"',
    }
    text = names.get(kind, str(item["msg"]))
    return text.removeprefix("Value error, ")


def _known_keys(location: list[str]) -> str:
    tables = {
        "gamma": GammaSpec,
        "lognormal": LogNormalSpec,
        "normal": NormalSpec,
        "uniform": UniformSpec,
    }
    model: Any = Spec
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field is not None else tables.get(part, model)
    fields = getattr(model, "model_fields", None)
    return "one of " + ", ".join(fields) if fields else "the documented keys"
