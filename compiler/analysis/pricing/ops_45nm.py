"""The convention of papers without a chip: additions and multiplications at 45 nm.

::

    energy    = 0.9 pJ * AC + 4.6 pJ * MAC
    dense ANN = 4.6 pJ * pairs of neurons * steps

AC: a synaptic operation of a binary spike, one addition; MAC: one of a graded spike, a product
and an addition. No memory, neuron, message or idle chip is in it, so it is far below what a chip
draws, and good for comparison with papers that use it alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

AC_J, MAC_J = 0.9e-12, 4.6e-12
SOURCE = "syops-counter README: an AC takes 0.9 pJ and a MAC 4.6 pJ at 45 nm"
#: Read in a tool that quotes it; the measurement behind it was not seen.
EVIDENCE = "unverified"
LABEL = "no chip; for comparison with papers"


@dataclass(frozen=True)
class Ops45nm:
    """Joules of a run by the 45 nm convention; None where a count is not known.

    Attributes:
        ac_j, mac_j: joules per operation.
        acs, macs: counts of the run, on the chip.
        energy_j: of both.
        host_macs_j: products that the host computes for held inputs, beside `energy_j`.
        dense_macs: of an ANN of equal size, every pair of neurons connected, once a step
            (NeuroBench's Dense).
        dense_ann_energy_j: of `dense_macs`.
        dense_ann_per_pass_j: of one pass through that ANN, which papers compare with one sample.
        source, evidence, label: what the figures are.
    """

    acs: int | None
    macs: int | None
    energy_j: float | None
    host_macs_j: float
    dense_macs: int
    dense_ann_energy_j: float
    dense_ann_per_pass_j: float
    ac_j: float = AC_J
    mac_j: float = MAC_J
    source: str = SOURCE
    evidence: str = EVIDENCE
    label: str = LABEL

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a report holds them."""
        return asdict(self)


def ops_45nm(
    acs: int | None, macs: int | None, host_macs: int, dense_pairs: int, steps: int
) -> Ops45nm:
    """A run by the 45 nm convention.

    Args:
        acs, macs: synaptic operations of binary and of graded spikes; None when not known.
        host_macs: products of held inputs.
        dense_pairs: pairs of neurons of all projections onto synapses, connected or not.
        steps: of the run.
    """
    return Ops45nm(
        acs=acs,
        macs=macs,
        energy_j=None if acs is None or macs is None else acs * AC_J + macs * MAC_J,
        host_macs_j=host_macs * MAC_J,
        dense_macs=dense_pairs * steps,
        dense_ann_energy_j=dense_pairs * steps * MAC_J,
        dense_ann_per_pass_j=dense_pairs * MAC_J,
    )
