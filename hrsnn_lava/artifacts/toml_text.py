"""Plain tables as TOML: what `tomllib` reads back as the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["toml_text"]


def toml_text(tables: Mapping[str, Any]) -> str:
    """Tables as a TOML file.

    Keys whose value is None are left out: TOML has nothing for them.

    Args:
        tables: of texts, numbers, truth values, and of lists and tables of such.
    """
    import tomli_w

    return tomli_w.dumps(_stated(tables))


def _stated(value: Any) -> Any:
    """The same without keys of None, at any depth."""
    if isinstance(value, Mapping):
        return {key: _stated(inner) for key, inner in value.items() if inner is not None}
    return [_stated(inner) for inner in value] if isinstance(value, (list, tuple)) else value
