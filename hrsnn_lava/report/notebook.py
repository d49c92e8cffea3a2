"""A report in a notebook: the verdict and a few figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrsnn_lava.notebook import GREEN, RED, card
from hrsnn_lava.report.tiles import tiles


def report_card(data: Mapping[str, Any]) -> str:
    """HTML of a report's head; `data` is ``report.json`` as plain values."""
    verdict = data["verdict"]
    return card(
        data["project"],
        data["summary"],
        [(tile["name"], tile["value"], tile["note"]) for tile in tiles(data)],
        (verdict, GREEN if verdict == "PASS" else RED),
        [f"budget not kept: {b['key']}" for b in data["budgets"] if not b["ok"]],
    )
