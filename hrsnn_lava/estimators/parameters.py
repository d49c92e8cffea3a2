"""What scikit-learn asks of an estimator: parameters by name, that are stored and not looked at.

`sklearn.base.clone`, `Pipeline`, `cross_val_score` and `GridSearchCV` need no more than that, and
scikit-learn is imported when it asks, never before.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar

import numpy as np

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.notebook import LONGEST, card, shape
from hrsnn_lava.spelling import unknown_options

__all__ = ["Estimator", "Where", "one_thread", "plain_options"]

Self = TypeVar("Self", bound="Estimator")
P = ParamSpec("P")
T = TypeVar("T")
#: Which network answers: the one in float, or the program that was compiled last.
Where = Literal["float", "chip"]


def one_thread(method: Callable[P, T]) -> Callable[P, T]:
    """A method that gives the same bits on every machine: sums of BLAS in one order."""

    @functools.wraps(method)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return method(*args, **kwargs)

    return limited


class Estimator:
    """Base of dataclasses whose fields are parameters; attributes of a fit end with ``_``."""

    #: What scikit-learn takes it for.
    _estimator_type: ClassVar[str | None] = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, as they were given."""
        del deep  # none of them is an estimator
        return {name: getattr(self, name) for name in _names(self)}

    def set_params(self: Self, **parameters: Any) -> Self:
        """Change some; raises `SpecError` for one that there is not."""
        problems = unknown_options(parameters, _names(self))
        raise_if(SpecError, f"{type(self).__name__} has no such parameter", problems)
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn 1.6 and later asks for; called by scikit-learn alone."""
        utils: Any = importlib.import_module("sklearn.utils")
        classifies = self._estimator_type == "classifier"
        return utils.Tags(
            estimator_type=self._estimator_type,
            target_tags=utils.TargetTags(required=classifies),
            transformer_tags=utils.TransformerTags() if classifies else None,
            classifier_tags=utils.ClassifierTags() if classifies else None,
            input_tags=utils.InputTags(three_d_array=classifies),
        )

    def __repr__(self) -> str:
        """The parameters that are not the default."""
        said = (f"{name}={shape(value)}" for name, value in self._changed().items())
        text = f"{type(self).__name__}({', '.join(said)})"
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]}...)"

    def _repr_html_(self) -> str:
        """The same, for a notebook."""
        figures = [(name, shape(value), "") for name, value in self._changed().items()]
        return card(type(self).__name__, "fitted" if self._fitted else "not fitted", figures)

    def _changed(self) -> dict[str, Any]:
        defaults = {f.name: f.default for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        parameters = self.get_params().items()
        return {name: v for name, v in parameters if not _same(v, defaults[name])}

    @property
    def _fitted(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def _require_fit(self) -> None:
        if not self._fitted:
            name = type(self).__name__
            raise SpecError(f"this {name} is not fitted; call fit first")

    def _on_chip(self, on: Where) -> bool:
        """Whether the program is asked, which there has to be.

        Raises:
            SpecError: not fitted, not compiled, or a place that is neither.
        """
        self._require_fit()
        if on not in ("float", "chip"):
            problem = Problem("on", repr(on), '"float" or "chip"')
            raise SpecError("no such place", problems=[problem])
        if on == "chip":
            self._require_program()
        return on == "chip"

    def _require_program(self) -> None:
        self._require_fit()
        if "compiled_" not in vars(self):
            name = type(self).__name__
            raise SpecError(f"this {name} is not compiled; call compile first")

    def _forget(self) -> None:
        """Drop what an earlier fit has left."""
        for name in list(vars(self)):
            if name not in _names(self):
                delattr(self, name)


def _names(estimator: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(estimator)]


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    return (
        type(value) is type(default)
        and isinstance(value, int | float | str | tuple)
        and (value == default)
    )


def plain_options(cls: Any, values: Iterable[tuple[str, Any]], lists: Iterable[str] = ()) -> Any:
    """Checked options of the values of parameters.

    Args:
        cls: a class made by `hrsnn_lava.options.options`.
        values: names and values; those that are no fields of the class are left out.
        lists: fields that hold several values: one alone, a list and an array will do.

    Raises:
        SpecError: with every value that is wrong.
    """
    known = {field.name for field in dataclasses.fields(cls)}
    table = {name: value for name, value in values if name in known}
    for name in lists:
        value = table.get(name)
        if isinstance(value, list | tuple | np.ndarray | int | float | np.number):
            table[name] = tuple(np.atleast_1d(np.asarray(value)).tolist())
    return cls(**table)
