"""The spec: one TOML file that says what to build, train, prune, quantize, place and report.

It composes the options of the parts that do the work and owns almost none itself: ``[quantize]`` is
the options class of that pass, ``[prune]`` has those of the method it names, ``[task]`` those of
its kind. All are strict: an unknown key, a wrong type or a value out of range is an error, and all
errors of a file are reported at once with the key's path, the value and what is allowed.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import types
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from hrsnn_lava import registry
from hrsnn_lava.aftercare_options import (
    AftercareOptions,
    BalanceOptions,
    PortfolioOptions,
    pruning_methods,
)
from hrsnn_lava.arms import arm_tables
from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.budgets.judge import Budget, budgets_of
from hrsnn_lava.compiler.context import Pass
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.passes.lower_stock import LowerStock
from hrsnn_lava.compiler.passes.palette import Palette
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.passes.rescale_time import RescaleTime
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pruning.budget import BUDGETS, Amount, amount_of
from hrsnn_lava.compiler.pruning.loop_options import LoopOptions
from hrsnn_lava.compiler.pruning.rescale import Rescale, RescaleOption
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hrsnn_options import (
    NetworkSpec,
    PositiveShare,
    RuleOptions,
    Section,
    by_type,
    with_model,
)
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import (
    Count,
    NonNegative,
    Number,
    Part,
    Positive,
    Registered,
    options,
    problems_of,
)
from hrsnn_lava.plasticity import Schedule
from hrsnn_lava.search_options import SearchOptions
from hrsnn_lava.surrogate_options import SurrogateOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _budget_key(key: str) -> str:
    try:
        return Budget.of(key, 0).key
    except SpecError as error:
        problem = error.problems[0]
        hint = problem.fix or f"{problem.allowed} ({problem.measured})"
        raise ValueError(f"a known key; {hint}") from None


BudgetKey = Annotated[str, AfterValidator(_budget_key)]
AnyPass = Pass[Any, Any]


@options
class StdpSpec(Schedule, LowerSTDP, RuleOptions):
    """Pair STDP of some projections: on the chip, or in float before pruning, or both.

    Attributes:
        headroom: spikes at once that a 7-bit trace can hold; all there is, since networks of a
            spec fire so fast that traces would saturate otherwise.
        on_chip: lower the rules to integers, so that the compiled program learns.
        train_passes: epochs of float STDP over the training input, before pruning; resets,
            potentials, silence and order are those of this training.
    """

    headroom: Annotated[float, Field(ge=1, le=16)] = 16.0
    on_chip: bool = True
    train_passes: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        RuleOptions.__post_init__(self)
        if not self.on_chip and not self.train_passes:
            raise ValueError("nothing learns: set on_chip = true, or train_passes >= 1")

    @property
    def schedule(self) -> Schedule:
        """How float STDP is shown the samples."""
        schedule: Schedule = _part(Schedule, self)
        return schedule

    @property
    def lowering(self) -> LowerSTDP:
        """The part that `Quantize` needs."""
        lowering: LowerSTDP = _part(LowerSTDP, self)
        return lowering


@options
class BalanceSpec:
    """Rates that neurons are brought to by their biases before anything else happens (ours).

    Networks are compared by what they compute only where they fire alike.

    Attributes:
        rate: mean of the target rates over neurons, spikes per step.
        spread: standard deviation of their logarithm; every neuron has its own.
        passes: over the training input, at most.
        samples: of the training input that a pass shows; by default all.
        after_stdp: bring the rates back once more when float STDP has changed them.
        gain: bias per unit of log ratio at the start, in units of v_threshold; networks of strong
            recurrence ring under large steps.
        limit: largest change of a bias in the first pass, in the same unit.
        growth: factor by which the step of a neuron grows.
    """

    younger: ClassVar[tuple[str, ...]] = ("gain", "limit", "growth")

    rate: Annotated[float, Field(gt=0, lt=1)] = 0.03
    spread: NonNegative = 0.5
    passes: Count = 30
    samples: Count | None = 300
    after_stdp: bool = False
    gain: Positive = BalanceOptions.gain
    limit: Positive = BalanceOptions.limit
    growth: Annotated[float, Field(ge=1)] = BalanceOptions.growth

    @property
    def options(self) -> BalanceOptions:
        """How biases are moved."""
        steps = {"gain": self.gain, "limit": self.limit, "growth": self.growth}
        return BalanceOptions(passes=self.passes, samples=self.samples, **steps)


def _one_of(name: str, allowed: tuple[str, ...]) -> str:
    if name not in allowed:
        raise ValueError(", ".join(allowed))
    return name


def _method(name: str) -> str:
    return _one_of(name, (*pruning_methods(), "none"))


def _control(name: str) -> str:
    return _one_of(name, (*pruning_methods(), "no-recurrence"))


def _drop(value: Any) -> Any:
    """A share stands for the pass that drops so many neurons; 0 for none."""
    if isinstance(value, PruneBetweenness):
        return value.among_scores()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"fraction": value} if value else None
    return value


def _delocalize(value: Any) -> Any:
    """A share stands for the pass that adds so many synapses; 0 for none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"share": value} if value else None
    return value


