"""What is wrong with a spec, in its own words: the key's path, the value, what is allowed."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hrsnn_lava.errors import Problem

#: pydantic's technical path segments, which say nothing to a user
_UNION_TAGS = {"float", "int", "gamma", "lognormal", "normal", "uniform", "constrained-float"}


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every problem once; branches of one union are put together."""
    merged: dict[str, Problem] = {}
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        plain = [p for i, p in enumerate(location) if i == 0 or not _is_tag(p)]
        where = ".".join(plain) or "spec"
        value = item.get("input")
        shown = "a table" if isinstance(value, dict) else repr(value)
        if item["type"] == "union_tag_invalid":
            where, shown = f"{where}.distribution", repr(item["ctx"]["tag"])
        if item["type"] == "extra_forbidden":
            problem = Problem(where, "unknown key", _known_keys(model, location))
        elif item["type"] == "missing":
            problem = Problem(where, "missing", "required here")
        else:
            problem = Problem(where, shown, _allowed(item))
        if where in merged:  # branches of one union: say what each of them allows
            before = merged[where]
            if problem.allowed not in before.allowed:
                problem = Problem(where, before.measured, f"{before.allowed}, or {problem.allowed}")
            else:
                problem = before
        merged[where] = problem
    # "a number was allowed too" says nothing once the table itself has named faults
    return [
        problem
        for where, problem in merged.items()
        if problem.measured != "a table" or not any(w.startswith(f"{where}.") for w in merged)
    ]


def _is_tag(part: str) -> bool:
    pydantic = ("tagged-union", "function-", "constrained", "literal[", "[key]")
    return part in _UNION_TAGS or part.startswith(pydantic)


def _allowed(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    bounds = {
        "greater_than": ("> {}", "gt"),
        "greater_than_equal": (">= {}", "ge"),
        "less_than": ("< {}", "lt"),
        "less_than_equal": ("<= {}", "le"),
    }
    if kind in bounds:
        text, key = bounds[kind]
        return text.format(context[key])
    if kind == "union_tag_invalid":
        return str(context["expected_tags"])
    if kind == "literal_error":
        return str(context["expected"])
    names = {
        "float_type": "a number",
        "int_type": "an integer",
        "bool_type": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "model_type": "a table",
        "model_attributes_type": "a distribution table",
        "finite_number": "a finite number",
        "union_tag_not_found": 'a table with distribution = "gamma|lognormal|normal|uniform"',
    }
    text = names.get(kind, str(item["msg"]))
    return text.removeprefix("Value error, ")


def _known_keys(model: Any, location: list[str]) -> str:
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is not None:
            models = _models(field.annotation)
            model = models[0] if len(models) == 1 else field.annotation
        elif part in _UNION_TAGS:
            model = next((m for m in _models(model) if _tag_of(m) == part), model)
    fields = getattr(next(iter(_models(model)), None), "model_fields", None)
    return "one of " + ", ".join(fields) if fields else "the documented keys"


def _models(annotation: Any) -> list[Any]:
    """The tables that an annotation such as ``float | A | B | None`` allows, however nested."""
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _tag_of(model: Any) -> str | None:
    field = model.model_fields.get("distribution")
    return None if field is None else get_args(field.annotation)[0]
