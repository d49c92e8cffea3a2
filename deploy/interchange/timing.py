"""By how many steps spikes come later here than in the source, and which delays that takes.

In the frameworks a spike of one layer acts in the layer behind in the same step; here, as on the
chip, one step later, and so do events of inputs. A layer k connections away from the inputs so
does all that the source does, k steps later: that is its shift. A connection that skips layers
waits for the difference, by a delay of its synapses. A layer that hears itself does so one step
later in both, and needs nothing. Feedback over several layers works where a Delay makes up for the
steps that the way takes; else no shift exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hrsnn_lava.deploy.interchange.step_model import Connection, StepModel
from hrsnn_lava.errors import ArtifactError, Problem


@dataclass(frozen=True, eq=False)
class Timing:
    """Shifts of layers.

    Attributes:
        crossing: steps by which a crossing of the threshold comes later here; 0 for inputs.
        visible: the same for what the source sends, which may come a step after the crossing.
    """

    crossing: Mapping[str, int]
    visible: Mapping[str, int]

    def delay(self, model: StepModel, connection: Connection) -> int:
        """Steps beyond the usual one that the synapses of a connection take."""
        there, here = self.crossing[connection.post], self.crossing[connection.pre]
        return there - here + connection.offset(model.lag(connection.pre)) - 1

    def bias_delay(self, name: str) -> int:
        """Steps for which a bias, sent from step 0 on, has to wait for its layer."""
        return self.crossing[name] - 1


def timing(model: StepModel) -> Timing:
    """The smallest shifts with which every layer does what it does in the source.

    Raises:
        ArtifactError: there are none, for a circle of layers that is too quick.
    """
    lags = {layer.name: layer.rule.lag for layer in model.layers}
    shift = {name: 0 for name, _ in model.inputs} | dict.fromkeys(lags, 1)
    earliest: dict[str, str] = {}
    between = [c for name in lags for c in model.into(name) if not c.recurrent]
    for _ in range(len(lags) + 1):
        moved = ""
        for c in between:
            least = shift[c.pre] + 1 - c.offset(lags.get(c.pre, 0))
            if shift[c.post] < least:
                shift[c.post], earliest[c.post], moved = least, c.pre, c.post
        if not moved:
            visible = {name: shift[name] - lag for name, lag in lags.items()}
            return Timing(shift, visible)
    names = _circle(moved, earliest)
    text = f"feedback that is too quick: {' -> '.join(names)}"
    fix = (
        "a spike takes a step for every layer of the way here, and none in the source: a Delay of "
        "as many steps as there are layers would make up for it"
    )
    problem = Problem("edges", text, "feedback within a layer, or with a Delay", fix)
    raise ArtifactError("cannot be imported", problems=[problem])


def _circle(start: str, earliest: Mapping[str, str]) -> list[str]:
    path: dict[str, None] = {}
    name = start
    while name not in path:
        path[name] = None
        name = earliest[name]
    names = list(path)
    return [*names[names.index(name) :], name][::-1]