def _rescale_time(value: Any) -> Any:
    """``true`` stands for the defaults of the pass, ``false`` for none."""
    if isinstance(value, bool):
        return RescaleTime() if value else None
    return value


def _aftercare(value: Any) -> Any:
    """True stands for the options that it has by default, false for none."""
    if isinstance(value, bool):
        return AftercareOptions() if value else None
    return _from_table(AftercareOptions, value)


def _screen(value: Any) -> Any:
    """``portfolio`` stands for the options that it has by default."""
    if isinstance(value, str):
        if value != "portfolio":
            raise ValueError("portfolio, or a table")
        return PortfolioOptions()
    return _from_table(PortfolioOptions, value)


def _from_table(cls: type[Any], value: Any) -> Any:
    """Options from a table, as JSON, in which strict options take a list for a tuple."""
    return TypeAdapter(cls).validate_json(_json(value)) if isinstance(value, Mapping) else value


@options
class PruneSpec:
    """Pruning, its controls, and what follows it; the method's own options stand beside.

    Attributes:
        method: how synapses are chosen, or ``none``.
        density: share of the recurrent synapses that stays, where no budget of SOPs is given.
        sops_per_spike, sop_ratio, sops: see the methods; one of them, for the controls, too.
        rescale: gains of what stays: a mode, a table, or ``auto``, which tries ``none`` and
            ``match`` and keeps what does better on the validation part of the task.
        curve: further budgets, in the same unit, at which the method and its controls are scored,
            for the pruning curve of the report.
        drop_neurons: share of the neurons that is dropped first, those of least betweenness, or a
            table of the options of that pass, such as another score.
        delocalize: share of what the method left that is added after it, step III of LNP, or a
            table of the options of that pass; pruned synapses do not come back.
        homeostasis: bring rates back to the unpruned ones through the biases.
        homeostasis_passes: passes over the training input.
        aftercare: bring rates back by small steps instead, and try smaller recurrent gains where
            spikes stay too many; ``true``, or a table. By default not, unless networks are
            screened.
        loop: prune in iterations, each of what the one before it left; `drop_neurons` is then the
            share that all of them drop together, and rates are brought back as by `aftercare`.
        rescale_time: search the distributions of tau_mem after pruning, in every iteration of a
            loop; ``true``, or a table of the options of that pass. The spec's own method alone.
        screen: prune by several methods, ``"portfolio"`` or a table, and keep the network that is
            best by a criterion without labels; options of the method hold for its own candidates.
        controls: further arms of the comparison: methods, and ``no-recurrence``.
        repeats: seeds that the networks are compared on, the spec's and those that follow it; each
            is a new network, new data and new pruning.
        integers: networks that are compared as programs, too: the ``method`` alone, or ``all``.
    """

    younger: ClassVar[tuple[str, ...]] = (
        "aftercare",
        "delocalize",
        "device",
        "integers",
        "loop",
        "repeats",
        "rescale_time",
        "screen",
        "weights",
    )

    method: Annotated[str, AfterValidator(_method)] = "lyapunov"
    density: PositiveShare = 0.02
    sops_per_spike: Positive | None = None
    sop_ratio: Annotated[float, Field(ge=1)] | None = None
    sops: Positive | None = None
    rescale: Literal["auto"] | RescaleOption = "auto"
    curve: tuple[Positive, ...] = ()
    drop_neurons: Annotated[PruneNeurons | None, BeforeValidator(_drop)] = None
    delocalize: Annotated[Delocalize | None, BeforeValidator(_delocalize)] = None
    homeostasis: bool = True
    homeostasis_passes: Count = 30
    aftercare: Annotated[AftercareOptions | None, BeforeValidator(_aftercare)] = None
    loop: LoopOptions | None = None
    rescale_time: Annotated[RescaleTime | None, BeforeValidator(_rescale_time)] = None
    screen: Annotated[PortfolioOptions | None, BeforeValidator(_screen)] = None
    controls: tuple[Annotated[str, AfterValidator(_control)], ...] = (
        "random",
        "magnitude",
        "no-recurrence",
    )
    repeats: Count = 1
    integers: Literal["method", "all"] = "method"

    def __post_init__(self) -> None:
        """Checks of several options; instead of what the method's own class would check.

        `density` always has a value here, which the other budgets take the place of.

        Raises:
            ValueError: several budgets, a curve beyond what there is, a rescaling that the method
                does not have, or aftercare and screening where rates are not brought back.
        """
        given = [name for name in BUDGETS[1:] if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"budget: {' and '.join(given)}: one of them")
        least, most = {"density": (0.0, 1.0), "sop_ratio": (1.0, math.inf)}.get(
            self.budget.name, (0.0, math.inf)
        )
        if not all(least <= value <= most for value in self.curve):
            raise ValueError(f"curve: values of {self.budget.name}, {least:g} to {most:g}")
        for name in ("aftercare", "screen"):
            if getattr(self, name) is not None and not self.homeostasis:
                raise ValueError(f"{name}: set homeostasis = true, since rates are brought back")
        if self.screen is not None and self.loop is not None:
            raise ValueError("screen: candidates are pruned at once; leave loop out, or screen")
        if self.loop is not None and self.method == "none":
            raise ValueError('loop: nothing is pruned by method = "none"; leave it out')
        if self.screen is not None and self.method == "none":
            raise ValueError('screen: nothing is pruned by method = "none"; leave it out')
        if self.method == "none" or self.rescale == "auto" or self.rescale.mode == "none":
            return
        method = registry.load("pruning", self.method)
        if "rescale" not in _keys(method):
            raise ValueError(f"rescale: {self.method} has none")
        if self.rescale.mode == "inverse" and not getattr(method, "samples", False):
            fix = "none, match or auto"
            raise ValueError(f"rescale: inverse needs probabilities, {self.method} has none: {fix}")

    @property
    def budget(self) -> Amount:
        """What may stay: the budget of SOPs that is given, or the density."""
        return amount_of(self)

    @property
    def way(self) -> str:
        """What is compiled: pruned by the method, or of the ``portfolio`` of a screening."""
        return self.method if self.screen is None else "portfolio"

    @property
    def care(self) -> AftercareOptions | None:
        """How rates are brought back in place of the plain homeostasis; None where it does."""
        unsaid = self.screen is None and (self.loop is None or not self.homeostasis)
        return self.aftercare or (None if unsaid else AftercareOptions())

    @classmethod
    def known_keys(cls) -> dict[str, type[Any]]:
        """Keys of the table, those of every method among them, with a class that has them."""
        tables = (cls, *(prune_table(name) for name in pruning_methods()))
        owners: dict[str, type[Any]] = {}
        for table in tables:
            owners = dict.fromkeys(_keys(table), table) | owners
        return {key: owners[key] for table in tables for key in _keys(table)}

    def step(self, method: str, rescale: str | Rescale, budget: Amount | None = None) -> AnyPass:
        """The pass of a method with a budget, by default the spec's.

        The options that stand in the table are those of the table's own method; a control has its
        defaults. A method that has no rescaling gets none.
        """
        pass_class: Any = registry.load("pruning", method)
        scale = Rescale(rescale) if isinstance(rescale, str) else rescale  # type: ignore[arg-type]
        budget = budget or self.budget
        if budget.name not in _keys(pass_class):
            allowed = f"density, the only budget of {method}"
            problem = Problem(f"prune.{budget.name}", f"{budget.value:g}", allowed)
            raise SpecError("the network cannot be pruned", problems=[problem])
        table: dict[str, Any] = {**budget.table(), "rescale": scale}
        table = {key: value for key, value in table.items() if key in _keys(pass_class)}
        if method == self.method:
            own = [f.name for f in dataclasses.fields(pass_class) if f.name not in table]
            table |= {name: getattr(self, name) for name in own if hasattr(self, name)}
        step: AnyPass = pass_class(**table)
        return step


