"""Connections of a program as Lava's Processes, and models that write what was learned to a file.

A connection that learns is Lava's `LearningSparse` where that runs. In fixed point it does for sign
mode MIXED and for products of spikes and traces alone: for other sign modes it fails in
`np.maximum(0, csr)`, for factors w, d, t in `np.clip(csr)`. The rest is Lava's `LearningDense`: it
learns each element of the matrix by itself, so a sparse connection is a dense one in which the
weights of absent pairs are put back to 0 after each epoch. All learning is Lava's own code.

Reading Vars element by element takes Lava 20 to 55 us each; the file takes no noticeable time.
Importing this module imports Lava, which needs Python 3.10.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import (
    Loihi2FLearningRule,
    Loihi3FLearningRule,
    LoihiLearningRule,
)
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense
from lava.proc.sparse.models import PyLearningSparseModelBitApproximate
from lava.proc.sparse.process import DelaySparse, LearningSparse, Sparse
from lava.utils.weightutils import SignMode, truncate_weights
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import POST_TRACES, PRE_TRACES, SYNAPTIC, TRACES, LearningRule
from hrsnn_lava.csr import rows_of, with_values
from hrsnn_lava.processes.program import Connection

__all__ = [
    "MaskedLearningDense",
    "RecordedLearningSparse",
    "fixed_connection",
    "lava_rule",
    "learning_connection",
]

_GRADED = {
    "regular": GradedSpikeCfg.USE_REGULAR_IMPULSE,
    "overwrite": GradedSpikeCfg.OVERWRITE,
    "add_saturating": GradedSpikeCfg.ADD_WITH_SATURATION,
    "add_overflow": GradedSpikeCfg.ADD_WITHOUT_SATURATION,
}
_SIDES = (PRE_TRACES, POST_TRACES)


class _Recorded:
    """Mixin for a model: writes a file after the last step, learning included.

    The Process has a keyword `record`, (path, last step, rows, columns). The ``.npz`` at `path`
    holds weights, tag_1 and tag_2 of the synapses at (rows, columns), ``learned`` (3, S), and the
    traces as they are then, ``x`` (2, n_pre) and ``y`` (3, n_post), all int64.
    """

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self._path, self._last_step, self._rows, self._cols = proc_params["record"]

    def run_spk(self) -> None:
        """One step without learning."""
        super().run_spk()  # type: ignore[misc]
        if self.time_step == self._last_step and not self.lrn_guard():  # type: ignore[attr-defined]
            self._write()

    def run_lrn(self) -> None:
        """The end of an epoch."""
        super().run_lrn()  # type: ignore[misc]
        if self.time_step == self._last_step:  # type: ignore[attr-defined]
            self._write()

    def _write(self) -> None:
        variables = [getattr(self, name) for name in ("weights", "tag_1", "tag_2")]
        values = np.zeros((3, self._rows.size), dtype=np.int64)
        for row, variable in zip(values, variables, strict=True):
            if row.size:
                row[:] = np.asarray(variable[self._rows, self._cols]).ravel()
        x, y = (np.array([getattr(self, k) for k in names], int) for names in _SIDES)
        np.savez(self._path, learned=values, x=x, y=y)


class RecordedLearningSparse(_Recorded, PyLearningSparseModelBitApproximate):  # type: ignore[misc]
    """Lava's own model of `LearningSparse`."""


class MaskedLearningDense(_Recorded, PyLearningDenseModelBitApproximate):  # type: ignore[misc]
    """Lava's own model of `LearningDense`; absent synapses are put back to 0 after every epoch.

    The Process's keyword `plastic_zeros` says whether a synapse whose weight is truncated to 0
    learns.
    """

    _absent: NDArray[np.bool_] | None = None

    def run_lrn(self) -> None:
        """The end of an epoch."""
        if self._absent is None:  # the weights are those after truncation, before any learning
            present = np.zeros(self.weights.shape, dtype=bool)
            present[self._rows, self._cols] = True
            if not self.proc_params["plastic_zeros"]:
                present &= self.weights != 0
            self._absent = ~present
        super().run_lrn()

    def _apply_learning_rules(self, *histories: Any) -> None:
        super()._apply_learning_rules(*histories)
        self.weights[self._absent] = 0


