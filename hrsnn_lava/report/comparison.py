"""Which columns a comparison of networks shows, in which order, under which heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hrsnn_lava.report.format import label, show

#: Columns that come first, with their headings; all others follow as the rows have them.
HEADINGS = {
    "name": "network",
    "density": "density",
    "synapses": "synapses",
    "sops": "SOPs",
    "sop_ratio": "SOP ratio",
    "recurrent_sops_per_sample": "SOPs/sample",
    "recurrent_sop_ratio": "SOP ratio",
    "rmse_mean": "RMSE",
    "rmse_median": "median",
    "vpt_0.1_steps_mean": "VPT .1",
    "vpt_0.3_steps_mean": "VPT .3",
    "vpt_0.5_steps_mean": "VPT .5",
    "one_step": "one step",
    "one_step_nrmse_mean": "one step",
    "spikes": "spikes",
    "spikes_per_sample": "spikes/sample",
}


@dataclass(frozen=True)
class Comparison:
    """A table of networks.

    Attributes:
        head: headings.
        rows: cells as text.
        common: what all rows have in common, as one text.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    common: str

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]]) -> Comparison:
        """Columns of single values; those alike in all of several rows go into `common`."""
        keys = list(dict.fromkeys(key for row in rows for key in row))
        single = [k for k in keys if not any(isinstance(r.get(k), (list, dict)) for r in rows)]
        alike = {k for k in single if len(rows) > 1 and len({show(r.get(k)) for r in rows}) == 1}
        first = [k for k in HEADINGS if k in single]
        order = [k for k in (*first, *(k for k in single if k not in HEADINGS)) if k not in alike]
        return Comparison(
            tuple(HEADINGS.get(key, label(key)) for key in order),
            tuple(tuple(_cell(row.get(key)) for key in order) for row in rows),
            ", ".join(f"{label(k)} {show(rows[0].get(k))}" for k in single if k in alike),
        )

    def cut(self, width: int) -> Comparison:
        """As many of the first columns as fit a line of `width` characters."""
        used, count = -2, 0
        for column in zip(self.head, *self.rows, strict=True):
            used += 2 + max(len(cell) for cell in column)
            if used > width and count:
                break
            count += 1
        rows = tuple(row[:count] for row in self.rows)
        return Comparison(self.head[:count], rows, self.common)


def _cell(value: Any) -> str:
    """Three significant digits, which is more than few seeds can tell apart."""
    if isinstance(value, float) and 0 < abs(value) < 1e3:
        return f"{value:.3g}"
    return show(value)
