"""Passes in order: the network is valid before and after each, and each leaves a record.

`Pipeline.default(profile).run(network, context)` is the whole way to a chip. A user's list may hold
any pass: what it does not name is put where it belongs::

    quantize, canonical, plan_thresholds, partition, palette, absorb_thresholds, place

Float passes, such as pruning, come before `quantize`, in the order in which they were given.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrsnn_lava.artifacts.container import plain, rounded
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds, PlanThresholds
from hrsnn_lava.compiler.passes.canonical import Canonical
from hrsnn_lava.compiler.passes.palette import Palette
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.findings import Finding
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import options_of
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.spelling import did_you_mean

AnyPass = Pass[Any, Any]
#: The passes that every program goes through, in order; the only list of them.
DEFAULT: tuple[type[AnyPass], ...] = (
    Quantize,
    Canonical,
    PlanThresholds,
    Partition,
    Palette,
    AbsorbThresholds,
    Place,
)
#: Odd, so that passes of others have room before each.
_POSITION: Mapping[str, int] = {cls.name: 2 * k + 1 for k, cls in enumerate(DEFAULT)}
#: The default pass before which a pass of another name goes, by what it takes.
_BEFORE = {"float": "quantize", "integer": "plan_thresholds", "mapped": "palette"}


@dataclass(frozen=True)
class History:
    """What happened to a network before the pipeline got it.

    Attributes:
        records: of passes that were applied already.
        synapses_before: before pruning; None: as many as the network has that comes in.
    """

    records: tuple[PassRecord, ...] = ()
    synapses_before: int | None = None


def run_pass(network: Any, step: AnyPass, context: Context | None = None) -> tuple[Any, PassRecord]:
    """Apply one pass to a valid network and verify the result; returns the record too."""
    output, records = run_passes(network, (step,), context)
    empty = PassRecord(step.name, _options(step), _sizes(network), _sizes(output))
    return output, next(iter(records), empty)


def _applied(network: Any, step: AnyPass, context: Context) -> tuple[Any, PassRecord | None]:
    """One pass, and its record; None where it found nothing to do."""
    context.progress(step.name)
    step = step.settled(context) if isinstance(step, Pass) else step
    before, started = _sizes(network), time.perf_counter()
    output, report = step.apply(network, context)
    output.verify()
    seconds = time.perf_counter() - started
    if report is None:
        return output, None
    measured = dict(report)
    listed = measured.pop("findings", ())
    findings = tuple(f if isinstance(f, Finding) else Finding.from_dict(f) for f in listed)
    record = PassRecord(
        step.name,
        _options(step),
        before,
        _sizes(output),
        seconds,
        rounded(plain(measured)),
        findings,
    )
    return output, record


def run_passes(
    network: Any, passes: Iterable[AnyPass], context: Context | None = None
) -> tuple[Any, tuple[PassRecord, ...]]:
    """Apply `passes` in order; the network is valid before and after every one of them.

    Passes leave `amends` in their report for what an earlier record should say by now.
    """
    network.verify()
    steps = tuple(passes)
    _require_passes(steps)
    context = (context or Context()).settled(steps)
    records: list[PassRecord] = []
    for step in steps:
        network, record = _applied(network, step, context)
        if record is not None:
            records = _amended(records, record)
    return network, tuple(records)


def _amended(records: list[PassRecord], new: PassRecord) -> list[PassRecord]:
    """The records with the new one, which may correct reports of earlier ones."""
    report = dict(new.report)
    amends: Mapping[str, Mapping[str, Any]] = report.pop("amends", {})
    corrected = [replace(r, report={**r.report, **amends.get(r.name, {})}) for r in records]
    return [*corrected, replace(new, report=report)]


def _sizes(network: Any) -> dict[str, int]:
    return {"neurons": int(network.n_neurons), "synapses": int(network.n_synapses)}


def _options(step: AnyPass) -> dict[str, Any]:
    """The options of a pass, as a record shows them."""
    values: dict[str, Any] = options_of(step) if dataclasses.is_dataclass(step) else {}
    return dict(plain(values))


@brief("chip=profile.name", "passes")
@dataclass(frozen=True)
class Pipeline:
    """Passes in the order in which they run, and the chip that they lead to.

    Attributes:
        profile: the chip.
        passes: float passes, then `quantize` and what follows it.
    """

    profile: HardwareProfile
    passes: tuple[AnyPass, ...]

    @staticmethod
    def default(
        profile: HardwareProfile, passes: Sequence[AnyPass] = (), *, quantized: bool = False
    ) -> Pipeline:
        """All passes that lead to a program, with those of the user in their places.

        Args:
            profile: the chip.
            passes: of the user; one of a default pass's name takes its place.
            quantized: the network that will come in consists of integers already.

        Raises:
            SpecError: what is no pass, passes in an order in which they cannot run, two of one
                default pass, or float passes for integers.
        """
        _require_passes(passes)
        names = [step.name for step in passes]
        missing_passes = [cls for cls in DEFAULT[int(quantized) :] if cls.name not in names]
        absorb = _absorption(passes)
        steps: list[AnyPass] = []
        reached = 0
        for step in passes:
            position = _position(step, reached)
            if quantized and position <= _POSITION[Quantize.name]:
                raise SpecError("passes change float networks; this one is quantized already")
            if position < reached or (position == reached and step.name in _POSITION):
                measured = f"after {steps[-1].name!r}" if position < reached else "twice"
                allowed = "in the order of work" if position < reached else "once"
                problem = Problem(step.name, measured, allowed)
                raise SpecError("the passes are in no order that can run", problems=[problem])
            reached = position
            while missing_passes and _POSITION[missing_passes[0].name] < position:
                steps.append(_default_pass(missing_passes.pop(0), absorb))
            steps.append(step)
        steps += [_default_pass(cls, absorb) for cls in missing_passes]
        return Pipeline(profile, tuple(steps))

    def run(
        self,
        network: Network | QuantizedNetwork,
        context: Context | None = None,
        history: History | None = None,
    ) -> CompiledNetwork:
        """Compile a network for the chip.

        Raises:
            SpecError: the network cannot be expressed in the chip's integers.
            CapacityError: it does not fit; every violation is listed.
        """
        context = replace(context or Context(), profile=self.profile)
        history = history or History()
        before = history.synapses_before
        before = network.n_synapses if before is None else before
        mapped, records = run_passes(network, self.passes, context)
        if not isinstance(mapped, Mapped) or mapped.plan is not None:
            raise SpecError("the passes end before the network is on its cores")
        program = mapped.network
        if isinstance(network, QuantizedNetwork) and network.findings:
            program = replace(program, findings=network.findings)
        return CompiledNetwork(
            program,
            self.profile,
            mapped.on_cores,
            (*history.records, *records),
            context.seed,
            synapses_before=before,
        ).verify()


def _require_passes(steps: Any) -> None:
    """Raises `SpecError` for everything that is no pass: a class that was not called, a name."""
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise SpecError(f"passes: {steps!r}; allowed: a list of passes")
    problems = []
    for index, step in enumerate(steps):
        if isinstance(step, type):
            problems.append(Problem(f"passes[{index}]", f"a class, {step.__name__}", "an object"))
        elif not (isinstance(getattr(step, "name", None), str) and hasattr(step, "apply")):
            problems.append(Problem(f"passes[{index}]", repr(step), "a pass, such as Quantize()"))
    if problems:
        raise SpecError("what is given is no pass", problems=problems)


def _position(step: AnyPass, reached: int) -> int:
    """Where a pass goes; one that is no default one before the first that needs more than it gives.

    Args:
        reached: position of the pass before it.
    """
    if step.name in _POSITION:
        return _POSITION[step.name]
    takes = getattr(step, "takes", "float")
    position = _POSITION[_BEFORE[takes]] - 1
    return max(position, reached) if takes == "mapped" else position


def _absorption(passes: Iterable[AnyPass]) -> AbsorbThresholds:
    """Which thresholds are absorbed: planned before the partition and done after the palette, both
    by one set of options, whichever of the two passes states them."""
    stated = [
        step.absorb if isinstance(step, PlanThresholds) else step
        for step in passes
        if isinstance(step, (AbsorbThresholds, PlanThresholds))
    ]
    if any(step != stated[0] for step in stated):
        problem = Problem("absorb_thresholds", f"{stated[0]} and {stated[1]}", "one, given once")
        raise SpecError("the passes do not fit each other", problems=[problem])
    return stated[0] if stated else AbsorbThresholds()


def _default_pass(cls: type[AnyPass], absorb: AbsorbThresholds) -> AnyPass:
    if cls is PlanThresholds:
        return PlanThresholds(absorb)
    return absorb if cls is AbsorbThresholds else cls()


def _with_named(passes: Iterable[AnyPass], named_passes: Iterable[AnyPass]) -> list[AnyPass]:
    """A list of passes with those that were given by their names in their places."""
    steps = list(passes)
    for step in named_passes:
        reached, place = 0, len(steps)
        for index, other in enumerate(steps):
            reached = _position(other, reached)
            if reached > _POSITION[step.name]:
                place = index
                break
        steps.insert(place, step)
    return steps


def compile_network(
    network: Network | QuantizedNetwork,
    profile: HardwareProfile,
    passes: Sequence[AnyPass] | None = None,
    **options: Any,
) -> CompiledNetwork:
    """Compile a network for a chip.

    Args:
        network: float, or integer already (then `passes` may hold no float passes).
        profile: the chip.
        passes: any passes, in order; those that every program needs are put in where missing.
        **options: of the compilation: `seed`, `rates` and `input_rates` (or a whole `observed`),
            `input_range`, `pruned`, `progress`; a pass by its name, as an object or a table of
            options (``partition={"tolerance": 0.1}``); or an option that one pass alone has
            (``weight_bits=4``).

    Returns:
        A verified `CompiledNetwork`.

    Raises:
        SpecError: an unknown or ambiguous option, or a network that has no integers.
        CapacityError: it does not fit; every violation is listed.
    """
    if not isinstance(network, (Network, QuantizedNetwork)):
        what = type(network).__name__
        raise SpecError(f"network: a {what}; allowed: a Network or a QuantizedNetwork")
    context, named_passes = _sorted_options(profile, options)
    passes = () if passes is None else passes
    _require_passes(passes)
    steps = _with_named(passes, named_passes)
    quantized = isinstance(network, QuantizedNetwork)
    return Pipeline.default(profile, steps, quantized=quantized).run(network, context)


_OF_CONTEXT = ("seed", "observed", "rates", "input_rates", "input_range", "pruned", "progress")


def _sorted_options(
    profile: HardwareProfile, options: Mapping[str, Any]
) -> tuple[Context, list[AnyPass]]:
    """Options of the context, and passes made of the others."""
    settings = {k: v for k, v in options.items() if k in _OF_CONTEXT and v is not None}
    rates = {k: settings.pop(k) for k in ("rates", "input_rates") if k in settings}
    if rates and "observed" in settings:
        raise SpecError("rates and observed say the same in two ways; give one of them")
    settings.setdefault("observed", Observed(**rates))
    by_name = {cls.name: cls for cls in DEFAULT if cls is not PlanThresholds}
    by_name |= {"absorb": AbsorbThresholds}
    passes: dict[str, AnyPass] = {}
    tables: dict[str, dict[str, Any]] = {}
    for key, value in options.items():
        if key in _OF_CONTEXT or value is None:
            continue
        if key in by_name:
            name = by_name[key].name
            if isinstance(value, Mapping):
                tables.setdefault(name, {}).update(value)
            elif getattr(value, "name", None) == name:
                passes[name] = value
            else:
                problem = Problem(key, repr(value), f"a pass {name!r}, or a table of its options")
                raise SpecError("options of the compilation", problems=[problem])
            continue
        owners = [cls for cls in by_name.values() if key in _fields(cls)]
        owners = list(dict.fromkeys(owners))
        if len(owners) != 1:
            choices = [f"{cls.name}={{{key!r}: ...}}" for cls in owners]
            allowed = choices or sorted({*_OF_CONTEXT, *by_name, *_unique_fields(by_name)})
            near = "" if choices else did_you_mean(key, allowed)
            problem = Problem(key, f"{value!r:.60}", ", ".join(allowed), near)
            raise SpecError("options of the compilation", problems=[problem])
        tables.setdefault(owners[0].name, {})[key] = value
    for name, table in tables.items():
        base: Any = passes.get(name)
        passes[name] = by_name[name](**table) if base is None else replace(base, **table)
    return Context(profile, **settings), list(passes.values())


def _fields(cls: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(cls)]


def _unique_fields(by_name: Mapping[str, type[AnyPass]]) -> list[str]:
    every = [field for cls in set(by_name.values()) for field in _fields(cls)]
    return [field for field in every if every.count(field) == 1]
