"""What every encoder is: one sample in, an input of its steps out.

A sample is frames (n_frames, n_channels), each shown for a block of steps, or
`hrsnn_lava.tasks.readers.base.Events`, whose times are their own. An encoder takes one of the two
and says which; the other is a `SpecError` that names both.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Part
from hrsnn_lava.tasks.readers.base import Events, Sample
from hrsnn_lava.trace import SpikeInput

__all__ = ["Encoder", "EncoderOption", "Takes", "frames_of", "takes"]

Floats = NDArray[np.float64]
#: What a sample is.
Takes = Literal["frames", "events"]


class Encoder(Protocol):
    """What turns a sample into an input.

    Attributes:
        name: of the part.
        takes: ``frames`` or ``events``; frames where it says nothing.
    """

    name: ClassVar[str]
    takes: ClassVar[Takes]

    def encode(self, sample: Sample, block: int, rng: np.random.Generator) -> Floats | SpikeInput:
        """The input.

        Args:
            sample: (n_frames, n_channels) values, or events.
            block: steps for which a frame is shown; events are given a whole number of blocks.
            rng: where spikes are drawn.

        Returns:
            (n_frames, n_inputs) values to hold for a block each, or spikes of
            ``n_frames * block`` steps.

        Raises:
            SpecError: it takes the other kind of sample.
        """


#: A field for an `Encoder`, its table or its name.
EncoderOption = Annotated[Any, Part("encoder"), Field(validate_default=True)]


def takes(encoder: Encoder) -> Takes:
    """What an encoder takes."""
    kind: Takes = getattr(encoder, "takes", "frames")
    return kind


def frames_of(encoder: Encoder, sample: Sample) -> Floats:
    """A sample as frames; raises `SpecError` where it is events."""
    if isinstance(sample, Events):
        raise _refusal(encoder, "events", "the encoder `events`, which takes them")
    return sample


def events_of(encoder: Encoder, sample: Sample) -> Events:
    """A sample as events; raises `SpecError` where it is frames."""
    if not isinstance(sample, Events):
        raise _refusal(encoder, "frames of values", "an encoder of frames, such as `rate`")
    return sample


def _refusal(encoder: Encoder, given: str, fix: str) -> SpecError:
    problem = Problem(
        "task.encoder", f"{encoder.name!r}, and samples that are {given}", takes(encoder), fix
    )
    return SpecError(f"encoder {encoder.name!r} takes {takes(encoder)}", problems=[problem])
