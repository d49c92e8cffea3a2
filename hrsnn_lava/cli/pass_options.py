"""Command-line options made from the options classes of passes: each is declared once, there.

`pass_options(PruneLyapunov)` gives a command ``--density``, ``--score`` and so on, with the help
and the defaults of the class; a nested table ``participation`` gives ``--participation-steps``.
`given` picks what the user said out of a command's parameters, `chosen` makes an instance of it,
and the class itself checks it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import Registered, help_texts, read_options

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class OptionField:
    """One field of an options class as an option of a command.

    Attributes:
        path: names of the tables it is nested in, and its own.
        type: for click.
        text: help.
        default: shown where the user says nothing; the class supplies it.
        flag: a truth value, with ``--no-...`` beside it.
    """

    path: tuple[str, ...]
    type: Any
    text: str
    default: Any
    flag: bool = False

    @property
    def dashed(self) -> str:
        """The name without the leading dashes."""
        return "-".join(self.path).replace("_", "-")

    @property
    def parameter(self) -> str:
        """What click calls the value."""
        return "__".join(self.path)


def fields_of(cls: Any, prefix: tuple[str, ...] = ()) -> Iterator[OptionField]:
    """The options of a class, nested tables flattened; those that no command line can hold, such
    as lists, are left out."""
    hints = get_type_hints(cls, include_extras=True)
    texts = help_texts(cls)
    for field in dataclasses.fields(cls):
        annotation, registered = _bare(hints[field.name])
        default = field.default
        if default is dataclasses.MISSING:
            factory = field.default_factory
            default = factory() if factory is not dataclasses.MISSING else None
        path = (*prefix, field.name)
        text = texts.get(field.name, "")
        if dataclasses.is_dataclass(annotation):
            inner = list(fields_of(annotation, path))
            if inner and inner[0].path[-1] == "mode":  # ``--rescale match``, not --rescale-mode
                mode = getattr(default, "mode", inner[0].default)
                inner[0] = dataclasses.replace(inner[0], path=path, text=text, default=mode)
            yield from inner
            continue
        kind = _names_of(registered) if registered else _click_type(annotation)
        if kind is not None:
            yield OptionField(path, kind, text, default, annotation is bool)


def _bare(annotation: Any) -> tuple[Any, Registered | None]:
    """A type without its checks and without None, and the mark of a field that holds names."""
    registered = None
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            inner, *extras = get_args(annotation)
            registered = next((e for e in extras if isinstance(e, Registered)), registered)
            annotation = inner
        elif origin is Union or str(origin) == "<class 'types.UnionType'>":
            options = [a for a in get_args(annotation) if a is not type(None)]
            if len(options) != 1:
                return None, None
            annotation = options[0]
        else:
            return annotation, registered


def _names_of(registered: Registered) -> Any:
    """Names of a kind of parts; a text where a name may have a value, as in ``percentile:99``."""
    return click.STRING if registered.kind == "scaling" else click.Choice(registered.names)


def _click_type(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return click.Choice([str(a) for a in get_args(annotation)])
    if annotation is str:
        return click.STRING
    return {int: click.INT, float: click.FLOAT, bool: click.BOOL}.get(annotation)


def merged(classes: Mapping[str, Any], skip: Iterable[str] = ()) -> list[tuple[OptionField, str]]:
    """Options of several classes, one each; the second entry names the owners, where not all.

    Args:
        classes: by the name that the help shows.
        skip: parameters that the command declares itself.
    """
    alike: dict[str, dict[str, OptionField]] = {}
    for name, cls in classes.items():
        for field in fields_of(cls):
            alike.setdefault(field.parameter, {})[name] = field
    return [
        (_common(fields), "" if len(fields) == len(classes) else ", ".join(fields))
        for key, fields in alike.items()
        if key not in set(skip)
    ]


def _common(fields: Mapping[str, OptionField]) -> OptionField:
    """One option for several classes; where they differ, text and default say whose is which."""
    first = next(iter(fields.values()))
    kinds = [f.type for f in fields.values()]
    if all(isinstance(kind, click.Choice) for kind in kinds):
        choices = dict.fromkeys(choice for kind in kinds for choice in kind.choices)
        first = dataclasses.replace(first, type=click.Choice([*choices]))
    texts = _by_value({name: f.text.removesuffix(".") for name, f in fields.items()})
    defaults = _by_value({name: f.default for name, f in fields.items()})
    if len(texts) > 1:
        first = dataclasses.replace(first, text="; ".join(f"{n}: {t}" for t, n in texts.items()))
    if len(defaults) > 1:
        said = "; ".join(f"{value} for {names}" for value, names in defaults.items())
        first = dataclasses.replace(first, default=said)
    return first


def _by_value(values: Mapping[str, Any]) -> dict[Any, str]:
    """Every value once, with the names that have it."""
    return {
        value: ", ".join(name for name, other in values.items() if other == value)
        for value in dict.fromkeys(values.values())
    }


def pass_options(
    classes: Mapping[str, Any], *, prefix: str = "", skip: Iterable[str] = ()
) -> Decorator:
    """Give a command the options of the classes, all without a value by default.

    Args:
        classes: by the name that the help shows of options that not all of them have.
        prefix: put before every option and parameter, where several passes share a command.
        skip: fields that the command declares itself.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field, owner in reversed(merged(classes, skip)):
            dashed = f"{prefix}-{field.dashed}" if prefix else field.dashed
            name = f"--{dashed}/--no-{dashed}" if field.flag else f"--{dashed}"
            text = field.text
            if re.split("[,:]", text)[0] not in classes:  # nobody in front yet
                text = f"{owner}: {text}" if owner else text[:1].upper() + text[1:]
            default = "" if field.default is None else f"  [default: {_shown(field.default)}]"
            function = click.option(
                name,
                _parameter(field, prefix),
                type=None if field.flag else field.type,
                default=None,
                help=text.replace("`", "") + default,
            )(function)
        return function

    return decorate


