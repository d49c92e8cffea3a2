"""Progress of long work: one form of callback for everything that can say how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what is being done, and which share of it is done (0 to 1), if that is known."""

    def __call__(self, text: str, fraction: float | None = None, /) -> None:
        """Show it; called often, so cheap."""


def silent(_: str, __: float | None = None, /) -> None:
    """Progress that says nothing."""


def part_of(progress: Progress, k: int, parts: int) -> Progress:
    """Progress of the k-th of so many equal parts of a work, told as progress of the whole."""

    def show(text: str, fraction: float | None = None, /) -> None:
        progress(text, (k + min(max(fraction or 0.0, 0.0), 1.0)) / parts)

    return show
