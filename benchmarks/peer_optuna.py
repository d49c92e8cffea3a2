"""One search by Optuna, on an interpreter that has it; `search_optuna.py` starts and kills it.

    python benchmarks/peer_optuna.py FOLDER TRIALS WORKERS SECONDS LOCK

The study is kept in a journal file with the lock named LOCK, and gone on with where it is there:
as many trials as are missing of TRIALS complete ones. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Run or go on, and print what there is."""
    import optuna
    from optuna.storages import JournalStorage, journal

    folder, trials, workers, seconds, lock = sys.argv[1:]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = str(Path(folder) / "journal.log")
    locks = {"symlink": journal.JournalFileSymlinkLock, "open": journal.JournalFileOpenLock}
    backend = journal.JournalFileBackend(path, lock_obj=locks[lock](path))
    study = optuna.create_study(
        storage=JournalStorage(backend),
        study_name="bowl",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=5),
    )

    def objective(trial: optuna.Trial) -> float:
        gain = trial.suggest_float("gain", 0.05, 0.5)
        size = trial.suggest_int("size", 50, 200)
        time.sleep(float(seconds) * (0.5 + gain))
        mark = Path(folder) / "marks" / f"{gain!r} {size} {time.monotonic_ns()}"
        mark.touch()
        return 1.0 - (gain - 0.3) ** 2 - ((size - 120) / 100) ** 2

    def complete() -> int:
        return sum(trial.state.name == "COMPLETE" for trial in study.trials)

    missing = int(trials) - complete()
    if missing > 0:
        study.optimize(objective, n_trials=missing, n_jobs=int(workers))
    rows = [
        {"number": t.number, "state": t.state.name, "params": t.params, "value": t.value}
        for t in study.trials
    ]
    print(json.dumps({"version": optuna.__version__, "trials": rows}))


if __name__ == "__main__":
    main()
