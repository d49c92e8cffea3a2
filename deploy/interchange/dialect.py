"""What the files of an exporter mean: one file a dialect in `dialects`, found by its name.

NIR writes equations in continuous time, and neither a step, nor what a reset does, nor in which
order things happen. Each exporter writes files that its own framework runs by a rule of its own. A
dialect says by what marks its files are told, which step they have, and what the exact rule is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.fields import is_positive
from hrsnn_lava.spelling import misspelt

Float = NDArray[np.float64]
AUTO = "auto"
#: What an exporter may mean by a subtraction that is not one threshold at once.
_SUBTRACTIONS: dict[Reset, str] = {
    "subtract_next": "subtracts one step later, after the decay",
    "subtract_all": "sends as many spikes in a step as thresholds fit, and subtracts them all",
}
LITERAL = "literal"


@dataclass(frozen=True)
class Setting:
    """What was chosen for a file.

    Attributes:
        dt: seconds of a step.
        step: the same in the unit that time constants of the file have.
        reset: what a spike does.
    """

    dt: float
    step: float
    reset: Reset


class Dialect(ABC):
    """An exporter's way to write; derive from it and make one ``DIALECT`` of a module.

    Attributes:
        name: that of the file.
        title: the exporter and the versions that it was checked against.
        dt: seconds of a step where the user gives none; None where one must be given.
        dt_origin: where that comes from, in words.
        resets: what a spike may do in this framework.
        reset: what it does where the user says nothing; None where it must be said.
        equations: the exact rule, in a line.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    dt: ClassVar[float | None] = None
    dt_origin: ClassVar[str] = ""
    resets: ClassVar[tuple[Reset, ...]] = ("zero",)
    reset: ClassVar[Reset | None] = None
    equations: ClassVar[str] = ""

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """What in a file tells that it is of this exporter; empty where it is not."""
        del graph
        return ()

    def file_step(self, dt: float) -> float:
        """A step in the unit of the file's time constants."""
        return dt

    def rewired(self, graph: NirGraph) -> NirGraph:
        """The graph as the framework runs it."""
        return graph

    @abstractmethod
    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """The exact rule of a neuron.

        Raises:
            ArtifactError: the framework has no such neuron, or its rule is not known.
        """

    def remarks(self, graph: NirGraph) -> tuple[str, ...]:
        """What a user has to know of files of this exporter."""
        del graph
        return ()


@dataclass(frozen=True)
class Choice:
    """The dialect of a file.

    Attributes:
        dialect: chosen.
        reasons: why.
        setting: step and reset.
        assumed: what was not given but assumed, in words.
    """

    dialect: Dialect
    reasons: tuple[str, ...]
    setting: Setting
    assumed: tuple[str, ...]


def dialects() -> dict[str, Dialect]:
    """Every dialect there is, by name."""
    return {name: registry.load("dialect", name) for name in registry.names("dialect")}


def recognized(graph: NirGraph) -> dict[str, tuple[str, ...]]:
    """The dialects whose marks a file has, with the marks."""
    found = {name: dialect.marks(graph) for name, dialect in dialects().items()}
    return {name: marks for name, marks in found.items() if marks}


def chosen(
    graph: NirGraph, name: str = AUTO, dt: float | None = None, reset: str | None = None
) -> Choice:
    """The dialect of a file, its step and its reset.

    Raises:
        SpecError: no such dialect; none or several fit; a step or reset is missing, or none that
            the framework has.
    """
    problems: list[Problem] = []
    if not isinstance(name, str) or name not in (AUTO, *registry.names("dialect")):
        problems.append(misspelt("dialect", name, (AUTO, *registry.names("dialect"))))
    if dt is not None and not is_positive(dt):
        problems.append(Problem("dt", f"{dt!r:.40}", "seconds > 0"))
    raise_if(SpecError, f"{graph.source}: cannot be imported so", problems)
    if name == AUTO:
        dialect, reasons = _guessed(graph, dt, reset)
    else:
        dialect = registry.load("dialect", name)
        marks = dialect.marks(graph)
        reasons = ("given", *marks)
    return _settled(graph, dialect, reasons, dt, reset)


def _guessed(
    graph: NirGraph, dt: float | None, reset: str | None
) -> tuple[Dialect, tuple[str, ...]]:
    found = recognized(graph)
    if len(found) > 1:
        problems = [Problem(name, "; ".join(why), "one dialect") for name, why in found.items()]
        first = " or ".join(f"dialect {name}" for name in found)
        problems.append(Problem("dialect", "several fit", "one", f"give {first}"))
        raise SpecError(f"{graph.source}: several dialects fit", problems=problems)
    for name, why in found.items():
        return registry.load("dialect", name), why
    if dt is None or reset is None:
        names = ", ".join(registry.names("dialect"))
        fix = f"give the dialect, or dt and reset to read it by its equations ({LITERAL})"
        raise SpecError(
            f"{graph.source}: no exporter is recognized",
            problems=[Problem("dialect", "no marks of any", names, fix)],
        )
    return registry.load("dialect", LITERAL), ("no exporter is recognized, dt and reset given",)


