"""Generated integer networks for every chip: sizes 10 to 20,000, six kinds of connectivity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

KINDS = ("dense", "sparse", "clustered", "star", "learning", "delays")
#: Weights and parameters: of Loihi, of chips with few bits, and of chips with one bit.
STYLES = ("rich", "three_bits", "one_bit")
#: Synapses of the largest networks; the checker walks over them one by one.
MOST_SYNAPSES = 400_000


@dataclass(frozen=True)
class Case:
    """One network to generate; `number` seeds it."""

    number: int
    kind: str
    style: str
    size: int

    def __str__(self) -> str:
        return f"{self.number}-{self.kind}-{self.style}-{self.size}"


def cases(count, largest, first=0):
    """`count` cases with sizes spread evenly in their logarithm over 10 to `largest`."""
    sizes = np.geomspace(10, largest, count).round().astype(int)
    order = np.random.default_rng(first).permutation(count)
    return [
        Case(first + k, KINDS[k % len(KINDS)], STYLES[k // len(KINDS) % len(STYLES)], int(size))
        for k, size in enumerate(sizes[order])
    ]


def pattern(kind, n_post, n_pre, rng):
    """Where there are synapses: sorted (row, column) pairs without repeats."""
    cap = MOST_SYNAPSES // 4
    if kind == "dense":
        # the largest dense block that the cap allows, in the corner
        side = min(1.0, np.sqrt(cap / (n_post * n_pre)))
        rows, columns = max(1, int(n_post * side)), max(1, int(n_pre * side))
        keep = rng.random((rows, columns)) < rng.choice([0.5, 1.0])
        return np.nonzero(keep)
    if kind == "star":
        # hubs that hear everybody, hubs that everybody hears
        hubs = max(1, min(n_post, n_pre, cap // (2 * max(n_post, n_pre))) // 50)
        row = [np.repeat(np.arange(hubs), n_pre), np.tile(np.arange(n_post), hubs)]
        column = [np.tile(np.arange(n_pre), hubs), np.repeat(np.arange(hubs), n_post)]
        flat = np.unique(np.concatenate(row) * n_pre + np.concatenate(column))
        return np.divmod(flat, n_pre)
    degree = int(rng.integers(1, 12))
    total = min(n_post * degree, cap)
    row = rng.integers(0, n_post, total)
    column = rng.integers(0, n_pre, total)
    if kind == "clustered":
        block = int(rng.integers(8, 64))
        near = rng.random(total) < 0.9
        base = row * n_pre // n_post // block * block
        column = np.where(near, np.minimum(base + column % block, n_pre - 1), column)
    return np.divmod(np.unique(row * n_pre + column), n_pre)


def projection(case, name, pre, post, sign, rng):
    """A projection of one sign between two populations."""
    rows, columns = pattern(case.kind, post.size, pre.size, rng)
    bits = {"rich": 8, "three_bits": 3, "one_bit": 1}[case.style]
    grid = 2 ** (8 - bits)
    weights = rng.integers(1, 2**bits, rows.size) * grid * (1 if sign == "excitatory" else -1)
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(post.size, pre.size))
    exponent = int(rng.integers(-2, 3)) if case.style == "rich" else 0
    learning, delays = None, None
    if case.kind == "learning" and sign == "excitatory" and rows.size:
        taus = rng.choice([5.0, 10.0, 20.0, 40.0, 80.0], int(rng.integers(1, 4)), replace=False)
        epoch = 1 if rng.random() < 0.8 else int(rng.integers(1, 5))
        rules = tuple(pair_stdp((1, 0), (1, 0), float(t), 20.0, t_epoch=epoch) for t in taus)
        learning = Learning(rules, rng.integers(0, len(rules), matrix.nnz).astype(np.int32))
        exponent = 0
    if case.kind == "delays" and rows.size:
        longest = int(rng.choice([3, 14, 62]))
        delays = rng.integers(0, longest + 1, matrix.nnz)
        if case.style == "one_bit":  # one delay for each source
            delays = (matrix.indices * 7) % (longest + 1)
    return QuantizedProjection(
        name, pre.name, post.name, matrix, exponent, sign, bits, delays, learning
    )


def population(case, name, size, rng):
    """Neurons with per-neuron parameters, few or many distinct ones."""
    many = case.style == "rich"
    taus = rng.gamma(3.0, 7.0, size) if many else rng.choice([10.0, 20.0, 30.0], size)
    dv = np.clip(np.rint(4096 * -np.expm1(-1.0 / np.maximum(taus, 0.5))), 1, 4095)
    vth = rng.integers(500, 2000, size) if many else rng.choice([800, 1200], size)
    refractory = rng.integers(0, 3, size) if rng.random() < 0.3 else 0
    return QuantizedPopulation(name, size, 700, dv, vth, 0, 0, refractory)


def network(case):
    """The network of a case: inputs, excitatory and inhibitory neurons."""
    rng = np.random.default_rng([2024, case.number])
    n_exc = max(1, round(0.8 * case.size))
    n_inp = int(rng.integers(1, max(2, min(case.size // 4, 40))))
    inp = QuantizedInput("inp", n_inp)
    exc = population(case, "exc", n_exc, rng)
    inh = population(case, "inh", max(1, case.size - n_exc), rng)
    joined = [
        projection(case, "inp_exc", inp, exc, "excitatory", rng),
        projection(case, "exc_exc", exc, exc, "excitatory", rng),
        projection(case, "exc_inh", exc, inh, "excitatory", rng),
        projection(case, "inh_exc", inh, exc, "inhibitory", rng),
    ]
    return QuantizedNetwork((inp, exc, inh), tuple(joined), name=str(case)).verify()