def _shown(default: Any) -> str:
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)


def _parameter(field: OptionField, prefix: str) -> str:
    return f"{prefix}__{field.parameter}".replace("-", "_") if prefix else field.parameter


def refuse_others(classes: Mapping[str, Any], chosen: str, parameters: Mapping[str, Any]) -> None:
    """A usage error for an option that the chosen class does not have: to ignore it deceives."""
    own = {field.parameter for field in fields_of(classes[chosen])}
    for field, owner in merged(classes):
        if parameters.get(field.parameter) is not None and field.parameter not in own:
            raise click.UsageError(f"--{field.dashed} belongs to {owner}, not to {chosen}")


def given(cls: Any, parameters: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """What the user said of a class's options, as a table that `read_options` takes."""
    table: dict[str, Any] = {}
    for field in fields_of(cls):
        value = parameters.get(_parameter(field, prefix))
        if value is None:
            continue
        target = table
        for part in field.path[:-1]:
            inner = target.setdefault(part, {})
            if not isinstance(inner, dict):  # a mode alone stands for its table
                inner = target[part] = {"mode": inner}
            target = inner
        target[field.path[-1]] = value
    for own in dataclasses.fields(cls):
        inner = table.get(own.name)
        if isinstance(inner, dict) and "mode" not in inner:
            default = _default_of(own)
            if hasattr(default, "mode"):  # an option of a mode does not choose another one
                inner["mode"] = default.mode
    return table


def _default_of(field: Any) -> Any:
    """The default of a field, whether it is a value or made."""
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def chosen(
    cls: Any, parameters: Mapping[str, Any], *, prefix: str = "", base: Any = None, **more: Any
) -> Any:
    """An instance of a class by what the user said; wrong values are named as options.

    Args:
        base: holds where the user says nothing; None: the defaults of the class.
        **more: fields that the command declares itself.
    """
    table = given(cls, parameters, prefix=prefix) | more
    with as_options(cls, prefix):
        return read_options(cls, table) if base is None else _changed(base, table)


def _changed(base: Any, table: Mapping[str, Any]) -> Any:
    """Options with other values, those of nested tables too."""
    values = {}
    for name, value in table.items():
        inner = getattr(base, name)
        if isinstance(value, Mapping) and dataclasses.is_dataclass(inner):
            try:
                values[name] = _changed(inner, value)
            except SpecError as error:
                raise _renamed(error, f"{name}.{{}}".format) from None
        else:
            values[name] = value
    return dataclasses.replace(base, **values)


def _renamed(error: SpecError, name: Callable[[str], str]) -> SpecError:
    """The error with other names of what is wrong."""
    problems = [dataclasses.replace(p, where=name(p.where)) for p in error.problems]
    return type(error)(error.message, problems=problems)


@contextmanager
def as_options(cls: Any, prefix: str = "") -> Iterator[None]:
    """Name fields of a class in errors as options: ``--rescale-cap`` for ``rescale.cap``."""
    dashes = f"--{prefix}-" if prefix else "--"
    names = {".".join(field.path): dashes + field.dashed for field in fields_of(cls)}
    names |= {f"{path}.mode": name for path, name in names.items()}
    try:
        yield
    except SpecError as error:
        raise _renamed(error, lambda where: names.get(where, where)) from None
