"""Budgets of synaptic operations and energy in the tests of a project; a plugin for pytest.

pytest loads this module in every run, also in those that do not use it. So it imports pytest and
the standard library alone; the rest is loaded when a test measures something.

::

    @pytest.mark.sop_budget(max_sops=20_000)
    def test_it_is_sparse(sop_counter):
        sop_counter.record(compiled, trace)

    def test_it_is_cheap(energy_budget):
        energy_budget(compiled, trace, max_dynamic_uj=5.0)

``--sop-baseline FILE`` compares what each test recorded with the file, ``--sop-update`` writes it.
Workers of pytest-xdist attach what they recorded to their test reports; the controller alone
writes files.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hrsnn_lava.deploy.pytest_budget.counter import SopCounter
    from hrsnn_lava.deploy.pytest_budget.ledger import SopLedger

MARKER = (
    "sop_budget(max_sops=N, **budgets): every run that the test records with the fixture "
    "`sop_counter` keeps these budgets; keys are those of `hrsnn-lava check`"
)
_COUNTER: pytest.StashKey[SopCounter] = pytest.StashKey()
_LEDGER: pytest.StashKey[SopLedger] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the baseline."""
    group = parser.getgroup("hrsnn-lava", "synaptic operations (hrsnn-lava)")
    group.addoption(
        "--sop-baseline",
        metavar="FILE",
        help="compare the synaptic operations that each test records with this file",
    )
    group.addoption(
        "--sop-update",
        action="store_true",
        help="write what tests recorded into the baseline, instead of comparing",
    )
    group.addoption(
        "--sop-tolerance",
        metavar="PERCENT",
        default="0",
        help="growth that is allowed; they are deterministic, so the default is 0",
    )
    group.addoption(
        "--sop-markdown", metavar="FILE", help="write a table of all tests that record, as Markdown"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; read the baseline where one is asked for."""
    config.addinivalue_line("markers", MARKER)
    if not any(map(config.getoption, ("sop_baseline", "sop_update", "sop_markdown"))):
        return
    from hrsnn_lava.deploy.pytest_budget.ledger import SopLedger
    from hrsnn_lava.errors import HrsnnError

    try:
        ledger = SopLedger.of_config(config)
    except HrsnnError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_LEDGER] = ledger
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ledger, "hrsnn_lava_sop_ledger")


@pytest.fixture
def sop_counter(request: pytest.FixtureRequest) -> SopCounter:
    """Takes down what a run cost: ``sop_counter.record(compiled, trace)``.

    The marker ``sop_budget`` limits it, ``--sop-baseline`` compares it.
    """
    return _counter(request.node)


@pytest.fixture
def energy_budget(request: pytest.FixtureRequest) -> Any:
    """Fails the test where a run costs too much: ``energy_budget(compiled, trace, max_sops=9000)``.

    The call takes what `SopCounter.budget` takes, and returns the report.
    """
    return _counter(request.node).budget


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """After a test that passed so far: the marker's budgets, then the baseline."""
    outcome = yield
    marked = _marked(item)
    counter = item.stash.get(_COUNTER, None)
    if marked is not None:
        _counter(item).keep(marked)
    ledger = item.config.stash.get(_LEDGER, None)
    if counter is not None and ledger is not None:
        objections = ledger.objections(counter.runs)
        if objections:
            _fail(objections)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what the test recorded to its report, which pytest-xdist carries as plain values."""
    report = yield
    counter = item.stash.get(_COUNTER, None)
    if call.when == "call" and counter is not None:
        vars(report)["sop_runs"] = counter.plain()
    return report


def _counter(item: pytest.Item) -> SopCounter:
    from hrsnn_lava.deploy.pytest_budget.counter import SopCounter

    counter = item.stash.get(_COUNTER, None)
    if counter is None:
        counter = item.stash[_COUNTER] = SopCounter(item.nodeid, item.user_properties, _fail)
    return counter


def _marked(item: pytest.Item) -> Mapping[str, Any] | None:
    """Budgets of the marker, those of the function over those of its class and module."""
    budgets: dict[str, Any] | None = None
    for marker in item.iter_markers("sop_budget"):
        if marker.args or not marker.kwargs:
            _fail(f"sop_budget{marker.args}: give budgets by name, such as max_sops=20_000")
        budgets = {**marker.kwargs, **(budgets or {})}
    return budgets


def _fail(text: str) -> None:
    """A failed test, without the traceback of the plugin."""
    pytest.fail(text, pytrace=False)
