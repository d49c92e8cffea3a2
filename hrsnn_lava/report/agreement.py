"""Whether the integers do what the float network does: a finding where their spikes differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hrsnn_lava.findings import Finding

#: Difference of spike counts from which on a user has to know of it.
TOLERANCE = 0.05
#: Spikes of a population from which on its own count is judged: of fewer, chance moves it more.
FEW = 400
#: Counts of single neurons that differ by more than so many times what chance does are judged, too.
_BEYOND_CHANCE = 2.0


def agreement_findings(section: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding where the spikes of the network, or of a population, are beyond `TOLERANCE`.

    Args:
        section: what `hl.compare_float` returns, or a part of it: ``spikes`` and ``populations``,
            or ``rate_ratio`` alone; ``count_error`` of single neurons with what chance makes of
            it. Without these there is nothing to judge.
    """
    whole, off = _counts(section.get("spikes")), []
    if whole is not None and _error(whole) > TOLERANCE:
        off.append(("the network", whole))
    parts = section.get("populations")
    for name, value in parts.items() if isinstance(parts, Mapping) else ():
        part = _counts(value)
        if part is not None and max(part) >= FEW and _error(part) > TOLERANCE:
            off.append((f"population {name!r}", part))
    ratio = section.get("rate_ratio")
    if whole is None and isinstance(ratio, float) and abs(ratio - 1) > TOLERANCE:
        yield _finding("the network", f"the integers send {100 * ratio:.4g} % of the float spikes")
    if off:
        where, (exact, integer) = off[0]
        steps = section.get("steps")
        within = f" in {steps:,} steps" if isinstance(steps, int) else ""
        change = f" ({100 * (integer / exact - 1):+.3g} %)" if exact else ""
        measured = f"the integers send {integer:,} spikes, the float network {exact:,}{within}"
        yield _finding(where, measured + change, [name for name, _ in off[1:]])
    error, chance = (section.get(key) for key in ("count_error", "count_error_by_chance"))
    if not isinstance(error, float) or not isinstance(chance, float):
        return
    if not off and error > max(TOLERANCE, _BEYOND_CHANCE * chance):
        measured = f"the counts of single neurons are {100 * error:.3g} % off, summed up"
        yield _finding("the network", measured)


def _finding(where: str, measured: str, others: Sequence[str] = ()) -> Finding:
    also = f"; also beyond: {', '.join(others)}" if others else ""
    return Finding(
        "warning",
        where,
        measured,
        "the program does not do what the network does that it was made of: counts differ by more "
        f"than {100 * TOLERANCE:g} %{also}",
        "see the findings of the quantization and of the run; more weight bits, or split "
        "projections whose weights differ much",
        kind="float_mismatch",
    )


def _counts(value: Any) -> tuple[int, int] | None:
    """Spikes in floats and in integers; None where they are not said."""
    if not isinstance(value, Mapping):
        return None
    pair = value.get("float"), value.get("integer")
    numbers = [n for n in pair if isinstance(n, int) and not isinstance(n, bool)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _error(pair: tuple[int, int]) -> float:
    """Difference as a share of the float network's spikes."""
    return abs(pair[1] - pair[0]) / max(pair[0], 1)
