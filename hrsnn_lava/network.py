"""The network as a scientist writes it: populations and projections, float, SI units.

Dynamics of neuron i in step t, exact exponential integration of eq. (1) of Chakraborty and
Mukhopadhyay (2023) with R = 1 and rest and reset at 0::

    i[t] = alpha_i i[t-1] + sum_j w_ij s_j[t-1-delay_ij]        alpha = exp(-dt / tau_syn)
    v[t] = beta_i v[t-1] + (1 - beta_i) (bias_i + drive_i[t] + i[t])   beta = exp(-dt / tau_mem)
    s[t] = v[t] > v_threshold_i;  then v = 0, and stays 0 for round(refractory / dt) steps

That is the reset ``zero``. Three others, `LIF.reset`, keep what v had above the threshold, with
the first two of them so that it may stay above it (`hrsnn_lava.resets`)::

    subtract        s[t] = v[t] > v_threshold;  then v[t] = v[t] - v_threshold
    subtract_next   v[t] = beta v[t-1] + (1 - beta) (...) - v_threshold s[t-1];  s[t] = v[t] > ...
    subtract_all    s[t] = floor(v[t] / v_threshold), at least 0;  then v[t] = v[t] - s v_threshold

The last sends several spikes in a step: one message, whose payload s multiplies the weights.

A neuron without leak, ``tau_mem = inf``, has beta = 1, and 1 - beta would leave it without any
input: its factor is 1 instead, ``v[t] = v[t-1] + bias + drive[t] + i[t]``, see
`hrsnn_lava.time_constants.membrane_gain`.

A spike at t arrives at t + 1 + delay. `drive` is what projections with ``target="bias"`` give:
the value of an analog input channel, held until it changes, times its weight. It stands for a
current that the host sets through the neurons' biases: no synaptic filter, no spikes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy import sparse
from typing_extensions import Self

from hrsnn_lava.artifacts.container import Saved
from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.csr import as_csr, rows_of, weight_values, with_values
from hrsnn_lava.errors import NetworkError, Problem, raise_if
from hrsnn_lava.fields import (
    NAME_LENGTH,
    SIZE_MAX,
    choice,
    is_flag,
    is_positive,
    is_whole,
    listed,
    locked,
    name_fault,
    number,
    own,
    real_values,
    refusal,
    text_fault,
    wide,
)
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.notebook import brief
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.resets import RESETS, Reset, codes_of, refractory_problems, sends_several
from hrsnn_lava.spelling import did_you_mean

Float = NDArray[np.float64]
Sign = Literal["excitatory", "inhibitory"]
Target = Literal["synapse", "bias", "factor"]


class AnyPopulation:
    """What populations of float and integer networks share."""

    name: str
    size: int

    @property
    def is_input(self) -> bool:
        """True for a population that is driven from outside."""
        return False

    def _take_size(self) -> bool:
        """Make NumPy's integer Python's, whose sums do not wrap; False where it is no size."""
        if not is_whole(self.size) or not 0 <= self.size <= SIZE_MAX:
            return False
        object.__setattr__(self, "size", int(self.size))
        return True

    def size_problems(self) -> Iterator[Problem]:
        """A size that is none."""
        if not is_whole(self.size) or not 1 <= self.size <= SIZE_MAX:
            allowed = f"an integer >= 1, {SIZE_MAX} at most"
            yield Problem(f"population {self.name!r}.size", f"{self.size!r:.60}", allowed)


class AnyProjection:
    """What projections of float and integer networks share."""

    name: str
    pre: str
    post: str
    weights: sparse.csr_matrix
    target: Target
    targets: ClassVar[tuple[Target, ...]] = ("synapse", "bias")

    @property
    def n_synapses(self) -> int:
        """Number of stored weights."""
        return int(self.weights.nnz)

    def _take_target(self) -> None:
        """Refuse a target that is none, before anything is compared with it."""
        choice(f"projection {self.name!r}.target", self.target, self.targets)

    def _take_weights(self, weights: sparse.csr_matrix) -> None:
        """Hold a matrix that nobody can write to, and remember its arrays."""
        object.__setattr__(self, "weights", weights)
        arrays = (weights.data, weights.indices, weights.indptr)
        object.__setattr__(self, "_weight_arrays", arrays)

    @property
    def altered(self) -> bool:
        """True when the matrix was given other arrays, as its own methods can do, since it was
        looked at: what was found then says nothing any more."""
        now = (self.weights.data, self.weights.indices, self.weights.indptr)
        then: tuple[Any, ...] = vars(self)["_weight_arrays"]
        return any(a is not b for a, b in zip(now, then, strict=True))

    def connection_problems(self, populations: Mapping[str, AnyPopulation]) -> Iterator[Problem]:
        """Unknown ends, a wrong shape, a wrong target, given the populations by name."""
        where = f"projection {self.name!r}"
        post, pre = by_name(populations, self.post), by_name(populations, self.pre)
        for end, name, population in (("post", self.post, post), ("pre", self.pre, pre)):
            if population is None:
                allowed = f"one of {', '.join(populations)}"
                yield Problem(f"{where}.{end}", f"no population {name!r}", allowed)
        if post is not None and pre is not None and is_whole(post.size) and is_whole(pre.size):
            shape = (post.size, pre.size)
            if self.weights.shape != shape:
                measured = f"shape {self.weights.shape}"
                yield Problem(f"{where}.weights", measured, f"(n_post, n_pre) = {shape}")
        if post is not None and post.is_input:
            measured = f"{self.post!r} is an input"
            yield Problem(f"{where}.post", measured, "a population of neurons")
        if self.target == "bias" and pre is not None and not pre.is_input:
            yield Problem(f"{where}.target", f"bias, from {self.pre!r}", "bias from inputs only")


Inputs = TypeVar("Inputs", bound=AnyPopulation)
Neurons = TypeVar("Neurons", bound=AnyPopulation)
Proj = TypeVar("Proj", bound=AnyProjection)


@dataclass(frozen=True)
class Input:
    """Marks a population that is driven from outside: its events are given to a run.

    Attributes:
        graded: its spikes carry values (payloads), or its values are held (``target="bias"``).
    """

    graded: bool = False


@brief("tau_mem", "tau_syn", "v_threshold", "bias", "refractory")
@dataclass(frozen=True, eq=False)
class LIF:
    """Leaky integrate-and-fire parameters; each a scalar or one value per neuron.

    Attributes:
        tau_mem: membrane time constant in seconds, > 0; infinite for no leak.
        tau_syn: time constant of the synaptic current in seconds, >= 0 (0: no filter).
        v_threshold: firing threshold, > 0, in the (dimensionless) unit of the potential.
        bias: constant current, in the unit of the potential (R = 1).
        refractory: time in seconds for which v stays 0 after a spike, >= 0.
        reset: what a spike does to v, one for the population: ``zero`` sets it to 0, ``subtract``
            takes the threshold off at once, ``subtract_next`` in the next step, and
            ``subtract_all`` at once as often as v holds it, with a spike each. The last three go
            without a refractory period.
    """

    tau_mem: ArrayLike
    tau_syn: ArrayLike = 0.005
    v_threshold: ArrayLike = 1.0
    bias: ArrayLike = 0.0
    refractory: ArrayLike = 0.0
    reset: Reset = "zero"


LIF_FIELDS = ("tau_mem", "tau_syn", "v_threshold", "bias", "refractory")


@brief("name", "size", "neuron", "sign")
@dataclass(frozen=True, eq=False)
class Population(AnyPopulation):
    """A named group of neurons of one type.

    Attributes:
        name: unique in the network; letters, digits, ``_`` and ``-`` are customary.
        size: number of neurons.
        neuron: `LIF` (its fields become float64 arrays of shape (size,)) or `Input`.
        sign: sign that all outgoing weights keep (Dale's principle); None: not constrained.
        positions: (size, 3) coordinates for distance-dependent connections, or None.
    """

    name: str
    size: int
    neuron: LIF | Input
    sign: Sign | None = None
    positions: Float | None = None

    def __post_init__(self) -> None:
        where = f"population {self.name!r}"
        choice(f"{where}.sign", self.sign, (*get_args(Sign), None))
        if self.positions is not None:
            positions = real_values(f"{where}.positions", self.positions)
            object.__setattr__(self, "positions", positions)
        if self._take_size() and isinstance(self.neuron, LIF):
            fields = {}
            for field in LIF_FIELDS:
                value = real_values(f"{where}.{field}", getattr(self.neuron, field))
                if value.ndim == 0:
                    value = locked(np.full(self.size, float(value)))
                fields[field] = value
            reset = choice(f"{where}.reset", self.neuron.reset, RESETS)
            object.__setattr__(self, "neuron", LIF(**fields, reset=reset))

    @property
    def is_input(self) -> bool:
        """True for a population that is driven from outside."""
        return isinstance(self.neuron, Input)

    @property
    def graded(self) -> bool:
        """True for an input whose spikes carry values, or whose values are held."""
        return isinstance(self.neuron, Input) and self.neuron.graded

    @property
    def lif(self) -> LIF:
        """The neuron parameters; a `NetworkError` for an input population."""
        if isinstance(self.neuron, LIF):
            return self.neuron
        raise NetworkError(f"population {self.name!r} is an input: it has no neuron parameters")

    def parameter(self, field: str) -> Float:
        """One field of `LIF` as a (size,) array."""
        values: Float = getattr(self.lif, field)
        return values

    @property
    def reset(self) -> Reset:
        """What a spike does to the potentials; a `NetworkError` for an input population."""
        return self.lif.reset

    def with_parameters(self, **fields: Any) -> Population:
        """The same population with some `LIF` fields replaced."""
        return replace(self, neuron=replace(self.lif, **fields))

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong with this population."""
        where = f"population {self.name!r}"
        if wrong := list(self.size_problems()):
            yield from wrong
            return
        if self.positions is not None and np.shape(self.positions) != (self.size, 3):
            yield Problem(f"{where}.positions", f"shape {np.shape(self.positions)}", "(size, 3)")
        elif self.positions is not None and not np.isfinite(self.positions).all():
            yield Problem(f"{where}.positions", "not all finite", "finite numbers")
        if isinstance(self.neuron, Input):
            if not is_flag(self.neuron.graded):
                yield Problem(f"{where}.neuron.graded", repr(self.neuron.graded), "True or False")
            return
        if not isinstance(self.neuron, LIF):
            yield Problem(f"{where}.neuron", type(self.neuron).__name__, "LIF or Input")
            return
        bounds = {
            "tau_mem": (0.0, False),
            "tau_syn": (0.0, True),
            "v_threshold": (0.0, False),
            "bias": (-np.inf, True),
            "refractory": (0.0, True),
        }
        for field, (low, closed) in bounds.items():
            values = self.parameter(field)
            if values.shape != (self.size,):
                yield Problem(
                    f"{where}.{field}", f"shape {values.shape}", f"a scalar or ({self.size},)"
                )
                continue
            bad = ~np.isfinite(values) | ((values < low) if closed else (values <= low))
            if field == "tau_mem":
                bad &= ~np.isposinf(values)
            if bad.any():
                first = int(np.flatnonzero(bad)[0])
                allowed = "finite" if np.isinf(low) else f"{'>=' if closed else '>'} {low:g}"
                yield Problem(
                    f"{where}.{field}",
                    f"{values[first]:g} at neuron {first} ({int(bad.sum())} in all)",
                    allowed,
                )
        yield from refractory_problems(self, "s")


@brief("name", "pre", "post", "weights", "target", "plasticity")
@dataclass(frozen=True, eq=False)
class Projection(AnyProjection):
    """Synapses from one population to another.

    Attributes:
        name: unique in the network.
        pre, post: names of the populations.
        weights: CSR of shape (n_post, n_pre), float64; explicit zeros are removed.
        delays: None (0), or seconds: a scalar or one value per stored weight (nnz,), in the
            order of the canonical CSR. A spike arrives one step plus the delay later.
        plasticity: learning rule, or None for fixed weights.
        target: ``"synapse"`` (filtered by tau_syn) or ``"bias"`` (held current, inputs only).
    """

    name: str
    pre: str
    post: str
    weights: sparse.csr_matrix
    delays: ArrayLike | None = None
    plasticity: STDP | None = None
    target: Target = "synapse"

    def __post_init__(self) -> None:
        where = f"projection {self.name!r}"
        self._take_target()
        delays = None if self.delays is None else real_values(f"{where}.delays", self.delays)
        weights, delays = canonical_csr(where, self.weights, delays, np.float64)
        self._take_weights(weights)
        object.__setattr__(self, "delays", delays)

    def problems(self, populations: Mapping[str, Population], dt: float) -> Iterator[Problem]:
        """Everything that is wrong with this projection.

        Args:
            populations: of the network, by name.
            dt: step in seconds, which delays are multiples of.
        """
        where = f"projection {self.name!r}"
        yield from self.connection_problems(populations)
        if not np.all(np.isfinite(self.weights.data)):
            yield Problem(f"{where}.weights", "not all finite", "finite numbers")
        pre = by_name(populations, self.pre)
        sign = None if pre is None else pre.sign
        if sign is not None and self.target == "synapse" and self.n_synapses:
            wrong = self.weights.data < 0 if sign == "excitatory" else self.weights.data > 0
            if wrong.any():
                yield Problem(
                    f"{where}.weights",
                    f"{int(wrong.sum())} weights against the sign of {self.pre!r}",
                    f"{sign} only (Dale's principle)",
                    "split the projection, or leave the population's sign unset",
                )
        if self.delays is not None:
            steps = np.asarray(self.delays) / dt
            if not np.all((steps >= 0) & (steps <= INT32[1])):  # NaN compares as false
                measured = "negative, not finite or beyond 2^31 steps"
                yield Problem(f"{where}.delays", measured, "seconds >= 0")
        if self.plasticity is not None and not isinstance(self.plasticity, STDP):
            yield Problem(f"{where}.plasticity", type(self.plasticity).__name__, "STDP or None")
        elif self.plasticity is not None:
            yield from self.plasticity.problems(f"{where}.plasticity", self.n_synapses)
            yield from several_with_learning(self, "plasticity", populations)


def several_with_learning(
    projection: AnyProjection, field: str, populations: Mapping[str, Any]
) -> Iterator[Problem]:
    """Learning by spikes of which there may be several in a step: no rule says what they do.

    Args:
        projection: that learns.
        field: of it with the rule.
        populations: of the network, by name.
    """
    for end in ("pre", "post"):
        population = by_name(populations, getattr(projection, end))
        if population is not None and sends_several(population):
            yield Problem(
                f"projection {projection.name!r}.{field}",
                f"{end} {population.name!r} has reset 'subtract_all': several spikes in a step",
                "neurons that send one",
                "set its reset to 'subtract', or leave the rule out",
            )


def by_name(populations: Mapping[str, Neurons], name: Any) -> Neurons | None:
    """The population of a name; None where there is none, or it is no name."""
    return populations.get(name) if isinstance(name, str) else None


def canonical_csr(
    where: str, weights: Any, delays: NDArray[Any] | None, dtype: DTypeLike
) -> tuple[sparse.csr_matrix, Any]:
    """The one form in which projections hold synapses: rows sorted, no duplicates, no zeros.

    Nobody can write to the arrays of the result. Those of `weights` are shared where that is so
    already and they have the form, else copied.

    Args:
        where: name of the projection.
        weights: anything that SciPy makes a CSR of, (n_post, n_pre).
        delays: None, a scalar, or one value per stored weight; (nnz,) stay aligned with the data.
        dtype: of the weights; what it cannot hold is refused.

    Raises:
        NetworkError: `weights` is no 2-D matrix of numbers, or `delays` has neither one value nor
            nnz.
    """
    name = f"{where}.weights"
    csr = as_csr(name, weights, dtype)
    data = weight_values(name, csr.data, dtype)
    plain = csr.has_canonical_format and not np.any(data == 0)
    per_synapse = delays is not None and delays.ndim > 0
    aligned: Any = delays
    if delays is not None and per_synapse:
        if delays.shape != data.shape:
            allowed = f"a scalar or one per stored weight ({data.size},)"
            raise refusal(f"{where}.delays", f"shape {delays.shape}", allowed)
        if not plain:
            order = np.lexsort((csr.indices, rows_of(csr)))
            aligned = own(delays[order[data[order] != 0]])
    elif delays is not None:
        aligned = delays.item()
    if plain:
        return closed(with_values(csr, data)), aligned
    summed = with_values(csr, wide(data)).copy()
    n_stored = summed.nnz
    summed.sum_duplicates()
    if per_synapse and summed.nnz != n_stored:
        raise refusal(where, "duplicate synapses with delays of their own", "one for a pair")
    summed.eliminate_zeros()
    summed = with_values(summed, weight_values(name, summed.data, dtype))
    for array in (summed.indices, summed.indptr):
        locked(array)
    return closed(summed), aligned


def closed(csr: sparse.csr_matrix) -> sparse.csr_matrix:
    """A canonical matrix (rows sorted, no duplicates), of arrays to which nobody can write."""
    data, indices, indptr = (own(array) for array in (csr.data, csr.indices, csr.indptr))
    matrix = sparse.csr_matrix((data, indices, indptr), shape=csr.shape)
    matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
    matrix.has_canonical_format = True
    return matrix


def altered_problem(name: str) -> Problem:
    """Of a projection whose matrix was given other arrays."""
    return Problem(
        f"projection {name!r}.weights",
        "the matrix was changed in place",
        "the one it was made with",
        "make another projection with `dataclasses.replace`",
    )


def _name_problems(kind: str, names: list[Any]) -> Iterator[Problem]:
    """Names that are empty, no text, used twice, or that no file can hold."""
    texts = [name for name in names if isinstance(name, str)]
    for name in sorted({n for n in texts if texts.count(n) > 1}):
        yield Problem(f"{kind} {name!r}", f"the name is used {names.count(name)} times", "once")
    for name in names:
        if fault := name_fault(name):
            allowed = f"1..{NAME_LENGTH} printable characters, no backslash, no blank at an end"
            yield Problem(f"{kind} {name!r:.80}", fault, allowed)


class Graph(Saved, Generic[Inputs, Neurons, Proj]):
    """What float and integer networks share: look-up, offsets, counts, checks, replacement.

    Generic in the types of input populations, of populations of neurons, and of projections. A
    network is a frozen dataclass: it never changes, so what follows from it is computed once.
    """

    #: Types of the parts, see `_type_problems`.
    population_types: ClassVar[tuple[type, ...]]
    projection_types: ClassVar[tuple[type, ...]]

    name: str
    dt: float
    populations: tuple[Inputs | Neurons, ...]
    projections: tuple[Proj, ...]

    def __post_init__(self) -> None:
        for field in ("populations", "projections"):
            items = listed(field, getattr(self, field), f"a sequence of {field}")
            object.__setattr__(self, field, items)
        object.__setattr__(self, "dt", float(self.dt) if self.has_step else number(self.dt))

    def verify(self) -> Self:
        """Check everything; return self.

        The check is made once and remembered: to change a network, make another one with
        `with_projection` or `with_population`. No array can be written to; a matrix that was
        changed by a method of its own is found at once.

        Raises:
            NetworkError: with every problem there is, not just the first.
        """
        self.require_unaltered()
        raise_if(NetworkError, f"network {self.name!r} is not valid", self._problems)
        return self

    def require_unaltered(self) -> None:
        """Refuse a network in which a matrix was changed by a method of its own.

        Raises:
            NetworkError: with the projections that were.
        """
        problems = [
            altered_problem(projection.name)
            for projection in self.projections
            if isinstance(projection, AnyProjection) and projection.altered
        ]
        raise_if(NetworkError, f"network {self.name!r} was changed", problems)

    def _type_problems(self) -> Iterator[Problem]:
        """Populations and projections that are none of this kind of network."""
        for field, types in (
            ("populations", self.population_types),
            ("projections", self.projection_types),
        ):
            for k, item in enumerate(getattr(self, field)):
                if not isinstance(item, types):
                    allowed = " or ".join(kind.__name__ for kind in types)
                    yield Problem(f"{field}[{k}]", type(item).__name__, f"a {allowed}")

    @property
    def has_step(self) -> bool:
        """True when `dt` is seconds above 0."""
        return is_positive(self.dt)

    @cached_property
    def _problems(self) -> tuple[Problem, ...]:
        if wrong := tuple(self._type_problems()):
            return wrong
        problems: list[Problem] = []
        if fault := text_fault(self.name):
            problems.append(Problem("name", fault, "printable text"))
        if not self.has_step:
            problems.append(Problem("dt", f"{self.dt!r}", "seconds > 0"))
        if not self.compute_populations:
            problems.append(Problem("populations", "no population of neurons", "at least one"))
        for kind in ("population", "projection"):
            problems += _name_problems(kind, [part.name for part in getattr(self, f"{kind}s")])
        if not all(isinstance(part.name, str) for part in (*self.populations, *self.projections)):
            return tuple(problems)  # parts are looked up by their names
        for kind, parts in (
            ("neurons", self.compute_populations),
            ("input channels", self.input_populations),
        ):
            total = sum(part.size for part in parts if is_whole(part.size))
            if total > SIZE_MAX:
                problems.append(Problem("populations", f"{total} {kind}", f"{SIZE_MAX} at most"))
        problems += self.part_problems({p.name: p for p in self.populations})
        return tuple(problems)

    @abstractmethod
    def part_problems(self, populations: Mapping[str, Inputs | Neurons]) -> Iterator[Problem]:
        """What is wrong with any population or projection, given the populations by name."""

    def save(self, path: PathLike) -> str:
        """Check everything and write an ``.hlx`` artifact; return the file's SHA-256."""
        return super(Graph, self.verify()).save(path)

    def population(self, name: str) -> Any:
        """The population of that name, of whichever type; `NetworkError` names those there are."""
        return _by_name("population", self.populations, name)

    def projection(self, name: str) -> Proj:
        """The projection of that name; `NetworkError` names those there are."""
        projection: Proj = _by_name("projection", self.projections, name)
        return projection

    @property
    def compute_populations(self) -> tuple[Neurons, ...]:
        """Populations of neurons, in order; they define the global index 0..n_neurons-1."""
        return tuple(p for p in self.populations if not p.is_input)  # type: ignore[misc]

    @property
    def input_populations(self) -> tuple[Inputs, ...]:
        """Populations driven from outside, in order: channels 0..n_inputs-1."""
        return tuple(p for p in self.populations if p.is_input)  # type: ignore[misc]

    @property
    def n_neurons(self) -> int:
        """Number of neurons, inputs not counted."""
        return sum(p.size for p in self.compute_populations)

    @property
    def n_inputs(self) -> int:
        """Number of input channels."""
        return sum(p.size for p in self.input_populations)

    @property
    def n_synapses(self) -> int:
        """Number of synapses with ``target="synapse"``, those of inputs included."""
        return sum(p.n_synapses for p in self.projections if p.target == "synapse")

    def offset(self, name: str) -> int:
        """Global index of the first neuron (or input channel) of a population."""
        population = self.population(name)
        before = self.populations[: self.populations.index(population)]
        return sum(p.size for p in before if p.is_input == population.is_input)

    def gather(self, field: str) -> NDArray[Any]:
        """One neuron parameter over all neurons, (n_neurons,), in global order."""
        parts = [p.parameter(field) for p in self.compute_populations]  # type: ignore[attr-defined]
        return np.concatenate(parts) if parts else np.zeros(0)

    @cached_property
    def reset_codes(self) -> NDArray[np.int32] | None:
        """See `hrsnn_lava.resets.codes_of`, in global order."""
        return codes_of(self.compute_populations)

    def with_projection(self, projection: Proj) -> Self:
        """A copy in which the projection of the same name is replaced."""
        self.projection(projection.name)
        new = tuple(projection if p.name == projection.name else p for p in self.projections)
        return replace(self, projections=new)  # type: ignore[type-var]

    def with_population(self, population: Inputs | Neurons) -> Self:
        """A copy in which the population of the same name is replaced."""
        self.population(population.name)
        new = tuple(population if p.name == population.name else p for p in self.populations)
        return replace(self, populations=new)  # type: ignore[type-var]


def _by_name(kind: str, items: tuple[Any, ...], name: str) -> Any:
    for item in items:
        if item.name == name:
            return item
    known = [item.name for item in items if isinstance(item.name, str)]
    near = did_you_mean(str(name), known)
    hint = f". {near[:1].upper()}{near[1:]}" if near else ""
    raise NetworkError(f"no {kind} {name!r}; there are: {', '.join(known) or 'none'}{hint}")


@brief("name", "n_neurons", "n_inputs", "n_synapses", "populations", "projections", "dt")
@dataclass(frozen=True, eq=False)
class Network(Graph[Population, Population, Projection]):
    """A recurrent spiking network in float and SI units.

    Attributes:
        dt: duration of a step in seconds, > 0.
        populations, projections: in the order that defines the global neuron index.
        name: shown in reports.
    """

    stage: ClassVar[str] = "network"
    population_types = (Population,)
    projection_types = (Projection,)

    dt: float
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    name: str = "network"

    def part_problems(self, populations: Mapping[str, Population]) -> Iterator[Problem]:
        """What is wrong with any population or projection."""
        dt = self.dt if self.has_step else 1.0  # a wrong one is a problem of its own
        for population in self.populations:
            yield from population.problems()
            if isinstance(population.neuron, LIF):
                steps = np.asarray(population.neuron.refractory) / dt
                if np.any(np.isfinite(steps) & (steps > INT32[1])):
                    where = f"population {population.name!r}.refractory"
                    yield Problem(where, f"{np.max(steps):g} steps", "seconds, below 2^31 steps")
        for projection in self.projections:
            yield from projection.problems(populations, dt)

    def without_plasticity(self) -> Network:
        """A copy whose weights stay as they are."""
        fixed = tuple(replace(p, plasticity=None) for p in self.projections)
        return replace(self, projections=fixed)

    def with_biases(self, bias: Float) -> Network:
        """A copy whose neurons carry `bias` (n_neurons,), in global order."""
        network, start = self, 0
        for population in self.compute_populations:
            part = bias[start : start + population.size]
            network = network.with_population(population.with_parameters(bias=part))
            start += population.size
        return network

    @classmethod
    def from_arrays(
        cls,
        w_in: Any,
        w_rec: Any = None,
        tau_mem: ArrayLike | None = None,
        v_threshold: ArrayLike = 1.0,
        dt: float = 1e-3,
        **options: Any,
    ) -> Network:
        """One population of neurons, driven by inputs, from arrays of weights.

        Args:
            w_in: (n_neurons, n_inputs), or None. w_rec: (n_neurons, n_neurons), or None.
                Dense, sparse, or a tensor.
            tau_mem: membrane time constant in seconds; infinite for no leak. Or give ``beta``.
            v_threshold: firing threshold, of the potential that the convention has.
            dt: seconds of a step.
            **options: those of `hrsnn_lava.own_network.ArrayOptions`: convention (``exact``,
                ``snntorch``, ``snntorch_rleaky``, ``norse``), beta, tau_syn, alpha, bias,
                bias_channel, refractory, reset, split_signs and names.

        Raises:
            NetworkError: the arrays do not belong together, or cannot be expressed.
        """
        from hrsnn_lava.own_network import ArrayOptions, translate

        chosen = ArrayOptions.of(options)
        arrays = translate(w_in, w_rec, tau_mem, v_threshold, dt, chosen)
        source, target = chosen.input_name, chosen.neuron_name
        neurons = Population(target, arrays.n_neurons, LIF(**arrays.neuron, reset=arrays.reset))
        inputs = [Population(source, arrays.n_inputs, Input())] if arrays.n_inputs else []
        projections = [
            Projection(name, source if from_inputs else target, target, weights)
            for name, from_inputs, weights in arrays.projections
        ]
        return cls(dt, (*inputs, neurons), tuple(projections), chosen.name).verify()