@cache
def prune_table(method: str) -> type[PruneSpec]:
    """The table of a method: `PruneSpec` with the options of the method beside it."""
    if method not in pruning_methods():
        return PruneSpec
    pass_class = registry.load("pruning", method)
    shared = {*BUDGETS, "rescale"}
    clash = sorted(set(_keys(pass_class)) & set(_keys(PruneSpec)) - shared)
    if clash:
        problem = Problem(f"pruning {method!r}", ", ".join(clash), "names that [prune] has not yet")
        raise SpecError("options of a pruning method", problems=[problem])
    bases = (PruneSpec, pass_class)
    table_class = types.new_class(
        f"Prune_{method}", bases, {}, lambda ns: ns.update(__module__=__name__)
    )
    return options(table_class)


def _prune_table(value: Any, handler: Any) -> Any:
    if isinstance(value, PruneSpec) or not isinstance(value, Mapping):
        return handler(value)
    method = str(value.get("method", PruneSpec.method))
    _check_given(value)
    try:
        return TypeAdapter(prune_table(method)).validate_json(_json(value))
    except ValidationError as error:
        raise _with_owners(error, method) from None


def _check_given(table: Mapping[str, Any]) -> None:
    """A `ValueError` for what the defaults hide: a second budget, a method that nothing uses.

    A density that is the default may not have been said: a canonical spec says it all.
    """
    unsaid = {"density": PruneSpec.density}
    budgets = [name for name in BUDGETS if table.get(name) not in (None, unsaid.get(name))]
    if len(budgets) > 1:
        raise ValueError(f"budget: {' and '.join(budgets)}: one of them")
    screen, method = table.get("screen"), table.get("method")
    if screen is None or method in (None, "none", PruneSpec.method):
        return
    candidates = screen.get("candidates") if isinstance(screen, Mapping) else None
    if candidates is None:
        candidates = PortfolioOptions().candidates
    if method not in candidates:
        known = ", ".join(map(str, candidates))
        raise ValueError(f"method: {method} is no candidate of screen, which has {known}")


