"""Errors as text: a refusal is a line for every broken rule, and keeps every violation."""

from __future__ import annotations

from hrsnn_lava.errors import CapacityError, Violation, by_rule


def violation(rule, core, used, limit=10):
    return Violation(
        rule, f"core {core}", f"{used} things", str(limit), f"split core {core}", share=used / limit
    )


MANY = [
    *(violation("synapse_memory", core, 12 + core % 7) for core in range(100)),
    violation("in_axons", 3, 11),
    *(violation("out_axons", core, 30 - core) for core in range(2)),
]


def test_a_line_for_every_rule_with_its_worst_core_and_the_number_of_others() -> None:
    error = CapacityError("it does not fit", violations=MANY)
    assert str(error).splitlines() == [
        "it does not fit",
        "  - synapse_memory: core 6 (99 others too): 18 things; allowed: 10. Split core 6",
        "  - in_axons: core 3: 11 things; allowed: 10. Split core 3",
        "  - out_axons: core 0 (1 other too): 30 things; allowed: 10. Split core 0",
    ]
    assert error.violations == tuple(MANY)
    assert len(error.problems) == len(MANY)
    assert error.placement is None


def test_where_no_share_is_known_the_first_stands_for_the_rule() -> None:
    first = Violation("learning", "projection 'p'", "a rule", "none", "train off the chip")
    second = Violation("learning", "projection 'q'", "a rule", "none", "train off the chip")
    assert by_rule([first, second]) == [(first, 1)]
    assert by_rule([]) == []
