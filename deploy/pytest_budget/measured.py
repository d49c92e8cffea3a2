"""Whatever a test hands over, as a report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from hrsnn_lava.errors import SpecError


def as_measured(
    what: Any,
    trace: Any = None,
    *,
    cost_set: Any = None,
    step_time_s: float | Literal["fastest"] | None = None,
    samples: float | None = None,
) -> dict[str, Any]:
    """The report of `what`, as plain values.

    Args:
        what: a `Report`, its dictionary, the path of a ``report.json``, or a `CompiledNetwork` or
            `QuantizedNetwork` together with the `trace` of its run. Without a chip there are
            operations and spikes, and no more.
        trace: the run, or the `Counts` that `hrsnn_lava.count` found without one; only with a
            network.
        cost_set, step_time_s, samples: as `hrsnn_lava.report` takes them; only with a compiled
            network. Without a cost set one of the chip's is taken, if it has any.

    Raises:
        SpecError: none of these, or an argument that does not belong to it.
        ArtifactError: a file that is no report.
    """
    options = {"cost_set": cost_set, "step_time_s": step_time_s, "samples": samples}
    if isinstance(what, (str, os.PathLike, Mapping)) or hasattr(what, "to_dict"):
        given = [name for name, value in (("trace", trace), *options.items()) if value is not None]
        if given:
            raise SpecError(f"{', '.join(given)}: only with a network; a report has its own")
        return _report(what)
    if trace is None:
        raise SpecError(
            f"{type(what).__name__} without a trace: give what `hl.simulate` or `hl.count` "
            "returned, or a report"
        )
    return _of_run(what, trace, {k: v for k, v in options.items() if v is not None})


def _report(what: Any) -> dict[str, Any]:
    from hrsnn_lava.deploy.gate.reading import as_report, read_report

    if isinstance(what, (str, os.PathLike)):
        return read_report(what)
    return as_report(what if isinstance(what, Mapping) else what.to_dict())


def _of_run(network: Any, trace: Any, options: dict[str, Any]) -> dict[str, Any]:
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.compiled import CompiledNetwork
    from hrsnn_lava.quantized import QuantizedNetwork

    if isinstance(network, CompiledNetwork):
        from hrsnn_lava.hardware_profiles.cost_set import preferred
        from hrsnn_lava.report.model import build_report

        options.setdefault("cost_set", preferred(network.profile))
        options["counts" if isinstance(trace, Counts) else "trace"] = trace
        return build_report(network, **options).to_dict()
    if isinstance(network, QuantizedNetwork):
        if options:
            raise SpecError(f"{', '.join(options)}: only with a network that is compiled")
        return _unplaced(network, trace)
    raise SpecError(
        f"{type(network).__name__}: expected a report, a compiled or a quantized network"
    )


def _unplaced(network: Any, trace: Any) -> dict[str, Any]:
    from hrsnn_lava.artifacts.container import plain
    from hrsnn_lava.compiler.analysis.operations.counting import Counts
    from hrsnn_lava.compiler.analysis.operations.synops import synaptic_operations
    from hrsnn_lava.report.sections import sop

    if isinstance(trace, Counts):
        ops, spikes = trace.ops, trace.done.spikes
    else:
        ops, spikes = synaptic_operations(network, trace), trace.n_spikes
    return {
        "sop": plain(sop(ops, None, None)),
        "activity": {"steps": ops.steps, "spikes": spikes},
    }