def _with_owners(error: ValidationError, method: str) -> ValidationError:
    """The error, saying of another method's option whose it is."""
    details: list[InitErrorDetails] = []
    for item in error.errors(include_url=False):
        detail = InitErrorDetails(
            type=item["type"], loc=item["loc"], input=item["input"], ctx=item.get("ctx", {})
        )
        if item["type"] == "problem":  # one that a part has put into words
            detail["type"] = PydanticCustomError("problem", "{allowed}", item["ctx"])
        key = item["loc"][0] if len(item["loc"]) == 1 else ""
        owners = [m for m in pruning_methods() if key in _keys(prune_table(m))]
        if item["type"] == "unexpected_keyword_argument" and owners:
            text = f"{' or '.join(owners)} as the method, which is {method} here"
            detail["type"] = PydanticCustomError("other_method", text)
        details.append(detail)
    return ValidationError.from_exception_data(error.title, details)


def _keys(table: type[Any]) -> list[str]:
    return [f.name for f in dataclasses.fields(table)]


def _part(cls: type[Any], whole: Any) -> Any:
    """The options of one class out of a table that composes several."""
    return cls(**{f.name: getattr(whole, f.name) for f in dataclasses.fields(cls)})


class CompileSpec(Section):
    """The chip, how many of them, and how many cores of each may be used; by default all."""

    younger: ClassVar[tuple[str, ...]] = ("cores",)

    profile: str = "loihi1"
    chips: Annotated[int, Field(ge=1)] | None = None
    cores: Annotated[int, Field(ge=1)] | None = None


