"""The same networks on several seeds: what each scored, and by how much the pruned one was better.

Rows come one for each network and seed, the unpruned network first and the pruned one second, as
`hrsnn_lava.experiment.spread.spread_row` makes them. A seed is a pair: differences are taken seed
by seed. Means stand with the standard deviation over the seeds, of n - 1, which says how far one
more network would be off, and not how well the mean is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import is_real
from hrsnn_lava.report.format import UNKNOWN, Plain, number, show

#: The control that a headline names, where it is one of the rows.
CHANCE = "random"
#: The two forms in which a network is scored: keys of a row, and what they are called.
FORMS = {"float": "in float", "integers": "in integers"}
#: What a row has beside its scores.
FIGURES = ("sops_per_sample", "spikes_per_sample", "cores")


def spread(rows: Sequence[Plain], scores: Sequence[Plain]) -> dict[str, Any]:
    """The ``spread`` of ``report.json``; empty without rows.

    Args:
        rows: ``name``, ``seed``, ``float`` (the headline score), and where they are known
            ``integers`` (that of the program), ``sops_per_sample``, ``spikes_per_sample``,
            ``cores``, and ``fits``: False of a program that does not fit its chip.
        scores: described, the headline first, see `hrsnn_lava.metrics.scores.Score.describe`.

    Raises:
        SpecError: a row lacks a key or a number, a network has a seed twice, or not the seeds of
            the others, or no score is described.
    """
    if not rows:
        return {}
    names, seeds = _checked(rows, scores)
    of = {name: [row for row in rows if row["name"] == name] for name in names}
    networks = {
        name: {
            **{key: _values([row.get(key) for row in own]) for key in (*FORMS, *FIGURES)},
            "fits": all(row.get("fits") is not False for row in own),
        }
        for name, own in of.items()
    }
    head, method = scores[0], names[min(1, len(names) - 1)]
    sign = {"lower": -1.0, "higher": 1.0}.get(head.get("better") or "", math.nan)
    return {
        "score": {key: head.get(key) for key in ("name", "title", "better", "unit")},
        "seeds": seeds,
        "method": method,
        "networks": networks,
        "against": {
            name: {form: _difference(of[method], of[name], form, sign) for form in FORMS}
            for name in names
            if name != method
        },
    }


def _checked(rows: Sequence[Plain], scores: Sequence[Plain]) -> tuple[list[str], list[int]]:
    """Names and seeds, in order."""
    problems = [
        Problem(f"spread.{k}", show(row), "name, seed, and numbers in float and integers")
        for k, row in enumerate(rows)
        if not {"name", "seed"} <= row.keys()
        or not _finite(row.get("float"))
        or not (row.get("integers") is None or _finite(row["integers"]))
    ]
    if not scores:
        problems.append(Problem("scores", "none", "the score that the spread is about, first"))
    raise_if(SpecError, "a report cannot show the spread", problems)
    names = list(dict.fromkeys(str(row["name"]) for row in rows))
    seeds = [row["seed"] for row in rows if row["name"] == names[0]]
    for name in names:
        own = [row["seed"] for row in rows if row["name"] == name]
        if own != seeds or len(set(own)) < len(own):
            allowed = f"each of {', '.join(map(str, dict.fromkeys(seeds)))} once, in this order"
            problems.append(Problem(f"spread, seeds of {name!r}", show_seeds(own), allowed))
    raise_if(SpecError, "a report cannot show the spread", problems)
    return names, seeds


def _finite(value: Any) -> bool:
    return is_real(value) and math.isfinite(value)


def _values(values: Sequence[Any]) -> dict[str, Any] | None:
    """Mean and standard deviation, and the values by seed; None where one is not known."""
    if any(value is None for value in values):
        return None
    return {
        "mean": mean(map(float, values)),
        "sd": stdev(map(float, values)) if len(values) > 1 else None,
        "values": list(values),
    }


def _difference(
    method: Sequence[Plain], other: Sequence[Plain], form: str, sign: float
) -> dict[str, Any] | None:
    """The method minus another, seed by seed; ``gain`` is positive where the method is better."""
    differences = [
        None if a.get(form) is None or b.get(form) is None else a[form] - b[form]
        for a, b in zip(method, other, strict=True)
    ]
    found = _values(differences)
    if found is None or math.isnan(sign):
        return found
    better = sum(sign * value > 0 for value in found["values"])
    return {**found, "gain": sign * found["mean"], "better": better}


def show_seeds(seeds: Sequence[int]) -> str:
    """``7 to 9``, or all of them."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def plus_minus(entry: Plain | None, digits: int | None = None, *, signed: bool = False) -> str:
    """``1.87 ± 0.13``: two digits of the deviation, and as many behind the point of the mean.

    Args:
        entry: ``mean`` and ``sd``, which is None of a single value.
        digits: behind the point, instead.
        signed: with a plus.
    """
    if entry is None:
        return UNKNOWN
    middle, deviation = float(entry["mean"]), entry["sd"]
    if digits is None:
        digits = _digits(deviation or abs(middle) / 10)
    plus = "+" if signed else ""
    text = f"{middle:{plus},.{digits}f}"
    return text if deviation is None else f"{text} ± {deviation:,.{digits}f}"


