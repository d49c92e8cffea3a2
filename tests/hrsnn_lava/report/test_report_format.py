"""Numbers with the units that their keys name."""

from __future__ import annotations

import pytest

from hrsnn_lava.report.format import caption, measured


@pytest.mark.parametrize(
    ("key", "value", "text", "name"),
    [
        ("wall_time_s", 0.06, "60 ms", "wall time"),
        ("total_j", 2.5e-6, "2.5 µJ", "total"),
        ("static_w", 0.0296, "29.6 mW", "static"),
        ("energy_delay_js", 0.002, "2 mJ s", "energy delay"),
        ("throughput_steps_per_s", 1250.0, "1,250 steps/s", "throughput"),
        ("events_per_s", 12.5, "12.5/s", "events"),
        ("rate_hz", 28.289, "28.29 Hz", "rate"),
        ("margin_percent", -12.34567, "-12.35 %", "margin"),
        ("sops", 64_924, "64,924", "sops"),
        ("real_time_factor", 83.7, "83.7", "real time factor"),
        ("total_j", None, "–", "total"),
        ("mode", "real_time", "real_time", "mode"),
        ("keeps_s", True, "yes", "keeps"),
        ("evidence", ["derived", "code"], "derived, code", "evidence"),
    ],
)
def test_a_key_names_the_unit_of_its_value(key, value, text, name):
    assert measured(value, key) == text
    assert caption(key) == name