class VerifySpec(Section):
    """Parity check of the compiled program."""

    backends: tuple[Annotated[str, Registered("engine")], ...] = (
        "reference",
        "native",
        "lava",
    )
    steps: Annotated[int, Field(ge=1)] = 1000


class ReportSpec(Section):
    """Prices, and the time that static power is charged for; ``"fastest"``: what the chip needs."""

    cost_set: str = "sanafe_loihi"
    step_time_s: Positive | Literal["fastest"] = 1e-3


_TASK = Part("task", default="lorenz63")


@brief(
    "name",
    "seed",
    "neurons=network.size",
    "task=task.kind",
    "prune=prune.way",
    "chip=compile.profile",
)
class Spec(Section):
    """The whole file."""

    schema_version: Literal[1] = 1
    name: str = "hrsnn"
    seed: Annotated[int, Field(ge=0)] = 0
    network: NetworkSpec = NetworkSpec()
    balance: BalanceSpec | None = None
    stdp: StdpSpec | None = None
    surrogate: SurrogateOptions | None = None
    task: Annotated[Any, _TASK] = Field(default_factory=lambda: _TASK.read({}))
    prune: Annotated[SerializeAsAny[PruneSpec], WrapValidator(_prune_table)] = Field(
        default_factory=lambda: prune_table(PruneSpec.method)()
    )
    quantize: Quantize = Quantize()
    stock_groups: StockGroups | None = None
    lower_stock: LowerStock | None = None
    partition: Partition = Partition()
    palette: Palette = Palette()
    absorb_thresholds: AbsorbThresholds = AbsorbThresholds()
    place: Place = Place()
    compile: CompileSpec = CompileSpec()
    verify: VerifySpec = VerifySpec()
    report: ReportSpec = ReportSpec()
    metrics: tuple[Annotated[Any, Part("metric")], ...] = ()
    budgets: dict[BudgetKey, Number] | None = None
    search: SearchOptions | None = None

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
        if self.stdp is None:
            return self
        delay, table = self.network.connectivity.delay, self.network.input
        ends = [name.split("_") for name in self.stdp.projections]
        late = [pre[0] + post[0] for pre, post in ends if pre != "inp"]
        if self.stdp.on_chip and any(by_type(delay, *pair) > 0 for pair in late):
            raise ValueError(
                "stdp.on_chip: learning connections have no delays; set "
                "network.connectivity.delay = 0, or stdp.on_chip = false"
            )
        if any(pre == "inp" for pre, _ in ends) and (table.target == "bias" or table.graded):
            raise ValueError(
                "stdp.projections: inputs that are held or graded do not learn; set "
                'network.input.target = "synapse" and network.input.graded = false'
            )
        return self

    @model_validator(mode="after")
    def _rounds_alike(self) -> Spec:
        bits = None if self.surrogate is None else self.surrogate.bits
        if bits not in (None, self.quantize.weight_bits):
            chip = self.quantize.weight_bits
            raise ValueError(f"surrogate.bits: quantize.weight_bits = {chip}, as the program has")
        return self

    @field_validator("quantize")
    @classmethod
    def _stdp_has_a_table(cls, step: Quantize) -> Quantize:
        if step.stdp != LowerSTDP():
            raise ValueError("no stdp: its options stand in the table [stdp]")
        return step

    def quantize_pass(self) -> Quantize:
        """The pass that ``[quantize]`` and ``[stdp]`` ask for."""
        lowering = LowerSTDP() if self.stdp is None else self.stdp.lowering
        if lowering.seed is None:
            lowering = dataclasses.replace(lowering, seed=self.seed)
        return dataclasses.replace(self.quantize, stdp=lowering)

    def mapping_passes(self) -> list[AnyPass]:
        """The passes that put the program on its cores, as the spec wants them."""
        optional = [step for step in (self.stock_groups, self.lower_stock) if step is not None]
        return [*optional, self.partition, self.palette, self.absorb_thresholds, self.place]

    @classmethod
    def load(cls, path: Any, overrides: tuple[str, ...] = ()) -> Spec:
        """Read a TOML file; `overrides` are ``a.b.c=VALUE`` with VALUE in TOML.

        Raises:
            SpecError: no such file, no TOML, or any wrong key or value (all of them are named).
        """
        where = Path(os.fspath(path))
        try:
            data = tomllib.loads(decoded(where.read_bytes()))
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
        """Check a dictionary; raises `SpecError` with every problem.

        The values of the model that ``network.model`` names are put under its own.
        """
        try:
            # as JSON, in which strict fields take a table for options and a list for a tuple
            return cls.model_validate_json(_json(with_model(_current_keys(data))))
        except ValidationError as error:
            raise SpecError(f"{where} is not valid", problems=problems_of(error, cls)) from None

    def arm(self, name: str) -> Spec:
        """The spec of an arm, such as ``HeNHoS``; `hrsnn_lava.arms` tells the names.

        Raises:
            SpecError: no such arm, or this spec draws nothing that it could differ in.
        """
        network, stdp = arm_tables(name, self.network, self.stdp)
        return self.model_copy(update={"network": network, "stdp": stdp})

    def canonical(self) -> str:
        """The complete spec as JSON with sorted keys: equal specs give equal text.

        A table that is not asked for is left out, and so is a key of `Section.younger` that has its
        default: what was written before it existed is unchanged.
        Budgets are left out, too: they judge a run and change nothing of it. So is the search,
        which tries other specs.
        """
        # [stdp] says how rules are lowered, and is merged into the pass only when it runs
        hidden: Any = {"budgets": True, "quantize": {"stdp"}, "search": True}
        data = self.model_dump(mode="json", exclude=hidden)
        data = {key: value for key, value in data.items() if value is not None}
        if self.network.model == NetworkSpec.model_fields["model"].default:
            _drop_younger(self.network, data["network"])
        if self.stdp is not None:
            _drop_younger(self.stdp, data["stdp"])
        if self.balance is not None:
            _drop_younger(self.balance, data["balance"])
        _drop_younger(self.prune, data["prune"])
        _drop_younger(self.compile, data["compile"])
        return json.dumps(data, sort_keys=True)