def _digits(value: float) -> int:
    """Digits behind the point that show two of a value."""
    return max(0, 1 - math.floor(math.log10(value))) if value > 0 else 2


def _column(entries: Sequence[Plain | None]) -> list[str]:
    """Means and deviations with equally many digits, those that the largest deviation needs."""
    known = [entry for entry in entries if entry is not None]
    deviations = [entry["sd"] or 0.0 for entry in known]
    largest = max(deviations, default=0.0) or max((abs(e["mean"]) for e in known), default=0.0) / 10
    return [plus_minus(entry, _digits(largest)) for entry in entries]


def reference(section: Plain) -> str | None:
    """The network that the headline compares with: chance, where it is there."""
    others: Mapping[str, Any] = section["against"]
    return CHANCE if CHANCE in others else None


def sentence(section: Plain) -> str:
    """By how much the pruned network is better than chance at the same budget, with the spread;
    empty where that was not measured, or where neither is better."""
    name = reference(section) if section else None
    if name is None or section["score"]["better"] is None:
        return ""
    found, seeds = section["against"][name], len(section["seeds"])
    clauses = [
        f"{plus_minus(entry, signed=True)} {words}, better on {entry['better']} of {seeds}"
        for form, words in FORMS.items()
        if (entry := found[form]) is not None
    ]
    title, method = section["score"]["title"], section["method"]
    unit = f" {section['score']['unit']}" if section["score"]["unit"] else ""
    over = "seed" if seeds == 1 else "seeds"
    return f"{title}{unit} of {method} minus {name}: {'; '.join(clauses)} {over}"


def cells(section: Plain) -> tuple[list[str], list[list[str]]]:
    """The table: a row a network, headings first."""
    title = section["score"]["title"]
    head = ["network", f"{title}, float", "integers", "SOPs/sample", "spikes/sample", "cores"]
    networks = section["networks"]
    floats, integers = (_column([n[form] for n in networks.values()]) for form in FORMS)
    rows = [
        [
            name,
            floats[k],
            integers[k] if entry["fits"] else "does not fit",
            _count(entry["sops_per_sample"]),
            _count(entry["spikes_per_sample"]),
            _most(entry["cores"]),
        ]
        for k, (name, entry) in enumerate(networks.items())
    ]
    empty = [k for k in range(1, len(head)) if all(row[k] == UNKNOWN for row in rows)]
    return _without(head, empty), [_without(row, empty) for row in rows]


def _without(row: Sequence[str], places: Sequence[int]) -> list[str]:
    return [cell for k, cell in enumerate(row) if k not in places]


def _count(entry: Plain | None) -> str:
    """A mean in whole numbers from 100 on."""
    if entry is None:
        return UNKNOWN
    middle = float(entry["mean"])
    return f"{middle:,.0f}" if abs(middle) >= 100 else number(float(f"{middle:.3g}"))


def _most(entry: Plain | None) -> str:
    return UNKNOWN if entry is None else f"{max(entry['values']):,}"


def note(section: Plain) -> str:
    """What the table is of."""
    seeds, words = section["seeds"], {"lower": "less is better", "higher": "more is better"}
    better = words.get(section["score"]["better"] or "")
    several = f"mean ± s.d. of {len(seeds)} seeds ({show_seeds(seeds)})"
    of = several if len(seeds) > 1 else f"seed {seeds[0]} alone"
    each = "each a new network, new data and new pruning" if len(seeds) > 1 else ""
    return "; ".join(filter(None, [of, each, better]))
