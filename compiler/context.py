"""What every pass is, and what it is given: `Pass[In, Out]` and the `Context` of one compilation.

A pass is a frozen dataclass made by `hrsnn_lava.options.options`: its fields are its options, and
thereby its table in a spec and its options on the command line. It changes a network and reports
what it did; everything that belongs to the compilation and not to one pass (the chip, what a run
showed, the range of the inputs, the seed, progress) comes in the context, so that it is said once
and reaches every pass::

    @options
    class ScaleWeights(Pass[Network, Network]):
        '''Multiply all recurrent weights.

        Attributes:
            factor: of every weight.
        '''

        name: ClassVar[str] = "scale_weights"
        factor: float = 0.5

        def transform(self, network, context):
            ...
            return changed, {"scaled": count}
"""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.trace import Trace

Float = NDArray[np.float64]
In = TypeVar("In")
Out = TypeVar("Out")
P = TypeVar("P", bound="Pass[Any, Any]")
Report = Mapping[str, Any]
#: What passes work on, in this order: a float network, integers, integers on cores.
Stage = Literal["float", "integer", "mapped"]
#: Largest magnitude of an analog input that must not saturate a bias, where nobody says it (ours).
INPUT_RANGE = 4.0


@brief("rates", in_cells=False)
@dataclass(frozen=True, eq=False)
class Observed:
    """What a run showed of the network's neurons.

    Attributes:
        rates: (n_neurons,) spikes per step; one number where all neurons count alike in traffic.
        input_rates: (n_inputs,) events per step, or one number in the same sense; None where no
            input sends spikes.
        current_peak: (n_neurons,) largest magnitude of the synaptic current, in the network's
            unit; None when it was not recorded.
        covariance: (n_neurons, n_neurons) of the neurons' spike traces, as `trace_covariance` of
            `hrsnn_lava.compiler.analysis.dynamics.trace_covariance` measures it; None where
            nobody did.
    """

    rates: Float | float | None = None
    input_rates: Float | float | None = None
    current_peak: Float | None = None
    covariance: Float | None = None

    def __post_init__(self) -> None:
        raise_if(SpecError, "what a run showed is not valid", list(self._wrong_values()))

    def _wrong_values(self) -> Iterator[Problem]:
        """Rates that no run can show: below 0, not finite, no numbers."""
        for name in ("rates", "input_rates"):
            stated_rates = getattr(self, name)
            if stated_rates is None:
                continue
            try:
                values = np.asarray(stated_rates, dtype=np.float64)
            except (TypeError, ValueError):
                yield Problem(name, repr(stated_rates), "numbers, per neuron and step")
                continue
            wrong = values[~(np.isfinite(values) & (values >= 0.0))]
            if wrong.size:
                yield Problem(name, f"{wrong.flat[0]:g}, {wrong.size} such", "numbers >= 0")

    @staticmethod
    def of_trace(trace: Trace) -> Observed:
        """Rates of a run of the same neurons, such as one of their integers."""
        steps = max(trace.n_steps, 1)
        sent = None
        if trace.inputs is not None:
            counts = np.bincount(trace.inputs.neurons, minlength=trace.inputs.n_neurons)
            sent = counts / steps
        return Observed(trace.counts() / steps, sent)

    @property
    def neuron_rates(self) -> Float | None:
        """Rates of each neuron, where they are known one by one."""
        return _array(self.rates)

    @property
    def channel_rates(self) -> Float | None:
        """Rates of each input channel, where they are known one by one."""
        return _array(self.input_rates)

    @property
    def traffic(self) -> tuple[Float | float, Float | float]:
        """Rates of neurons and inputs by which messages are weighed; 1 where nothing is known."""
        return (
            1.0 if self.rates is None else self.rates,
            1.0 if self.input_rates is None else self.input_rates,
        )

    def scaled(self, gains: Float) -> Observed:
        """The same run of the network whose neurons have their inputs times (n_neurons,) gains."""
        if self.current_peak is None:
            return self
        return replace(self, current_peak=self.current_peak * gains)

    def of_neurons(self, neurons: NDArray[np.int64]) -> Observed:
        """What the run showed of some neurons alone, by their global indices; inputs stay."""

        def part(values: Any) -> Any:
            return values if values is None or np.ndim(values) == 0 else np.asarray(values)[neurons]

        square = None if self.covariance is None else self.covariance[np.ix_(neurons, neurons)]
        peak = part(self.current_peak)
        return replace(self, rates=part(self.rates), current_peak=peak, covariance=square)

    def by_population(self, network: Network) -> dict[str, Float]:
        """Rates by population, where those of the neurons are known; unknown inputs are silent."""
        if self.neuron_rates is None:
            return {}
        rates = {}
        for population in network.populations:
            every = self.channel_rates if population.is_input else self.neuron_rates
            first = network.offset(population.name)
            if every is None:
                every, first = np.zeros(population.size), 0
            rates[population.name] = every[first : first + population.size]
        return rates

    def problems(self, network: Network) -> Iterator[Problem]:
        """Arrays of another size than the network's."""
        sizes = {"rates": network.n_neurons, "input_rates": network.n_inputs}
        for name, size in (*sizes.items(), ("current_peak", network.n_neurons)):
            value = getattr(self, name)
            if value is not None and np.ndim(value) and np.shape(value) != (size,):
                yield Problem(f"observed.{name}", f"shape {np.shape(value)}", f"({size},)")
        square = (network.n_neurons, network.n_neurons)
        if self.covariance is not None and np.shape(self.covariance) != square:
            yield Problem("observed.covariance", f"shape {np.shape(self.covariance)}", f"{square}")


