"""The whole line, from a spec to a report."""

from hrsnn_lava.experiment.run import RunResult, run_spec

__all__ = ["RunResult", "run_spec"]
