"""Whether the integers do what the float network does: a finding where their spikes differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrsnn_lava.findings import Finding

#: Difference of spike counts from which on a user has to know of it.
TOLERANCE = 0.05
#: Spikes of a population from which on its own count is judged: of fewer, chance moves it more.
FEW = 400


def agreement_findings(section: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding where the spikes of the network, or of a population, are beyond `TOLERANCE`.

    Args:
        section: what `hl.compare_float` returns, or a part of it; without ``spikes`` there is
            nothing to judge.
    """
    spikes = section.get("spikes")
    if not _pair(spikes):
        return
    off = []
    if _error(spikes) > TOLERANCE:
        off.append(("the network", spikes))
    populations = section.get("populations")
    for name, pair in (populations.items() if isinstance(populations, Mapping) else ()):
        if _pair(pair) and max(pair.values()) >= FEW and _error(pair) > TOLERANCE:
            off.append((f"population {name!r}", pair))
    if not off:
        return
    where, pair = off[0]
    also = f"; so do {len(off) - 1} populations" if len(off) > 1 else ""
    steps = f" in {section['steps']:,} steps" if isinstance(section.get("steps"), int) else ""
    yield Finding(
        "warning",
        where,
        f"the integers send {pair['integer']:,} spikes, the float network {pair['float']:,}{steps} "
        f"({_change(pair)})",
        f"the program is not the network that it was made of: the counts differ by more than "
        f"{100 * TOLERANCE:g} %{also}",
        "see the findings of the quantization; more weight bits, a smaller margin, or split "
        "projections whose weights differ much",
        kind="float_mismatch",
    )


def _pair(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(key), int) and not isinstance(value.get(key), bool)
        for key in ("float", "integer")
    )


def _error(pair: Mapping[str, int]) -> float:
    """Difference as a share of the float network's spikes."""
    return abs(pair["integer"] - pair["float"]) / max(pair["float"], 1)


def _change(pair: Mapping[str, int]) -> str:
    if not pair["float"]:
        return "where there should be none"
    return f"{100 * (pair['integer'] / pair['float'] - 1):+.3g} %"
