"""Energy of a run: counts times published prices, and never a silent zero.

::

    dynamic = sum over terms of count * coefficient      static = P_static * chips * T_wall
    total   = dynamic + static,  T_wall = steps * step_time

`total_j` is None as soon as a term with a count has no price, a count is not known, or the
static power is not known; `unpriced` names each of them. What the host does is no part of a
chip's cost set: `excluded` names it with its count. An all-in cost set is one price that holds
everything, static power too, so nothing is added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hrsnn_lava.compiler.analysis.activity import Activity
from hrsnn_lava.compiler.analysis.synops import SynapticOperations
from hrsnn_lava.compiler.compiled import plain
from hrsnn_lava.errors import Problem, ProfileError, SpecError, raise_if
from hrsnn_lava.hardware_profiles import COUNT_KEYS, CostSet, CountKey, HardwareProfile

#: Counts by name; None: it happens, and how often is not known.
Counts = Mapping[CountKey, int | None]
_NO_SET = "no cost set for this chip; name one of another chip to get a proxy"
#: Split of the plain count of updates; without a cost set it is named once.
_SPLIT = ("neuron_updates_active", "neuron_updates_inactive")


@dataclass(frozen=True)
class Term:
    """One line: count times coefficient, joules.

    Attributes:
        name, key: as the cost set prints it, and the count it multiplies.
        count: how often; None when not known.
        coefficient_j, energy_j: None when not known.
        source, evidence, condition: of the coefficient.
        proxy: the price is one of another chip.
    """

    name: str
    key: str
    count: int | None
    coefficient_j: float | None
    energy_j: float | None
    source: str
    evidence: str
    condition: str
    proxy: bool


@dataclass(frozen=True)
class Left:
    """A count without a price, or outside the scope: its name, how often, and why."""

    name: str
    count: int | None
    reason: str


@dataclass(frozen=True)
class StaticPower:
    """Power of idle chips over the wall time; `power_w` and `energy_j` None when not known."""

    power_w: float | None
    energy_j: float | None
    chips: int
    source: str
    evidence: str
    condition: str
    proxy: bool


@dataclass(frozen=True)
class Energy:
    """Energy of a run in joules.

    Attributes:
        cost_set, title, scope: of the prices; None without a cost set.
        evidence: kinds of evidence that the prices rest on.
        proxy: the prices are those of another chip.
        terms: one per coefficient.
        covered: counts that the set prices within other terms.
        unpriced: counts without a price; any of them makes `total_j` None.
        excluded: what the host does, outside the scope of a chip's prices.
        dynamic_j: sum of the terms that have a price.
        static: idle power over the wall time.
        steps, step_time_s, wall_time_s: the run, and the real time it is taken to last.
        total_j: dynamic and static, or None.
        samples: inputs classified or forecast, for `per_sample_j`.
    """

    cost_set: str | None
    title: str | None
    scope: str | None
    evidence: tuple[str, ...]
    proxy: bool
    terms: tuple[Term, ...]
    covered: tuple[Left, ...]
    unpriced: tuple[Left, ...]
    excluded: tuple[Left, ...]
    dynamic_j: float | None
    static: StaticPower
    steps: int
    step_time_s: float
    wall_time_s: float
    total_j: float | None
    samples: float | None = None

    @property
    def per_step_j(self) -> float | None:
        """Total per step."""
        return None if self.total_j is None or not self.steps else self.total_j / self.steps

    @property
    def per_sample_j(self) -> float | None:
        """Total per sample."""
        return None if self.total_j is None or not self.samples else self.total_j / self.samples

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a report holds them."""
        found: dict[str, Any] = plain(asdict(self))
        return {
            **found,
            "static_j": self.static.energy_j,
            "per_step_j": self.per_step_j,
            "per_sample_j": self.per_sample_j,
        }


def event_counts(ops: SynapticOperations, done: Activity) -> dict[CountKey, int | None]:
    """The counts that cost sets price, from what a run did."""
    known = ops.inputs_known
    return {
        "synaptic_operations": ops.total if known else None,
        "macs": ops.macs if known else None,
        "neuron_updates": done.neuron_updates,
        "neuron_updates_active": done.neuron_updates,
        "neuron_updates_inactive": 0,
        "spikes": done.spikes,
        "messages": done.messages,
        "hops_x": done.hops_x,
        "hops_y": done.hops_y,
        "learning_updates": done.learning_updates,
    }


def host_work(ops: SynapticOperations, done: Activity) -> tuple[Left, ...]:
    """What the host does for a run, which no chip's cost set prices."""
    work = (
        ("host multiplications", ops.host_macs, "the host computes the held input of every bias"),
        (
            "bias writes",
            ops.bias_writes,
            "the host sets biases; no figure for a write is published",
        ),
        ("input messages", done.input_messages, "the host sends them; their way is not known"),
    )
    return tuple(Left(name, count, reason) for name, count, reason in work if count)


