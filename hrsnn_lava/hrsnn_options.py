"""Options of the networks that `hrsnn_lava.hrsnn` builds: the ``[network]`` table of a spec.

Every neuron and synapse parameter is a number, the same for all, or a distribution from which each
neuron or synapse draws its own. Defaults that the papers do not state are ours; ``docs/spec.md``
says which, and ``docs/models.md`` tells models and arms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from hrsnn_lava import models, registry
from hrsnn_lava.distribution_options import (
    AnyTable,
    GammaSpec,
    NormalSpec,
    Section,
    UniformSpec,
    at_least_zero,
    distribution,
    lowest,
    positive,
)
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import (
    Count,
    NonNegative,
    Number,
    Positive,
    Registered,
    options,
    problems_of,
    read_options,
)
from hrsnn_lava.resets import Reset

__all__ = [
    "TYPES",
    "ConnectionFactors",
    "ConnectivitySpec",
    "InputSpec",
    "NetworkSpec",
    "NeuronField",
    "NeuronSpec",
    "PositiveShare",
    "RuleField",
    "RuleOptions",
    "Section",
    "Synapse",
    "by_type",
    "distribution",
]

PositiveShare = Annotated[float, Field(gt=0, le=1)]
Synapses = Literal["exc_exc", "exc_inh", "inh_exc", "inh_inh", "inp_exc", "inp_inh"]


NeuronField = Literal["tau_mem", "tau_syn", "v_threshold", "bias", "refractory"]
RuleField = Literal["a_plus", "a_minus", "tau_plus", "tau_minus"]
#: How a weight becomes a current, see `ConnectivitySpec`.
Synapse = Literal["current", "charge"]


class NeuronSpec(Section):
    """Neuron parameters of one type, each a number or a distribution; times in seconds.

    `reset` is one for all of them, see `hrsnn_lava.resets`.
    """

    younger: ClassVar[tuple[str, ...]] = ("reset",)

    tau_mem: Positive | AnyTable = GammaSpec(
        distribution="gamma", shape=3.0, mean=0.010, low=0.003, high=0.100
    )
    tau_syn: NonNegative | AnyTable = 0.020
    v_threshold: Positive | AnyTable = NormalSpec(
        distribution="normal", mean=1.0, std=0.1, low=0.5, high=1.5
    )
    bias: Number | AnyTable = UniformSpec(distribution="uniform", low=0.1, high=2.1)
    refractory: NonNegative | AnyTable = 0.0
    reset: Reset = "zero"

    @model_validator(mode="after")
    def _positive(self) -> NeuronSpec:
        for field in ("tau_mem", "v_threshold"):
            positive(field, getattr(self, field))
        for field in ("tau_syn", "refractory"):
            at_least_zero(field, getattr(self, field))
        if self.reset != "zero" and self.refractory != 0.0:
            raise ValueError(f'refractory: 0 with reset = "{self.reset}", which holds nothing at 0')
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


def _form(value: Any) -> str:
    """What a field is given as that takes a number, a distribution or a table by type."""
    if isinstance(value, Mapping):
        return "distribution" if "distribution" in value else "types"
    if isinstance(value, (WeightsByType, DelaysByType)):
        return "types"
    return "distribution" if isinstance(value, Section) else "number"


class WeightsByType(Section):
    """Magnitudes of weights by the types of both ends; the first letter is the presynaptic."""

    ee: Positive | AnyTable
    ei: Positive | AnyTable
    ie: Positive | AnyTable
    ii: Positive | AnyTable


class DelaysByType(Section):
    """Delays in seconds by the types of both ends; the first letter is the presynaptic."""

    ee: NonNegative
    ei: NonNegative
    ie: NonNegative
    ii: NonNegative


Weights = Annotated[
    Union[  # noqa: UP007 - pydantic on 3.10
        Annotated[Positive, Tag("number")],
        Annotated[AnyTable, Tag("distribution")],
        Annotated[WeightsByType, Tag("types")],
    ],
    Discriminator(_form),
]
Delays = Annotated[
    Union[  # noqa: UP007 - pydantic on 3.10
        Annotated[NonNegative, Tag("number")], Annotated[DelaysByType, Tag("types")]
    ],
    Discriminator(lambda value: "number" if _form(value) == "number" else "types"),
]
#: Presynaptic and postsynaptic type of the four kinds of synapses.
TYPES = ("ee", "ei", "ie", "ii")


def by_type(value: Any, pre: str, post: str) -> Any:
    """What holds for synapses from `pre` to `post`, of a value for all or a table by type."""
    if isinstance(value, (WeightsByType, DelaysByType, ConnectionFactors)):
        return getattr(value, pre[0] + post[0])
    return value


class ConnectivitySpec(Section):
    """``P = C exp(-(D / length)^2)``; `length` is found from `mean_degree` when not given.

    `clusters` > 1 builds a CHRSNN: neurons of one cluster connect `cluster_ratio` times as
    likely as others (our reading; the papers do not define it).

    With `synapse` = ``"current"`` a spike raises the current by its weight,
    ``i[t] = alpha i[t-1] + w``, so a neuron with a longer tau_syn gets more of every spike. With
    ``"charge"`` it is ``i[t] = alpha i[t-1] + (1 - alpha) w``, ``alpha = exp(-dt / tau_syn)`` of
    the postsynaptic neuron: the current that a spike causes has the sum w over all steps, whatever
    tau_syn is, and w is the stationary current of one spike in every step.
    """

    younger: ClassVar[tuple[str, ...]] = ("normalise", "synapse")

    c: ConnectionFactors = ConnectionFactors()
    length: Positive | None = None
    mean_degree: Positive | None = 100.0
    clusters: Annotated[int, Field(ge=1)] = 1
    cluster_ratio: Annotated[float, Field(ge=1)] = 8.0
    gain: NonNegative = 0.2
    normalise: bool = True
    inhibitory_factor: NonNegative = 4.0
    weight: Weights = GammaSpec(distribution="gamma", shape=2.0, mean=1.0)
    synapse: Synapse = "current"
    delay: Delays = 0.0


#: Weights of held values, and those of spikes, where a spec says none (ours).
HELD_WEIGHT = UniformSpec(distribution="uniform", low=-2.0, high=2.0)
SPIKE_WEIGHT = GammaSpec(distribution="gamma", shape=2.0, mean=0.2)


class InputSpec(Section):
    """The input population and its projections to a random share of the neurons.

    Every channel reaches each of these neurons, unless `fan_in` or `fan_out` says how many. An
    integer is a number of channels or neurons, a number with a point a share of all.

    `graded`: whether channels carry values. Not set, they do, unless the channels are sparse
    (`fan_in`, `fan_out`) and `target` is ``"synapse"``; `run` lets the task decide for dense ones.
    The weights of plain spikes are positive, where none are given, and their population is
    excitatory as long as no weight can be below 0.
    """

    younger: ClassVar[tuple[str, ...]] = (
        "fan_in",
        "fan_out",
        "weight_inhibitory",
        "normalise",
        "synapse",
        "graded",
    )

    share: PositiveShare = 1.0
    fan_in: Count | PositiveShare | None = None
    fan_out: Count | PositiveShare | None = None
    weight: Number | AnyTable = HELD_WEIGHT
    weight_inhibitory: Number | AnyTable | None = None
    normalise: bool = False
    target: Literal["bias", "synapse"] = "bias"
    synapse: Synapse = "current"
    graded: bool | None = None

    @property
    def sparse(self) -> bool:
        """Whether a channel reaches some of the neurons alone."""
        return self.fan_in is not None or self.fan_out is not None

    @property
    def carries_values(self) -> bool:
        """Whether channels are graded, or held; plain spikes otherwise."""
        if self.graded is None:
            return self.target == "bias" or not self.sparse
        return self.graded

    @property
    def excitatory(self) -> bool:
        """Whether no weight can be below 0."""
        low = lowest(self.weight)
        other = low if self.weight_inhibitory is None else lowest(self.weight_inhibitory)
        return min(low, other) >= 0

    @model_validator(mode="after")
    def _consistent(self) -> InputSpec:
        if self.fan_in is not None and self.fan_out is not None:
            raise ValueError("fan_in or fan_out, not both")
        if self.target == "bias" and self.graded is False:
            raise ValueError('graded = false with target = "synapse": held values are no spikes')
        if self.target == "bias" and self.synapse == "charge":
            raise ValueError('synapse = "charge" with target = "synapse": held values have none')
        if "weight" not in self.model_fields_set and not self.carries_values:
            self.__dict__["weight"] = SPIKE_WEIGHT
        return self


class NetworkSpec(Section):
    """An HRSNN: excitatory and inhibitory LIF neurons in space.

    `model` names a preset whose values stand below those of the table itself; a spec that is read
    (`Spec.load`, `Spec.parse`) has both. `grid` is the shape of the lattice, not set: the smallest
    cube that holds the neurons; it also says the size, where none is given. `homogeneous` names
    neuron parameters of which every neuron of a type gets the mean of what was drawn.
    """

    younger: ClassVar[tuple[str, ...]] = ("model", "grid", "homogeneous")

    model: Annotated[str, Registered("model")] = models.DEFAULT
    size: Annotated[int, Field(ge=2)] = 1000
    excitatory: Annotated[float, Field(gt=0, lt=1)] = 0.8
    dt: Positive = 1e-3
    grid: tuple[Count, Count, Count] | None = None
    homogeneous: tuple[NeuronField, ...] = ()
    neurons: NeuronsSpec = NeuronsSpec()
    connectivity: ConnectivitySpec = ConnectivitySpec()
    input: InputSpec = InputSpec()

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        if len(set(self.homogeneous)) < len(self.homogeneous):
            raise ValueError("homogeneous: each name once")
        if self.grid is not None:
            cells = self.grid[0] * self.grid[1] * self.grid[2]
            if "size" not in self.model_fields_set:
                self.__dict__["size"] = cells
            if not 2 <= self.size <= cells:
                text = f"2 to {cells} neurons, the cells of the grid {list(self.grid)}"
                raise ValueError(f"{text}; size is {self.size}")
        return self

    @model_validator(mode="after")
    def _of_its_model(self) -> NetworkSpec:
        if self.model != models.DEFAULT:
            preset = models.Model.load(self.model).table("network")
            if missing := sorted(set(preset) - self.model_fields_set):
                raise ValueError(
                    f"model {self.model!r}: without {', '.join(missing)} of the model; read the "
                    "table by Spec.parse, which puts them in"
                )
        return self


def with_model(data: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of a spec with the values of the model that ``network.model`` names under them.

    ``[stdp]`` is filled where it stands, and not made where it does not.

    Args:
        data: plain tables; anything that is none is left as it is, for the check that follows.

    Raises:
        PartError: the file of the model is wrong.
    """
    tables, network = dict(data), data.get("network")
    name = network.get("model") if isinstance(network, Mapping) else None
    if not isinstance(network, Mapping) or not _known(name):
        return tables
    model = models.Model.load(str(name))
    preset, rules = model.table("network"), model.table("stdp")
    _require_sound(str(name), preset, rules)
    tables["network"] = models.under(preset, network)
    if isinstance(tables.get("stdp"), Mapping):
        tables["stdp"] = models.under(rules, tables["stdp"])
    return tables


