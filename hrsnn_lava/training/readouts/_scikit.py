"""scikit-learn for readouts, imported when one is fitted."""

from __future__ import annotations

import importlib
from typing import Any

from hrsnn_lava.errors import BackendError


def scikit(module: str) -> Any:
    """A module of scikit-learn.

    Raises:
        BackendError: it is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise BackendError(
            "this readout needs scikit-learn, which is not installed; "
            "pip install 'hrsnn-lava[experiments]'"
        ) from error
