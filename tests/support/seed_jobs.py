"""What `FurtherSeeds` calls in other processes, where they can import it."""

from __future__ import annotations

import time

from hrsnn_lava.errors import SpecError


def fails_on_4(spec, runner):
    """Nothing, but an error on the seed 4."""
    if spec.seed == 4:
        raise SpecError("seed 4 is out of order")
    return []


def sleeps(spec, runner):
    """Far longer than a test."""
    time.sleep(120)
    return []
