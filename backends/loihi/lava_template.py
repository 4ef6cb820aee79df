# pyright: reportMissingImports=false
"""A program for Loihi 2, simulated by Lava 0.10 in fixed point, bit for bit as on the chip.

    python lava_program.py INPUTS.npz RESULTS.npz [--record] [--timeout SECONDS]

It needs Python 3.10 (python3.10 -m pip install lava-nc==0.10.0) and lava_arrays.npz beside it.

INPUTS.npz holds an array of whole numbers for every name in SOURCES, (STEPS, *shape). RESULTS.npz gets NAME/spikes for
every population, (STEPS, *shape), with --record NAME/u and NAME/v, each after the step, and NAME/weights of every
connection that learns, after the last step.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

if importlib.util.find_spec("lava") is None:
    sys.exit("lava_program.py: there is no Lava here: python3.10 -m pip install lava-nc==0.10.0")

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.monitor.process import Monitor
from scipy.sparse import csr_matrix

# <program>
STEPS: int = 0
SOURCES: dict[str, tuple[tuple[int, ...], int]] = {}
POPULATIONS: dict[str, tuple[int, ...]] = {}
NETS: list[list[str]] = []
LEARNING: dict[str, str] = {}


def build(inputs: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {}


# </program>

LIMITS = {
    "du": (0, 4095),
    "dv": (0, 4095),
    "vth": (0, 131071),
    "bias_mant": (-4096, 4095),
    "bias_exp": (0, 7),
    "v": (-8388607, 8388607),
}
"""Register -> its least and greatest value on the chip. Lava takes any."""

MOST_DELAY = 63


def fail(message: str) -> NoReturn:
    sys.exit(f"lava_program.py: {message}")


def matrix(arrays: dict[str, np.ndarray], key: str) -> csr_matrix:
    """A sparse matrix from its three arrays and its shape."""
    parts = tuple(arrays[f"{key}/{part}"] for part in ("data", "indices", "indptr"))
    return csr_matrix(parts, shape=tuple(arrays[f"{key}/shape"]))


def read_inputs(path: str) -> dict[str, np.ndarray]:
    """Source -> its values as the RingBuffer takes them, (neurons, STEPS)."""
    try:
        with np.load(path) as file:
            given = dict(file)
    except (OSError, ValueError) as fault:
        fail(f"cannot read {path}: {fault}")
    inputs = {}
    for name, (shape, bits) in SOURCES.items():
        if name not in given:
            fail(f"{path} has no array {name!r}; it takes {', '.join(SOURCES)}")
        values = given[name]
        if values.shape != (STEPS, *shape) or values.dtype.kind not in "iub":
            fail(f"{name} is {values.dtype} of shape {values.shape}; it takes whole numbers of shape {(STEPS, *shape)}")
        high = 2 ** (bits - 1) - 1 if bits else 1
        low = -high if bits else 0
        if values.size and (values.min() < low or values.max() > high):
            fail(f"{name} has values {values.min()}..{values.max()}; it takes {low}..{high}")
        inputs[name] = np.ascontiguousarray(values.reshape(STEPS, -1).T, np.int32)
    return inputs


def check(made: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """What Lava would take without a word, or hang on."""
    for name in POPULATIONS:
        for register, (low, high) in LIMITS.items():
            values = np.asarray(getattr(made[name], register).init)
            if values.min() < low or values.max() > high:
                fail(f"{name}: {register} {values.min()}..{values.max()} is outside {low}..{high}")
    for key, values in arrays.items():
        delays = key.endswith(("/delays", "/delays/data")) and values.size
        if delays and (values.min() < 0 or values.max() > MOST_DELAY):
            fail(f"{key}: delays {values.min()}..{values.max()} are outside 0..{MOST_DELAY}")


def reason(child: Any) -> str:
    """Why a process of Lava has failed; empty where it has not. One that raised an exception may live on."""
    try:
        if raised := getattr(child, "exception", None):
            return raised[1]
        return "" if child.is_alive() else f"{child.name} ended with {child.exitcode}"
    except (OSError, ValueError):  # Lava has closed it.
        return ""


def just_started() -> list[int]:
    """Processes of this one that multiprocessing may not know of yet, where the system lists them."""
    return [int(number) for task in Path("/proc/self/task").glob("*/children") for number in task.read_text().split()]


class Watchdog(threading.Thread):
    """Ends everything where a process of Lava fails, or when time is up: Lava itself would wait forever."""

    def __init__(self, seconds: float) -> None:
        super().__init__(daemon=True)
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.seen: set[Any] = set()
        self.over = threading.Event()
        self.stopping = False
        """Whether processes may end: the run is over."""

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.seen.update(multiprocessing.active_children())
            if not self.stopping and any(map(reason, self.seen)):
                self.give_up("a process failed")
            if time.monotonic() > self.end:
                self.give_up(f"not done in {self.seconds:g} s")

    def give_up(self, why: str) -> NoReturn:
        """Say why, and end all processes of Lava and this one: its stop() would wait for those that failed."""
        reasons = filter(None, map(reason, self.seen))
        print(f"lava_program.py: {why}", *reasons, sep="\n", file=sys.stderr, flush=True)
        for child in multiprocessing.active_children():
            child.kill()
        for number in just_started():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        os._exit(1)


def run(net: list[str], made: dict[str, Any], record: bool, timeout: float) -> dict[str, np.ndarray]:
    """What the populations of one net did, (STEPS, *shape) each, and what its synapses have learned."""
    monitors: dict[str, Any] = {}
    for name in net:
        watched = {"spikes": made[name].s_out}
        if record:
            watched.update(u=made[name].u, v=made[name].v)
        for kind, what in watched.items():
            monitors[f"{name}/{kind}"] = monitor = Monitor()
            monitor.probe(what, STEPS)
    head = made[net[0]]
    watchdog = Watchdog(timeout)
    watchdog.start()
    try:
        head.run(condition=RunSteps(num_steps=STEPS), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        found = {}
        for key, monitor in monitors.items():
            ((values,),) = (each.values() for each in monitor.get_data().values())
            name, _, kind = key.rpartition("/")
            found[key] = values.reshape(STEPS, *POPULATIONS[name]).astype(bool if kind == "spikes" else np.int32)
        learned = [name for name, target in LEARNING.items() if target in net]
        found.update({f"{name}/weights": made[name].weights.get().astype(np.int32) for name in learned})
        watchdog.stopping = True
        head.stop()
    finally:
        if not watchdog.stopping:
            # Lava has joined its processes by now: they are no active children any more.
            watchdog.seen.update([] if head.runtime is None else head.runtime._messaging_infrastructure.actors)
            watchdog.give_up(traceback.format_exc())
        watchdog.over.set()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs a Loihi 2 program in Lava.")
    parser.add_argument("inputs", help="INPUTS.npz: source -> whole numbers (STEPS, *shape)")
    parser.add_argument("results", help="RESULTS.npz: written")
    parser.add_argument("--record", action="store_true", help="write u and v too")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each net [600]")
    given = parser.parse_args()
    with np.load(Path(__file__).with_name("lava_arrays.npz")) as file:
        arrays = dict(file)
    made = build(read_inputs(given.inputs), arrays)
    check(made, arrays)
    results: dict[str, np.ndarray] = {}
    for net in NETS:
        results.update(run(net, made, given.record, given.timeout))
    write: Any = np.savez_compressed
    write(given.results, **results)
    for name in POPULATIONS:
        print(f"{name}: {int(results[f'{name}/spikes'].sum())} spikes")


if __name__ == "__main__":
    main()
