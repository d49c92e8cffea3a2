"""Whether one arm of an experiment beats another: statistics of paired differences.

Two arms that share a seed share the input, the split and as much of the network as they can, so
what differs between them is the arm. The figure is the mean of the differences, pair by pair:

    d_s = arm_s - reference_s,   mean +- s.e.,   s.e. = sd(d) / sqrt(n),   sd of n - 1

Beside it stand an interval of Student's t, a bootstrap interval (BCa, Efron 1987) for differences
that are not normal, how many pairs are above 0 with the sign test, Wilcoxon's signed rank, and,
where a margin is given, whether the arms are equivalent (two one-sided tests, Schuirmann 1987).
Where several arms are compared with one reference, p-values are corrected by Holm (1979).

None of it mends arms that were tuned unequally, or seeds that were looked at before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.fields import instance, locked, real_values
from hrsnn_lava.metrics.base import Floats, names_in
from hrsnn_lava.metrics.intervals import (
    bootstrap_interval,
    equivalence_p,
    rounded,
    sign_p,
    standard_error,
    t_interval,
    t_p,
    wilcoxon_p,
)
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import Count, Positive, Seed, Share, options

__all__ = [
    "Arm",
    "PairedComparisons",
    "PairedDifference",
    "PairedOptions",
    "compare_arms",
    "holm",
    "paired_difference",
    "plus_minus",
]

#: Values of an arm: by seed, or in an order that all arms share.
Arm: TypeAlias = Mapping[Any, Any] | ArrayLike


@options
class PairedOptions:
    """Options of paired comparisons.

    Attributes:
        confidence: of all intervals; 1 minus it is the level of significance.
        margin: difference that does not matter, in the unit of the values; None: no equivalence is
            asked for.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        test: p-values that several comparisons are corrected by: ``t``, ``wilcoxon`` or ``sign``.
    """

    confidence: Share = 0.95
    margin: Positive | None = None
    resamples: Count = 10_000
    seed: Seed = 0
    test: Literal["t", "wilcoxon", "sign"] = "t"

    def __post_init__(self) -> None:
        if self.confidence in (0.0, 1.0):
            problem = Problem("confidence", f"{self.confidence:g}", "0 < confidence < 1")
            raise SpecError("options of a paired comparison", problems=[problem])


@brief("names", "pairs", "mean", "standard_error", "interval")
@dataclass(frozen=True, eq=False)
class PairedDifference:
    """Differences of two arms, pair by pair, and what they say.

    Attributes:
        names: of the arm and of the reference.
        differences: (n,) arm minus reference, rounded to 12 digits of the largest value.
        options: of the comparison.
        interval: of the mean by Student's t; None of a single pair.
        bootstrap: of the mean by BCa; None of a single pair.
        p_t, p_wilcoxon, p_sign: two-sided p-values of no difference; None where there is none to
            tell, as of a single pair, or where all differences are 0.
        p_equivalence: p-value of a difference as large as the margin; None without one.
    """

    names: tuple[str, str]
    differences: Floats
    options: PairedOptions
    interval: tuple[float, float] | None
    bootstrap: tuple[float, float] | None
    p_t: float | None
    p_wilcoxon: float | None
    p_sign: float | None
    p_equivalence: float | None

    @property
    def pairs(self) -> int:
        """Number of pairs, n."""
        return len(self.differences)

    @property
    def mean(self) -> float:
        """Mean difference."""
        return float(self.differences.mean())

    @property
    def standard_error(self) -> float | None:
        """``sd / sqrt(n)``; None of a single pair."""
        return None if self.pairs < 2 else standard_error(self.differences)

    @property
    def above(self) -> int:
        """Pairs in which the arm has the larger value."""
        return int((self.differences > 0).sum())

    @property
    def below(self) -> int:
        """Pairs in which the reference has the larger value."""
        return int((self.differences < 0).sum())

    @property
    def equal(self) -> int:
        """Pairs without a difference."""
        return self.pairs - self.above - self.below

    @property
    def p_value(self) -> float | None:
        """The p-value of the test that the options name."""
        p_value: float | None = getattr(self, f"p_{self.options.test}")
        return p_value

    @property
    def equivalent(self) -> bool | None:
        """Whether the difference is within the margin at the level asked for; None without one."""
        if self.p_equivalence is None:
            return None
        return self.p_equivalence < 1.0 - self.options.confidence

    def describe(self) -> dict[str, Any]:
        """Everything as plain values, as JSON holds them."""
        return {
            "arm": self.names[0],
            "reference": self.names[1],
            "pairs": self.pairs,
            "mean": self.mean,
            "standard_error": self.standard_error,
            "confidence": self.options.confidence,
            "interval": None if self.interval is None else list(self.interval),
            "bootstrap": None if self.bootstrap is None else list(self.bootstrap),
            "above": self.above,
            "below": self.below,
            "equal": self.equal,
            "p_t": self.p_t,
            "p_wilcoxon": self.p_wilcoxon,
            "p_sign": self.p_sign,
            "margin": self.options.margin,
            "p_equivalence": self.p_equivalence,
            "equivalent": self.equivalent,
            "differences": self.differences.tolist(),
        }

    def __str__(self) -> str:
        """One line, such as ``+.021 +- .004 (14 pairs, 95 % CI +.012 to +.030)``."""
        error = self.standard_error
        head, digits = plus_minus(self.mean, error)
        count = f"{self.pairs} pair{'s' * (self.pairs != 1)}"
        if self.interval is None:
            return f"{head} ({count})"
        low, high = (signed(end, digits) for end in self.interval)
        return f"{head} ({count}, {100 * self.options.confidence:g} % CI {low} to {high})"


@brief("reference", "rows")
@dataclass(frozen=True)
class PairedComparisons:
    """Several arms against one reference.

    Attributes:
        reference: its name.
        rows: a comparison for each arm, in their order.
        p_holm: p-values of the rows, corrected for their number; None where a row has none.
    """

    reference: str
    rows: tuple[PairedDifference, ...]
    p_holm: tuple[float | None, ...]

    def __getitem__(self, name: str) -> PairedDifference:
        for row in self.rows:
            if row.names[0] == name:
                return row
        names = ", ".join(row.names[0] for row in self.rows)
        raise SpecError(str(Problem("arm", repr(name), names)))

    def describe(self) -> dict[str, Any]:
        """Everything as plain values, as JSON holds them."""
        rows = [
            row.describe() | {"p_holm": p} for row, p in zip(self.rows, self.p_holm, strict=True)
        ]
        return {"reference": self.reference, "comparisons": rows}

    def __str__(self) -> str:
        """A line for each arm, with its sign count and its corrected p-value."""
        width = max(len(row.names[0]) for row in self.rows)
        lines = []
        for row, p in zip(self.rows, self.p_holm, strict=True):
            told = "" if p is None else f", p {p:.2g} (Holm)"
            signs = f"{row.above} of {row.pairs} above"
            lines.append(f"{row.names[0].ljust(width)}  {row}, {signs}{told}")
        return "\n".join([f"minus {self.reference}:", *lines])


def paired_difference(
    arm: Arm, reference: Arm, names: tuple[str, str] = ("arm", "reference"), **options: Any
) -> PairedDifference:
    """Compare two arms pair by pair.

    Example:
        >>> str(paired_difference({1: 0.5, 2: 0.7, 3: 0.6}, {1: 0.4, 2: 0.5, 3: 0.5}))
        '+.133 +- .033 (3 pairs, 95 % CI -.010 to +.277)'

    Args:
        arm, reference: values by seed, the same seeds in both; or (n,) values in the same order.
        names: of the two.
        options: those of `PairedOptions`.

    Raises:
        SpecError: seeds or lengths that differ, a value that is not finite, no pairs.
    """
    made = PairedOptions(**options)
    pair = names_in("names", names)
    if len(pair) != 2:
        raise SpecError(str(Problem("names", f"{len(pair)}", "two, of the arm and the reference")))
    names = (pair[0], pair[1])
    first, second = _pairs(names, arm, reference)
    return _of(rounded(first - second, first, second), names, made)


def compare_arms(arms: Mapping[str, Arm], reference: str, **options: Any) -> PairedComparisons:
    """Compare every arm with one of them, and correct the p-values for how many there are.

    Args:
        arms: values of every arm by its name, as in `paired_difference`.
        reference: name of the one that the others are compared with.
        options: those of `PairedOptions`.

    Raises:
        SpecError: no such arm, no other arm, or as of `paired_difference`.
    """
    instance("arms", arms, Mapping)
    instance("reference", reference, str)
    others = [name for name in arms if name != reference]
    if reference not in arms or not others:
        fix = "" if reference in arms else "name one of them"
        allowed = "two arms or more, the reference among them"
        raise SpecError(str(Problem("arms", ", ".join(map(str, arms)) or "none", allowed, fix)))
    rows = tuple(
        paired_difference(arms[name], arms[reference], (name, reference), **options)
        for name in others
    )
    told = [row.p_value for row in rows if row.p_value is not None]
    corrected = iter(holm(told))
    p_holm = tuple(None if row.p_value is None else next(corrected) for row in rows)
    return PairedComparisons(reference, rows, p_holm)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected for how many they are, in the order given (Holm 1979).

    With p_(1) <= ... <= p_(m): ``p'_(k) = max_{j<=k} min(1, (m - j + 1) p_(j))``. Rejecting all
    below a level keeps the chance of one false rejection or more below that level, whatever the
    tests have to do with each other.

    Raises:
        SpecError: values that are no probabilities.
    """
    p = real_values("p_values", p_values, error=SpecError)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise SpecError(str(Problem("p_values", f"{p_values!r:.60}", "probabilities, 0 to 1")))
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.arange(len(p), 0, -1) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return tuple(corrected.tolist())


