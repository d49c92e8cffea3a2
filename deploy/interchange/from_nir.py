"""A NIR file as a `Network` that does exactly what its source framework does, some steps later.

With the rule of a layer (see `step_model`) and the factor m = 1 - exp(-dt / tau_mem) of
`hrsnn_lava.network`, which is 1 without a leak::

    tau_mem = -dt / ln(beta)      tau_syn = -dt / ln(alpha)      W = W_file input_gain gain / m

and thresholds stay what they are. **Timing**: layer k does all of it k steps later, see `timing`.
**Biases** act from the first step of the source on, which is step k of layer k here: a population
of one neuron, ``bias``, fires in every step, and its synapses, with delays, bring what is constant.
So it passes the synaptic filter as in the source. With ``biases="constant"`` they are the neurons'
own biases instead, which costs no synapses, acts from step 0 on, and knows no filter: the first
spikes differ, until what was before them has decayed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.artifacts.files import PathLike
from hrsnn_lava.deploy.interchange.dialect import AUTO, Choice, chosen
from hrsnn_lava.deploy.interchange.nir_file import NirGraph, read_nir
from hrsnn_lava.deploy.interchange.nir_hints import from_hints
from hrsnn_lava.deploy.interchange.source_run import source_model
from hrsnn_lava.deploy.interchange.step_model import Layer, StepModel, single
from hrsnn_lava.deploy.interchange.timing import Timing, timing
from hrsnn_lava.errors import ArtifactError, NetworkError, Problem, raise_if
from hrsnn_lava.fields import choice as one_of
from hrsnn_lava.findings import FindingWarning
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.time_constants import membrane_gain, time_constant

Float = NDArray[np.float64]
Biases = Literal["exact", "constant"]
#: The neuron that fires in every step.
CLOCK = "bias"
#: More than that many steps in a time constant are no time constant of this step.
_MANY_STEPS = 1e6


@dataclass(frozen=True)
class ImportOptions:
    """What an import may be told.

    Attributes:
        dialect: name of one, or ``auto``.
        dt: seconds of a step; None for the dialect's.
        reset: what a spike does; None for the dialect's.
        single_spikes: take neurons that may send several spikes in a step for such that send one,
            for chips without payloads; exact as long as none sends more.
        biases: ``exact`` or ``constant``, see the module.
    """

    dialect: str = AUTO
    dt: float | None = None
    reset: str | None = None
    single_spikes: bool = False
    biases: Biases = "exact"


@dataclass(frozen=True, eq=False)
class Imported:
    """A network, and what was assumed to make it.

    Attributes:
        network: of the file.
        graph: as it stands in the file.
        choice: dialect, step and reset.
        model: what the source does.
        timing: by how many steps spikes come later.
        remarks: what a user has to know.
    """

    network: Network
    graph: NirGraph
    choice: Choice
    model: StepModel
    timing: Timing
    remarks: tuple[str, ...]


def from_nir(
    path: PathLike,
    *,
    dialect: str = AUTO,
    dt: float | None = None,
    reset: str | None = None,
    single_spikes: bool = False,
    biases: Biases = "exact",
) -> Network:
    """The network of a NIR file; it does what the framework that wrote the file does.

    Populations have the names of the file's nodes, layers in the order of their updates; a neuron
    that brings the biases, if there are any, comes last. Spikes of a layer k connections away from
    the inputs come k steps later than in the source (one less in Spyx), and are the same.

    A file that `hl.to_nir` wrote gives the very network back, where nothing else is asked for.
    What a user has to know of another is a `FindingWarning` each.

    Args:
        path: of the file; it is read in a process of its own, within limits.
        dialect: the exporter: ``auto`` looks for its marks; see ``docs/interop.md``.
        dt: seconds of a step, which no file says; None for that of the exporter.
        reset: one of `hrsnn_lava.resets`; None where the exporter has one alone.
        single_spikes: take neurons that send several spikes in a step (sinabs, Rockpool), which
            have the reset ``subtract_all`` here, for such that send at most one (``subtract``), as
            chips without payloads ask for; exact as long as none sends more.
        biases: ``exact``, or ``constant`` for neurons' own biases, which act from step 0 on.

    Raises:
        ArtifactError: the file is damaged, unsafe, no NIR, or holds what no `Network` does exactly.
        SpecError: dialect, dt or reset are missing or wrong.
    """
    options, graph = ImportOptions(dialect, dt, reset, single_spikes, biases), read_nir(path)
    if (network := own_network(graph, options)) is not None:
        return network
    found = imported(graph, options)
    for remark in found.remarks:
        warnings.warn(remark, FindingWarning, stacklevel=2)
    return found.network


def own_network(graph: NirGraph, options: ImportOptions) -> Network | None:
    """The very network that `hl.to_nir` wrote; None of other files, and where more is asked for."""
    return from_hints(graph) if options == ImportOptions() else None


def imported(graph: NirGraph, options: ImportOptions | None = None) -> Imported:
    """The network of a graph, with all that was assumed; raises as `from_nir` does."""
    asked = options or ImportOptions()
    one_of("biases", asked.biases, get_args(Biases))
    choice = chosen(graph, asked.dialect, asked.dt, asked.reset)
    model = source_model(graph, choice)
    exact = _expressible(graph, model, asked)
    shifts = _named(graph, exact)
    builder = _Builder(exact, shifts, asked.biases)
    try:
        network = builder.network(_title(graph))
    except NetworkError as error:
        raise ArtifactError(
            f"{graph.source}: the network makes no sense", problems=error.problems
        ) from error
    remarks = (*choice.dialect.remarks(graph), *_remarks(exact, asked), *builder.remarks)
    return Imported(network, graph, choice, model, shifts, remarks)


def _named(graph: NirGraph, model: StepModel) -> Timing:
    try:
        return timing(model)
    except ArtifactError as error:
        message = f"{graph.source}: {error.message}"
        raise ArtifactError(message, problems=error.problems) from None


def _title(graph: NirGraph) -> str:
    """The name of the file without folder and suffix."""
    name = graph.source.replace("\\", "/").rpartition("/")[2].removesuffix(".nir")
    return "".join(c for c in name if c.isprintable()).strip() or "network"


def _expressible(graph: NirGraph, model: StepModel, options: ImportOptions) -> StepModel:
    """The model, with one spike a step at most where that was asked for.

    Raises:
        ArtifactError: with everything that no `Network` does exactly.
    """
    problems = [
        problem for layer in model.layers for problem in _layer_problems(model, layer, options)
    ]
    raise_if(ArtifactError, f"{graph.source}: cannot be imported exactly", problems)
    if not options.single_spikes:
        return model
    layers = tuple(replace(layer, rule=single(layer.rule)) for layer in model.layers)
    return replace(model, layers=layers)


def _layer_problems(model: StepModel, layer: Layer, options: ImportOptions) -> Iterator[Problem]:
    where, rule = f"node {layer.name!r}", layer.rule
    if not rule.spikes:
        heard = [c.post for c in model.connections if c.pre == layer.name]
        if heard:
            text = f"{layer.type} sends its potential to {heard[0]}"
            yield Problem(where, text, "spikes between layers, or a layer that is read alone")
        if (rule.beta >= 1.0).any():
            text = f"{layer.type} adds up without a leak and without a threshold"
            yield Problem(where, text, "a leak, so that its potential has a bound")
    elif (rule.threshold <= 0).any():
        text = f"threshold {rule.threshold.min():g} above the potential of a reset"
        yield Problem(where, text, "> 0")
    filtered = (rule.alpha > 0) & (rule.leak != 0)
    if filtered.any() and options.biases == "exact":
        text = f"v_leak differs from v_reset in {int(filtered.sum())} neurons with a filter"
        fix = "give biases='constant' (--biases constant): it then acts from step 0 on"
        yield Problem(where, text, "a resting potential at the reset, or no filter", fix)
    if (rule.gain * rule.input_gain == 0).all():
        yield Problem(where, "r or w_in is 0: nothing reaches the neurons", "another gain")


def _remarks(model: StepModel, options: ImportOptions) -> Iterator[str]:
    for layer in model.layers:
        rule = layer.rule
        if rule.origin is not None and rule.origin.any():
            yield (
                f"{layer.name}: potentials count from v_reset ({rule.origin[0]:g}), where they "
                "start, too"
            )
        slow = (rule.beta < 1.0) & (rule.beta > 1.0 - 1.0 / _MANY_STEPS)
        if slow.all() and layer.type != "Threshold":
            yield f"{layer.name}: time constants of over a million steps: is dt right?"
    if options.single_spikes:
        yield "one spike a step at most was asserted; `--against` counts where there were more"


class _Builder:
    """Makes populations and projections of a model."""

    def __init__(self, model: StepModel, shifts: Timing, biases: Biases) -> None:
        self.model, self.shifts, self.biases = model, shifts, biases
        self.dt = model.dt
        self.remarks: list[str] = []
        self._projections: list[Projection] = []
        self._names: set[str] = set()
        taken = {name for name, _ in model.inputs} | {layer.name for layer in model.layers}
        self.clock = next(n for n in _numbered(CLOCK) if n not in taken)

    def network(self, title: str) -> Network:
        """The whole network."""
        inputs = [Population(name, size, Input()) for name, size in self.model.inputs]
        layers = []
        for layer in self.model.layers:
            factor = self._factor(layer)
            for c in self.model.into(layer.name):
                weights = sparse.diags(factor) @ c.weights
                self._connect(c.pre, c.post, weights, self.shifts.delay(self.model, c))
            layers.append(Population(layer.name, layer.size, self._neuron(layer, factor)))
        if any(p.pre == self.clock for p in self._projections):
            layers.append(Population(self.clock, 1, self._ticking()))
        return Network(self.dt, (*inputs, *layers), tuple(self._projections), title).verify()

    def _ticking(self) -> LIF:
        """A neuron that fires in step 0 and in every other.

        Beta is 0 and its bias above the threshold. It fires once in a step by the reset of the
        layers, too, by which a program reads a whole file that is written of the network.
        """
        late = any(layer.rule.reset == "subtract_next" for layer in self.model.layers)
        tau = float(time_constant(0.0, self.dt))
        return LIF(tau_mem=tau, tau_syn=0.0, v_threshold=0.75, bias=2.0 if late else 1.0)

    def _factor(self, layer: Layer) -> Float:
        """What a weight of the file is multiplied by, (n,)."""
        rule = layer.rule
        m = membrane_gain(time_constant(rule.beta, self.dt), self.dt)
        factor: Float = rule.input_gain * rule.gain / m
        return factor

    def _neuron(self, layer: Layer, factor: Float) -> LIF:
        rule, dt = layer.rule, self.dt
        tau_mem = time_constant(rule.beta, dt)
        tau_syn = np.where(rule.alpha == 0, 0.0, time_constant(rule.alpha, dt))
        filtered, unfiltered = layer.constant * factor, rule.leak / membrane_gain(tau_mem, dt)
        bias = np.zeros(layer.size)
        if self.biases == "exact":
            # where v_leak does not pass the filter there is none, see `_layer_problems`
            self._connect(
                self.clock,
                layer.name,
                sparse.csr_matrix((filtered + unfiltered)[:, None]),
                self.shifts.bias_delay(layer.name),
            )
        else:
            bias = filtered / (1.0 - rule.alpha) + unfiltered
            if bias.any():
                self.remarks.append(
                    f"{layer.name}: biases act from step 0 on, not through a filter"
                )
        threshold = rule.threshold
        if not rule.spikes:
            threshold = self._bound(layer, tau_syn, filtered + unfiltered)
            self.remarks.append(
                f"{layer.name}: {layer.type} is read by its potential: a threshold above its "
                "bound for spikes, which it never reaches"
            )
        options: dict[str, Any] = {"refractory": rule.hold * dt} if rule.hold else {}
        if rule.reset != "zero" and rule.spikes:
            options["reset"] = rule.reset
        return LIF(tau_mem, tau_syn, threshold, bias, **options)

    def _bound(self, layer: Layer, tau_syn: Float, constant: Float) -> Float:
        """The most that the potential of a layer without spikes can be."""
        alpha = np.where(tau_syn > 0, layer.rule.alpha, 0.0)
        most = np.maximum(constant, 0.0)
        for p in self._projections:
            if p.post == layer.name and p.pre != self.clock:
                positive = p.weights.copy()
                positive.data = np.maximum(positive.data, 0.0)
                most = most + np.asarray(positive.sum(axis=1)).reshape(-1)
        bound = most / (1.0 - alpha) * (1.0 + 1e-9)
        return np.where(bound > 0, bound, 1.0)

    def _connect(self, pre: str, post: str, weights: Any, delay: int) -> None:
        """One projection for each sign that there is."""
        matrix = sparse.csr_matrix(weights)
        for sign, chosen_signs in (("exc", matrix.data > 0), ("inh", matrix.data < 0)):
            part = matrix.copy()  # SciPy's minimum and maximum share indices
            part.data = np.where(chosen_signs, matrix.data, 0.0)
            part.eliminate_zeros()
            if part.nnz:
                base = f"{pre}_{post}_{sign}"
                name = next(n for n in _numbered(base) if n not in self._names)
                self._names.add(name)
                seconds = delay * self.dt if delay else None
                self._projections.append(Projection(name, pre, post, part, seconds))


def _numbered(base: str) -> Iterable[str]:
    """A name, and further ones should it be taken."""
    yield base
    for k in range(2, 10**9):
        yield f"{base}_{k}"
