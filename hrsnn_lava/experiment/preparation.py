"""The network of a spec before it is pruned: built, its rates balanced, trained without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.hrsnn import build_hrsnn
from hrsnn_lava.network import Network
from hrsnn_lava.spec import BalanceSpec, Spec
from hrsnn_lava.tasks.base import Trial
from hrsnn_lava.training.balance import Balance
from hrsnn_lava.training.stdp import TrainSTDP

__all__ = ["Prepared", "built_network", "prepare"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network ready for its task.

    Attributes:
        network: float.
        records: of what was done to it.
        rate_error: sum |count - target| / sum target of the last balance; None without one.
    """

    network: Network
    records: tuple[PassRecord, ...]
    rate_error: float | None = None


def prepare(
    spec: Spec, trial: Trial, seed: int | None = None, say: Callable[[str], None] = lambda _: None
) -> Prepared:
    """Build the network of a spec, balance its rates, and train it by float STDP where asked.

    Args:
        spec: network, balance and STDP.
        trial: its training inputs are what the network is shown; no label is seen.
        seed: overrides the spec's.
        say: told what is done next.
    """
    context = Context(seed=spec.seed if seed is None else seed)
    network, records, error = built_network(spec, trial, seed), list[PassRecord](), None
    if spec.balance is not None:
        say(f"balance the rates at {spec.balance.rate:g}")
        network, record = run_pass(network, _balance(spec.balance, trial), context)
        records.append(record)
        error = float(record.report["rate_error"])
    if spec.stdp is not None and spec.stdp.train_passes:
        table = spec.stdp
        say(f"train by STDP, passes: {table.train_passes}")
        names = tuple(table.projections)
        step = TrainSTDP(trial.lesson, names, table.train_passes, table.on_chip, table.schedule)
        network, record = run_pass(network, step, context)
        records.append(record)
        if spec.balance is not None and spec.balance.after_stdp:
            say("balance the rates after STDP")
            network, record = run_pass(network, _balance(spec.balance, trial), context)
            records.append(record)
            error = float(record.report["rate_error"])
    return Prepared(network, tuple(records), error)


def _balance(table: BalanceSpec, trial: Trial) -> Balance:
    return Balance(trial.lesson, table.rate, table.spread, table.options)


def built_network(spec: Spec, trial: Trial, seed: int | None = None) -> Network:
    """The network of a spec with the channels of its task; nothing has learned yet."""
    driven = _driven(spec, trial.lesson.spiking)
    return build_hrsnn(driven, seed, n_inputs=trial.lesson.width)


def _driven(spec: Spec, spiking: bool) -> Spec:
    """The spec with input channels that carry what the task gives, where it does not say itself."""
    network = spec.network
    if network.input.target == "bias" or network.input.graded is not None:
        return spec
    layer = network.input.model_copy(update={"graded": not spiking})
    return spec.model_copy(update={"network": network.model_copy(update={"input": layer})})
