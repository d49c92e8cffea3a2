"""Forms of learning rules: which groups can be worked out in one line, see `learning_lines`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.chip_learning import SYNAPTIC, TARGETS, LearningRule
from hrsnn_lava.sim_backends.learning_program import Plastic

#: Codes of dependencies of products.
DEPENDENCIES = {"x0": 0, "y0": 1, "u": 2}


def forms_of(plastic: Plastic) -> Any:
    """Form of every profile, (K,) from 0 in the order of their first profiles.

    Where payloads make x1 overflow, profiles differ in the spikes that they see: none shares a
    form with another.
    """
    alone = plastic.graded_spikes == "add_overflow"
    known: dict[Any, int] = {}
    keys = [(_key(rule), k if alone else 0) for k, rule in enumerate(plastic.rules)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _key(rule: LearningRule) -> tuple[Any, ...]:
    """All of a rule's products but their scales."""
    return tuple(tuple((p.dependency, p.factors) for p in getattr(rule, t)) for t in TARGETS)


def form_tables(plastic: tuple[Plastic, ...], starts: Any) -> list[Any]:
    """`form` to `form_plain` of `Wiring`; `starts` (R + 1,) are the groups of the projections."""
    counts, heads, sizes, members, gates = [0], [], [0], [], []
    reads, plain = [], []
    for p, begin in zip(plastic, starts, strict=False):
        forms = forms_of(p)
        n_forms = int(forms.max()) + 1
        for form in range(n_forms):
            groups = np.flatnonzero(forms == form)
            rule = p.rules[groups[0]]
            heads.append(begin + groups[0])
            members += (begin + groups).tolist()
            sizes.append(len(members))
            gates.append(_gates(rule))
            reads.append([bool(getattr(rule, t)) for t in TARGETS])
            for k, name in enumerate(SYNAPTIC):
                reads[-1][k] |= name in rule.variables
            plain.append(n_forms == 1 and _plain(rule))
        counts.append(len(heads))

    def column(values: Any, width: int = 0) -> Any:
        return np.array(values, dtype=np.int64).reshape((-1, width) if width else -1)

    return [
        column(counts),
        column(heads),
        column(sizes),
        column(members),
        column(gates, len(TARGETS) + 1),
        np.array(reads, dtype=np.bool_).reshape(-1, len(SYNAPTIC)),
        np.array(plain, dtype=np.bool_),
    ]


def _gates(rule: LearningRule) -> list[int]:
    """Bits of the dependencies of products of each target, and of any."""
    bits = [0] * (len(TARGETS) + 1)
    for k, target in enumerate(TARGETS):
        for product in getattr(rule, target):
            bits[k] |= 1 << DEPENDENCIES[product.dependency]
            bits[-1] |= 1 << DEPENDENCIES[product.dependency]
    return bits


def _plain(rule: LearningRule) -> bool:
    """True when products of u, if any, read nothing but w, d and t."""
    timed = (product for product in rule.products if product.dependency == "u")
    return all(factor.variable in SYNAPTIC for product in timed for factor in product.factors)
