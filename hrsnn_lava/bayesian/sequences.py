"""Quasi-random points, of which any number may be asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sobol(size: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The first points of a scrambled Sobol sequence, (count, size), each in ``[0, 1)``.

    Args:
        size: dimensions, at most 21201.
        count: points; a shorter sequence of the same stream is the beginning of a longer one.
        rng: a draw of it scrambles the sequence.
    """
    from scipy.stats import qmc

    seed = int(rng.integers(2**31))
    power = max(count - 1, 0).bit_length()  # SciPy warns of counts that are no powers of two
    sequence = qmc.Sobol(size, scramble=True, seed=seed).random_base2(power)
    highest = np.nextafter(1.0, 0.0)
    return np.minimum(np.asarray(sequence[:count], dtype=np.float64), highest)