def _known(name: Any) -> bool:
    return isinstance(name, str) and name in registry.names("model")


def _require_sound(name: str, network: Mapping[str, Any], rules: Mapping[str, Any]) -> None:
    """Refuse a preset whose values no spec could have, as a fault of its file."""
    problems: list[Problem] = []
    try:
        NetworkSpec.model_validate_json(json.dumps(network, default=str))
    except ValidationError as error:
        problems += problems_of(error, NetworkSpec, "network")
    try:
        read_options(RuleOptions, rules, "stdp")
    except SpecError as error:
        problems += error.problems
    if problems:
        raise registry.failure("model", name, "; ".join(map(str, problems)))


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
        homogeneous: parameters of which every synapse of a projection gets the mean of what was
            drawn.
    """

    younger: ClassVar[tuple[str, ...]] = ("homogeneous",)

    projections: Annotated[tuple[Synapses, ...], Field(min_length=1)] = ("exc_exc",)
    a_plus: NonNegative | AnyTable = 0.002
    a_minus: NonNegative | AnyTable = 0.0021
    tau_plus: Positive | AnyTable = 0.020
    tau_minus: Positive | AnyTable = 0.020
    w_max: Positive = 3.0
    homogeneous: tuple[RuleField, ...] = ()

    def __post_init__(self) -> None:
        for name in ("tau_plus", "tau_minus"):
            positive(name, getattr(self, name))
        for name in ("a_plus", "a_minus"):
            at_least_zero(name, getattr(self, name))
        for name in ("projections", "homogeneous"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name}: each name once")
