"""Prunings under way, in ``.hlx`` files."""

from __future__ import annotations

import re

import numpy as np

from hrsnn_lava.artifacts.container import Artifact, Codec
from hrsnn_lava.compiler.pruning.pruning_state import PruningState
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.fields import whole_number
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.network import Network

_DIGEST = re.compile("[0-9a-f]{64}")
_NETWORK = "network/"


def _to_artifact(state: PruningState) -> Artifact:
    inner = state.network.to_artifact()
    arrays = {f"{_NETWORK}{name}": values for name, values in inner.arrays.items()}
    arrays |= {"survivors": state.survivors, "rates": state.rates}
    units = {f"{_NETWORK}{name}": unit for name, unit in inner.units.items()}
    meta = {
        "key": state.key,
        "iteration": state.iteration,
        "network": inner.meta,
        "rows": [dict(row) for row in state.rows],
        "findings": [dict(finding) for finding in state.findings],
    }
    return Artifact(PruningState.stage, meta, arrays, units)


def _from_artifact(artifact: Artifact) -> PruningState:
    meta, arrays = artifact.meta, dict(artifact.arrays)
    key = meta["key"]
    if not (isinstance(key, str) and _DIGEST.fullmatch(key)):
        raise ArtifactError(f"key: {key!r:.80}; allowed: 64 hexadecimal digits")
    iteration = whole_number("iteration", meta["iteration"], (0, INT32[1]), error=ArtifactError)
    survivors, rates = arrays.pop("survivors"), arrays.pop("rates")
    inner = {name.removeprefix(_NETWORK): values for name, values in arrays.items()}
    network = Network.from_artifact(Artifact(Network.stage, meta["network"], inner))
    shape = (network.n_neurons,)
    wrong = [n for n, a in (("survivors", survivors), ("rates", rates)) if a.shape != shape]
    if wrong or survivors.dtype.kind not in "iu" or rates.dtype != np.float64:
        raise ArtifactError(f"survivors, rates: allowed: one number for each of {shape[0]} neurons")
    if not (np.all(np.isfinite(rates)) and np.all(rates >= 0) and np.all(np.diff(survivors) > 0)):
        raise ArtifactError("survivors, rates: allowed: rising indices, and finite numbers >= 0")
    rows = tuple(dict(row) for row in meta["rows"])
    if len(rows) != iteration + 1:
        raise ArtifactError(f"rows: {len(rows)}; allowed: {iteration + 1}, one an iteration")
    findings = tuple(dict(finding) for finding in meta["findings"])
    return PruningState(key, iteration, network, survivors.astype(np.int64), rates, rows, findings)


CODEC = Codec(_to_artifact, _from_artifact)
