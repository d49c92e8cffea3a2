"""The command line that all experiments share: ``python experiments/NAME.py --size small``.

A size is a setting of the experiment: ``small`` takes minutes, ``full`` is what the committed pages
rest on, ``paper`` has the papers' number of neurons. Trials go to the journal in ``--work`` as they
end, so a run that was killed goes on where it was; pages go to ``--out``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from networks import TASKS

from hrsnn_lava.experiment.study import Study, run_study
from hrsnn_lava.experiment.study_page import StudyPage, write_study

SIZES = ("small", "full", "paper")
RESULTS = Path(__file__).parent / "results"


def shown(text: str, fraction: float | None = None, /) -> None:
    """A line on stderr for every trial, with the time that is left.

    Trials that the journal had come at once, and say nothing of it.
    """
    now, at, state = time.monotonic(), fraction or 0.0, shown.__dict__
    if now - state.get("last", now) < 0.5:
        state["began"], state["first"] = now, at
    state["last"] = now
    done = at - state["first"]
    left = (now - state["began"]) * (1 - at) / done if done > 0 else None
    rest = "" if left is None else f", about {left / 60:.1f} min left"
    print(f"{100 * (fraction or 0):5.1f} % {text}{rest}", file=sys.stderr, flush=True)


def main(
    study: Callable[[argparse.Namespace], Study],
    page: Callable[[argparse.Namespace], StudyPage],
    doc: str,
    more: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> None:
    """Run a study, or go on with it, and write its page.

    Args:
        study, page: of the arguments.
        doc: the experiment's docstring.
        more: adds arguments of its own.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seeds", type=int, help="fresh seeds, in place of the size's")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the page")
    parser.add_argument("--work", type=Path, help="folder of the journal  [default: OUT/work]")
    parser.add_argument("--anew", action="store_true", help="forget finished trials")
    more(parser)
    arguments = parser.parse_args()
    whole = study(arguments)
    work = (arguments.work or arguments.out / "work") / whole.name
    result = run_study(
        whole, work, resume=not arguments.anew, workers=arguments.workers, progress=shown
    )
    for file in write_study(result, page(arguments), arguments.out):
        print(file)


def of_a_set(parser: argparse.ArgumentParser) -> None:
    """Arguments of experiments on classifications: which set, and where it lies."""
    parser.add_argument("--set", choices=sorted(TASKS), default="digit_rows")
    parser.add_argument("--path", type=Path, help="the set's file or folder")


def command_line(arguments: argparse.Namespace, name: str) -> str:
    """The command that gives a page again, with the arguments that all experiments share."""
    count = "" if arguments.seeds is None else f" --seeds {arguments.seeds}"
    return f"python experiments/{name}.py --size {arguments.size}{count}"


def seeds(arguments: argparse.Namespace, small: int, full: int, first: int) -> tuple[int, ...]:
    """Fresh seeds from `first` on, as many as the arguments ask for."""
    count = arguments.seeds or (small if arguments.size == "small" else full)
    return tuple(range(first, first + count))


def sentence(difference: object, what: str, enough: float) -> str:
    """A difference in a plain sentence: found, in part, or not, by its interval."""
    mean, interval = difference.mean, difference.interval
    if interval is None:
        return f"{what}: {difference}; one pair decides nothing."
    low, _ = interval
    if low > 0 and mean >= enough:
        word = "reproduced"
    elif low > 0:
        word = f"in part: there, but below {enough:+.3f}"
    elif interval[1] < 0:
        word = "not reproduced: the other way round"
    else:
        word = "not reproduced: the interval holds 0"
    return f"{what}: {difference}. **{word[0].upper()}{word[1:]}.**"
