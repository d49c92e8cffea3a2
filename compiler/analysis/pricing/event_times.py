"""Published times of events, with a record of those that were needed and are not known."""

from __future__ import annotations

from hrsnn_lava.hardware_profiles import CostSet, CountKey

MESSAGE_IN = "message in"
HOPS = "hops"
BARRIER = "barrier"


class EventTimes:
    """Seconds per event of a cost set, looked up as events happen.

    Attributes:
        cost_set: whose times these are.
        unknown: names of times that are missing where their event happens.
        evidence, sources: of the times that were used.
    """

    def __init__(self, cost_set: CostSet) -> None:
        self.cost_set = cost_set
        self.unknown: set[str] = set()
        self.evidence: set[str] = set()
        self.sources: set[str] = set()

    def of(self, key: CountKey, happens: bool = True) -> float:
        """Seconds per event; 0 for one that never happens, or that another term holds."""
        coefficient = self.cost_set.coefficient(key)
        if not happens or coefficient is None:
            return 0.0
        return self._use(
            coefficient.name, coefficient.time_s, coefficient.time_evidence, coefficient.source
        )

    def message_in(self, happens: bool) -> float:
        """Seconds that a core takes to receive a message."""
        reception = self.cost_set.message_in
        if not happens:
            return 0.0
        if reception is None:
            self.unknown.add(MESSAGE_IN)
            return 0.0
        return self._use(MESSAGE_IN, reception.time_s, reception.evidence, reception.source)

    def hop(self, key: CountKey) -> float:
        """Seconds per hop, 0 when not known; nothing is recorded."""
        coefficient = self.cost_set.coefficient(key)
        return 0.0 if coefficient is None or coefficient.time_s is None else coefficient.time_s

    def barrier(self, tiles: int | None) -> float | None:
        """Seconds that so many tiles take to agree on the end of a step; None: not known.

        Between two entries of the table the larger one, our choice.
        """
        table = self.cost_set.barrier
        rows = zip(table.tiles, table.seconds, strict=True)
        there = [seconds for entry, seconds in rows if tiles is not None and entry >= tiles]
        if not there:
            size = "" if tiles is None else f" of {tiles} tile{'s' * (tiles > 1)}"
            self.unknown.add(f"{BARRIER}{size}")
            return None
        return self._use(BARRIER, there[0], table.evidence, table.source)

    @property
    def compute_known(self) -> bool:
        """Whether no time of a core's own work is missing."""
        return all(self._of_network(name) or name.startswith(BARRIER) for name in self.unknown)

    @property
    def network_known(self) -> bool:
        """Whether no time of a message's way is missing."""
        return not any(self._of_network(name) for name in self.unknown)

    def _of_network(self, name: str) -> bool:
        ways: tuple[CountKey, ...] = ("hops_x", "hops_y", "chip_crossings")
        terms = [self.cost_set.coefficient(key) for key in ways]
        return name == HOPS or name in {c.name for c in terms if c is not None}

    def _use(self, name: str, seconds: float | None, evidence: str, source: str) -> float:
        if seconds is None:
            self.unknown.add(name)
            return 0.0
        self.evidence.add(evidence)
        self.sources.add(source)
        return seconds
