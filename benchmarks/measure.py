"""Timing shared by the benchmarks: medians of several runs, ratios, peak memory of a child process."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def median_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Median wall time of `work` after one warm-up run."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_mib() -> float:
    """Peak resident memory of this process in MiB.

    Linux counts the parent's peak into a child's ru_maxrss, so the kernel's high-water mark is read where it is there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib(field: str) -> float:
    """A line of this process's memory status: `VmRSS` now, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def in_child(script: str, argument: str) -> dict[str, float]:
    """Run `script argument` in a fresh Python; its last line is JSON with what it measured."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, argument], check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def wall_seconds(command: list[str], runs: int = 9) -> float:
    """Median wall time of a whole process."""

    def once() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return median_seconds(once, runs)
