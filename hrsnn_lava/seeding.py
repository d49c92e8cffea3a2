"""Random streams: one counter-based generator per (seed, stage, trial), never a global state."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, stage: str, trial: int = 0) -> np.random.Generator:
    """Return the Philox generator of one stage of one trial.

    The 128-bit key is the BLAKE2b digest of ``"seed/stage/trial"``, so streams of different
    stages are independent, and adding a stage or a worker moves none of the others.

    Args:
        seed: the user's seed, any integer >= 0.
        stage: name of the stage that draws, such as ``"build/exc_inh"``.
        trial: index of the trial.
    """
    digest = hashlib.blake2b(f"{seed}/{stage}/{trial}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
