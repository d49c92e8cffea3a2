"""How often a neuron fires (ours, after the pruning by activity that the papers compare with)."""

from __future__ import annotations

from typing import Any, ClassVar

from hrsnn_lava.compiler.pruning.neuron_score import Float, NeuronScore, ScoredNeurons
from hrsnn_lava.errors import Problem, SpecError


class ActivityScore(NeuronScore):
    """Spikes per step in the run that was observed."""

    name: ClassVar[str] = "activity"
    uses_run: ClassVar[bool] = True
    needs_rates: ClassVar[bool] = True

    def of(self, scored: ScoredNeurons) -> tuple[Float, dict[str, Any]]:
        """See `NeuronScore.of`.

        Raises:
            SpecError: no run was observed neuron by neuron.
        """
        rates, n = scored.observed.neuron_rates, scored.network.n_neurons
        if rates is None:
            fix = "give `rates` or `observed` to compile, or measure them: `measure_rates`"
            problem = Problem("rates", "not known", f"({n},)", fix)
            raise SpecError("neurons cannot be pruned by activity", problems=[problem])
        return rates, {}