def _drop_younger(table: Any, data: dict[str, Any]) -> None:
    """Take keys of `Section.younger` that have their defaults out of the plain data of a table."""
    if dataclasses.is_dataclass(table):
        defaults = {f.name: f.default for f in dataclasses.fields(table)}
    else:
        defaults = {key: field.default for key, field in type(table).model_fields.items()}
    for key, default in defaults.items():
        value = getattr(table, key)
        if hasattr(value, "younger") and isinstance(data[key], dict):
            _drop_younger(value, data[key])
        elif key in table.younger and value == default:
            del data[key]


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


#: Keys that stood elsewhere before: old path, new path.
_MOVED = (
    (("compile", "neurons_per_core"), ("partition", "neurons_per_core")),
    (("compile", "absorb_thresholds"), ("absorb_thresholds", "enabled")),
    (("stdp", "tolerance"), ("stdp", "max_error")),
    (("prune", "mode"), ("prune", "exponents")),
    (("prune", "sop_share"), ("prune", "sop_ratio")),
)


def _current_keys(data: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with every key where it stands now; warns (`FutureWarning`) of old places."""
    tables = {k: dict(v) if isinstance(v, Mapping) else v for k, v in data.items()}
    for (old, name), (new, key) in _MOVED:
        table = tables.get(old)
        if not isinstance(table, dict) or name not in table:
            continue
        target = tables.setdefault(new, {})
        if not isinstance(target, dict) or key in target:
            continue  # both spellings: the old one is refused as unknown
        value = table.pop(name)
        if name == "sop_share" and isinstance(value, float | int) and value > 0:
            value = 1.0 / value
        target[key] = value
        warnings.warn(f"spec: {old}.{name} is called {new}.{key} now", FutureWarning, stacklevel=4)
    return tables


def _json(value: Any) -> str:
    """Plain values as JSON; NumPy's scalars as Python's, dates as text."""
    return json.dumps(value, default=lambda v: v.item() if hasattr(v, "item") else str(v))