def lava_rule(rule: LearningRule, three_factors: bool = False) -> LoihiLearningRule:
    """Lava's rule object; one for each connection, since Lava's connections may change it."""
    traces: dict[str, float] = {}
    for name in TRACES:
        trace = getattr(rule, name)
        traces |= {f"{name}_impulse": trace.impulse, f"{name}_tau": trace.tau}
    equations = {target: rule.equation(target) for target in ("dw", "dd", "dt")}
    options = {"t_epoch": rule.t_epoch, "rng_seed": rule.rng_seed}
    if not three_factors:
        return Loihi2FLearningRule(**equations, **traces, **options)
    x = {name: value for name, value in traces.items() if name[0] == "x"}
    result = Loihi3FLearningRule(**equations, **x, **options)
    for name in traces.keys() - x.keys():  # its constructor takes none of these
        setattr(result, name, traces[name])
    return result


def learning_connection(
    connection: Connection, path: str = "", last_step: int = 0
) -> AbstractProcess:
    """The Process of a learning connection; its model here writes what it learned to `path`.

    Without a path it is a Process for Lava's own models.
    """
    learning = connection.learning
    if learning is None:
        raise ValueError(f"{connection.name} does not learn")
    weights = connection.weights.astype(np.int32)
    rows = rows_of(weights)
    tags = {
        "tag_1": with_values(weights, learning.tag_1),
        "tag_2": with_values(weights, learning.tag_2),
    }
    options = {
        "name": connection.name,
        "learning_rule": lava_rule(learning.rule, learning.third_factor is not None),
        "graded_spike_cfg": _GRADED[learning.graded_spikes],
        "num_message_bits": connection.num_message_bits,
        "weight_exp": connection.weight_exp,
        "num_weight_bits": connection.num_weight_bits,
        "sign_mode": SignMode[connection.sign_mode],
    }
    if path:
        options["record"] = (path, last_step, rows, weights.indices)
    grid = truncate_weights(weights, options["sign_mode"], connection.num_weight_bits)
    # without a single synapse LearningSparse fails in its own `find`
    if grid.nnz and sparse_works(learning.rule, connection.sign_mode, learning.plastic_zeros):
        return LearningSparse(weights=weights, **tags, **options)
    dense = {name: matrix.toarray() for name, matrix in tags.items()}
    if path:
        options["plastic_zeros"] = learning.plastic_zeros
    return LearningDense(weights=weights.toarray(), **dense, **options)


def fixed_connection(connection: Connection, fixed: bool) -> AbstractProcess:
    """The Process of a connection that does not learn; `fixed` for integers."""
    weights = connection.weights.astype(np.int32 if fixed else np.float64)
    options = {
        "weights": weights,
        "name": connection.name,
        "num_message_bits": connection.num_message_bits,
    }
    if fixed:
        options |= {
            "weight_exp": connection.weight_exp,
            "num_weight_bits": connection.num_weight_bits,
            "sign_mode": SignMode[connection.sign_mode],
        }
    if connection.delays is None:
        return Sparse(**options)
    return DelaySparse(delays=with_values(weights, connection.delays.astype(int)), **options)


def sparse_works(rule: LearningRule, sign_mode: str, plastic_zeros: bool) -> bool:
    """True where Lava's fixed-point `LearningSparse` runs and means the same."""
    factors = (factor for product in rule.products for factor in product.factors)
    traces_only = all(factor.variable not in SYNAPTIC for factor in factors)
    return sign_mode == "MIXED" and traces_only and not plastic_zeros
