"""Options: checked when they are made, all faults at once; read from tables; texts of their own."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field, TypeAdapter, ValidationError

from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import (
    Count,
    NonNegative,
    Number,
    Positive,
    Registered,
    Seed,
    Share,
    help_texts,
    options,
    options_of,
    read_options,
)


@options
class Inner:
    """A table inside another.

    Attributes:
        cap: largest gain.
    """

    cap: Annotated[float, Field(ge=1)] = 50.0
    mode: Literal["none", "match"] = "none"


@options
class Outer:
    """What a pass might have.

    Attributes:
        density: share of the synapses
            that stays, 0 to 1.
        count, seed: how many, and
            of which stream.
        name_of: a name: with a colon.

    Nothing below belongs to the fields: count: 3.
    """

    name: ClassVar[str] = "outer"

    density: Share
    count: Count = 1
    seed: Seed | None = None
    inner: Inner = dataclasses.field(default_factory=Inner)
    shares: tuple[Positive, ...] = ()
    name_of: str = "x"
    on: bool = True
    hidden: Any = dataclasses.field(default=None, metadata={"record": False})


def problems(made: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(SpecError) as caught:
        made()
    return [(p.where, p.measured, p.allowed) for p in caught.value.problems]


def test_an_instance_is_frozen_comparable_and_takes_positions():
    one = Outer(0.5, 3, seed=2)
    assert (one.density, one.count, one.seed, one.inner.cap) == (0.5, 3, 2, 50.0)
    assert one == Outer(density=0.5, count=3, seed=2) != Outer(0.5)
    assert hash(one) == hash(Outer(0.5, 3, seed=2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.density = 0.1  # type: ignore[misc]
    assert dataclasses.replace(one, count=4).count == 4


def test_all_faults_come_at_once_with_value_and_what_is_allowed():
    with pytest.raises(SpecError, match="options of outer"):
        Outer(2.0)
    assert problems(lambda: Outer(density=-1, count=0, seed=-1, shares=(1.0, 0.0))) == [
        ("density", "-1", ">= 0.0"),
        ("count", "0", ">= 1"),
        ("seed", "-1", ">= 0"),
        ("shares.1", "0.0", "> 0.0"),
    ]
    assert problems(lambda: Inner(mode="best")) == [("mode", "'best'", "'none' or 'match'")]
    assert problems(Outer) == [("density", "missing", "required here")]
    known = "one of density, count, seed, inner, shares, name_of, on, hidden"
    assert problems(lambda: Outer(0.5, colour=1)) == [("colour", "unknown key", known)]


@pytest.mark.parametrize(
    ("given", "where", "allowed"),
    [
        ({"density": "0.5"}, "density", "a number"),
        ({"density": float("nan")}, "density", "<= 1.0"),
        ({"count": True}, "count", "an integer"),
        ({"count": 1.5}, "count", "an integer"),
        ({"on": 1}, "on", "true or false"),
        ({"name_of": 3}, "name_of", "a text"),
        ({"shares": [1.0]}, "shares", "a list"),
        ({"inner": {"cap": 3.0}}, "inner", "a table"),
    ],
)
def test_types_are_strict(given, where, allowed):
    ((found, _, right),) = problems(lambda: Outer(**{"density": 0.5, **given}))
    assert (found, right.startswith(allowed)) == (where, True), right


def test_numpys_scalars_are_numbers():
    made = Outer(np.float64(0.5), np.int32(3), on=np.bool_(False))
    assert (type(made.density), type(made.count), made.on) == (float, int, False)
    assert Outer(1).density == 1.0  # an integer is a number


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Positive, 1e-300, [0.0, float("inf"), float("nan")]),
        (NonNegative, 0.0, [-1e-300, float("inf")]),
        (Number, -1e300, [float("inf"), float("nan")]),
        (Share, 1.0, [1.0000001, -1e-9]),
        (Count, 1, [0]),
        (Seed, 0, [-1]),
    ],
)
def test_kinds_of_numbers(kind, good, bad):
    adapter = TypeAdapter(kind)
    assert adapter.validate_python(good) == good
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_a_call_that_no_signature_takes_is_the_programmers_fault():
    with pytest.raises(TypeError, match="Inner takes 2 options, not 3"):
        Inner(1.0, "none", 2)
    with pytest.raises(TypeError, match="Inner: cap given twice"):
        Inner(1.0, cap=2.0)


def test_tables_become_classes_and_lists_tuples():
    table = {"density": 0.5, "inner": {"cap": 3}, "shares": [1, 2.5]}
    assert read_options(Outer, table) == Outer(0.5, inner=Inner(3.0), shares=(1.0, 2.5))
    with pytest.raises(SpecError, match="prune is not valid") as caught:
        read_options(Outer, {"inner": {"cap": 0.5, "kap": 1}, "count": "3"}, "prune")
    assert [(p.where, p.allowed) for p in caught.value.problems] == [
        ("prune.density", "required here"),
        ("prune.count", "an integer"),
        ("prune.inner.cap", ">= 1.0"),
        ("prune.inner.kap", "one of cap, mode"),
    ]


def test_what_a_record_shows():
    made = Outer(0.5, inner=Inner(3.0), hidden=np.ones(3))
    assert options_of(made) == {
        "density": 0.5,
        "count": 1,
        "seed": None,
        "inner": {"cap": 3.0, "mode": "none"},
        "shares": (),
        "name_of": "x",
        "on": True,
    }


def test_texts_come_from_the_docstring():
    assert help_texts(Outer) == {
        "density": "share of the synapses that stays, 0 to 1.",
        "count": "how many, and of which stream.",
        "seed": "how many, and of which stream.",
        "name_of": "a name: with a colon.",
    }
    assert help_texts(Registered) == {}

    @options
    class Composed(Inner, Outer):
        """Both, and one thing said otherwise.

        Attributes:
            density: of all.
        """

        density: Share = 0.5

    assert help_texts(Composed) == {
        **help_texts(Outer),
        "density": "of all.",
        "cap": "largest gain.",
    }


def test_options_that_exclude_each_other_are_a_fault_of_all():
    @options
    class Pair:
        """Two that exclude each other."""

        a: int = 0
        b: int = 0

        def __post_init__(self) -> None:
            if self.a and self.b:
                raise ValueError("a or b, not both")

    assert problems(lambda: Pair(1, 1)) == [
        ("options", "these values together", "a or b, not both")
    ]
    with pytest.raises(SpecError, match="t: these values together; allowed: a or b"):
        read_options(Pair, {"a": 1, "b": 2}, "t")


def test_old_names_are_translated_by_the_class():
    @options
    class Renamed:
        """One whose option had another name."""

        new: int = 0

        @classmethod
        def current_spelling(cls, args, kwargs):
            if "old" in kwargs:
                warnings.warn("old is called new now", FutureWarning, stacklevel=2)
                kwargs = {"new": kwargs.pop("old"), **kwargs}
            return args, kwargs

    for made in (lambda: Renamed(old=3), lambda: read_options(Renamed, {"old": 3})):
        with pytest.warns(FutureWarning, match="old is called new now"):
            assert made() == Renamed(3)


def test_a_registered_name_is_one_of_the_known():
    @options
    class Named:
        """One that names a part."""

        scaling: Annotated[str, Registered("scaling")] = "max"

    assert Named("mse").scaling == "mse"
    assert Named("percentile:99.5").scaling == "percentile:99.5"
    known = "activity, max, mse, percentile"
    assert problems(lambda: Named("best")) == [("scaling", "'best'", known)]
    assert problems(lambda: Named("best:3")) == [("scaling", "'best:3'", known)]
    assert problems(lambda: Named(3)) == [("scaling", "3", "a text")]


def test_branches_of_a_union_are_one_problem():
    @options
    class Pace:
        """A time, or as fast as can be."""

        step: Literal["fastest"] | Positive = 1.0

    assert Pace("fastest").step == "fastest"
    assert problems(lambda: Pace("slow")) == [("step", "'slow'", "'fastest', or a number")]
    assert problems(lambda: Pace(0.0)) == [("step", "0.0", "'fastest', or > 0.0")]
