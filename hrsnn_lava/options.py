"""Options that are declared once: the class is the table of a spec, the record and the CLI's help.

`options` makes a frozen dataclass whose fields pydantic checks strictly: unknown names, wrong types
and values out of range are refused, all of them at once, by a `SpecError`. What the class says of a
field under ``Attributes:`` in its docstring is its help text on the command line and its
description in the documentation, and is written nowhere else::

    @options
    class PruneRandom:
        '''Keep a random share of the recurrent synapses.

        Attributes:
            density: share of the synapses to keep, 0 to 1.
        '''

        name: ClassVar[str] = "prune_random"
        density: Share = 0.1
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

import pydantic.dataclasses
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import dataclass_transform

from hrsnn_lava import registry
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.spelling import did_you_mean, names_in

T = TypeVar("T")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
#: A share of a whole, 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


@dataclasses.dataclass(frozen=True)
class Registered:
    """Marks a text as the name of a part of a kind; an unknown one is refused with the known.

    Use it as ``Annotated[str, Registered("score")]``. What follows a colon, as in
    ``percentile:99.5``, is the part's own affair. `beside` are further names, of no part.
    """

    kind: str
    beside: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names that are allowed."""
        return (*self.beside, *registry.names(self.kind))

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The schema of a text with the check of its name."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        """The names as ``examples``: what follows a colon would break an ``enum``."""
        return handler(schema) | {"examples": list(self.names)}

    def check(self, text: str) -> str:
        """The text itself; a `ValueError` that lists the names there are."""
        if text.partition(":")[0] not in self.names:
            raise ValueError(", ".join(self.names))
        return text


@dataclasses.dataclass(frozen=True)
class Part:
    """Marks a field as the options of a part of a kind, given as a table or by its name alone.

    Use it as ``Annotated[Any, Part("encoder")]``. ``kind`` of the table names the part; the other
    keys are its options. It is written as such a table, too.

    Attributes:
        kind: see `hrsnn_lava.registry`.
        default: the part where a table names none.
    """

    kind: str
    default: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The schema of the field: what `read` makes of its value."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            self.read,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(table_of),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """The names there are."""
        del schema, handler
        return {"enum": list(registry.names(self.kind))}

    def read(self, value: Any) -> Any:
        """The options that a table or a name asks for; anything else is left as it is.

        Raises:
            ValidationError: no such part, or wrong options, under their keys.
        """
        table = {"kind": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping):
            if isinstance(value, (bool, int, float, list, tuple, set, type(None))):
                one = f"a{'n' * (self.kind[0] in 'aeiou')} {self.kind}"
                allowed = f"the name of {one}, or a table: {', '.join(registry.names(self.kind))}"
                raise self.refusal([Problem("", f"{value!r:.40}", allowed)])
            return value
        name, names = table.get("kind", self.default), registry.names(self.kind)
        if name not in names:
            problems = [Problem("kind", repr(name), ", ".join(names))]
        else:
            cls = registry.load(self.kind, name)
            own = {key: entry for key, entry in table.items() if key != "kind"}
            try:
                # as JSON, in which strict options take a list for a tuple, a table for options
                return _adapter(cls).validate_json(json.dumps(own, default=_plain_scalar))
            except ValidationError as error:
                problems = problems_of(error, cls)
        raise self.refusal(problems)

    def refusal(self, problems: Iterable[Problem]) -> ValidationError:
        """The error that says of keys of the table, in this program's words, what is wrong."""
        # what is allowed depends on the part, which the table around this one does not know
        lines = [
            InitErrorDetails(
                type=PydanticCustomError("problem", "{allowed}", dataclasses.asdict(problem)),
                loc=tuple(filter(None, problem.where.split("."))),
                input=None,
            )
            for problem in problems
        ]
        return ValidationError.from_exception_data(self.kind, lines)