def _settled(
    graph: NirGraph,
    dialect: Dialect,
    reasons: tuple[str, ...],
    dt: float | None,
    reset: str | None,
) -> Choice:
    problems: list[Problem] = []
    assumed: list[str] = []
    if dt is None and dialect.dt is not None:
        dt = dialect.dt
        assumed.append(f"dt = {dt:g} s: {dialect.dt_origin}")
    if dt is None:
        problems.append(Problem("dt", "not given, and in no file", "seconds > 0", "give dt"))
    if reset is None and dialect.reset is not None:
        reset = dialect.reset
        assumed.append(f"reset = {reset}: the only or the usual one of {dialect.title}")
    if reset is None:
        one = " or ".join(dialect.resets)
        problems.append(Problem("reset", "not given, and in no file", one, "give reset"))
    elif reset not in dialect.resets:
        meant = next((r for r in _SUBTRACTIONS if r in dialect.resets), None)
        if reset == "subtract" and meant is not None:
            reset = meant
            assumed.append(f"reset = {reset}: {dialect.title} {_SUBTRACTIONS[meant]}")
        else:
            problems.append(misspelt("reset", reset, dialect.resets))
    raise_if(SpecError, f"{graph.source}: dialect {dialect.name} needs more", problems)
    assert dt is not None
    exact: Reset = next(r for r in dialect.resets if r == reset)
    setting = Setting(float(dt), dialect.file_step(float(dt)), exact)
    return Choice(dialect, reasons, setting, tuple(assumed))


def euler(place: NeuronPlace, setting: Setting) -> Rule:
    """The equations of NIR by Euler's method with one step, potentials counted from v_reset::

        i += step / tau_syn (w_in x - i)          v += step / tau (v_leak - v + r i)

    An IF adds step r x, an I too; a Threshold looks at x itself. What NIR leaves open: v starts at
    v_reset, and a current acts in the step in which it comes.

    Raises:
        ArtifactError: a step is longer than a time constant.
    """
    node, size, step = place.node, place.size, setting.step
    zero, one = np.zeros(size), np.ones(size)
    if node.type == "Threshold":
        return Rule(zero, one, zero, one, zero, place.values("threshold"), "zero")
    reset, threshold = place.values("v_reset"), place.values("v_threshold", np.inf)
    alpha, input_gain = zero, one
    if node.type in ("CubaLIF", "CubaLI"):
        alpha = 1.0 - _share(place, "tau_syn", step)
        input_gain = place.values("w_in", 1.0) * (1.0 - alpha)
    if node.type in ("I", "IF"):
        beta, share, leak = one, step * one, zero
    else:
        share = _share(place, "tau_mem" if node.type.startswith("Cuba") else "tau", step)
        beta, leak = 1.0 - share, share * (place.values("v_leak") - reset)
    gain = share * place.values("r", 1.0)
    if setting.reset != "zero" and reset.any():
        problem = Problem(f"node {node.name!r}.v_reset", f"{reset[reset != 0][0]:g}", "0")
        fix = "what is subtracted is the threshold, and there is no potential to go to"
        raise ArtifactError("cannot be imported", problems=[replace(problem, fix=fix)])
    spikes = node.type in ("IF", "LIF", "CubaLIF")
    rule = Rule(alpha, input_gain, beta, gain, leak, threshold - reset, setting.reset)
    return replace(rule, spikes=spikes, origin=reset)


def _share(place: NeuronPlace, name: str, step: float) -> Float:
    """step / tau of a time constant; at most 1."""
    tau = place.values(name)
    share = step / tau
    # a time constant of one step, in 32 bits, may be a hair below it
    near = (share > 1.0) & (share < 1.0 + 1e-6)
    share = np.where(near, 1.0, share)
    wrong = ~(share <= 1.0)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        text = f"{tau[first]:g} at neuron {first} ({int(wrong.sum())} in all)"
        fix = "the step is longer than the time constant: give a shorter dt, or another dialect"
        problem = Problem(f"node {place.node.name!r}.{name}", text, f">= {step:g}, the step", fix)
        raise ArtifactError("cannot be imported", problems=[problem])
    return share


def refused(place: NeuronPlace, why: str, allowed: str) -> ArtifactError:
    """The error of a neuron that a framework does not have, or whose rule is not known."""
    problem = Problem(f"node {place.node.name!r}", f"{place.node.type}: {why}", allowed)
    return ArtifactError("cannot be imported", problems=[problem])


def batch_marks(graph: NirGraph) -> tuple[str, ...]:
    """That an input has more axes than the weights behind it ask for."""
    for node in graph.inputs:
        shape, sizes = node.arrays["shape"].reshape(-1), set()
        for name in graph.after[node.name]:
            weight = graph.nodes[name].arrays.get("weight")
            if weight is not None:
                sizes.add(weight.ndim - 1)
        if sizes and shape.size > max(sizes):
            return (f"an axis of a batch or of time in the shape of {node.name}",)
    return ()


def number_marks(graph: NirGraph) -> tuple[str, ...]:
    """That nodes between inputs and outputs are named 0, 1, 2 ..."""
    ends = {node.name for node in (*graph.inputs, *graph.outputs)}
    inner = [name for name in graph.nodes if name not in ends]
    numbered = inner and all(name.isdecimal() for name in inner)
    return (f"nodes are named {min(inner)} and so on",) if numbered else ()


def ratio_is(graph: NirGraph, pairs: dict[str, tuple[str, str]], step: float) -> bool:
    """Whether in every neuron, for its type, one parameter is another divided by the step.

    Args:
        graph: of the file.
        pairs: by type, the parameter and the time constant.
        step: in the unit of the file.
    """
    neurons = [node for node in graph.neurons if node.type in pairs]
    return bool(neurons) and all(
        np.allclose(
            node.parameter(pairs[node.type][0]),
            node.parameter(pairs[node.type][1]) / step,
            rtol=1e-3,
        )
        for node in neurons
    )
