"""The program file: `program.json` says what there is, `program.safetensors` holds the arrays.

A number that is the same for all neurons stands in the JSON; an array is the name of a tensor, `"@NAME"`.
`program.schema.json` beside this file describes the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...ir import InputError
from .program import Connection, Population, Program, Source, Window

JSON_FILE, ARRAYS_FILE = "program.json", "program.safetensors"
SCHEMA = 1
_REGISTERS = ("du", "dv", "threshold", "bias", "bias_exponent", "initial_v")


def dump(program: Program) -> dict[str, bytes]:
    """The files of a program; equal programs give equal bytes."""
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}

    def held(name: str, value: Any) -> Any:
        if value is None or np.ndim(value) == 0:
            return None if value is None else int(value)
        arrays[name] = _smallest(np.asarray(value))
        return "@" + name

    facts = {
        "schema": SCHEMA,
        "latency": program.latency,
        "outputs": list(program.outputs),
        "sources": [{"name": s.name, "shape": list(s.shape), "message_bits": s.message_bits} for s in program.sources],
        "populations": [
            {"name": p.name, "shape": list(p.shape)}
            | {register: held(f"{p.name}.{register}", getattr(p, register)) for register in _REGISTERS}
            | ({"scale": program.scales[p.name]} if p.name in program.scales else {})
            for p in program.populations
        ],
        "connections": [_connection(c, held) for c in program.connections],
    }
    text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
    return {JSON_FILE: text.encode(), ARRAYS_FILE: save(dict(sorted(arrays.items())))}


def _connection(c: Connection, held: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": c.name, "source": c.source, "target": c.target}
    facts |= {"weight_bits": c.weight_bits, "exponent": c.exponent, "sign": c.sign, "sparse": c.sparse}
    dense = c.weight if isinstance(c.weight, np.ndarray) else c.weight.toarray()
    delays = c.delays
    if delays is not None and not isinstance(c.weight, np.ndarray):
        spread = c.weight.copy()
        spread.data = delays
        delays = spread.toarray()
    facts["weight"], facts["delays"] = held(f"{c.name}.weight", dense), held(f"{c.name}.delays", delays)
    if c.window is not None:
        w = c.window
        pairs = {"stride": w.stride, "padding": w.padding, "dilation": w.dilation}
        facts["window"] = {name: list(pair) for name, pair in pairs.items()} | {"groups": w.groups}
    return facts


def _smallest(array: np.ndarray) -> np.ndarray:
    """The array in the narrowest integers that hold it."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    kind = next(
        k for k in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(k).min <= low and high <= np.iinfo(k).max
    )
    return np.ascontiguousarray(array, kind)


def load(files: Mapping[str, bytes], place: str = "the bundle") -> Program:
    """The program of its files. InputError B0002 where they are damaged, B0003 where their schema
    is not known."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_arrays

    try:
        facts = json.loads(files[JSON_FILE])
        if facts["schema"] != SCHEMA:
            help = f"this qsc reads schema {SCHEMA}"
            raise InputError.of("B0003", f"{place}: {JSON_FILE} has schema {facts['schema']!r}", help=help)
        arrays = load_arrays(files[ARRAYS_FILE])

        def read(value: Any) -> Any:
            return arrays[value[1:]].astype(np.int64) if isinstance(value, str) else value

        return Program(
            tuple(Source(s["name"], tuple(s["shape"]), s["message_bits"]) for s in facts["sources"]),
            tuple(
                Population(p["name"], tuple(p["shape"]), *(read(p[register]) for register in _REGISTERS))
                for p in facts["populations"]
            ),
            tuple(
                Connection(
                    *(c["name"], c["source"], c["target"], read(c["weight"]), c["weight_bits"], c["exponent"]),
                    *(c["sign"], read(c["delays"]), _window(c.get("window")), c["sparse"]),
                )
                for c in facts["connections"]
            ),
            tuple(facts["outputs"]),
            facts["latency"],
            {p["name"]: p["scale"] for p in facts["populations"] if "scale" in p},
        )
    except (KeyError, TypeError, ValueError, SafetensorError) as fault:
        raise InputError.of("B0002", f"{place}: {JSON_FILE} or {ARRAYS_FILE} is damaged ({fault})") from None


def _window(facts: Any) -> Window | None:
    if facts is None:
        return None
    stride, padding, dilation = (tuple(facts[name]) for name in ("stride", "padding", "dilation"))
    return Window(stride, padding, dilation, facts["groups"])
