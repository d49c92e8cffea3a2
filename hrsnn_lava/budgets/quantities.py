"""The numbers of a ``report.json`` that a budget can be set on, and their values.

::

    max_sops=20000                                    a name of the table below
    score.rmse_mean=0.3                               a score of the task, by its name
    max:sop.per_projection.exc_exc.operations=1000    any number of the report, dots between keys
    min:/comparison/0/vpt_0.1_steps_mean=5            the same as a JSON pointer (RFC 6901)

A report is read as plain data here, so that the gate needs nothing that made it. A value that
cannot be trusted is none, and says why: `measure`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from typing import TypeGuard

Path = tuple[str, ...]
#: A ``report.json``, or a part of one, as somebody wrote it: nothing is taken for granted.
ReportData = Mapping[str, object]
#: Which change of a number is for the worse; ``worse``: the report says it, as of a score.
Worse = Literal["higher", "lower", "worse"]
#: Magnitude beyond which a number is a mistake; shares of it still fit a double.
LARGEST = 1e300
#: Tables that the compiler fills on purpose, and the cores: how full they are says nothing.
FILLED = (
    "cores",
    "compartment_profiles",
    "threshold_profiles",
    "trace_profiles",
    "learning_epochs",
)
#: Not a path: the largest share of any limit of a core, see `core_fill`.
CORE_FILL: Path = ("constraints", "*", "fraction")
CORE_SOPS: Path = ("sop", "per_core", "*")
#: What the name of the row of a comparison ends with that holds the integers of the network.
INTEGERS = ", integers"
#: Factors from the unit of the report, SI or a share, to that of a budget.
_SCALES = {"µJ": 1e6, "pJ": 1e12, "mW": 1e3, "µJ s": 1e6, "µs": 1e6, "%": 100.0}
#: Units that are words.
_WORDS = ["core", "chip", "neuron", "synapse", "byte", "spike", "message", "hop", "update", "value"]


@dataclass(frozen=True)
class Quantity:
    """A number of a report.

    Attributes:
        name: without ``max_`` or ``min_``.
        unit: of a budget, which is `scale` times the unit of the report.
        paths: where the report may have it; the first that is there is taken.
        text: what it is, for people.
        scale: factor from the report's unit to `unit`.
        over: path of what it is divided by, such as the steps.
        worse: which change is for the worse.
        per_run: it grows with the length of the run.
        score: name of a score of the task; where and in which unit a report has it, the report
            says.
    """

    name: str
    unit: str
    paths: tuple[Path, ...]
    text: str
    scale: float = 1.0
    over: Path | None = None
    worse: Worse = "higher"
    per_run: bool = False
    score: str = ""

    @property
    def budget(self) -> str:
        """Name of the usual budget, such as ``max_sops``."""
        return f"{'max' if self.worse == 'higher' else 'min'}_{self.name}"

    @property
    def where(self) -> str:
        """The path that is read, for messages."""
        text = " or ".join(".".join(path) for path in self.paths)
        return text if self.over is None else f"{text} / {'.'.join(self.over)}"


def _q(
    name: str, unit: str, where: str, text: str, worse: Worse = "higher", per_run: bool = False
) -> Quantity:
    """A row of the table; `where` is a path, several joined by "or", and what divides it."""
    path_text, _, over = where.partition(" / ")
    paths = tuple(tuple(path.split(".")) for path in path_text.split(" or "))
    by = tuple(over.split(".")) if over else None
    return Quantity(name, unit, paths, text, _SCALES.get(unit, 1.0), by, worse, per_run)


_run = partial(_q, per_run=True)
_gain: partial[Quantity] = partial(_q, worse="lower")
_TABLE = (
    _run("sops", "SOP", "sop.total", "synaptic operations of the run"),
    _q("sops_per_step", "SOP", "sop.per_step", "synaptic operations a step, mean"),
    _q("sops_peak_step", "SOP", "sop.per_step_max", "synaptic operations of the busiest step"),
    _q("sops_per_inference", "SOP", "sop.per_sample", "synaptic operations a sample, mean"),
    _q("sops_worst_inference", "SOP", "per_sample.sops.max", "those of the dearest sample"),
    _run("sops_issued", "SOP", "sop.issued", "operations with weights of 0"),
    _run("sops_busiest_core", "SOP", "sop.per_core.*", "operations of one core"),
    _run("macs", "MAC", "sop.macs", "graded operations on the chip"),
    _run("host_macs", "MAC", "sop.host_macs", "multiplications of the host"),
    _run("energy_uj", "µJ", "energy.total_j", "energy of the run"),
    _run("energy_high_uj", "µJ", "energy.total_high_j", "the same, dearest"),
    _q("energy_uj_per_inference", "µJ", "energy.per_sample_j", "energy a sample"),
    _q("energy_uj_worst_inference", "µJ", "per_sample.total_j.max", "energy of the dearest sample"),
    _q("energy_uj_per_step", "µJ", "energy.per_step_j", "energy a step"),
    _run("dynamic_energy_uj", "µJ", "energy.dynamic_j", "energy without static power"),
    _q(
        "dynamic_energy_uj_per_inference",
        "µJ",
        "energy.dynamic_j / energy.samples",
        "the same a sample",
    ),
    _q("dynamic_energy_uj_per_step", "µJ", "energy.dynamic_j / activity.steps", "the same a step"),
    _q("energy_pj_per_sop", "pJ", "energy.total_j / sop.total", "energy over synaptic operations"),
    _q("power_mw", "mW", "energy.total_j / energy.wall_time_s", "mean power"),
    _run("energy_delay_ujs", "µJ s", "timing.energy_delay_js", "energy times wall time"),
    _q("step_time_us", "µs", "timing.step_mean_s", "estimated time of a step"),
    _q("slowest_step_us", "µs", "timing.step_max_s", "that of the slowest step"),
    _q("cores", "core", "mapping.cores", "cores in use"),
    _q("chips", "chip", "mapping.chips", "chips in use"),
    _q("neurons", "neuron", "network.neurons", "neurons"),
    _q("synapses", "synapse", "network.synapses", "synapses"),
    _q("footprint_bytes", "byte", "neurobench.Footprint", "NeuroBench's footprint"),
    _q(
        "footprint_on_chip_bytes",
        "byte",
        "neurobench.footprint_on_chip_bytes",
        "weights, indices and neurons at their bit widths",
    ),
    _q(
        "core_fill_percent",
        "%",
        "constraints.*.fraction",
        "fullest resource of a core; tables that are filled on purpose left out",
    ),
    _run("spikes", "spike", "activity.spikes", "spikes of the run"),
    _q("spikes_per_step", "spike", "activity.spikes / activity.steps", "spikes a step"),
    _q("spikes_per_inference", "spike", "activity.spikes / energy.samples", "spikes a sample"),
    _q("rate_hz", "Hz", "activity.rate_hz", "mean rate of a neuron"),
    _run("messages", "message", "activity.messages", "one per spike and target core"),
    _q("messages_per_step", "message", "activity.messages / activity.steps", "the same a step"),
    _q(
        "inter_chip_messages_per_step",
        "message",
        "mapping.inter_chip_messages_per_step",
        "messages between chips a step",
    ),
    _run("hops", "hop", "activity.hops", "hops of all messages"),
    _q("hops_per_step", "hop", "activity.hops / activity.steps", "the same a step"),
    _q("mean_hops", "hop", "mapping.mean_hops", "hops of a message, mean"),
    _q("longest_hops", "hop", "activity.max_hops", "hops of the farthest message"),
    _run("learning_updates", "update", "activity.learning_updates", "updates of learning synapses"),
    _q("mismatches", "value", "parity.mismatches", "differences between backends"),
    _q("findings", "", "findings_count.serious", "findings that are errors or warnings"),
    _run("wraps", "", "activity.wraps", "currents that left their 24 bits and wrapped"),
    _run("saturations", "", "activity.saturations", "neuron steps at an end of v"),
    _q(
        "rmse",
        "",
        "accuracy.rmse_pruned_integer or accuracy.integer.rmse or accuracy.rmse",
        "error of the integer network",
    ),
    _q("rmse_ratio", "", "accuracy.rmse_ratio_integer", "error of the integers over floats"),
    _gain(
        "accuracy",
        "",
        "accuracy.accuracy_integer or accuracy.integer.accuracy or accuracy.accuracy",
        "score of the integer network, in the unit of the report",
    ),
    _gain(
        "gain_over_random",
        "",
        "spread.against.random.integers.gain or spread.against.random.float.gain",
        "mean over seeds by which the score is better than that of random pruning",
    ),
    _gain("sop_ratio", "", "sop.ratio", "operations of the unpruned run over these"),
    _gain("connection_sparsity", "", "neurobench.ConnectionSparsity", "absent synapses"),
    _gain("activation_sparsity", "", "neurobench.ActivationSparsity", "silent steps"),
    _gain(
        "throughput_steps_per_s",
        "step/s",
        "timing.throughput_steps_per_s",
        "estimated steps a second",
    ),
)
QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _TABLE}
#: What one also says, mostly against a baseline.
ALIASES = {"energy": "energy_uj", "sop": "sops", "energy_per_step": "energy_uj_per_step"}
_BY_PATH = {q.paths[0]: q for q in QUANTITIES.values() if q.over is None}
#: Parts of a report whose numbers add up over the steps, and those of them that do not.
_ADD_UP = {"sop", "activity", "energy", "energy_by_cost_set", "timing"}
_MEANS = {
    "step",
    "sample",
    "second",
    "ratio",
    "rate",
    "mean",
    "max",
    "coefficient",
    "sop",
    "factor",
}
_FIXED = {"coefficient_j", "steps", "dt_s", "samples", "power_w", "chips", "synapses"}
_UNITS = {"j": "J", "s": "s", "w": "W", "hz": "Hz", "js": "J s"}


def parts(text: str) -> Path:
    """The keys of a path in dots, or of a JSON pointer.

    Raises:
        ValueError: an empty key, or an escape that RFC 6901 does not know.
    """
    if text.startswith("/"):
        keys = text[1:].split("/")
        if any("~" in key.replace("~0", "").replace("~1", "") for key in keys):
            raise ValueError("in a JSON pointer, ~ is written ~0 and / is written ~1")
        return tuple(key.replace("~1", "/").replace("~0", "~") for key in keys)
    keys = text.split(".")
    if not all(keys):
        raise ValueError("an empty key; names with dots need the form /a/b.c/d")
    return tuple(keys)


def of_path(path: Path) -> Quantity:
    """The number at a path, in the report's own unit; what no row knows is worse when higher."""
    units = [_UNITS.get(key.rpartition("_")[2], "") for key in reversed(path) if "_" in key]
    name, unit = ".".join(path), next((unit for unit in units if unit), "")
    if path in _BY_PATH:
        return replace(_BY_PATH[path], name=name, unit=unit, scale=1.0)
    words = [part for key in path[1:] for part in key.split("_")]
    adds = path[0] in _ADD_UP and path[-1] not in _FIXED and _MEANS.isdisjoint(words)
    return Quantity(name, unit, (path,), "a number of the report", per_run=adds)


