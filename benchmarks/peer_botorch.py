"""A suggestion by BoTorch from trials in a file: CPU seconds, as JSON. Run by `search_suggest.py`.

Its default process of one output, fitted as it fits it, and the logarithm of the expected
improvement, maximised from the default number of starts. On one thread, after one run to warm up.

    ENV/bin/python benchmarks/peer_botorch.py TRIALS.npz
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np


def main() -> int:
    """Read, suggest twice, print the time of the second."""
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with np.load(sys.argv[1], allow_pickle=False) as file:
        points = torch.tensor(file["points"], dtype=torch.float64)
        values = torch.tensor(file["values"], dtype=torch.float64)[:, None]
    size = points.shape[1]
    bounds = torch.stack([torch.zeros(size), torch.ones(size)]).to(torch.float64)

    def suggestion() -> None:
        model = SingleTaskGP(points, values, outcome_transform=Standardize(m=1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = LogExpectedImprovement(model, best_f=values.max())
        optimize_acqf(acquisition, bounds=bounds, q=1, num_restarts=10, raw_samples=512)

    suggestion()
    started = time.process_time()
    suggestion()
    print(json.dumps({"cpu_s": time.process_time() - started}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
