"""Which labelled samples train, which choose, and which are scored.

Three ways: the set's own parts, groups of which none is in two parts (the subjects of a recording),
or a draw in which every class is in every part by its share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.tasks.readers.base import PARTS, Labelled

__all__ = ["Sizes", "Split", "SplitWay", "draw_split", "stratified"]

Ints = NDArray[np.int64]
SplitWay = Literal["auto", "own", "groups", "drawn"]


@dataclass(frozen=True)
class Sizes:
    """Samples of the parts; None takes all that there are, or that the others leave."""

    train: int | None
    validation: int
    test: int | None


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of samples; the parts share none."""

    train: Ints
    validation: Ints
    test: Ints

    @property
    def together(self) -> Ints:
        """All of them: train, validation, test."""
        return np.concatenate([self.train, self.validation, self.test])


def stratified(labels: Ints, rng: np.random.Generator) -> Ints:
    """A random order of the samples in which every stretch holds every class by its share."""
    order = rng.permutation(labels.size)
    place = np.empty(labels.size)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = (np.arange(members.size) + rng.random(members.size)) / members.size
    return np.argsort(place)


def draw_split(labelled: Labelled, sizes: Sizes, way: SplitWay, rng: np.random.Generator) -> Split:
    """The parts of a set.

    Args:
        labelled: all samples.
        sizes: of the parts.
        way: ``own`` for the set's own, ``groups``, ``drawn``; ``auto`` for the first of these that
            the set allows.
        rng: draws.

    Raises:
        SpecError: the set has no such parts or groups, or fewer samples than are asked for, or a
            class does not train.
    """
    if way == "auto":
        way = "own" if labelled.parts is not None else way
        way = "groups" if way == "auto" and labelled.groups is not None else way
    if way == "own":
        split = _own(labelled, sizes, rng)
    elif way == "groups":
        split = _by_groups(labelled, sizes, rng)
    else:
        split = _drawn(labelled.labels, sizes, rng)
    trained = set(labelled.labels[split.train].tolist())
    missing = [name for k, name in enumerate(labelled.classes) if k not in trained]
    present = set(labelled.labels.tolist())
    missing = [name for name in missing if labelled.classes.index(name) in present]
    if missing:
        problem = Problem("task.train", f"no sample of class {', '.join(missing)}", "all classes")
        raise SpecError("the samples cannot be split", problems=[problem])
    return split


def _drawn(labels: Ints, sizes: Sizes, rng: np.random.Generator) -> Split:
    fixed = (sizes.train or 1) + sizes.validation + (sizes.test or 1)
    if fixed > labels.size:
        allowed = f"<= {labels.size}, as many as there are"
        problem = Problem("task.train + validation + test", f"{fixed}", allowed)
        raise SpecError("the samples cannot be split", problems=[problem])
    order = stratified(labels, rng)
    free = labels.size - sizes.validation
    train, test = sizes.train, sizes.test
    if train is None and test is None:
        test = max(1, free // 3)
    train = free - (test or 0) if train is None else train
    test = free - train if test is None else test
    return Split(
        *np.split(order[: train + sizes.validation + test], [train, train + sizes.validation])
    )


def _own(labelled: Labelled, sizes: Sizes, rng: np.random.Generator) -> Split:
    if labelled.parts is None:
        problem = Problem("task.split", '"own"', "a set that has parts", 'use "drawn"')
        raise SpecError("the samples cannot be split", problems=[problem])
    train, validation, test = (np.flatnonzero(labelled.parts == k) for k in range(len(PARTS)))
    if not validation.size and sizes.validation:
        # none of the set's own: some of the training part's, whole groups where it has those
        rest = Sizes(None, 0, min(sizes.validation, max(train.size - 1, 1)))
        groups = None if labelled.groups is None else labelled.groups[train]
        if groups is not None and np.unique(groups).size > 1:
            chosen = _groups_of(groups, sizes.validation, rng)
            train, validation = train[~chosen], train[chosen]
        else:
            halves = _drawn(labelled.labels[train], rest, rng)
            train, validation = train[halves.train], train[halves.test]
    pools = [("train", train, sizes.train), ("validation", validation, sizes.validation)]
    return _taken(labelled.labels, [*pools, ("test", test, sizes.test)], rng)


def _by_groups(labelled: Labelled, sizes: Sizes, rng: np.random.Generator) -> Split:
    groups = labelled.groups
    if groups is None or np.unique(groups).size < 3:
        count = 0 if groups is None else np.unique(groups).size
        problem = Problem("task.split", '"groups"', f"3 groups or more ({count})", 'use "drawn"')
        raise SpecError("the samples cannot be split", problems=[problem])
    count = groups.size // 3 if sizes.test is None else sizes.test
    test = _groups_of(groups, count, rng)
    left = np.flatnonzero(~test)
    chosen = np.zeros(left.size, dtype=np.bool_)
    if sizes.validation:
        chosen = _groups_of(groups[left], sizes.validation, rng)
    pools = [
        ("train", left[~chosen], sizes.train),
        ("validation", left[chosen], sizes.validation),
        ("test", np.flatnonzero(test), sizes.test),
    ]
    return _taken(labelled.labels, pools, rng)


def _groups_of(groups: Ints, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Members of randomly drawn groups that hold `count` samples, but for one group at least."""
    names = rng.permutation(np.unique(groups))
    sizes = np.array([np.sum(groups == name) for name in names])
    needed = int(np.searchsorted(np.cumsum(sizes), count)) + 1
    return np.isin(groups, names[: min(needed, names.size - 1)])


def _taken(
    labels: Ints, pools: list[tuple[str, Ints, int | None]], rng: np.random.Generator
) -> Split:
    """So many samples of every pool, every class by its share."""
    problems = [
        Problem(f"task.{name}", f"{count}", f"<= {pool.size}, as many as that part has")
        for name, pool, count in pools
        if (count or 0) > pool.size
    ]
    problems += [
        Problem(f"task.{name}", "no sample in that part", "one or more")
        for name, pool, count in pools
        if not pool.size and count is None
    ]
    raise_if(SpecError, "the samples cannot be split", problems)
    orders = (pool[stratified(labels[pool], rng)][:count] for _, pool, count in pools)
    return Split(*orders)
