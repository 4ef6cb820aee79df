# pyright: reportMissingImports=false
"""Runs programs in Lava 0.10, by its Loihi 2 simulation in fixed point.

    python lava_runner.py JOBS.npz RESULTS.npz

A script for a Python that has Lava, and no qsc. `qsc.backends.loihi.lava` writes JOBS.npz, which is JSON (`jobs`) and
the arrays that it names, and reads the results: `K/POPULATION/spikes`, `u` and `v` (steps, neurons),
`K/CONNECTION/weights` of those that learn, and `K/seconds`, the wall time of the K-th job and of its first step.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense, LearningDense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix


def matrix(arrays: dict[str, np.ndarray], key: str) -> Any:
    """A dense array, or a sparse one from its three."""
    if key in arrays:
        return arrays[key]
    parts = tuple(arrays[f"{key}/{part}"] for part in ("data", "indices", "indptr"))
    shape: Any = tuple(arrays[f"{key}/shape"])
    return csr_matrix(parts, shape)


def learn(c: dict[str, Any], arrays: dict[str, np.ndarray], source: Any, neurons: Any) -> Any:
    """Adds one connection that learns, and gives it back."""
    made = LearningDense(
        weights=arrays[c["weight"]],
        weight_exp=c["exponent"],
        num_weight_bits=8,
        sign_mode=SignMode[c["sign"].upper()],
        learning_rule=Loihi2FLearningRule(**c["rule"], t_epoch=1),
    )
    source.connect(made.s_in)
    made.a_out.connect(neurons.a_in)
    neurons.s_out.connect(made.s_in_bap)
    return made


def connect(c: dict[str, Any], arrays: dict[str, np.ndarray], source: Any, target: Any) -> None:
    """Adds one connection between two flat ports."""
    weights = matrix(arrays, c["weight"])
    if c["kind"] == "conv":
        channels, height, width = c["shape"]
        # Lava's images are (width, height, channels) and its kernels (out, width, height, in), which it flips.
        kernel = weights.transpose(0, 3, 2, 1)[:, ::-1, ::-1].copy()
        process: Any = Conv(
            weight=kernel,
            input_shape=(width, height, channels),
            padding=tuple(c["padding"][::-1]),
            stride=tuple(c["stride"][::-1]),
            dilation=tuple(c["dilation"][::-1]),
            groups=c["groups"],
            num_message_bits=c["message_bits"],
        )
        source.reshape((channels, height, width)).transpose((2, 1, 0)).connect(process.s_in)
        process.a_out.transpose((2, 1, 0)).reshape(target.shape).connect(target)
        return
    made = {"dense": Dense, "sparse": Sparse, "delay_dense": DelayDense, "delay_sparse": DelaySparse}[c["kind"]]
    more = {"delays": matrix(arrays, c["delays"])} if c["delays"] else {}
    process = made(
        weights=weights,
        weight_exp=c["exponent"],
        num_weight_bits=c["weight_bits"],
        sign_mode=SignMode[c["sign"].upper()],
        num_message_bits=c["message_bits"],
        **more,
    )
    source.connect(process.s_in)
    process.a_out.connect(target)


def run(job: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(`POPULATION/spikes`, `u` and `v`, seconds of the run and of its first step with the compilation)."""
    steps = job["steps"]
    out = {s["name"]: RingBuffer(data=arrays[s["data"]]).s_out for s in job["sources"]}
    neurons = {}
    for p in job["populations"]:
        registers = {name: arrays[key] for name, key in p["registers"].items()}
        neurons[p["name"]] = LIF(shape=(p["count"],), **registers)
        out[p["name"]] = neurons[p["name"]].s_out
    plastic = {}
    for c in job["connections"]:
        if c["kind"] == "learning":
            plastic[c["name"]] = learn(c, arrays, out[c["source"]], neurons[c["target"]])
        else:
            connect(c, arrays, out[c["source"]], neurons[c["target"]].a_in)
    monitors = {}
    if job["record"]:
        for name, lif in neurons.items():
            for kind, port in (("spikes", lif.s_out), ("u", lif.u), ("v", lif.v)):
                monitors[name, kind] = monitor = Monitor()
                monitor.probe(port, steps)
    first = next(iter(neurons.values()))
    after = job["weights_after"]
    found = {}
    begin = started = time.perf_counter()
    done = 0
    for stop in sorted({1, *after.values(), steps}):
        first.run(condition=RunSteps(num_steps=stop - done), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        started = started if done else time.perf_counter()
        done = stop
        found.update({f"{name}/weights": plastic[name].weights.get() for name, end in after.items() if end == done})
    ended = time.perf_counter()
    for (name, kind), monitor in monitors.items():
        ((data,),) = (each.values() for each in monitor.get_data().values())
        found[f"{name}/{kind}"] = data.astype(np.int32)
    first.stop()
    return found, np.array([ended - begin, started - begin])


def main() -> None:
    with np.load(sys.argv[1]) as file:
        arrays = dict(file)
    results = {}
    for number, job in enumerate(json.loads(str(arrays["jobs"]))):
        found, seconds = run(job, arrays)
        results.update({f"{number}/{key}": value for key, value in found.items()})
        results[f"{number}/seconds"] = seconds
        print(f"job {number}: {seconds[0]:.2f} s", flush=True)
    np.savez_compressed(sys.argv[2], **results)


if __name__ == "__main__":
    main()