def near(name: str) -> str:
    """Known names close to `name`, or all of them."""
    bare = name.removeprefix("max_").removeprefix("min_")
    names = [QUANTITIES[n].budget for n in difflib.get_close_matches(bare, QUANTITIES, 3, 0.5)]
    if names:
        return f"did you mean {' or '.join(names)}?"
    every = ", ".join(quantity.budget for quantity in QUANTITIES.values())
    return f"one of {every}, score.NAME, or max:PATH and min:PATH"


def of_score(key: str) -> Quantity | None:
    """The score that a key such as ``score.rmse_mean`` names; None where it names none."""
    name = key.removeprefix("score.")
    if name == key or not name:
        return None
    return Quantity(key, "", (("comparison",),), "a score of the task", worse="worse", score=name)


def _score_in(report: ReportData, quantity: Quantity) -> Quantity:
    """Where a report has a score: in the row of the integers, else in that of the pruned network.

    Raises:
        LookupError: it has no such score, or no network to take it of.
    """
    described = {str(row.get("name")): row for row in rows(report, "scores")}
    score = described.get(quantity.score)
    if score is None:
        close = difflib.get_close_matches(quantity.score, described, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        listed = ", ".join(described) or "none"
        raise LookupError(f"the report has no score {quantity.score!r}{hint}; there are: {listed}")
    if score.get("better") is None:
        raise LookupError(f"the score {quantity.score!r} is neither good nor bad")
    names = [str(row.get("name")) for row in rows(report, "comparison")]
    if not names:
        raise LookupError("the report compares no networks, so it has no scores")
    integers = (k for k, name in enumerate(names) if name.endswith(INTEGERS))
    # the unpruned network is the first row, the pruned one the second
    row = next(integers, min(1, len(names) - 1))
    return replace(
        quantity,
        unit=str(score.get("unit") or ""),
        paths=(("comparison", str(row), quantity.score),),
        worse="lower" if score.get("better") == "higher" else "higher",
    )


@dataclass(frozen=True)
class MeasuredQuantity:
    """A quantity as a report has it.

    Attributes:
        quantity: what was measured; of a score, as this report describes it.
        value: in the unit of the quantity; None when the report does not have it.
        reason: why not.
        proxy: it rests on prices of another chip.
    """

    quantity: Quantity
    value: float | None
    reason: str = ""
    proxy: bool = False


def measure(report: ReportData, quantity: Quantity) -> MeasuredQuantity:
    """The value of a quantity in a report, or why there is none."""
    if quantity.score:
        try:
            quantity = _score_in(report, quantity)
        except LookupError as error:
            return MeasuredQuantity(quantity, None, str(error))
    value, where, reason = None, quantity.paths[0], ""
    for path in quantity.paths:
        try:
            value, where = at(report, path), path
            break
        except LookupError as error:
            reason = reason or str(error)
    else:
        if len(quantity.paths) > 1:
            reason = f"the report has none of {', '.join('.'.join(p) for p in quantity.paths)}"
        return MeasuredQuantity(quantity, None, reason + _unrun(report, where))
    reason = _obstacle(report, where, value)
    if reason or not is_number(value):
        return MeasuredQuantity(quantity, None, reason, _proxy(report, where))
    if abs(value) > LARGEST:
        return MeasuredQuantity(quantity, None, f"{'.'.join(where)} is out of range")
    if quantity.over is not None:
        by = _divisor(report, quantity.over)
        if not by:
            over = ".".join(quantity.over)
            return MeasuredQuantity(quantity, None, f"{over} is {'0' if by == 0 else 'not known'}")
        value = value / by
    if quantity.scale != 1.0:
        value = value * quantity.scale
    if not abs(value) <= LARGEST:
        return MeasuredQuantity(quantity, None, f"{'.'.join(where)} is out of range")
    return MeasuredQuantity(quantity, value, "", _proxy(report, where))


#: Values that hold static energy in the share that the run's total has.
_WITH_STATIC = ("energy.total_j", "energy.per_sample_j", "energy.per_step_j", "per_second.total_w")


def static_share(report: ReportData, where: str) -> float | None:
    """The share of static energy, 0..1, in a value that is read at `where`; None for others."""
    if where.partition(" / ")[0] not in _WITH_STATIC:
        return None
    energy = table(report, "energy")
    static, total = energy.get("static_j"), energy.get("total_j")
    if not is_number(static) or not is_number(total) or not 0 < static <= total:
        return None
    return static / total


def shown(value: float | None, unit: str = "") -> str:
    """A number for people: counts whole, other numbers in six digits, with the unit."""
    if value is None:
        return "not known"
    whole = isinstance(value, int) or (abs(value) < 1e15 and float(value).is_integer())
    text = f"{int(value):,}" if whole else f"{value:,.6g}"
    return f"{text} {unit}{'s' if unit in _WORDS and value != 1 else ''}".rstrip()


def _divisor(report: ReportData, path: Path) -> float | None:
    try:
        value = at(report, path)
    except LookupError:
        return None
    return value if is_number(value) and not _obstacle(report, path, value) else None


def _obstacle(report: ReportData, path: Path, value: object) -> str:
    """Why a value must not be taken for what it seems; empty when it may."""
    name = ".".join(path)
    if value is None:
        return f"{name} is null{_unpriced(report, path)}{_unrun(report, path)}"
    if not is_number(value):
        return f"{name} is no number"
    sop = table(report, "sop")
    if path[0] == "sop" and sop.get("inputs_known") is False and path[1] != "host_macs":
        return f"{name} is a lower bound: the trace does not hold its input spikes"
    if ("dynamic_j" in path or "dynamic_w" in path) and _unpriced(report, path):
        return f"{name} is incomplete{_unpriced(report, path)}"
    backends = table(report, "parity").get("backends")
    if path == ("parity", "mismatches") and (not _is_list(backends) or len(backends) < 2):
        return f"{name} says nothing: fewer than two backends were compared"
    return ""


def _unpriced(report: ReportData, path: Path) -> str:
    if path[0] == "timing":
        unknown = table(report, "timing").get("unknown")
        names = [str(name) for name in unknown] if _is_list(unknown) else []
        return f": not known: {', '.join(names)}" if names else ""
    if path[0] not in ("energy", "energy_by_cost_set", "per_sample", "per_second"):
        return ""
    unpriced = _prices(report, path).get("unpriced")
    terms = unpriced if _is_list(unpriced) else ()
    names = [str(term.get("name") if isinstance(term, Mapping) else term) for term in terms]
    if "dynamic_j" in path or "dynamic_w" in path:
        names = [name for name in names if name != "static power"]
    return f": no price for {', '.join(names)}" if names else ""


def _unrun(report: ReportData, path: Path) -> str:
    if table(report, "activity").get("steps") is None and path[0] not in ("network", "mapping"):
        return "; the report was made without a run"
    if path[-1] in ("samples", "per_sample", "per_sample_j"):
        return "; the report states no number of samples; `hrsnn-lava report --samples N` does"
    return ""


def _proxy(report: ReportData, path: Path) -> bool:
    priced = _prices(report, path).get("proxy") is True
    if path[0] == "timing":
        delay = path[-1] == "energy_delay_js" and priced
        return delay or table(report, "timing").get("proxy") is True
    joules = any(key.endswith(("_j", "_w")) for key in path)
    about = path[0] in ("energy", "energy_by_cost_set")
    return priced and (about or (path[0] in ("per_sample", "per_second") and joules))


def _prices(report: ReportData, path: Path) -> ReportData:
    """The energy that a path belongs to: one of the table of cost sets, or the report's."""
    if path[0] != "energy_by_cost_set":
        return table(report, "energy")
    try:
        prices = at(report, path[:2])
    except LookupError:
        return {}
    return prices if isinstance(prices, Mapping) else {}


def table(report: ReportData, key: str) -> ReportData:
    """A part of a report; an empty table where it has none."""
    part = report.get(key)
    return part if isinstance(part, Mapping) else {}


def rows(report: ReportData, key: str) -> list[ReportData]:
    """The tables of a part of a report that is a list; none where it is not there."""
    part = report.get(key)
    return [row for row in part if isinstance(row, Mapping)] if _is_list(part) else []


def at(report: ReportData, path: Path) -> object:
    """What a report holds at a path.

    Raises:
        LookupError: it has nothing there; the message says how far the path leads.
    """
    if path == CORE_FILL:
        return core_fill(report)
    if path == CORE_SOPS:
        return _largest(at(report, path[:-1]))
    value: object = report
    for k, key in enumerate(path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif _is_list(value) and key.isdecimal() and len(key) < 9 and int(key) < len(value):
            value = value[int(key)]
        else:
            raise LookupError(_missing(value, path, k))
    return value


def core_fill(report: ReportData) -> float | None:
    """Largest share that any core uses of a limit that is known."""
    if not _is_list(report.get("constraints")):
        raise LookupError("the report has no constraints")
    limits = [row for row in rows(report, "constraints") if row.get("rule") not in FILLED]
    return _largest([row.get("fraction") for row in limits])


def is_number(value: object) -> TypeGuard[float]:
    """True for what a budget can be set on."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _largest(values: object) -> float | None:
    return max((v for v in values if is_number(v)), default=None) if _is_list(values) else None


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _missing(value: object, path: Path, k: int) -> str:
    place = ".".join(path[:k]) or "the report"
    if isinstance(value, Mapping):
        close = difflib.get_close_matches(path[k], [str(key) for key in value], n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return f"{place} has no {path[k]!r}{hint}"
    if _is_list(value):
        return f"{place} has {len(value)} entries, none of them {path[k]!r}"
    return f"{place} is {'null' if value is None else 'no table'}"


def steps_of(report: ReportData) -> float | None:
    """Steps of the run; None without one."""
    steps = table(report, "activity").get("steps")
    return steps if is_number(steps) else None
