"""Shared set-up: Lava tests are skipped where Lava cannot run, hypothesis has no deadline."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hrsnn_lava.sim_backends.lava.backend import lava_obstacle

# a comparison that fails in a helper says what it compared
pytest.register_assert_rewrite(*(p.stem for p in Path(__file__).parent.glob("support/*.py")))

if lava_obstacle() is None:
    # Lava sets multiprocessing's start method when it is imported, which nobody may have done
    # before; scikit-learn does
    import lava.magma.runtime.message_infrastructure.multiprocessing  # noqa: F401

settings.register_profile(
    "default",
    deadline=None,  # the first example may compile a kernel
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("nightly", parent=settings.get_profile("default"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `lava` with the reason, where Lava cannot run."""
    obstacle = lava_obstacle()
    if obstacle is None:
        return
    skip = pytest.mark.skip(reason=obstacle)
    for item in items:
        if item.get_closest_marker("lava"):
            item.add_marker(skip)
