"""A batch on one and two workers of this machine: throughput, and what the workers cost.

    python benchmarks/execution.py [rows]

Two layers on a chain of six qubits cut for four, with shots, and one on five qubits with the noise of a device. `plain`
runs in this process, the others on workers, which are started before the clock: how long they and their first tasks
take is said at the end. The ceiling is what the machine itself gives: two processes that run the whole batch at the
same time, over one that does. Times are medians of three, by turns, and all outputs are equal bit by bit.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import qsc

ROWS, REPEATS = 1000, 3
CHILD = """
import sys, time, numpy as np, qsc
bundle, x, options = qsc.load("b"), np.load("x.npy"), {options}
bundle.run(x[:64], **options)
print("ready", flush=True)
input()
start = time.perf_counter()
bundle.run(x, **options)
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Case:
    name: str
    qubits: int
    layers: int
    compiled: dict[str, Any]
    run: dict[str, Any]

    def bundle(self) -> qsc.Bundle:
        c = qsc.Circuit(self.qubits)
        x = c.inputs("x", self.qubits)
        for layer in range(self.layers):
            for q in range(self.qubits):
                c.ry(x[q] + layer, q)
            for q in range(self.qubits - 1):
                c.rzz(0.7, q, q + 1)
                c.rx(x[q], q)
        return qsc.compile(c, readout=f"Z0, Z{self.qubits - 1}, X1*X2", effort="fast", verify=False, **self.compiled)

    def batch(self, rows: int) -> np.ndarray:
        return np.random.default_rng(0).uniform(-1, 1, (rows, self.qubits))


CASES = (
    Case("cut, 1000 shots", 6, 2, {"target": "all:4", "max_qubits": 4, "reuse": False}, {"shots": 1000}),
    Case("noise, 1000 shots", 5, 1, {"target": "fake_torino"}, {"noise": True, "shots": 1000}),
)


@contextmanager
def workers(count: int) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    made = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with made as cluster, Client(cluster) as client:
        yield client


def seconds(bundle: qsc.Bundle, x: np.ndarray, options: dict[str, Any], client: Any = None) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    found = bundle.run(x, scheduler=client, **options)
    return time.perf_counter() - start, found


def ceiling(bundle: qsc.Bundle, x: np.ndarray, options: dict[str, Any]) -> float:
    """Throughput of two processes at once over that of one."""
    with tempfile.TemporaryDirectory() as folder:
        bundle.save(Path(folder) / "b")
        np.save(Path(folder) / "x.npy", x)
        command = [sys.executable, "-c", CHILD.format(options=options)]
        pipes: dict[str, Any] = {"cwd": folder, "text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}

        def slowest(count: int) -> float:
            children: list[Any] = [subprocess.Popen(command, **pipes) for _ in range(count)]
            for child in children:
                child.stdout.readline()
            for child in children:
                child.stdin.write("\n")
                child.stdin.flush()
            return max(float(child.communicate()[0]) for child in children)

        return statistics.median(2 * slowest(1) / slowest(2) for _ in range(REPEATS))


def measure(case: Case, rows: int) -> None:
    bundle, x = case.bundle(), case.batch(rows)
    start = time.perf_counter()
    with workers(1) as one, workers(2) as two:
        for client in (one, two):
            bundle.run(x[:256], scheduler=client, **case.run)
        started = time.perf_counter() - start
        times: dict[str, list[float]] = {"plain": [], "one": [], "two": []}
        wanted = bundle.run(x, **case.run)
        for _ in range(REPEATS):
            for name, client in (("plain", None), ("one", one), ("two", two)):
                spent, found = seconds(bundle, x, case.run, client)
                assert np.array_equal(found, wanted)
                times[name].append(spent)
    plain, alone, both = (statistics.median(found) for found in times.values())
    print(
        f"{case.name:20s}{plain:8.2f} s {alone:9.2f} s {both:9.2f} s {alone / both:9.2f} "
        f"{ceiling(bundle, x, case.run):9.2f}    started in {started:.0f} s",
        flush=True,
    )


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(f"{f'{rows} rows':20s}     plain    1 worker   2 workers  2 over 1   ceiling")
    for case in CASES:
        measure(case, rows)


if __name__ == "__main__":
    main()
