"""Tables as TOML: what `tomllib` reads back is what was written."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.artifacts.toml_text import toml_text
from hrsnn_lava.spec import Spec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=6)
whole = st.integers(-(2**63), 2**63 - 1)
plain = texts | st.booleans() | whole | st.floats(allow_nan=False)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(table=st.dictionaries(texts, values, max_size=4))
@settings(max_examples=100)
def test_what_is_read_is_what_was_written(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table


@pytest.mark.parametrize("value", ["\x7f", '\x00\n\t"\\', "µ \U0001f600", ""])
def test_texts_and_keys_of_every_kind(value: str) -> None:
    table = {value: value, "in": {value: {value: [value]}}}
    assert tomllib.loads(toml_text(table)) == table


def test_numbers_that_are_not_finite() -> None:
    read = tomllib.loads(toml_text({"a": [math.inf, -math.inf, math.nan]}))["a"]
    assert read[:2] == [math.inf, -math.inf]
    assert math.isnan(read[2])


def test_what_is_none_is_left_out() -> None:
    written = toml_text({"a": None, "b": {"c": None}, "d": [{"e": None, "f": 1}]})
    assert tomllib.loads(written) == {"b": {}, "d": [{"f": 1}]}


def test_a_complete_spec_is_read_back() -> None:
    import json

    spec = Spec.parse({"stdp": {}, "prune": {"method": "random", "controls": []}})
    tables = json.loads(spec.canonical())
    assert Spec.parse(tomllib.loads(toml_text(tables))).canonical() == spec.canonical()
