"""Read-only arrays, as the fields of frozen dataclasses."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A view of `array` that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