def signed(value: float, digits: int) -> str:
    """A number with its sign, without the zero before the point: ``+.012``."""
    text = f"{value:+.{digits}f}"
    return text.replace("0.", ".", 1) if text[1:3] == "0." else text


def plus_minus(mean: float, error: float | None) -> tuple[str, int]:
    """A mean and its standard error as ``+.021 +- .004``, and the digits behind the point.

    The error has two digits where they are 10 to 35, else one, as of the Particle Data Group; the
    mean has as many behind the point. Without an error the mean has three digits.
    """
    if error:
        exponent = _exponent(error)
        digits = max(0, (1 if error / 10.0**exponent < 3.55 else 0) - exponent)
    else:
        digits = max(0, 2 - _exponent(mean)) if mean else 3
    if error is None:
        return signed(mean, digits), digits
    return f"{signed(mean, digits)} +- {signed(error, digits)[1:]}", digits


def _exponent(value: float) -> int:
    """Power of ten of the first digit."""
    return int(np.floor(np.log10(abs(value))))


def _of(differences: Floats, names: tuple[str, str], options: PairedOptions) -> PairedDifference:
    """Everything that is said of some differences."""
    d, several = differences, len(differences) > 1
    error = standard_error(d) if several else None
    mean, degrees = float(d.mean()), len(d) - 1
    margin = options.margin
    return PairedDifference(
        names=names,
        differences=locked(np.array(d)),
        options=options,
        interval=None if error is None else t_interval(mean, error, degrees, options.confidence),
        bootstrap=bootstrap_interval(d, options.confidence, options.resamples, options.seed)
        if several
        else None,
        p_t=None if error is None else t_p(mean, error, degrees),
        p_wilcoxon=wilcoxon_p(d),
        p_sign=sign_p(d),
        p_equivalence=None
        if margin is None or error is None
        else equivalence_p(mean, error, degrees, margin),
    )


