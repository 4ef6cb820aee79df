"""Programs run in Lava, in an environment of its own: the check from outside.

A job is written as arrays and JSON, `lava_runner.py` runs it there, and its traces come back.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...bridges import environments
from ...bridges.extras import need
from .program import Connection, Population, Program, Source
from .simulator import Traces

RUNNER = Path(__file__).with_name("lava_runner.py")

REGISTERS = {
    "du": "du",
    "dv": "dv",
    "vth": "threshold",
    "bias_mant": "bias",
    "bias_exp": "bias_exponent",
    "v": "initial_v",
}
"""Argument of Lava's LIF -> field of a population."""


@dataclass(frozen=True)
class Job:
    """A program and one input: source -> whole numbers (steps, *shape). record: whether traces are wanted.
    weights_after: connection that learns -> the steps after which its weights are read [all]."""

    program: Program
    inputs: Mapping[str, np.ndarray]
    steps: int
    record: bool = True
    weights_after: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ran:
    """What Lava gave: traces of a batch of one, wall seconds of the run, and those of them that its start took."""

    traces: Traces
    seconds: float
    start_seconds: float


def run_in_lava(jobs: Sequence[Job], timeout: float) -> list[Ran]:
    """Run jobs in Lava, one after the other.

    timeout: seconds for all of them; Lava hangs where one of its processes fails. Raises MissingError E0006 where
    the environment `lava` is not there, E0008 where the run fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "jobs.npz", Path(folder) / "results.npz"
        arrays: dict[str, Any] = {}
        written = [_written(job, str(number), arrays) for number, job in enumerate(jobs)]
        np.savez(given, jobs=np.array(json.dumps(written)), **arrays)
        environments.run_script("lava", RUNNER, [str(given), str(taken)], timeout)
        with np.load(taken) as file:
            results = dict(file)
    return [_read(job, str(number), results) for number, job in enumerate(jobs)]


def _written(job: Job, key: str, arrays: dict[str, Any]) -> dict[str, Any]:
    ends: dict[str, Source | Population] = {e.name: e for e in (*job.program.sources, *job.program.populations)}
    for source in job.program.sources:
        flat = job.inputs[source.name].reshape(job.steps, -1)
        arrays[f"{key}/{source.name}"] = np.ascontiguousarray(flat.T, np.int32)
    return {
        "steps": job.steps,
        "record": job.record,
        "sources": [{"name": s.name, "data": f"{key}/{s.name}"} for s in job.program.sources],
        "populations": [_population(p, f"{key}/{p.name}", arrays) for p in job.program.populations],
        "connections": [_connection(c, ends, f"{key}/{c.name}", arrays) for c in job.program.connections],
        "weights_after": _learning(job.program, job.steps) | dict(job.weights_after),
    }


def _learning(program: Program, steps: int) -> dict[str, int]:
    return {c.name: steps for c in program.connections if c.learning is not None}


def _population(p: Population, key: str, arrays: dict[str, Any]) -> dict[str, Any]:
    for argument, register in REGISTERS.items():
        arrays[f"{key}/{argument}"] = np.asarray(getattr(p, register)).reshape(-1)
    registers = {argument: f"{key}/{argument}" for argument in REGISTERS}
    return {"name": p.name, "count": prod(p.shape), "registers": registers}


def _connection(
    c: Connection, ends: Mapping[str, Source | Population], key: str, arrays: dict[str, Any]
) -> dict[str, Any]:
    source = ends[c.source]
    facts: dict[str, Any] = {
        "name": c.name,
        "source": c.source,
        "target": c.target,
        "weight": f"{key}/weight",
        "delays": None if c.delays is None else f"{key}/delays",
        "exponent": c.exponent,
        "weight_bits": c.weight_bits,
        "sign": c.sign,
        "message_bits": getattr(source, "message_bits", 0),
    }
    weight, delays = c.weight, c.delays
    if c.learning is not None:
        rule = c.learning.rule
        settings = {f"{n}_{what}": getattr(t, what) for n, t in rule.traces.items() for what in ("tau", "impulse")}
        facts |= {"kind": "learning", "rule": {"dw": rule.text, "rng_seed": c.learning.seed} | settings}
    elif c.window is not None and c.exponent == 0 and delays is None:
        # Lava's convolution has neither exponents nor delays, and takes weights as they are.
        facts |= {"kind": "conv", "shape": list(source.shape)}
        facts |= {name: list(getattr(c.window, name)) for name in ("padding", "stride", "dilation")}
        facts["groups"] = c.window.groups
        weight = c.effective()
    elif c.window is not None:
        weight, delays = unrolled(c, source.shape, ends[c.target].shape)
        facts["kind"] = "sparse" if delays is None else "delay_sparse"
    else:
        thin = c.sparse or not isinstance(weight, np.ndarray)
        facts["kind"] = ("delay_" if delays is not None else "") + ("sparse" if thin else "dense")
    _put(arrays, f"{key}/weight", weight, "sparse" in facts["kind"])
    if delays is not None:
        if not isinstance(weight, np.ndarray) and isinstance(delays, np.ndarray):
            delays = _like(weight, delays)
        _put(arrays, f"{key}/delays", delays, "sparse" in facts["kind"])
    return facts


def _like(weight: Any, values: np.ndarray) -> Any:
    sparse = need("scipy.sparse", "loihi")
    return sparse.csr_array((values, weight.indices, weight.indptr), shape=weight.shape)


def _put(arrays: dict[str, Any], key: str, matrix: Any, thin: bool) -> None:
    if not thin:
        arrays[key] = matrix.astype(np.int64)
        return
    kept = need("scipy.sparse", "loihi").csr_array(matrix)
    arrays[f"{key}/data"], arrays[f"{key}/shape"] = kept.data.astype(np.int64), np.array(kept.shape)
    arrays[f"{key}/indices"], arrays[f"{key}/indptr"] = kept.indices, kept.indptr


def unrolled(c: Connection, source: tuple[int, ...], target: tuple[int, ...]) -> tuple[Any, Any]:
    """A convolution as (csr_array of weights (targets, sources), that of its delays or None)."""
    window, sparse = c.window, need("scipy.sparse", "loihi")
    assert window is not None
    outs, each, high, wide = c.weight.shape
    o, i, y, x, a, b = (
        index.ravel() for index in np.indices((outs, each, *target[1:], high, wide)).astype(np.int64)
    )  # fmt: skip
    row = y * window.stride[0] + a * window.dilation[0] - window.padding[0]
    column = x * window.stride[1] + b * window.dilation[1] - window.padding[1]
    channel = o // (outs // window.groups) * each + i
    inside = (row >= 0) & (row < source[1]) & (column >= 0) & (column < source[2])
    at = (
        ((o * target[1] + y) * target[2] + x)[inside],
        ((channel * source[1] + row) * source[2] + column)[inside],
    )
    kernel = (o[inside], i[inside], a[inside], b[inside])
    shape = (prod(target), prod(source))
    weights = sparse.csr_array((c.weight[kernel], at), shape=shape)
    delays = None if c.delays is None else sparse.csr_array((c.delays[kernel], at), shape=shape)
    return weights, delays


def _read(job: Job, key: str, results: Mapping[str, np.ndarray]) -> Ran:
    traces = Traces()
    for p in job.program.populations if job.record else ():
        for kind in ("spikes", "u", "v"):
            found = results[f"{key}/{p.name}/{kind}"].reshape(job.steps, 1, *p.shape)
            getattr(traces, kind)[p.name] = found.astype(bool) if kind == "spikes" else found
    for name in _learning(job.program, job.steps):
        traces.weights[name] = results[f"{key}/{name}/weights"].astype(np.int64)[None]
    whole, start = results[f"{key}/seconds"]
    return Ran(traces, float(whole), float(start))
