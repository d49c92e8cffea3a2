"""Reports as text, JSON and HTML; see `hrsnn_lava.report.document`.

The package is also the verb ``hrsnn_lava.report(compiled, trace)``: importing a sub-module binds
the package to that name, over the function of `hrsnn_lava.api`, so calling it has to work too.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        """See `hrsnn_lava.report.document.build_report`."""
        from hrsnn_lava.report.document import build_report

        return build_report(*args, **options)


sys.modules[__name__].__class__ = _Verb