def _pairs(names: tuple[str, str], arm: Arm, reference: Arm) -> tuple[Floats, Floats]:
    """Both arms as arrays in one order."""
    by_seed = [isinstance(values, Mapping) for values in (arm, reference)]
    if by_seed[0] != by_seed[1]:
        problem = Problem(f"{names[0]}, {names[1]}", "one by seed, one not", "both alike")
        raise SpecError(str(problem))
    if isinstance(arm, Mapping) and isinstance(reference, Mapping):
        alone = [*(s for s in arm if s not in reference), *(s for s in reference if s not in arm)]
        if alone:
            measured = f"seeds of one alone: {', '.join(map(str, alone[:6]))}"
            fix = "run them in both arms, or leave them out of both"
            problem = Problem(f"{names[0]}, {names[1]}", measured, "the same seeds", fix)
            raise SpecError(str(problem))
        seeds = list(arm)
        return (
            _values(names[0], [arm[s] for s in seeds], seeds),
            _values(names[1], [reference[s] for s in seeds], seeds),
        )
    first, second = _values(names[0], arm, None), _values(names[1], reference, None)
    if len(first) != len(second):
        measured = f"{len(first)} and {len(second)} values"
        raise SpecError(str(Problem(f"{names[0]}, {names[1]}", measured, "pairs")))
    return first, second


def _values(name: str, values: Any, seeds: list[Any] | None) -> Floats:
    """Values of an arm, (n > 0,), all finite; a None is named with its seed."""
    items = list(values) if isinstance(values, (list, tuple)) else values
    if isinstance(items, list):
        items = [np.nan if item is None else item for item in items]
    array = real_values(name, items, error=SpecError)
    if array.ndim != 1 or array.size == 0:
        raise SpecError(str(Problem(name, f"shape {array.shape}", "(n > 0,) values")))
    wrong = np.flatnonzero(~np.isfinite(array)).tolist()
    if wrong:
        where = ", ".join(str(k if seeds is None else seeds[k]) for k in wrong[:6])
        measured = f"no number at {'pair' if seeds is None else 'seed'} {where}"
        fix = "leave the pair out of both arms, and say so"
        raise SpecError(str(Problem(name, measured, "finite values", fix)))
    return array