def _array(values: Float | float | None) -> Float | None:
    return None if values is None or np.ndim(values) == 0 else np.asarray(values, np.float64)


@brief("profile", "observed", "seed", in_cells=False)
@dataclass(frozen=True, eq=False)
class Context:
    """One compilation, as every pass of it sees it.

    Attributes:
        profile: the chip; None where a network is only pruned or quantized.
        observed: what a run showed; empty where none was made.
        input_range: largest magnitude of an analog input that must not saturate a bias.
        seed: of every pass that draws and has none of its own; None is 0, and says that nobody
            chose one.
        progress: told what is being done.
        pruned: (P, 2) post and pre, as the network at hand numbers its neurons, of recurrent
            synapses that were pruned and must not come back; see `pruned_synapses` of
            `hrsnn_lava.compiler.pruning.surgery`.
    """

    profile: HardwareProfile | None = None
    observed: Observed = field(default_factory=Observed)
    input_range: float | None = None
    seed: int | None = None
    progress: Progress = silent
    pruned: NDArray[np.int64] | None = None

    def settled(self, passes: tuple[Any, ...]) -> Context:
        """The context with what one of the passes states for all of them.

        `input_range` is a property of the input, not of the pass that happens to be given it.

        Raises:
            SpecError: two passes, or a pass and the context, state different ranges.
        """
        ranges = {
            getattr(step, "name", type(step).__name__): step.input_range
            for step in passes
            if getattr(step, "input_range", None) is not None
        }
        if self.input_range is not None:
            ranges["the context"] = self.input_range
        if len(set(ranges.values())) > 1:
            texts = ", ".join(f"{value:g} of {who}" for who, value in ranges.items())
            problem = Problem("input_range", texts, "one value, given once")
            raise SpecError("the passes do not fit each other", problems=[problem])
        input_range = next(iter(ranges.values()), INPUT_RANGE)
        return replace(self, input_range=input_range, seed=self.seed)

    def chip(self) -> HardwareProfile:
        """The chip; raises `SpecError` where there is none."""
        if self.profile is None:
            raise SpecError("this pass needs a chip: give the context a profile")
        return self.profile


class Pass(ABC, Generic[In, Out]):
    """Base of all passes; see the module. The pipeline calls `apply`, a pass defines `transform`.

    A pass never changes the network it is given, and what it returns is valid.

    Attributes:
        name: in records and reports, the stem of the pass's file, and its table in a spec.
        takes: what it works on; the pipeline places it by that.
    """

    name: ClassVar[str] = ""
    takes: ClassVar[Stage] = "float"
    #: Options that had another name before, old to new.
    renamed: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def transform(self, network: In, context: Context) -> tuple[Out, Report | None]:
        """The changed network, and what was done: None where there was nothing to do.

        A report may hold ``amends``: for an earlier pass's name, what is known better now; and
        ``findings``: a sequence of `Finding`, which the record keeps beside the report.
        """

    def apply(self, network: In, context: Context | None = None) -> tuple[Out, Report | None]:
        """Settle the options that are the context's, and transform."""
        context = (context or Context()).settled((self,))
        return self.settled(context).transform(network, context)

    def __call__(self, network: In, context: Context | None = None) -> Out:
        """The changed network alone."""
        return self.apply(network, context)[0]

    @classmethod
    def current_spelling(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments as they are spelled now: options under their new names, no chip in front.

        Warns (`FutureWarning`) of every old spelling; the chip is the context's.
        """
        # both spellings at once contradict each other: the old one is then refused as unknown
        renamed = {o: n for o, n in cls.renamed.items() if o in kwargs and n not in kwargs}
        notes = [f"{old} is called {new} now" for old, new in renamed.items()]
        kwargs = {renamed.get(name, name): value for name, value in kwargs.items()}
        if args and isinstance(args[0], HardwareProfile):
            args, notes = args[1:], [*notes, "the chip is given to compile, not to a pass"]
        for note in notes:
            warnings.warn(f"{cls.name}: {note}", FutureWarning, stacklevel=4)
        return args, kwargs

    def settled(self: P, context: Context) -> P:
        """The pass with the context's value of every shared option that it leaves open."""
        shared_options = {"seed": context.seed or 0, "input_range": context.input_range}
        names = {f.name for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        open_ = {
            name: value
            for name, value in shared_options.items()
            if name in names and getattr(self, name) is None and value is not None
        }
        return replace(self, **open_) if open_ else self  # type: ignore[type-var]
