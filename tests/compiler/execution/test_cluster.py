"""Runs on workers: the same numbers however many there are, and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qsc
from qsc.compiler.execution import engines
from qsc.compiler.execution.engines import Cluster, opened
from qsc.compiler.execution.journal import MAGIC, opened_journal
from qsc.compiler.manager import InternalError
from qsc.ir import InputError, MissingError, QscError

pytest.importorskip("distributed")


def all_of(bundle: qsc.Bundle, x: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray | None, dict[str, float]]:
    return bundle.run(x, **options), bundle.standard_errors[0], dict(bundle.run_counts)


def assert_same(a: tuple, b: tuple) -> None:
    assert np.array_equal(a[0], b[0])
    assert (a[1] is None) == (b[1] is None)
    assert a[1] is None or np.array_equal(a[1], b[1])
    assert a[2] == b[2]


@pytest.mark.parametrize("shots", [None, 500])
def test_workers_change_no_bit(cut_bundle, samples, cluster, shots: int | None):
    plain = all_of(cut_bundle, samples, shots=shots, seed=3)
    assert_same(all_of(cut_bundle, samples, shots=shots, seed=3, scheduler=cluster), plain)
    if shots:
        assert not np.array_equal(plain[0], cut_bundle.run(samples, shots=shots, seed=4))
        assert_same(all_of(cut_bundle, samples, shots=shots, seed=3, workers=1), plain)


def test_all_workers_work(noisy, cluster):
    from distributed import get_task_stream

    bundle, x = noisy
    listening: Any = get_task_stream(cluster)
    with listening as stream:
        bundle.run(x, noise=True, shots=200, scheduler=cluster)
    tasks = [row["worker"] for row in stream.data if "rows" in str(row["key"])]
    assert len(tasks) == 7
    assert min(tasks.count(worker) for worker in set(tasks)) >= 2, "and not the one alone that holds the bundle"
    assert len(set(tasks)) == 2


def test_an_address_is_enough(cut_bundle, samples):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, silence_logs=50, dashboard_address="127.0.0.1:0") as made:
        found = all_of(cut_bundle, samples, scheduler=made.scheduler_address)
    assert_same(found, all_of(cut_bundle, samples))


def test_a_verification_on_workers(cut_bundle, cluster):
    assert cut_bundle.verify(scheduler=cluster).to_json() == cut_bundle.verify().to_json()


class Deaths(threading.Thread):
    """Kills a worker each time that `count` more records stand in the journal, `times` times."""

    def __init__(self, client: Any, journal: Path, times: int) -> None:
        super().__init__(daemon=True)
        self.client, self.journal, self.times, self.killed = client, journal, times, 0
        self.over = threading.Event()

    def run(self) -> None:
        size = len(MAGIC)
        while self.killed < self.times and not self.over.is_set():
            if self.journal.exists() and self.journal.stat().st_size > size:
                size = self.journal.stat().st_size
                victims = [w["id"] for w in self.client.scheduler_info()["workers"].values()]
                pids = self.client.run(os.getpid)
                if victims and pids:
                    os.kill(next(iter(pids.values())), signal.SIGKILL)
                    self.killed += 1
            time.sleep(0.01)


def test_a_worker_that_is_killed_loses_nothing(noisy, cluster, tmp_path: Path):
    bundle, x = noisy
    wanted = all_of(bundle, x, noise=True, shots=200, seed=1)
    deaths = Deaths(cluster, tmp_path / "j", 2)
    deaths.start()
    found = all_of(bundle, x, noise=True, shots=200, seed=1, scheduler=cluster, journal=tmp_path / "j")
    deaths.over.set()
    deaths.join()
    assert deaths.killed > 0
    assert_same(found, wanted)
    with opened_journal(tmp_path / "j") as journal:
        assert journal is not None
        assert len(journal) == -(-len(x) // 64), "every task once"
    cluster.wait_for_workers(2, timeout=60)


def test_a_client_that_is_killed_goes_on_from_its_journal(noisy, tmp_path: Path):
    bundle, x = noisy
    bundle.save(tmp_path / "b")
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-m", "qsc", "run", "b", "-i", "x.npy", "--noise", "--shots", "200", "--seed", "1"]
    command += ["--workers", "2", "--journal", "j", "-o", "y.npz"]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (tmp_path / "j").exists() or (tmp_path / "j").stat().st_size < 1000:
        assert first.poll() is None, first.stderr and first.stderr.read()
        time.sleep(0.01)
    first.kill()
    first.wait()
    assert not (tmp_path / "y.npz").exists()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "from the journal" in again.stderr
    wanted = all_of(bundle, x, noise=True, shots=200, seed=1)
    name = bundle.program.graph.outputs[0].name
    with np.load(tmp_path / "y.npz") as found:
        assert np.array_equal(found[name], wanted[0])
        assert wanted[1] is not None
        assert np.array_equal(found[f"{name}.standard_error"], wanted[1])
    for key, count in wanted[2].items():
        assert f"{key}: {count:g}" in again.stdout


def test_a_fragment_that_always_fails_is_named(cut_bundle, samples, cluster, tmp_path: Path):
    bad = cut_bundle.launches()[1].artifact
    files = dict(cut_bundle.files)
    files[f"artifacts/{bad}/circuit.qpy"] = files[f"artifacts/{bad}/circuit.qpy"][:40]
    broken = qsc.Bundle(cut_bundle.manifest, files)
    with pytest.raises(InternalError, match=f"{bad}, rows 0 to 63 failed 3 times"):
        broken.run(samples, shots=100, scheduler=cluster, journal=tmp_path / "j")
    with opened_journal(tmp_path / "j") as journal:
        assert journal is not None
        rows = -(-len(samples) // 64)
        assert len(journal) >= rows, "what the others gave is kept"


def test_faults_of_workers_are_told(cluster, tmp_path: Path):
    engine = Cluster(cluster, "the cluster")
    dying = engine.submit("the task", os._exit, 1)
    with pytest.raises(MissingError, match=r"E0004.*the task: every worker that ran it died \(4 of them\)"):
        dying.result()
    # Only now: a task that waits on a worker which dies counts as one that ran there.
    wrong = engine.submit("another", qsc.load, tmp_path / "nowhere")
    broken = engine.submit("a third", divmod, 1, 0)
    with pytest.raises(InputError, match=r"B0004[^$]*nowhere[^$]*in another, on the cluster"):
        wrong.result()
    with pytest.raises(InternalError, match=r"a third failed 3 times on the cluster: ZeroDivisionError"):
        broken.result()
    cluster.wait_for_workers(2, timeout=60)


def test_what_a_worker_cannot_import_fails(cluster):
    engine = Cluster(cluster, "the cluster")
    # Tests are not importable from elsewhere.
    with pytest.raises(InternalError, match="the call failed 3 times"):
        engine.submit("the call", only_here).result()


def only_here() -> None: ...


def test_results_are_taken_as_they_arrive(cluster):
    engine, arrived = Cluster(cluster, "the cluster"), []
    slow = engine.submit("slow", time.sleep, 0.5, done=lambda _: arrived.append("slow"))
    quick = engine.submit("quick", abs, -3, done=lambda _: arrived.append("quick"))
    assert slow.result() is None
    assert arrived == ["quick", "slow"]
    assert quick.result() == 3


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 1)
    with pytest.raises(MissingError, match=r"E0004.*no scheduler answers"), opened(None, NOWHERE):
        pass


NOWHERE = "tcp://127.0.0.1:9"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"workers": True}, "workers is True"),
        ({"workers": 1, "scheduler": NOWHERE}, "exclude each other"),
        ({"workers": 2, "backend": "aer"}, "backend of your own"),
        ({"journal": "j", "backend": "aer"}, "backend of your own"),
    ],
)
def test_options_that_do_not_fit(cut_bundle, samples, options, said: str):
    with pytest.raises(InputError, match=f"O0002.*{said}"):
        cut_bundle.run(samples, **options)


def test_faults_can_be_sent():
    import pickle

    for kind in QscError.__subclasses__():
        fault = kind.of("R0001", "text", notes=["a"], help="b")
        again = pickle.loads(pickle.dumps(fault))
        assert type(again) is kind
        assert again.diagnostics == fault.diagnostics


@pytest.fixture(scope="module")
def noisy() -> tuple[qsc.Bundle, np.ndarray]:
    """A circuit with noise, slow enough to be interrupted."""
    c = qsc.Circuit(5)
    x = c.inputs("x", 5)
    for q in range(5):
        c.ry(x[q], q)
    for q in range(4):
        c.cx(q, q + 1)
    bundle = qsc.compile(c, target="fake_torino", readout="Z0, Z4, X2*X3", effort="fast", verify=False)
    return bundle, np.random.default_rng(2).uniform(-1, 1, (448, 5))
