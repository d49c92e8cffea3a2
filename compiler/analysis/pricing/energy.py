"""Energy of a run: counts times published prices, and never a silent zero.

::

    dynamic = sum over terms of count * coefficient      static = P_static * chips * T_wall
    total   = dynamic + static,  T_wall = steps * step_time

`total_j` is None as soon as a term with a count has no price, a count is not known, or the
static power is not known; `unpriced` names each of them. A message that passes from one chip to the
next is counted apart (`chip_crossings`): nobody has published its price, which is not that of a hop
on the chip. What the host does is no part of a
chip's cost set: `excluded` names it with its count. An all-in cost set is one price that holds
everything, static power too, so nothing is added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from operator import index
from typing import Any

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.compiler.analysis.operations.synops import SynapticOperations
from hrsnn_lava.compiler.analysis.pricing.energy_terms import (
    StaticPower,
    Term,
    UnpricedCount,
    added,
    price_static,
    price_term,
)
from hrsnn_lava.errors import Problem, ProfileError, SpecError, raise_if
from hrsnn_lava.hardware_profiles import COUNT_KEYS, CostSet, CountKey, HardwareProfile
from hrsnn_lava.notebook import brief

__all__ = [
    "Counts",
    "Energy",
    "StaticPower",
    "Term",
    "UnpricedCount",
    "energy",
    "event_counts",
    "host_work",
]
#: Counts by name; None: it happens, and how often is not known.
Counts = Mapping[CountKey, int | None]
NO_SET = "no cost set for this chip; name one of another chip to get a proxy"
#: Counts need fewer bits: a product with a price then stays far inside the range of a float.
MAX_COUNT_BITS = 256


@brief("cost_set", "dynamic_j", "total_j", "steps", "proxy")
@dataclass(frozen=True)
class Energy:
    """Energy of a run in joules.

    Attributes:
        cost_set, title, scope, chip, cost_set_digest: of the prices; None without a cost set.
        bases: the sets that it extends, nearest first.
        evidence: kinds of evidence that the prices rest on.
        proxy: the prices are those of another chip.
        terms: one per coefficient.
        covered: counts that the set prices within other terms.
        unpriced: counts without a price; any of them makes `total_j` None.
        excluded: what the host does, outside the scope of a chip's prices.
        dynamic_j: sum of the terms that have a price.
        static: idle power over the wall time.
        steps, step_time_s, wall_time_s: the run, and the real time it is taken to last; None
            when the chip's own speed decides and is not known.
        total_j: dynamic and static, or None.
        samples: inputs classified or forecast, for `per_sample_j`.
        dynamic_low_j, dynamic_high_j, total_low_j, total_high_j: the ends where sources differ,
            see `energy_terms`; None where they agree, or the figure itself is not known.
        overridden: counts whose price was overridden, and ``"static"``.
    """

    cost_set: str | None
    title: str | None
    scope: str | None
    evidence: tuple[str, ...]
    proxy: bool
    terms: tuple[Term, ...]
    covered: tuple[UnpricedCount, ...]
    unpriced: tuple[UnpricedCount, ...]
    excluded: tuple[UnpricedCount, ...]
    dynamic_j: float | None
    static: StaticPower
    steps: int
    step_time_s: float | None
    wall_time_s: float | None
    total_j: float | None
    samples: float | None = None
    dynamic_low_j: float | None = None
    dynamic_high_j: float | None = None
    total_low_j: float | None = None
    total_high_j: float | None = None
    chip: str | None = None
    cost_set_digest: str | None = None
    bases: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()

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
        values: dict[str, Any] = plain(asdict(self))
        return {
            **values,
            "static_j": self.static.energy_j,
            "static_low_j": self.static.low_j,
            "static_high_j": self.static.high_j,
            "per_step_j": self.per_step_j,
            "per_sample_j": self.per_sample_j,
        }


def event_counts(ops: SynapticOperations, done: Activity) -> dict[CountKey, int | None]:
    """The counts that cost sets price, from what a run did."""
    inputs_known = ops.inputs_known
    return {
        "synaptic_operations": ops.total if inputs_known else None,
        "macs": ops.macs if inputs_known else None,
        "neuron_updates": done.neuron_updates,
        "neuron_updates_active": done.neuron_updates_active,
        "neuron_updates_inactive": done.neuron_updates_inactive,
        "spikes": done.spikes,
        "messages": done.messages,
        "hops_x": done.hops_x,
        "hops_y": done.hops_y,
        "chip_crossings": done.chip_crossings,
        "learning_updates": done.learning_updates,
    }


def host_work(ops: SynapticOperations, done: Activity) -> tuple[UnpricedCount, ...]:
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
    return tuple(UnpricedCount(name, count, reason) for name, count, reason in work if count)


def energy(
    counts: Counts,
    cost_set: CostSet | None,
    profile: HardwareProfile,
    steps: int,
    step_time_s: float | None = 1e-3,
    n_chips: int = 1,
    *,
    samples: float | None = None,
) -> Energy:
    """Price the counts of a run.

    Args:
        counts: of the whole run; a key that is missing, or None, is not known.
        cost_set: prices; None leaves every count unpriced.
        profile: the chip that was run; another chip's prices are a proxy.
        steps: of the run.
        step_time_s: real time of a step, which the static energy rests on; None: not known.
        n_chips: chips that are powered.
        samples: inputs that the run processed.

    Returns:
        The energy, with nothing `excluded`: what the host does is the caller's to say.

    Raises:
        SpecError: a count, the step time or the number of chips is out of range.
        ProfileError: an all-in cost set with further terms.
    """
    counts = {key: None if n is None else index(n) for key, n in counts.items()}
    _check(counts, steps, step_time_s, n_chips, samples)
    if n_chips == 1 and counts.get("chip_crossings") is None:
        counts["chip_crossings"] = 0  # no message leaves the only chip
    wall = None if step_time_s is None else steps * step_time_s
    if cost_set is None:
        return _without_prices(counts, steps, step_time_s, n_chips, samples)
    all_in = cost_set.scope == "all_in"
    if all_in and (len(cost_set.coefficients) != 1 or cost_set.static.known()):
        raise ProfileError(
            f"cost set {cost_set.name!r} is all-in: one price that holds everything; "
            "nothing may be added to it"
        )
    proxy = cost_set.is_proxy_for(profile)
    terms = tuple(price_term(c, counts.get(c.count), proxy) for c in cost_set.terms)
    static = price_static(cost_set, wall, n_chips, proxy)
    unpriced = [_missing(t) for t in terms if t.energy_j is None]
    beyond = [c for c in cost_set.covered if c.absent and counts.get(c.count) != 0]
    unpriced += [UnpricedCount(c.count, counts.get(c.count), c.reason) for c in beyond]
    if not all_in and static.energy_j is None:
        why = static.source if static.power_w is None else "the wall time is not known"
        unpriced.append(UnpricedCount("static power", None, why))
    dynamic, low, high = added(terms)
    without_total = Energy(
        cost_set=cost_set.name,
        title=cost_set.title,
        scope=cost_set.scope,
        evidence=tuple(cost_set.evidence),
        proxy=proxy,
        terms=terms,
        covered=tuple(
            UnpricedCount(c.count, counts.get(c.count), c.reason)
            for c in cost_set.covered
            if c not in beyond
        ),
        unpriced=tuple(unpriced),
        excluded=(),
        dynamic_j=dynamic,
        static=static,
        steps=steps,
        step_time_s=step_time_s,
        wall_time_s=wall,
        total_j=None,
        samples=samples,
        dynamic_low_j=low,
        dynamic_high_j=high,
        chip=cost_set.chip,
        cost_set_digest=cost_set.digest,
        bases=cost_set.bases,
        overridden=cost_set.overridden,
    )
    if unpriced:
        return without_total
    whole, low, high = added((*terms, static))
    return replace(without_total, total_j=whole, total_low_j=low, total_high_j=high)


def _check(
    counts: Counts, steps: int, step_time_s: float | None, n_chips: int, samples: float | None
) -> None:
    problems = []
    for key, count in counts.items():
        if key not in COUNT_KEYS:
            problems.append(Problem("counts", repr(key), ", ".join(COUNT_KEYS)))
        elif count is not None and count < 0:
            problems.append(Problem(f"counts.{key}", str(count), ">= 0"))
        elif count is not None and count.bit_length() > MAX_COUNT_BITS:
            bits = f"a number of {count.bit_length()} bits"
            problems.append(Problem(f"counts.{key}", bits, f"<= {MAX_COUNT_BITS} bits"))
    if step_time_s is not None and not 0 < step_time_s < float("inf"):
        problems.append(Problem("step_time_s", str(step_time_s), "seconds > 0"))
    for name, value, low in (("steps", steps, 0), ("n_chips", n_chips, 1)):
        if value < low:
            problems.append(Problem(name, str(value), f">= {low}"))
    if samples is not None and not 0 < samples < float("inf"):
        problems.append(Problem("samples", str(samples), "> 0"))
    raise_if(SpecError, "the energy cannot be computed", problems)


def _missing(term: Term) -> UnpricedCount:
    if term.count is None:
        return UnpricedCount(term.name, None, "the count is not known")
    return UnpricedCount(term.name, term.count, f"no published price: {term.source}")


def _without_prices(
    counts: Counts,
    steps: int,
    step_time_s: float | None,
    n_chips: int,
    samples: float | None,
) -> Energy:
    keys = [k for k in COUNT_KEYS if k in counts]
    terms = tuple(
        Term(k.replace("_", " "), k, counts[k], None, None, NO_SET, "none", "", False) for k in keys
    )
    unpriced = [UnpricedCount(t.name, t.count, NO_SET) for t in terms if t.count != 0]
    unpriced.append(UnpricedCount("static power", None, NO_SET))
    return Energy(
        cost_set=None,
        title=None,
        scope=None,
        evidence=(),
        proxy=False,
        terms=terms,
        covered=(),
        unpriced=tuple(unpriced),
        excluded=(),
        dynamic_j=None,
        static=StaticPower(None, None, n_chips, NO_SET, "none", "", False),
        steps=steps,
        step_time_s=step_time_s,
        wall_time_s=None if step_time_s is None else steps * step_time_s,
        total_j=None,
        samples=samples,
    )