def energy(
    counts: Counts,
    cost_set: CostSet | None,
    profile: HardwareProfile,
    steps: int,
    step_time_s: float = 1e-3,
    n_chips: int = 1,
    *,
    excluded: tuple[Left, ...] = (),
    samples: float | None = None,
) -> Energy:
    """Price the counts of a run.

    Args:
        counts: of the whole run; a key that is missing, or None, is not known.
        cost_set: prices; None leaves every count unpriced.
        profile: the chip that was run; another chip's prices are a proxy.
        steps: of the run.
        step_time_s: real time of a step, which the static energy rests on.
        n_chips: chips that are powered.
        excluded: host work, see `host_work`.
        samples: inputs that the run processed.

    Raises:
        SpecError: a count, the step time or the number of chips is out of range.
        ProfileError: an all-in cost set with further terms.
    """
    _check(counts, steps, step_time_s, n_chips, samples)
    wall = steps * step_time_s
    if cost_set is None:
        return _without_prices(counts, steps, step_time_s, n_chips, excluded, samples)
    all_in = cost_set.scope == "all_in"
    if all_in and (len(cost_set.coefficients) != 1 or cost_set.static.known()):
        raise ProfileError(
            f"cost set {cost_set.name!r} is all-in: one price that holds everything; "
            "nothing may be added to it"
        )
    proxy = cost_set.is_proxy_for(profile)
    terms = tuple(_term(c, counts.get(c.count), proxy) for c in cost_set.coefficients)
    static = _static(cost_set, wall, n_chips, proxy)
    unpriced = [_missing(t) for t in terms if t.energy_j is None]
    if not all_in and static.energy_j is None:
        unpriced.append(Left("static power", None, static.source))
    dynamic = sum((t.energy_j for t in terms if t.energy_j is not None), 0.0)
    return Energy(
        cost_set=cost_set.name,
        title=cost_set.title,
        scope=cost_set.scope,
        evidence=tuple(cost_set.evidence),
        proxy=proxy,
        terms=terms,
        covered=tuple(Left(c.count, counts.get(c.count), c.reason) for c in cost_set.covered),
        unpriced=tuple(unpriced),
        excluded=excluded,
        dynamic_j=dynamic,
        static=static,
        steps=steps,
        step_time_s=step_time_s,
        wall_time_s=wall,
        total_j=None if unpriced else dynamic + (static.energy_j or 0.0),
        samples=samples,
    )


def _check(
    counts: Counts, steps: int, step_time_s: float, n_chips: int, samples: float | None
) -> None:
    problems = []
    for key, count in counts.items():
        if key not in COUNT_KEYS:
            problems.append(Problem("counts", repr(key), ", ".join(COUNT_KEYS)))
        elif count is not None and count < 0:
            problems.append(Problem(f"counts.{key}", str(count), ">= 0"))
    if not 0 < step_time_s < float("inf"):
        problems.append(Problem("step_time_s", str(step_time_s), "seconds > 0"))
    for name, value, low in (("steps", steps, 0), ("n_chips", n_chips, 1)):
        if value < low:
            problems.append(Problem(name, str(value), f">= {low}"))
    if samples is not None and not 0 < samples < float("inf"):
        problems.append(Problem("samples", str(samples), "> 0"))
    raise_if(SpecError, "the energy cannot be computed", problems)


def _term(price: Any, count: int | None, proxy: bool) -> Term:
    joules = None
    if count == 0:
        joules = 0.0
    elif count is not None and price.value_j is not None:
        joules = count * price.value_j
    return Term(
        price.name,
        price.count,
        count,
        price.value_j,
        joules,
        price.source,
        price.evidence,
        price.condition,
        proxy,
    )


def _missing(term: Term) -> Left:
    if term.count is None:
        return Left(term.name, None, "the count is not known")
    return Left(term.name, term.count, f"no published price: {term.source}")


def _static(cost_set: CostSet, wall: float, n_chips: int, proxy: bool) -> StaticPower:
    static = cost_set.static
    power = static.value_w
    joules = None if power is None else power * n_chips * wall
    return StaticPower(
        power, joules, n_chips, static.source, static.evidence, static.condition, proxy
    )


def _without_prices(
    counts: Counts,
    steps: int,
    step_time_s: float,
    n_chips: int,
    excluded: tuple[Left, ...],
    samples: float | None,
) -> Energy:
    keys = [k for k in COUNT_KEYS if k not in _SPLIT and k in counts]
    terms = tuple(
        Term(k.replace("_", " "), k, counts[k], None, None, _NO_SET, "none", "", False)
        for k in keys
    )
    unpriced = [Left(t.name, t.count, _NO_SET) for t in terms if t.count != 0]
    unpriced.append(Left("static power", None, _NO_SET))
    return Energy(
        cost_set=None,
        title=None,
        scope=None,
        evidence=(),
        proxy=False,
        terms=terms,
        covered=(),
        unpriced=tuple(unpriced),
        excluded=excluded,
        dynamic_j=None,
        static=StaticPower(None, None, n_chips, _NO_SET, "none", "", False),
        steps=steps,
        step_time_s=step_time_s,
        wall_time_s=steps * step_time_s,
        total_j=None,
        samples=samples,
    )
