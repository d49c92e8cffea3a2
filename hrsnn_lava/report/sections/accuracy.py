"""Scores of the task, as the caller measured them."""

from __future__ import annotations

from hrsnn_lava.report.section import listed

SECTION = listed("accuracy", "Accuracy", lambda facts: facts.evidence.accuracy or {})