_CONFIG = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def options(cls: type[T]) -> type[T]:
    """A frozen dataclass, checked when it is made; see the module.

    Raises (when an instance is made):
        SpecError: with every field that is wrong: its value, and what is allowed.
    """
    options_class: Any = pydantic.dataclasses.dataclass(frozen=True, config=_CONFIG)(cls)
    checked = options_class.__init__

    def start(self: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        args, kwargs = _current_spelling(options_class, args, kwargs)
        names = [f.name for f in dataclasses.fields(options_class) if f.init]
        if len(args) > len(names):
            raise TypeError(f"{options_class.__name__} takes {len(names)} options, not {len(args)}")
        twice = sorted(set(names[: len(args)]) & set(kwargs))
        if twice:
            raise TypeError(f"{options_class.__name__}: {', '.join(twice)} given twice")
        kwargs |= dict(zip(names, map(_plain_scalar, args), strict=False))
        try:
            checked(self, **{name: _plain_scalar(value) for name, value in kwargs.items()})
        except ValidationError as error:
            title = getattr(options_class, "name", options_class.__name__)
            raise SpecError(
                f"options of {title}", problems=problems_of(error, options_class)
            ) from None

    options_class.__init__ = start
    result: type[T] = options_class
    return result


def _current_spelling(
    cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments in today's spelling, where the class says what was called otherwise before."""
    translate = getattr(cls, "current_spelling", None)
    return translate(args, kwargs) if translate is not None else (args, kwargs)


def _plain_scalar(value: Any) -> Any:
    """NumPy's integers and truth values as Python's, which strict fields ask for."""
    item = getattr(value, "item", None)
    if item is None or getattr(value, "ndim", None) != 0:
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return value if kind in "mM" and kind else item()  # `item` of a time span is an integer


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def read_options(cls: Callable[..., T], table: Mapping[str, Any], where: str = "") -> T:
    """Options from a table of TOML or JSON: tables become option classes, lists tuples.

    Args:
        cls: a class made by `options`.
        table: keys and plain values.
        where: path of the table, put before the keys in messages.

    Raises:
        SpecError: with every key that is unknown, missing or wrong.
    """
    _, keys = _current_spelling(cls, (), dict(table))
    try:
        instance: T = _adapter(cls).validate_json(json.dumps(keys, default=str))
    except ValidationError as error:
        problems = problems_of(error, cls, where)
        raise SpecError(f"{where or 'the table'} is not valid", problems=problems) from None
    return instance


def table_of(options: Any) -> dict[str, Any]:
    """The options of a part as a table of a spec: its kind and all values, nested parts alike."""
    table = {"kind": options.name} if getattr(options, "name", "") else {}
    for entry in dataclasses.fields(options):
        value = getattr(options, entry.name)
        table[entry.name] = table_of(value) if dataclasses.is_dataclass(value) else value
    return table


def options_of(value: Any) -> dict[str, Any]:
    """Fields and values of an options object, nested ones as dictionaries; without hidden ones.

    A field with ``metadata={"record": False}`` (measured arrays) is left out.
    """
    return {
        f.name: options_of(item) if dataclasses.is_dataclass(item) else item
        for f in dataclasses.fields(value)
        if f.metadata.get("record", True)
        for item in (getattr(value, f.name),)
    }


@cache
def help_texts(cls: type[Any]) -> Mapping[str, str]:
    """Text of every field, from ``Attributes:`` of the docstring; "a, b: text" names both.

    A class that composes others has their texts, where it says nothing else.
    """
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        texts |= _attribute_texts(base.__dict__.get("__doc__") or "")
    own = {f.name for f in dataclasses.fields(cls)}
    return {name: text for name, text in texts.items() if name in own}


def _attribute_texts(docstring: str) -> dict[str, str]:
    doc = inspect.cleandoc(docstring)
    section = re.search(r"^Attributes:\n((?:[ ]+.*\n?|\n)+)", doc, re.M)
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc("\n" + section[1]).splitlines() if section else ():
        head = re.match(r"^(\w+(?:, \w+)*): +(.*)", line)
        if head:
            names = head[1].split(", ")
            texts |= dict.fromkeys(names, head[2])
        else:
            texts |= {name: f"{texts[name]} {line.strip()}".rstrip() for name in names}
    return texts


def problems_of(error: ValidationError, cls: Any, where: str = "") -> list[Problem]:
    """What pydantic found, in this program's words: the key's path, the value, what is allowed."""
    merged: dict[str, Problem] = {}
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        path = [p for i, p in enumerate(location) if i == 0 or not _is_tag(p)]
        key = ".".join([*([where] if where else []), *path]) or "options"
        value = item.get("input")
        measured = "a table" if isinstance(value, dict) else repr(value)
        if item["type"] == "value_error" and (not path or isinstance(value, Mapping)):
            measured = "these values together"
            # of several options: the one that leads the text
            if said := re.match(r"(\w+): (.+)", _allowed(item), re.S):
                problem = Problem(f"{key}.{said[1]}" if path or where else said[1], said[2])
                merged[problem.where] = problem
                continue
        if item["type"] == "union_tag_invalid":
            key, measured = f"{key}.distribution", repr(item["ctx"]["tag"])
        if item["type"] == "problem":  # one that another options class has put into words
            allowed = item["ctx"]["allowed"]
            measured = item["ctx"]["measured"]
            problem = Problem(key, measured, allowed, _near(measured.strip("'"), allowed))
        elif item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = _known_keys(cls, location)
            fix = did_you_mean(path[-1] if path else "", names_in(known))
            problem = Problem(key, "unknown key", known, fix)
        elif item["type"] in ("missing", "missing_argument"):
            problem = Problem(key, "missing", "required here")
        else:
            problem = Problem(key, measured, _allowed(item), _near(value, _allowed(item)))
        if key in merged:  # branches of one union: say what each of them allows
            before = merged[key]
            if problem.allowed not in before.allowed:
                both = f"{before.allowed}, or {problem.allowed}"
                problem = Problem(key, before.measured, both, before.fix or problem.fix)
            else:
                problem = before
        merged[key] = problem
    # "a number was allowed too" says nothing once the table itself has named faults
    return [
        problem
        for key, problem in merged.items()
        if problem.measured != "a table" or not any(k.startswith(f"{key}.") for k in merged)
    ]


#: Names of the tables that stand for a distribution, see `hrsnn_lava.distribution_options`.
DISTRIBUTIONS = ("gamma", "lognormal", "normal", "uniform", "exponential", "discrete")
#: pydantic's technical path segments, which say nothing to a user.
_UNION_TAGS = {
    "float",
    "int",
    "constrained-float",
    "constrained-int",
    # how a field is given that takes a number, a distribution, or a table by type
    "number",
    "distribution",
    "types",
    *DISTRIBUTIONS,
}
_BOUNDS = {
    "greater_than": ("> {}", "gt"),
    "greater_than_equal": (">= {}", "ge"),
    "less_than": ("< {}", "lt"),
    "less_than_equal": ("<= {}", "le"),
}
_ALLOWED = {
    "float_type": "a number",
    "int_type": "an integer",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "dataclass_exact_type": "a table",
    "model_attributes_type": "a distribution table",
    "finite_number": "a finite number",
    "too_short": "not empty",
    "union_tag_not_found": f'a table with distribution = "{"|".join(DISTRIBUTIONS)}"',
}


def _near(value: Any, allowed: str) -> str:
    """What a text may have been meant to be, of those that are allowed."""
    if not isinstance(value, str):
        return ""
    names = names_in(allowed)
    return "" if value in names else did_you_mean(value.partition(":")[0], names)


def _is_tag(part: str) -> bool:
    technical = ("tagged-union", "function-", "constrained", "literal[", "[key]")
    return part in _UNION_TAGS or part.startswith(technical)


def _allowed(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in _BOUNDS:
        text, key = _BOUNDS[kind]
        return text.format(context[key])
    if kind == "union_tag_invalid":
        return str(context["expected_tags"])
    if kind == "literal_error":
        return str(context["expected"])
    return _ALLOWED.get(kind, str(item["msg"])).removeprefix("Value error, ")


def _known_keys(cls: Any, location: list[str]) -> str:
    """The keys of the table in which an unknown one stands."""
    from typing import get_args, get_type_hints

    def tables(annotation: Any) -> list[Any]:
        # a class: what stands beside one in `Annotated` may be made of dataclasses itself
        is_class = isinstance(annotation, type)
        if is_class and (
            hasattr(annotation, "model_fields") or dataclasses.is_dataclass(annotation)
        ):
            return [annotation]
        return [table for part in get_args(annotation) for table in tables(part)]

    def keys(table: Any) -> list[str]:
        if hasattr(table, "known_keys"):
            return list(table.known_keys())
        if hasattr(table, "model_fields"):
            return list(table.model_fields)
        return [f.name for f in dataclasses.fields(table) if f.init]

    def tag(table: Any) -> Any:
        hint = get_type_hints(table).get("distribution")
        return None if hint is None else get_args(hint)[0]

    current = cls
    for part in location[:-1]:
        candidates = tables(current)
        if part in _UNION_TAGS:
            wanted = None if part == "types" else part
            current = next((t for t in candidates if tag(t) == wanted), current)
            continue
        holder = next((t for t in candidates if part in keys(t)), None)
        if holder is not None:
            # a table may have keys of several classes, and then says which
            owner = holder.known_keys()[part] if hasattr(holder, "known_keys") else holder
            hints = get_type_hints(owner, include_extras=True)[part]
            inner = tables(hints)
            current = inner[0] if len(inner) == 1 else hints
    innermost = tables(current)
    if not innermost:
        return "the documented keys"
    known = keys(innermost[0])
    return "one of " + ", ".join(known) if known else "none: it has no options"
