"""Trials on a Dask cluster of this machine: the same result, whatever is killed meanwhile."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from children import start
from search_cases import FOLDER, SECONDS, Inline, plan_of

from hrsnn_lava.errors import BackendError, BackendMissingError, SpecError
from hrsnn_lava.search.cluster import ClusterEngine, Credentials, check_address
from hrsnn_lava.search.ledger import LEDGER, read_entries
from hrsnn_lava.search.run_search import run_search

CREDENTIALS = Credentials(Path("ca.pem"), Path("cert.pem"), Path("key.pem"))


@pytest.mark.parametrize(
    ("address", "credentials"),
    [
        ("tcp://127.0.0.1:8786", None),
        ("tcp://localhost:8786", None),
        ("tcp://[::1]:8786", None),
        ("tls://192.0.2.1:8786", CREDENTIALS),
    ],
)
def test_addresses_that_are_safe(address: str, credentials: Credentials | None) -> None:
    check_address(address, credentials)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://192.0.2.1:8786", "anybody on the way could run code"),
        ("tcp://0.0.0.0:8786", "anybody on the way could run code"),
        ("tcp://no.such.host.invalid:8786", "anybody on the way could run code"),
        ("tls://192.0.2.1:8786", "needs the files"),
        ("ucx://127.0.0.1:8786", "no address of a scheduler"),
        ("127.0.0.1:8786", "no address of a scheduler"),
        ("tcp://127.0.0.1", "no address of a scheduler"),
        ("tcp://127.0.0.1:99999", "no address of a scheduler"),
        ("", "no address of a scheduler"),
    ],
)
def test_addresses_that_are_none_or_unsafe(address: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_address(address, None)


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BackendMissingError, match=r"pip install 'hrsnn-lava\[cluster\]'"):
        ClusterEngine("tcp://127.0.0.1:8786")


class Cluster:
    """A scheduler and workers, processes of this machine that are ended by their ids."""

    def __init__(self, folder: Path, tls: Credentials | None = None, **environment: str) -> None:
        self.folder, self.port, self.tls = folder, _free_port(), tls
        self.environment = {
            **os.environ,
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false",
        }
        self.processes: list[subprocess.Popen[str]] = []
        self.scheduler = self.start_scheduler()

    @property
    def address(self) -> str:
        return f"{'tls' if self.tls else 'tcp'}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> subprocess.Popen[str]:
        self.scheduler = self._start(
            "scheduler", "--host", self.address.rpartition(":")[0], "--port", str(self.port)
        )
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self.scheduler
            assert time.monotonic() < deadline
            assert self.scheduler.poll() is None
            time.sleep(0.05)

    def start_worker(self, name: str) -> subprocess.Popen[str]:
        options = ("--nthreads", "1", "--no-nanny", "--name", name, "--host", "127.0.0.1")
        place = ("--local-directory", str(self.folder / "dask"))
        return self._start("worker", self.address, *options, *place)

    def _start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        if self.tls is not None:
            command += ["--tls-ca-file", str(self.tls.ca), "--tls-cert", str(self.tls.cert)]
            command += ["--tls-key", str(self.tls.key)]
        log = (self.folder / f"{words[0]}-{len(self.processes)}.log").open("w")
        process = start(
            command, env=self.environment, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("distributed")
    made: list[Cluster] = []

    def cluster(**options: Any) -> Cluster:
        made.append(Cluster(tmp_path, **options))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hrsnn_lava.search.cluster.ALONE", 300.0)  # they may start slowly
        yield cluster
    for one in made:
        one.close()


def after(out: Path, results: int, act: Any) -> threading.Thread:
    """Do something in a thread as soon as the ledger has so many results."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if (out / LEDGER).exists():
                entries = read_entries(out / LEDGER)[0]
                if sum(entry["kind"] == "result" for entry in entries) >= results:
                    act()
                    return
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_worker_is_killed_and_another_one_joins(
    clusters: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    cluster = clusters(**{FOLDER: str(marks), SECONDS: "0.2"})
    monkeypatch.setenv(FOLDER, str(marks))
    plan, out = plan_of("counted", trials=12), tmp_path / "out"
    first = cluster.start_worker("first")

    def act() -> None:
        cluster.start_worker("late")
        time.sleep(0.1)
        first.kill()  # while it runs a trial: there are always some that wait

    thread = after(out, 2, act)
    found = run_search(plan, out, engine=ClusterEngine(cluster.address))
    thread.join()
    assert first.wait(10) == -9
    ran = len(list(marks.iterdir()))
    assert 12 <= ran <= 13  # the trial of the killed worker alone may have been measured twice
    expected = run_search(plan, tmp_path / "here", engine=Inline())
    assert found.digest == expected.digest
    results = [e for e in read_entries(out / LEDGER)[0] if e["kind"] == "result"]
    assert sorted(entry["trial"] for entry in results) == list(range(12))


@pytest.mark.slow
def test_a_scheduler_is_killed_and_started_again(clusters: Any, tmp_path: Path) -> None:
    cluster, out = clusters(**{SECONDS: "0.2"}), tmp_path / "out"
    cluster.start_worker("first")

    def act() -> None:
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        time.sleep(1.0)
        cluster.start_scheduler()
        cluster.start_worker("second")

    plan = plan_of(trials=12)
    thread = after(out, 3, act)
    found = run_search(plan, out, engine=ClusterEngine(cluster.address))
    thread.join()
    assert found.digest == run_search(plan, tmp_path / "here", engine=Inline()).digest


@pytest.mark.slow
def test_trials_that_always_end_their_worker_are_recorded(clusters: Any, tmp_path: Path) -> None:
    """Nothing is repeated: the other trials of the round end as they would."""
    failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    cluster, out = clusters(**failures), tmp_path / "out"
    plan = plan_of("kills_its_worker", trials=4, retries=0)
    sizes = [plan.settings(tuple(p))["network.size"] for p in _points(plan)]
    assert 0 < sum(size >= 130 for size in sizes) < 4
    for k in range(5):
        cluster.start_worker(f"worker {k}")
    found = run_search(plan, out, engine=ClusterEngine(cluster.address))
    for trial, size in zip(found.trials, sizes, strict=True):
        assert (trial.status == "failed") == (size >= 130)
        assert trial.failure is None or trial.failure.kind == "killed"


def _points(plan: Any) -> Any:
    from hrsnn_lava.seeding import generator

    return plan.suggester.suggest(plan.space, [], 4, generator(5, "search/suggest"))


@pytest.mark.slow
def test_a_scheduler_that_does_not_come_back_ends_the_search(clusters: Any, tmp_path: Path) -> None:
    cluster, out = clusters(**{SECONDS: "0.2"}), tmp_path / "out"
    cluster.start_worker("first")
    thread = after(out, 1, cluster.scheduler.kill)
    engine = ClusterEngine(cluster.address, comeback=1.0)
    with pytest.raises(BackendError, match="there is no scheduler"):
        run_search(plan_of(), out, engine=engine)
    thread.join()
    found = run_search(plan_of(), out, engine=Inline(), resume=True)  # nothing is lost by it
    assert found.earlier >= 1


@pytest.mark.slow
def test_connections_are_encrypted(clusters: Any, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=hrsnn-lava", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    credentials = Credentials(cert, cert, key)
    cluster = clusters(tls=credentials)
    cluster.start_worker("first")
    found = run_search(
        plan_of(), tmp_path / "out", engine=ClusterEngine(cluster.address, credentials)
    )
    assert found.digest == run_search(plan_of(), tmp_path / "here", engine=Inline()).digest


@pytest.mark.slow
def test_that_nobody_runs_trials_is_said(
    clusters: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hrsnn_lava.search.cluster.ALONE", 0.1)
    cluster = clusters()
    engine = ClusterEngine(cluster.address)
    thread = threading.Timer(2.0, cluster.start_worker, ("late",))
    thread.start()
    with pytest.warns(UserWarning, match="no worker has joined") as warned:
        run_search(plan_of(trials=2), tmp_path / "out", engine=engine)
    assert len(warned) == 1
    thread.join()


def test_a_scheduler_that_is_not_there(clusters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("hrsnn_lava.search.cluster.CONNECT", 0.2)
    with pytest.raises(BackendError, match=r"there is no scheduler at tcp://127\.0\.0\.1") as error:
        ClusterEngine(f"tcp://127.0.0.1:{_free_port()}")
    assert error.value.exit_code == 6
