"""Tables of distributions: what they build, and the bounds that nothing they give is outside of."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hrsnn_lava import Spec
from hrsnn_lava.distribution_options import AnyTable, distribution, lowest
from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import DISTRIBUTIONS
from hrsnn_lava.seeding import generator

bounds = st.floats(-5, 5)
clip = st.fixed_dictionaries(
    {}, optional={"low": bounds, "high": bounds, "exact_mean": st.booleans()}
)
positive = st.floats(0.01, 5)


def tables(name, **fields):
    """Tables of a distribution with the fields that it must have."""
    return st.builds(
        lambda own, other: {"distribution": name, **own, **other},
        st.fixed_dictionaries(fields),
        clip,
    ).filter(lambda t: t.get("low", -9.0) <= t.get("high", 9.0))


ANY = st.one_of(
    tables("gamma", shape=positive, mean=positive),
    tables("lognormal", mean=positive, sigma=st.floats(0, 2)),
    tables("normal", mean=bounds, std=positive),
    tables("exponential", mean=positive),
    st.tuples(bounds, bounds).map(
        lambda ends: {"distribution": "uniform", "low": min(ends), "high": max(ends)}
    ),
    st.lists(bounds, min_size=1, max_size=5).map(
        lambda values: {"distribution": "discrete", "values": values}
    ),
    bounds,
)
READ = TypeAdapter(float | AnyTable)


@given(ANY, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_value_is_below_the_lowest(table, seed):
    option = READ.validate_json(json.dumps(table))
    values = distribution(option).sample(generator(seed, "test"), 50)
    assert values.shape == (50,)
    assert np.isfinite(values).all()
    assert values.min() >= lowest(option)


def test_every_distribution_is_known_to_the_messages():
    branches = READ.json_schema()["anyOf"][1]["discriminator"]["mapping"]
    assert sorted(branches) == sorted(DISTRIBUTIONS)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"distribution": "discrete", "values": [0.1, 0.0]}, "must stay positive: give values > 0"),
        ({"distribution": "discrete", "values": []}, r"tau_mem\.values: \[\]; allowed: not empty"),
        (
            {"distribution": "discrete", "values": [1.0], "shares": [0.5]},
            "shares must have the sum",
        ),
        ({"distribution": "discrete", "values": [1.0], "shares": [0.5, 0.5]}, "one for each"),
        ({"distribution": "gamma", "shape": 1.0, "mean": 1.0, "high": 0.0}, "set high > 0 in its"),
        ({"distribution": "normal", "mean": 1.0, "std": 1.0, "low": 0.0}, "set low > 0 in its"),
        ({"distribution": "gamma", "shape": 1.0, "mean": 1.0, "low": 2.0, "high": 1.0}, "low must"),
        ({"distribution": "exponential"}, r"tau_mem\.mean: missing"),
        (
            {"distribution": "exponential", "mean": 1.0, "sigma": 1},
            "unknown key; allowed: one of low",
        ),
    ],
)
def test_wrong_tables_are_named(table, words):
    with pytest.raises(SpecError, match=words):
        Spec.parse({"network": {"neurons": {"excitatory": {"tau_mem": table}}}})
