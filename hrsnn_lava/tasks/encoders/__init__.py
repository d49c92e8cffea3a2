"""How samples become an input: currents that are held, or spikes. Parts of the kind ``encoder``.

An encoder is a file of this folder. Its options are a table of a task: ``encoder = { kind = "rate",
max_rate = 0.2 }``, or ``"rate"`` alone. What all of them have in common is in `base`.
"""

from hrsnn_lava.tasks.encoders.base import Encoder, EncoderOption, Takes, frames_of, takes
from hrsnn_lava.tasks.encoders.delta import Delta
from hrsnn_lava.tasks.encoders.events import Binned, EventBins
from hrsnn_lava.tasks.encoders.frame_difference import FrameDifference
from hrsnn_lava.tasks.encoders.held import Held
from hrsnn_lava.tasks.encoders.latency import Latency
from hrsnn_lava.tasks.encoders.population import Population
from hrsnn_lava.tasks.encoders.rate import Rate

__all__ = [
    "Binned",
    "Delta",
    "Encoder",
    "EncoderOption",
    "EventBins",
    "FrameDifference",
    "Held",
    "Latency",
    "Population",
    "Rate",
    "Takes",
    "frames_of",
    "takes",
]
