"""Projections that learn alike become one: half the columns to visit, and traces kept once.

Two projections are alike when they come from the same neurons, go to neighbouring populations and
follow equal rules with the same random streams: then their presynaptic traces are the same
numbers, and every synapse does what it did before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrsnn_lava.sim_backends.learning_program import Plastic

_PER_SYNAPSE = ("weights", "tag_1", "tag_2", "profile", "cols")
_ALIKE = ("source", "n_pre", "rules", "graded_spikes", "graded", "weight_exp", "sign_mode")


@dataclass(frozen=True)
class Part:
    """Where a projection went: `index` of the merged one, its first row and synapse there."""

    index: int
    row: int
    synapse: int


def merge(plastic: tuple[Plastic, ...]) -> tuple[tuple[Plastic, ...], tuple[Part, ...]]:
    """Merged projections, and for every given one where it is among them."""
    merged: list[list[int]] = []
    for k in sorted(range(len(plastic)), key=lambda k: (plastic[k].source, plastic[k].target)):
        for group in merged:
            last = plastic[group[-1]]
            if _alike(last, plastic[k]) and last.target + last.n_post == plastic[k].target:
                group.append(k)
                break
        else:
            merged.append([k])
    merged.sort()
    parts: dict[int, Part] = {}
    for index, group in enumerate(merged):
        row = synapse = 0
        for k in group:
            parts[k] = Part(index, row, synapse)
            row, synapse = row + plastic[k].n_post, synapse + plastic[k].rows.size
    together = tuple(_joined([plastic[k] for k in group]) for group in merged)
    return together, tuple(parts[k] for k in range(len(plastic)))


def _alike(one: Plastic, other: Plastic) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _ALIKE)


def _joined(group: list[Plastic]) -> Plastic:
    if len(group) == 1:
        return group[0]
    first = group[0]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in group]) for name in _PER_SYNAPSE
    }
    rows = np.concatenate([p.rows + np.int32(p.target - first.target) for p in group])
    n_post = sum(p.n_post for p in group)
    return replace(first, rows=rows, n_post=n_post, **arrays)
