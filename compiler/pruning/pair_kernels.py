"""Pairs of neurons that may be joined, one bit each, and the loops that choose among them.

Compiled, imported on first use. Of N neurons there are three tables of N rows of N bits (9 MB for
5000 neurons): who is joined, who may be (`open_pairs`), and who has a common neighbour (`shared`).
A candidate is open and shared. To join two neurons takes as long as they have neighbours, to find
the best candidate of a neuron N / 64 looks and one more for each that it has.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Bits = NDArray[np.uint64]
Index = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
#: What no key is above.
NOTHING = np.inf
#: Slopes that are no less than this are 0 but for rounding.
LEAST_SLOPE = -1e-9


class Pairs(NamedTuple):
    """Tables of bits, (N, ceil(N / 64)), symmetric, and counts, (N,).

    Attributes:
        joined: pairs that are connected.
        open_pairs: pairs that may be connected and are not.
        shared: pairs with a common neighbour; all, where that is not asked for.
        degree: neighbours of every neuron.
        candidates: pairs of every neuron that are open and shared.
    """

    joined: Bits
    open_pairs: Bits
    shared: Bits
    degree: Index
    candidates: Index


@kernel()
def has(bits: Bits, u: int, v: int) -> bool:
    """One bit."""
    return bool((bits[u, v >> 6] >> np.uint64(v & 63)) & np.uint64(1) == np.uint64(1))


@kernel()
def put(bits: Bits, u: int, v: int) -> None:
    """Set the bit of a pair, both ways."""
    bits[u, v >> 6] |= np.uint64(1) << np.uint64(v & 63)
    bits[v, u >> 6] |= np.uint64(1) << np.uint64(u & 63)


@kernel()
def clear(bits: Bits, u: int, v: int) -> None:
    """Clear the bit of a pair, both ways."""
    bits[u, v >> 6] &= ~(np.uint64(1) << np.uint64(v & 63))
    bits[v, u >> 6] &= ~(np.uint64(1) << np.uint64(u & 63))


@kernel()
def pairs_of(
    indptr: Index,
    indices: Index,
    group: Index,
    allowed: Bool,
    blocked: Index,
    anywhere: bool,
) -> Pairs:
    """The tables of a network.

    Args:
        indptr, indices: undirected adjacency in CSR form, without self-loops.
        group: (N,) group of every neuron.
        allowed: (G, G) groups whose neurons may be joined, symmetric.
        blocked: (B, 2) pairs that may not.
        anywhere: whether pairs without a common neighbour are candidates, too.
    """
    n = group.size
    words = (n + 63) >> 6
    joined = np.zeros((n, words), dtype=np.uint64)
    open_pairs = np.zeros((n, words), dtype=np.uint64)
    shared = np.zeros((n, words), dtype=np.uint64)
    degree = np.zeros(n, dtype=np.int64)
    candidates = np.zeros(n, dtype=np.int64)
    for u in range(n):
        for v in range(u):
            if allowed[group[u], group[v]]:
                put(open_pairs, u, v)
    for at in range(blocked.shape[0]):
        clear(open_pairs, blocked[at, 0], blocked[at, 1])
    for u in range(n):
        degree[u] = indptr[u + 1] - indptr[u]
        for at in range(indptr[u], indptr[u + 1]):
            put(joined, u, indices[at])
            clear(open_pairs, u, indices[at])
    for u in range(n):
        if anywhere:
            shared[u] = ~np.uint64(0)
        for at in range(indptr[u], indptr[u + 1]):
            for word in range(words):
                shared[u, word] |= joined[indices[at], word]
        for v in range(n):
            candidates[u] += has(open_pairs, u, v) and has(shared, u, v)
    return Pairs(joined, open_pairs, shared, degree, candidates)


@kernel()
def share(pairs: Pairs, u: int, v: int) -> None:
    """Two neurons have a common neighbour now."""
    if u != v and not has(pairs.shared, u, v):
        put(pairs.shared, u, v)
        if has(pairs.open_pairs, u, v):
            pairs.candidates[u] += 1
            pairs.candidates[v] += 1


@kernel()
def join(pairs: Pairs, u: int, v: int) -> None:
    """Connect a candidate: what is near one end is near the other now."""
    words = pairs.joined.shape[1]
    for a, b in ((u, v), (v, u)):
        for word in range(words):
            bits = pairs.joined[a, word]
            if bits != np.uint64(0):
                for k in range(64):
                    if (bits >> np.uint64(k)) & np.uint64(1) == np.uint64(1):
                        share(pairs, (word << 6) + k, b)
    put(pairs.joined, u, v)
    clear(pairs.open_pairs, u, v)
    for a in (u, v):
        pairs.candidates[a] -= 1
        pairs.degree[a] += 1


@kernel()
def best_by_degree(pairs: Pairs, u: int, sign: int) -> tuple[int, float]:
    """The candidate of u with the least ``sign (d_u + d_v)``, and that; -1 where there is none.

    Of equal ones the first.
    """
    best, partner = NOTHING, -1
    if pairs.candidates[u] > 0:
        for word in range(pairs.joined.shape[1]):
            bits = pairs.open_pairs[u, word] & pairs.shared[u, word]
            if bits != np.uint64(0):
                for k in range(64):
                    if (bits >> np.uint64(k)) & np.uint64(1) == np.uint64(1):
                        v = (word << 6) + k
                        value = float(sign * (pairs.degree[u] + pairs.degree[v]))
                        if value < best:
                            best, partner = value, v
    return partner, best


@kernel()
def join_by_degree(pairs: Pairs, count: int, sign: int) -> Index:
    """Join, one after the other, `count` candidates of the least ``sign (d_u + d_v)``.

    Every neuron has the key of the best of its candidates when it was last looked at. Joining u
    and v changes candidates and sums of these two alone, so that only they are looked at anew; for
    the others, keys are too low (sign +1), or the pair's other end has the right one (sign -1).
    Either way the least of all keys is no larger than the least sum, and equal once it is
    confirmed.

    Returns:
        (C, 2) pairs, C <= count.
    """
    n = pairs.degree.size
    keys = np.empty(n)
    for u in range(n):
        keys[u] = best_by_degree(pairs, u, sign)[1]
    chosen = np.empty((count, 2), dtype=np.int64)
    done = 0
    while done < count:
        u = int(np.argmin(keys))
        if keys[u] == NOTHING:
            break
        v, value = best_by_degree(pairs, u, sign)
        if value != keys[u]:
            keys[u] = value
            continue
        join(pairs, u, v)
        chosen[done, 0], chosen[done, 1] = u, v
        done += 1
        keys[u] = best_by_degree(pairs, u, sign)[1]
        keys[v] = best_by_degree(pairs, v, sign)[1]
    return chosen[:done]


@kernel()
def join_at_random(pairs: Pairs, draws: Float) -> Index:
    """Join candidates that are drawn evenly, one after the other, by (count,) `draws` in [0, 1).

    Returns:
        (C, 2) pairs, C <= count.
    """
    chosen = np.empty((draws.size, 2), dtype=np.int64)
    done = 0
    while done < draws.size:
        total = int(pairs.candidates.sum())
        if total == 0:
            break
        rest = min(int(draws[done] * total), total - 1)
        u = 0
        while rest >= pairs.candidates[u]:
            rest -= pairs.candidates[u]
            u += 1
        v = -1
        while rest >= 0:
            v += 1
            rest -= has(pairs.open_pairs, u, v) and has(pairs.shared, u, v)
        join(pairs, u, v)
        chosen[done, 0], chosen[done, 1] = u, v
        done += 1
    return chosen[:done]


@kernel()
def best_by_slope(
    pairs: Pairs, u: int, free: Bool, vectors: Float, slopes: Float
) -> tuple[int, float]:
    """The free candidate of u for which ``sum_k (x_ku - x_kv) (g_ku - g_kv)`` is least, and that.

    -1 where none is below `LEAST_SLOPE`; of equal ones the first.
    """
    best, partner = LEAST_SLOPE, -1
    if not free[u]:
        return partner, best
    for word in range(pairs.joined.shape[1]):
        bits = pairs.open_pairs[u, word] & pairs.shared[u, word]
        if bits != np.uint64(0):
            for k in range(64):
                v = (word << 6) + k
                if (bits >> np.uint64(k)) & np.uint64(1) == np.uint64(1) and free[v]:
                    value = 0.0
                    for j in range(vectors.shape[1]):
                        value += (vectors[u, j] - vectors[v, j]) * (slopes[u, j] - slopes[v, j])
                    if value < best:
                        best, partner = value, v
    return partner, best


@kernel()
def join_by_slope(pairs: Pairs, count: int, eligible: Bool, vectors: Float, slopes: Float) -> Index:
    """Join up to `count` candidates of the least slope below 0, every neuron once at most.

    Args:
        eligible: (N,) neurons that may be joined.
        vectors, slopes: (N, K) x and g.

    Returns:
        (C, 2) pairs, C <= count.
    """
    n = pairs.degree.size
    free = eligible.copy()
    keys = np.empty(n)
    for u in range(n):
        keys[u] = best_by_slope(pairs, u, free, vectors, slopes)[1]
    chosen = np.empty((count, 2), dtype=np.int64)
    done = 0
    while done < count:
        u = int(np.argmin(keys))
        if keys[u] >= LEAST_SLOPE:
            break
        v, value = best_by_slope(pairs, u, free, vectors, slopes)
        if value != keys[u]:
            keys[u] = value
            continue
        chosen[done, 0], chosen[done, 1] = u, v
        done += 1
        free[u] = free[v] = False
        keys[u] = keys[v] = LEAST_SLOPE
    for at in range(done):
        join(pairs, chosen[at, 0], chosen[at, 1])
    return chosen[:done]
