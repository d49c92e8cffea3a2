"""The loop that drops neurons one by one; compiled, imported on first use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Index = NDArray[np.int64]
Bool = NDArray[np.bool_]


@kernel()
def splits(
    indptr: Index, indices: Index, gone: Bool, v: int, stamp: int, seen: Index, queue: Index
) -> bool:
    """Whether neighbours of v are no longer connected with each other once v is gone.

    Breadth first from one neighbour until all others were met: a few steps where neurons share
    neighbours, the whole component where they do not.

    Args:
        indptr, indices: undirected adjacency in CSR form, without self-loops.
        gone: (N,) neurons that were dropped already.
        stamp: a number that grows with every call by 2, from 2 on.
        seen, queue: (N,) to work in; `seen` starts at 0.
    """
    missing, tail = 0, 0
    for at in range(indptr[v], indptr[v + 1]):
        w = indices[at]
        if not gone[w]:
            if tail == 0:
                queue[0] = w
                tail = 1
                seen[w] = stamp + 1
            else:
                seen[w] = stamp
                missing += 1
    head = 0
    while missing > 0 and head < tail:
        u = queue[head]
        head += 1
        for at in range(indptr[u], indptr[u + 1]):
            w = indices[at]
            if w == v or gone[w] or seen[w] == stamp + 1:
                continue
            if seen[w] == stamp:
                missing -= 1
            seen[w] = stamp + 1
            queue[tail] = w
            tail += 1
    return missing > 0


@kernel()
def drop_lowest(
    indptr: Index,
    indices: Index,
    order: Index,
    group: Index,
    quota: Index,
    fed: Bool,
    connected: bool,
) -> tuple[Bool, int]:
    """Again and again drop the first neuron of `order` that may go, until none may.

    A neuron that splits the network becomes free to go only when the last of a part that hung on
    it alone has gone: so one look at every neuron, and one more at the sole neighbour of a neuron
    that was dropped, finds what starting anew after every drop would find.

    Args:
        indptr, indices: undirected adjacency in CSR form, without self-loops.
        order: (N,) neurons, the first to go first.
        group: (N,) population of every neuron.
        quota: (G,) how many of each population are to go.
        fed: (P, N) which neurons each input population feeds; of each, one stays.
        connected: whether a neuron that splits the others has to stay.

    Returns:
        (N,) dropped neurons, and how many stayed as the last that an input feeds.
    """
    n = order.size
    gone = np.zeros(n, dtype=np.bool_)
    waiting = np.zeros(n, dtype=np.bool_)
    seen = np.zeros(n, dtype=np.int64)
    queue = np.empty(n, dtype=np.int64)
    open_quota = quota.copy()
    left_fed = np.zeros(fed.shape[0], dtype=np.int64)
    for p in range(fed.shape[0]):
        for v in range(n):
            left_fed[p] += fed[p, v]
    position, again, stamp, last_fed = 0, -1, 0, 0
    while again >= 0 or position < n:
        if again >= 0:
            v, again = again, -1
        else:
            v = order[position]
            position += 1
        if open_quota[group[v]] == 0:
            continue
        is_last = False
        for p in range(fed.shape[0]):
            is_last = is_last or (fed[p, v] and left_fed[p] == 1)
        if is_last:
            last_fed += 1
            continue
        if connected:
            stamp += 2
            if splits(indptr, indices, gone, v, stamp, seen, queue):
                waiting[v] = True
                continue
        gone[v] = True
        open_quota[group[v]] -= 1
        for p in range(fed.shape[0]):
            left_fed[p] -= fed[p, v]
        neighbours, sole = 0, -1
        for at in range(indptr[v], indptr[v + 1]):
            if not gone[indices[at]]:
                neighbours += 1
                sole = indices[at]
        if neighbours == 1 and waiting[sole]:
            waiting[sole] = False
            again = sole
    return gone, last_fed
