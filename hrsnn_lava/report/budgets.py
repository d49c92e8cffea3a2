"""Budgets in the text of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hrsnn_lava.budgets.quantities import shown
from hrsnn_lava.report.format import UNKNOWN, table


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per budget, then why those that are not kept are not; empty without budgets."""
    if not rows:
        return ""
    cells = [
        [
            row["key"],
            shown(row["value"], row["unit"]),
            f"{'<=' if row['most'] else '>='} {shown(row['limit'], row['unit'])}",
            _room(row["margin_percent"]),
            ("kept" if row["ok"] else "NOT KEPT") + (" (proxy)" if row["proxy"] else ""),
        ]
        for row in rows
    ]
    lines = [table(["budget", "measured", "allowed", "room", ""], cells, (0, 4))]
    lines += [f"{row['key']}: {row['reason']}" for row in rows if not row["ok"]]
    return "\n".join(lines)


def _room(margin: float | None) -> str:
    return UNKNOWN if margin is None else f"{margin:.4g} %"
