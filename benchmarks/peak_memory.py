"""Peak memory of one native run, alone in its process: ``python peak_memory.py N DENSITY STEPS``.

Prints JSON: ``imported_bytes`` before the network exists, ``built_bytes`` with it, and
``peak_bytes`` after the run, all resident.
"""

from __future__ import annotations

import json
import resource
import sys

from networks import network

from hrsnn_lava.sim_backends.runs.session import simulate


def resident() -> int:
    """Largest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Build, run, print."""
    n, density, steps = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    figures = {"imported_bytes": resident()}
    net = network(n, density)
    figures["built_bytes"] = resident()
    simulate(net, None, steps, "native")
    figures["peak_bytes"] = resident()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
